"""Verbs of triggers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select, update

from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid
from app.core.ids import new_trigger_token
from app.core.rules import Subject
from app.pipelines import schedule
from app.pipelines.actions._shared import (
    check_name,
    check_objects,
    check_values,
    lock_pipeline,
    lock_row,
)
from app.pipelines.kinds import TRIGGER_TYPES
from app.pipelines.tables import triggers

STATUSES = ("active", "inactive")
MAX_TRIGGERS = 500
SECONDS = range(2**31)
_MOVES_FIRE = {"type", "interval", "start_at", "timezone", "settings"}


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
        owned = select(func.count().label("n")).where(triggers.c.pipeline_id == pipeline["id"])
        present = await tx.one(owned)
        if present is not None and present["n"] >= MAX_TRIGGERS:
            raise Invalid(f"A pipeline has at most {MAX_TRIGGERS} triggers.")
        status = checked.pop("status", None) or "inactive"
        row = await insert_row(
            tx,
            triggers,
            {
                **checked,
                "token": new_trigger_token(),
                "project_id": pipeline["project_id"],
                "pipeline_id": pipeline["id"],
                "created_by": subject.user_id,
            },
        )
        if status == "active":
            await update_row(tx, triggers, row, await activation(tx, row, status))
        await tx.audit("trigger.create", "Trigger", row["id"], project_id=row["project_id"])
    return int(row["id"])


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
        elif changed["status"] == "active" and _MOVES_FIRE & set(checked):
            moved = {"next_fire_at": await _next_fire(tx, changed)}
            await update_row(tx, triggers, changed, moved)
        fields = sorted(set(values) | ({"token"} if rotate_token else set()))
        await tx.audit(
            "trigger.update", "Trigger", trigger_id, project_id=row["project_id"], fields=fields
        )
    return trigger_id


async def delete_trigger(subject: Subject, trigger_id: int) -> int:
    """Delete a trigger; its runs stay readable."""
    async with db.transaction(subject) as tx:
        row = await lock_row(tx, triggers, trigger_id, "pipeline.write")
        await delete_row(tx, triggers, trigger_id)
        await tx.audit("trigger.delete", "Trigger", trigger_id, project_id=row["project_id"])
    return trigger_id


async def retire_once(tx: db.Tx, trigger_id: int) -> None:
    """After its run succeeded, an `@once` trigger has done its work and switches itself off."""
    await tx.execute(
        update(triggers)
        .where(triggers.c.id == trigger_id, triggers.c.interval == schedule.ONCE)
        .values(status="inactive", next_fire_at=None, version=triggers.c.version + 1)
    )


async def activation(tx: db.Tx, trigger: RowMapping, status: str) -> dict[str, Any]:
    """The columns that change when a trigger is switched on or off."""
    if status != "active":
        return {"status": status, "next_fire_at": None}
    now = await tx.one(select(func.now().label("now")))
    assert now is not None
    enabled = {**trigger, "status": "active", "last_enabled_at": now["now"]}
    return {
        "status": "active",
        "last_enabled_at": now["now"],
        "next_fire_at": schedule.next_fire(enabled, now["now"]),
    }


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
    timeout = (checked.get("settings") or {}).get("timeout")
    if timeout is not None and (type(timeout) is not int or timeout not in SECONDS):
        raise Invalid("settings.timeout must be a number of seconds.", path=("settings",))
    if not isinstance(checked.get("event_matchers", []), list):
        raise Invalid("event_matchers must be a list.", path=("event_matchers",))
    return checked
