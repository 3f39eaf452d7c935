"""From a REST request to the variables of its stored operation."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.core.errors import Invalid
from rest_compat.dialect import Call
from rest_compat.mage.page import path_number, rfc3339

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
SCHEDULE = {
    "name": "name",
    "description": "description",
    "schedule_type": "type",
    "schedule_interval": "interval",
    "start_time": "startAt",
    "status": "status",
    "settings": "settings",
    "sla": "sla",
    "variables": "variables",
    "tags": "tags",
    "event_matchers": "eventMatchers",
}
IGNORED_SCHEDULE = {"id", "pipeline_uuid", "repo_path", "token", "rotate_token"}
"""Attributes that Mage's own page sends along."""
WORDS = {"type", "language", "status", "schedule_type"}
"""Attributes whose values are enumerations: Mage writes them small."""
OBJECTS = {
    "variables",
    "settings",
    "configuration",
    "concurrency_config",
    "retry_config",
    "notification_config",
    "executor_config",
}
"""Attributes that the graph takes as any JSON and that the documents show as objects."""


def nothing(_: Call) -> dict[str, Any]:
    """For an operation without variables."""
    return {}


def by_uuid(call: Call) -> dict[str, Any]:
    """The pipeline in the path."""
    return {"uuid": call.path["uuid"]}


def by_number(call: Call) -> dict[str, Any]:
    """The row in the path."""
    return {"number": path_number(call)}


def by_block(call: Call) -> dict[str, Any]:
    """The block in the path."""
    return {"uuid": call.path["uuid"], "block": call.path["block_uuid"]}


def attributes(call: Call, wrapper: str) -> Mapping[str, Any]:
    """The object under the wrapper key; an empty one where it is missing."""
    return an_object(call.body.get(wrapper), wrapper) or {}


def an_object(value: Any, name: str) -> Mapping[str, Any] | None:
    """A JSON object or null; Invalid for anything else."""
    if value is not None and not isinstance(value, Mapping):
        raise Invalid(f"{name} must be an object.")
    return value


def picked(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The attributes that were sent, under the graph's names; unknown ones are left behind."""
    found = {}
    for name, graph_name in names.items():
        if name in given:
            value = an_object(given[name], name) if name in OBJECTS else given[name]
            found[graph_name] = value.upper() if name in WORDS and isinstance(value, str) else value
    return found


def new_pipeline(call: Call) -> dict[str, Any]:
    """Input of a new pipeline, or of a copy."""
    given = attributes(call, "pipeline")
    chosen = {name: PIPELINE[name] for name in NEW_PIPELINE}
    made = picked(given, {**chosen, "clone_pipeline_uuid": "cloneOf"})
    return {"input": made}


def pipeline_changes(call: Call) -> dict[str, Any]:
    """Input of a change: attributes, code of blocks, or `status` for all of its triggers."""
    given = attributes(call, "pipeline")
    made: dict[str, Any] = {"by": by_uuid(call), **picked(given, PIPELINE)}
    status = given.get("status")
    if status in ("active", "inactive"):
        made["triggersStatus"] = status.upper()
    elif status is not None:
        raise Invalid(f"The status {str(status)[:50]!r} cannot be set on a pipeline.")
    if call.query.get("update_content", "").lower() == "true":
        made["blockContents"] = _contents(given.get("blocks"))
    return {"input": made}


def _contents(blocks: Any) -> list[dict[str, Any]]:
    if blocks is None:
        return []
    if not isinstance(blocks, list) or not all(isinstance(b, Mapping) for b in blocks):
        raise Invalid("blocks must be a list of objects.")
    return [{"uuid": b.get("uuid"), "content": b.get("content")} for b in blocks]


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


def new_schedule(call: Call) -> dict[str, Any]:
    """Input of a new trigger; unlike elsewhere, an unknown attribute is refused."""
    given = attributes(call, "pipeline_schedule")
    for name in given:
        if name not in SCHEDULE and name not in IGNORED_SCHEDULE | {"global_data_product_uuid"}:
            raise Invalid(f"{name[:100]!r} is an invalid keyword argument for PipelineSchedule")
    names = {**SCHEDULE, "global_data_product_uuid": "globalDataProductUuid"}
    return {"input": {"pipeline": by_uuid(call), **_schedule(given, names)}}


def schedule_changes(call: Call) -> dict[str, Any]:
    """Input of a change of a trigger."""
    given = attributes(call, "pipeline_schedule")
    made = {"by": by_number(call), **_schedule(given, SCHEDULE)}
    if given.get("rotate_token") is True:
        made["rotateToken"] = True
    return {"input": made}


def _schedule(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    made = picked(given, names)
    start = made.get("startAt")
    if start == "":
        made["startAt"] = None
    elif isinstance(start, str):
        try:
            made["startAt"] = rfc3339(datetime.fromisoformat(start))
        except (ValueError, OverflowError):
            raise Invalid(f"start_time {start[:50]!r} is no date and time.") from None
    return made


def new_run(call: Call) -> dict[str, Any]:
    """Input of a run of the trigger in the path, started by a signed-in user."""
    given = attributes(call, "pipeline_run")
    made = {
        "of": {"trigger": by_number(call)},
        "variables": an_object(given.get("variables"), "variables"),
        "idempotencyKey": call.headers.get("idempotency-key"),
    }
    return {"input": made}


def token_run(call: Call) -> dict[str, Any]:
    """Input of a run started by a trigger's token, in the path or as bearer.

    Every top-level key but `pipeline_run` is an event variable.
    """
    given = attributes(call, "pipeline_run")
    event = {k: v for k, v in call.body.items() if k not in ("pipeline_run", "api_key")}
    made = {
        "triggerNumber": path_number(call),
        "token": call.path.get("token") or bearer(call) or "",
        "variables": an_object(given.get("variables"), "variables"),
        "eventVariables": event if call.has_body else None,
        "idempotencyKey": call.headers.get("idempotency-key"),
    }
    return {"input": made}


def bearer(call: Call) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def run_action(action: str) -> Callable[[Call], bool]:
    """Whether the update of a run asks for `cancel` or `retry`."""

    def asked(call: Call) -> bool:
        given = attributes(call, "pipeline_run")
        if action == "cancel":
            return bool(given.get("status") == "cancelled")
        return bool(given.get("pipeline_run_action") == "retry_blocks")

    return asked


def retry(call: Call) -> dict[str, Any]:
    """Which run to retry, and from which block."""
    given = attributes(call, "pipeline_run")
    return {"input": {"by": by_number(call), "fromBlock": given.get("from_block_uuid")}}


def login(call: Call) -> dict[str, Any]:
    """Name and password of a login; empty where missing."""
    given = attributes(call, "session")
    name = given.get("email") or given.get("username") or ""
    return {"login": name, "password": given.get("password") or ""}
