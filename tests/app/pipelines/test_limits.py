"""Runs of inactive triggers wait; limits of triggers and pipelines, and what changes them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from app.core import db
from app.core.ids import global_id
from app.core.rules import SYSTEM
from app.pipelines.actions.runs import start_scheduled
from app.pipelines.limits import UNLIMITED
from app.pipelines.schedule import fire_due
from app.pipelines.tables import pipeline_runs, pipelines, triggers
from app.runs.tables import runs
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Answer

CREATE = """mutation($i: PipelineRunCreateInput!) { pipelineRunCreate(input: $i) {
  run { id status reason } errors { message code } } }"""
BY_TOKEN = """mutation($i: PipelineRunCreateByTokenInput!) { pipelineRunCreateByToken(input: $i) {
  run { id status } errors { message code } } }"""
SWITCH = """mutation($n: Int!, $s: TriggerStatus!) { triggerUpdate(
  input: {by: {number: $n}, status: $s}) { trigger { status } errors { message code } } }"""
TRIGGER = """mutation($i: TriggerUpdateInput!) { triggerUpdate(input: $i) {
  trigger { id } errors { message code path } } }"""
PIPELINE = """mutation($i: PipelineUpdateInput!) { pipelineUpdate(input: $i) {
  pipeline { concurrencyConfig } errors { message code path } } }"""


@pytest.fixture
async def pipeline(team: Team) -> int:
    """A pipeline with one block."""
    made = await rows.pipeline(team.project, rows.unique("limited"))
    await rows.block(made, "a")
    return made


async def call(team: Team, trigger: dict[str, Any], **more: object) -> dict[str, Any]:
    """Start a run of the trigger by right; its row in the ledger."""
    of = {"trigger": {"number": trigger["id"]}}
    run = (await team.editor(CREATE, i={"of": of, **more})).only["run"]
    return await rows.values_of(runs, rows.run_key(run["id"]))


async def configure(team: Team, pipeline: int, **config: object) -> Answer:
    """Set a pipeline's concurrency_config."""
    by = {"id": global_id("Pipeline", pipeline)}
    return await team.editor(PIPELINE, i={"by": by, "concurrencyConfig": config})


async def stored(run: dict[str, Any]) -> dict[str, Any]:
    """The run as it is now."""
    return await rows.values_of(runs, run["id"])


# --- inactive triggers -------------------------------------------------------------------------


async def test_a_called_run_of_an_inactive_trigger_waits_until_it_is_switched_on(
    team: Team, pipeline: int
) -> None:
    trigger, other = await rows.trigger(pipeline), await rows.trigger(pipeline)
    run, kept = await call(team, trigger), await call(team, other)
    assert (run["status"], run["hold"], run["hinted_at"]) == ("queued", "trigger_inactive", None)
    query = "query($id: ID!) { pipelineRun(by: {id: $id}) { hold } }"
    seen = await team.viewer(query, id=global_id("PipelineRun", run["id"]))
    assert seen.only == {"hold": "trigger_inactive"}
    await team.editor(SWITCH, n=trigger["id"], s="ACTIVE")
    freed = await stored(run)
    assert (freed["status"], freed["hold"]) == ("queued", None)
    assert freed["available_at"] > run["available_at"]
    assert (await stored(kept))["hold"] == "trigger_inactive"


async def test_switching_all_triggers_of_a_pipeline_on_lets_their_runs_go(
    team: Team, pipeline: int
) -> None:
    held = [await call(team, await rows.trigger(pipeline)) for _ in range(2)]
    switch = """mutation($id: ID!) { pipelineUpdate(
      input: {by: {id: $id}, triggersStatus: ACTIVE}) { errors { code } } }"""
    await team.editor(switch, id=global_id("Pipeline", pipeline))
    assert [(await stored(run))["hold"] for run in held] == [None, None]


async def test_a_call_by_token_switches_it_on_and_frees_what_waits(
    team: Team, pipeline: int
) -> None:
    trigger = await rows.trigger(pipeline)
    held = await call(team, trigger)
    given = {"triggerNumber": trigger["id"], "token": trigger["token"]}
    called = (await team.editor.with_token(None)(BY_TOKEN, i=given)).only["run"]
    assert (await rows.values_of(runs, rows.run_key(called["id"])))["hold"] is None
    assert (await stored(held))["hold"] is None


