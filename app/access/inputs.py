"""Inputs, filters, orderings and error types of the access domain."""

import enum
from datetime import datetime

import strawberry
from sqlalchemy import ColumnElement, Text, bindparam, exists, func, literal, select
from strawberry.scalars import JSON

from app.access import tables as t
from app.access.rules import may_read_membership
from app.graphql.filters import (
    UNSET,
    BooleanFilter,
    DateTimeFilter,
    IntFilter,
    StringFilter,
    order_input,
)
from app.graphql.payloads import UserError


@strawberry.enum(description="Faults in inputs about users, sessions, keys and members.")
class AccessErrorCode(enum.Enum):
    """Codes for programs."""

    INVALID = strawberry.enum_value("INVALID", description="A value that cannot be used.")
    NAME_MISSING = strawberry.enum_value("NAME_MISSING", description="A name is needed.")
    NAME_TAKEN = strawberry.enum_value("NAME_TAKEN", description="The name is in use.")
    CREDENTIALS_MISSING = strawberry.enum_value(
        "CREDENTIALS_MISSING", description="Login name or password is missing."
    )
    CREDENTIALS_INVALID = strawberry.enum_value(
        "CREDENTIALS_INVALID", description="Login name or password is wrong."
    )
    PASSWORD_UNSUITABLE = strawberry.enum_value(
        "PASSWORD_UNSUITABLE", description="The new password is too short or too long."
    )
    LAST_OWNER = strawberry.enum_value(
        "LAST_OWNER", description="It would leave the installation or project without an owner."
    )


@strawberry.type(description="A fault in an input about users, sessions, keys or members.")
class AccessError(UserError):
    """A correctable fault."""

    code: AccessErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.input(description="Which users.")
class UserFilter:
    """Conditions on users."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    username: StringFilter | None = strawberry.field(default=UNSET, description="By login name.")
    email: StringFilter | None = strawberry.field(default=UNSET, description="By e-mail address.")
    search: str | None = strawberry.field(
        default=UNSET, description="First name, last name and e-mail address together contain this."
    )
    is_active: BooleanFilter | None = strawberry.field(default=UNSET, description="By activity.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    outside_project_number: int | None = strawberry.field(
        default=UNSET, description="Who is no member of the project with this number."
    )
    and_: list["UserFilter"] | None = strawberry.field(
        default=UNSET, name="and", description="All of these."
    )
    or_: list["UserFilter"] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these."
    )
    not_: "UserFilter | None" = strawberry.field(default=UNSET, name="not", description="Not this.")


def _searched(value: str) -> ColumnElement[bool]:
    c = t.users.c
    wanted = bindparam(None, value, type_=Text(), unique=True)
    whole = func.concat_ws(" ", c.first_name, c.last_name, c.email)
    return func.strpos(func.lower(whole), func.lower(wanted)) > 0


def _outside(value: int) -> ColumnElement[bool]:
    member = t.memberships.alias()
    own = (member.c.user_id == t.users.c.id, member.c.project_id == value)
    return ~exists(select(literal(1)).where(*own, may_read_membership(member.c)))


USER_COLUMNS = {
    "outside_project_number": _outside,
    "search": _searched,
    "number": t.users.c.id,
    "username": t.users.c.username,
    "email": t.users.c.email,
    "is_active": t.users.c.is_active,
    "created_at": t.users.c.created_at,
}
UserOrder = order_input(
    "User",
    {
        "NUMBER": (t.users.c.id, "By number."),
        "USERNAME": (t.users.c.username, "By login name."),
        "EMAIL": (t.users.c.email, "By e-mail address."),
        "FIRST_NAME": (t.users.c.first_name, "By first name."),
        "LAST_NAME": (t.users.c.last_name, "By last name."),
        "CREATED_AT": (t.users.c.created_at, "By age."),
    },
)


@strawberry.input(description="Which sessions.")
class SessionFilter:
    """Conditions on sessions."""

    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    expires_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By end.")


SESSION_COLUMNS = {
    "created_at": t.sessions.c.created_at,
    "expires_at": t.sessions.c.expires_at,
}
SessionOrder = order_input(
    "Session",
    {
        "NUMBER": (t.sessions.c.id, "By number."),
        "CREATED_AT": (t.sessions.c.created_at, "By age."),
    },
)


@strawberry.input(description="Which API keys.")
class ApiKeyFilter:
    """Conditions on keys."""

    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")


API_KEY_COLUMNS = {"name": t.api_keys.c.name, "created_at": t.api_keys.c.created_at}
ApiKeyOrder = order_input(
    "ApiKey",
    {
        "NUMBER": (t.api_keys.c.id, "By number."),
        "NAME": (t.api_keys.c.name, "By name."),
        "CREATED_AT": (t.api_keys.c.created_at, "By age."),
    },
)


@strawberry.input(description="A login.")
class SessionCreateInput:
    """Credentials."""

    login: str = strawberry.field(description="Username or e-mail address.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="Which session to end; the caller's own where left out.")
class SessionDeleteInput:
    """A session."""

    id: strawberry.ID | None = strawberry.field(default=None, description="The session.")


@strawberry.input(description="A new user.")
class UserCreateInput:
    """A user's attributes."""

    username: str = strawberry.field(description="The name to log in with; unique.")
    password: str = strawberry.field(description="The first password, 5 to 1024 characters.")
    email: str | None = strawberry.field(default=None, description="E-mail address; unique.")
    first_name: str | None = strawberry.field(default=None, description="First name.")
    last_name: str | None = strawberry.field(default=None, description="Last name.")
    is_owner: bool = strawberry.field(default=False, description="Owner of the installation.")
    role_number: int | None = strawberry.field(
        default=None,
        description="Number of the role that the user gets in the project of the call.",
    )


