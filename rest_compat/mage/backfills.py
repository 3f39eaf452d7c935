"""Backfills in Mage's words: variables of their operations, and bodies made of the answers."""

from collections.abc import Mapping
from datetime import datetime
from itertools import zip_longest
from typing import Any

from app.core.errors import Invalid
from rest_compat.dialect import Call
from rest_compat.mage.moments import row_time
from rest_compat.mage.page import DEFAULT_LIMIT, flag, integer, metadata, page, path_number, rfc3339
from rest_compat.mage.shape import Row, missing_pipeline, row_of
from rest_compat.mage.variables import attributes, by_number, by_uuid, picked

ATTRIBUTES = {
    "name": "name",
    "block_uuid": "blockUuid",
    "interval_type": "intervalType",
    "interval_units": "intervalUnits",
    "start_datetime": "startAt",
    "end_datetime": "endAt",
    "variables": "variables",
    "settings": "settings",
}
RUN_STATES = ("initial", "running", "completed", "failed", "cancelled")
_PLAIN = (
    "block_uuid",
    "id",
    "interval_units",
    "name",
    "settings",
    "total_run_count",
    "variables",
)
_MOMENTS = ("created_at", "end_datetime", "start_datetime", "started_at", "updated_at")


# --- variables ---------------------------------------------------------------------------------


def listed(call: Call) -> dict[str, Any]:
    """Backfills of the project, newest first; of one pipeline with `pipeline_uuid`."""
    uuid = call.query.get("pipeline_uuid")
    where = {"pipelineUuid": {"eq": uuid}} if uuid else {}
    return {"where": where, **page(call)}


def listed_in_pipeline(call: Call) -> dict[str, Any]:
    """Backfills of the pipeline in the path."""
    uuid = call.path["uuid"]
    return {"uuid": uuid, "where": {"pipelineUuid": {"eq": uuid}}, **page(call)}


def detail(call: Call) -> dict[str, Any]:
    """One backfill, with its slots if they were asked for."""
    return {"number": path_number(call), "withSlots": flag(call, "include_preview_runs")}


def new(call: Call) -> dict[str, Any]:
    """Input of a new backfill."""
    return {"input": {"pipeline": by_uuid(call), **_attributes(attributes(call, "backfill"))}}


def changes(call: Call) -> dict[str, Any]:
    """Input of a change; `status` initial starts the backfill, cancelled cancels it."""
    given = attributes(call, "backfill")
    made = {"by": by_number(call), **_attributes(given)}
    status = given.get("status")
    if status is not None:
        made["status"] = status.upper() if isinstance(status, str) else status
    return {"input": made}


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    made = picked(given, ATTRIBUTES)
    if isinstance(made.get("intervalType"), str):
        made["intervalType"] = made["intervalType"].upper()
    for name in ("start_datetime", "end_datetime"):
        field = ATTRIBUTES[name]
        if isinstance(made.get(field), str):
            made[field] = _moment(made[field], name)
    return made


def _moment(text: str, name: str) -> str | None:
    try:
        return rfc3339(datetime.fromisoformat(text)) if text else None
    except (ValueError, OverflowError):
        raise Invalid(f"{name} {text[:50]!r} is no date and time.") from None


# --- bodies ------------------------------------------------------------------------------------


def backfill(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A backfill by itself."""
    kind, status = row["interval_type"], row["status"]
    ended = row_time(row["finished_at"])
    return {
        **{name: row[name] for name in _PLAIN},
        **{name: row_time(row[name]) for name in _MOMENTS},
        "completed_at": ended if status == "COMPLETED" else None,
        "failed_at": ended if status == "FAILED" else None,
        "interval_type": kind.lower() if kind else None,
        "metrics": None,
        "pipeline_schedule_id": row["trigger"]["number"] if row["trigger"] else None,
        "pipeline_uuid": (row["pipeline"] or {}).get("uuid"),
        "run_status_counts": {state: row[state] for state in RUN_STATES if row[state]},
        "status": status.lower() if status else None,
    }


def backfills(data: Any, call: Call) -> dict[str, Any]:
    """A list of backfills."""
    if "pipeline" in data and data["pipeline"] is None:
        raise missing_pipeline(call)
    found = data["backfills"]
    rows = [backfill(row) for row in found["nodes"]]
    return {"backfills": rows, "metadata": metadata(found)}


def read(data: Any, call: Call) -> dict[str, Any]:
    """One backfill; `include_preview_runs` adds a page of the slots of its runs."""
    row = row_of(data, "backfill")
    made = backfill(row)
    if "slots" in row:
        start = integer(call, "_offset", 0) or 0
        limit = integer(call, "_limit", DEFAULT_LIMIT) or 0
        slots = [_slot(*pair) for pair in zip_longest(row["slots"], row["slots"][1:])]
        made["pipeline_run_dates"] = slots[start : start + limit]
    return {"backfill": made, "metadata": None}


def _slot(start: str, end: str | None) -> dict[str, Any]:
    """What the blocks of a slot's run see of it."""
    begins = datetime.fromisoformat(start)
    ends = datetime.fromisoformat(end) if end else None
    return {
        "ds": begins.strftime("%Y-%m-%d"),
        "execution_date": begins.isoformat(),
        "hr": begins.strftime("%H"),
        "interval_end_datetime": ends.isoformat() if ends else None,
        "interval_seconds": (ends - begins).total_seconds() if ends else None,
        "interval_start_datetime": begins.isoformat(),
    }
