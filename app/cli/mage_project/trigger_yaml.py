"""`pipelines/<uuid>/triggers.yaml`: what starts a pipeline."""

from collections.abc import Mapping
from typing import Any

from app.cli.mage_project.model import Remarks
from app.cli.mage_project.yaml_text import has_dates, mappings, moment, plain, seconds
from app.core.errors import Invalid
from app.pipelines import schedule
from app.pipelines.actions.whole import Values
from app.pipelines.kinds import TRIGGER_TYPES

_READ = {
    *("name", "description", "schedule_type", "schedule_interval", "start_time", "status"),
    *("token", "variables", "settings", "sla", "envs", "global_data_product_uuid"),
    *("pipeline_uuid", "last_enabled_at", "id", "created_at", "updated_at"),
}


def read(uuid: str, data: Mapping[str, Any], remarks: Remarks) -> dict[str, Values]:
    """The triggers of a file by name; those that cannot be are told and left out."""
    found: dict[str, Values] = {}
    for trigger in mappings(data, "triggers"):
        name = str(trigger.get("name") or "")
        what = f"pipeline {uuid}, trigger {name}"
        try:
            if not name or name in found:
                raise Invalid("another trigger has this name" if name else "it has no name")
            found[name] = _trigger(what, trigger, remarks)
        except Invalid as error:
            remarks.refuse(what, error)
    return found


def _trigger(what: str, trigger: Mapping[str, Any], remarks: Remarks) -> Values:
    kind = trigger.get("schedule_type") or "time"
    if kind not in TRIGGER_TYPES:
        raise Invalid(f"there is no trigger type {kind}")
    interval = trigger.get("schedule_interval")
    if interval is not None:
        schedule.check_interval(str(interval))
    remarks.not_taken += [f"{what}: {n}" for n in sorted(set(trigger) - _READ) if trigger[n]]
    if has_dates(trigger.get("variables")):
        remarks.notes.append(f"{what}: dates in its variables become text.")
    settings = _object(trigger, "settings")
    if "timeout" in settings:
        settings["timeout"] = seconds(settings["timeout"])
    if trigger.get("envs"):
        # Mage's environments of a trigger; here it is kept and has no effect.
        settings["envs"] = [str(env) for env in trigger["envs"]]
        remarks.notes.append(f"{what}: it is taken whatever its envs {settings['envs']} are.")
    values = {
        "description": trigger.get("description"),
        "type": kind,
        "interval": None if interval is None else str(interval),
        "start_at": moment(trigger.get("start_time")),
        "status": "active" if trigger.get("status") == "active" else "inactive",
        "variables": _object(trigger, "variables"),
        "settings": settings,
        "sla": seconds(trigger.get("sla")),
        "global_data_product_uuid": trigger.get("global_data_product_uuid"),
    }
    return {**values, "token": str(trigger["token"])} if trigger.get("token") else values


def _object(trigger: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = trigger.get(name) or {}
    if not isinstance(value, dict):
        raise Invalid(f"{name} is no mapping")
    found: dict[str, Any] = plain(value)
    return found


def write(uuid: str, triggers: Mapping[str, Values]) -> dict[str, Any]:
    """The file that Mage reads. Tokens are in it: whoever reads it may start the pipeline."""
    return {"triggers": [_written(uuid, name, values) for name, values in triggers.items()]}


def _written(uuid: str, name: str, values: Values) -> dict[str, Any]:
    settings = dict(values["settings"])
    start, enabled = values["start_at"], values.get("last_enabled_at")
    optional = {
        "description": values["description"],
        "token": values.get("token"),
        "global_data_product_uuid": values["global_data_product_uuid"],
    }
    return {
        "name": name,
        "pipeline_uuid": uuid,
        "envs": settings.pop("envs", []),
        "settings": settings,
        "schedule_type": values["type"],
        "schedule_interval": values["interval"],
        "start_time": None if start is None else start.replace(tzinfo=None),
        "last_enabled_at": enabled,
        "status": values["status"],
        "variables": values["variables"],
        "sla": values["sla"],
        **{key: value for key, value in optional.items() if value is not None},
    }
