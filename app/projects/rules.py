"""Who may read projects."""

from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, exists, literal, not_, or_, select

from app.core.rules import VIEWER, Subject
from app.projects.tables import projects


def may_read_project(row: Any) -> ColumnElement[bool]:
    """Its members; one that is not private every user, but not by keys and JWTs of other projects."""
    return or_(VIEWER.holds("project.read", row.id), and_(VIEWER.is_whole, not_(row.is_private)))


def is_open_to(subject: Subject, project: RowMapping) -> bool:
    """Whether a user who is to change something in a project may know that it is there."""
    return not project["is_private"] or subject.may("project.read", project["id"])


def may_read_organization(row: Any) -> ColumnElement[bool]:
    """Organisations of the projects that the caller may see."""
    project = projects.alias()
    seen = (project.c.id == row.project_id, may_read_project(project.c))
    return exists(select(literal(1)).where(*seen))


def may_read_settings(row: Any) -> ColumnElement[bool]:
    """What only members see of a project."""
    return VIEWER.holds("project.read", row.id)


def may_read_join_request(row: Any) -> ColumnElement[bool]:
    """Who wishes to join, and who may let them."""
    return or_(row.user_id == VIEWER.id, VIEWER.holds("member.write", row.project_id))
