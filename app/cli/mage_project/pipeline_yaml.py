"""`pipelines/<uuid>/metadata.yaml`: a pipeline and its blocks, without their code."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.cli.mage_project.model import Remarks
from app.cli.mage_project.yaml_text import has_dates, mappings, moment, plain, seconds
from app.core.errors import Invalid
from app.pipelines import dag
from app.pipelines.actions.whole import Values, WholePipeline
from app.pipelines.kinds import BLOCK_TYPES, LANGUAGES, PIPELINE_TYPES

OBJECTS = (
    "variables",
    "concurrency_config",
    "retry_config",
    "notification_config",
    "executor_config",
    "spark_config",
)
DEFAULTS = ("concurrency_config", "retry_config", "notification_config")
"""What a pipeline has from the project's metadata.yaml where it says nothing itself."""

LISTS = {"conditional": "conditionals", "callback": "callbacks", "chart": "widgets"}
"""Where blocks stand in the file that do not stand under `blocks`, in Isthmus' order."""

_FLAGS = ("run_pipeline_in_one_process", "cache_block_output_in_memory")
_READ = {
    *("name", "type", "description", "tags", "settings", "data_integration", "created_at"),
    *("executor_type", "executor_count", "uuid", "blocks", "updated_at"),
    *(*OBJECTS, *_FLAGS, *LISTS.values()),
}
_BLOCK_READ = {
    *("name", "uuid", "type", "language", "content", "color", "timeout", "executor_type"),
    *("executor_config", "retry_config", "configuration", "has_callback", "upstream_blocks"),
    *("all_upstream_blocks_executed", "downstream_blocks", "status", "replicated_block"),
    *("callback_blocks", "conditional_blocks", "outputs", "error", "metadata"),
}


def read(
    uuid: str, data: Mapping[str, Any], defaults: Mapping[str, Any], remarks: Remarks
) -> WholePipeline:
    """The pipeline that a file describes, its blocks without code; Invalid where it cannot be."""
    _tell_of_others(f"pipeline {uuid}", data, _READ, remarks)
    kind = data.get("type") or "python"
    if kind not in PIPELINE_TYPES:
        raise Invalid(f"its type {kind} is unknown")
    if kind != "python":
        remarks.notes.append(f"pipeline {uuid}: type {kind} is kept, and not run.")
    if has_dates({name: data.get(name) for name in OBJECTS}):
        remarks.notes.append(f"pipeline {uuid}: dates in its variables become text.")
    values: dict[str, Any] = {
        "name": str(data.get("name") or uuid),
        "type": kind,
        "description": _text(data.get("description")),
        "tags": [str(tag) for tag in data.get("tags") or []],
        "settings": plain(_object(data, "settings") or {"triggers": None}),
        "data_integration": plain(_object(data, "data_integration")),
        "executor_type": _text(data.get("executor_type")),
        "executor_count": seconds(data.get("executor_count")) or 1,
        **{name: plain(_object(data, name) or {}) for name in OBJECTS},
        **{name: bool(data.get(name)) for name in _FLAGS},
    }
    for name in DEFAULTS:
        if not values[name] and defaults.get(name):
            values[name] = defaults[name]
            remarks.notes.append(
                f"{name} of the project's metadata.yaml is set in each pipeline "
                "that has none of its own."
            )
    created = moment(data.get("created_at"))
    if created is not None:
        values["created_at"] = created
    return WholePipeline(values, _blocks(uuid, data, remarks), {})


def _blocks(uuid: str, data: Mapping[str, Any], remarks: Remarks) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for listed in ("blocks", *LISTS.values()):
        for block in mappings(data, listed):
            what = f"pipeline {uuid}, block {block.get('uuid')}"
            try:
                values = _block(what, block, remarks)
                if block["uuid"] in found:
                    raise Invalid("another block has this uuid")
                found[str(block["uuid"])] = values
            except (Invalid, KeyError) as error:
                remarks.refuse(what, error)
    for name, values in found.items():
        unknown = [u for u in values["upstream_blocks"] if u not in found]
        if unknown:
            remarks.notes.append(f"pipeline {uuid}, block {name}: no upstream block {unknown}.")
            kept = [u for u in values["upstream_blocks"] if u in found]
            found[name] = {**values, "upstream_blocks": kept}
    cycle = dag.find_cycle({name: values["upstream_blocks"] for name, values in found.items()})
    if cycle:
        raise Invalid(f"its blocks form a circle: {' --> '.join(cycle)}")
    return found


