"""Inputs and error types of leads, groups, organisations and attachments."""

import enum
from datetime import date

import strawberry

from app.content.kinds import LeadConfidentiality, LeadPriority, LeadSourceType, LeadStatus
from app.graphql.filters import UNSET
from app.graphql.payloads import UserError
from app.projects.inputs import ProjectBy

_VERSION = "Refuse with CONFLICT where it has another version by now."
_STAYS = "Its project, if that is told: INVALID where it belongs to another."
_CLIENT_ID = "The caller's own key for it, at most 128 characters, unique; it comes back as it is."
_BY_ID, _BY_NUMBER = "By global id.", "By the id that REST shows."


@strawberry.enum(description="Faults in inputs about leads and what belongs to them.")
class ContentErrorCode(enum.Enum):
    """Codes for programs."""

    INVALID = strawberry.enum_value("INVALID", description="A value that cannot be used.")
    TITLE_MISSING = strawberry.enum_value("TITLE_MISSING", description="A title is needed.")
    DUPLICATE = strawberry.enum_value(
        "DUPLICATE", description="The project has a lead of this page, file or text already."
    )
    CLIENT_ID_TAKEN = strawberry.enum_value(
        "CLIENT_ID_TAKEN", description="Another row has this clientId."
    )
    FILE_TYPE = strawberry.enum_value("FILE_TYPE", description="Files of this type are refused.")
    NOT_ALLOWED = strawberry.enum_value(
        "NOT_ALLOWED", description="The caller may not do this; only for an item of a bulk."
    )
    NOT_FOUND = strawberry.enum_value(
        "NOT_FOUND", description="There is no such row; only for an item of a bulk."
    )
    CONFLICT = strawberry.enum_value(
        "CONFLICT", description="It has another version by now; only for an item of a bulk."
    )


@strawberry.type(description="A fault in an input about leads.")
class ContentError(UserError):
    """A correctable fault."""

    code: ContentErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.input(description="Names one lead; exactly one field.", one_of=True)
class LeadBy:
    """How a lead is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description=_BY_ID)
    number: int | None = strawberry.field(default=UNSET, description=_BY_NUMBER)


@strawberry.input(description="Names one group of leads; exactly one field.", one_of=True)
class LeadGroupBy:
    """How a group is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description=_BY_ID)
    number: int | None = strawberry.field(default=UNSET, description=_BY_NUMBER)


@strawberry.input(description="Names one organisation; exactly one field.", one_of=True)
class OrganizationBy:
    """How an organisation is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description=_BY_ID)
    number: int | None = strawberry.field(default=UNSET, description=_BY_NUMBER)


@strawberry.input(description="Names one attachment; exactly one field.", one_of=True)
class AttachmentBy:
    """How an attachment is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description=_BY_ID)
    number: int | None = strawberry.field(default=UNSET, description=_BY_NUMBER)
    uuid: str | None = strawberry.field(default=UNSET, description="By the uuid in its path.")


@strawberry.input(description="A word that the Europe Media Monitor found in a lead.")
class EmmTriggerInput:
    """A trigger."""

    emm_keyword: str = strawberry.field(description="The word.")
    emm_risk_factor: str | None = strawberry.field(default=None, description="What it is about.")
    count: int | None = strawberry.field(default=None, description="How often it was found.")


@strawberry.input(description="A name that the Europe Media Monitor found in a lead.")
class EmmEntityInput:
    """An entity."""

    name: str = strawberry.field(description="The name.")


@strawberry.input(description="Attributes of a lead; what is left out stays, or is the default.")
class LeadFields:
    """What may be written of a lead."""

    title: str | None = strawberry.field(
        default=UNSET, description="Its title, 1 to 255 characters; needed for a new one."
    )
    source: str | None = strawberry.field(
        default=UNSET, description="Its source as a text; no organisation is linked any more."
    )
    source_number: int | None = strawberry.field(
        default=UNSET, description="Number of the organisation that is its source; null for none."
    )
    website: str | None = strawberry.field(default=UNSET, description="Site that it is from.")
    url: str | None = strawberry.field(default=UNSET, description="Its page.")
    text: str | None = strawberry.field(default=UNSET, description="Its text.")
    source_type: LeadSourceType | None = strawberry.field(
        default=UNSET, description="Where it came from; UNKNOWN by default."
    )
    priority: LeadPriority | None = strawberry.field(
        default=UNSET, description="How urgent it is; LOW by default."
    )
    confidentiality: LeadConfidentiality | None = strawberry.field(
        default=UNSET, description="Who may know of it; UNPROTECTED by default."
    )
    status: LeadStatus | None = strawberry.field(
        default=UNSET, description="How far it has been worked on; NOT_TAGGED by default."
    )
    published_on: date | None = strawberry.field(
        default=UNSET, description="Day of publication; null for unknown."
    )
    assignee_numbers: list[int] | None = strawberry.field(
        default=UNSET,
        description="Numbers of members who work on it, in order, in place of those before; at "
        "most 50, none for nobody.",
    )
    lead_group_number: int | None = strawberry.field(
        default=UNSET, description="Number of a group of its project; null for none."
    )
    attachment_number: int | None = strawberry.field(
        default=UNSET, description="Number of an attachment that the caller may see; null for none."
    )
    author_numbers: list[int] | None = strawberry.field(
        default=UNSET, description="Numbers of organisations, in order, in place of those before."
    )
    is_assessment_lead: bool | None = strawberry.field(
        default=UNSET, description="Whether it belongs to an assessment."
    )
    emm_triggers: list[EmmTriggerInput] | None = strawberry.field(
        default=UNSET, description="What the Europe Media Monitor found in it."
    )
    emm_entities: list[EmmEntityInput] | None = strawberry.field(
        default=UNSET, description="Whom the Europe Media Monitor found in it."
    )
    client_id: str | None = strawberry.field(default=UNSET, description=_CLIENT_ID)


