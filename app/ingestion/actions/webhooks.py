"""What is told of a sync: that it has started, failed or succeeded; and of a slot in danger.

Each message is a run of its own, of the kind `sync_webhook`: queued in the transaction that notes
what it tells of, so that none is lost and none is doubled.
"""

from typing import Any

from sqlalchemy import RowMapping, select, text

from app.core.db import Tx
from app.ingestion.rules import WEBHOOK_URL
from app.ingestion.tables import sync_jobs
from app.projects.tables import projects
from app.runs import actions as ledger

KIND = "sync_webhook"
BATCH = 200
MAX_ATTEMPTS = 5
TIMEOUT_S = 120
PRIORITY = 10
EVENTS = {"failed": "sync.failed", "succeeded": "sync.succeeded"}
"""A sync's end -> what is told; nobody is told of a cancel."""
STARTED = "sync.started"
SLOT = "slot.warning"

_STARTED = text("""
UPDATE sync_tasks AS task SET start_seen = true
FROM (
    SELECT sync_tasks.run_id FROM sync_tasks JOIN runs ON runs.id = sync_tasks.run_id
    WHERE NOT end_seen AND NOT start_seen AND runs.started_at IS NOT NULL
    LIMIT :batch FOR UPDATE OF sync_tasks SKIP LOCKED
) AS begun
WHERE task.run_id = begun.run_id
RETURNING task.run_id, task.number, task.project_id, task.job_id, task.job_type
""")

# The run's row is locked as well: read without, it may have been queued again since.
_ENDED = text("""
UPDATE sync_tasks AS task SET start_seen = true, end_seen = true
FROM (
    SELECT sync_tasks.run_id, runs.status FROM sync_tasks JOIN runs ON runs.id = sync_tasks.run_id
    WHERE NOT end_seen AND runs.status IN ('succeeded', 'failed', 'cancelled')
      AND (start_seen OR runs.started_at IS NULL)
    LIMIT :batch FOR UPDATE OF sync_tasks SKIP LOCKED FOR SHARE OF runs SKIP LOCKED
) AS ended
WHERE task.run_id = ended.run_id
RETURNING task.run_id, task.number, task.project_id, task.job_id, task.job_type, ended.status
""")


async def tell(tx: Tx) -> int:
    """Queue what is to be told of syncs that have begun or ended; returns how many ended."""
    for task in await tx.all(_STARTED, {"batch": BATCH}):
        await _tell_of_task(tx, task, STARTED)
    ended = await tx.all(_ENDED, {"batch": BATCH})
    for task in ended:
        if task["status"] in EVENTS:
            await _tell_of_task(tx, task, EVENTS[task["status"]])
    return len(ended)


async def tell_of_slot(tx: Tx, job: RowMapping, warning: str) -> None:
    """Queue a warning about the replication slot of a job, also of one that is deleted."""
    await _queue(tx, job["project_id"], job["id"], {"event": SLOT, "warning": warning})


async def _tell_of_task(tx: Tx, task: RowMapping, event: str) -> None:
    if task["job_type"] == "sync":
        about = {"event": event, "run_id": str(task["run_id"]), "number": task["number"]}
        await _queue(tx, task["project_id"], task["job_id"], about)


async def _queue(tx: Tx, project_id: int, job_id: int, about: dict[str, Any]) -> None:
    """One run of the ledger for each address: the project's, and the job's own."""
    wanted = (
        select(
            projects.c.webhook_alert_url.label("project"),
            sync_jobs.c.advanced_settings[WEBHOOK_URL].astext.label("job"),
        )
        .join(projects, projects.c.id == sync_jobs.c.project_id)
        .where(sync_jobs.c.id == job_id)
    )
    addresses = await tx.one(wanted)
    for whose, url in (addresses or {}).items():
        if url:
            await ledger.accept(
                tx,
                project_id=project_id,
                kind=KIND,
                subject_id=job_id,
                params={**about, "to": whose},
                max_attempts=MAX_ATTEMPTS,
                timeout_s=TIMEOUT_S,
                priority=PRIORITY,
            )
