"""What a notification says: our words, or the pipeline's `message_templates`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SITUATIONS = {
    "trigger_failure": "failure",
    "trigger_success": "success",
    "trigger_passed_sla": "passed_sla",
}
"""A word of `alert_on` -> the key of `message_templates`."""

TITLES = {
    "failure": "Pipeline {pipeline_uuid} has failed",
    "success": "Pipeline {pipeline_uuid} has succeeded",
    "passed_sla": "Pipeline {pipeline_uuid} takes longer than {sla} s",
}
SUMMARIES = {
    "failure": "Run {pipeline_run_id}{by_trigger} for {execution_time} has failed. {error}",
    "success": "Run {pipeline_run_id}{by_trigger} for {execution_time} took {duration} s.",
    "passed_sla": "Run {pipeline_run_id}{by_trigger} for {execution_time}, accepted at "
    "{accept_time}, should have taken at most {sla} s.",
}
MOST_CHARACTERS = 20_000


@dataclass(frozen=True)
class Message:
    """A title of one line and a text."""

    title: str
    text: str


def variables(facts: Mapping[str, Any], public_host: str) -> dict[str, str]:
    """The names that a template may use, as text; what is not known is empty."""
    pipeline, number, trigger = facts["pipeline_uuid"], facts["number"], facts["trigger_id"]
    named = facts["trigger_name"] or ""
    # Without a start it has been queued all the time.
    began, ended = facts["started_at"] or facts["created_at"], facts["finished_at"]
    failed = facts["status"] == "failed"
    step = facts["step_error"] and f"{facts['step']}: {facts['step_error']}"
    return {
        "execution_time": _moment(facts["execution_date"]),
        "pipeline_run_url": f"{public_host.rstrip('/')}/pipelines/{pipeline}/runs/{number}",
        "pipeline_schedule_id": _text(trigger),
        "pipeline_schedule_name": named,
        "pipeline_schedule_description": _text(facts["trigger_description"]),
        "pipeline_uuid": pipeline,
        "error": _text(step or facts["error"] or facts["reason"]) if failed else "",
        "stacktrace": _text(facts["traceback"]) if failed else "",
        "pipeline_run_id": _text(number),
        "start_time": _moment(facts["started_at"]),
        "end_time": _moment(ended),
        "duration": f"{((ended or datetime.now(UTC)) - began).total_seconds():.1f}",
        "status": facts["status"],
        "sla": _text(facts["sla"]),
        "accept_time": _moment(facts["created_at"]),
        "by_trigger": f" of trigger {trigger} ({named})" if trigger else "",
    }


def compose(event: str, templates: Any, known: Mapping[str, str]) -> Message:
    """The message about an event; `templates` is what the pipeline has, if anything.

    `details` are the whole text; otherwise it is the summary and the address of the run.
    """
    situation = SITUATIONS[event]
    own = templates.get(situation) if isinstance(templates, Mapping) else None
    own = own if isinstance(own, Mapping) else {}
    title = _fill(_said(own, "title") or TITLES[situation], known)
    details = _said(own, "details")
    if details:
        text = _fill(details, known)
    else:
        summary = _fill(_said(own, "summary") or SUMMARIES[situation], known).rstrip()
        text = f"{summary}\n{known['pipeline_run_url']}"
    return Message(" ".join(title.split())[:200], text[:MOST_CHARACTERS])


def _said(template: Mapping[str, Any], key: str) -> str | None:
    value = template.get(key)
    return value if isinstance(value, str) and value.strip() else None


def _fill(template: str, known: Mapping[str, str]) -> str:
    """`{name}` becomes its value; an unknown name stays as it is, for its author to see."""
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), template)


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
