"""GraphQL types of leads, groups, organisations and attachments."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ARRAY, BigInteger, Text, case, cast, func, literal_column, select
from strawberry.scalars import JSON

from app.access.display import display_name_of
from app.access.types import User
from app.content import rules
from app.content import tables as t
from app.content.filters import (
    LEAD_COLUMNS,
    LEAD_DEFAULT,
    LeadFilter,
    LeadOrder,
    same_page,
)
from app.content.kinds import LeadConfidentiality, LeadPriority, LeadSourceType, LeadStatus
from app.graphql.compiler.declare import column, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.fields import connection, many, one
from app.graphql.node import Node, Timestamped
from app.graphql.scalars import BigInt

if TYPE_CHECKING:
    from app.projects.types import Project

LazyProject = Annotated["Project", strawberry.lazy("app.projects.types")]
LazyLead = Annotated["Lead", strawberry.lazy("app.content.types")]
LazyGroup = Annotated["LeadGroup", strawberry.lazy("app.content.types")]

_NUMBER = "The id that the REST dialects show."
_VERSION = "Raised by each change; for `expectedVersion`."
_CLIENT_ID = "The key that its maker gave it; null for none."
_MADE_BY, _CHANGED_BY = "Who made it; null where hidden.", "Who last changed it; null where hidden."
_MAKER = "Name of who made it; null where the account is gone."
_CHANGER = "Name of who last changed it; null where the account is gone."
_MADE, _CHANGED = "When it was made.", "When it was last changed."


def _duplicate_count(c: Any) -> Any:
    _, same = same_page(c)
    return select(func.count()).where(same).scalar_subquery()


def _duplicate_numbers(c: Any) -> Any:
    other, same = same_page(c)
    numbers = select(other.c.id).where(same).order_by(other.c.id).limit(literal_column("100"))
    return func.array(numbers.scalar_subquery(), type_=ARRAY(BigInteger))


def _label(name: str, words: dict[str, str]) -> Any:
    told = {
        literal_column(f"'{w}'", Text): literal_column(f"'{text}'", Text)
        for w, text in words.items()
    }
    return lambda c: case(told, value=getattr(c, name), else_=literal_column("''", Text))


def _path(c: Any) -> Any:
    return literal_column("'/v2/files/'", Text).op("||")(cast(c.uuid, Text))


def _lead_count(c: Any) -> Any:
    lead = t.leads.alias()
    counted = select(func.count()).select_from(lead)
    return counted.where(
        lead.c.lead_group_id == c.id, rules.may_read_lead(lead.c)
    ).scalar_subquery()


@sql_type(
    t.organization_types,
    policy=rules.may_read_organization,
    description="A kind of organisation.",
)
class OrganizationType(Node, Timestamped):
    """A kind of organisation."""

    number: int = column(t.organization_types.c.id, _NUMBER)
    title: str = column(t.organization_types.c.title, "Its name.")
    short_name: str = column(t.organization_types.c.short_name, "Its short name.")
    description: str = column(t.organization_types.c.description, "What it means.")
    created_at: datetime = column(t.organization_types.c.created_at, _MADE)
    updated_at: datetime = column(t.organization_types.c.updated_at, _CHANGED)


@sql_type(
    t.organizations,
    policy=rules.may_read_organization,
    description="Who publishes: the source or an author of leads. The same for all projects.",
)
class Organization(Node, Timestamped):
    """An organisation."""

    number: int = column(t.organizations.c.id, _NUMBER)
    title: str = column(t.organizations.c.title, "Its name.")
    short_name: str = column(t.organizations.c.short_name, "Its short name.")
    long_name: str = column(t.organizations.c.long_name, "Its whole name.")
    url: str = column(t.organizations.c.url, "Its site.")
    verified: bool = column(t.organizations.c.verified, "Whether somebody has looked at it.")
    organization_type: OrganizationType | None = one(
        "OrganizationType", t.organizations.c.organization_type_id, "What kind it is."
    )
    client_id: str | None = column(t.organizations.c.client_id, _CLIENT_ID)
    created_by: User | None = one("User", t.organizations.c.created_by, _MADE_BY)
    updated_by: User | None = one("User", t.organizations.c.updated_by, _CHANGED_BY)
    created_by_name: str | None = expression(display_name_of("created_by"), _MAKER)
    updated_by_name: str | None = expression(display_name_of("updated_by"), _CHANGER)
    created_at: datetime = column(t.organizations.c.created_at, _MADE)
    updated_at: datetime = column(t.organizations.c.updated_at, _CHANGED)
    version: int = column(t.organizations.c.version, _VERSION)


@sql_type(
    t.attachments,
    policy=rules.may_read_attachment,
    description="A file. Who sent it sees it, and who may see a lead that has it.",
)
class Attachment(Node, Timestamped):
    """An attachment."""

    number: int = column(t.attachments.c.id, _NUMBER)
    uuid: str = expression(lambda c: cast(c.uuid, Text), "Its name in paths.")
    title: str = column(t.attachments.c.title, "Its name.")
    mime_type: str = column(t.attachments.c.mime_type, "Its type, such as application/pdf.")
    bytes: BigInt = column(t.attachments.c.bytes, "How long it is.")
    md5: str = column(t.attachments.c.md5, "MD5 of its bytes, by which duplicates are found.")
    is_public: bool = column(t.attachments.c.is_public, "Whether everybody may see it.")
    path: str = expression(_path, "Where its bytes are, with the caller's credential.")
    client_id: str | None = column(t.attachments.c.client_id, _CLIENT_ID)
    created_by: User | None = one("User", t.attachments.c.created_by, _MADE_BY)
    updated_by: User | None = one("User", t.attachments.c.updated_by, _CHANGED_BY)
    created_by_name: str | None = expression(display_name_of("created_by"), _MAKER)
    updated_by_name: str | None = expression(display_name_of("updated_by"), _CHANGER)
    created_at: datetime = column(t.attachments.c.created_at, _MADE)
    updated_at: datetime = column(t.attachments.c.updated_at, _CHANGED)
    version: int = column(t.attachments.c.version, _VERSION)


@sql_type(
    t.lead_authors,
    policy=rules.may_read_part,
    description="An organisation that wrote a lead.",
)
class LeadAuthor:
    """An author."""

    position: int = column(t.lead_authors.c.position, "Its place among the authors, from 0.")
    organization: Organization | None = one(
        "Organization", t.lead_authors.c.organization_id, "The organisation."
    )


@sql_type(
    t.lead_assignees,
    policy=rules.may_read_part,
    description="A user who works on a lead.",
)
class LeadAssignee:
    """An assignee."""

    position: int = column(t.lead_assignees.c.position, "Its place among the assignees, from 0.")
    user: User | None = one("User", t.lead_assignees.c.user_id, "The user; null where hidden.")
    user_number: int = column(t.lead_assignees.c.user_id, "Number of the user.")
    user_name: str | None = expression(display_name_of("user_id"), "Name of the user.")


@sql_type(
    t.lead_groups,
    policy=rules.may_read_group,
    description="Leads of a project that belong together.",
)
class LeadGroup(Node, Timestamped):
    """A group of leads."""

    number: int = column(t.lead_groups.c.id, _NUMBER)
    title: str = column(t.lead_groups.c.title, "Its title.")
    project: LazyProject | None = one("Project", t.lead_groups.c.project_id, "Where it belongs.")
    leads: Connection[LazyLead] = connection(
        "Lead",
        t.lead_groups.c.id,
        t.leads.c.lead_group_id,
        "Its leads, last changed first.",
        where=LeadFilter,
        columns=LEAD_COLUMNS,
        order=LeadOrder,
        default_order=LEAD_DEFAULT,
    )
    lead_count: int = expression(_lead_count, "How many leads of it the caller may see.")
    client_id: str | None = column(t.lead_groups.c.client_id, _CLIENT_ID)
    created_by: User | None = one("User", t.lead_groups.c.created_by, _MADE_BY)
    updated_by: User | None = one("User", t.lead_groups.c.updated_by, _CHANGED_BY)
    created_by_name: str | None = expression(display_name_of("created_by"), _MAKER)
    updated_by_name: str | None = expression(display_name_of("updated_by"), _CHANGER)
    created_at: datetime = column(t.lead_groups.c.created_at, _MADE)
    updated_at: datetime = column(t.lead_groups.c.updated_at, _CHANGED)
    version: int = column(t.lead_groups.c.version, _VERSION)


@sql_type(
    t.leads,
    policy=rules.may_read_lead,
    description="A source of information: a page, a file or a text.",
)
class Lead(Node, Timestamped):
    """A lead."""

    number: int = column(t.leads.c.id, _NUMBER)
    uuid: str = expression(lambda c: cast(c.uuid, Text), "Its name for other systems.")
    title: str = column(t.leads.c.title, "Its title.")
    project: LazyProject | None = one("Project", t.leads.c.project_id, "Where it belongs.")
    source_raw: str = column(t.leads.c.source_raw, "Its source as a text.")
    source: Organization | None = one(
        "Organization", t.leads.c.source_id, "The organisation that is its source, if known."
    )
    website: str = column(t.leads.c.website, "Site that it is from.")
    url: str = column(t.leads.c.url, "Its page.")
    text: str = column(t.leads.c.text, "Its text.")
    source_type: LeadSourceType = column(t.leads.c.source_type, "Where it came from.")
    priority: LeadPriority = column(t.leads.c.priority, "How urgent it is.")
    priority_label: str = expression(
        _label("priority", {"low": "Low", "medium": "Medium", "high": "High"}),
        "Its urgency for people.",
    )
    confidentiality: LeadConfidentiality = column(t.leads.c.confidentiality, "Who may know of it.")
    confidentiality_label: str = expression(
        _label(
            "confidentiality",
            {
                "unprotected": "Public",
                "restricted": "Restricted",
                "confidential": "Confidential",
            },
        ),
        "Its secrecy for people.",
    )
    status: LeadStatus = column(t.leads.c.status, "How far it has been worked on.")
    status_label: str = expression(
        _label(
            "status",
            {"not_tagged": "Not Tagged", "in_progress": "In progress", "tagged": "Tagged"},
        ),
        "Its status for people.",
    )
    published_on: date | None = column(t.leads.c.published_on, "Day of publication.")
    assignees: list[LeadAssignee] = many(
        "LeadAssignee",
        t.leads.c.id,
        t.lead_assignees.c.lead_id,
        "Who works on it, in order; at most 50.",
        order=[t.lead_assignees.c.position],
        most=50,
    )
    lead_group: LazyGroup | None = one("LeadGroup", t.leads.c.lead_group_id, "Its group.")
    attachment: Attachment | None = one("Attachment", t.leads.c.attachment_id, "Its file.")
    authors: list[LeadAuthor] = many(
        "LeadAuthor",
        t.leads.c.id,
        t.lead_authors.c.lead_id,
        "Organisations that wrote it, in order; at most 50.",
        order=[t.lead_authors.c.position],
        most=50,
    )
    is_assessment_lead: bool = column(
        t.leads.c.is_assessment_lead, "Whether it belongs to an assessment."
    )
    emm_triggers: JSON = column(
        t.leads.c.emm_triggers,
        "What the Europe Media Monitor found: {emmKeyword, emmRiskFactor, count} each.",
    )
    emm_entities: JSON = column(
        t.leads.c.emm_entities, "Whom the Europe Media Monitor found: {name} each."
    )
    duplicate_count: int = expression(
        _duplicate_count, "How many other leads of the project are of the same page."
    )
    duplicate_numbers: list[int] = expression(
        _duplicate_numbers,
        "Numbers of the other leads of the project that are of the same page; at most 100.",
    )
    client_id: str | None = column(t.leads.c.client_id, _CLIENT_ID)
    created_by: User | None = one("User", t.leads.c.created_by, _MADE_BY)
    updated_by: User | None = one("User", t.leads.c.updated_by, _CHANGED_BY)
    created_by_name: str | None = expression(display_name_of("created_by"), _MAKER)
    updated_by_name: str | None = expression(display_name_of("updated_by"), _CHANGER)
    created_at: datetime = column(t.leads.c.created_at, _MADE)
    updated_at: datetime = column(t.leads.c.updated_at, _CHANGED)
    version: int = column(t.leads.c.version, _VERSION)