@strawberry.input(description="An account of one's own.")
class UserSignupInput:
    """Who signs up."""

    username: str = strawberry.field(description="The name to log in with; unique.")
    email: str | None = strawberry.field(default=None, description="E-mail address; unique.")
    password: str = strawberry.field(description="The password, 5 to 1024 characters.")


@strawberry.input(description="Changes of a user; what is left out stays.")
class UserUpdateInput:
    """Attributes to change."""

    id: strawberry.ID | None = strawberry.field(default=None, description="The user.")
    number: int | None = strawberry.field(
        default=None, description="The user by the id that the REST dialects show."
    )
    username: str | None = strawberry.field(default=UNSET, description="New login name.")
    email: str | None = strawberry.field(default=UNSET, description="New e-mail address.")
    first_name: str | None = strawberry.field(default=UNSET, description="New first name.")
    last_name: str | None = strawberry.field(default=UNSET, description="New last name.")
    is_owner: bool | None = strawberry.field(default=UNSET, description="Owner or not.")
    is_active: bool | None = strawberry.field(default=UNSET, description="May log in or not.")
    role_number: int | None = strawberry.field(
        default=None,
        description="Number of the role that the user gets in the project of the call.",
    )
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which user to delete.")
class UserDeleteInput:
    """A user."""

    id: strawberry.ID | None = strawberry.field(default=None, description="The user.")
    number: int | None = strawberry.field(
        default=None, description="The user by the id that the REST dialects show."
    )


@strawberry.input(description="A change of password.")
class PasswordChangeInput:
    """Old and new password."""

    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose; the caller's own where left out. Others: owners only."
    )
    number: int | None = strawberry.field(
        default=None, description="The user by the id that the REST dialects show."
    )
    current_password: str | None = strawberry.field(
        default=None, description="The password until now; needed for one's own."
    )
    new_password: str = strawberry.field(description="5 to 1024 characters.")


