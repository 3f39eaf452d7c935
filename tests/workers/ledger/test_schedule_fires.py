"""Time triggers on a real database: once per fire time, whoever looks and whoever dies."""

import signal
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import RowMapping, insert, text

from app.core import db
from app.core.db import Tx
from app.core.rules import SYSTEM
from app.pipelines.schedule import fire_due
from app.pipelines.tables import pipeline_runs
from app.runs.actions import accept
from tests.journeys.chaos.harness import Cluster, until
from tests.workers.ledger.triggers import BEGIN, add_trigger, end_run

SCHEDULER = (sys.executable, "-m", "tests.workers.ledger.scheduler")


async def start(tx: Tx, trigger: RowMapping, fire_at: datetime) -> UUID | None:
    """A run with its facet."""
    accepted = await accept(
        tx,
        project_id=1,
        kind="pipeline",
        subject_id=trigger["pipeline_id"],
        schedule_id=trigger["id"],
        fire_at=fire_at,
    )
    if accepted.created:
        await tx.execute(
            insert(pipeline_runs).values(
                run_id=accepted.run_id,
                project_id=1,
                pipeline_id=trigger["pipeline_id"],
                pipeline_uuid="p",
                trigger_id=trigger["id"],
                execution_date=fire_at,
            )
        )
    return accepted.run_id if accepted.created else None


async def look(now: datetime) -> int:
    """One look of a scheduler at this time."""
    async with db.transaction(SYSTEM) as tx:
        return await fire_due(tx, start, now)


async def fires(cluster: Cluster) -> list[str]:
    """All fire times so far."""
    rows = await cluster.rows("SELECT fire_at FROM runs ORDER BY fire_at")
    return [row["fire_at"].strftime("%d %H:%M:%S") for row in rows]


async def test_schedulers_that_crash_fire_each_time_exactly_once(cluster: Cluster) -> None:
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text("CREATE TABLE test_clock (now timestamptz)"))
        await tx.execute(text("INSERT INTO test_clock VALUES (:now)"), {"now": BEGIN})
    trigger_ids = [await add_trigger("* * * * *", overlap="allow") for _ in range(20)]
    schedulers = [cluster.start(SCHEDULER, TEST_DIE_AT=str(3 + 4 * n)) for n in range(4)]
    crashes = 0

    async def looked_at_all() -> bool:
        nonlocal crashes
        for place, scheduler in enumerate(schedulers):
            if scheduler.returncode is not None:
                assert scheduler.returncode == -signal.SIGKILL, scheduler.log.read_text()
                crashes += 1
                later = {"TEST_DIE_AT": "70"} if crashes < 7 else {}
                schedulers[place] = cluster.start(SCHEDULER, **later)
        return not await cluster.rows(
            "SELECT 1 FROM triggers, test_clock WHERE next_fire_at <= test_clock.now"
        )

    minutes = 13
    for minute in range(1, minutes + 1):
        async with db.transaction(SYSTEM) as tx:
            now = BEGIN + timedelta(minutes=minute)
            await tx.execute(text("UPDATE test_clock SET now = :now"), {"now": now})
        await until(looked_at_all, 30, "every trigger was looked at")
    assert crashes >= 3
    rows = await cluster.rows("SELECT schedule_id, fire_at FROM runs ORDER BY 1, 2")
    first = datetime(2026, 1, 1, 12, 1, tzinfo=UTC)
    assert [(row["schedule_id"], row["fire_at"]) for row in rows] == [
        (trigger_id, first + timedelta(minutes=n))
        for trigger_id in trigger_ids
        for n in range(minutes)
    ]


async def test_missed_slots_are_not_made_up_but_for_the_latest(cluster: Cluster) -> None:
    await add_trigger("* * * * *")
    assert await look(BEGIN) == 0
    assert await look(BEGIN + timedelta(hours=3)) == 1
    assert await look(BEGIN + timedelta(hours=3)) == 0
    assert await fires(cluster) == ["01 15:00:00"]


async def test_once_fires_once_from_its_start(cluster: Cluster) -> None:
    await add_trigger("@once", start_at=BEGIN + timedelta(hours=1))
    assert await look(BEGIN) == 0
    for hours in (1, 2, 3):
        await look(BEGIN + timedelta(hours=hours))
    assert await fires(cluster) == ["01 13:00:30"]


