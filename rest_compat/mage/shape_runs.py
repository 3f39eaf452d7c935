"""From an operation's data to Mage's bodies: pipeline runs, block runs and outputs."""

from itertools import takewhile
from typing import Any

from rest_compat.dialect import Call
from rest_compat.mage.lists import groups_retries
from rest_compat.mage.moments import row_time
from rest_compat.mage.page import counts, flag, metadata, page, part
from rest_compat.mage.shape import REPOSITORY, Row, an_object, missing_pipeline, row_of
from rest_compat.mage.words import RUN_WORDS, STEP_WORDS

BASE = (
    "backfill_id",
    "event_variables",
    "executor_type",
    "id",
    "passed_sla",
    "pipeline_schedule_id",
    "pipeline_uuid",
    "variables",
)


def run(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A pipeline run by itself. Only a completed one has `completed_at`."""
    done = row["status"] == "SUCCEEDED"
    return {
        **{name: row[name] for name in BASE},
        "completed_at": row_time(row["finished_at"]) if done else None,
        "created_at": row_time(row["created_at"]),
        "execution_date": row_time(row["execution_date"]),
        "metrics": _with_wait(row, row["metrics"]),
        "started_at": row_time(row["started_at"]),
        "status": RUN_WORDS[row["status"]],
        "updated_at": row_time(row["updated_at"]),
    }


def started_run(data: Any, _: Call) -> dict[str, Any]:
    """The run that a trigger's token started; this answer has no metadata."""
    fresh = {
        "backfill_id": None,
        "executor_type": "local_python",
        "metrics": None,
        "passed_sla": False,
    }
    return {"pipeline_run": run({**data["payload"]["run"], **fresh})}


def trigger_name(row: Row) -> str | None:
    """The trigger's name as it is now, or as it was where the trigger is gone."""
    name: str | None = row["trigger"]["name"] if row["trigger"] else row["trigger_name"]
    return name


def block_run(row: Row, run_id: int) -> dict[str, Any]:
    """A block run inside a pipeline run."""
    done = row["status"] == "SUCCEEDED"
    return {
        "pipeline_run_id": run_id,
        "block_uuid": row["block_uuid"],
        "status": STEP_WORDS[row["status"]],
        "started_at": row_time(row["started_at"]),
        "completed_at": row_time(row["finished_at"]) if done else None,
        "metrics": _metrics(row),
        "id": row["id"],
        "created_at": row_time(row["created_at"]),
        "updated_at": row_time(row["updated_at"]),
    }


def _metrics(row: Row) -> dict[str, Any] | None:
    if row["status"] not in ("SUCCEEDED", "FAILED"):
        return _with_wait(row, None)
    metrics = dict(an_object(row["metrics"]))
    if row["status"] == "FAILED":
        metrics["error"] = {
            "error": row["error"] or "",
            "errors": [],
            "message": row["traceback"] or row["error"] or "",
        }
    return metrics


def _with_wait(row: Row, metrics: dict[str, Any] | None) -> dict[str, Any] | None:
    # The one place of Mage's runs where more facts than Mage's fit.
    if row.get("wait_reason") is None:
        return metrics
    waiting = {
        "reason": row["wait_reason"].lower(),
        "until": row_time(row["wait_until"]),
        "for": row["wait_for"],
    }
    return {**(metrics or {}), "waiting": waiting}


def listed_block_run(row: Row, owner: Row, *, nested: bool = False) -> dict[str, Any]:
    """A block run in a list of its own, where times are ISO and metrics are left out."""
    made = block_run(row, owner["id"])
    made.pop("metrics")
    for name in ("completed_at", "created_at", "started_at", "updated_at"):
        made[name] = None if made[name] is None else made[name].replace(" ", "T")
    started_by = _started_by(owner)
    return {**made, **(dict.fromkeys(started_by) if nested else started_by)}


def read_run(data: Any, call: Call) -> dict[str, Any]:
    """One run with its block runs; `_format=with_basic_details` leaves three facts."""
    row = row_of(data, "run")
    made = run(row)
    if call.query.get("_format") == "with_basic_details":
        made = {name: made[name] for name in ("execution_date", "id", "status")}
    else:
        started_by = _started_by(row)
        made["block_runs"] = [{**block_run(s, row["id"]), **started_by} for s in row["steps"]]
    return {"pipeline_run": made, "metadata": None}


def _started_by(row: Row) -> dict[str, Any]:
    return {
        "pipeline_schedule_id": row["pipeline_schedule_id"],
        "pipeline_schedule_name": trigger_name(row),
    }


def unchanged_run(data: Any, _: Call) -> dict[str, Any]:
    """The run whose update asked for nothing."""
    return {"pipeline_run": run(row_of(data, "run")), "metadata": None}


def listed_run(row: Row, call: Call) -> dict[str, Any]:
    """A run in a list."""
    trigger = row["trigger"] or {}
    pipeline = row.get("pipeline") or {}
    kind = pipeline.get("type") if flag(call, "include_pipeline_type") else None
    tags = pipeline.get("tags", []) if flag(call, "include_pipeline_tags") else None
    return {
        **run(row),
        "block_runs": [block_run(step, row["id"]) for step in row["steps"]],
        "block_runs_count": row["block_runs_count"],
        "completed_block_runs_count": row["completed_block_runs_count"],
        "pipeline_schedule_name": trigger_name(row),
        "pipeline_schedule_token": trigger.get("token"),
        "pipeline_schedule_type": trigger["type"].lower() if trigger else None,
        "pipeline_tags": tags,
        "pipeline_type": kind.lower() if kind else None,
        "repo_path": REPOSITORY,
    }


def runs(data: Any, call: Call) -> dict[str, Any]:
    """A list of runs, of the project, a trigger or a pipeline."""
    if "trigger" in data:
        row_of(data, "trigger")
    if "pipeline" in data and data["pipeline"] is None:
        raise missing_pipeline(call)
    found = data["pipelineRuns"]
    rows, facts = found["nodes"], metadata(found)
    if groups_retries(call):
        limits = page(call)
        rows = _with_retries(rows, limits["limit"])
        facts["next"] = limits["offset"] + len(rows) < found["totalCount"]
    if "pipelines" in data:
        facts["pipeline_uuids"] = [p["uuid"] for p in data["pipelines"]["nodes"]]
    return {"pipeline_runs": [listed_run(row, call) for row in rows], "metadata": facts}


def _with_retries(rows: list[Row], limit: int) -> list[Row]:
    """A page's rows, and those behind them that are about the same moment as its last one."""
    kept = rows[:limit]
    last = kept[-1]["execution_date"] if kept else None
    return kept + list(takewhile(lambda row: row["execution_date"] == last, rows[limit:]))


def read_block_run(data: Any, _: Call) -> dict[str, Any]:
    """One block run, as its run's detail has it."""
    row = one_step(data)
    owner = row_of(row, "run")
    return {"block_run": {**block_run(row, owner["id"]), **_started_by(owner)}, "metadata": None}


def nested_block_runs(data: Any, call: Call) -> dict[str, Any]:
    """The block runs of the run in the path, in order."""
    row = row_of(data, "run")
    listed = [listed_block_run(s, row, nested=True) for s in part(row["steps"], call)]
    return {"block_runs": listed, "metadata": counts(row["steps"], call)}


def block_runs_of_run(data: Any, call: Call) -> dict[str, Any]:
    """The block runs of the run in the query, last begun first; none where it does not exist."""
    row = data["run"] or {"steps": []}
    steps = sorted(row["steps"], key=lambda s: (s["started_at"] or "", s["id"]), reverse=True)
    if call.query.get("order_by", "").startswith("id"):
        steps.sort(key=lambda s: s["id"], reverse=call.query["order_by"].endswith("desc"))
    listed = [listed_block_run(s, row) for s in part(steps, call)]
    return {"block_runs": listed, "metadata": counts(steps, call)}


def block_runs(data: Any, _: Call) -> dict[str, Any]:
    """Block runs of all runs."""
    found = data["runSteps"]
    listed = [listed_block_run(row, row["run"]) for row in found["nodes"] if row["run"]]
    return {"block_runs": listed, "metadata": metadata(found)}


def one_step(data: Any) -> Row:
    """The block run in the path; NotFound where there is none."""
    nodes = data["runSteps"]["nodes"]
    return row_of({"step": nodes[0] if nodes else None}, "step")


def outputs(data: Any, _: Call) -> dict[str, Any]:
    """What a block run produced: tables with their first rows, other values as text."""
    return {"outputs": [_output(o) for o in one_step(data)["outputs"]], "metadata": {}}


def _output(output: Row) -> dict[str, Any]:
    """A table, or a value that is shown as one (a dict, a list of dicts), or a text."""
    sample = an_object(output["sample"])
    table = sample.get("columns") is not None
    return {
        "outputs": None,
        "sample_data": {name: sample[name] for name in ("columns", "rows")} if table else None,
        "shape": sample["shape"] if table else None,
        "text_data": None if table else sample.get("text") or "",
        "type": "table" if table else "text",
        "variable_uuid": output["name"],
    }
