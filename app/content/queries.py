"""Root fields to read leads, groups, organisations and attachments."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import strawberry

from app.content import filters as f
from app.content import tables as t
from app.content.inputs import AttachmentBy, LeadBy, LeadGroupBy, OrganizationBy
from app.content.types import Attachment, Lead, LeadGroup, Organization, OrganizationType
from app.core.rules import VIEWER
from app.graphql.compiler.declare import Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.fields import root_connection, root_list, root_one
from app.graphql.payloads import int_key
from app.projects.queries import project_key

PROJECT: dict[str, tuple[Any, str]] = {
    "project_id": (
        strawberry.ID | None,
        "In which project; in all that the caller may see where left out.",
    )
}


def row_key(by: Any, type_name: str, what: str) -> int:
    """The row key that a `by` of id or number means."""
    if not by.id:
        return by.number or 0
    found: int = derive(lambda text: int_key(text, type_name, what), by.id, like=0)
    return found


def lead_key(by: LeadBy) -> int:
    """The row key of a lead."""
    return row_key(by, "Lead", "lead")


def group_key(by: LeadGroupBy) -> int:
    """The row key of a group of leads."""
    return row_key(by, "LeadGroup", "group")


def organization_key(by: OrganizationBy) -> int:
    """The row key of an organisation."""
    return row_key(by, "Organization", "organisation")


def attachment_named(by: AttachmentBy) -> Any:
    """The condition that an AttachmentBy means."""
    c = t.attachments.c
    if by.uuid:
        return c.uuid == derive(_uuid, by.uuid, like=UUID(int=0))
    return c.id == row_key(by, "Attachment", "attachment")


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        # A text that is no uuid names no attachment.
        return UUID(int=0)


def _in_project(table: Any) -> Callable[[Mapping[str, Any]], Scoped]:
    def scope(given: Mapping[str, Any]) -> Scoped:
        if given["project_id"] is None:
            return Scoped(())
        return Scoped((table.c.project_id == derive(project_key, given["project_id"], like=0),))

    return scope


def _own_attachments(_: Mapping[str, Any]) -> Scoped:
    return Scoped((t.attachments.c.created_by == VIEWER.id,))


@strawberry.type
class ContentQuery:
    """Leads and what belongs to them."""

    leads: Connection[Lead] = root_connection(
        "Lead",
        "Leads, last changed first.",
        where=f.LeadFilter,
        columns=f.LEAD_COLUMNS,
        order=f.LeadOrder,
        default_order=f.LEAD_DEFAULT,
        scope=_in_project(t.leads),
        extra=PROJECT,
    )
    lead_groups: Connection[LeadGroup] = root_connection(
        "LeadGroup",
        "Groups of leads, newest first.",
        where=f.LeadGroupFilter,
        columns=f.LEAD_GROUP_COLUMNS,
        order=f.LeadGroupOrder,
        default_order=f.LEAD_GROUP_DEFAULT,
        scope=_in_project(t.lead_groups),
        extra=PROJECT,
    )
    organizations: Connection[Organization] = root_connection(
        "Organization",
        "Organisations, by title.",
        where=f.OrganizationFilter,
        columns=f.ORGANIZATION_COLUMNS,
        order=f.OrganizationOrder,
        default_order=[(t.organizations.c.title, False)],
    )
    organization_types: list[OrganizationType] = root_list(
        "OrganizationType",
        OrganizationType,
        "Kinds of organisation; at most 100.",
        order=[t.organization_types.c.id],
        limit=100,
    )
    attachments: Connection[Attachment] = root_connection(
        "Attachment",
        "Files that the caller has sent, newest first.",
        where=f.AttachmentFilter,
        columns=f.ATTACHMENT_COLUMNS,
        order=f.AttachmentOrder,
        default_order=[(t.attachments.c.id, True)],
        scope=_own_attachments,
    )

    lead: Lead | None = root_one(
        "Lead",
        Lead,
        "One lead.",
        arguments={"by": (LeadBy, "Which lead.")},
        named=lambda given: Scoped((t.leads.c.id == lead_key(given["by"]),)),
    )
    lead_group: LeadGroup | None = root_one(
        "LeadGroup",
        LeadGroup,
        "One group of leads.",
        arguments={"by": (LeadGroupBy, "Which group.")},
        named=lambda given: Scoped((t.lead_groups.c.id == group_key(given["by"]),)),
    )
    organization: Organization | None = root_one(
        "Organization",
        Organization,
        "One organisation.",
        arguments={"by": (OrganizationBy, "Which organisation.")},
        named=lambda given: Scoped((t.organizations.c.id == organization_key(given["by"]),)),
    )
    attachment: Attachment | None = root_one(
        "Attachment",
        Attachment,
        "One attachment.",
        arguments={"by": (AttachmentBy, "Which attachment.")},
        named=lambda given: Scoped((attachment_named(given["by"]),)),
    )
