"""Verbs of triggers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, exists, func, select, update

from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid
from app.core.ids import new_trigger_token
from app.core.rules import Subject
from app.pipelines import limits, schedule
from app.pipelines.actions._shared import (
    check_name,
    check_objects,
    check_values,
    lock_pipeline,
    lock_row,
)
from app.pipelines.kinds import TRIGGER_TYPES
from app.pipelines.tables import pipeline_runs, pipelines, triggers
from app.runs import actions as ledger
from app.runs.many import cancel_many
from app.runs.tables import runs

STATUSES = ("active", "inactive")
MAX_TRIGGERS = 500
SECONDS = range(2**31)
WINDOW_S = range(10, 366 * 86400)
HOLD = "trigger_inactive"
"""Why a run waits that a call made of an inactive trigger."""
MOVES_FIRE = {"type", "interval", "start_at", "timezone", "settings"}
"""Columns of a trigger that say when it fires."""
_MOVES_LIMITS = {"type", "overlap", "settings"}
_FLAGS = (
    "skip_if_previous_running",
    "allow_blocks_to_fail",
    "create_initial_pipeline_run",
    "landing_time_enabled",
)


async def create_trigger(
    subject: Subject,
    values: Mapping[str, Any],
    *,
    pipeline_id: int | None = None,
    pipeline_uuid: str = "",
) -> int:
    """Make a trigger; it is inactive unless said otherwise and always gets a token."""
    checked = _checked(values)
    check_name(checked.get("name"), "A trigger")
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(
            tx, "pipeline.write", pipeline_id=pipeline_id, uuid=pipeline_uuid
        )
        status = checked.pop("status", None) or "inactive"
        row = await add_trigger(tx, pipeline, checked)
        if status == "active":
            await update_row(tx, triggers, row, await activation(tx, row, status))
        await tx.audit("trigger.create", "Trigger", row["id"], project_id=row["project_id"])
    return int(row["id"])


async def add_trigger(tx: db.Tx, pipeline: RowMapping, values: Mapping[str, Any]) -> RowMapping:
    """Insert an inactive trigger of a pipeline that is locked."""
    owned = select(func.count().label("n")).where(triggers.c.pipeline_id == pipeline["id"])
    present = await tx.one(owned)
    if present is not None and present["n"] >= MAX_TRIGGERS:
        raise Invalid(f"A pipeline has at most {MAX_TRIGGERS} triggers.")
    return await insert_row(
        tx,
        triggers,
        {
            **values,
            "token": new_trigger_token(),
            "project_id": pipeline["project_id"],
            "pipeline_id": pipeline["id"],
            "created_by": tx.subject.user_id,
        },
    )


async def update_trigger(
    subject: Subject,
    trigger_id: int,
    values: Mapping[str, Any],
    *,
    rotate_token: bool = False,
    expected_version: int | None = None,
) -> int:
    """Change a trigger. Switching it on starts its schedule anew from now."""
    checked = _checked(values)
    if "name" in checked:
        check_name(checked["name"], "A trigger")
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, triggers, trigger_id, "pipeline.write")
        status = checked.pop("status", None)
        if rotate_token:
            checked["token"] = new_trigger_token()
        changed = await update_row(tx, triggers, row, checked, expected_version)
        if status is not None and status != changed["status"]:
            await update_row(tx, triggers, changed, await activation(tx, changed, status))
        elif changed["status"] == "active" and MOVES_FIRE & set(checked):
            moved = {"next_fire_at": await _next_fire(tx, changed)}
            await update_row(tx, triggers, changed, moved)
        if _MOVES_LIMITS & set(checked):
            pipeline = await tx.one(select(pipelines).where(pipelines.c.id == row["pipeline_id"]))
            if pipeline is not None:
                await limits.refresh(tx, pipeline, trigger_id)
        fields = sorted(set(values) | ({"token"} if rotate_token else set()))
        await tx.audit(
            "trigger.update", "Trigger", trigger_id, project_id=row["project_id"], fields=fields
        )
    return trigger_id


async def delete_trigger(subject: Subject, trigger_id: int) -> int:
    """Delete a trigger; its runs stay readable, those on hold are cancelled."""
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, triggers, trigger_id, "pipeline.write")
        await drop_trigger(tx, row)
        await tx.audit("trigger.delete", "Trigger", trigger_id, project_id=row["project_id"])
    return trigger_id


async def drop_trigger(tx: db.Tx, row: RowMapping) -> None:
    """Delete a trigger whose row is locked; nobody could let its runs on hold go any more."""
    await cancel_held(tx, row["pipeline_id"], _started_by(row["id"]))
    await delete_row(tx, triggers, row["id"])


async def cancel_held(tx: db.Tx, pipeline_id: int, *where: ColumnElement[bool]) -> None:
    """Cancel a pipeline's runs that wait for an inactive trigger."""
    held = select(runs.c.id).where(limits.unfinished(pipeline_id), runs.c.hold == HOLD, *where)
    await cancel_many(tx, [row["id"] for row in await tx.all(held)])


