"""What the verbs of this domain check alike."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Table, case, select

from app.core import db
from app.core.errors import Invalid, NotFound
from app.ingestion.secrets import End
from app.ingestion.tables import connectors, sync_jobs
from app.projects.tables import projects
from app.runs.tables import runs

NAME_LENGTH = 100
VERSION_LENGTH = 50
ACTIVE = ("queued", "running")
JSON_BYTES = 256 * 1024


async def lock_live(tx: db.Tx, table: Table, row_id: int, permission: str, what: str) -> RowMapping:
    """A row that is not deleted, locked for a change; NotFound where missing or hidden."""
    tx.subject.require_known()
    wanted = select(table).where(table.c.id == row_id, table.c.deleted_at.is_(None))
    row = await tx.one(wanted.with_for_update(key_share=True))
    if row is None or not tx.subject.may("pipeline.read", row["project_id"]):
        raise NotFound(f"There is no such {what}.")
    tx.subject.require(permission, row["project_id"])
    return row


async def in_project(tx: db.Tx, project_id: int, permission: str) -> None:
    """The caller may do this in the project; NotFound where it is missing or hidden."""
    tx.subject.require_known()
    row = await tx.one(select(projects.c.id).where(projects.c.id == project_id))
    if row is None or not tx.subject.may("project.read", project_id):
        raise NotFound("There is no such project.")
    tx.subject.require(permission, project_id)


async def connector(tx: db.Tx, end: End, type_: str, version: str) -> RowMapping:
    """The connector of that type: the version that is asked for, else the newest."""
    c = connectors.c
    exact = case((c.connector_version == version, 1), else_=0)
    wanted = select(connectors).where(c.kind == end, c.type == type_)
    row = await tx.one(wanted.order_by(exact.desc(), c.id.desc()).limit(1))
    if row is None:
        known = await tx.all(select(c.type).where(c.kind == end).distinct().order_by(c.type))
        names = ", ".join(one["type"] for one in known)
        text = f"There is no {end} of type {type_[:50]!r}. Known: {names}."
        raise Invalid(text, "TYPE_UNKNOWN", path=("type",))
    return row


def checked_name(name: str | None, what: str) -> str:
    """A name of one to a hundred characters, without space around it."""
    text = (name or "").strip()
    if not text:
        raise Invalid(f"{what} needs a name.", "NAME_MISSING", path=("name",))
    if len(text) > NAME_LENGTH or "\x00" in text:
        raise Invalid(f"A name has at most {NAME_LENGTH} characters.", path=("name",))
    return text


def checked_version(version: str | None) -> str:
    """A connector's version."""
    if not version or len(version) > VERSION_LENGTH or "\x00" in version:
        text = f"A connector's version has 1 to {VERSION_LENGTH} characters."
        raise Invalid(text, path=("connectorVersion",))
    return version


async def refuse_taken(
    tx: db.Tx, table: Table, project_id: int, name: str, what: str, own_id: int = 0
) -> None:
    """Invalid NAME_TAKEN where another live row of the project has the name."""
    c = table.c
    same = (c.project_id == project_id, c.name == name, c.deleted_at.is_(None), c.id != own_id)
    if await tx.one(select(c.id).where(*same)):
        raise Invalid(f"{what} name {name!r} is not unique.", "NAME_TAKEN", path=("name",))


async def unfinished(tx: db.Tx, *where: ColumnElement[bool]) -> Sequence[RowMapping]:
    """Id and kind of the runs of jobs that go on, where `where` holds."""
    found = select(runs.c.id, runs.c.kind, runs.c.subject_id).where(
        runs.c.kind.in_(("sync", "clear")), runs.c.status.in_(ACTIVE), *where
    )
    return await tx.all(found.order_by(runs.c.id))


async def syncs_of(tx: db.Tx, end: End, row_id: int) -> list[UUID]:
    """The syncs that go on of the live jobs that use a source or a destination."""
    column = sync_jobs.c[f"{end}_id"]
    used = select(sync_jobs.c.id).where(column == row_id, sync_jobs.c.deleted_at.is_(None))
    found = await unfinished(tx, runs.c.subject_id.in_(used), runs.c.kind == "sync")
    return [row["id"] for row in found]
