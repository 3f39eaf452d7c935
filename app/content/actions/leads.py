"""Verbs of leads: one, many, and copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, select

from app.content.actions._fields import checked, links_of, refuse_duplicate, write_links
from app.content.actions._shared import in_project, lock_row, refuse_move, refuse_taken
from app.content.rules import may_read_lead
from app.content.tables import lead_authors, leads
from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from app.core.rules import Subject
from app.projects.tables import projects

MOST = 1000
COPIED = (
    "title",
    "source_raw",
    "source_id",
    "website",
    "url",
    "url_key",
    "text",
    "source_type",
    "priority",
    "confidentiality",
    "published_on",
    "attachment_id",
    "is_assessment_lead",
    "emm_triggers",
    "emm_entities",
)
_REASONS = {Forbidden: "NOT_ALLOWED", NotFound: "NOT_FOUND", Conflict: "CONFLICT"}


@dataclass(frozen=True)
class Item:
    """One of many: a change of `lead_id`, or a new lead of `project_id`."""

    values: Mapping[str, Any]
    lead_id: int | None = None
    project_id: int | None = None
    expected_version: int | None = None


@dataclass
class Outcome:
    """What became of an item: the lead's id, or its fault."""

    lead_id: int | None = None
    fault: Invalid | None = None


@dataclass
class Bulk:
    """What became of many; `failed`: the fault for which nothing was saved."""

    outcomes: list[Outcome] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    failed: Invalid | None = None


class _GiveUp(Exception):
    """Nothing of a bulk shall be saved."""


async def create_lead(subject: Subject, project_id: int, values: Mapping[str, Any]) -> int:
    """Make a lead; Invalid DUPLICATE where the project has this page, file or text already."""
    async with db.transaction(subject) as tx:
        lead_id = await _insert(tx, project_id, values)
        await tx.audit("lead.create", "Lead", lead_id, project_id=project_id)
    return lead_id


async def update_lead(
    subject: Subject,
    lead_id: int,
    values: Mapping[str, Any],
    expected_version: int | None,
    within: int | None = None,
) -> int:
    """Change a lead; Invalid where it is not of the project `within`."""
    async with db.transaction(subject) as tx:
        project_id = await _change(tx, lead_id, values, expected_version)
        refuse_move(project_id, within)
        fields = sorted(values)
        await tx.audit("lead.update", "Lead", lead_id, project_id=project_id, fields=fields)
    return lead_id


async def delete_lead(subject: Subject, lead_id: int, expected_version: int | None = None) -> int:
    """Delete a lead; its attachment stays with who sent it."""
    async with db.transaction(subject) as tx:
        row = await _remove(tx, lead_id, None, expected_version)
        await tx.audit("lead.delete", "Lead", lead_id, project_id=row["project_id"])
    return lead_id


async def bulk(
    subject: Subject,
    project_id: int | None,
    items: Sequence[Item],
    delete_ids: Sequence[int],
    *,
    atomic: bool,
) -> Bulk:
    """Make, change and delete many leads.

    `atomic`: all or nothing, and `failed` says why it is nothing. Else each item stands alone; what
    is to be deleted is always all or nothing. With `project_id` only leads of that project go.
    """
    subject.require_known()
    if max(len(items), len(delete_ids)) > MOST:
        raise Invalid(f"At most {MOST} leads at once.", path=("items",))
    done = Bulk()
    try:
        async with db.transaction(subject) as tx:
            for lead_id in dict.fromkeys(delete_ids):
                await _remove(tx, lead_id, project_id, None)
                done.deleted.append(lead_id)
            for item in items:
                done.outcomes.append(await _attempt(tx, item))
            done.failed = next((o.fault for o in done.outcomes if o.fault), None)
            if atomic and done.failed is not None:
                raise _GiveUp
            touched = [*done.deleted, *(o.lead_id for o in done.outcomes if o.lead_id)]
            about = project_id if project_id is not None else await _project_of(tx, touched)
            shown = f"{len(touched)} leads"
            await tx.audit("lead.bulk", "Lead", shown, project_id=about, fields=_written(items))
    except _GiveUp:
        done.deleted = []
        done.outcomes = [Outcome(fault=one.fault) for one in done.outcomes]
    else:
        done.failed = None
    return done


def _written(items: Sequence[Item]) -> list[str]:
    return sorted({name for item in items for name in item.values})


