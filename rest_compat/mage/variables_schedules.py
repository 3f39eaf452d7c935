"""From a REST request to variables: triggers, which Mage calls pipeline schedules."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.core.errors import Invalid
from rest_compat.dialect import Call
from rest_compat.mage.page import rfc3339
from rest_compat.mage.variables import attributes, by_number, picked

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


def schedule_detail(call: Call) -> dict[str, Any]:
    """The trigger in the path; its average time is worked out only where it is shown."""
    return {**by_number(call), "withAverage": call.query.get("_format") == "with_runtime_average"}


def new_schedule(call: Call) -> dict[str, Any]:
    """Input of a new trigger; unlike elsewhere, an unknown attribute is refused."""
    given = attributes(call, "pipeline_schedule")
    for name in given:
        if name not in SCHEDULE and name not in IGNORED_SCHEDULE | {"global_data_product_uuid"}:
            raise Invalid(f"{name[:100]!r} is an invalid keyword argument for PipelineSchedule")
    names = {**SCHEDULE, "global_data_product_uuid": "globalDataProductUuid"}
    uuid = call.path.get("uuid") or given.get("pipeline_uuid")
    if not uuid:
        raise Invalid("pipeline_uuid is required: the pipeline that it starts.")
    return {"input": {"pipeline": {"uuid": uuid}, **_schedule(given, names)}}


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
