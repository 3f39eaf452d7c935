"""Verbs of lead groups and organisations."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, func, select, update

from app.content.actions._shared import (
    checked_text,
    checked_title,
    in_project,
    lock_row,
    refuse_move,
    refuse_taken,
)
from app.content.rules import may_read_lead
from app.content.tables import lead_groups, leads, organization_types, organizations
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid
from app.core.rules import Subject

MOST = 1000


async def create_group(
    subject: Subject, project_id: int, values: Mapping[str, Any], lead_ids: Sequence[int]
) -> int:
    """Make a group of leads."""
    async with db.transaction(subject) as tx:
        await in_project(tx, project_id)
        who = subject.user_id
        found = {**values, "title": checked_title(values["title"])}
        await refuse_taken(tx, lead_groups, found)
        own = {"project_id": project_id, "created_by": who, "updated_by": who}
        row = await insert_row(tx, lead_groups, {**found, **own})
        await _join(tx, row, lead_ids)
        await tx.audit("lead_group.create", "LeadGroup", row["id"], project_id=project_id)
    return int(row["id"])


async def update_group(
    subject: Subject,
    group_id: int,
    values: Mapping[str, Any],
    lead_ids: Sequence[int] | None,
    expected_version: int | None,
    within: int | None = None,
) -> int:
    """Change a group's title or which leads are in it; Invalid where it is not `within`."""
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, lead_groups, group_id, "group")
        refuse_move(row["project_id"], within)
        found = dict(values)
        if "title" in found:
            found["title"] = checked_title(found["title"])
        changed = {**found, "updated_by": subject.user_id}
        await update_row(tx, lead_groups, row, changed, expected_version)
        if lead_ids is not None:
            leave = update(leads).where(leads.c.lead_group_id == group_id)
            await tx.execute(leave.values(lead_group_id=None))
            await _join(tx, row, lead_ids)
        fields = sorted(found) + (["leads"] if lead_ids is not None else [])
        about = {"project_id": row["project_id"], "fields": fields}
        await tx.audit("lead_group.update", "LeadGroup", group_id, **about)
    return group_id


async def delete_group(subject: Subject, group_id: int) -> int:
    """Delete a group; its leads stay."""
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, lead_groups, group_id, "group")
        await delete_row(tx, lead_groups, group_id)
        await tx.audit("lead_group.delete", "LeadGroup", group_id, project_id=row["project_id"])
    return group_id


async def _join(tx: db.Tx, group: RowMapping, lead_ids: Sequence[int]) -> None:
    wanted = set(lead_ids)
    if len(wanted) > MOST:
        raise Invalid(f"At most {MOST} leads at once.", path=("leads",))
    if not wanted:
        return
    of_project = (leads.c.id.in_(wanted), leads.c.project_id == group["project_id"])
    found = select(leads.c.id).where(*of_project, may_read_lead(leads.c))
    known = {row["id"] for row in await tx.all(found, dict(tx.subject.parameters))}
    if missing := wanted - known:
        text = f'Invalid pk "{min(missing)}" - object does not exist.'
        raise Invalid(text, path=("leads",))
    joined = update(leads).where(leads.c.id.in_(wanted))
    await tx.execute(joined.values(lead_group_id=group["id"]))


async def create_organization(subject: Subject, values: Mapping[str, Any]) -> int:
    """Make an organisation; who may write leads somewhere may."""
    subject.require_somewhere("lead.write")
    found = {**values, "title": checked_title(values["title"])}
    for name in ("short_name", "long_name", "url"):
        if name in found:
            found[name] = checked_text(name, found[name] or "", 512)
    async with db.transaction(subject) as tx:
        await refuse_taken(tx, organizations, found)
        await _known_type(tx, found.get("organization_type_id"))
        who = {"created_by": subject.user_id, "updated_by": subject.user_id}
        row = await insert_row(tx, organizations, {**found, **who})
        await tx.audit("organization.create", "Organization", row["id"])
    return int(row["id"])


async def _known_type(tx: db.Tx, type_id: int | None) -> None:
    if type_id is None:
        return
    known = select(func.count().label("n")).where(organization_types.c.id == type_id)
    row = await tx.one(known)
    if row is None or not row["n"]:
        text = f'Invalid pk "{type_id}" - object does not exist.'
        raise Invalid(text, path=("organizationType",))