async def _project_of(tx: db.Tx, touched: Sequence[int | None]) -> int | None:
    row = await tx.one(select(leads.c.project_id).where(leads.c.id.in_(touched)).limit(1))
    return None if row is None else row["project_id"]


async def _attempt(tx: db.Tx, item: Item) -> Outcome:
    """One item, in a savepoint of its own; its fault where it cannot be."""
    try:
        async with tx.connection.begin_nested():
            if item.lead_id is not None:
                await _change(tx, item.lead_id, item.values, item.expected_version)
                return Outcome(item.lead_id)
            assert item.project_id is not None
            return Outcome(await _insert(tx, item.project_id, item.values))
    except Invalid as fault:
        return Outcome(fault=fault)
    except DomainError as refused:
        reason = _REASONS.get(type(refused), "INVALID")
        return Outcome(fault=Invalid(refused.message, reason, path=refused.path))


async def copy(
    subject: Subject, lead_ids: Sequence[int], project_ids: Sequence[int]
) -> dict[int, list[int]]:
    """Copy leads to projects, without duplicates; new ids by project.

    Group, assignees and status do not come along: they belong to the project.
    """
    subject.require_known()
    if len(lead_ids) * len(project_ids) > MOST:
        raise Invalid(f"At most {MOST} copies at once.", path=("leads",))
    made: dict[int, list[int]] = {}
    async with db.transaction(subject) as tx:
        wanted = select(leads).where(leads.c.id.in_(lead_ids), may_read_lead(leads.c))
        rows = await tx.all(wanted.order_by(leads.c.id), dict(subject.parameters))
        for project_id in dict.fromkeys(project_ids):
            await in_project(tx, project_id)
            copies = [await _copy(tx, row, project_id) for row in rows]
            made[project_id] = [one for one in copies if one is not None]
        about = project_ids[0] if project_ids else None
        await tx.audit("lead.copy", "Lead", f"{len(rows)} leads", project_id=about)
    return made


async def _copy(tx: db.Tx, row: RowMapping, project_id: int) -> int | None:
    wrote = select(lead_authors).where(lead_authors.c.lead_id == row["id"])
    authors = await tx.all(wrote.order_by(lead_authors.c.position))
    values = {name: row[name] for name in COPIED}
    try:
        async with tx.connection.begin_nested():
            return await _insert(
                tx, project_id, {**values, "authors": [one["organization_id"] for one in authors]}
            )
    except Invalid as fault:
        if fault.reason != "DUPLICATE":
            raise
        return None


async def _insert(tx: db.Tx, project_id: int, values: Mapping[str, Any]) -> int:
    project = await in_project(tx, project_id)
    found = await checked(tx, project_id, values, None)
    links = links_of(found)
    await refuse_taken(tx, leads, found)
    await refuse_duplicate(tx, project, {"source_type": "unknown", **found})
    who = tx.subject.user_id
    own = {"project_id": project_id, "created_by": who, "updated_by": who}
    row = await insert_row(tx, leads, {**found, **own})
    await write_links(tx, project_id, row["id"], links)
    return int(row["id"])


async def _change(
    tx: db.Tx, lead_id: int, values: Mapping[str, Any], expected_version: int | None
) -> int:
    row = await lock_row(tx, leads, lead_id, "lead")
    project_id = int(row["project_id"])
    found = await checked(tx, project_id, values, row)
    links = links_of(found)
    await refuse_taken(tx, leads, found, lead_id)
    if {"source_type", "url", "text", "attachment_id"} & set(found):
        project = await tx.one(select(projects).where(projects.c.id == project_id))
        assert project is not None
        await refuse_duplicate(tx, project, {**row, **found}, lead_id)
    changed = {**found, "updated_by": tx.subject.user_id}
    await update_row(tx, leads, row, changed, expected_version)
    await write_links(tx, project_id, lead_id, links)
    return project_id


async def _remove(
    tx: db.Tx, lead_id: int, project_id: int | None, expected_version: int | None
) -> RowMapping:
    row = await lock_row(tx, leads, lead_id, "lead")
    if project_id is not None and row["project_id"] != project_id:
        raise NotFound("There is no such lead.")
    if expected_version is not None and row["version"] != expected_version:
        raise Conflict(f"It has version {row['version']} now, not {expected_version}.")
    await delete_row(tx, leads, lead_id)
    return row
