"""Root fields that change users, sessions and keys."""

from typing import Any

import strawberry
from sqlalchemy import select

from app.access import actions, identify
from app.access import tables as t
from app.access.inputs import (
    AccessError,
    ApiKeyCreateInput,
    ApiKeyDeleteInput,
    ApiKeyUpdateInput,
    PasswordChangeInput,
    SessionCreateInput,
    SessionDeleteInput,
    UserCreateInput,
    UserDeleteInput,
    UserSignupInput,
    UserUpdateInput,
)
from app.access.roles import NewRole
from app.access.signup import sign_up
from app.access.types import ApiKey, Session, User
from app.core.db import reading
from app.core.errors import Invalid
from app.core.ids import global_id
from app.graphql.context import Info
from app.graphql.payloads import given, int_key, mutation
from app.graphql.references import row
from app.graphql.rows import fetch_one

ERRORS = "Faults that the sender of the input can correct."


@strawberry.type(description="Answer to sessionCreate.")
class SessionCreatePayload:
    """A session and its token."""

    session: Session | None = strawberry.field(default=None, description="The new session.")
    user: User | None = strawberry.field(default=None, description="Who logged in.")
    token: str | None = strawberry.field(
        default=None, description="The session's token, shown only now."
    )
    jwt: str | None = strawberry.field(
        default=None, description="The token in a signed JWT, for clients that decode it."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to sessionDelete.")
class SessionDeletePayload:
    """The session that was ended."""

    session: Session | None = strawberry.field(default=None, description="It, now expired.")
    user: User | None = strawberry.field(default=None, description="Whose it was.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the ended session."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to userCreate, userUpdate and passwordChange.")
class UserPayload:
    """The user as it is now."""

    user: User | None = strawberry.field(default=None, description="The user.")
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to userDelete.")
class UserDeletePayload:
    """The user as it was."""

    user: User | None = strawberry.field(default=None, description="The user as it was.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the user that is gone."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to apiKeyDelete.")
class AccessDeletePayload:
    """What was deleted."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the object that is gone."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to apiKeyCreate and apiKeyUpdate.")
class ApiKeyPayload:
    """The key's row, and at creation the key."""

    api_key: ApiKey | None = strawberry.field(default=None, description="The key's record.")
    token: str | None = strawberry.field(
        default=None, description="The key itself, shown only by apiKeyCreate."
    )
    errors: list[AccessError] = strawberry.field(default_factory=list, description=ERRORS)


def _user_key(given: Any) -> int:
    """The row key of the user that an input names by id or by number."""
    if given.id:
        return int_key(given.id, "User", "user")
    if given.number is None:
        raise Invalid("Name a user by id or number.", path=("id",))
    return int(given.number)


def _role(info: Info, number: int | None) -> NewRole | None:
    """The role that an input gives in the project of the call."""
    project = info.context.subject.call_project() if number is not None else 0
    return None if number is None else NewRole(project, number)


@strawberry.type
class AccessMutation:
    """Changes of who may call."""

    @mutation(SessionCreatePayload, AccessError, "Log in.")
    async def session_create(self, info: Info, input: SessionCreateInput) -> SessionCreatePayload:
        """Log in by username or e-mail address."""
        caller = info.context.subject
        login = await actions.create_session(caller, input.login, input.password)
        user_now = await identify.by_token(login.token)
        info.context.become(user_now.at(address=caller.address, request_id=caller.request_id))
        return SessionCreatePayload(
            session=row("Session", login.session_id),
            user=row("User", user_now.user_id),
            token=login.token,
            jwt=login.jwt,
        )

    @mutation(SessionDeletePayload, AccessError, "Log out.")
    async def session_delete(self, info: Info, input: SessionDeleteInput) -> SessionDeletePayload:
        """End a session."""
        wanted = None if input.id is None else int_key(input.id, "Session", "session")
        ended = await actions.delete_session(info.context.subject, wanted)
        owner = row("User", await _owner(ended))
        deleted = strawberry.ID(global_id("Session", ended))
        return SessionDeletePayload(session=row("Session", ended), user=owner, deleted_id=deleted)

    @mutation(UserPayload, AccessError, "Make a user; owners of the installation only.")
    async def user_create(self, info: Info, input: UserCreateInput) -> UserPayload:
        """Make a user."""
        values = given(input, "username", "email", "first_name", "last_name", "is_owner")
        made = await actions.create_user(
            info.context.subject, values, input.password, _role(info, input.role_number)
        )
        return UserPayload(user=row("User", made))

    @mutation(
        UserPayload,
        AccessError,
        "Make an account of one's own, where the installation lets anybody; it is not logged in.",
    )
    async def user_signup(self, info: Info, input: UserSignupInput) -> UserPayload:
        """Sign up."""
        values = given(input, "username", "email")
        made = await sign_up(info.context.subject, values, input.password)
        return UserPayload(user=row("User", made))

    @mutation(UserPayload, AccessError, "Change a user: oneself, or as an owner anybody.")
    async def user_update(self, info: Info, input: UserUpdateInput) -> UserPayload:
        """Change a user."""
        names = ("username", "email", "first_name", "last_name", "is_owner", "is_active")
        values = {k: v for k, v in given(input, *names).items() if v is not None or k[:3] != "is_"}
        wanted = _user_key(input)
        subject = info.context.subject
        await actions.update_user(
            subject, wanted, values, input.expected_version, _role(info, input.role_number)
        )
        return UserPayload(user=row("User", wanted))

    @mutation(UserDeletePayload, AccessError, "Delete a user; owners only.")
    async def user_delete(self, info: Info, input: UserDeleteInput) -> UserDeletePayload:
        """Delete a user."""
        info.context.subject.require_known()
        wanted = _user_key(input)
        was = await fetch_one(info, "User", t.users.c.id == wanted, "user")
        await actions.delete_user(info.context.subject, wanted)
        deleted = strawberry.ID(global_id("User", wanted))
        return UserDeletePayload(user=was, deleted_id=deleted)

    @mutation(UserPayload, AccessError, "Set a password; the user's other sessions end.")
    async def password_change(self, info: Info, input: PasswordChangeInput) -> UserPayload:
        """Change a password."""
        wanted = input.number
        if input.user_id is not None:
            wanted = int_key(input.user_id, "User", "user")
        changed = await actions.change_password(
            info.context.subject, wanted, input.current_password, input.new_password
        )
        return UserPayload(user=row("User", changed))

    @mutation(ApiKeyPayload, AccessError, "Make an API key; it is shown only now.")
    async def api_key_create(self, info: Info, input: ApiKeyCreateInput) -> ApiKeyPayload:
        """Make a key."""
        project = None
        if input.project_id is not None:
            project = int_key(input.project_id, "Project", "project")
        made, token = await actions.create_api_key(
            info.context.subject,
            name=input.name,
            project_id=project,
            scopes=input.scopes,
            groups=input.groups,
            expires_at=input.expires_at,
        )
        return ApiKeyPayload(api_key=row("ApiKey", made), token=token)

    @mutation(ApiKeyPayload, AccessError, "Rename an API key.")
    async def api_key_update(self, info: Info, input: ApiKeyUpdateInput) -> ApiKeyPayload:
        """Rename a key."""
        wanted = int_key(input.id, "ApiKey", "key")
        values = {"name": input.name}
        await actions.update_api_key(info.context.subject, wanted, values, input.expected_version)
        return ApiKeyPayload(api_key=row("ApiKey", wanted))

    @mutation(AccessDeletePayload, AccessError, "Revoke an API key at once.")
    async def api_key_delete(self, info: Info, input: ApiKeyDeleteInput) -> AccessDeletePayload:
        """Revoke a key."""
        wanted = int_key(input.id, "ApiKey", "key")
        await actions.revoke_api_key(info.context.subject, wanted)
        return AccessDeletePayload(deleted_id=input.id)


async def _owner(session_id: int) -> int | None:
    async with reading() as connection:
        owner = select(t.sessions.c.user_id).where(t.sessions.c.id == session_id)
        found: int | None = await connection.scalar(owner)
        return found
