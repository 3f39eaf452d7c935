"""Deletes what has been kept long enough, a batch at a time."""

import asyncio

import structlog
from sqlalchemy import delete, select, text

from app.core.db import transaction
from app.core.files import Storage, StorageError
from app.core.rules import SYSTEM
from app.runs.tables import runs

log = structlog.get_logger()

INTERVAL_S = 600.0
BATCH = 200
ORPHAN_AGE_S = 3600.0

# Ids of runs rise with time, so that their key finds the old ones.
_OLD_RUNS = text("""
SELECT id FROM runs
WHERE id < uuidv7(make_interval(days => -CAST(:days AS integer)))
  AND finished_at < now() - make_interval(days => CAST(:days AS integer))
LIMIT :batch
""")
_OTHERS = (
    """
    DELETE FROM run_events WHERE (run_id, seq) IN (
        SELECT run_id, seq FROM run_events
        WHERE run_id < uuidv7(interval '-30 days') AND at < now() - interval '30 days'
        LIMIT :batch
    )
    """,
    """
    UPDATE runs SET idempotency_key = NULL, idempotency_hash = NULL WHERE id IN (
        SELECT id FROM runs
        WHERE idempotency_key IS NOT NULL AND created_at < now() - interval '24 hours'
        LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    """,
    """
    DELETE FROM login_attempts WHERE id IN (
        SELECT id FROM login_attempts WHERE at < now() - interval '1 day' LIMIT :batch
    )
    """,
    """
    DELETE FROM runs WHERE id IN (
        SELECT id FROM runs
        WHERE kind IN ('check', 'discover') AND finished_at < now() - interval '1 day'
        LIMIT :batch
    )
    """,
    "DELETE FROM workers WHERE seen_at < now() - interval '1 day'",
)


async def forget(storage: Storage, days: int) -> None:
    """Delete runs that ended `days` ago with their files, and rows of shorter lives."""
    while await _forget_runs(storage, days) == BATCH:
        pass
    await _forget_orphans(storage)
    for statement in _OTHERS:
        parameters = {"batch": BATCH} if ":batch" in statement else {}
        rows = BATCH
        while rows == BATCH:
            async with transaction(SYSTEM) as tx:
                rows = (await tx.execute(text(statement), parameters)).rowcount


async def _forget_orphans(storage: Storage) -> None:
    """Delete the files of runs that went with their project."""
    found = await asyncio.to_thread(storage.old_runs, ORPHAN_AGE_S)
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        async with transaction(SYSTEM) as tx:
            rows = await tx.all(select(runs.c.id).where(runs.c.id.in_(batch)))
        for run_id in set(batch) - {row["id"] for row in rows}:
            await asyncio.to_thread(storage.delete_run, str(run_id))


async def _forget_runs(storage: Storage, days: int) -> int:
    async with transaction(SYSTEM) as tx:
        rows = await tx.all(_OLD_RUNS, {"days": days, "batch": BATCH})
    run_ids = [row["id"] for row in rows]
    # Files first: without its row nobody would find them again.
    for run_id in run_ids:
        try:
            await asyncio.to_thread(storage.delete_run, str(run_id))
        except StorageError as error:
            log.warning("run.files_left", run_id=str(run_id), error=str(error))
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            delete(runs).where(runs.c.id.in_(run_ids), runs.c.finished_at.is_not(None))
        )
    return len(run_ids)
