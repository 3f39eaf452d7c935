"""Filters and orderings of Mage's lists as variables."""

from typing import Any

from rest_compat.dialect import Call
from rest_compat.mage import words
from rest_compat.mage.page import (
    MAX_LIMIT,
    flag,
    numbers,
    ordering,
    page,
    path_number,
    unix_range,
    values,
)

PIPELINE_ORDERS = {
    "name": "NAME",
    "uuid": "UUID",
    "type": "TYPE",
    "created_at": "CREATED_AT",
    "updated_at": "UPDATED_AT",
    "blocks": "BLOCK_COUNT",
    "triggers": "TRIGGER_COUNT",
    "status": "STATUS",
}
RUN_ORDERS = {
    "id": "NUMBER",
    "status": "STATUS",
    "created_at": "CREATED_AT",
    "execution_date": "EXECUTION_DATE",
    "started_at": "STARTED_AT",
    "completed_at": "FINISHED_AT",
}
BLOCK_RUN_ORDERS = {
    "id": "NUMBER",
    "block_uuid": "NAME",
    "created_at": "CREATED_AT",
    "started_at": "STARTED_AT",
}
SCHEDULE_ORDERS = {
    "created_at": ("CREATED_AT", "DESC"),
    "name": ("NAME", "ASC"),
    "pipeline_uuid": ("PIPELINE_UUID", "ASC"),
    "status": ("STATUS", "ASC"),
    "schedule_type": ("TYPE", "ASC"),
}
NEWEST_RUN = [
    {"field": "EXECUTION_DATE", "direction": "DESC"},
    {"field": "NUMBER", "direction": "DESC"},
]
LAST_FAILED = "last_run_failed"
MAX_RETRIES = 20
"""How many runs may be added to a page because they have its last run's execution date."""
_ACTIVE = {"triggers": {"status": {"eq": "ACTIVE"}}}
PIPELINE_STATUSES: dict[str, dict[str, Any]] = {
    "active": _ACTIVE,
    "inactive": {"hasTriggers": True, "not": _ACTIVE},
    "no_schedules": {"hasTriggers": False},
}


def simple_page(call: Call) -> dict[str, Any]:
    """A list without filters."""
    return page(call)


def pipelines(call: Call) -> dict[str, Any]:
    """Pipelines: all of them unless a limit is given."""
    where: dict[str, Any] = {}
    if search := call.query.get("search"):
        where["uuid"] = {"contains": search}
    if kinds := values(call, "type[]", "type"):
        where["type"] = {"in": [kind.upper() for kind in kinds]}
    if tags := values(call, "tag[]"):
        where["tags"] = {"hasAny": tags}
    with_schedules = flag(call, "include_schedules")
    statuses = values(call, "status[]") if with_schedules else []
    if statuses:
        where["or"] = [PIPELINE_STATUSES[s] for s in statuses if s in PIPELINE_STATUSES]
    return {
        "where": where,
        "orderBy": ordering(values(call, "_order_by[]"), PIPELINE_ORDERS, "Pipelines"),
        "withSchedules": with_schedules,
        **page(call, default=MAX_LIMIT),
    }


def schedules(call: Call) -> dict[str, Any]:
    """Triggers of the project, oldest first."""
    where: dict[str, Any] = {}
    for name, field, known in (
        ("schedule_type[]", "type", words.TRIGGER_TYPES),
        ("status[]", "status", words.TRIGGER_STATUSES),
    ):
        if wanted := values(call, name):
            where[field] = {"in": [known[word] for word in wanted if word in known]}
    if intervals := values(call, "schedule_interval[]"):
        where["interval"] = {"in": intervals}
    if tags := values(call, "tag[]"):
        where["tags"] = {"hasAny": tags}
    if product := call.query.get("global_data_product_uuid"):
        where["globalDataProductUuid"] = {"eq": product}
    field, direction = SCHEDULE_ORDERS.get(call.query.get("order_by", ""), ("NUMBER", "ASC"))
    return {
        "where": where,
        "orderBy": [{"field": field, "direction": direction}],
        **page(call),
    }


def pipeline_schedules(call: Call) -> dict[str, Any]:
    """Triggers of one pipeline, newest first."""
    uuid = call.path["uuid"]
    found = schedules(call)
    found["where"]["pipelineUuid"] = {"eq": uuid}
    if "order_by" not in call.query:
        found["orderBy"] = [{"field": "NUMBER", "direction": "DESC"}]
    return {"uuid": uuid, **found}


