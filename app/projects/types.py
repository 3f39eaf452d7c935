"""The GraphQL type of projects."""

from datetime import datetime

from app.access.tables import memberships
from app.access.types import Membership, User
from app.core.rules import PERMISSIONS
from app.graphql.compiler.declare import column, computed, sql_type
from app.graphql.context import Info
from app.graphql.fields import many, one
from app.graphql.node import Node, Timestamped
from app.projects import rules
from app.projects import tables as t


@sql_type(
    t.projects,
    policy=rules.may_read_project,
    description="What a team works in; everything else belongs to one.",
)
class Project(Node, Timestamped):
    """A project."""

    number: int = column(t.projects.c.id, "The id that the REST dialects show.")
    uuid: str = column(t.projects.c.uuid, "Its name as an identifier; unique.")
    name: str = column(t.projects.c.name, "Its name.")
    description: str | None = column(t.projects.c.description, "What it is for.")
    folder: str | None = column(
        t.projects.c.folder, "Name that blocks import its files under; its uuid where it is null."
    )
    memberships: list[Membership] = many(
        "Membership",
        t.projects.c.id,
        memberships.c.project_id,
        "Who belongs to it, and in which role; at most 1000.",
        order=[memberships.c.id],
        most=1000,
    )
    created_by: User | None = one("User", t.projects.c.created_by, "Who made it.")
    created_at: datetime = column(t.projects.c.created_at, "When it was made.")
    updated_at: datetime = column(t.projects.c.updated_at, "When it was last changed.")
    version: int = column(t.projects.c.version, "Raised by each change; for `expectedVersion`.")

    @computed(t.projects.c.id, description="What the caller may do in it.")
    def viewer_permissions(self, info: Info) -> list[str]:
        """Names of permissions."""
        project_id = self._id  # type: ignore[attr-defined]
        return [p for p in PERMISSIONS if info.context.subject.may(p, project_id)]
