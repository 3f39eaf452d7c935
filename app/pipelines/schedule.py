"""When a time trigger is due, and firing it.

An interval is a preset or a cron line of five fields, read in the trigger's time zone. It cuts
time into slots; a trigger fires at most once for a slot. `catch_up` says which slots it makes up
for that nobody looked at in time, `overlap` what becomes of a due run while another goes on.
`triggers.next_fire_at` is when the scheduler looks next: verbs set it to `next_fire` whenever they
enable a time trigger or change its interval, zone, start or settings.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from cronsim import CronSim, CronSimError
from sqlalchemy import RowMapping, func, select, update

from app.core.db import Tx, is_transient
from app.core.errors import Invalid
from app.pipelines.limits import overlap_of, unfinished
from app.pipelines.tables import pipeline_runs, triggers
from app.runs.actions import request_cancel
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
CATCH_UPS = ("latest", "all", "skip")
MAX_CATCH_UP = 100
"""Runs of a trigger that makes up for all slots: started in one look, and waiting at any time."""
ON_TIME = timedelta(seconds=60)
"""How late a slot may be looked at and still is no missed one."""
OVERLAP = "overlap"
"""The reason of a run that was made and at once cancelled, as another of its trigger went on."""
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
    # In one order, as the start of a run may lock its pipeline's limits.
    for trigger in sorted(due, key=lambda row: (row["pipeline_id"], row["id"])):
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
    """Start the runs that are due, or do with them as `overlap` says; returns when to look again."""
    if not trigger["interval"]:
        return None
    slots = await _due_slots(tx, trigger, now)
    if slots:
        going = await _going_on(tx, trigger)
        skips = going["all"] > 0 and overlap_of(trigger) == "skip"
        for slot in slots[-1:] if skips else _with_room(trigger, slots, going["waiting"]):
            run_id = await start(tx, trigger, slot)
            if run_id is not None and skips:
                await request_cancel(tx, run_id, reason=OVERLAP)
    return _next_look(trigger, now)


def _with_room(trigger: TriggerRow, slots: Sequence[datetime], waiting: int) -> Sequence[datetime]:
    """The slots whose runs may be made now, where `waiting` scheduled runs wait already."""
    if overlap_of(trigger) == "allow" or trigger["interval"] in (ONCE, ALWAYS_ON):
        return slots
    if trigger["catch_up"] == "all":
        return slots[: max(0, MAX_CATCH_UP - waiting)]
    return slots if waiting == 0 else ()


async def _due_slots(tx: Tx, trigger: RowMapping, now: datetime) -> list[datetime]:
    """The slots that shall have a run now and have none, oldest first."""
    newest = latest_slot(trigger["interval"], trigger["timezone"], now)
    if newest is None or not slot_is_due(trigger, newest, now):
        return []
    if trigger["interval"] == ALWAYS_ON:
        return [] if (await _going_on(tx, trigger))["all"] else [newest]
    if trigger["interval"] == ONCE:
        any_run = select(pipeline_runs.c.run_id).where(pipeline_runs.c.trigger_id == trigger["id"])
        return [] if await tx.one(any_run.limit(1)) else [newest]
    fired = runs.c.schedule_id == trigger["id"]
    if await tx.one(select(runs.c.id).where(fired, runs.c.fire_at == newest)):
        return []
    last = await tx.one(select(func.max(runs.c.fire_at).label("at")).where(fired))
    return owed_slots(trigger, newest, last["at"] if last else None, now)


def owed_slots(
    trigger: TriggerRow, newest: datetime, last: datetime | None, now: datetime
) -> list[datetime]:
    """The newest slot and the missed ones before it that `catch_up` makes up for, oldest first.

    `last` is the slot of the trigger's latest scheduled run. At most MAX_CATCH_UP, the newest.
    """
    enabled_at = trigger["last_enabled_at"]
    initial = enabled_at is not None and newest < enabled_at
    if trigger["catch_up"] == "skip":
        return [newest] if initial or now - newest <= ON_TIME else []
    slots = [newest]
    if trigger["catch_up"] != "all" or initial:
        return slots
    since = max(filter(None, (enabled_at, trigger["start_at"], now - _window(trigger))))
    while len(slots) < MAX_CATCH_UP:
        eve = slots[-1] - timedelta(microseconds=1)
        slot = latest_slot(trigger["interval"], trigger["timezone"], eve)
        if slot is None or slot < since or (last is not None and slot <= last):
            break
        slots.append(slot)
    return slots[::-1]


def _window(trigger: TriggerRow) -> timedelta:
    return timedelta(seconds=trigger["catch_up_window_s"])


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


async def _going_on(tx: Tx, trigger: RowMapping) -> RowMapping:
    """How many runs of the trigger have not ended (`all`), and how many scheduled ones wait."""
    waits = (runs.c.status == "queued") & (runs.c.schedule_id == trigger["id"])
    # No join: few runs are unfinished, but PostgreSQL expects many and would read the history.
    made_by = (
        select(pipeline_runs.c.trigger_id)
        .where(pipeline_runs.c.run_id == runs.c.id)
        .scalar_subquery()
    )
    counted = await tx.one(
        select(func.count().label("all"), func.count().filter(waits).label("waiting"))
        .select_from(runs)
        .where(unfinished(trigger["pipeline_id"]), made_by == trigger["id"])
    )
    assert counted is not None
    return counted
