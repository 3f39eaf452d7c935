"""From a REST request to variables: pipelines, their blocks, variables and runs as a whole."""

from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import Invalid
from rest_compat.dialect import Call
from rest_compat.mage.page import flag, row_number
from rest_compat.mage.variables import attributes, by_uuid, objects, picked

PIPELINE = {
    "name": "name",
    "type": "type",
    "description": "description",
    "tags": "tags",
    "variables": "variables",
    "settings": "settings",
    "concurrency_config": "concurrencyConfig",
    "retry_config": "retryConfig",
    "notification_config": "notificationConfig",
    "executor_config": "executorConfig",
    "executor_type": "executorType",
    "executor_count": "executorCount",
    "run_pipeline_in_one_process": "runPipelineInOneProcess",
    "cache_block_output_in_memory": "cacheBlockOutputInMemory",
}
NEW_PIPELINE = ("name", "type", "description", "tags", "variables")
BLOCK = {
    "name": "name",
    "content": "content",
    "upstream_blocks": "upstreamBlocks",
    "downstream_blocks": "downstreamBlocks",
    "callback_blocks": "callbackBlocks",
    "conditional_blocks": "conditionalBlocks",
    "configuration": "configuration",
    "executor_type": "executorType",
    "executor_config": "executorConfig",
    "retry_config": "retryConfig",
    "timeout": "timeoutS",
    "color": "color",
    "has_callback": "hasCallback",
}
NEW_BLOCK = {
    "name": "name",
    "type": "type",
    "language": "language",
    "content": "content",
    "upstream_blocks": "upstreamBlocks",
    "downstream_blocks": "downstreamBlocks",
    "configuration": "configuration",
    "color": "color",
    "priority": "priority",
}
ENDINGS = (".py", ".sql", ".yaml", ".yml", ".r", ".R", ".md")
RUN_ACTIONS = ("cancelled", "retry", "retry_incomplete_block_runs")
"""Values of a pipeline's `status` that are about its runs, not about its triggers."""


def by_block(call: Call) -> dict[str, Any]:
    """The block in the path."""
    return {"uuid": call.path["uuid"], "block": call.path["block_uuid"]}


def new_pipeline(call: Call) -> dict[str, Any]:
    """Input of a new pipeline, or of a copy."""
    given = attributes(call, "pipeline")
    chosen = {name: PIPELINE[name] for name in NEW_PIPELINE}
    made = picked(given, {**chosen, "clone_pipeline_uuid": "cloneOf"})
    return {"input": made}


def pipeline_changes(call: Call) -> dict[str, Any]:
    """Input of a change: attributes, blocks, or `status` for all of its triggers."""
    return {"input": _changes(call)}


def _changes(call: Call) -> dict[str, Any]:
    given = attributes(call, "pipeline")
    made: dict[str, Any] = {"by": by_uuid(call), **picked(given, PIPELINE)}
    status = given.get("status")
    if status in ("active", "inactive"):
        made["triggersStatus"] = status.upper()
    elif status is not None and status not in RUN_ACTIONS:
        raise Invalid(f"The status {str(status)[:50]!r} cannot be set on a pipeline.")
    if blocks := _block_changes(call, objects(given.get("blocks"), "blocks")):
        made["blockContents"] = blocks
    return made


def _block_changes(call: Call, blocks: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Upstream blocks, and with `update_content=true` code, of the blocks that have any."""
    names = {"upstream_blocks": "upstreamBlocks"}
    if flag(call, "update_content"):
        names["content"] = "content"
    changes = [(block.get("uuid"), picked(block, names)) for block in blocks]
    return [{"uuid": uuid, **made} for uuid, made in changes if made]


def run_action(status: str) -> Callable[[Call], bool]:
    """Whether the update of a pipeline is about its runs in this way."""

    def asked(call: Call) -> bool:
        return bool(attributes(call, "pipeline").get("status") == status)

    return asked


def cancellation(call: Call) -> dict[str, Any]:
    """Which runs to cancel: those listed, those of a trigger, or all that go on."""
    given = attributes(call, "pipeline")
    made: dict[str, Any] = {}
    if given.get("pipeline_runs") is not None:
        made["numbers"] = [_run_id(run) for run in objects(given["pipeline_runs"], "pipeline_runs")]
    elif given.get("pipeline_schedule_id") is not None:
        made["trigger"] = {"number": row_number(str(given["pipeline_schedule_id"]))}
    return _of_runs(call, made)


def repetition(call: Call) -> dict[str, Any]:
    """Which runs to do again as new ones; variables only where they are sent along."""
    runs = []
    for run in objects(attributes(call, "pipeline").get("pipeline_runs"), "pipeline_runs"):
        sent = {"variables": "variables", "event_variables": "eventVariables"}
        runs.append({"number": _run_id(run), **picked(run, sent)})
    if not runs:
        raise Invalid("pipeline_runs is required: the runs to do again, as [{'id': ...}].")
    return _of_runs(call, {"runs": runs})


def all_failed(call: Call) -> dict[str, Any]:
    """The failed runs of the pipeline in the path."""
    return _of_runs(call, {})


def _of_runs(call: Call, made: Mapping[str, Any]) -> dict[str, Any]:
    """An action on runs, and the attributes that are to be changed by the same request."""
    changes = _changes(call)
    return {
        "input": {"pipeline": by_uuid(call), **made},
        "update": changes,
        "changes": len(changes) > 1,
    }


def _run_id(run: Mapping[str, Any]) -> int:
    number = row_number(str(run.get("id")))
    if number == 0:
        raise Invalid("pipeline_runs: each must have the id of a run.")
    return number


def new_variable(call: Call) -> dict[str, Any]:
    """Name and value of a pipeline's variable."""
    given = attributes(call, "variable")
    made = {"name": given.get("name") or "", "value": given.get("value")}
    return {"input": {"pipeline": by_uuid(call), **made}}


def variable_deletion(call: Call) -> dict[str, Any]:
    """The variable in the path."""
    return {"input": {"pipeline": by_uuid(call), "name": call.path["name"]}}


def block_of_any_pipeline(call: Call) -> dict[str, Any]:
    """The block that a path such as `data_loader/load_data.py` names."""
    kind, slash, name = call.path["path"].partition("/")
    if not slash:
        raise Invalid("The url path should be in block_type/block_uuid format.", "BLOCK_UNKNOWN")
    ending = next((e for e in ENDINGS if name.endswith(e)), "")
    uuid = name.removesuffix(ending)
    return {"where": {"type": {"eq": kind.upper()}, "uuid": {"eq": uuid}}}


def new_block(call: Call) -> dict[str, Any]:
    """Input of a new block."""
    made = picked(attributes(call, "block"), NEW_BLOCK)
    return {"input": {"pipeline": by_uuid(call), **made}}


def _block_by(call: Call) -> dict[str, Any]:
    return {"path": {"pipeline": call.path["uuid"], "block": call.path["block_uuid"]}}


def block_changes(call: Call) -> dict[str, Any]:
    """Input of a change of a block, its content included."""
    made = picked(attributes(call, "block"), BLOCK)
    return {"input": {"by": _block_by(call), **made}}


def block_deletion(call: Call) -> dict[str, Any]:
    """Which block to delete, and if its dependents are no obstacle."""
    force = call.query.get("force", "").lower() == "true"
    return {"input": {"by": _block_by(call), "force": force}}