async def test_always_on_fires_when_its_last_run_has_ended(cluster: Cluster) -> None:
    await add_trigger("@always_on")
    for seconds in (0, 10, 20):
        assert await look(BEGIN + timedelta(seconds=seconds)) == 1
    assert len(await fires(cluster)) == 1
    await end_run("failed")
    await look(BEGIN + timedelta(seconds=30))
    assert await fires(cluster) == ["01 12:00:30", "01 12:01:00"]


async def test_run_that_comes_while_the_last_one_runs_is_made_and_cancelled_if_so_set(
    cluster: Cluster,
) -> None:
    await add_trigger("@hourly", settings={"skip_if_previous_running": True})
    await look(BEGIN + timedelta(hours=1))
    await look(BEGIN + timedelta(hours=2))
    rows = await cluster.rows("SELECT status FROM runs ORDER BY fire_at")
    assert [row["status"] for row in rows] == ["queued", "cancelled"]
    await end_run()
    await look(BEGIN + timedelta(hours=3))
    rows = await cluster.rows("SELECT status FROM runs ORDER BY fire_at")
    assert [row["status"] for row in rows] == ["succeeded", "cancelled", "queued"]


async def test_initial_run_is_made_at_once_only_if_so_set(cluster: Cluster) -> None:
    await add_trigger("@daily")
    initial = await add_trigger("@daily", settings={"create_initial_pipeline_run": True})
    await look(BEGIN)
    row = await cluster.row("SELECT schedule_id, fire_at FROM runs")
    assert (row["schedule_id"], row["fire_at"]) == (initial, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
async def test_daily_trigger_of_a_time_zone_fires_once_on_each_day_around_a_change_of_clocks(
    cluster: Cluster, day: str
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime.fromisoformat(day).replace(hour=12, tzinfo=zone).astimezone(UTC)
    await add_trigger("30 2 * * *", begin, timezone="Europe/Berlin", overlap="allow")
    for minutes in range(0, 72 * 60, 20):
        await look(begin + timedelta(minutes=minutes))
    rows = await cluster.rows("SELECT fire_at FROM runs ORDER BY fire_at")
    local = [row["fire_at"].astimezone(zone) for row in rows]
    first = datetime.fromisoformat(day).date()
    assert [moment.date() for moment in local] == [first + timedelta(days=n) for n in (1, 2, 3)]


async def test_inactive_trigger_and_one_of_another_type_do_not_fire(cluster: Cluster) -> None:
    await add_trigger("@hourly")
    await add_trigger("@hourly", type="api")
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text("UPDATE triggers SET next_fire_at = now()"))
        await tx.execute(text("UPDATE triggers SET status = 'inactive' WHERE type = 'time'"))
    assert await look(datetime.now(UTC)) == 0


async def test_trigger_that_cannot_be_fired_keeps_no_other_from_it(cluster: Cluster) -> None:
    broken = await add_trigger("@hourly")
    good = await add_trigger("@hourly")

    async def start_some(tx: Tx, trigger: RowMapping, fire_at: datetime) -> UUID | None:
        if trigger["id"] == broken:
            await tx.execute(text("SELECT 1 / 0"))
        return await start(tx, trigger, fire_at)

    now = BEGIN + timedelta(hours=1)
    async with db.transaction(SYSTEM) as tx:
        assert await fire_due(tx, start_some, now) == 2
    row = await cluster.row("SELECT schedule_id FROM runs")
    assert row["schedule_id"] == good
    assert await look(now) == 0
    assert await look(now + timedelta(minutes=1)) == 1
    assert len(await fires(cluster)) == 2


@pytest.mark.long
async def test_real_workers_fire_a_trigger_through_the_pipelines_own_verb(
    cluster: Cluster,
) -> None:
    for _ in range(2):
        await cluster.ready_worker()
    trigger_id = await add_trigger("@once", datetime.now(UTC), variables={"x": 1})

    async def fired() -> bool:
        return bool(await cluster.rows("SELECT 1 FROM runs WHERE schedule_id = :id", id=trigger_id))

    await until(fired, 15, "the trigger has fired")
    row = await cluster.row(
        "SELECT trigger_id, variables, execution_date = fire_at AS same"
        " FROM pipeline_runs JOIN runs ON runs.id = run_id"
    )
    assert row == {"trigger_id": trigger_id, "variables": {"x": 1}, "same": True}
    later = await add_trigger("@once", datetime.now(UTC))
    await until(
        lambda: cluster.rows("SELECT 1 FROM runs WHERE schedule_id = :id", id=later),
        15,
        "a later trigger has fired",
    )
    assert len(await cluster.rows("SELECT 1 FROM runs")) == 2
