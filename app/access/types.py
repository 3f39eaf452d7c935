"""GraphQL types of users, sessions, keys, roles and memberships."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import exists, or_
from strawberry.scalars import JSON

from app.access import rules
from app.access import tables as t
from app.access.display import display_name, display_name_of
from app.core.rules import VIEWER
from app.graphql.compiler.declare import column, expression, sql_type
from app.graphql.fields import many, one
from app.graphql.node import Node, Timestamped

if TYPE_CHECKING:
    from app.projects.types import Project

LazyGroupMember = Annotated["UserGroupMember", strawberry.lazy("app.access.types")]
LazyMembership = Annotated["Membership", strawberry.lazy("app.access.types")]
LazyProject = Annotated["Project", strawberry.lazy("app.projects.types")]


def _is_admin(c: Any) -> Any:
    member = t.user_group_members.alias()
    own = (member.c.group_id == c.id, member.c.user_id == VIEWER.id, member.c.is_admin)
    return or_(VIEWER.is_owner, exists().where(*own))


@sql_type(
    t.roles,
    policy=rules.may_read_role,
    description="A named set of permissions that a membership gives.",
)
class Role(Node, Timestamped):
    """A role."""

    number: int = column(t.roles.c.id, "The id that the REST dialects show.")
    name: str = column(t.roles.c.name, "Its name, such as editor.")
    title: str = column(t.roles.c.title, "Its name for people, such as Editor.")
    permissions: list[str] = column(t.roles.c.permissions, "What the role allows.")
    created_at: datetime = column(t.roles.c.created_at, "When it was made.")
    updated_at: datetime = column(t.roles.c.updated_at, "When it was last changed.")


@sql_type(t.users, policy=rules.may_read_user, description="A person or a service account.")
class User(Node, Timestamped):
    """A user."""

    number: int = column(t.users.c.id, "The id that the REST dialects show.")
    username: str = column(t.users.c.username, "The name to log in with.")
    email: str | None = column(t.users.c.email, "E-mail address; also good to log in with.")
    first_name: str | None = column(t.users.c.first_name, "First name.")
    last_name: str | None = column(t.users.c.last_name, "Last name.")
    display_name: str = expression(
        display_name, "First and last name, else the username up to an @."
    )
    is_owner: bool = column(t.users.c.is_owner, "Owns the installation: may do everything.")
    is_active: bool = column(t.users.c.is_active, "May log in.")
    memberships: list[LazyMembership] = many(
        "Membership",
        t.users.c.id,
        t.memberships.c.user_id,
        "Roles in the projects that the caller may see; at most one for each project.",
        order=[t.memberships.c.project_id],
    )
    created_at: datetime = column(t.users.c.created_at, "When the account was made.")
    updated_at: datetime = column(t.users.c.updated_at, "When it was last changed.")
    version: int = column(t.users.c.version, "Raised by each change; for `expectedVersion`.")


@sql_type(
    t.memberships,
    policy=rules.may_read_membership,
    description="A user's role in one project.",
)
class Membership(Node, Timestamped):
    """A membership."""

    number: int = column(t.memberships.c.id, "The id that the REST dialects show.")
    user: User | None = one("User", t.memberships.c.user_id, "Who is a member; null where hidden.")
    project: LazyProject | None = one("Project", t.memberships.c.project_id, "The project.")
    role: Role | None = one("Role", t.memberships.c.role_id, "What the member may do.")
    added_by: User | None = one("User", t.memberships.c.added_by, "Who let the user in, if known.")
    added_by_name: str | None = expression(
        display_name_of("added_by"), "Name of who let the user in, if known."
    )
    created_at: datetime = column(t.memberships.c.created_at, "When the user became a member.")
    updated_at: datetime = column(t.memberships.c.updated_at, "When it was last changed.")
    version: int = column(t.memberships.c.version, "Raised by each change; for `expectedVersion`.")


@sql_type(
    t.sessions,
    policy=rules.may_read_own,
    description="A login. Its token is shown once, by sessionCreate.",
)
class Session(Node):
    """A session."""

    number: int = column(t.sessions.c.id, "The id that the REST dialects show.")
    user: User | None = one("User", t.sessions.c.user_id, "Who logged in.")
    address: str | None = column(t.sessions.c.address, "Network address of the login.")
    created_at: datetime = column(t.sessions.c.created_at, "When the user logged in.")
    expires_at: datetime = column(t.sessions.c.expires_at, "When the session ends or ended.")
    is_current: bool = expression(
        lambda c: VIEWER.is_session(c.id), "This is the session of the present call."
    )


@sql_type(
    t.api_keys,
    policy=rules.may_read_own,
    description="A long-lived credential of a user; the key itself is shown once.",
)
class ApiKey(Node, Timestamped):
    """An API key."""

    number: int = column(t.api_keys.c.id, "The id that the command line shows.")
    name: str = column(t.api_keys.c.name, "What the key is for.")
    prefix: str = column(t.api_keys.c.prefix, "First characters of the key, to tell keys apart.")
    scopes: list[str] = column(
        t.api_keys.c.scopes, "The only permissions of its user that it has; all where empty."
    )
    groups: list[str] | None = column(
        t.api_keys.c.groups, "User groups of the semantic model that it is bound to; null: none."
    )
    user: User | None = one("User", t.api_keys.c.user_id, "Whose key it is.")
    expires_at: datetime | None = column(t.api_keys.c.expires_at, "When it ends; never where null.")
    revoked_at: datetime | None = column(t.api_keys.c.revoked_at, "When it was revoked.")
    created_at: datetime = column(t.api_keys.c.created_at, "When it was made.")
    updated_at: datetime = column(t.api_keys.c.updated_at, "When it was last changed.")
    version: int = column(t.api_keys.c.version, "Raised by each change; for `expectedVersion`.")


@sql_type(
    t.user_groups,
    policy=rules.may_read_group,
    description="Users who work together, in any project.",
)
class UserGroup(Node, Timestamped):
    """A group of users."""

    number: int = column(t.user_groups.c.id, "The id that the REST dialects show.")
    title: str = column(t.user_groups.c.title, "Its title.")
    description: str = column(t.user_groups.c.description, "What it is for.")
    data: JSON = column(t.user_groups.c.data, "Free content of its makers.")
    viewer_is_admin: bool = expression(_is_admin, "The caller may change it.")
    members: list[LazyGroupMember] = many(
        "UserGroupMember",
        t.user_groups.c.id,
        t.user_group_members.c.group_id,
        "Who is in it; at most 500.",
        order=[t.user_group_members.c.id],
    )
    client_id: str | None = column(
        t.user_groups.c.client_id, "The key that its maker gave it; null for none."
    )
    created_by: User | None = one("User", t.user_groups.c.created_by, "Who made it, if known.")
    updated_by: User | None = one("User", t.user_groups.c.updated_by, "Who last changed it.")
    created_at: datetime = column(t.user_groups.c.created_at, "When it was made.")
    updated_at: datetime = column(t.user_groups.c.updated_at, "When it was last changed.")
    version: int = column(t.user_groups.c.version, "Raised by each change; for `expectedVersion`.")


@sql_type(
    t.user_group_members,
    policy=rules.may_read_group_member,
    description="A user in a group.",
)
class UserGroupMember(Node, Timestamped):
    """A user in a group."""

    number: int = column(t.user_group_members.c.id, "The id that the REST dialects show.")
    group: UserGroup | None = one("UserGroup", t.user_group_members.c.group_id, "The group.")
    user: User | None = one("User", t.user_group_members.c.user_id, "The user; null where hidden.")
    user_number: int = column(t.user_group_members.c.user_id, "Number of the user.")
    user_name: str | None = expression(display_name_of("user_id"), "Name of the user.")
    is_admin: bool = column(t.user_group_members.c.is_admin, "May change the group.")
    created_at: datetime = column(t.user_group_members.c.created_at, "When the user joined.")
    updated_at: datetime = column(t.user_group_members.c.updated_at, "When it was last changed.")
    version: int = column(t.user_group_members.c.version, "Raised by each change.")
