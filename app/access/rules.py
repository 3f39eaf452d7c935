"""Who may read users, memberships, sessions and keys."""

from typing import Any

from sqlalchemy import ColumnElement, exists, or_, true

from app.access.tables import memberships, user_group_members
from app.core.rules import VIEWER


def may_read_user(user: Any) -> ColumnElement[bool]:
    """Oneself, and everyone who shares a project that one may see; an owner sees all."""
    member = memberships.alias()
    shared = exists().where(
        member.c.user_id == user.id, VIEWER.holds("project.read", member.c.project_id)
    )
    return or_(VIEWER.is_owner, user.id == VIEWER.id, shared)


def may_read_own(row: Any) -> ColumnElement[bool]:
    """Sessions and keys: one's own; an owner of the installation sees all."""
    return or_(VIEWER.is_owner, row.user_id == VIEWER.id)


def may_read_membership(row: Any) -> ColumnElement[bool]:
    """Members of the project see who else is one."""
    return VIEWER.holds("project.read", row.project_id)


def may_read_role(_: Any) -> ColumnElement[bool]:
    """Roles are the same for everybody; the root field asks for a known caller."""
    return true()


def may_read_group(row: Any) -> ColumnElement[bool]:
    """Groups that one is in."""
    member = user_group_members.alias()
    own = exists().where(member.c.group_id == row.id, member.c.user_id == VIEWER.id)
    return or_(VIEWER.is_owner, own)


def may_read_group_member(row: Any) -> ColumnElement[bool]:
    """Members of a group see each other."""
    member = user_group_members.alias()
    own = exists().where(member.c.group_id == row.group_id, member.c.user_id == VIEWER.id)
    return or_(VIEWER.is_owner, own)
