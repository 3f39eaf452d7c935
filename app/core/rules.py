"""Who is calling, and how a read rule becomes part of a select.

A read rule is a function of a table's columns that returns a predicate. It names what it needs of
the caller as bound parameters (`VIEWER`), so that one statement serves every caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
)

from app.core.errors import Forbidden, Unauthenticated

Policy = Callable[[Any], ColumnElement[bool]]
"""Columns of one occurrence of a table -> the rows that the caller may read."""

PERMISSIONS: dict[str, str] = {
    "project.read": "See the project, its members and its roles.",
    "project.write": "Change the project's name and description.",
    "project.delete": "Delete the project and everything in it.",
    "member.write": "Add, change and remove members.",
    "pipeline.read": "See pipelines, blocks, triggers, runs and logs.",
    "pipeline.write": "Create, change and delete pipelines, blocks and triggers; code runs on workers.",
    "lead.read": "See all leads of the project.",
    "lead.read_unprotected": "See its leads but confidential ones.",
    "lead.write": "Create, change and delete leads, their groups and attachments.",
    "pipeline.run": "Start, cancel and retry runs, and see trigger tokens.",
    "semantic.read": "Ask the project's semantic model, as far as its user groups allow.",
}

OF_GROUPS = ("semantic.read",)
"""What a key may do that is made for user groups of a semantic model, and says no scopes."""

_READ = ("project.read", "pipeline.read", "lead.read", "semantic.read")
ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "owner": ("Owner", tuple(PERMISSIONS)),
    "admin": ("Admin", tuple(p for p in PERMISSIONS if p != "project.delete")),
    "editor": ("Editor", (*_READ, "pipeline.write", "pipeline.run", "lead.write")),
    "sourcer": ("Sourcer", ("project.read", "lead.read", "lead.write")),
    "viewer": ("Viewer", _READ),
    "restricted_viewer": (
        "Restricted viewer",
        ("project.read", "pipeline.read", "lead.read_unprotected", "semantic.read"),
    ),
}
"""The roles of a new installation: name -> title and permissions. Rows of `roles` hold the truth."""


class _Viewer:
    """The caller as bound parameters. One that nobody gives is null, which lets nothing be read."""

    id = bindparam("viewer_id", None, type_=BigInteger)
    is_whole = bindparam("viewer_is_whole", None, type_=Boolean)
    """Not by an API key with scopes or a project of its own, and not by a JWT of others."""
    is_owner = bindparam("viewer_is_owner", None, type_=Boolean)
    project = bindparam("viewer_project", None, type_=BigInteger)

    @staticmethod
    def is_session(session_id: Any) -> ColumnElement[bool]:
        """The session of the present call."""
        return session_id == bindparam("viewer_session_id", None, type_=BigInteger)  # type: ignore[no-any-return]

    @staticmethod
    def holds(permission: str, project_id: Any) -> ColumnElement[bool]:
        """The caller has `permission` in the project that the column names."""
        granted = bindparam(f"viewer_{permission.replace('.', '_')}", None, type_=ARRAY(BigInteger))
        return or_(_Viewer.is_owner, project_id == any_(granted))

    @staticmethod
    def holds_somewhere(permission: str) -> ColumnElement[bool]:
        """The caller has `permission` in some project."""
        granted = bindparam(f"viewer_{permission.replace('.', '_')}", None, type_=ARRAY(BigInteger))
        return or_(_Viewer.is_owner, func.cardinality(granted) > literal_column("0"))

    @staticmethod
    def version() -> ColumnElement[int | None]:
        """What `Subject.version` would be by now: triggers move it with all that a caller may do."""
        users = table("users", column("id"), column("access_version", BigInteger))
        mine = select(users.c.access_version).where(users.c.id == _Viewer.id)
        return mine.scalar_subquery()


VIEWER = _Viewer()


@dataclass(frozen=True)
class Subject:
    """The caller of one request: what is known of it and what it may do where.

    `is_limited` marks an API key that has scopes or a project of its own. `groups` are user groups of
    the semantic model that a key or JWT is bound to; None where it is bound to none. A caller that
    `is_remembered` was identified by an earlier request: trust it only while `version` is the
    present one.
    """

    kind: Literal["anonymous", "session", "key", "jwt", "installation", "system"] = "anonymous"
    user_id: int | None = None
    username: str | None = None
    is_owner: bool = False
    project_id: int | None = None
    grants: Mapping[int, frozenset[str]] = field(default_factory=dict)
    session_id: int | None = None
    key_id: int | None = None
    by_cookie: bool = False
    expires_at: float | None = None
    is_limited: bool = False
    groups: tuple[str, ...] | None = None
    version: int | None = None
    is_remembered: bool = False
    address: str | None = None
    request_id: str | None = None

    @property
    def is_known(self) -> bool:
        """True for everyone but an anonymous caller."""
        return self.kind != "anonymous"

    def may(self, permission: str, project_id: int | None) -> bool:
        """Whether the caller holds `permission` in that project."""
        if self.is_owner or self.kind == "system":
            return True
        return project_id is not None and permission in self.grants.get(project_id, frozenset())

    def require(self, permission: str, project_id: int | None) -> None:
        """Raise unless the caller holds `permission` in that project."""
        if not self.is_known:
            raise Unauthenticated("Sign in or send an API key.")
        if not self.may(permission, project_id):
            raise Forbidden(f"You lack the permission {permission} in this project.")

    def require_somewhere(self, permission: str) -> int | None:
        """Raise unless the caller holds `permission` in some project; the caller's user id."""
        user_id = self.require_known()
        held = any(permission in those for those in self.grants.values())
        if not (held or self.is_owner or self.kind == "system"):
            raise Forbidden(f"You lack the permission {permission} in every project.")
        return user_id

    def require_owner(self) -> None:
        """Raise unless the caller is an owner of the installation."""
        if not self.is_known:
            raise Unauthenticated("Sign in or send an API key.")
        if not self.is_owner and self.kind != "system":
            raise Forbidden("Only an owner of the installation may do this.")

    def require_known(self) -> int | None:
        """Raise for an anonymous caller; the caller's user id otherwise."""
        if not self.is_known:
            raise Unauthenticated("Sign in or send an API key.")
        return self.user_id

    def require_account(self) -> int | None:
        """The caller's user id; raises unless the caller may change accounts and credentials."""
        if self.is_limited:
            # Else a key with few scopes could change the address of its user's next login.
            raise Forbidden("An API key with scopes or a project cannot change accounts.")
        return self.require_known()

    def call_project(self) -> int:
        """The project of a call that names none."""
        self.require_known()
        if self.project_id is None:
            raise Forbidden("You belong to no project. Ask an owner or admin to add you.")
        return self.project_id

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """Values for every `VIEWER` parameter."""
        values: dict[str, Any] = {
            "viewer_id": self.user_id if self.user_id is not None else -1,
            "viewer_session_id": self.session_id if self.session_id is not None else -1,
            "viewer_is_owner": self.is_owner or self.kind == "system",
            "viewer_is_whole": not self.is_limited,
            "viewer_project": self.project_id if self.project_id is not None else -1,
        }
        for permission in PERMISSIONS:
            values[f"viewer_{permission.replace('.', '_')}"] = [
                project for project, held in self.grants.items() if permission in held
            ]
        return values

    def at(self, *, address: str | None, request_id: str | None) -> "Subject":
        """The same caller with the place it calls from."""
        # `replace` would take five times as long, and forget what is cached.
        other = object.__new__(Subject)
        other.__dict__.update(self.__dict__, address=address, request_id=request_id)
        return other


SYSTEM = Subject(kind="system", username="system")
"""The program itself: workers, schedules, the command line."""
