"""Who may read leads, groups, organisations and attachments."""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, literal, or_, select

from app.content.tables import leads
from app.core.rules import VIEWER


def may_read_lead(row: Any) -> ColumnElement[bool]:
    """All leads of the project, or all but confidential ones, as the caller's role says."""
    return or_(
        VIEWER.holds("lead.read", row.project_id),
        and_(
            VIEWER.holds("lead.read_unprotected", row.project_id),
            row.confidentiality != "confidential",
        ),
    )


def may_read_group(row: Any) -> ColumnElement[bool]:
    """Groups, for whom any leads of the project are there."""
    return or_(
        VIEWER.holds("lead.read", row.project_id),
        VIEWER.holds("lead.read_unprotected", row.project_id),
    )


def may_read_part(row: Any) -> ColumnElement[bool]:
    """Authors and assignees of the leads that the caller may read."""
    lead = leads.alias()
    return exists(select(literal(1)).where(lead.c.id == row.lead_id, may_read_lead(lead.c)))


def may_read_attachment(row: Any) -> ColumnElement[bool]:
    """Who sent it, and who may read a lead that has it; a public one everybody.

    That a user sent it is no reason for keys that do not have all rights of the user.
    """
    lead = leads.alias()
    shown = exists(select(literal(1)).where(lead.c.attachment_id == row.id, may_read_lead(lead.c)))
    sent = and_(VIEWER.is_whole, row.created_by == VIEWER.id)
    return or_(VIEWER.is_owner, row.is_public, sent, shown)


def may_read_organization(_: Any) -> ColumnElement[bool]:
    """Organisations are the same for every user; of keys and JWTs, for those that may read leads."""
    reads = ("lead.read", "lead.read_unprotected")
    return or_(VIEWER.is_whole, *(VIEWER.holds_somewhere(one) for one in reads))