def _block(what: str, block: Mapping[str, Any], remarks: Remarks) -> Values:
    kind = block.get("type")
    if kind not in BLOCK_TYPES:
        raise Invalid(f"there is no block type {kind}")
    language = block.get("language") or ("markdown" if kind == "markdown" else "python")
    if language not in LANGUAGES:
        raise Invalid(f"there is no language {language}")
    _tell_of_others(what, block, _BLOCK_READ, remarks)
    configuration = plain(_object(block, "configuration") or {})
    if block.get("replicated_block"):
        configuration["replicated_block"] = str(block["replicated_block"])
    return {
        "name": str(block.get("name") or block["uuid"]),
        "type": kind,
        "language": language,
        "content": block.get("content") or "",
        "upstream_blocks": list(dict.fromkeys(map(str, block.get("upstream_blocks") or []))),
        "color": _text(block.get("color")),
        "timeout_s": seconds(block.get("timeout")) or None,
        "executor_type": str(block.get("executor_type") or "local_python"),
        "executor_config": plain(_object(block, "executor_config")),
        "retry_config": plain(_object(block, "retry_config")),
        "configuration": configuration,
        "has_callback": bool(block.get("has_callback")),
    }


def write(uuid: str, pipeline: WholePipeline, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The file that Mage reads; what equals the project's defaults is left to them."""
    values = pipeline.values
    written: dict[str, Any] = {
        "uuid": uuid,
        "extensions": {},
        "remote_variables_dir": None,
        "created_at": str(values["created_at"]) if values.get("created_at") else None,
        **{name: value for name, value in values.items() if name != "created_at"},
        **{listed: [] for listed in ("blocks", *LISTS.values())},
    }
    for name in DEFAULTS:
        if values[name] and values[name] == defaults.get(name):
            written[name] = {}
    if not written["variables"]:
        del written["variables"]
    for name, block in pipeline.blocks.items():
        listed = LISTS.get(block["type"], "blocks")
        written[listed].append(_written_block(name, block, pipeline))
    return written


def _written_block(uuid: str, block: Values, pipeline: WholePipeline) -> dict[str, Any]:
    configuration = dict(block["configuration"])
    copied = configuration.pop("replicated_block", None)
    executed = [
        pipeline.blocks[u].get("status") == "executed"
        for u in block["upstream_blocks"]
        if u in pipeline.blocks
    ]
    kept = ("name", "type", "language", "upstream_blocks", "color", "executor_type")
    more = ("executor_config", "retry_config", "has_callback")
    return {
        **{name: block[name] for name in (*kept, *more)},
        **({"replicated_block": copied} if copied else {}),
        "uuid": uuid,
        "configuration": configuration,
        "timeout": block["timeout_s"],
        "status": block.get("status", "updated"),
        "all_upstream_blocks_executed": all(executed),
        "downstream_blocks": [
            name for name, other in pipeline.blocks.items() if uuid in other["upstream_blocks"]
        ],
    }


def _tell_of_others(what: str, data: Mapping[str, Any], known: set[str], remarks: Remarks) -> None:
    others: Sequence[str] = sorted(n for n in data if n not in known and data[n])
    quiet = ("variables_dir", "remote_variables_dir", "state_store_config")
    for name in others:
        if name in quiet:
            remarks.notes.append(f"{name} of pipelines is not taken: Isthmus has its own storage.")
        else:
            remarks.not_taken.append(f"{what}: {name}")


def _object(data: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = data.get(name)
    if value is not None and not isinstance(value, dict):
        raise Invalid(f"{name} is no mapping")
    return value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
