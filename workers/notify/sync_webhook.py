"""The ledger's kind `sync_webhook`: one message about a sync, to one address."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.outgoing import Outgoing
from app.ingestion.reads import told_task
from app.runs.fenced import LogLine
from workers.execute import Outcome, RunContext
from workers.notify.failure import NotSent
from workers.notify.post import post

WORDS = {"sync.started": "running", "sync.failed": "failed", "sync.succeeded": "succeeded"}
"""An event -> the status that is told with it, whatever has happened since."""
MOST_CHARACTERS = 2_000


class SyncWebhook:
    """Sends what the run's parameters name: `event`, `to` (project or job), `run_id`.

    The address is read anew at each attempt, so that a corrected one counts.
    """

    def __init__(self, rules: Outgoing) -> None:
        self._rules = rules

    async def __call__(self, context: RunContext) -> Outcome:
        """Send it; what may succeed later is tried again while attempts last."""
        facts = await told_task(UUID(context.params["run_id"]))
        url = facts and facts[f"{context.params['to']}_url"]
        if facts is None or not url:
            return Outcome("cancelled", reason="not_wanted", error="Nobody is to be told any more.")
        body = message(context.params["event"], dict(facts))
        try:
            host = await post(self._rules, url, body, {"Idempotency-Key": str(context.run_id)})
        except NotSent as error:
            await context.log([LogLine(str(error), "ERROR")])
            return Outcome("failed", reason="not_sent", error=str(error), retry=error.again)
        await context.log([LogLine(f"Sent by way of {host}.")])
        return Outcome("succeeded")


def message(event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is posted; `text` says it all, for chats that read only that."""
    started, finished = facts["started_at"], facts["finished_at"]
    is_over = event != "sync.started"
    seconds = round((finished - started).total_seconds(), 1) if is_over and started else None
    error = (facts["error"] or "")[:MOST_CHARACTERS] if event == "sync.failed" else None
    told = {
        "event": event,
        "project": facts["project"],
        "job": {"id": facts["job_id"], "name": facts["job"]},
        "task": {"id": str(facts["number"]), "status": WORDS[event]},
        "source": facts["source"],
        "destination": facts["destination"],
        "rows": facts["rows"] if is_over else 0,
        "bytes": facts["bytes"] if is_over else 0,
        "started_at": _moment(started),
        "finished_at": _moment(finished) if is_over else None,
        "runtime": seconds,
        "error": error,
    }
    return {**told, "text": _text(told)}


def _text(told: Mapping[str, Any]) -> str:
    name, way = told["job"]["name"], f"{told['source']} to {told['destination']}"
    if told["event"] == "sync.started":
        return f"Sync of job {name} ({way}) has started."
    figures = f"{told['rows']} rows, {told['bytes']} bytes in {told['runtime']} s"
    ending = f"{figures}. {told['error']}" if told["error"] else f"{figures}."
    return f"Sync of job {name} ({way}) has {told['task']['status']}: {ending}"


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
