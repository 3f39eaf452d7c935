"""Slots of time triggers: presets, cron lines, time zones and the days on which clocks change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core.errors import Invalid
from app.pipelines.schedule import (
    check_interval,
    check_zone,
    latest_slot,
    next_fire,
    next_run_date,
    next_slot,
    owed_slots,
    slot_is_due,
)

NOON = datetime(2026, 11, 18, 12, 34, 56, 789, tzinfo=UTC)  # a Wednesday


def utc(text: str) -> datetime:
    """A point in time in UTC, such as `2026-01-02 03:04`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def trigger(**more: Any) -> dict[str, Any]:
    """An active daily trigger that was enabled long ago."""
    return {
        "type": "time",
        "interval": "@daily",
        "timezone": "UTC",
        "start_at": None,
        "last_enabled_at": utc("2000-01-01"),
        "settings": None,
        "catch_up": "latest",
        "catch_up_window_s": 86400,
        **more,
    }


@pytest.mark.parametrize(
    ("interval", "latest", "following"),
    [
        ("@hourly", "2026-11-18 12:00", "2026-11-18 13:00"),
        ("@daily", "2026-11-18", "2026-11-19"),
        ("@weekly", "2026-11-16", "2026-11-23"),
        ("@monthly", "2026-11-01", "2026-12-01"),
        ("*/15 * * * *", "2026-11-18 12:30", "2026-11-18 12:45"),
        ("0 9 * * MON-FRI", "2026-11-18 09:00", "2026-11-19 09:00"),
        ("0 0 L * *", "2026-10-31", "2026-11-30"),
        ("0 0 29 2 *", "2024-02-29", "2028-02-29"),
    ],
)
def test_slot_is_the_latest_start_and_the_next_follows_it(
    interval: str, latest: str, following: str
) -> None:
    assert latest_slot(interval, "UTC", NOON) == utc(latest)
    assert next_slot(interval, "UTC", NOON) == utc(following)
    assert latest_slot(interval, "UTC", utc(following)) == utc(following)
    assert latest_slot(interval, "UTC", utc(following) - timedelta(microseconds=1)) == utc(latest)
    assert next_slot(interval, "UTC", utc(latest)) == utc(following)


def test_once_and_always_on_have_no_slots() -> None:
    for interval in ("@once", "@always_on"):
        assert latest_slot(interval, "UTC", NOON) == NOON
        assert next_slot(interval, "UTC", NOON) is None
        assert next_run_date("time", interval, "UTC") is None
    assert next_run_date("api", "@daily", "UTC") is None
    assert next_run_date("time", None, "UTC") is None
    assert next_run_date("time", "@daily", "UTC", NOON) == utc("2026-11-19")


@pytest.mark.parametrize(
    ("zone", "interval", "first", "days"),
    [
        # The hour from 2 to 3 is missing on 29 March 2026, and comes twice on 25 October.
        ("Europe/Berlin", "30 2 * * *", "2026-03-27", 5),
        ("Europe/Berlin", "30 2 * * *", "2026-10-23", 5),
        ("Europe/Berlin", "0 3 * * *", "2026-03-27", 5),
        ("Europe/Berlin", "@daily", "2026-03-27", 5),
        ("Europe/Berlin", "@daily", "2026-10-23", 5),
        # The hour from 1 to 2 comes twice on 1 November 2026, from 2 to 3 misses on 8 March.
        ("America/New_York", "30 1 * * *", "2026-10-30", 5),
        ("America/New_York", "30 2 * * *", "2026-03-06", 5),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-03", 5),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-02", 5),
        # Midnight itself is missing on 6 September 2026.
        ("America/Santiago", "0 0 * * *", "2026-09-04", 5),
        ("Asia/Kathmandu", "@daily", "2026-01-01", 5),
    ],
)
@pytest.mark.parametrize("look", ["each ten minutes", "each seven hours"])
def test_daily_trigger_runs_once_for_each_local_day(
    zone: str, interval: str, first: str, days: int, look: str
) -> None:
    begin = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    step = timedelta(minutes=10) if look == "each ten minutes" else timedelta(hours=7)
    fired = list(dict.fromkeys(_slots(zone, interval, begin, timedelta(days=days), step)))
    local = [slot.astimezone(ZoneInfo(zone)).date() for slot in fired]
    expected = [datetime.fromisoformat(first).date() + timedelta(days=n) for n in range(days)]
    assert fired == sorted(fired)
    assert [day for day in local if day in expected] == [day for day in expected if day in local]
    assert set(expected[:-1]) <= set(local)
    assert len(local) == len(set(local))


