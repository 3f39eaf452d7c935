"""Verbs of tasks: start, cancel, clear."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select, update

from app.core import db
from app.core.errors import Conflict, Invalid
from app.core.rules import Subject
from app.ingestion import catalog
from app.ingestion.actions._shared import lock_live, unfinished
from app.ingestion.kinds import SyncJobType
from app.ingestion.tables import sync_jobs, sync_sources, sync_tasks
from app.runs import actions as ledger
from app.runs.tables import runs

KEY_LENGTH = 255
ATTEMPTS, MOST_ATTEMPTS = 3, 10


async def start_sync(subject: Subject, job_id: int, idempotency_key: str | None = None) -> UUID:
    """Start a sync of a job.

    Conflict PAUSED for a job that is off, Conflict ACTIVE while one of its tasks goes on. The same
    key within a day gives the first task.
    """
    return await _start(subject, job_id, "sync", "pipeline.run", idempotency_key)


async def clear_destination(
    subject: Subject, job_id: int, idempotency_key: str | None = None
) -> UUID:
    """Clear what a job's selected streams have put into the destination, and how far they are.

    Raises as `start_sync` does.
    """
    return await _start(subject, job_id, "clear", "pipeline.write", idempotency_key)


async def _start(
    subject: Subject, job_id: int, job_type: str, permission: str, key: str | None
) -> UUID:
    _check_key(key)
    async with db.transaction(subject) as tx:
        job = await lock_live(tx, sync_jobs, job_id, permission, "job")
        run_id = await _known(tx, job, job_type, key)
        if run_id is None:
            if not job["is_active"]:
                word = "run sync" if job_type == "sync" else "clear its destination"
                text = f"job is paused, please unpause to {word}"
                raise Conflict(text, reason="PAUSED")
            await refuse_active(tx, job)
            run_id = await start_task(tx, job, job_type, idempotency_key=key)
        action = "sync_task.create" if job_type == "sync" else "sync_job.clear"
        await tx.audit(action, "SyncTask", run_id, project_id=job["project_id"])
    return run_id


async def refuse_active(tx: db.Tx, job: RowMapping) -> None:
    """Conflict ACTIVE while a task of the job goes on."""
    going = await unfinished(tx, runs.c.subject_id == job["id"])
    if going:
        what = "a sync" if going[0]["kind"] == "sync" else "the clearing of its destination"
        raise Conflict(f"{what} of job {job['name']} is already running", reason="ACTIVE")


async def start_task(
    tx: db.Tx,
    job: RowMapping,
    job_type: str,
    *,
    streams: Sequence[catalog.Configured] | None = None,
    idempotency_key: str | None = None,
    fire_at: datetime | None = None,
) -> UUID:
    """Accept a task of a job that is locked and has none that goes on.

    `streams` are those of an earlier catalog, to be cleared where that had put them.
    """
    chosen = catalog.selected(job["streams"]) if streams is None else streams
    if not chosen:
        text = f"No stream of job {job['name']} is selected. Select one first."
        raise Invalid(text, "NO_STREAMS", path=("streamsConfig",))
    kept = None if streams is None else [one.identity for one in streams]
    params: dict[str, Any] = {}
    if streams is not None:
        params["catalog"] = catalog.part(job["streams"], kept or ())
    accepted = await ledger.accept(
        tx,
        project_id=job["project_id"],
        kind=job_type,
        subject_id=job["id"],
        steps=[one.full_name for one in chosen],
        params=params,
        max_attempts=await _attempts(tx, job["source_id"]) if job_type == "sync" else ATTEMPTS,
        concurrency=1,
        fire_at=fire_at,
        idempotency_key=idempotency_key,
        idempotency_body=b"" if idempotency_key else None,
        created_by=tx.subject.user_id,
    )
    task = {"run_id": accepted.run_id, "project_id": job["project_id"], "job_id": job["id"]}
    await tx.execute(insert(sync_tasks).values(**task, job_type=job_type))
    await tx.execute(
        update(sync_jobs).where(sync_jobs.c.id == job["id"]).values(last_run_id=accepted.run_id)
    )
    return accepted.run_id


async def _attempts(tx: db.Tx, source_id: int) -> int:
    """How often a sync is tried, as the source's settings say it under one name or the other."""
    shown = sync_sources.c.shown_config
    row = await tx.one(
        select(shown["retry_count"].label("a"), shown["backoff_retry_count"].label("b")).where(
            sync_sources.c.id == source_id
        )
    )
    said = next((n for n in (row or {}).values() if type(n) is int), ATTEMPTS)
    return max(1, min(said, MOST_ATTEMPTS))


async def cancel_sync(subject: Subject, job_id: int) -> UUID | None:
    """Cancel the sync of a job that goes on; None where there is none. A clearing goes on."""
    async with db.transaction(subject) as tx:
        job = await lock_live(tx, sync_jobs, job_id, "pipeline.run", "job")
        going = await unfinished(tx, runs.c.subject_id == job_id)
        if going and going[0]["kind"] == SyncJobType.CLEAR.value:
            raise Conflict("The clearing of a destination cannot be cancelled.", reason="CLEARING")
        for run in going:
            await ledger.request_cancel(tx, run["id"])
        await tx.audit("sync_task.cancel", "SyncJob", job_id, project_id=job["project_id"])
    return going[0]["id"] if going else None


async def _known(tx: db.Tx, job: RowMapping, job_type: str, key: str | None) -> UUID | None:
    """The task that the same key has started within a day; Conflict where it started another thing."""
    if key is None:
        return None
    found = await tx.one(
        select(runs.c.id, runs.c.kind, runs.c.subject_id).where(
            runs.c.project_id == job["project_id"],
            runs.c.idempotency_key == key,
            runs.c.created_at > func.now() - ledger.KEY_LIFE,
        )
    )
    if found is None:
        return None
    if (found["kind"], found["subject_id"]) != (job_type, job["id"]):
        raise Conflict("This idempotency key was used for another request within a day.")
    return UUID(str(found["id"]))


def _check_key(key: str | None) -> None:
    if key is not None and not 1 <= len(key) <= KEY_LENGTH:
        text = f"An idempotency key has 1 to {KEY_LENGTH} characters."
        raise Invalid(text, path=("idempotencyKey",))
