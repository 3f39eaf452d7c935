"""Verbs of backfills: make, start, cancel, delete."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select, update

from app.core import db
from app.core.changes import delete_row, insert_row, update_row
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.pipelines.actions._shared import (
    check_name,
    check_objects,
    check_values,
    check_variables,
    lock_pipeline,
    lock_row,
)
from app.pipelines.actions.alerts import expect_ends
from app.pipelines.actions.runs import partition, start_run
from app.pipelines.actions.triggers import add_trigger, drop_trigger
from app.pipelines.backfills import slots
from app.pipelines.limits import Limits, check_limit, limits_of, unfinished
from app.pipelines.tables import backfills, pipeline_runs, triggers
from app.runs.many import accept_like, cancel_many, retry_many
from app.runs.tables import runs

RUN_LIMIT = 4
"""How many runs of a backfill go on at once unless its settings say otherwise."""
MAX_UNITS = 100_000
_SLOTS = ("block_uuid", "interval_type", "interval_units", "start_at", "end_at", "variables")


async def create_backfill(
    subject: Subject,
    values: Mapping[str, Any],
    *,
    pipeline_id: int | None = None,
    pipeline_uuid: str = "",
) -> int:
    """Make a backfill. It has no run until it is started, and may be incomplete until then."""
    checked = _checked(values)
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(
            tx, "pipeline.write", pipeline_id=pipeline_id, uuid=pipeline_uuid
        )
        row = await insert_row(
            tx,
            backfills,
            {
                "name": f"Backfill of {pipeline['uuid']}",
                **checked,
                "project_id": pipeline["project_id"],
                "pipeline_id": pipeline["id"],
                "created_by": subject.user_id,
            },
        )
        await _check_slots(tx, row)
        await tx.audit("backfill.create", "Backfill", row["id"], project_id=row["project_id"])
    return int(row["id"])


async def update_backfill(
    subject: Subject,
    backfill_id: int,
    values: Mapping[str, Any],
    *,
    status: str | None = None,
    expected_version: int | None = None,
) -> int:
    """Change a backfill; `status` initial starts it, cancelled cancels it.

    A started one keeps its slots. Starting it again has what did not succeed run again.
    """
    checked = _checked(values)
    if status not in (None, "initial", "cancelled"):
        raise Invalid(f"A backfill is set to initial or cancelled, not {status}.", path=("status",))
    async with db.transaction(subject) as tx:
        pipeline, row = await _lock(tx, backfill_id)
        if row["started_at"] and any(checked.get(k, row[k]) != row[k] for k in _SLOTS):
            raise Invalid("A started backfill keeps its slots and variables. Make another one.")
        row = await update_row(tx, backfills, row, checked, expected_version)
        await _check_slots(tx, row)
        if "settings" in checked:
            await _move_limit(tx, row)
        if status is not None:
            subject.require("pipeline.run", row["project_id"])
            await (_start if status == "initial" else _cancel)(tx, pipeline, row)
        fields = sorted({*values, *(["status"] if status else [])})
        await tx.audit(
            "backfill.update", "Backfill", backfill_id, project_id=row["project_id"], fields=fields
        )
    return backfill_id


async def delete_backfill(subject: Subject, backfill_id: int) -> int:
    """Delete a backfill and its trigger. Unfinished runs are cancelled; all stay readable."""
    async with db.transaction(subject) as tx:
        _, row = await _lock(tx, backfill_id)
        await cancel_many(tx, await _runs_of(tx, backfill_id, *slots.UNFINISHED))
        await delete_row(tx, backfills, backfill_id)
        if row["trigger_id"] is not None:
            await drop_trigger(
                tx, await lock_row(tx, triggers, row["trigger_id"], "pipeline.write")
            )
        await tx.audit("backfill.delete", "Backfill", backfill_id, project_id=row["project_id"])
    return backfill_id


async def _lock(tx: db.Tx, backfill_id: int) -> tuple[RowMapping, RowMapping]:
    """Pipeline and backfill, locked in the order of those who delete a pipeline."""
    tx.subject.require_known()
    owned = select(backfills.c.pipeline_id, backfills.c.project_id)
    owner = await tx.one(owned.where(backfills.c.id == backfill_id))
    if owner is None or not tx.subject.may("pipeline.read", owner["project_id"]):
        raise NotFound("Record not found.")
    pipeline = await lock_pipeline(tx, "pipeline.write", pipeline_id=owner["pipeline_id"])
    return pipeline, await lock_row(tx, backfills, backfill_id, "pipeline.write")


async def _start(tx: db.Tx, pipeline: RowMapping, row: RowMapping) -> None:
    """Make its runs; of a started one that did not succeed, run again what did not."""
    if row["started_at"] is None:
        await _make_runs(tx, pipeline, row)
        return
    told = await tx.one(select(slots.status(backfills.c).label("is")).where(_is(row)))
    assert told is not None
    if told["is"] == "completed":
        raise Invalid("All runs of the backfill have succeeded. Make another one.")
    if told["is"] in ("failed", "cancelled"):
        again = await _runs_of(tx, row["id"], "failed", "cancelled")
        await retry_many(tx, again)
        await expect_ends(tx, again)
        await tx.execute(update(backfills).where(_is(row)).values(status="initial"))


async def _make_runs(tx: db.Tx, pipeline: RowMapping, row: RowMapping) -> None:
    found = select(slots.slot_list(backfills.c).label("slots"))
    listed = await tx.one(found.where(_is(row)))
    assert listed is not None
    if row["block_uuid"] is not None:
        raise Invalid("A backfill runs a whole pipeline. Leave block_uuid out.")
    if not listed["slots"]:
        raise Invalid("The backfill has no slot: set start, end (not before it) and interval.")
    trigger = await add_trigger(
        tx, pipeline, {"name": f"Backfill {row['name']}"[:255], "variables": row["variables"]}
    )
    await _make_runs_of(tx, pipeline, row, trigger, listed["slots"])
    await tx.execute(
        update(backfills)
        .where(_is(row))
        .values(status="initial", started_at=func.now(), trigger_id=trigger["id"])
    )


async def _make_runs_of(
    tx: db.Tx,
    pipeline: RowMapping,
    row: RowMapping,
    trigger: RowMapping,
    listed: Sequence[datetime],
) -> None:
    """The run of the first slot, and one like it for each of the others."""
    ends: list[datetime | None] = [*listed[1:], None]
    given = [
        {**row["variables"], **_interval(slot, end)} for slot, end in zip(listed, ends, strict=True)
    ]
    first = await start_run(
        tx,
        pipeline,
        trigger,
        variables=given[0],
        execution_date=listed[0],
        backfill_id=row["id"],
        limits=_limits(pipeline, row),
    )
    if len(listed) == 1:
        return
    others = await accept_like(tx, first.run_id, len(listed) - 1)
    facet = await tx.one(select(pipeline_runs).where(pipeline_runs.c.run_id == first.run_id))
    assert facet is not None
    alike = {name: value for name, value in facet.items() if name not in ("number", "metrics")}
    own = zip(others, listed[1:], given[1:], strict=True)
    await tx.execute(
        insert(pipeline_runs),
        [
            {
                **alike,
                "run_id": run_id,
                "execution_date": slot,
                "variables": {**variables, **partition(trigger, slot)},
            }
            for run_id, slot, variables in own
        ],
    )


def _interval(slot: datetime, end: datetime | None) -> dict[str, Any]:
    """What blocks see of the slot; the last one has no end."""
    return {
        "interval_start_datetime": slot.astimezone(UTC).isoformat(),
        "interval_end_datetime": end.astimezone(UTC).isoformat() if end else None,
        "interval_seconds": (end - slot).total_seconds() if end else None,
    }


def _limits(pipeline: RowMapping, row: RowMapping) -> Limits:
    """The pipeline's limit and a lane of the backfill's own; its runs always wait."""
    whole = limits_of(pipeline, None, scheduled=False).concurrency
    return Limits(f"backfill/{row['id']}", _run_limit(row), whole)


def _run_limit(row: RowMapping) -> int:
    return int((row["settings"] or {}).get("run_limit") or RUN_LIMIT)


async def _move_limit(tx: db.Tx, row: RowMapping) -> None:
    waiting = (unfinished(row["pipeline_id"]), runs.c.lane == f"backfill/{row['id']}")
    changed = update(runs).where(*waiting, runs.c.status == "queued")
    await tx.execute(changed.values(lane_limit=_run_limit(row), hinted_at=None, hint_count=0))


async def _cancel(tx: db.Tx, _: RowMapping, row: RowMapping) -> None:
    if row["started_at"] is None:
        raise Invalid("The backfill has not been started.")
    going = await _runs_of(tx, row["id"], *slots.UNFINISHED)
    await cancel_many(tx, going)
    if going:
        await tx.execute(update(backfills).where(_is(row)).values(status="cancelled"))


async def _runs_of(tx: db.Tx, backfill_id: int, *statuses: str) -> list[UUID]:
    """Its runs in these states, of the oldest slot first."""
    found = (
        select(runs.c.id)
        .join(pipeline_runs, pipeline_runs.c.run_id == runs.c.id)
        .where(pipeline_runs.c.backfill_id == backfill_id, runs.c.status.in_(statuses))
        .order_by(pipeline_runs.c.execution_date, runs.c.id)
    )
    return [row["id"] for row in await tx.all(found)]


def _is(row: RowMapping) -> Any:
    return backfills.c.id == row["id"]


async def _check_slots(tx: db.Tx, row: RowMapping) -> None:
    """Refuse what makes too many slots, and steps that lead out of what PostgreSQL's time is."""
    units, custom = row["interval_units"] or 1, row["interval_type"] == "custom"
    if not custom and units > MAX_UNITS:
        text = f"intervalUnits must be at most {MAX_UNITS}."
        raise Invalid(text, path=("intervalUnits",))
    counted = await tx.one(select(slots.slot_count(backfills.c).label("n")).where(_is(row)))
    if counted is not None and counted["n"] > slots.MAX_RUNS:
        raise Invalid(
            f"The backfill would make more than {slots.MAX_RUNS} runs. Make several, or take"
            " longer intervals."
        )


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    check_values(checked)
    check_objects(checked, "variables", "settings")
    check_variables(checked.get("variables"))
    if "name" in checked:
        check_name(checked["name"], "A backfill")
    limit = (checked.get("settings") or {}).get("run_limit")
    check_limit(limit, "settings.run_limit", "settings")
    units = checked.get("interval_units")
    if units is not None and not 1 <= units < 2**31:
        raise Invalid("intervalUnits must be at least 1.", path=("intervalUnits",))
    if checked.get("interval_type") not in (None, *slots.INTERVALS):
        known = ", ".join(slots.INTERVALS)
        raise Invalid(f"The interval type must be one of {known}.", path=("intervalType",))
    return checked
