"""Root fields that change leads, groups, organisations and attachments."""

from typing import Any

import strawberry
from sqlalchemy import select

from app.content import tables as t
from app.content.actions import attachments, groups, leads
from app.content.actions.leads import Item, Outcome
from app.content.inputs import (
    AttachmentCreateInput,
    AttachmentDeleteInput,
    ContentError,
    ContentErrorCode,
    LeadBulkInput,
    LeadBulkItem,
    LeadCopyInput,
    LeadCreateInput,
    LeadDeleteInput,
    LeadFields,
    LeadGroupCreateInput,
    LeadGroupDeleteInput,
    LeadGroupUpdateInput,
    LeadUpdateInput,
    OrganizationCreateInput,
)
from app.content.queries import attachment_named, group_key, lead_key
from app.content.types import Attachment, Lead, LeadGroup, Organization
from app.core.db import reading
from app.core.errors import Invalid
from app.core.ids import global_id
from app.graphql.context import Info
from app.graphql.payloads import given, mutation
from app.graphql.references import row
from app.projects.queries import project_row

ERRORS = "Faults that the sender of the input can correct."
_PLAIN = ("title", "website", "url", "text", "published_on", "client_id")
_RENAMED = {
    "source": "source_raw",
    "source_number": "source_id",
    "assignee_numbers": "assignees",
    "lead_group_number": "lead_group_id",
    "attachment_number": "attachment_id",
    "author_numbers": "authors",
}
_WORDS = ("source_type", "priority", "confidentiality", "status")
_NOT_NULL = (*_WORDS, "is_assessment_lead", "authors", "assignees")


def stored(fields: LeadFields) -> dict[str, Any]:
    """What an input sets of a lead, by the names of columns; a null where none may be is left out."""
    values = given(fields, *_PLAIN, *_RENAMED, *_WORDS, "is_assessment_lead")
    named = {_RENAMED.get(name, name): value for name, value in values.items()}
    if named.get("source_id") is not None:
        named.setdefault("source_raw", "")
    for name, items in given(fields, "emm_triggers", "emm_entities").items():
        named[name] = [_plain(item) for item in items or ()]
    kept = {n: v for n, v in named.items() if v is not None or n not in _NOT_NULL}
    return {n: v.value if n in _WORDS else v for n, v in kept.items()}


def _plain(item: Any) -> dict[str, Any]:
    names = {"emm_keyword": "emmKeyword", "emm_risk_factor": "emmRiskFactor"}
    return {names.get(name, name): value for name, value in vars(item).items()}


@strawberry.type(description="Answer to leadCreate, leadUpdate and leadDelete.")
class LeadPayload:
    """The lead as it is now."""

    lead: Lead | None = strawberry.field(default=None, description="The lead.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the lead that is gone."
    )
    errors: list[ContentError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="What became of one of many leads.")
class LeadBulkResult:
    """One item's outcome."""

    index: int = strawberry.field(description="The item's place in the input, from 0.")
    client_id: str | None = strawberry.field(description="The clientId of the item.")
    lead: Lead | None = strawberry.field(description="The lead; null where it was not saved.")
    errors: list[ContentError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Answer to leadBulk.")
class LeadBulkPayload:
    """What became of many leads."""

    results: list[LeadBulkResult] | None = strawberry.field(
        default=None, description="One for each item, in the same order; at most 1000."
    )
    deleted_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Ids of the leads that are gone."
    )
    errors: list[ContentError] = strawberry.field(
        default_factory=list, description="Why nothing was saved, where nothing was."
    )


@strawberry.type(description="Copies of leads in one project.")
class LeadCopies:
    """New leads of a project."""

    project_number: int = strawberry.field(description="Number of the project.")
    lead_numbers: list[int] = strawberry.field(description="Numbers of the new leads.")