async def test_switching_off_holds_no_run_that_is_queued(team: Team, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline, status="active")
    run = await call(team, trigger)
    await team.editor(SWITCH, n=trigger["id"], s="INACTIVE")
    assert (await stored(run))["hold"] is None


async def test_a_call_of_an_inactive_once_trigger_switches_it_on(team: Team, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline, type="time", interval="@once")
    run = await call(team, trigger)
    assert run["hold"] is None
    now = await rows.values_of(triggers, trigger["id"])
    assert now["status"] == "active" and now["last_enabled_at"] is not None
    async with db.transaction(SYSTEM) as tx:
        await fire_due(tx, start_scheduled, datetime.now(UTC))
    mine = select(pipeline_runs.c.run_id).where(pipeline_runs.c.trigger_id == trigger["id"])
    async with db.reading() as connection:
        assert len((await connection.execute(mine)).all()) == 1, "it has had its run"


async def test_a_run_on_hold_is_cancelled_like_any_other(team: Team, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline)
    run = await call(team, trigger)
    cancel = """mutation($id: ID!) { pipelineRunCancel(input: {by: {id: $id}}) {
      run { status } } }"""
    await team.editor(cancel, id=global_id("PipelineRun", run["id"]))
    await team.editor(SWITCH, n=trigger["id"], s="ACTIVE")
    assert (await stored(run))["status"] == "cancelled"
    retry = "mutation($id: ID!) { pipelineRunRetry(input: {by: {id: $id}}) { run { status } } }"
    await team.editor(retry, id=global_id("PipelineRun", run["id"]))
    again = await stored(run)
    assert (again["status"], again["hold"]) == ("queued", None)


# --- limits ------------------------------------------------------------------------------------


def waits_for(run: dict[str, Any]) -> tuple[Any, ...]:
    """Lane, its limit, and the limit of the whole pipeline."""
    return run["lane"], run["lane_limit"], run["concurrency"]


async def test_a_run_without_limits_has_no_lane(team: Team, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline, status="active")
    assert waits_for(await call(team, trigger)) == (None, None, None)


async def test_a_triggers_own_limit_wins_over_the_pipelines(team: Team, pipeline: int) -> None:
    limits = {"pipeline_run_limit": 3, "pipeline_run_limit_all_triggers": 7, "block_run_limit": 2}
    assert (await configure(team, pipeline, **limits)).only["errors"] == []
    plain = await rows.trigger(pipeline, status="active")
    own = await rows.trigger(pipeline, status="active", settings={"pipeline_run_limit": 5})
    assert waits_for(await call(team, plain)) == (f"trigger/{plain['id']}", 3, 7)
    assert waits_for(await call(team, own)) == (f"trigger/{own['id']}", 5, 7)


async def test_a_call_of_a_time_trigger_waits_for_no_scheduled_run(
    team: Team, pipeline: int
) -> None:
    trigger = await rows.trigger(pipeline, status="active", type="time", interval="@daily")
    assert waits_for(await call(team, trigger)) == (f"trigger/{trigger['id']}", UNLIMITED, None)


async def test_a_run_of_the_pipeline_itself_has_only_the_pipelines_limit(
    team: Team, pipeline: int
) -> None:
    await configure(team, pipeline, pipeline_run_limit=3, pipeline_run_limit_all_triggers=7)
    of = {"pipeline": {"id": global_id("Pipeline", pipeline)}}
    run = (await team.editor(CREATE, i={"of": of})).only["run"]
    made = await rows.values_of(runs, rows.run_key(run["id"]))
    assert waits_for(made) == (None, None, 7)


async def test_new_limits_of_a_pipeline_are_those_of_its_queued_runs(
    team: Team, pipeline: int
) -> None:
    called = await rows.trigger(pipeline, status="active")
    timed = await rows.trigger(pipeline, status="active", type="time", interval="@daily")
    own = await rows.trigger(pipeline, status="active", settings={"pipeline_run_limit": 5})
    made = [await call(team, trigger) for trigger in (called, timed, own)]
    await configure(team, pipeline, pipeline_run_limit=3, pipeline_run_limit_all_triggers=7)
    found = [waits_for(await stored(run))[1:] for run in made]
    assert found == [(3, 7), (3, 7), (5, 7)]
    await configure(team, pipeline)
    found = [waits_for(await stored(run))[1:] for run in made]
    assert found == [(None, None), (UNLIMITED, None), (5, None)]


