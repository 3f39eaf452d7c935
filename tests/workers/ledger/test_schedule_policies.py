"""Overlap, catch-up and limits of time triggers, through the pipelines' own verb and the claim."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from app.core import db
from app.core.rules import SYSTEM
from app.pipelines.actions.runs import start_scheduled, trigger_pipeline
from app.pipelines.schedule import MAX_CATCH_UP, fire_due
from tests.journeys.chaos.harness import Cluster, until
from tests.workers.ledger.triggers import BEGIN, add_trigger, end_run, finish, take


async def look(now: datetime) -> int:
    """One look of a scheduler at this time."""
    async with db.transaction(SYSTEM) as tx:
        return await fire_due(tx, start_scheduled, now)


async def look_hours(*hours: int) -> None:
    """Looks so many hours after the trigger was switched on."""
    for hour in hours:
        await look(BEGIN + timedelta(hours=hour))


async def runs(cluster: Cluster) -> list[tuple[Any, ...]]:
    """Fire time, status and reason of each scheduled run."""
    rows = await cluster.rows("SELECT fire_at, status, reason FROM runs ORDER BY fire_at")
    return [(row["fire_at"].hour, row["status"], row["reason"]) for row in rows]


# --- overlap -----------------------------------------------------------------------------------


async def test_skip_makes_the_due_run_and_cancels_it(cluster: Cluster) -> None:
    await add_trigger("@hourly", overlap="skip")
    await look_hours(1)
    first = await take()
    assert first is not None
    await look_hours(2, 3)
    assert await runs(cluster) == [
        (13, "running", None),
        (14, "cancelled", "overlap"),
        (15, "cancelled", "overlap"),
    ]
    await finish(first.run_id, first.fence)
    await look_hours(4)
    assert (await runs(cluster))[-1] == (16, "queued", None)


async def test_the_setting_skip_if_previous_running_wins_over_the_policy(cluster: Cluster) -> None:
    settings = {"skip_if_previous_running": True}
    await add_trigger("@hourly", overlap="allow", settings=settings)
    await look_hours(1, 2)
    assert (await runs(cluster))[-1] == (14, "cancelled", "overlap")


async def test_steps_of_a_cancelled_run_have_the_reason_as_well(cluster: Cluster) -> None:
    trigger_id = await add_trigger("@hourly", overlap="skip")
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(
            text(
                "INSERT INTO blocks (project_id, pipeline_id, uuid, name, type, content)"
                " SELECT project_id, pipeline_id, 'a', 'a', 'custom', '' FROM triggers"
            )
        )
    await look_hours(1, 2)
    rows = await cluster.rows(
        "SELECT run_steps.status, run_steps.reason FROM run_steps JOIN runs ON runs.id = run_id"
        " WHERE schedule_id = :id ORDER BY fire_at",
        id=trigger_id,
    )
    assert [tuple(row.values()) for row in rows] == [("pending", None), ("cancelled", "overlap")]


async def test_queue_one_keeps_one_waiting_and_makes_no_further(cluster: Cluster) -> None:
    await add_trigger("@hourly")
    await look_hours(1)
    first = await take()
    assert first is not None
    await look_hours(2, 3, 4)
    assert await runs(cluster) == [(13, "running", None), (14, "queued", None)]
    assert await take() is None, "it waits for the running one"
    await finish(first.run_id, first.fence, "failed")
    second = await take()
    assert second is not None
    await look_hours(5)
    assert [(hour, status) for hour, status, _ in await runs(cluster)] == [
        (13, "failed"),
        (14, "running"),
        (17, "queued"),
    ]


async def test_allow_lets_them_run_side_by_side(cluster: Cluster) -> None:
    await add_trigger("@hourly", overlap="allow")
    await look_hours(1, 2, 3)
    assert [await take() is not None for _ in range(4)] == [True, True, True, False]


async def test_a_scheduled_run_waits_for_a_called_one_and_no_call_waits_for_it(
    cluster: Cluster,
) -> None:
    trigger_id = await add_trigger("@hourly")

    async def call() -> None:
        await trigger_pipeline(SYSTEM, trigger_id=trigger_id)

    await call()
    called = await take()
    assert called is not None and called.run["schedule_id"] is None
    await look_hours(1)
    assert await take() is None
    await call()
    another = await take()
    assert another is not None and another.run["schedule_id"] is None
    await finish(called.run_id, called.fence)
    assert await take() is None
    await finish(another.run_id, another.fence)
    scheduled = await take()
    assert scheduled is not None and scheduled.run["schedule_id"] == trigger_id


async def test_workers_run_those_of_a_trigger_one_after_another(cluster: Cluster) -> None:
    await add_trigger("* * * * *", catch_up="all")
    await look(BEGIN + timedelta(minutes=10))
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text("UPDATE triggers SET next_fire_at = NULL"))
    for _ in range(2):
        await cluster.ready_worker()

    async def all_ended() -> bool:
        rows = await cluster.rows("SELECT status FROM runs")
        return [row["status"] for row in rows] == ["succeeded"] * 10

    await until(all_ended, 60, "all have run")
    rows = await cluster.rows("SELECT started_at, finished_at FROM runs ORDER BY fire_at")
    for before, after in pairwise(rows):
        assert before["finished_at"] <= after["started_at"]


# --- catch-up ----------------------------------------------------------------------------------


async def asleep(hours: int, catch_up: str, **more: Any) -> datetime:
    """An hourly trigger that nobody has looked at for so many hours; returns PostgreSQL's now."""
    now = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
    await add_trigger("@hourly", now - timedelta(hours=hours), catch_up=catch_up, **more)
    return now


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "allow"])
async def test_latest_makes_up_for_the_newest_slot_only(cluster: Cluster, overlap: str) -> None:
    now = await asleep(5, "latest", overlap=overlap)
    await look(now)
    await look(now)
    (row,) = await cluster.rows("SELECT fire_at FROM runs")
    assert row["fire_at"] == now.replace(minute=0)


