"""Verbs of sources and destinations, which differ in nothing but their table."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, Table, func, select, update

from app.core import db
from app.core.changes import insert_row, update_row
from app.core.errors import Conflict
from app.core.rules import Subject
from app.ingestion.actions._shared import (
    checked_name,
    checked_version,
    connector,
    lock_live,
    refuse_taken,
    syncs_of,
)
from app.ingestion.config import check_config
from app.ingestion.secrets import TABLES, End, opened, place, seal, shown, with_secrets
from app.ingestion.tables import sync_jobs
from app.projects.actions import lock_project
from app.runs.many import cancel_many

TYPE_NAMES: Mapping[End, str] = {"source": "SyncSource", "destination": "SyncDestination"}
_SETTINGS = ("type", "connector_version", "config")


async def create_end(subject: Subject, end: End, project_id: int, values: Mapping[str, Any]) -> int:
    """Make a source or destination of {name, type, connector_version, config, text_config}."""
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        row = await add_end(tx, end, project_id, values)
        await tx.audit(f"sync_{end}.create", TYPE_NAMES[end], row["id"], project_id=project_id)
    return int(row["id"])


async def add_end(tx: db.Tx, end: End, project_id: int, values: Mapping[str, Any]) -> RowMapping:
    """Insert one in a project that is locked."""
    table = TABLES[end]
    name = checked_name(values.get("name"), f"A {end}")
    await refuse_taken(tx, table, project_id, name, end)
    new = await tx.one(
        select(func.nextval(func.pg_get_serial_sequence(table.name, "id")).label("id"))
    )
    assert new is not None
    settings = await _settings(tx, end, new["id"], project_id, values)
    who = {"created_by": tx.subject.user_id, "updated_by": tx.subject.user_id}
    own = {"id": new["id"], "project_id": project_id, "name": name}
    return await insert_row(tx, table, {**own, **settings, **who})


async def update_end(
    subject: Subject,
    end: End,
    row_id: int,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> int:
    """Change a source or destination; new settings cancel the running syncs of its jobs."""
    async with db.transaction(subject) as tx:
        row = await lock_live(tx, TABLES[end], row_id, "pipeline.write", end)
        changed = await change_end(tx, end, row, values, expected_version)
        await tx.audit(
            f"sync_{end}.update",
            TYPE_NAMES[end],
            row_id,
            project_id=row["project_id"],
            fields=changed,
        )
    return row_id


async def change_end(
    tx: db.Tx,
    end: End,
    row: RowMapping,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> list[str]:
    """Change one that is locked; the names of what was given."""
    fresh: dict[str, Any] = {"updated_by": tx.subject.user_id}
    if "name" in values:
        fresh["name"] = checked_name(values["name"], f"A {end}")
        await refuse_taken(tx, TABLES[end], row["project_id"], fresh["name"], end, row["id"])
    if any(name in values for name in _SETTINGS):
        whole = {
            "type": row["type"],
            "connector_version": row["connector_version"],
            "text_config": row["text_config"],
            **values,
        }
        if "config" not in values:
            whole["config"] = opened(row, end)
        fresh |= await _settings(tx, end, row["id"], row["project_id"], whole)
        await cancel_many(tx, await syncs_of(tx, end, row["id"]))
    await update_row(tx, TABLES[end], row, fresh, expected_version)
    return sorted(values)


async def delete_end(subject: Subject, end: End, row_id: int) -> int:
    """Delete a source or destination that no live job uses; its name is free at once."""
    table: Table = TABLES[end]
    async with db.transaction(subject) as tx:
        # A job that is being made has locked the project, and may be about to use it.
        owner = await tx.one(select(table.c.project_id).where(table.c.id == row_id))
        if owner is not None and tx.subject.may("pipeline.write", owner["project_id"]):
            await lock_project(tx, owner["project_id"], "pipeline.write")
        row = await lock_live(tx, table, row_id, "pipeline.write", end)
        await _refuse_used(tx, end, row_id)
        gone = {"deleted_at": func.now(), "updated_by": tx.subject.user_id, "sealed": ""}
        await tx.execute(update(table).where(table.c.id == row_id).values(**gone))
        await tx.audit(f"sync_{end}.delete", TYPE_NAMES[end], row_id, project_id=row["project_id"])
    return row_id


async def _refuse_used(tx: db.Tx, end: End, row_id: int) -> None:
    used = (sync_jobs.c[f"{end}_id"] == row_id, sync_jobs.c.deleted_at.is_(None))
    jobs = await tx.all(select(sync_jobs.c.name).where(*used).order_by(sync_jobs.c.id).limit(4))
    if jobs:
        names = ", ".join(job["name"] for job in jobs[:3]) + (", ..." if len(jobs) > 3 else "")
        raise Conflict(f"The {end} is used by jobs: {names}. Delete them first.", reason="IN_USE")


async def _settings(
    tx: db.Tx, end: End, row_id: int, project_id: int, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns that hold the settings, checked and sealed."""
    version = checked_version(values.get("connector_version"))
    found = await connector(tx, end, values.get("type") or "", version)
    config = await with_secrets(tx, values.get("config"), project_id)
    check_config(config, found["spec"], found["type"])
    return {
        "type": found["type"],
        "connector_version": version,
        "sealed": seal(config, place(end, row_id)),
        "shown_config": shown(config, found["spec"], end, row_id),
        "text_config": bool(values.get("text_config")),
    }
