"""What follows from the end of a pipeline run, or from its taking too long: notifications.

Each message is a run of its own in the ledger, of the kind `notification`: queued in the
transaction that notes what it tells of, so that none is lost and none is doubled.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, select, text, update

from app.core.db import Tx
from app.pipelines.alert_config import leads_somewhere
from app.pipelines.kinds import NotificationChannel
from app.pipelines.tables import pipeline_runs, pipelines
from app.runs import actions as ledger

KIND = "notification"
BATCH = 200
MAX_ATTEMPTS = 5
TIMEOUT_S = 120
PRIORITY = 10

EVENTS = {"failed": "trigger_failure", "succeeded": "trigger_success"}
"""A run's end -> the word of `alert_on`; nobody is told of a cancel."""
PASSED_SLA = "trigger_passed_sla"
UNLESS_SAID = ("trigger_failure", PASSED_SLA)
"""What is told where `alert_on` is left out."""
CHANNELS: tuple[str, ...] = tuple(str(channel.value) for channel in NotificationChannel)

_LATE = text("""
UPDATE pipeline_runs SET passed_sla = true
WHERE run_id IN (
    SELECT facet.run_id FROM pipeline_runs AS facet
    JOIN triggers ON triggers.id = facet.trigger_id AND triggers.project_id = facet.project_id
    JOIN runs ON runs.id = facet.run_id
    WHERE NOT facet.end_seen AND NOT facet.passed_sla AND triggers.sla > 0
      AND runs.status <> 'cancelled' AND runs.hold IS NULL
      AND coalesce(runs.finished_at, now())
          > runs.created_at + make_interval(secs => triggers.sla)
    LIMIT :batch FOR UPDATE OF facet SKIP LOCKED
)
RETURNING run_id, project_id, pipeline_id, number
""")

# The run's row is locked as well: read without, it may have been queued again since.
_ENDED = text("""
WITH ended AS (
    SELECT facet.run_id, runs.status FROM pipeline_runs AS facet
    JOIN runs ON runs.id = facet.run_id
    WHERE NOT facet.end_seen AND runs.status IN ('succeeded', 'failed', 'cancelled')
    LIMIT :batch FOR UPDATE OF facet SKIP LOCKED FOR SHARE OF runs SKIP LOCKED
)
UPDATE pipeline_runs SET end_seen = true
FROM ended WHERE pipeline_runs.run_id = ended.run_id
RETURNING pipeline_runs.run_id, project_id, pipeline_id, number, status
""")


async def tell(tx: Tx, environ: Mapping[str, str] = MappingProxyType({})) -> int:
    """Queue what is to be told of runs that are late or have ended; returns how many ended.

    One worker at a time does this; for others it is done. `environ` has the variables that a
    config may name.
    """
    turn = await tx.one(select(func.pg_try_advisory_xact_lock(func.hashtext("alerts")).label("ok")))
    if turn is None or not turn["ok"]:
        return 0
    for run in await tx.all(_LATE, {"batch": BATCH}):
        await _queue(tx, run, PASSED_SLA, environ)
    ended = await tx.all(_ENDED, {"batch": BATCH})
    for run in ended:
        if run["status"] in EVENTS:
            await _queue(tx, run, EVENTS[run["status"]], environ)
    return len(ended)


async def expect_ends(tx: Tx, run_ids: Sequence[UUID]) -> None:
    """Runs that go on will have another end to tell of."""
    again = pipeline_runs.c.run_id.in_(list(run_ids))
    await tx.execute(update(pipeline_runs).where(again).values(end_seen=False))


async def _queue(tx: Tx, run: RowMapping, event: str, environ: Mapping[str, str]) -> None:
    """One run of the ledger for each channel that wants the event."""
    found = await tx.one(
        select(pipelines.c.notification_config).where(pipelines.c.id == run["pipeline_id"])
    )
    config = found["notification_config"] if found else {}
    for channel in wanted(config, event, environ):
        params = {
            "event": event,
            "channel": channel,
            "run_id": str(run["run_id"]),
            "number": run["number"],
        }
        await ledger.accept(
            tx,
            project_id=run["project_id"],
            kind=KIND,
            subject_id=run["pipeline_id"],
            params=params,
            max_attempts=MAX_ATTEMPTS,
            timeout_s=TIMEOUT_S,
            priority=PRIORITY,
        )


def wanted(config: Any, event: str, environ: Mapping[str, str]) -> Sequence[str]:
    """The channels of a pipeline's `notification_config` that are to tell of an event."""
    if not isinstance(config, Mapping):
        return []
    alert_on = config.get("alert_on", UNLESS_SAID)
    if not isinstance(alert_on, list | tuple) or event not in alert_on:
        return []
    return [channel for channel in CHANNELS if leads_somewhere(config.get(channel), environ)]
