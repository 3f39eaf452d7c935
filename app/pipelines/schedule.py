"""When a time trigger is due, and firing it.

An interval is a preset or a cron line of five fields, read in the trigger's time zone. It cuts
time into slots; a trigger fires at most once for a slot, and makes up for no missed one but the
latest. `triggers.next_fire_at` is when the scheduler looks next: verbs set it to `next_fire`
whenever they enable a time trigger or change its interval, zone, start or settings.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from cronsim import CronSim, CronSimError
from sqlalchemy import RowMapping, func, select, update

from app.core.db import Tx, is_transient
from app.core.errors import Invalid
from app.pipelines.tables import pipeline_runs, triggers
from app.runs.actions import request_cancel
from app.runs.states import RUN_ENDS
from app.runs.tables import runs

log = structlog.get_logger()

ONCE = "@once"
ALWAYS_ON = "@always_on"
PRESETS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 1",
    "@monthly": "0 0 1 * *",
}
"""Presets that are a cron line; `@once` and `@always_on` are not."""

BATCH = 20
INTERVAL_LENGTH = 255
ALWAYS_ON_LOOK = timedelta(seconds=5)
BROKEN_LOOK = timedelta(minutes=1)

TriggerRow = RowMapping | Mapping[str, Any]

Start = Callable[[Tx, RowMapping, datetime], Awaitable[UUID | None]]
"""Makes the run of a trigger's row for a fire time; None if there is one already."""


def check_zone(timezone: str) -> None:
    """Refuse what is no IANA time zone."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"There is no time zone {timezone!r}.", path=("timezone",)) from None


def check_interval(interval: str) -> None:
    """Refuse what is no preset and no cron line of five fields, or never comes round."""
    if interval in (ONCE, ALWAYS_ON):
        return
    line = PRESETS.get(interval, interval)
    if len(line) > INTERVAL_LENGTH or len(line.split()) != 5:
        raise _no_interval(f"{interval[:50]!r} is no interval.")
    try:
        possible = next(CronSim(line, datetime(2000, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        raise _no_interval(f"{interval!r} is no interval: {error}.") from None
    if possible is None:
        raise _no_interval(f"{interval!r} never comes.")


def _no_interval(what: str) -> Invalid:
    names = ", ".join([ONCE, *PRESETS, ALWAYS_ON])
    text = f"{what} Write one of {names}, or a cron line of five fields."
    return Invalid(text, "INTERVAL_INVALID", path=("interval",))


def latest_slot(interval: str, timezone: str, now: datetime) -> datetime | None:
    """The start of the latest slot not after `now`, in UTC; None if there was none.

    For `@once` and `@always_on` it is `now`.
    """
    if interval in (ONCE, ALWAYS_ON):
        return now.astimezone(UTC)
    line, local = PRESETS.get(interval, interval), now.astimezone(ZoneInfo(timezone))
    slot: datetime | None = next(CronSim(line, local, reverse=True), None)
    if slot is None:
        return None
    # Backwards it knows no second 01:30 of the day on which clocks go back; forwards it does.
    for later in CronSim(line, slot):
        if later.astimezone(UTC) > now:
            break
        slot = later
    return slot.astimezone(UTC)


def next_slot(interval: str, timezone: str, now: datetime) -> datetime | None:
    """The start of the first slot after `now`, in UTC; None for `@once` and `@always_on`."""
    if interval in (ONCE, ALWAYS_ON):
        return None
    line = PRESETS.get(interval, interval)
    for slot in CronSim(line, now.astimezone(ZoneInfo(timezone))):
        in_utc: datetime = slot.astimezone(UTC)
        if in_utc > now:
            return in_utc
    return None


def next_run_date(
    type_: str, interval: str | None, timezone: str, now: datetime | None = None
) -> datetime | None:
    """When a trigger's next slot begins, be it active or not; None for one without slots."""
    if type_ != "time" or not interval:
        return None
    return next_slot(interval, timezone, now or datetime.now(UTC))


