"""Replication slots: the log that a source's server keeps for a job until that has read it.

They are looked at whether their jobs are on or off, for the server's disk fills all the same. With a
deleted job its slot goes, where syncs may make slots themselves (`create_missing`); a slot of
somebody's own stays, and that is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, select, text, update

from app.core.crypto import SecretError
from app.core.db import Tx
from app.ingestion.actions.webhooks import tell_of_slot
from app.ingestion.actions.work import Settings
from app.ingestion.secrets import opened
from app.ingestion.tables import sync_jobs, sync_sources

BATCH = 8
GIVE_UP = timedelta(days=1)
"""For so long after a job's end its slot is tried to be dropped."""
UNKNOWN = "Its replication slot could not be looked at: "

# In a deleted job `slot_seen_at` means that its slot is still to be seen to.
_DUE = text("""
UPDATE sync_jobs AS job SET slot_seen_at = now()
FROM (
    SELECT one.id FROM sync_jobs AS one JOIN sync_sources AS source ON source.id = one.source_id
    WHERE source.type = 'postgres' AND source.shown_config #>> '{update_method,type}' = 'CDC'
      AND CASE WHEN one.deleted_at IS NULL THEN
            one.slot_seen_at IS NULL OR one.slot_seen_at < now() - make_interval(secs => :every_s)
          ELSE one.slot_seen_at < now() - make_interval(secs => :every_s) AND NOT EXISTS (
            SELECT FROM runs WHERE subject_id = one.id AND kind IN ('sync', 'clear')
              AND status IN ('queued', 'running')) END
    ORDER BY one.slot_seen_at NULLS FIRST LIMIT :batch FOR UPDATE OF one SKIP LOCKED
) AS due
WHERE job.id = due.id
RETURNING job.id, job.project_id, job.name, job.is_active, job.source_id, job.deleted_at,
  job.slot_warning
""")
# Nothing is known any more of the slot of a source that reads no log now.
_FORGET = text("""
UPDATE sync_jobs AS job SET slot_seen_at = NULL, slot_retained_bytes = NULL, slot_warning = NULL
FROM sync_sources AS source
WHERE source.id = job.source_id AND job.slot_seen_at IS NOT NULL
  AND (source.type <> 'postgres'
    OR source.shown_config #>> '{update_method,type}' IS DISTINCT FROM 'CDC')
""")
_IN_USE = text("""
SELECT 1 FROM sync_jobs AS job JOIN sync_sources AS source ON source.id = job.source_id
WHERE job.deleted_at IS NULL
  AND source.shown_config #>> '{update_method,replication_slot}' = :slot LIMIT 1
""")


@dataclass(frozen=True)
class Watch:
    """A source's slot, and the jobs that read it. With `drop` all of them are deleted."""

    source: Settings
    slot: str
    jobs: Sequence[RowMapping]
    drop: bool


async def due(tx: Tx, every_s: float) -> list[Watch]:
    """The slots that nobody has looked at for `every_s` seconds; they count as looked at now."""
    await tx.execute(_FORGET)
    jobs = await tx.all(_DUE, {"every_s": every_s, "batch": BATCH})
    found = []
    for source_id in {job["source_id"] for job in jobs}:
        own = [job for job in jobs if job["source_id"] == source_id]
        found.append(await _watch(tx, source_id, own))
    return [watch for watch in found if watch is not None]


async def note(tx: Tx, watch: Watch, told: Mapping[str, Any]) -> list[str]:
    """Keep what a look has found, and tell of what is new; the texts that are worth a warning.

    `told` is a worker's {"result": {"kept", "warning"} or {"dropped"}} or {"error": {"message",
    "retry"}}.
    """
    warnings = []
    for job in watch.jobs:
        if job["deleted_at"] is None:
            warnings += await _note_live(tx, watch, job, told)
        else:
            warnings += await _note_deleted(tx, watch, job, told)
    return warnings


async def _watch(tx: Tx, source_id: int, jobs: Sequence[RowMapping]) -> Watch | None:
    row = await tx.one(select(sync_sources).where(sync_sources.c.id == source_id))
    assert row is not None
    try:
        config = opened(row, "source")
    except SecretError:
        return None
    settings = config.get("update_method") or {}
    slot = str(settings.get("replication_slot") or "")
    drop = all(job["deleted_at"] is not None for job in jobs) and bool(
        settings.get("create_missing")
    )
    if drop and await tx.one(_IN_USE, {"slot": slot}):
        drop = False
    return Watch(Settings(row["type"], row["connector_version"], config), slot, jobs, drop)


async def _note_live(tx: Tx, watch: Watch, job: RowMapping, told: Mapping[str, Any]) -> list[str]:
    was = job["slot_warning"]
    fresh: dict[str, Any]
    if "error" in told and told["error"]["retry"]:
        # A server that is away for a moment has not lost what was said of it.
        fresh = {"slot_warning": was or UNKNOWN + told["error"]["message"]}
    elif "error" in told:
        fresh = {"slot_warning": told["error"]["message"]}
    else:
        found = told["result"]
        fresh = {"slot_retained_bytes": found["kept"], "slot_warning": found["warning"]}
    await tx.execute(update(sync_jobs).where(sync_jobs.c.id == job["id"]).values(**fresh))
    warning = fresh["slot_warning"]
    if warning is None or warning == was:
        return []
    if not warning.startswith(UNKNOWN) and (was is None or was.startswith(UNKNOWN)):
        await tell_of_slot(tx, job, warning)
    return [warning]


async def _note_deleted(
    tx: Tx, watch: Watch, job: RowMapping, told: Mapping[str, Any]
) -> list[str]:
    error = told["error"]["message"] if "error" in told else None
    if error and watch.drop and datetime.now(UTC) - job["deleted_at"] < GIVE_UP:
        return [UNKNOWN + error]
    c = sync_jobs.c
    await tx.execute(update(sync_jobs).where(c.id == job["id"]).values(slot_seen_at=None))
    left = error is not None if watch.drop else await _is_left(tx, watch, told)
    if not left:
        return []
    why = error or "syncs may not make it (create_missing)"
    warning = (
        f"The job is deleted, and its replication slot {watch.slot} stays: {why}. Unless another "
        "program reads it, drop it, or it fills the server's disk: "
        f"SELECT pg_drop_replication_slot('{watch.slot}')"
    )
    await tell_of_slot(tx, job, warning)
    return [warning]


async def _is_left(tx: Tx, watch: Watch, told: Mapping[str, Any]) -> bool:
    """Whether a slot that is not ours to drop is there, with no other job to read it."""
    is_there = "error" in told or told["result"]["kept"] is not None
    return is_there and not await tx.one(_IN_USE, {"slot": watch.slot})
