"""Verbs of sync jobs: create, update, delete, switch on and off."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping, func, select, update

from app.core import db
from app.core.changes import insert_row, update_row
from app.core.errors import Conflict, Invalid, NotFound
from app.core.rules import Subject
from app.ingestion import catalog, frequency
from app.ingestion.actions._shared import (
    JSON_BYTES,
    checked_name,
    lock_live,
    refuse_taken,
    unfinished,
)
from app.ingestion.actions.ends import add_end, change_end
from app.ingestion.actions.settings import check_url
from app.ingestion.actions.streams import forget_states, keep_streams
from app.ingestion.actions.tasks import start_task
from app.ingestion.rules import WEBHOOK_URL
from app.ingestion.secrets import TABLES, End, opened, with_secrets
from app.ingestion.tables import sync_jobs
from app.projects.actions import lock_project
from app.runs import actions as ledger
from app.runs.tables import runs

MAX_JOBS = 500
STOP_S = 8.0
"""How long an update waits for a running sync to end, where the destination must be cleared."""


async def create_job(subject: Subject, project_id: int, values: Mapping[str, Any]) -> int:
    """Make a job with its source and destination, each found, changed or made as `_end` says.

    Nothing is left of them where the job cannot be made.
    """
    checked = _checked(values)
    async with db.transaction(subject) as tx:
        await lock_project(tx, project_id, "pipeline.write")
        name = checked_name(checked.get("name"), "A job")
        await refuse_taken(tx, sync_jobs, project_id, name, "job")
        own = {
            **checked,
            "name": name,
            "project_id": project_id,
            "source_id": await _end(tx, "source", project_id, values.get("source")),
            "destination_id": await _end(tx, "destination", project_id, values.get("destination")),
            "created_by": subject.user_id,
            "updated_by": subject.user_id,
        }
        await _refuse_more(tx, own)
        row = await insert_row(tx, sync_jobs, {**own, **_due({"is_active": True, **checked})})
        await keep_streams(tx, row)
        await tx.audit("sync_job.create", "SyncJob", row["id"], project_id=project_id)
    return int(row["id"])


async def update_job(
    subject: Subject,
    job_id: int,
    values: Mapping[str, Any],
    clear: Any = None,
    expected_version: int | None = None,
) -> int:
    """Change a job; its running sync is cancelled, Conflict CLEARING while it is being cleared.

    `clear` is a catalog of streams whose data is cleared where the job had put it until now.
    """
    checked = _checked(values)
    identities = _identities(clear)
    deadline = asyncio.get_running_loop().time() + STOP_S
    while True:
        async with db.transaction(subject) as tx:
            going = await _change(tx, job_id, checked, values, identities, expected_version)
        if going is None:
            return job_id
        # Its cancel is committed; the clearing may begin only when nothing is written any more.
        if asyncio.get_running_loop().time() > deadline:
            text = "The running sync was asked to stop and has not yet. Try again in a moment."
            raise Conflict(text, reason="ACTIVE")
        await asyncio.sleep(0.2)


async def _change(
    tx: db.Tx,
    job_id: int,
    checked: Mapping[str, Any],
    values: Mapping[str, Any],
    identities: Sequence[catalog.Identity],
    expected_version: int | None,
) -> UUID | None:
    """Change the job; where a sync must end first, ask it to and return its id."""
    named = await tx.one(select(sync_jobs.c.project_id).where(sync_jobs.c.id == job_id))
    if named is not None and tx.subject.may("pipeline.write", named["project_id"]):
        await lock_project(tx, named["project_id"], "pipeline.write")
    job = await lock_live(tx, sync_jobs, job_id, "pipeline.write", "job")
    was = [one for one in catalog.selected(job["streams"]) if one.identity in set(identities)]
    going = await _stop(tx, job_id)
    if going and was:
        return going
    project_id = job["project_id"]
    fresh: dict[str, Any] = {**checked, "updated_by": tx.subject.user_id}
    if "name" in fresh:
        fresh["name"] = checked_name(fresh["name"], "A job")
        await refuse_taken(tx, sync_jobs, project_id, fresh["name"], "job", job_id)
    if values.get("source") is not None:
        fresh["source_id"] = await _end(tx, "source", project_id, values["source"])
    if values.get("destination") is not None:
        fresh["destination_id"] = await _end(tx, "destination", project_id, values["destination"])
    if {"cron", "is_active"} & set(fresh):
        fresh |= _due({**job, **fresh})
    if was:
        await start_task(tx, job, "clear", streams=was)
    changed = await update_row(tx, sync_jobs, job, fresh, expected_version)
    if "streams" in fresh:
        await keep_streams(tx, changed)
    if was:
        await forget_states(tx, job_id, [one.identity for one in was])
    await tx.audit(
        "sync_job.update", "SyncJob", job_id, project_id=project_id, fields=sorted(values)
    )
    return None


async def delete_job(subject: Subject, job_id: int) -> int:
    """Delete a job: what goes on of it is cancelled, its slot goes, what it has moved stays."""
    async with db.transaction(subject) as tx:
        job = await lock_live(tx, sync_jobs, job_id, "pipeline.write", "job")
        for run in await unfinished(tx, runs.c.subject_id == job_id):
            await ledger.request_cancel(tx, run["id"])
        gone = {"deleted_at": func.now(), "is_active": False, "next_fire_at": None}
        # A worker sees to its replication slot, if it has one.
        gone["slot_seen_at"] = func.to_timestamp(0)
        await tx.execute(
            update(sync_jobs)
            .where(sync_jobs.c.id == job_id)
            .values(**gone, updated_by=tx.subject.user_id)
        )
        await tx.audit("sync_job.delete", "SyncJob", job_id, project_id=job["project_id"])
    return job_id


async def set_active(subject: Subject, job_id: int, is_active: bool) -> int:
    """Switch a job on or off; what goes on goes on. The value it has already changes nothing."""
    async with db.transaction(subject) as tx:
        job = await lock_live(tx, sync_jobs, job_id, "pipeline.write", "job")
        if job["is_active"] != is_active:
            fresh = {"is_active": is_active, "updated_by": subject.user_id}
            await update_row(tx, sync_jobs, job, {**fresh, **_due({**job, **fresh})})
            await tx.audit(
                "sync_job.update",
                "SyncJob",
                job_id,
                project_id=job["project_id"],
                fields=["is_active"],
            )
    return job_id


async def _stop(tx: db.Tx, job_id: int) -> UUID | None:
    """Ask the sync of a job to stop; its id if it has not ended by that."""
    for run in await unfinished(tx, runs.c.subject_id == job_id):
        if run["kind"] == "clear":
            text = "The destination of the job is being cleared. Change it after that."
            raise Conflict(text, reason="CLEARING")
        await ledger.request_cancel(tx, run["id"])
    left = await unfinished(tx, runs.c.subject_id == job_id)
    return left[0]["id"] if left else None


async def _end(tx: db.Tx, end: End, project_id: int, given: Mapping[str, Any] | None) -> int:
    """The source or destination that a job names, in a project that is locked.

    By `id` it is taken as it is. By name it is one of the same type, changed where its settings
    differ, or a new one; Invalid NAME_TAKEN for the name of one of another type.
    """
    if given is None:
        raise Invalid(f"A job needs a {end}.", path=(end,))
    table = TABLES[end]
    c = table.c
    live = (c.project_id == project_id, c.deleted_at.is_(None))
    if given.get("id") is not None:
        row = await tx.one(select(c.id).where(c.id == given["id"], *live))
        if row is None:
            raise NotFound(f"There is no such {end}.")
        return int(row["id"])
    name = (given.get("name") or "").strip()
    row = await tx.one(select(table).where(c.name == name, *live).with_for_update())
    if row is None:
        return int((await add_end(tx, end, project_id, given))["id"])
    if given.get("type") not in (None, row["type"]):
        text = f"{end} name {name!r} is not unique: there is one of type {row['type']}."
        raise Invalid(text, "NAME_TAKEN", path=(end, "name"))
    if await _differs(tx, end, row, given):
        await change_end(tx, end, row, {n: v for n, v in given.items() if v is not None})
    return int(row["id"])


async def _differs(tx: db.Tx, end: End, row: RowMapping, given: Mapping[str, Any]) -> bool:
    version = given.get("connector_version")
    if version is not None and version != row["connector_version"]:
        return True
    if given.get("config") is None:
        return False
    sent: Any = await with_secrets(tx, given["config"], row["project_id"])
    same: bool = sent == opened(row, end)
    return not same


async def _refuse_more(tx: db.Tx, values: Mapping[str, Any]) -> None:
    for column in ("source_id", "destination_id"):
        counted = select(func.count().label("n")).where(
            sync_jobs.c[column] == values[column], sync_jobs.c.deleted_at.is_(None)
        )
        present = await tx.one(counted)
        if present is not None and present["n"] >= MAX_JOBS:
            raise Invalid(f"A source or destination has at most {MAX_JOBS} jobs.")


def _due(job: Mapping[str, Any]) -> dict[str, Any]:
    """When a job is due next, as a column; never while it is off."""
    now = datetime.now(UTC)
    cron = job.get("cron") or ""
    return {"next_fire_at": frequency.next_fire(cron, now) if job["is_active"] else None}


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what was given, ends apart."""
    checked = {n: v for n, v in values.items() if n not in ("source", "destination")}
    if "frequency" in checked:
        checked["frequency"] = checked["frequency"] or ""
        checked["cron"] = frequency.parse(checked["frequency"])
    if "streams" in checked:
        checked["streams"] = {} if checked["streams"] is None else checked["streams"]
        catalog.check(checked["streams"])
    _check_object(checked, "advanced_settings")
    settings = checked.get("advanced_settings") or {}
    check_url(settings.get(WEBHOOK_URL), f"advanced_settings.{WEBHOOK_URL}")
    return checked


def _check_object(values: Mapping[str, Any], name: str) -> None:
    value = values.get(name)
    if value is None:
        return
    written = orjson.dumps(value)
    if not isinstance(value, Mapping) or len(written) > JSON_BYTES or b"\\u0000" in written:
        raise Invalid(f"{name} must be an object of at most {JSON_BYTES} bytes.", path=(name,))


def _identities(clear: Any) -> list[catalog.Identity]:
    if clear is None:
        return []
    catalog.check(clear)
    chosen = clear.get("selected_streams") or {}
    return [(ns, entry["stream_name"]) for ns, entries in chosen.items() for entry in entries or []]