@pytest.mark.parametrize("overlap", ["skip", "queue_one"])
async def test_all_makes_up_for_every_slot_one_after_another(
    cluster: Cluster, overlap: str
) -> None:
    now = await asleep(5, "all", overlap=overlap)
    await look(now)
    await look(now)
    rows = await cluster.rows("SELECT fire_at FROM runs ORDER BY id")
    expected = [now.replace(minute=0) - timedelta(hours=n) for n in (4, 3, 2, 1, 0)]
    assert [row["fire_at"] for row in rows] == expected
    done = []
    while (taken := await take()) is not None:
        assert await take() is None
        done.append(taken.run["fire_at"])
        await finish(taken.run_id, taken.fence)
    assert done == expected


async def test_all_may_run_side_by_side_if_so_allowed(cluster: Cluster) -> None:
    now = await asleep(3, "all", overlap="allow")
    await look(now)
    assert [await take() is not None for _ in range(4)] == [True, True, True, False]


async def test_all_begins_after_the_last_run_and_within_the_window(cluster: Cluster) -> None:
    now = await asleep(48, "all", catch_up_window_s=6 * 3600, overlap="allow")
    await look(now - timedelta(hours=2))
    # From 7.5 hours before now: six slots lie in the window of that look.
    assert len(await runs(cluster)) == 6
    await look(now)
    assert len(await runs(cluster)) == 8


async def test_all_is_bounded_to_the_newest_hundred(cluster: Cluster) -> None:
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    await add_trigger("* * * * *", now - timedelta(hours=20), catch_up="all")
    await look(now)
    row = await cluster.row("SELECT count(*) AS n, min(fire_at), max(fire_at) FROM runs")
    assert row["n"] == MAX_CATCH_UP == 100
    assert row["max"] == now.replace(second=0)
    assert row["min"] == row["max"] - timedelta(minutes=99)
    await look(now + timedelta(minutes=5))
    row = await cluster.row("SELECT count(*) AS n FROM runs WHERE status = 'queued'")
    assert row["n"] == 100, "no more wait at any time"


async def test_all_makes_up_for_nothing_before_the_trigger_was_switched_on(
    cluster: Cluster,
) -> None:
    initial = {"create_initial_pipeline_run": True}
    now = await asleep(0, "all", settings=initial)
    await look(now)
    (row,) = await cluster.rows("SELECT fire_at FROM runs")
    assert row["fire_at"] == now.replace(minute=0)


async def test_skip_runs_only_slots_that_were_met_on_time(cluster: Cluster) -> None:
    now = await asleep(5, "skip")
    await look(now)
    assert await runs(cluster) == []
    await look(now.replace(minute=0) + timedelta(hours=1, seconds=59))
    assert len(await runs(cluster)) == 1
    await end_run()
    await look(now.replace(minute=0) + timedelta(hours=2, seconds=61))
    assert len(await runs(cluster)) == 1


async def test_the_real_scheduler_makes_up_after_downtime(cluster: Cluster) -> None:
    """Clock columns are set back, workers start, runs are counted."""
    ids = {
        policy: await add_trigger(
            "@hourly", datetime.now(UTC) - timedelta(hours=7), catch_up=policy, overlap="allow"
        )
        for policy in ("latest", "all", "skip")
    }
    await cluster.ready_worker()
    await until(
        lambda: cluster.rows(
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM triggers WHERE next_fire_at <= now())"
        ),
        20,
        "all were looked at",
    )
    rows = await cluster.rows("SELECT schedule_id, count(*) AS n FROM runs GROUP BY 1")
    found = {row["schedule_id"]: row["n"] for row in rows}
    # An hour may just have begun.
    assert found[ids["latest"]] in (1, 2)
    assert found[ids["all"]] in (7, 8)
    assert found.get(ids["skip"], 0) in (0, 1)


# --- limits ------------------------------------------------------------------------------------


async def test_a_triggers_limit_holds_for_its_runs_that_may_overlap(cluster: Cluster) -> None:
    await add_trigger("@hourly", overlap="allow", settings={"pipeline_run_limit": 2})
    await look_hours(1, 2, 3)
    assert [await take() is not None for _ in range(3)] == [True, True, False]


async def test_beyond_the_limit_a_run_is_cancelled_if_so_set(cluster: Cluster) -> None:
    config = {"pipeline_run_limit": 2, "on_pipeline_run_limit_reached": "skip"}
    await add_trigger("@hourly", concurrency_config=config, overlap="allow")
    await look_hours(1, 2, 3)
    assert await runs(cluster) == [
        (13, "queued", None),
        (14, "queued", None),
        (15, "cancelled", "limit"),
    ]
    await end_run()
    await look_hours(4)
    assert (await runs(cluster))[-1] == (16, "queued", None)
