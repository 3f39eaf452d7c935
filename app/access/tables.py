"""Users, credentials, roles, memberships and groups of users."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core.tables import (
    Moment,
    big,
    flag,
    json,
    moment,
    now_by_default,
    number,
    pk,
    string,
    strings,
    table_of,
)


class User(SQLModel, table=True):
    """A person or a service account. One id in every dialect."""

    __tablename__ = "users"

    id: int | None = pk()
    username: str = string(unique=True)
    email: str | None = string(null=True, unique=True)
    first_name: str | None = string(null=True)
    last_name: str | None = string(null=True)
    password_hash: str | None = string(null=True)
    is_owner: bool = flag()
    is_active: bool = flag(True)
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)
    access_version: int = Field(
        default=0,
        sa_column=Column(BigInteger, nullable=False, server_default=text("0")),
    )
    """Moved by triggers with whatever changes what the user's callers may do."""


class Role(SQLModel, table=True):
    """A named set of permissions."""

    __tablename__ = "roles"

    id: int | None = pk()
    name: str = string(unique=True)
    title: str = string()
    permissions: list[str] = strings()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()


class Membership(SQLModel, table=True):
    """A user's role in one project."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("project_id", "user_id"),
        Index("ix_memberships_user_id", "user_id"),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    user_id: int = big("users.id", ondelete="CASCADE")
    role_id: int = big("roles.id")
    added_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class UserGroup(SQLModel, table=True):
    """Users who work together, in any project. `data` is its makers' own."""

    __tablename__ = "user_groups"

    id: int | None = pk()
    title: str = string()
    description: str = string("")
    data: dict[str, Any] = json("{}")
    client_id: str | None = string(null=True, unique=True)
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    updated_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class UserGroupMember(SQLModel, table=True):
    """A user in a group; its admins may change it."""

    __tablename__ = "user_group_members"
    __table_args__ = (
        UniqueConstraint("group_id", "user_id"),
        Index("ix_user_group_members_user_id", "user_id"),
    )

    id: int | None = pk()
    group_id: int = big("user_groups.id", ondelete="CASCADE")
    user_id: int = big("users.id", ondelete="CASCADE")
    is_admin: bool = flag()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class Session(SQLModel, table=True):
    """A login. Only the token's hash is stored; revoking ends it everywhere."""

    __tablename__ = "sessions"

    id: int | None = pk()
    user_id: int = big("users.id", ondelete="CASCADE", index=True)
    project_id: int | None = big("projects.id", null=True, ondelete="SET NULL")
    token_hash: str = string(unique=True)
    created_at: Moment = now_by_default()
    expires_at: Moment = moment(null=False)
    revoked_at: Moment = moment()
    address: str | None = string(null=True)


class ApiKey(SQLModel, table=True):
    """A long-lived credential of a user, shown once.

    `groups` are user groups of the semantic model that its caller belongs to, whatever the model's
    file says of the user; null where the key is bound to none.
    """

    __tablename__ = "api_keys"

    id: int | None = pk()
    user_id: int = big("users.id", ondelete="CASCADE", index=True)
    project_id: int | None = big("projects.id", null=True, ondelete="CASCADE")
    name: str = string()
    prefix: str = string()
    token_hash: str = string(unique=True)
    scopes: list[str] = strings()
    groups: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    expires_at: Moment = moment()
    revoked_at: Moment = moment()
    version: int = number(1)


class LoginAttempt(SQLModel, table=True):
    """A failed login, counted against its account and its address."""

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("ix_login_attempts_account", "account", "at"),
        Index("ix_login_attempts_address", "address", "at"),
    )

    id: int | None = pk()
    account: str = string()
    address: str | None = string(null=True)
    at: Moment = now_by_default()


class Installation(SQLModel, table=True):
    """Facts of this installation that were generated once; values are sealed."""

    __tablename__ = "installation"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = string()
    created_at: Moment = Field(
        default=None,
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.now()),
    )


users = table_of(User)
roles = table_of(Role)
memberships = table_of(Membership)
user_groups = table_of(UserGroup)
user_group_members = table_of(UserGroupMember)
sessions = table_of(Session)
api_keys = table_of(ApiKey)
login_attempts = table_of(LoginAttempt)
installation = table_of(Installation)
