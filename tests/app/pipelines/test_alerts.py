"""Which notifications are queued: one for each channel, end and wish, whoever looks and when."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from app.core import db
from app.core.db import transaction
from app.core.rules import SYSTEM
from app.pipelines.actions import alerts
from app.pipelines.actions.runs import retry_run
from app.pipelines.alert_config import filled
from app.pipelines.tables import pipeline_runs
from app.runs.actions import request_cancel, retry
from app.runs.record import end_run
from app.runs.tables import runs
from tests.factories import rows

HOOK = {"slack_config": {"webhook_url": "https://hooks.example.com/x"}}


async def pipeline(config: Mapping[str, Any]) -> int:
    """A pipeline with a notification_config."""
    return await rows.pipeline(await rows.project(), notification_config=dict(config))


async def ended(run_id: UUID, status: Any) -> None:
    """End a queued or running run."""
    await rows.change(runs, run_id, status="running")
    async with transaction(SYSTEM) as tx:
        assert await end_run(tx, run_id, status)


async def look() -> None:
    """What the workers' loop does, by two of them at once."""

    async def once() -> None:
        async with transaction(SYSTEM) as tx:
            await alerts.tell(tx)

    await asyncio.gather(once(), once())
    await once()


async def told(pipeline_id: int) -> list[tuple[str, str, int]]:
    """Event, channel and number of each notification of a pipeline."""
    statement = select(runs.c.params).where(
        runs.c.kind == "notification", runs.c.subject_id == pipeline_id
    )
    async with db.reading() as connection:
        found = (await connection.execute(statement.order_by(runs.c.id))).scalars()
        return [(p["event"], p["channel"], p["number"]) for p in found]


ALL = ["trigger_failure", "trigger_success", "trigger_passed_sla"]


@pytest.mark.parametrize(
    ("alert_on", "status", "event"),
    [
        (ALL, "failed", "trigger_failure"),
        (ALL, "succeeded", "trigger_success"),
        (ALL, "cancelled", None),
        (["trigger_success"], "failed", None),
        ([], "failed", None),
        ("trigger_failure", "failed", None),
        (None, "failed", None),
    ],
)
async def test_an_end_is_told_of_once_where_it_is_wanted(
    app: Starlette, alert_on: Any, status: str, event: str | None
) -> None:
    made = await pipeline({**HOOK, "alert_on": alert_on})
    run = await rows.run(made)
    await look()
    assert await told(made) == []
    await ended(run.id, status)
    await look()
    await look()
    assert await told(made) == ([(event, "slack_config", run.number)] if event else [])


async def test_without_alert_on_failures_are_told_of(app: Starlette) -> None:
    made = await pipeline(HOOK)
    good, bad = await rows.run(made), await rows.run(made)
    await ended(good.id, "succeeded")
    await ended(bad.id, "failed")
    await look()
    assert await told(made) == [("trigger_failure", "slack_config", bad.number)]


async def test_each_channel_has_a_message_of_its_own(app: Starlette) -> None:
    config = {**HOOK, "email_config": {"to_emails": ["a"]}, "teams_config": {}, "other": 1}
    made = await pipeline(config)
    run = await rows.run(made)
    await ended(run.id, "failed")
    await look()
    assert {channel for _, channel, _ in await told(made)} == {"slack_config", "email_config"}


@pytest.mark.parametrize("config", [{}, {"alert_on": ALL}, {"slack_config": None}])
async def test_without_a_channel_nothing_is_queued(app: Starlette, config: Any) -> None:
    made = await pipeline(config)
    run = await rows.run(made)
    await ended(run.id, "failed")
    await look()
    assert await told(made) == []


async def test_a_queued_run_that_is_cancelled_is_seen_to(app: Starlette) -> None:
    made = await pipeline({**HOOK, "alert_on": ALL})
    run = await rows.run(made)
    async with transaction(SYSTEM) as tx:
        await request_cancel(tx, run.id)
    await look()
    unseen = select(func.count()).where(~pipeline_runs.c.end_seen, pipeline_runs.c.run_id == run.id)
    async with db.reading() as connection:
        assert await connection.scalar(unseen) == 0
    assert await told(made) == []


