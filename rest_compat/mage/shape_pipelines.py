"""From an operation's data to Mage's bodies: pipelines, blocks, variables and tags."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from app.core.errors import NotFound
from rest_compat.dialect import Call
from rest_compat.mage.moments import full_time, iso_time
from rest_compat.mage.page import counts, part, values
from rest_compat.mage.shape import REPOSITORY, Row, an_object, missing_pipeline, row_of

ATTACHED = {"CALLBACK": "callbacks", "CONDITIONAL": "conditionals", "CHART": "widgets"}


def block(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A block, with or without content."""
    return {
        **row,
        "language": row["language"].lower(),
        "status": row["status"].lower(),
        "type": row["type"].lower(),
    }


def block_with_outputs(row: Row) -> dict[str, Any]:
    """A block on its own; outputs are read from its runs."""
    return {**block(row), "outputs": []}


def block_in_detail(row: Row) -> dict[str, Any]:
    """A block inside a pipeline's detail."""
    return {**block_with_outputs(row), "metadata": {}, "tags": []}


def pipeline(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A pipeline as it is created, listed and deleted."""
    return _pipeline(row, block)


def pipeline_changed(row: Row, _: Call | None = None) -> dict[str, Any]:
    """A pipeline as it is updated."""
    return {**_pipeline(row, block), "extensions": {}}


def pipeline_detail(row: Row) -> dict[str, Any]:
    """A pipeline as it is read."""
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
            oldest_first = sorted(row["schedules"], key=itemgetter("id"))
            made["schedules"] = [_schedule_in_pipeline(s, row["uuid"]) for s in oldest_first]
        rows.append(made)
    more = found["pageInfo"]["hasNextPage"] if call.query.get("_limit") else None
    facts = {"count": found["totalCount"], "results": len(rows), "next": more}
    return {"pipelines": rows, "metadata": facts}


def read_pipeline(data: Any, call: Call) -> dict[str, Any]:
    """One pipeline with its blocks' code."""
    if data["pipeline"] is None:
        raise missing_pipeline(call)
    return {"pipeline": pipeline_detail(data["pipeline"]), "metadata": None}


def pipeline_after_runs(data: Any, _: Call) -> dict[str, Any]:
    """The pipeline whose runs were changed, with the attributes that were changed along."""
    row = data.get("changed", data["payload"])["pipeline"]
    return {"pipeline": pipeline_changed(row), "metadata": None}


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


def one_variable(data: Any, call: Call) -> dict[str, Any]:
    """A variable that was set, or the name of one that was taken away."""
    row = data["payload"]["pipeline"]
    name = call.path.get("name") or call.body["variable"]["name"]
    made = {
        "block": {"uuid": "global"},
        "name": name,
        "pipeline": {"uuid": row["uuid"]},
        "value": an_object(row["variables"]).get(name),
        "variables": None,
    }
    return {"variable": made, "metadata": None}


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


def block_of_any_pipeline(data: Any, call: Call) -> dict[str, Any]:
    """The newest block of a type and uuid in any pipeline."""
    found = data["blocks"]["nodes"]
    if not found:
        raise NotFound(f"Block {call.path['path']} does not exist.", reason="BLOCK_UNKNOWN")
    return {"block": block_with_outputs(found[0]), "metadata": None}


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


def tags(data: Any, call: Call) -> dict[str, Any]:
    """All tags in use; they are words, not rows, so they have no id."""
    rows = [*data["pipelines"]["nodes"], *data["triggers"]["nodes"]]
    names = sorted({name for row in rows for name in row["tags"]})
    listed = [{"description": None, "id": None, "name": n, "uuid": n} for n in names]
    return {"tags": part(listed, call), "metadata": counts(listed, call)}
