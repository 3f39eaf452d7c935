"""From an operation's data to Mage's bodies. Pure: nothing but the data and the request is seen."""

from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import NotFound
from rest_compat.dialect import Call
from rest_compat.mage.moments import full_time, iso_time, row_time, zoned_time
from rest_compat.mage.page import counts, metadata, part, values
from rest_compat.mage.words import RUN_WORDS

Row = Mapping[str, Any]
Shape = Callable[[Any, Call], dict[str, Any]]

REPOSITORY = "default_repo"
"""What Mage calls its folder; ours has none, and paths of the server are nobody's business."""


def single(key: str, build: Callable[[Row, Call], Any]) -> Shape:
    """`{key: ..., "metadata": null}` of a mutation's payload: the object in its only other field."""

    def shape(data: Any, call: Call) -> dict[str, Any]:
        row = next(v for k, v in data["payload"].items() if k != "errors")
        return {key: build(row, call), "metadata": None}

    return shape


def missing_pipeline(call: Call) -> NotFound:
    """The pipeline in the path does not exist."""
    return NotFound(f"Pipeline {call.path['uuid']} does not exist.")


def row_of(data: Any, name: str) -> Row:
    """The object of a database resource; NotFound where it is null."""
    row: Row | None = data[name]
    if row is None:
        raise NotFound("Record not found.")
    return row


def an_object(value: Any) -> Row:
    """A JSON value as an object; the graph lets any value in where an object is meant."""
    return value if isinstance(value, Mapping) else {}


# --- pipelines and blocks ----------------------------------------------------------------------

ATTACHED = {"CALLBACK": "callbacks", "CONDITIONAL": "conditionals", "CHART": "widgets"}


def block(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A block, with or without content."""
    small = {name: row[name].lower() for name in ("language", "status", "type")}
    return {**row, **small}


def block_with_outputs(row: Row) -> dict[str, Any]:
    """A block on its own; outputs are read from its runs."""
    return {**block(row), "outputs": []}


def block_in_detail(row: Row) -> dict[str, Any]:
    """A block inside a pipeline's detail."""
    return {**block_with_outputs(row), "metadata": {}, "tags": []}


def pipeline(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A pipeline as it is created, listed and deleted."""
    return _pipeline(row, block)


def pipeline_detail(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A pipeline as it is read and updated."""
    return {**_pipeline(row, block_in_detail), "extensions": {}}


def _pipeline(row: Row, build: Callable[[Row], Any]) -> dict[str, Any]:
    groups: dict[str, list[Any]] = {
        "blocks": [],
        "callbacks": [],
        "conditionals": [],
        "widgets": [],
    }
    for one in row["blocks"]:
        groups[ATTACHED.get(one["type"], "blocks")].append(build(one))
    return {
        **row,
        "type": row["type"].lower(),
        "created_at": full_time(row["created_at"], " "),
        "updated_at": full_time(row["updated_at"], "T"),
        "settings": {"triggers": None, **an_object(row["settings"])},
        "remote_variables_dir": None,
        "variables_dir": REPOSITORY,
        **groups,
    }


def _schedule_in_pipeline(row: Row, uuid: str) -> dict[str, Any]:
    start = row["start_time"]
    return {
        **row,
        "pipeline_uuid": uuid,
        "created_at": iso_time(row["created_at"]),
        "updated_at": iso_time(row["updated_at"]),
        "start_time": iso_time(start) if start else None,
        "schedule_type": row["schedule_type"].lower(),
        "status": row["status"].lower(),
    }


def pipelines(data: Any, call: Call) -> dict[str, Any]:
    """A list of pipelines; `next` is null where no limit was asked."""
    found = data["pipelines"]
    rows = []
    for row in found["nodes"]:
        made = pipeline(row)
        if "schedules" in row:
            made["schedules"] = [_schedule_in_pipeline(s, row["uuid"]) for s in row["schedules"]]
        rows.append(made)
    more = found["pageInfo"]["hasNextPage"] if call.query.get("_limit") else None
    facts = {"count": found["totalCount"], "results": len(rows), "next": more}
    return {"pipelines": rows, "metadata": facts}


def read_pipeline(data: Any, call: Call) -> dict[str, Any]:
    """One pipeline with its blocks' code."""
    if data["pipeline"] is None:
        raise missing_pipeline(call)
    return {"pipeline": pipeline_detail(data["pipeline"]), "metadata": None}


def pipeline_variables(data: Any, call: Call) -> dict[str, Any]:
    """The pipeline's own variables, which are those of its block `global`."""
    if data["pipeline"] is None:
        raise missing_pipeline(call)
    uuid, held = data["pipeline"]["uuid"], an_object(data["pipeline"]["variables"])
    listed = [
        {"uuid": name, "type": f"<class '{_python_type(value)}'>", "value": value}
        for name, value in held.items()
    ]
    row = {
        "block": {"uuid": "global"},
        "name": None,
        "pipeline": {"uuid": uuid},
        "value": None,
        "variables": listed,
    }
    return {"variables": [row], "metadata": {}}


def _python_type(value: Any) -> str:
    return "NoneType" if value is None else type(value).__name__


def read_block(data: Any, call: Call) -> dict[str, Any]:
    """One block."""
    if data["pipeline"] is None:
        raise missing_pipeline(call)
    if data["block"] is None:
        named, owner = call.path["block_uuid"], call.path["uuid"]
        raise NotFound(f"Block {named} does not exist in pipeline {owner}.", reason="BLOCK_UNKNOWN")
    return {"block": block_with_outputs(data["block"]), "metadata": None}


def blocks(data: Any, call: Call) -> dict[str, Any]:
    """The blocks of a pipeline in its order."""
    if data["pipeline"] is None:
        raise missing_pipeline(call)
    wanted = set(values(call, "block_uuid[]"))
    found = [b for b in data["pipeline"]["blocks"] if not wanted or b["uuid"] in wanted]
    return {"blocks": [block(b) for b in part(found, call)], "metadata": counts(found, call)}


def run_blocks(data: Any, call: Call) -> dict[str, Any]:
    """The blocks that a run consists of; none where the pipeline is gone."""
    run = row_of(data, "pipelineRun")
    by_uuid = {b["uuid"]: b for b in (run["pipeline"] or {"blocks": []})["blocks"]}
    found = [by_uuid[s["name"]] for s in run["steps"] if s["name"] in by_uuid]
    listed = [{**block(b), "tags": []} for b in part(found, call)]
    return {"blocks": listed, "metadata": counts(found, call)}


def tags(data: Any, _: Call) -> dict[str, Any]:
    """All tags in use; they are words, not rows, so they have no id."""
    rows = [*data["pipelines"]["nodes"], *data["triggers"]["nodes"]]
    names = sorted({name for row in rows for name in row["tags"]})
    listed = [{"description": None, "id": None, "name": n, "uuid": n} for n in names]
    return {"tags": listed, "metadata": {"count": len(listed), "next": False}}


# --- triggers ----------------------------------------------------------------------------------


def schedule(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A trigger, with the fields beyond the base where they were selected."""
    made = {
        **{k: v for k, v in row.items() if k not in ("pipeline", "run_count")},
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
        made |= {"pipeline_runs_count": row["run_count"] or None, "runtime_average": None}
    return {"pipeline_schedule": made, "metadata": None}
