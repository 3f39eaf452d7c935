"""What may be written of a lead: checked values, rows that they name, and duplicates."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
)

from app.access.tables import memberships, users
from app.content.actions._shared import checked_text, checked_title
from app.content.kinds import FILES
from app.content.rules import may_read_attachment
from app.content.tables import (
    attachments,
    lead_assignees,
    lead_authors,
    lead_groups,
    leads,
    organizations,
)
from app.content.urls import normalised
from app.core import db
from app.core.errors import Invalid

LENGTHS = {"source_raw": 512, "website": 2000, "url": 2000, "text": 2_000_000}
_NAMES = {"source_raw": "source", "website": "website", "url": "url", "text": "text"}
LINKS = {"authors": (lead_authors, "organization_id"), "assignees": (lead_assignees, "user_id")}
MAX_LINKS = 50
MAX_FOUND = 1000
LOCKS = 32
_TEXT: ColumnElement[str] = literal_column("'text'")
"""No parameter: an index is of these alone."""


async def checked(
    tx: db.Tx, project_id: int, values: Mapping[str, Any], row: RowMapping | None
) -> dict[str, Any]:
    """The columns that the values mean, for a new lead or for `row`; Invalid for what cannot be."""
    found = dict(values)
    if row is None or "title" in found:
        found["title"] = checked_title(found.get("title"))
    for name, most in LENGTHS.items():
        if name in found:
            found[name] = checked_text(_NAMES[name], found[name] or "", most)
    for name, shown in (("emm_triggers", "emmTriggers"), ("emm_entities", "emmEntities")):
        if len(found.get(name) or ()) > MAX_FOUND:
            raise Invalid(f"At most {MAX_FOUND} of them.", path=(shown,))
    if "url" in found:
        found["url_key"] = normalised(found["url"])
    if "source_raw" in found and "source_id" not in found:
        found["source_id"] = None
    await _refuse_unknown(tx, project_id, found)
    return found


async def _refuse_unknown(tx: db.Tx, project_id: int, found: Mapping[str, Any]) -> None:
    async def need(name: str, shown: str, *where: ColumnElement[bool], of: Any) -> None:
        wanted = found.get(name)
        if wanted is None:
            return
        statement = select(of.c.id).where(of.c.id == wanted, *where)
        if not await tx.one(statement, tx.subject.parameters):
            text = f'Invalid pk "{wanted}" - object does not exist.'
            raise Invalid(text, path=(shown,))

    of_project = lead_groups.c.project_id == project_id
    await need("lead_group_id", "leadGroup", of_project, of=lead_groups)
    await need("attachment_id", "attachment", may_read_attachment(attachments.c), of=attachments)
    await need("source_id", "source", of=organizations)


async def refuse_duplicate(
    tx: db.Tx, project: RowMapping, lead: Mapping[str, Any], own_id: int = 0
) -> None:
    """Invalid DUPLICATE where the project has a lead of this page, file or text already."""
    what, key, same = await _sameness(tx, lead)
    if same is None:
        return
    # Of two that come at the same moment the second must see the first.
    # Few locks, since a thousand leads may be made at once.
    place = f"lead {project['id']} {crc32(f'{what} {key}'.encode()) % LOCKS}"
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(place, 0))))
    other = select(leads.c.id).where(leads.c.project_id == project["id"], leads.c.id != own_id)
    if await tx.one(other.where(same).limit(1)):
        raise Invalid(
            f"A source with this {what} has already been added to Project: {project['name']}",
            "DUPLICATE",
        )


async def _sameness(
    tx: db.Tx, lead: Mapping[str, Any]
) -> tuple[str, str, ColumnElement[bool] | None]:
    kind = lead.get("source_type")
    if kind == "website" and (key := lead.get("url_key")):
        return "URL", key, leads.c.url_key == key
    if kind == "text" and (text := lead.get("text")):
        digest = func.md5(text)
        return (
            "text",
            text[:100],
            (leads.c.source_type == _TEXT) & (func.md5(leads.c.text) == digest),
        )
    if kind in FILES and lead.get("attachment_id") is not None:
        sent = select(attachments.c.md5).where(attachments.c.id == lead["attachment_id"])
        row = await tx.one(sent)
        md5 = "" if row is None else row["md5"]
        equal = select(attachments.c.id).where(attachments.c.md5 == md5)
        return "file", md5, leads.c.attachment_id.in_(equal)
    return "", "", None


def links_of(found: dict[str, Any]) -> dict[str, Sequence[int]]:
    """Take what other tables keep of a lead out of its values."""
    return {name: found.pop(name) for name in LINKS if name in found}


async def write_links(
    tx: db.Tx, project_id: int, lead_id: int, links: Mapping[str, Sequence[int]]
) -> None:
    """Make these organisations and users, in order, the authors and assignees of a lead."""
    if "authors" in links:
        known = select(organizations.c.id)
        await _write(tx, "authors", lead_id, links["authors"], known)
    if "assignees" in links:
        member = select(memberships.c.user_id).where(memberships.c.project_id == project_id)
        # Who has left the project stays with what was assigned before.
        before = select(lead_assignees.c.user_id).where(lead_assignees.c.lead_id == lead_id)
        c = users.c
        known = select(c.id).where(or_(c.is_owner, c.id.in_(member), c.id.in_(before)))
        await _write(tx, "assignees", lead_id, links["assignees"], known)


async def _write(
    tx: db.Tx, name: str, lead_id: int, numbers: Sequence[int], known: Select[Any]
) -> None:
    wanted = list(dict.fromkeys(numbers))
    shown = {"authors": "authors", "assignees": "assignee"}[name]
    if len(wanted) > MAX_LINKS:
        raise Invalid(f"A lead has at most {MAX_LINKS} {name}.", path=(shown,))
    (key,) = known.selected_columns
    found = {row["id"] for row in await tx.all(known.where(key.in_(wanted)))}
    if missing := set(wanted) - found:
        text = f'Invalid pk "{min(missing)}" - object does not exist.'
        raise Invalid(text, path=(shown,))
    table, column = LINKS[name]
    await tx.execute(delete(table).where(table.c.lead_id == lead_id))
    if wanted:
        rows = [{"lead_id": lead_id, column: n, "position": i} for i, n in enumerate(wanted)]
        await tx.execute(insert(table), rows)
