"""From an operation's data to Mage's bodies: triggers, which Mage calls pipeline schedules."""

from typing import Any

from rest_compat.dialect import Call
from rest_compat.mage.moments import row_time, zoned_time
from rest_compat.mage.page import metadata
from rest_compat.mage.shape import REPOSITORY, Row, missing_pipeline, row_of
from rest_compat.mage.words import RUN_WORDS

OWN_FACTS = ("pipeline", "run_count", "runtime_average")
"""What is selected for other fields than those of the same name."""


def schedule(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A trigger, with the fields beyond the base where they were selected."""
    made = {
        **{k: v for k, v in row.items() if k not in OWN_FACTS},
        "pipeline_uuid": (row["pipeline"] or {}).get("uuid"),
        "repo_path": REPOSITORY,
        "schedule_type": row["schedule_type"].lower(),
        "status": row["status"].lower(),
    }
    for name in ("created_at", "last_enabled_at", "start_time", "updated_at"):
        made[name] = row_time(row[name])
    if "next_pipeline_run_date" in row:
        made["next_pipeline_run_date"] = zoned_time(row["next_pipeline_run_date"])
    if "tags" in row:
        made["tags"] = sorted(row["tags"])
    if "pipeline_runs_count" in row:
        made |= _run_facts(row)
    return made


def _run_facts(row: Row) -> dict[str, Any]:
    """The figures of a trigger's runs; null where it never ran."""
    ran = row["pipeline_runs_count"] > 0
    last = row["last_pipeline_run_status"]
    return {
        "last_pipeline_run_status": RUN_WORDS[last.upper()] if last else None,
        "pipeline_in_progress_runs_count": row["pipeline_in_progress_runs_count"] if ran else None,
        "pipeline_runs_count": row["pipeline_runs_count"] if ran else None,
    }


def schedules(data: Any, call: Call) -> dict[str, Any]:
    """A list of triggers."""
    if "pipeline" in data and data["pipeline"] is None:
        raise missing_pipeline(call)
    found = data["triggers"]
    return {
        "pipeline_schedules": [schedule(row) for row in found["nodes"]],
        "metadata": metadata(found),
    }


def read_schedule(data: Any, call: Call) -> dict[str, Any]:
    """One trigger; `_format=with_runtime_average` leaves the base with a few figures."""
    row = row_of(data, "trigger")
    made = schedule(row)
    if call.query.get("_format") == "with_runtime_average":
        made.pop("event_matchers")
        made |= {
            "pipeline_runs_count": row["run_count"] or None,
            "runtime_average": row["runtime_average"],
        }
    return {"pipeline_schedule": made, "metadata": None}