async def test_a_retried_run_has_the_limits_as_they_are_then(team: Team, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline, status="active")
    run = await call(team, trigger)
    await rows.change(runs, run["id"], status="failed")
    await configure(team, pipeline, pipeline_run_limit=3, pipeline_run_limit_all_triggers=7)
    assert waits_for(await stored(run)) == (None, None, None)
    retry = "mutation($id: ID!) { pipelineRunRetry(input: {by: {id: $id}}) { run { status } } }"
    await team.editor(retry, id=global_id("PipelineRun", run["id"]))
    assert waits_for(await stored(run)) == (f"trigger/{trigger['id']}", 3, 7)


async def test_a_new_overlap_is_that_of_the_waiting_runs(team: Team, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline, status="active", type="time", interval="@daily")
    row = await rows.values_of(triggers, trigger["id"])
    async with db.transaction(SYSTEM) as tx:
        run_id = await start_scheduled(tx, row, datetime.now(UTC))  # type: ignore[arg-type]
    lane = f"trigger/{trigger['id']}"
    assert waits_for(await rows.values_of(runs, run_id)) == (lane, 1, None)
    for overlap, expected in (("ALLOW", (None, None, None)), ("SKIP", (lane, 1, None))):
        changes = {"by": {"number": trigger["id"]}, "overlap": overlap}
        assert (await team.editor(TRIGGER, i=changes)).only["errors"] == []
        assert waits_for(await rows.values_of(runs, run_id)) == expected


async def test_beyond_a_limit_a_call_is_cancelled_where_it_shall_not_wait(
    team: Team, pipeline: int
) -> None:
    await configure(
        team, pipeline, pipeline_run_limit_all_triggers=2, on_pipeline_run_limit_reached="skip"
    )
    one, other = [await rows.trigger(pipeline, status="active") for _ in range(2)]
    made = [await call(team, trigger) for trigger in (one, other, one)]
    states = [(run["status"], run["reason"]) for run in made]
    assert states == [("queued", None), ("queued", None), ("cancelled", "limit")]
    await configure(
        team, pipeline, pipeline_run_limit_all_triggers=2, on_pipeline_run_limit_reached="wait"
    )
    assert (await call(team, one))["status"] == "queued"


async def test_calls_at_once_do_not_pass_a_limit_together(team: Team, pipeline: int) -> None:
    await configure(team, pipeline, pipeline_run_limit=3, on_pipeline_run_limit_reached="skip")
    trigger = await rows.trigger(pipeline, status="active")
    given = {"triggerNumber": trigger["id"], "token": trigger["token"]}
    nobody = team.editor.with_token(None)
    answers = await asyncio.gather(*(nobody(BY_TOKEN, i=given) for _ in range(10)))
    states = [answer.only["run"]["status"] for answer in answers]
    assert sorted(states) == ["CANCELLED"] * 7 + ["QUEUED"] * 3


async def test_the_status_after_a_timeout_goes_with_the_run(team: Team, pipeline: int) -> None:
    settings = {"timeout": 60, "timeout_status": "cancelled"}
    trigger = await rows.trigger(pipeline, status="active", settings=settings)
    run = await call(team, trigger)
    assert (run["timeout_s"], run["params"]) == (60, {"timeout_status": "cancelled"})
    plain = await call(team, await rows.trigger(pipeline, status="active"))
    assert (plain["timeout_s"], plain["params"]) == (None, {})


@pytest.mark.parametrize(
    "config",
    [
        {"block_run_limit": 0},
        {"pipeline_run_limit": "2"},
        {"pipeline_run_limit": 1.5},
        {"pipeline_run_limit_all_triggers": -1},
        {"pipeline_run_limit": True},
        {"pipeline_run_limit": 2**40},
        {"on_pipeline_run_limit_reached": "explode"},
    ],
    ids=str,
)
async def test_limits_of_no_use_are_refused(
    team: Team, pipeline: int, config: dict[str, object]
) -> None:
    answer = await configure(team, pipeline, **config)
    assert answer.fault == "INVALID"
    (name,) = config
    assert name in answer.only["errors"][0]["message"]
    assert (await rows.values_of(pipelines, pipeline))["concurrency_config"] == {}


async def test_null_is_no_limit(team: Team, pipeline: int) -> None:
    config = {"block_run_limit": None, "pipeline_run_limit": None}
    answer = await configure(team, pipeline, **config)
    assert answer.only["pipeline"]["concurrencyConfig"] == config
