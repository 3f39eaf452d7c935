"""Root fields to read projects."""

from collections.abc import Mapping
from typing import Any

import strawberry
from sqlalchemy import Table

from app.core.ids import parse_global_id, row_number
from app.core.rules import VIEWER
from app.graphql.compiler.declare import Scope, Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.fields import root_connection, root_one
from app.graphql.filters import UNSET
from app.projects import reads
from app.projects import tables as t
from app.projects.inputs import (
    JOIN_REQUEST_COLUMNS,
    PROJECT_COLUMNS,
    JoinRequestFilter,
    JoinRequestOrder,
    ProjectBy,
    ProjectFilter,
    ProjectOrder,
)
from app.projects.types import JoinRequest, Project


def project_scope(info: Info, given: str | None) -> int:
    """The row key of the project that a call is about: the one named, else the call's own."""
    return info.context.subject.call_project() if given is None else project_key(given)


async def project_row(info: Info, by: ProjectBy | None) -> int:
    """The row key of the project that an input names; of the call where it names none."""
    return info.context.subject.call_project() if by is None else await row_of(by)


async def row_of(by: ProjectBy) -> int:
    """The row key of a named project; -1 for none."""
    if by.number is not UNSET and by.number is not None:
        return by.number
    if not by.uuid:
        return project_key(by.id or "")
    return await reads.by_uuid(by.uuid)


PROJECT_ARGUMENT: dict[str, tuple[Any, str]] = {
    "project_id": (strawberry.ID | None, "In which project; the project of the call if left out.")
}


def project_key(given: str) -> int:
    """The row key of a project; of an id that names nothing, one that no row has."""
    parsed = parse_global_id(given)
    key = row_number(parsed[1]) if parsed is not None and parsed[0] == "Project" else None
    # An id that names nothing is a project without rows, as a foreign one is.
    return -1 if key is None else key


def in_project(table: Table) -> Scope:
    """The scope of a root list: the project of its argument `projectId`, else of the call."""

    def scope(given: Mapping[str, Any]) -> Scoped:
        return _of_project(table.c.project_id, given["project_id"])

    return scope


def _of_project(column: Any, given: str | None) -> Scoped:
    if given is None:
        return Scoped((column == VIEWER.project,), needs_project=True)
    return Scoped((column == derive(project_key, given, like=0),))


def _named(given: Mapping[str, Any]) -> Scoped:
    by: ProjectBy | None = given["by"]
    if by is not None and by.uuid:
        return Scoped((t.projects.c.uuid == by.uuid,))
    if by is not None and by.number is not UNSET and by.number is not None:
        return Scoped((t.projects.c.id == by.number,))
    return _of_project(t.projects.c.id, None if by is None else by.id or "")


@strawberry.type
class ProjectQuery:
    """Projects."""

    projects: Connection[Project] = root_connection(
        "Project",
        "Projects that the caller may see.",
        where=ProjectFilter,
        columns=PROJECT_COLUMNS,
        order=ProjectOrder,
        default_order=[(t.projects.c.id, False)],
    )

    join_requests: Connection[JoinRequest] = root_connection(
        "JoinRequest",
        "Wishes to join a project: the caller's own, and those that the caller may answer, newest "
        "or last answered first.",
        where=JoinRequestFilter,
        columns=JOIN_REQUEST_COLUMNS,
        order=JoinRequestOrder,
        default_order=[(t.join_requests.c.updated_at, True)],
    )

    project: Project | None = root_one(
        "Project",
        Project,
        "One project; the call's own where `by` is left out.",
        arguments={"by": (ProjectBy | None, "Which project.")},
        required=False,
        named=_named,
    )