def next_fire(trigger: TriggerRow, now: datetime) -> datetime | None:
    """When the scheduler must look at an active trigger that nobody has looked at; None: never."""
    if trigger["type"] != "time" or not trigger["interval"]:
        return None
    interval, start_at = trigger["interval"], trigger["start_at"]
    if interval in (ONCE, ALWAYS_ON):
        return now if start_at is None else max(now, start_at)
    slot = latest_slot(interval, trigger["timezone"], now)
    if slot is not None and slot_is_due(trigger, slot, now):
        return now
    return _next_look(trigger, now)


def slot_is_due(trigger: TriggerRow, slot: datetime, now: datetime) -> bool:
    """Whether an active trigger may have a run for this slot now."""
    start_at, enabled_at = trigger["start_at"], trigger["last_enabled_at"]
    if start_at is not None and (now < start_at or slot < start_at):
        return False
    early = (trigger["settings"] or {}).get("create_initial_pipeline_run")
    return bool(early) or enabled_at is None or slot >= enabled_at


async def fire_due(tx: Tx, start: Start, now: datetime | None = None) -> int:
    """Look at up to BATCH triggers whose time has come and start the runs that are due.

    Returns how many were looked at. Each is locked, so that others pass it over, and its runs
    and its next time are committed together. `now` is PostgreSQL's unless given.
    """
    if now is None:
        clock = await tx.one(select(func.now().label("now")))
        assert clock is not None
        now = clock["now"]
    due = await tx.all(
        select(triggers)
        .where(
            triggers.c.status == "active",
            triggers.c.type == "time",
            triggers.c.next_fire_at <= now,
        )
        .order_by(triggers.c.next_fire_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    for trigger in due:
        try:
            # A trigger that cannot be fired must not keep the others from it.
            async with tx.connection.begin_nested():
                next_look = await _fire(tx, start, trigger, now)
        except Exception as error:
            if is_transient(error):
                raise
            log.exception("trigger.broke", trigger_id=trigger["id"])
            next_look = now + BROKEN_LOOK
        await tx.execute(
            update(triggers).where(triggers.c.id == trigger["id"]).values(next_fire_at=next_look)
        )
    return len(due)


async def _fire(tx: Tx, start: Start, trigger: RowMapping, now: datetime) -> datetime | None:
    """Start the run of the latest slot if it is due; returns when to look again."""
    interval = trigger["interval"]
    if not interval:
        return None
    slot = latest_slot(interval, trigger["timezone"], now)
    due = slot is not None and slot_is_due(trigger, slot, now)
    if slot is not None and due and await _is_free(tx, trigger, slot):
        before = await _running(tx, trigger)
        run_id = await start(tx, trigger, slot)
        skip = (trigger["settings"] or {}).get("skip_if_previous_running")
        if run_id is not None and before and skip:
            await request_cancel(tx, run_id)
    return _next_look(trigger, now)


def _next_look(trigger: TriggerRow, now: datetime) -> datetime | None:
    """After `now`; the first slot that begins at or after the trigger's start, if it has slots."""
    interval, start_at = trigger["interval"], trigger["start_at"]
    waits = start_at is not None and start_at > now
    if interval == ONCE:
        return start_at if waits else None
    if interval == ALWAYS_ON:
        return now + ALWAYS_ON_LOOK
    after = start_at - timedelta(microseconds=1) if waits else now
    return next_slot(interval, trigger["timezone"], after)


async def _is_free(tx: Tx, trigger: RowMapping, slot: datetime) -> bool:
    """Whether the trigger has no run yet that stands in the way of one for this slot."""
    if trigger["interval"] == ALWAYS_ON:
        return not await _running(tx, trigger)
    mine = select(pipeline_runs.c.run_id).where(pipeline_runs.c.trigger_id == trigger["id"])
    if trigger["interval"] != ONCE:
        mine = mine.where(pipeline_runs.c.execution_date == slot)
    return await tx.one(mine.limit(1)) is None


async def _running(tx: Tx, trigger: RowMapping) -> bool:
    active = (
        select(runs.c.id)
        .join(pipeline_runs, pipeline_runs.c.run_id == runs.c.id)
        .where(pipeline_runs.c.trigger_id == trigger["id"], runs.c.status.not_in(RUN_ENDS))
    )
    return await tx.one(active.limit(1)) is not None