@strawberry.type(description="Answer to leadCopy.")
class LeadCopyPayload:
    """What was copied."""

    copies: list[LeadCopies] | None = strawberry.field(
        default=None,
        description="New leads by project; duplicates are passed over. At most 1000.",
    )
    errors: list[ContentError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to leadGroupCreate, leadGroupUpdate and leadGroupDelete.")
class LeadGroupPayload:
    """The group as it is now."""

    lead_group: LeadGroup | None = strawberry.field(default=None, description="The group.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the group that is gone."
    )
    errors: list[ContentError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to organizationCreate.")
class OrganizationPayload:
    """The organisation as it is now."""

    organization: Organization | None = strawberry.field(
        default=None, description="The organisation."
    )
    errors: list[ContentError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to attachmentCreate and attachmentDelete.")
class AttachmentPayload:
    """The attachment as it is now."""

    attachment: Attachment | None = strawberry.field(default=None, description="The attachment.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the attachment that is gone."
    )
    errors: list[ContentError] = strawberry.field(default_factory=list, description=ERRORS)


def _error(fault: Invalid) -> ContentError:
    known = ContentErrorCode.__members__
    code = ContentErrorCode[fault.reason if fault.reason in known else "INVALID"]
    return ContentError(message=fault.message, code=code, path=list(fault.path))


def _result(index: int, item: LeadBulkItem, outcome: Outcome, lead: Any) -> LeadBulkResult:
    errors = [] if outcome.fault is None else [_error(outcome.fault)]
    client_id = item.lead.client_id or None
    return LeadBulkResult(index=index, client_id=client_id, lead=lead, errors=errors)


@strawberry.type
class ContentMutation:
    """Changes of leads and what belongs to them."""

    @mutation(LeadPayload, ContentError, "Make a lead.")
    async def lead_create(self, info: Info, input: LeadCreateInput) -> LeadPayload:
        """Make a lead."""
        project = await project_row(info, input.project)
        made = await leads.create_lead(info.context.subject, project, stored(input.lead))
        return LeadPayload(lead=row("Lead", made))

    @mutation(LeadPayload, ContentError, "Change a lead.")
    async def lead_update(self, info: Info, input: LeadUpdateInput) -> LeadPayload:
        """Change a lead."""
        subject, wanted = info.context.subject, lead_key(input.by)
        within = None if input.project is None else await project_row(info, input.project)
        version = input.expected_version
        await leads.update_lead(subject, wanted, stored(input.lead), version, within)
        return LeadPayload(lead=row("Lead", wanted))

    @mutation(LeadPayload, ContentError, "Delete a lead; its attachment stays.")
    async def lead_delete(self, info: Info, input: LeadDeleteInput) -> LeadPayload:
        """Delete a lead."""
        subject = info.context.subject
        gone = await leads.delete_lead(subject, lead_key(input.by), input.expected_version)
        return LeadPayload(deleted_id=strawberry.ID(global_id("Lead", gone)))

    @mutation(LeadBulkPayload, ContentError, "Make, change and delete many leads.")
    async def lead_bulk(self, info: Info, input: LeadBulkInput) -> LeadBulkPayload:
        """Many at once."""
        subject = info.context.subject
        about = None if input.project is None else await project_row(info, input.project)
        items = [await _item(info, one, about) for one in input.items]
        gone = [lead_key(one) for one in input.delete]
        done = await leads.bulk(subject, about, items, gone, atomic=input.atomic)
        return LeadBulkPayload(
            results=[
                _result(index, item, outcome, row("Lead", outcome.lead_id))
                for index, (item, outcome) in enumerate(
                    zip(input.items, done.outcomes, strict=False)
                )
            ],
            deleted_ids=[strawberry.ID(global_id("Lead", one)) for one in done.deleted],
            errors=[] if done.failed is None else [_error(done.failed)],
        )

    @mutation(LeadCopyPayload, ContentError, "Copy leads to other projects.")
    async def lead_copy(self, info: Info, input: LeadCopyInput) -> LeadCopyPayload:
        """Copy leads."""
        to = [await project_row(info, one) for one in input.projects]
        made = await leads.copy(info.context.subject, [lead_key(one) for one in input.leads], to)
        copies = [LeadCopies(project_number=n, lead_numbers=found) for n, found in made.items()]
        return LeadCopyPayload(copies=copies)

    @mutation(LeadGroupPayload, ContentError, "Make a group of leads.")
    async def lead_group_create(self, info: Info, input: LeadGroupCreateInput) -> LeadGroupPayload:
        """Make a group."""
        project = await project_row(info, input.project)
        values = given(input, "title", "client_id")
        subject = info.context.subject
        made = await groups.create_group(subject, project, values, input.lead_numbers)
        return LeadGroupPayload(lead_group=row("LeadGroup", made))

    @mutation(LeadGroupPayload, ContentError, "Change a group of leads.")
    async def lead_group_update(self, info: Info, input: LeadGroupUpdateInput) -> LeadGroupPayload:
        """Change a group."""
        wanted = group_key(input.by)
        numbers = given(input, "lead_numbers").get("lead_numbers")
        subject, values = info.context.subject, given(input, "title")
        within = None if input.project is None else await project_row(info, input.project)
        version = input.expected_version
        await groups.update_group(subject, wanted, values, numbers, version, within)
        return LeadGroupPayload(lead_group=row("LeadGroup", wanted))

    @mutation(LeadGroupPayload, ContentError, "Delete a group of leads; they stay.")
    async def lead_group_delete(self, info: Info, input: LeadGroupDeleteInput) -> LeadGroupPayload:
        """Delete a group."""
        gone = await groups.delete_group(info.context.subject, group_key(input.by))
        return LeadGroupPayload(deleted_id=strawberry.ID(global_id("LeadGroup", gone)))

    @mutation(OrganizationPayload, ContentError, "Make an organisation.")
    async def organization_create(
        self, info: Info, input: OrganizationCreateInput
    ) -> OrganizationPayload:
        """Make an organisation."""
        values = given(input, "title", "short_name", "long_name", "url", "client_id")
        kept = {n: v for n, v in values.items() if v is not None}
        kept["organization_type_id"] = input.organization_type_number
        made = await groups.create_organization(info.context.subject, kept)
        return OrganizationPayload(organization=row("Organization", made))

    @mutation(AttachmentPayload, ContentError, "Make an attachment of a file that was sent.")
    async def attachment_create(
        self, info: Info, input: AttachmentCreateInput
    ) -> AttachmentPayload:
        """Make an attachment."""
        values = given(input, "title", "is_public", "client_id")
        made = await attachments.create_attachment(info.context.subject, input.upload, values)
        return AttachmentPayload(attachment=row("Attachment", made))

    @mutation(AttachmentPayload, ContentError, "Delete an attachment that the caller has sent.")
    async def attachment_delete(
        self, info: Info, input: AttachmentDeleteInput
    ) -> AttachmentPayload:
        """Delete an attachment."""
        wanted = select(t.attachments.c.id).where(attachment_named(input.by))
        async with reading() as connection:
            named = await connection.scalar(wanted)
        gone = await attachments.delete_attachment(info.context.subject, named or 0)
        return AttachmentPayload(deleted_id=strawberry.ID(global_id("Attachment", gone)))


async def _item(info: Info, item: LeadBulkItem, about: int | None) -> Item:
    values = stored(item.lead)
    if item.by is not None:
        return Item(values, lead_key(item.by), expected_version=item.expected_version)
    own = about if item.project is None and about is not None else None
    project = await project_row(info, item.project) if own is None else own
    return Item(values, project_id=project)