def _runs(call: Call) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if statuses := values(call, "status", "status[]"):
        known = words.RUN_STATUSES
        where["or"] = [{"status": {"in": [known[s] for s in statuses if s in known]}}]
        if LAST_FAILED in statuses:
            where["or"].append({"status": {"eq": "FAILED"}, "isLatest": True})
    if uuids := values(call, "pipeline_uuid", "pipeline_uuid[]"):
        where["pipelineUuid"] = {"in": uuids}
    pipeline: dict[str, Any] = {}
    if tags := values(call, "pipeline_tag[]"):
        pipeline["tags"] = {"hasAny": tags}
    if kind := call.query.get("pipeline_type"):
        pipeline["type"] = {"eq": kind.upper()}
    if pipeline:
        where["pipeline"] = pipeline
    if backfills := numbers(call, "backfill_id"):
        where["backfillNumber"] = {"in": backfills}
    if period := unix_range(call):
        where["createdAt"] = period
    return {
        "where": where,
        "orderBy": ordering(values(call, "order_by[]", "order_by"), RUN_ORDERS, "Pipeline runs")
        or NEWEST_RUN,
        "withPipeline": flag(call, "include_pipeline_type") or flag(call, "include_pipeline_tags"),
        **_page_with_retries(call),
    }


def groups_retries(call: Call) -> bool:
    """Whether runs with the execution date of a page's last one are added to the page."""
    of_one = "pipeline_uuid" in call.query or len(call.segments) > 1
    ordered = bool(values(call, "order_by[]", "order_by"))
    return of_one and not ordered and not flag(call, "disable_retries_grouping")


def _page_with_retries(call: Call) -> dict[str, Any]:
    found = page(call)
    if groups_retries(call) and found["limit"] > 0:
        found["limit"] = min(found["limit"] + MAX_RETRIES, MAX_LIMIT)
    return found


def runs(call: Call) -> dict[str, Any]:
    """Pipeline runs of the project."""
    return {**_runs(call), "withUuids": flag(call, "include_pipeline_uuids")}


def schedule_runs(call: Call) -> dict[str, Any]:
    """Pipeline runs of one trigger."""
    number = path_number(call)
    found = _runs(call)
    found["where"]["triggerNumber"] = {"eq": number}
    return {"number": number, **found}


def pipeline_runs(call: Call) -> dict[str, Any]:
    """Pipeline runs of one pipeline."""
    uuid = call.path["uuid"]
    found = _runs(call)
    found["where"]["pipelineUuid"] = {"eq": uuid}
    return {"uuid": uuid, **found}


def of_one_run(call: Call) -> bool:
    """Whether a list of block runs is about a single pipeline run."""
    return bool(call.query.get("pipeline_run_id"))


def run_steps(call: Call) -> dict[str, Any]:
    """The pipeline run that `pipeline_run_id` names."""
    return {"number": (numbers(call, "pipeline_run_id") or [0])[0]}


def steps(call: Call) -> dict[str, Any]:
    """Block runs of all runs, last begun first."""
    where: dict[str, Any] = {}
    if uuids := values(call, "block_uuid", "block_uuid[]"):
        where["name"] = {"in": uuids}
    if statuses := values(call, "status", "status[]"):
        known = words.STEP_STATUSES
        where["status"] = {"in": [known[s] for s in statuses if s in known]}
    if pipeline := call.query.get("pipeline_uuid"):
        where["pipelineUuid"] = {"eq": pipeline}
    order = ordering(values(call, "order_by", "order_by[]"), BLOCK_RUN_ORDERS, "Block runs")
    return {
        "where": where,
        "orderBy": order or [{"field": "STARTED_AT", "direction": "DESC"}],
        **page(call),
    }


def logs(call: Call) -> dict[str, Any]:
    """Which runs' lines, and which of their lines."""
    where: dict[str, Any] = {"pipelineUuid": {"eq": call.path["uuid"]}}
    if runs := numbers(call, "pipeline_run_id[]", "pipeline_run_id"):
        where["number"] = {"in": runs}
    if triggers := numbers(call, "pipeline_schedule_id[]", "pipeline_schedule_id"):
        where["triggerNumber"] = {"in": triggers}
    lines: dict[str, Any] = {}
    if step_numbers := numbers(call, "block_run_id[]", "block_run_id"):
        lines["stepNumber"] = {"in": step_numbers}
    blocks = values(call, "block_uuid[]", "block_uuid")
    if len(blocks) == 1:
        lines["step"] = {"startsWith": blocks[0]}
    if period := unix_range(call):
        lines["at"] = period
    return {"uuid": call.path["uuid"], "where": where, "lines": lines}