@strawberry.input(description="A new API key of the caller.")
class ApiKeyCreateInput:
    """What the key is for and may do."""

    name: str = strawberry.field(description="What the key is for.")
    project_id: strawberry.ID | None = strawberry.field(
        default=None, description="The only project that it opens."
    )
    scopes: list[str] = strawberry.field(
        default_factory=list,
        description="The only permissions that it has. Where empty all, with `groups` semantic.read.",
    )
    groups: list[str] | None = strawberry.field(
        default=None,
        description="User groups of the semantic model that its callers belong to, instead of those "
        "that the model's file gives their user; owners of the installation only.",
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When it ends.")


@strawberry.input(description="Changes of an API key.")
class ApiKeyUpdateInput:
    """Attributes to change."""

    id: strawberry.ID = strawberry.field(description="The key.")
    name: str = strawberry.field(description="What the key is for.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which API key to revoke.")
class ApiKeyDeleteInput:
    """A key."""

    id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.input(description="Which groups of users.")
class UserGroupFilter:
    """Conditions on groups."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    title: StringFilter | None = strawberry.field(default=UNSET, description="By title.")


USER_GROUP_COLUMNS = {"number": t.user_groups.c.id, "title": t.user_groups.c.title}
UserGroupOrder = order_input(
    "UserGroup",
    {
        "NUMBER": (t.user_groups.c.id, "By number."),
        "TITLE": (t.user_groups.c.title, "By title."),
        "CREATED_AT": (t.user_groups.c.created_at, "By age."),
        "UPDATED_AT": (t.user_groups.c.updated_at, "By change."),
    },
)
_GROUP_DATA = "Free content of its makers, at most 64 KiB."
_BY_NUMBER = "By the id that REST shows."


@strawberry.input(description="Which members of groups of users.")
class UserGroupMemberFilter:
    """Conditions on members."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    group_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the group."
    )
    user_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the user."
    )


USER_GROUP_MEMBER_COLUMNS = {
    "number": t.user_group_members.c.id,
    "group_number": t.user_group_members.c.group_id,
    "user_number": t.user_group_members.c.user_id,
}
UserGroupMemberOrder = order_input(
    "UserGroupMember",
    {
        "NUMBER": (t.user_group_members.c.id, "By number."),
        "CREATED_AT": (t.user_group_members.c.created_at, "By age."),
    },
)


@strawberry.input(description="Names one group of users; exactly one field.", one_of=True)
class UserGroupBy:
    """How a group is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description=_BY_NUMBER)


@strawberry.input(description="A new group of users, whose admin is the caller.")
class UserGroupCreateInput:
    """A group."""

    title: str = strawberry.field(description="Its title.")
    description: str = strawberry.field(default="", description="What it is for.")
    data: JSON | None = strawberry.field(default=None, description=_GROUP_DATA)
    client_id: str | None = strawberry.field(default=None, description="The caller's own key.")


@strawberry.input(description="Changes of a group of users; what is left out stays.")
class UserGroupUpdateInput:
    """A group and what is to change."""

    by: UserGroupBy = strawberry.field(description="Which group.")
    title: str | None = strawberry.field(default=UNSET, description="Its title.")
    description: str | None = strawberry.field(default=UNSET, description="What it is for.")
    data: JSON | None = strawberry.field(default=UNSET, description=_GROUP_DATA)
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which group of users to delete.")
class UserGroupDeleteInput:
    """A group."""

    by: UserGroupBy = strawberry.field(description="Which group.")


@strawberry.input(description="A user who joins a group, or whose part in it changes.")
class UserGroupMemberSetInput:
    """A member."""

    group: UserGroupBy = strawberry.field(description="Which group.")
    user_number: int = strawberry.field(description="Number of the user.")
    is_admin: bool = strawberry.field(default=False, description="May change the group.")


@strawberry.input(description="Another part of a member in a group.")
class UserGroupMemberUpdateInput:
    """A member."""

    number: int = strawberry.field(description="Number of the member in the group.")
    is_admin: bool | None = strawberry.field(
        default=UNSET, description="May change the group; stays where left out."
    )


@strawberry.input(description="Who leaves a group.")
class UserGroupMemberDeleteInput:
    """A member."""

    number: int = strawberry.field(description="Number of the member in the group.")