def _slots(
    zone: str, interval: str, begin: datetime, length: timedelta, step: timedelta
) -> Iterator[datetime]:
    """What a scheduler sees that looks at these times."""
    now = begin
    while now < begin + length:
        slot = latest_slot(interval, zone, now)
        assert slot is not None and slot <= now
        following = next_slot(interval, zone, now)
        assert following is not None and following > now
        # Both directions agree: the next slot's eve still has this slot.
        assert latest_slot(interval, zone, following) == following
        assert latest_slot(interval, zone, following - timedelta(seconds=1)) == slot
        yield slot
        now += step


def test_hourly_trigger_runs_every_real_hour_of_a_day_with_25() -> None:
    begin = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    slots = [latest_slot("@hourly", "Europe/Berlin", begin + timedelta(hours=n)) for n in range(25)]
    assert slots == [begin + timedelta(hours=n) for n in range(25)]


def test_slot_is_due_by_start_enabling_and_the_wish_for_an_initial_run() -> None:
    slot = utc("2026-11-18")
    assert slot_is_due(trigger(), slot, NOON)
    assert slot_is_due(trigger(last_enabled_at=None), slot, NOON)
    assert slot_is_due(trigger(last_enabled_at=slot), slot, NOON)
    assert not slot_is_due(trigger(last_enabled_at=utc("2026-11-18 12:00")), slot, NOON)
    initial = {"create_initial_pipeline_run": True}
    assert slot_is_due(trigger(last_enabled_at=NOON, settings=initial), slot, NOON)
    assert slot_is_due(trigger(start_at=slot), slot, NOON)
    assert not slot_is_due(trigger(start_at=utc("2026-11-18 00:01")), slot, NOON)
    assert not slot_is_due(trigger(start_at=NOON + timedelta(days=1)), NOON, NOON)


def test_first_look_is_at_once_only_if_something_is_due() -> None:
    assert next_fire(trigger(), NOON) == NOON
    assert next_fire(trigger(last_enabled_at=NOON), NOON) == utc("2026-11-19")
    early = trigger(last_enabled_at=NOON, settings={"create_initial_pipeline_run": True})
    assert next_fire(early, NOON) == NOON
    assert next_fire(trigger(start_at=utc("2026-12-24 18:00")), NOON) == utc("2026-12-25")
    assert next_fire(trigger(start_at=utc("2026-12-24")), NOON) == utc("2026-12-24")
    assert next_fire(trigger(interval="@once"), NOON) == NOON
    later = trigger(interval="@once", start_at=utc("2027-01-01"))
    assert next_fire(later, NOON) == utc("2027-01-01")
    assert next_fire(trigger(type="api"), NOON) is None
    assert next_fire(trigger(interval=None), NOON) is None


@pytest.mark.parametrize(
    ("first", "hours"), [("2026-03-28", (23, 23, 22, 22)), ("2026-10-24", (22, 22, 23, 23))]
)
def test_making_up_over_a_change_of_clocks_owes_each_local_day_once(
    first: str, hours: tuple[int, ...]
) -> None:
    """Midnights of Berlin around the last Sundays of March and October, in UTC."""
    zone = ZoneInfo("Europe/Berlin")
    days = [datetime.fromisoformat(first) + timedelta(days=n) for n in range(4)]
    midnights = [day.replace(tzinfo=zone).astimezone(UTC) for day in days]
    assert tuple(midnight.hour for midnight in midnights) == hours
    made = trigger(timezone="Europe/Berlin", catch_up="all", catch_up_window_s=30 * 86400)
    now = midnights[-1] + timedelta(hours=5)
    last = midnights[0] - timedelta(days=1)
    assert owed_slots(made, midnights[-1], last, now) == midnights
    assert owed_slots(made, midnights[-1], midnights[1], now) == midnights[2:]


def test_slots_are_owed_by_policy() -> None:
    hourly = {"interval": "@hourly", "last_enabled_at": utc("2026-11-18 05:30")}
    newest = utc("2026-11-18 12:00")

    def owed(catch_up: str, **more: Any) -> int:
        return len(owed_slots(trigger(**hourly, catch_up=catch_up, **more), newest, None, NOON))

    assert (owed("latest"), owed("all"), owed("skip")) == (1, 7, 0)
    assert owed("all", catch_up_window_s=3 * 3600) == 3
    assert owed("all", start_at=utc("2026-11-18 11:00")) == 2
    assert len(owed_slots(trigger(catch_up="skip"), newest, None, newest)) == 1


@pytest.mark.parametrize(
    "interval", ["@once", "@monthly", "@always_on", "0 0 * * 1#2", "5 4 L * *"]
)
def test_good_interval_is_accepted(interval: str) -> None:
    check_interval(interval)


@pytest.mark.parametrize(
    "interval",
    ["", "@yearly", "* * * *", "* * * * * *", "61 * * * *", "0 0 31 2 *", "@daily ", "x y z a b"],
)
def test_bad_interval_is_refused(interval: str) -> None:
    with pytest.raises(Invalid):
        check_interval(interval)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\x00b"])
def test_bad_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(Invalid):
        check_zone(zone)
