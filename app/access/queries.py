"""Root fields to read users, sessions, keys and roles."""

from typing import Any

import strawberry
from sqlalchemy import ColumnElement

from app.access import tables as t
from app.access.inputs import (
    API_KEY_COLUMNS,
    SESSION_COLUMNS,
    USER_COLUMNS,
    ApiKeyFilter,
    ApiKeyOrder,
    SessionFilter,
    SessionOrder,
    UserFilter,
    UserOrder,
)
from app.access.types import ApiKey, Role, Session, User
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.rows import fetch_list, fetch_one, root_connection


def _own(table: Any) -> Any:
    def scope(info: Info, given: Any) -> list[ColumnElement[bool]]:
        subject = info.context.subject
        everyone = given["all_users"] and subject.is_owner
        return [] if everyone else [table.c.user_id == (subject.user_id or -1)]

    return scope


_ALL_USERS = {
    "all_users": (bool | None, "Those of all users; only an owner of the installation sees them.")
}


@strawberry.type
class AccessQuery:
    """Who is who."""

    @strawberry.field(description="The caller; null for a key that stands for no user.")
    async def me(self, info: Info) -> User | None:
        """The caller's own account."""
        user_id = info.context.subject.require_known()
        found: User | None = await fetch_one(info, "User", t.users.c.id == user_id)
        return found

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

    @strawberry.field(description="All roles; at most 50.")
    async def roles(self, info: Info) -> list[Role]:
        """The roles of the installation."""
        info.context.subject.require_known()
        return await fetch_list(info, "Role", [t.roles.c.id], limit=50)
