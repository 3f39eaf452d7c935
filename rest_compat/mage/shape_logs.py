"""From an operation's data to Mage's bodies: log files, made of the lines of runs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from rest_compat.dialect import Call
from rest_compat.mage.page import integer, values
from rest_compat.mage.shape import Row, missing_pipeline, row_of
from rest_compat.mage.shape_runs import one_step

MAX_FILES = 20


def step_logs(data: Any, call: Call) -> dict[str, Any]:
    """The lines of one block run."""
    owner = row_of(one_step(data), "run")
    return _log_item([(owner, owner["pipeline"])], call, of_block=True)


def run_logs(data: Any, call: Call) -> dict[str, Any]:
    """The lines of one pipeline run."""
    owner = row_of(data, "run")
    return _log_item([(owner, owner["pipeline"])], call)


def pipeline_logs(data: Any, call: Call) -> dict[str, Any]:
    """The lines of a pipeline's latest runs; those of runs themselves only without block filter."""
    if data["pipeline"] is None:
        raise missing_pipeline(call)
    of_block = bool(values(call, "block_uuid[]", "block_uuid", "block_run_id[]", "block_run_id"))
    owners = [(row, data["pipeline"]) for row in data["pipelineRuns"]["nodes"]]
    return _log_item(owners, call, of_block=of_block)


def _log_item(
    owners: list[tuple[Row, Row | None]], call: Call, *, of_block: bool = False
) -> dict[str, Any]:
    wanted = tuple(values(call, "block_uuid[]", "block_uuid"))
    of_runs: list[dict[str, Any]] = []
    of_steps: list[dict[str, Any]] = []
    for owner, pipeline in owners:
        types = {b["uuid"]: b["type"].lower() for b in (pipeline or {"blocks": []})["blocks"]}
        files: dict[str | None, list[Row]] = {}
        for line in owner["logs"]["nodes"]:
            files.setdefault(line["step"], []).append(line)
        for step, lines in files.items():
            if step is None and not of_block:
                of_runs.append(_file("pipeline", owner, lines, types))
            elif step is not None and (not wanted or step.startswith(wanted)):
                of_steps.append(_file(step, owner, lines, types))
    item = {
        "block_run_logs": _newest(of_steps, call),
        "pipeline_run_logs": _newest(of_runs, call),
        "total_block_run_log_count": len(of_steps),
        "total_pipeline_run_log_count": len(of_runs),
    }
    return {"logs": [item], "metadata": {}}


def _newest(files: list[dict[str, Any]], call: Call) -> list[dict[str, Any]]:
    """The files that were written last: as many as asked, at most 20."""
    limit = integer(call, "_limit", MAX_FILES) or 0
    ordered = sorted(files, key=itemgetter("modified_timestamp"), reverse=True)
    return ordered[: min(limit, MAX_FILES)]


def _file(name: str, owner: Row, lines: list[Row], types: Mapping[str, str]) -> dict[str, Any]:
    content = "\n".join(_line(line, owner, types) for line in lines)
    return {
        "name": f"{name}.log",
        "path": f"{owner['pipeline_uuid']}/.logs/{owner['id']}/{name}.log",
        "size": len(content.encode()),
        "modified_timestamp": _seconds(lines[-1]["at"]),
        "content": content,
    }


def _line(line: Row, owner: Row, types: Mapping[str, str]) -> str:
    facts = {
        "block_run_id": int(line["stepNumber"]) if line["stepNumber"] else None,
        "block_uuid": line["step"],
        "pipeline_run_id": owner["id"],
        "pipeline_schedule_id": owner["pipeline_schedule_id"],
        "pipeline_uuid": owner["pipeline_uuid"],
        "block_type": types.get(line["step"] or ""),
        "level": line["level"],
        "message": line["message"],
        "timestamp": _seconds(line["at"]),
        "uuid": f"{owner['id']}-{line['seq']}",
    }
    kept = facts if line["step"] else {k: v for k, v in facts.items() if not k.startswith("block_")}
    return f"{line['at'][:19]} {json.dumps(kept, ensure_ascii=False)}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
