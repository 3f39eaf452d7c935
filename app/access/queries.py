"""Root fields to read users, sessions, keys and roles."""

from collections.abc import Mapping
from typing import Any

import strawberry
from sqlalchemy import or_

from app.access import tables as t
from app.access.inputs import (
    API_KEY_COLUMNS,
    SESSION_COLUMNS,
    USER_COLUMNS,
    USER_GROUP_COLUMNS,
    USER_GROUP_MEMBER_COLUMNS,
    ApiKeyFilter,
    ApiKeyOrder,
    SessionFilter,
    SessionOrder,
    UserFilter,
    UserGroupBy,
    UserGroupFilter,
    UserGroupMemberFilter,
    UserGroupMemberOrder,
    UserGroupOrder,
    UserOrder,
)
from app.access.types import ApiKey, Role, Session, User, UserGroup, UserGroupMember
from app.core.rules import VIEWER
from app.graphql.compiler.declare import Scope, Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.fields import root_connection, root_list, root_one
from app.graphql.payloads import int_key


def _own(table: Any) -> Scope:
    def scope(given: Mapping[str, Any]) -> Scoped:
        own = table.c.user_id == VIEWER.id
        return Scoped((or_(VIEWER.is_owner, own) if given["all_users"] else own,))

    return scope


def group_key(by: UserGroupBy) -> int:
    """The row key of a group of users."""
    if not by.id:
        return by.number or 0
    found: int = derive(lambda text: int_key(text, "UserGroup", "group"), by.id, like=0)
    return found


_ALL_USERS = {
    "all_users": (bool | None, "Those of all users; only an owner of the installation sees them.")
}


@strawberry.type
class AccessQuery:
    """Who is who."""

    me: User | None = root_one(
        "User",
        User,
        "The caller; null for a key that stands for no user.",
        named=lambda _: Scoped((t.users.c.id == VIEWER.id,)),
    )
    users: Connection[User] = root_connection(
        "User",
        "Users that the caller may see.",
        where=UserFilter,
        columns=USER_COLUMNS,
        order=UserOrder,
        default_order=[(t.users.c.id, False)],
    )
    sessions: Connection[Session] = root_connection(
        "Session",
        "The caller's sessions, newest first.",
        where=SessionFilter,
        columns=SESSION_COLUMNS,
        order=SessionOrder,
        default_order=[(t.sessions.c.id, True)],
        scope=_own(t.sessions),
        extra=_ALL_USERS,
    )
    api_keys: Connection[ApiKey] = root_connection(
        "ApiKey",
        "The caller's API keys, newest first.",
        where=ApiKeyFilter,
        columns=API_KEY_COLUMNS,
        order=ApiKeyOrder,
        default_order=[(t.api_keys.c.id, True)],
        scope=_own(t.api_keys),
        extra=_ALL_USERS,
    )

    user_groups: Connection[UserGroup] = root_connection(
        "UserGroup",
        "Groups of users that the caller is in.",
        where=UserGroupFilter,
        columns=USER_GROUP_COLUMNS,
        order=UserGroupOrder,
        default_order=[(t.user_groups.c.id, False)],
    )
    user_group: UserGroup | None = root_one(
        "UserGroup",
        UserGroup,
        "One group of users.",
        arguments={"by": (UserGroupBy, "Which group.")},
        named=lambda given: Scoped((t.user_groups.c.id == group_key(given["by"]),)),
    )

    user_group_members: Connection[UserGroupMember] = root_connection(
        "UserGroupMember",
        "Members of the groups that the caller is in.",
        where=UserGroupMemberFilter,
        columns=USER_GROUP_MEMBER_COLUMNS,
        order=UserGroupMemberOrder,
        default_order=[(t.user_group_members.c.id, False)],
    )

    roles: list[Role] = root_list(
        "Role", Role, "All roles; at most 50.", order=[t.roles.c.id], limit=50
    )