async def test_a_retried_run_is_told_of_again(app: Starlette) -> None:
    made = await pipeline(HOOK)
    run = await rows.run(made, steps={"a": "failed"})
    await ended(run.id, "failed")
    await look()
    await retry_run(SYSTEM, run.id)
    await look()
    assert len(await told(made)) == 1
    await ended(run.id, "failed")
    await look()
    assert len(await told(made)) == 2


async def test_many_ends_at_once_are_all_told_of(app: Starlette) -> None:
    made = await pipeline(HOOK)
    numbers = set()
    for _ in range(alerts.BATCH // 20):
        run = await rows.run(made)
        await ended(run.id, "failed")
        numbers.add(run.number)
    await look()
    assert {number for _, _, number in await told(made)} == numbers


async def late_run(made: int, *, sla: int | None, age_s: int, **values: Any) -> rows.PipelineRun:
    """A run of a trigger with an sla, accepted some seconds ago."""
    trigger = await rows.trigger(made, sla=sla)
    run = await rows.run(made, trigger_id=trigger["id"], **values)
    async with db.engine().begin() as connection:
        ago = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, age_s)
        await connection.execute(runs.update().where(runs.c.id == run.id).values(created_at=ago))
    return run


async def passed_sla(run: rows.PipelineRun) -> bool:
    """Whether a run is marked."""
    marked = select(pipeline_runs.c.passed_sla).where(pipeline_runs.c.run_id == run.id)
    async with db.reading() as connection:
        return bool(await connection.scalar(marked))


@pytest.mark.parametrize("status", ["queued", "running"])
async def test_a_late_run_is_marked_and_told_of_once(app: Starlette, status: str) -> None:
    made = await pipeline(HOOK)
    late = await late_run(made, sla=60, age_s=61, status=status)
    early = await late_run(made, sla=60, age_s=30, status=status)
    without = await late_run(made, sla=None, age_s=900, status=status)
    await look()
    await look()
    assert await told(made) == [("trigger_passed_sla", "slack_config", late.number)]
    assert [await passed_sla(run) for run in (late, early, without)] == [True, False, False]


async def test_a_run_that_ended_late_between_two_looks_is_told_of_as_well(app: Starlette) -> None:
    made = await pipeline({**HOOK, "alert_on": ["trigger_passed_sla"]})
    run = await late_run(made, sla=60, age_s=61)
    await ended(run.id, "succeeded")
    await look()
    assert await told(made) == [("trigger_passed_sla", "slack_config", run.number)]


async def test_a_late_run_is_marked_also_where_nobody_is_told(app: Starlette) -> None:
    made = await pipeline({})
    run = await late_run(made, sla=60, age_s=61)
    await look()
    assert await passed_sla(run)
    assert await told(made) == []


async def test_the_end_of_a_run_that_is_just_being_retried_is_left_alone(app: Starlette) -> None:
    made = await pipeline(HOOK)
    run = await rows.run(made, steps={"a": "failed"})
    await ended(run.id, "failed")
    async with transaction(SYSTEM) as tx:
        assert await retry(tx, run.id)
        await look()
        await alerts.expect_ends(tx, [run.id])
    assert await told(made) == []
    await ended(run.id, "failed")
    await look()
    assert await told(made) == [("trigger_failure", "slack_config", run.number)]


async def test_a_channel_by_a_variable_that_is_not_there_is_left_out(app: Starlette) -> None:
    config = {
        "slack_config": {"webhook_url": "{{ env_var('SLACK') }}"},
        "teams_config": {"webhook_url": '{{env_var("TEAMS")}}'},
        "discord_config": {"webhook_url": ""},
    }
    made = await pipeline({**config, "alert_on": ALL})
    run = await rows.run(made)
    await ended(run.id, "failed")
    async with transaction(SYSTEM) as tx:
        await alerts.tell(tx, {"TEAMS": "https://example.com/x"})
    assert {channel for _, channel, _ in await told(made)} == {"teams_config", "discord_config"}


def test_variables_are_filled_in_wherever_they_stand() -> None:
    config = {"url": "https://{{ env_var('HOST') }}/x", "headers": {"A": "{{ env_var('NO') }}"}}
    assert filled(config, {"HOST": "example.com"}) == {
        "url": "https://example.com/x",
        "headers": {"A": ""},
    }
    assert filled(["{{ other }}", 1, None], {}) == ["{{ other }}", 1, None]
