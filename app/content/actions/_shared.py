"""What the verbs of this domain check alike."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, Table, select

from app.content.rules import may_read_group, may_read_lead
from app.content.tables import lead_groups, leads
from app.core import db
from app.core.errors import Invalid, NotFound
from app.projects.rules import is_open_to
from app.projects.tables import projects

TITLE_LENGTH = 255
CLIENT_ID_LENGTH = 128
NO_PROJECT = "NO_PROJECT"
_POLICIES = {leads: may_read_lead, lead_groups: may_read_group}


async def in_project(tx: db.Tx, project_id: int) -> RowMapping:
    """A project whose leads the caller may write; NotFound where it is missing or hidden.

    It stays as long as the transaction.
    """
    tx.subject.require_known()
    wanted = select(projects).where(projects.c.id == project_id)
    row = await tx.one(wanted.with_for_update(read=True, key_share=True))
    if row is None or not is_open_to(tx.subject, row):
        raise NotFound("There is no such project.", reason=NO_PROJECT)
    tx.subject.require("lead.write", project_id)
    return row


async def lock_row(tx: db.Tx, table: Table, row_id: int, what: str) -> RowMapping:
    """A lead or group, locked for a change; NotFound where it is missing or hidden."""
    tx.subject.require_known()
    wanted = select(table).where(table.c.id == row_id, _POLICIES[table](table.c))
    row = await tx.one(wanted.with_for_update(key_share=True), tx.subject.parameters)
    if row is None:
        raise NotFound(f"There is no such {what}.")
    tx.subject.require("lead.write", row["project_id"])
    return row


def refuse_move(project_id: int, wanted: int | None) -> None:
    """Invalid where a row is wanted in another project than its own."""
    if wanted not in (None, project_id):
        raise Invalid("It stays in its project. Copy it to another one.", path=("project",))


def checked_title(title: str | None) -> str:
    """A title of 1 to 255 characters."""
    text = (title or "").strip()
    if not text:
        raise Invalid("This field may not be blank.", "TITLE_MISSING", path=("title",))
    checked_text("title", text, TITLE_LENGTH)
    return text


def checked_text(name: str, value: str, most: int) -> str:
    """A text that is not too long; `name` as GraphQL has it."""
    if len(value) > most:
        text = f"Ensure this field has no more than {most} characters."
        raise Invalid(text, path=(name,))
    return value


async def refuse_taken(tx: db.Tx, table: Table, values: Mapping[str, Any], own_id: int = 0) -> None:
    """Invalid CLIENT_ID_TAKEN where another row of the table has the caller's key."""
    wanted = values.get("client_id")
    if wanted is None:
        return
    checked_text("clientId", wanted, CLIENT_ID_LENGTH)
    same = select(table.c.id).where(table.c.client_id == wanted, table.c.id != own_id)
    if await tx.one(same):
        raise Invalid("This clientId is in use.", "CLIENT_ID_TAKEN", path=("clientId",))