async def retire_once(tx: db.Tx, trigger_id: int) -> None:
    """After its run succeeded, an `@once` trigger has done its work and switches itself off."""
    await tx.execute(
        update(triggers)
        .where(triggers.c.id == trigger_id, triggers.c.interval == schedule.ONCE)
        .values(status="inactive", next_fire_at=None, version=triggers.c.version + 1)
    )


async def activation(tx: db.Tx, trigger: RowMapping, status: str) -> dict[str, Any]:
    """The columns that change when a trigger is switched on or off.

    Switching it on lets its runs on hold go; switching it off holds none that are queued.
    """
    if status != "active":
        return {"status": status, "next_fire_at": None}
    owner = limits.unfinished(trigger["pipeline_id"])
    await ledger.release(tx, owner, runs.c.hold == HOLD, _started_by(trigger["id"]))
    now = await tx.one(select(func.now().label("now")))
    assert now is not None
    enabled = {**trigger, "status": "active", "last_enabled_at": now["now"]}
    return {
        "status": "active",
        "last_enabled_at": now["now"],
        "next_fire_at": schedule.next_fire(enabled, now["now"]),
    }


def _started_by(trigger_id: int) -> ColumnElement[bool]:
    return exists().where(
        pipeline_runs.c.run_id == runs.c.id, pipeline_runs.c.trigger_id == trigger_id
    )


async def _next_fire(tx: db.Tx, trigger: RowMapping) -> datetime | None:
    now = await tx.one(select(func.now().label("now")))
    assert now is not None
    return schedule.next_fire(trigger, now["now"])


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    check_values(checked)
    kind, status = checked.get("type"), checked.get("status")
    if kind is None:
        checked.pop("type", None)
    elif kind not in TRIGGER_TYPES:
        known = ", ".join(TRIGGER_TYPES)
        raise Invalid(f"There is no trigger type {kind}. Known: {known}.", path=("type",))
    if status is not None and status not in STATUSES:
        raise Invalid(f"A trigger is active or inactive, not {status}.", path=("status",))
    if checked.get("interval") is not None:
        schedule.check_interval(checked["interval"])
    if checked.get("timezone") is not None:
        schedule.check_zone(checked["timezone"])
    check_objects(checked, "variables", "settings")
    check_settings(checked.get("settings") or {})
    _check_policies(checked)
    if not isinstance(checked.get("event_matchers", []), list):
        raise Invalid("event_matchers must be a list.", path=("event_matchers",))
    return checked


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings of a trigger that nothing could be done with."""
    timeout = settings.get("timeout")
    if timeout is not None and (type(timeout) is not int or timeout not in SECONDS):
        raise Invalid("settings.timeout must be a number of seconds.", path=("settings",))
    if settings.get("timeout_status") not in (None, "failed", "cancelled"):
        raise Invalid("settings.timeout_status must be failed or cancelled.", path=("settings",))
    name = "settings.pipeline_run_limit"
    limits.check_limit(settings.get("pipeline_run_limit"), name, "settings")
    for flag in _FLAGS:
        if settings.get(flag) is not None and type(settings[flag]) is not bool:
            raise Invalid(f"settings.{flag} must be true or false.", path=("settings",))


def _check_policies(checked: Mapping[str, Any]) -> None:
    for name, known in (("overlap", limits.OVERLAPS), ("catch_up", schedule.CATCH_UPS)):
        if checked.get(name, known[0]) not in known:
            raise Invalid(f"{name} must be one of {', '.join(known)}.", path=(name,))
    if checked.get("catch_up_window_s", WINDOW_S[0]) not in WINDOW_S:
        text = f"The window must be {WINDOW_S[0]} to {WINDOW_S[-1]} seconds."
        raise Invalid(text, path=("catchUpWindowS",))