@strawberry.input(description="A new lead.")
class LeadCreateInput:
    """A lead and its project."""

    project: ProjectBy | None = strawberry.field(
        default=None, description="In which project; that of the call where left out."
    )
    lead: LeadFields = strawberry.field(description="Its attributes.")


@strawberry.input(description="Changes of a lead; what is left out stays.")
class LeadUpdateInput:
    """A lead and what is to change."""

    by: LeadBy = strawberry.field(description="Which lead.")
    lead: LeadFields = strawberry.field(description="Its new attributes.")
    project: ProjectBy | None = strawberry.field(default=None, description=_STAYS)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which lead to delete.")
class LeadDeleteInput:
    """A lead."""

    by: LeadBy = strawberry.field(description="Which lead.")
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="One of many leads to make or to change.")
class LeadBulkItem:
    """With `by` a change, else a new lead."""

    by: LeadBy | None = strawberry.field(
        default=None, description="The lead to change; a new one where left out."
    )
    project: ProjectBy | None = strawberry.field(
        default=None, description="Project of a new lead; that of the bulk where left out."
    )
    lead: LeadFields = strawberry.field(description="Its attributes.")
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Many leads to make, change and delete.")
class LeadBulkInput:
    """At most a thousand of each."""

    project: ProjectBy | None = strawberry.field(
        default=None,
        description="Project of new leads, to which those to delete must belong as well; that of "
        "the call where left out, and then any for those to delete.",
    )
    items: list[LeadBulkItem] = strawberry.field(
        default_factory=list, description="What to make and change, at most 1000."
    )
    delete: list[LeadBy] = strawberry.field(
        default_factory=list, description="What to delete, at most 1000."
    )
    atomic: bool = strawberry.field(
        default=True, description="All or nothing; else good items are saved though others fail."
    )


@strawberry.input(description="Leads to copy to other projects.")
class LeadCopyInput:
    """At most a thousand copies."""

    leads: list[LeadBy] = strawberry.field(description="Which leads.")
    projects: list[ProjectBy] = strawberry.field(description="To which projects.")


@strawberry.input(description="A new group of leads.")
class LeadGroupCreateInput:
    """A group."""

    project: ProjectBy | None = strawberry.field(
        default=None, description="In which project; that of the call where left out."
    )
    title: str = strawberry.field(description="Its title.")
    lead_numbers: list[int] = strawberry.field(
        default_factory=list, description="Numbers of leads of the project that join it."
    )
    client_id: str | None = strawberry.field(default=None, description=_CLIENT_ID)


@strawberry.input(description="Changes of a group of leads; what is left out stays.")
class LeadGroupUpdateInput:
    """A group and what is to change."""

    by: LeadGroupBy = strawberry.field(description="Which group.")
    title: str | None = strawberry.field(default=UNSET, description="Its new title.")
    lead_numbers: list[int] | None = strawberry.field(
        default=UNSET, description="Numbers of all leads in it, in place of those before."
    )
    project: ProjectBy | None = strawberry.field(default=None, description=_STAYS)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which group to delete; its leads stay.")
class LeadGroupDeleteInput:
    """A group."""

    by: LeadGroupBy = strawberry.field(description="Which group.")


@strawberry.input(description="A new organisation.")
class OrganizationCreateInput:
    """An organisation."""

    title: str = strawberry.field(description="Its name.")
    short_name: str | None = strawberry.field(default=None, description="Its short name.")
    long_name: str | None = strawberry.field(default=None, description="Its whole name.")
    url: str | None = strawberry.field(default=None, description="Its site.")
    organization_type_number: int | None = strawberry.field(
        default=None, description="Number of its type."
    )
    client_id: str | None = strawberry.field(default=None, description=_CLIENT_ID)


@strawberry.input(description="A new attachment, of a file that was sent to /v2/uploads before.")
class AttachmentCreateInput:
    """An attachment."""

    upload: str = strawberry.field(description="What /v2/uploads answered.")
    title: str = strawberry.field(description="Its name; the type is read from its end.")
    is_public: bool = strawberry.field(default=False, description="Whether everybody may see it.")
    client_id: str | None = strawberry.field(default=None, description=_CLIENT_ID)


@strawberry.input(description="Which attachment to delete.")
class AttachmentDeleteInput:
    """An attachment."""

    by: AttachmentBy = strawberry.field(description="Which attachment.")
