"""Fires the jobs whose time has come, each at most once for a time, whoever looks."""

from datetime import datetime

import structlog
from sqlalchemy import RowMapping, func, select, update

from app.core.db import Tx, is_transient
from app.ingestion import frequency
from app.ingestion.actions._shared import unfinished
from app.ingestion.actions.tasks import start_task
from app.ingestion.tables import sync_jobs
from app.runs.tables import runs

log = structlog.get_logger()

BATCH = 20


async def fire_due(tx: Tx, now: datetime | None = None) -> int:
    """Look at up to BATCH jobs that are due and start them; returns how many were looked at.

    Each is locked, so that others pass it over, and its task and its next time are committed
    together. A time at which a task of the job goes on is passed over, and so are times missed but
    for one. `now` is PostgreSQL's unless given.
    """
    if now is None:
        clock = await tx.one(select(func.now().label("now")))
        assert clock is not None
        now = clock["now"]
    c = sync_jobs.c
    due = await tx.all(
        select(sync_jobs)
        .where(c.is_active, c.deleted_at.is_(None), c.next_fire_at <= now)
        .order_by(c.next_fire_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True, key_share=True)
    )
    for job in due:
        try:
            # A job that cannot be fired must not keep the others from it.
            async with tx.connection.begin_nested():
                await _fire(tx, job)
        except Exception as error:
            if is_transient(error):
                raise
            log.warning("sync_job.not_fired", job_id=job["id"], error=type(error).__name__)
        later = frequency.next_fire(job["cron"], now)
        await tx.execute(update(sync_jobs).where(c.id == job["id"]).values(next_fire_at=later))
    return len(due)


async def _fire(tx: Tx, job: RowMapping) -> None:
    if await unfinished(tx, runs.c.subject_id == job["id"]):
        log.info("sync_job.passed_over", job_id=job["id"], fire_at=str(job["next_fire_at"]))
        return
    await start_task(tx, job, "sync", fire_at=job["next_fire_at"])
