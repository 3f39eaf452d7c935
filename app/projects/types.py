"""The GraphQL type of projects."""

from datetime import date, datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import Text, exists, func, literal, literal_column, select
from strawberry.scalars import JSON

from app.access.display import display_name_of
from app.access.tables import memberships, roles
from app.access.types import Membership, User
from app.content import tables as content
from app.content.filters import (
    LEAD_COLUMNS,
    LEAD_DEFAULT,
    LEAD_GROUP_COLUMNS,
    LEAD_GROUP_DEFAULT,
    LeadFilter,
    LeadGroupFilter,
    LeadGroupOrder,
    LeadOrder,
)
from app.content.types import Lead, LeadGroup, Organization
from app.core.rules import PERMISSIONS, VIEWER
from app.graphql.compiler.declare import column, computed, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.fields import connection, many, one
from app.graphql.node import Node, Timestamped
from app.projects import rules
from app.projects import tables as t
from app.projects.inputs import JoinRequestStatus, ProjectOrganizationKind, ProjectStatus

LazyJoinRequest = Annotated["JoinRequest", strawberry.lazy("app.projects.types")]
LazyProject = Annotated["Project", strawberry.lazy("app.projects.types")]


def _member_count(c: Any) -> Any:
    member = memberships.alias()
    counted = select(func.count()).select_from(member)
    return counted.where(member.c.project_id == c.id).scalar_subquery()


def _kind_label(c: Any) -> Any:
    under, blank = (literal_column(f"'{one}'", Text) for one in "_ ")
    return func.initcap(func.replace(c.kind, under, blank), type_=Text())


def _mine(wanted: Any) -> Any:
    def make(c: Any) -> Any:
        member = memberships.alias()
        own = (member.c.project_id == c.id, member.c.user_id == VIEWER.id)
        found = select(wanted).select_from(roles).join(member, member.c.role_id == roles.c.id)
        return found.where(*own).scalar_subquery()

    return make


def _wishes_to_join(c: Any) -> Any:
    wish = t.join_requests.alias()
    own = (wish.c.project_id == c.id, wish.c.user_id == VIEWER.id)
    return exists(select(literal(1)).where(*own, wish.c.status == "pending"))


@sql_type(
    t.project_organizations,
    policy=rules.may_read_organization,
    description="An organisation that has a part in a project.",
)
class ProjectOrganization:
    """An organisation and its part."""

    number: int = column(t.project_organizations.c.id, "The id that the REST dialects show.")
    kind: ProjectOrganizationKind = column(
        t.project_organizations.c.kind, "What it is to the project."
    )
    kind_label: str = expression(_kind_label, "What it is to the project, for people.")
    position: int = column(
        t.project_organizations.c.position, "Its place among the project's, from 0."
    )
    organization: Organization | None = one(
        "Organization", t.project_organizations.c.organization_id, "The organisation."
    )


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
    is_private: bool = column(
        t.projects.c.is_private, "Only members know of it; else every user sees that it is there."
    )
    is_test: bool = column(t.projects.c.is_test, "It is for trying things out.")
    status: ProjectStatus = column(t.projects.c.status, "Whether somebody works on it.")
    start_date: date | None = column(t.projects.c.start_date, "When its work begins.")
    end_date: date | None = column(t.projects.c.end_date, "When its work ends.")
    organizations: list[ProjectOrganization] = many(
        "ProjectOrganization",
        t.projects.c.id,
        t.project_organizations.c.project_id,
        "Who has a part in it, in order; at most 100.",
        order=[t.project_organizations.c.position],
        most=100,
    )
    data: JSON = column(t.projects.c.data, "Free content of its makers.")
    client_id: str | None = column(
        t.projects.c.client_id, "The key that its maker gave it; null for none."
    )
    leads: Connection[Lead] = connection(
        "Lead",
        t.projects.c.id,
        content.leads.c.project_id,
        "Its leads, last changed first.",
        where=LeadFilter,
        columns=LEAD_COLUMNS,
        order=LeadOrder,
        default_order=LEAD_DEFAULT,
    )
    join_requests: list[LazyJoinRequest] = many(
        "JoinRequest",
        t.projects.c.id,
        t.join_requests.c.project_id,
        "Wishes to become a member that the caller may see, newest first; at most 500.",
        order=[t.join_requests.c.id.desc()],
    )
    lead_groups: Connection[LeadGroup] = connection(
        "LeadGroup",
        t.projects.c.id,
        content.lead_groups.c.project_id,
        "Groups of its leads, newest first.",
        where=LeadGroupFilter,
        columns=LEAD_GROUP_COLUMNS,
        order=LeadGroupOrder,
        default_order=LEAD_GROUP_DEFAULT,
    )
    member_count: int = expression(_member_count, "How many members it has.")
    viewer_role: str | None = expression(
        _mine(roles.c.name), "Name of the caller's role in it; null for none."
    )
    viewer_role_number: int | None = expression(
        _mine(roles.c.id), "Number of the caller's role in it; null for none."
    )
    viewer_wishes_to_join: bool = expression(
        _wishes_to_join, "The caller has asked to become a member, and nobody has answered."
    )
    created_by: User | None = one("User", t.projects.c.created_by, "Who made it.")
    updated_by: User | None = one("User", t.projects.c.updated_by, "Who last changed it.")
    created_by_name: str | None = expression(
        display_name_of("created_by"), "Name of who made it; null where the account is gone."
    )
    updated_by_name: str | None = expression(
        display_name_of("updated_by"), "Name of who last changed it; null where it is gone."
    )
    created_at: datetime = column(t.projects.c.created_at, "When it was made.")
    updated_at: datetime = column(t.projects.c.updated_at, "When it was last changed.")
    version: int = column(t.projects.c.version, "Raised by each change; for `expectedVersion`.")

    @computed(t.projects.c.id, description="What the caller may do in it.")
    def viewer_permissions(self, info: Info) -> list[str]:
        """Names of permissions."""
        project_id = self._id  # type: ignore[attr-defined]
        return [p for p in PERMISSIONS if info.context.subject.may(p, project_id)]


@sql_type(
    t.join_requests,
    policy=rules.may_read_join_request,
    description="A user's wish to become a member of a project.",
)
class JoinRequest(Node, Timestamped):
    """A wish to join."""

    number: int = column(t.join_requests.c.id, "The id that the REST dialects show.")
    project: LazyProject | None = one("Project", t.join_requests.c.project_id, "The project.")
    user: User | None = one("User", t.join_requests.c.user_id, "Who wishes; null where hidden.")
    user_number: int = column(t.join_requests.c.user_id, "Number of who wishes.")
    user_name: str | None = expression(display_name_of("user_id"), "Name of who wishes.")
    reason: str = column(t.join_requests.c.reason, "Why, in the user's words.")
    status: JoinRequestStatus = column(t.join_requests.c.status, "What became of it.")
    answered_by: User | None = one(
        "User", t.join_requests.c.answered_by, "Who answered; null where hidden."
    )
    answered_at: datetime | None = column(t.join_requests.c.answered_at, "When it was answered.")
    created_at: datetime = column(t.join_requests.c.created_at, "When it was made.")
    updated_at: datetime = column(t.join_requests.c.updated_at, "When it was last changed.")
    version: int = column(t.join_requests.c.version, "Raised by each change.")
