"""Filters and orderings of leads, groups, organisations and attachments."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from app.content import tables as t
from app.content.kinds import LeadConfidentiality, LeadPriority, LeadSourceType, LeadStatus
from app.content.rules import may_read_lead
from app.core.errors import Invalid
from app.graphql.compiler.standins import derive
from app.graphql.filters import (
    UNSET,
    BooleanFilter,
    DateFilter,
    DateTimeFilter,
    EnumFilter,
    IntFilter,
    StringFilter,
    conditions,
    order_input,
)

LONGEST_SEARCH = 1000
_MINUSES = re.compile(r"(^|\s)(-\s*){2,}")
_ALL, _ANY, _NOT = "All of these.", "At least one of these.", "Not this."
_NONE: ColumnElement[str] = literal_column("''", Text)
"""No parameter: the index is of urls that are there."""
SIMPLE: ColumnElement[str] = literal_column("'simple'::regconfig", Text)


def _text(value: str) -> Any:
    return bindparam(None, value, type_=Text(), unique=True)


def _holds(column: Any, value: str) -> ColumnElement[bool]:
    return func.strpos(func.lower(column), func.lower(_text(value))) > 0


def _searched(value: str) -> ColumnElement[bool]:
    query = func.websearch_to_tsquery(SIMPLE, _text(derive(_sought, value, like="")))
    found: ColumnElement[bool] = t.leads.c.searched.bool_op("@@")(query)
    return found


def _sought(value: str) -> str:
    """What PostgreSQL can take apart: it knows at most 32 minus signs in a row."""
    if len(value) > LONGEST_SEARCH:
        raise Invalid(f"Search for at most {LONGEST_SEARCH} characters.", path=("search",))
    return _MINUSES.sub(" -", value)


def _contains(value: str) -> ColumnElement[bool]:
    c, author, organization = t.leads.c, t.lead_authors.alias(), t.organizations.alias()
    written = select(literal(1)).where(
        author.c.lead_id == c.id,
        author.c.organization_id == organization.c.id,
        _holds(organization.c.title, value),
    )
    source = t.organizations.alias()
    from_it = select(literal(1)).where(source.c.id == c.source_id, _holds(source.c.title, value))
    own = (_holds(c.title, value), _holds(c.source_raw, value), _holds(c.url, value))
    return or_(*own, exists(from_it), exists(written))


def _author(value: Any) -> ColumnElement[bool]:
    author, organization = t.lead_authors.alias(), t.organizations.alias()
    known = {"number": organization.c.id, "type_number": organization.c.organization_type_id}
    of_lead = (author.c.lead_id == t.leads.c.id, author.c.organization_id == organization.c.id)
    return exists(select(literal(1)).where(*of_lead, conditions(value, known)))


def _assignee(value: Any) -> ColumnElement[bool]:
    assignee = t.lead_assignees.alias()
    wanted = conditions(value, {"number": assignee.c.user_id})
    return exists(select(literal(1)).where(assignee.c.lead_id == t.leads.c.id, wanted))


def _first_assignee() -> Any:
    assignee = t.lead_assignees.alias()
    wanted = select(func.min(assignee.c.user_id)).where(assignee.c.lead_id == t.leads.c.id)
    return wanted.scalar_subquery()


def _of_json(name: str, members: Mapping[str, str]) -> Callable[[Any], ColumnElement[bool]]:
    """At least one object of a list in JSON is like the filter; `members`: its field -> theirs."""

    def make(value: Any) -> ColumnElement[bool]:
        one = func.jsonb_array_elements(t.leads.c[name]).column_valued("one")
        known = {
            field: one.op("->>", return_type=Text())(literal_column(f"'{member}'", Text))
            for field, member in members.items()
        }
        return exists(select(literal(1)).where(conditions(value, known)))

    return make


def _similar(value: int) -> ColumnElement[bool]:
    c, other = t.leads.c, t.leads.alias()
    alike = func.similarity(other.c.title, c.title) > literal_column("0.3", Float)
    seen = (other.c.id == value, other.c.project_id == c.project_id, may_read_lead(other.c))
    return exists(select(literal(1)).where(*seen, alike))


def same_page(c: Any) -> tuple[Any, ColumnElement[bool]]:
    """Other leads of the project with the url of this one, as far as the caller may read them."""
    other = t.leads.alias()
    same = and_(
        other.c.project_id == c.project_id,
        other.c.url_key == c.url_key,
        other.c.url_key != _NONE,
        other.c.id != c.id,
        may_read_lead(other.c),
    )
    return other, same


def _has_duplicates(value: bool) -> ColumnElement[bool]:
    _, same = same_page(t.leads.c)
    found = exists(select(literal(1)).where(same))
    return found if value else ~found


@strawberry.input(description="Which organisations among a lead's authors.")
class LeadAuthorFilter:
    """Conditions on an author."""

    number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the organisation."
    )
    type_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the organisation's type."
    )


@strawberry.input(description="Which users among a lead's assignees.")
class LeadAssigneeFilter:
    """Conditions on an assignee."""

    number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the user."
    )


@strawberry.input(description="Which words that the Europe Media Monitor found.")
class EmmTriggerFilter:
    """Conditions on a trigger."""

    keyword: StringFilter | None = strawberry.field(default=UNSET, description="By the word.")
    risk_factor: StringFilter | None = strawberry.field(
        default=UNSET, description="By what it is about."
    )


@strawberry.input(description="Which names that the Europe Media Monitor found.")
class EmmEntityFilter:
    """Conditions on an entity."""

    name: StringFilter | None = strawberry.field(default=UNSET, description="By the name.")


@strawberry.input(description="Which leads.")
class LeadFilter:
    """Conditions on leads."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    project_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of their project."
    )
    search: str | None = strawberry.field(
        default=UNSET,
        description="Full-text search through title, source, url and text; words in quotes stand "
        "together, `or` and `-` mean what they do in web searches.",
    )
    contains: str | None = strawberry.field(
        default=UNSET, description="Title, source, url or an author contains this, in any case."
    )
    title: StringFilter | None = strawberry.field(default=UNSET, description="By title.")
    url: StringFilter | None = strawberry.field(default=UNSET, description="By url.")
    text: StringFilter | None = strawberry.field(default=UNSET, description="By text.")
    client_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By the key that their maker gave them."
    )
    status: EnumFilter[LeadStatus] | None = strawberry.field(
        default=UNSET, description="By status."
    )
    priority: EnumFilter[LeadPriority] | None = strawberry.field(
        default=UNSET, description="By urgency."
    )
    confidentiality: EnumFilter[LeadConfidentiality] | None = strawberry.field(
        default=UNSET, description="By secrecy."
    )
    source_type: EnumFilter[LeadSourceType] | None = strawberry.field(
        default=UNSET, description="By origin."
    )
    published_on: DateFilter | None = strawberry.field(
        default=UNSET, description="By day of publication."
    )
    assignee: LeadAssigneeFilter | None = strawberry.field(
        default=UNSET, description="At least one assignee is like this."
    )
    lead_group_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of their group."
    )
    source_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of the organisation that is their source."
    )
    author: LeadAuthorFilter | None = strawberry.field(
        default=UNSET, description="At least one author is like this."
    )
    emm_trigger: EmmTriggerFilter | None = strawberry.field(
        default=UNSET, description="At least one word that the monitor found is like this."
    )
    emm_entity: EmmEntityFilter | None = strawberry.field(
        default=UNSET, description="At least one name that the monitor found is like this."
    )
    similar_to_number: int | None = strawberry.field(
        default=UNSET,
        description="Of the project of the lead with this number, and with a title like its: "
        "more than 0.3 of their trigrams are the same.",
    )
    has_duplicates: bool | None = strawberry.field(
        default=UNSET, description="Whether their project has other leads of the same page."
    )
    is_assessment_lead: BooleanFilter | None = strawberry.field(
        default=UNSET, description="Whether they belong to assessments."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")
    and_: list["LeadFilter"] | None = strawberry.field(default=UNSET, name="and", description=_ALL)
    or_: list["LeadFilter"] | None = strawberry.field(default=UNSET, name="or", description=_ANY)
    not_: "LeadFilter | None" = strawberry.field(default=UNSET, name="not", description=_NOT)


LEAD_COLUMNS = {
    "number": t.leads.c.id,
    "project_number": t.leads.c.project_id,
    "search": _searched,
    "contains": _contains,
    "title": t.leads.c.title,
    "url": t.leads.c.url,
    "text": t.leads.c.text,
    "client_id": t.leads.c.client_id,
    "status": t.leads.c.status,
    "priority": t.leads.c.priority,
    "confidentiality": t.leads.c.confidentiality,
    "source_type": t.leads.c.source_type,
    "published_on": t.leads.c.published_on,
    "assignee": _assignee,
    "lead_group_number": t.leads.c.lead_group_id,
    "source_number": t.leads.c.source_id,
    "author": _author,
    "emm_trigger": _of_json(
        "emm_triggers", {"keyword": "emmKeyword", "risk_factor": "emmRiskFactor"}
    ),
    "emm_entity": _of_json("emm_entities", {"name": "name"}),
    "similar_to_number": _similar,
    "has_duplicates": _has_duplicates,
    "is_assessment_lead": t.leads.c.is_assessment_lead,
    "created_at": t.leads.c.created_at,
    "updated_at": t.leads.c.updated_at,
}


def _rank(column: Any, words: tuple[str, ...]) -> ColumnElement[int]:
    """The place of a word in its row: `low` before `high`."""
    ranks: dict[Any, Any] = {
        literal_column(f"'{word}'", Text): literal_column(str(n)) for n, word in enumerate(words)
    }
    return case(ranks, value=column, else_=literal_column(str(len(words)), BigInteger))


LeadOrder = order_input(
    "Lead",
    {
        "NUMBER": (t.leads.c.id, "By number."),
        "TITLE": (t.leads.c.title, "By title."),
        "SOURCE": (t.leads.c.source_raw, "By source, as far as it is a text."),
        "URL": (t.leads.c.url, "By url."),
        "STATUS": (_rank(t.leads.c.status, t.STATUSES), "From untouched to done."),
        "PRIORITY": (_rank(t.leads.c.priority, t.PRIORITIES), "From low to high."),
        "CONFIDENTIALITY": (
            _rank(t.leads.c.confidentiality, t.CONFIDENTIALITIES),
            "From public to secret.",
        ),
        "SOURCE_TYPE": (t.leads.c.source_type, "By origin."),
        "PUBLISHED_ON": (t.leads.c.published_on, "By day of publication."),
        "ASSIGNEE": (_first_assignee(), "By the lowest number among its assignees."),
        "PROJECT": (t.leads.c.project_id, "By the number of its project."),
        "CREATED_AT": (t.leads.c.created_at, "By age."),
        "UPDATED_AT": (t.leads.c.updated_at, "By change."),
    },
)
LEAD_DEFAULT = [(t.leads.c.updated_at, True), (t.leads.c.created_at, True)]


@strawberry.input(description="Which groups of leads.")
class LeadGroupFilter:
    """Conditions on groups."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    project_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of their project."
    )
    title: StringFilter | None = strawberry.field(default=UNSET, description="By title.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")


LEAD_GROUP_COLUMNS = {
    "number": t.lead_groups.c.id,
    "project_number": t.lead_groups.c.project_id,
    "title": t.lead_groups.c.title,
    "created_at": t.lead_groups.c.created_at,
}
LeadGroupOrder = order_input(
    "LeadGroup",
    {
        "NUMBER": (t.lead_groups.c.id, "By number."),
        "TITLE": (t.lead_groups.c.title, "By title."),
        "CREATED_AT": (t.lead_groups.c.created_at, "By age."),
        "UPDATED_AT": (t.lead_groups.c.updated_at, "By change."),
    },
)
LEAD_GROUP_DEFAULT = [(t.lead_groups.c.id, True)]


@strawberry.input(description="Which organisations.")
class OrganizationFilter:
    """Conditions on organisations."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    title: StringFilter | None = strawberry.field(default=UNSET, description="By title.")
    short_name: StringFilter | None = strawberry.field(default=UNSET, description="By short name.")
    verified: BooleanFilter | None = strawberry.field(
        default=UNSET, description="Whether somebody has looked at them."
    )
    or_: list["OrganizationFilter"] | None = strawberry.field(
        default=UNSET, name="or", description=_ANY
    )


ORGANIZATION_COLUMNS = {
    "number": t.organizations.c.id,
    "title": t.organizations.c.title,
    "short_name": t.organizations.c.short_name,
    "verified": t.organizations.c.verified,
}
OrganizationOrder = order_input(
    "Organization",
    {
        "NUMBER": (t.organizations.c.id, "By number."),
        "TITLE": (t.organizations.c.title, "By title."),
        "CREATED_AT": (t.organizations.c.created_at, "By age."),
    },
)


@strawberry.input(description="Which attachments.")
class AttachmentFilter:
    """Conditions on attachments."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    title: StringFilter | None = strawberry.field(default=UNSET, description="By title.")
    mime_type: StringFilter | None = strawberry.field(default=UNSET, description="By type.")


ATTACHMENT_COLUMNS = {
    "number": t.attachments.c.id,
    "title": t.attachments.c.title,
    "mime_type": t.attachments.c.mime_type,
}
AttachmentOrder = order_input(
    "Attachment",
    {
        "NUMBER": (t.attachments.c.id, "By number."),
        "TITLE": (t.attachments.c.title, "By title."),
        "CREATED_AT": (t.attachments.c.created_at, "By age."),
    },
)
