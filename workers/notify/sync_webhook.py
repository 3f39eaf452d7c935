"""The ledger's kind `sync_webhook`: one message about a sync or a slot, to one address."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.outgoing import Outgoing
from app.ingestion.actions.webhooks import SLOT
from app.ingestion.reads import told_job, told_task
from app.runs.fenced import LogLine
from workers.execute import Outcome, RunContext
from workers.notify.failure import NotSent
from workers.notify.post import post

WORDS = {"sync.started": "running", "sync.failed": "failed", "sync.succeeded": "succeeded"}
"""An event -> the status that is told with it, whatever has happened since."""
MOST_CHARACTERS = 2_000


class SyncWebhook:
    """Sends what the run's parameters name: `event`, `to` (project or job), `run_id` or `warning`.

    The address is read anew at each attempt, so that a corrected one counts.
    """

    def __init__(self, rules: Outgoing) -> None:
        self._rules = rules

    async def __call__(self, context: RunContext) -> Outcome:
        """Send it; what may succeed later is tried again while attempts last."""
        params = context.params
        if params["event"] == SLOT:
            facts = await told_job(int(context.run["subject_id"]))
        else:
            facts = await told_task(UUID(params["run_id"]))
        url = facts and facts[f"{params['to']}_url"]
        if facts is None or not url:
            return Outcome("cancelled", reason="not_wanted", error="Nobody is to be told any more.")
        body = message(params["event"], {"warning": params.get("warning"), **facts})
        try:
            host = await post(self._rules, url, body, {"Idempotency-Key": str(context.run_id)})
        except NotSent as error:
            await context.log([LogLine(str(error), "ERROR")])
            return Outcome("failed", reason="not_sent", error=str(error), retry=error.again)
        await context.log([LogLine(f"Sent by way of {host}.")])
        return Outcome("succeeded")


def message(event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is posted; `text` says it all, for chats that read only that."""
    told = _of_slot(facts) if event == SLOT else _of_task(event, facts)
    about = {
        "project": facts["project"],
        "job": {"id": facts["job_id"], "name": facts["job"]},
        "source": facts["source"],
        "destination": facts["destination"],
    }
    whole = {"event": event, **about, **told}
    return {**whole, "text": _text(whole)}


def _of_slot(facts: Mapping[str, Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(("task", "started_at", "finished_at", "runtime"))
    return {**nothing, "rows": 0, "bytes": facts["bytes"] or 0, "error": facts["warning"]}


def _of_task(event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    started, finished = facts["started_at"], facts["finished_at"]
    is_over = event != "sync.started"
    seconds = round((finished - started).total_seconds(), 1) if is_over and started else None
    error = (facts["error"] or "")[:MOST_CHARACTERS] if event == "sync.failed" else None
    return {
        "task": {"id": str(facts["number"]), "status": WORDS[event]},
        "rows": facts["rows"] if is_over else 0,
        "bytes": facts["bytes"] if is_over else 0,
        "started_at": _moment(started),
        "finished_at": _moment(finished) if is_over else None,
        "runtime": seconds,
        "error": error,
    }


def _text(told: Mapping[str, Any]) -> str:
    name, way = told["job"]["name"], f"{told['source']} to {told['destination']}"
    if told["event"] == SLOT:
        return f"Job {name} ({way}): {told['error']}"
    if told["event"] == "sync.started":
        return f"Sync of job {name} ({way}) has started."
    figures = f"{told['rows']} rows, {told['bytes']} bytes in {told['runtime']} s"
    ending = f"{figures}. {told['error']}" if told["error"] else f"{figures}."
    return f"Sync of job {name} ({way}) has {told['task']['status']}: {ending}"


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
