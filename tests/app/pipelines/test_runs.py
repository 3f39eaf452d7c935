"""Pipeline runs through the graph: starting by right and by token, cancelling, retrying."""

import asyncio
from typing import Any

import pytest

from app.core.ids import global_id
from app.runs.tables import runs
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Answer, Caller

CREATE = """mutation($i: PipelineRunCreateInput!) { pipelineRunCreate(input: $i) {
  run { id number status variables triggerNumber triggerName pipelineUuid attempt
    createdBy { username } steps { name status } events { nodes { kind status } } }
  errors { message code path } } }"""
BY_TOKEN = """mutation($i: PipelineRunCreateByTokenInput!) { pipelineRunCreateByToken(input: $i) {
  run { id number status variables eventVariables pipelineUuid triggerNumber executionDate }
  errors { message code path } } }"""
CANCEL = """mutation($id: ID!) { pipelineRunCancel(input: {by: {id: $id}}) {
  run { status finishedAt cancelRequestedAt steps { name status } } errors { message code } } }"""
RETRY = """mutation($id: ID!, $b: String) { pipelineRunRetry(input: {by: {id: $id}, fromBlock: $b}) {
  run { status attempt error reason finishedAt steps { name status } } errors { message code } } }"""


@pytest.fixture(scope="module")
async def pipeline(team: Team) -> int:
    """A pipeline a -> b -> c with a callback of a."""
    made = await rows.pipeline(team.project, "runner")
    await rows.block(made, "a", type="data_loader")
    await rows.block(made, "b", ["a"])
    await rows.block(made, "c", ["b"], type="data_exporter")
    await rows.block(made, "hook", ["a"], type="callback")
    await rows.block(made, "notes", type="markdown")
    return made


@pytest.fixture(scope="module")
async def trigger(pipeline: int) -> dict[str, Any]:
    """An API trigger of it, switched off."""
    return await rows.trigger(pipeline, "by call", variables={"from": "trigger"})


async def by_token(caller: Caller, trigger: dict[str, Any], **values: object) -> Answer:
    """Start a run with the trigger's number and token, unless others are given."""
    given = {"triggerNumber": trigger["id"], "token": trigger["token"], **values}
    return await caller(BY_TOKEN, i=given)


async def states(run: rows.PipelineRun) -> str:
    """The stored status of a run."""
    return str((await rows.values_of(runs, run.id))["status"])


async def test_a_run_is_queued_with_a_step_for_each_block_that_runs(
    team: Team, pipeline: int
) -> None:
    of = {"pipeline": {"id": global_id("Pipeline", pipeline)}}
    run = (await team.editor(CREATE, i={"of": of, "variables": {"x": 1}})).only["run"]
    assert (run["status"], run["attempt"]) == ("QUEUED", 0)
    assert [(s["name"], s["status"]) for s in run["steps"]] == [
        ("a", "PENDING"),
        ("b", "PENDING"),
        ("c", "PENDING"),
    ]
    assert run["variables"]["x"] == 1
    assert run["variables"]["execution_partition"].startswith("manual/")
    assert (run["triggerNumber"], run["pipelineUuid"]) == (None, "runner")
    assert run["createdBy"]["username"].startswith("editor")
    assert run["events"]["nodes"] == [{"kind": "run.queued", "status": "QUEUED".lower()}]


async def test_a_run_of_a_trigger_names_it(team: Team, trigger: dict[str, Any]) -> None:
    of = {"trigger": {"number": trigger["id"]}}
    run = (await team.editor(CREATE, i={"of": of})).only["run"]
    assert (run["triggerNumber"], run["triggerName"]) == (trigger["id"], "by call")
    query = """query($n: Int!) { trigger(by: {number: $n}) {
      status runCount activeRunCount lastRunStatus } }"""
    found = (await team.viewer(query, n=trigger["id"])).only
    assert found["runCount"] >= 1 and found["lastRunStatus"] == "queued"
    assert found["status"] == "INACTIVE", "starting it by right does not switch it on"


async def test_the_token_starts_a_run_and_switches_the_trigger_on(
    team: Team, anonymous: Caller, pipeline: int
) -> None:
    trigger = await rows.trigger(pipeline)
    answer = await by_token(anonymous, trigger, variables={"a": 1}, eventVariables={"e": 2})
    run = answer.only["run"]
    assert (run["status"], run["triggerNumber"]) == ("QUEUED", trigger["id"])
    assert (run["variables"]["a"], run["eventVariables"]) == (1, {"e": 2})
    stored = await rows.values_of(rows.triggers, trigger["id"])
    assert stored["status"] == "active" and stored["last_enabled_at"] is not None
    seen = await team.viewer("query($id: ID!) { run(id: $id) { status } }", id=run["id"])
    assert seen.only == {"status": "QUEUED"}


async def test_a_wrong_token_starts_nothing(anonymous: Caller, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline)
    for token in ("", "wrong", trigger["token"][:-1], trigger["token"].upper() + "x", "é"):
        assert (await by_token(anonymous, trigger, token=token)).codes == ["UNAUTHENTICATED"]
    stored = await rows.values_of(rows.triggers, trigger["id"])
    assert stored["status"] == "inactive"


async def test_the_token_of_another_trigger_is_refused(anonymous: Caller, pipeline: int) -> None:
    one, other = await rows.trigger(pipeline), await rows.trigger(pipeline)
    answer = await by_token(anonymous, one, token=other["token"])
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_an_unknown_trigger_is_not_found(anonymous: Caller, trigger: dict[str, Any]) -> None:
    answer = await by_token(anonymous, trigger, triggerNumber=2**31 - 1)
    assert answer.codes == ["NOT_FOUND"]


async def test_a_time_trigger_is_not_started_by_its_token(anonymous: Caller, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline, type="time", interval="@daily")
    assert (await by_token(anonymous, trigger)).fault == "NOT_API_TRIGGER"


async def test_who_holds_the_token_sees_nothing_else(anonymous: Caller, pipeline: int) -> None:
    trigger = await rows.trigger(pipeline)
    run = (await by_token(anonymous, trigger)).only["run"]
    answer = await anonymous("query($id: ID!) { run(id: $id) { id } }", id=run["id"])
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_the_same_key_and_body_give_the_same_run(
    anonymous: Caller, trigger: dict[str, Any]
) -> None:
    given = {"variables": {"a": 1, "b": 2}, "idempotencyKey": "same"}
    first = (await by_token(anonymous, trigger, **given)).only["run"]
    again = (await by_token(anonymous, trigger, **given)).only["run"]
    reordered = {**given, "variables": {"b": 2, "a": 1}}
    assert again == first == (await by_token(anonymous, trigger, **reordered)).only["run"]


async def test_the_same_key_with_another_body_is_a_conflict(
    anonymous: Caller, trigger: dict[str, Any]
) -> None:
    await by_token(anonymous, trigger, variables={"a": 1}, idempotencyKey="reused")
    other = await by_token(anonymous, trigger, variables={"a": 2}, idempotencyKey="reused")
    assert other.codes == ["CONFLICT"]


async def test_concurrent_duplicates_make_one_run(team: Team, pipeline: int) -> None:
    of = {"pipeline": {"id": global_id("Pipeline", pipeline)}}
    given = {"of": of, "idempotencyKey": "at once"}
    answers = await asyncio.gather(*(team.editor(CREATE, i=given) for _ in range(12)))
    assert len({answer.only["run"]["id"] for answer in answers}) == 1


async def test_keys_of_two_projects_have_nothing_in_common(team: Team, pipeline: int) -> None:
    other = await rows.trigger(await rows.pipeline(await rows.project()))
    one = await rows.trigger(pipeline)
    nobody = team.editor.with_token(None)
    numbers = {
        (await by_token(nobody, trigger, idempotencyKey="common")).only["run"]["number"]
        for trigger in (one, other)
    }
    assert len(numbers) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 100_000])
async def test_a_key_of_absurd_length_is_refused(
    anonymous: Caller, trigger: dict[str, Any], key: str
) -> None:
    assert (await by_token(anonymous, trigger, idempotencyKey=key)).fault == "INVALID"


@pytest.mark.parametrize(
    "variables", [[1], "text", 5, {"x": "y" * 300_000}], ids=lambda v: type(v).__name__
)
async def test_variables_are_an_object_of_sane_size(
    team: Team, anonymous: Caller, trigger: dict[str, Any], variables: object
) -> None:
    assert (await by_token(anonymous, trigger, variables=variables)).fault == "INVALID"
    of = {"trigger": {"number": trigger["id"]}}
    assert (await team.editor(CREATE, i={"of": of, "variables": variables})).fault == "INVALID"


async def test_a_queued_run_is_cancelled_at_once(team: Team, pipeline: int) -> None:
    run = await rows.run(pipeline, steps={"a": "pending", "b": "pending"})
    answer = (await team.editor(CANCEL, id=run.global_id)).only["run"]
    assert answer["status"] == "CANCELLED" and answer["finishedAt"] is not None
    assert {step["status"] for step in answer["steps"]} == {"CANCELLED"}


async def test_a_running_run_is_asked_to_stop(team: Team, pipeline: int) -> None:
    run = await rows.run(pipeline, status="running", steps={"a": "running"})
    answer = (await team.editor(CANCEL, id=run.global_id)).only["run"]
    assert answer["status"] == "RUNNING" and answer["cancelRequestedAt"] is not None


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_cancelling_a_finished_run_changes_nothing(
    team: Team, pipeline: int, status: str
) -> None:
    run = await rows.run(pipeline, status=status)
    answer = await team.editor(CANCEL, id=run.global_id)
    assert answer.only["errors"] == []
    assert answer.only["run"]["status"] == status.upper()


@pytest.mark.parametrize("status", ["queued", "running"])
async def test_a_run_that_goes_on_is_not_retried(team: Team, pipeline: int, status: str) -> None:
    run = await rows.run(pipeline, status=status)
    assert (await team.editor(RETRY, id=run.global_id)).fault == "NOT_FINISHED"


async def test_a_retry_repeats_what_did_not_succeed(team: Team, pipeline: int) -> None:
    run = await rows.run(
        pipeline,
        status="failed",
        steps={"a": "succeeded", "b": "failed", "c": "upstream_failed"},
        error="it broke",
        reason="error",
    )
    again = (await team.editor(RETRY, id=run.global_id)).only["run"]
    assert (again["status"], again["error"], again["reason"]) == ("QUEUED", None, None)
    assert [s["status"] for s in again["steps"]] == ["SUCCEEDED", "PENDING", "PENDING"]


async def test_a_succeeded_run_is_repeated_only_from_a_block(team: Team, pipeline: int) -> None:
    steps = {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    run = await rows.run(pipeline, status="succeeded", steps=steps)
    assert (await team.editor(RETRY, id=run.global_id)).fault == "NOT_FAILED"
    assert (await team.editor(RETRY, id=run.global_id, b="ghost")).fault == "BLOCK_UNKNOWN"
    again = (await team.editor(RETRY, id=run.global_id, b="b")).only["run"]
    assert [s["status"] for s in again["steps"]] == ["SUCCEEDED", "PENDING", "PENDING"]


async def test_a_block_with_a_callback_can_be_repeated_from(team: Team, pipeline: int) -> None:
    steps = {"a": "failed", "b": "upstream_failed"}
    run = await rows.run(pipeline, status="failed", steps=steps)
    answer = (await team.editor(RETRY, id=run.global_id, b="a")).only
    assert answer["errors"] == []
    assert {s["status"] for s in answer["run"]["steps"]} == {"PENDING"}


async def test_a_viewer_starts_cancels_and_retries_nothing(team: Team, pipeline: int) -> None:
    run = await rows.run(pipeline)
    of = {"pipeline": {"id": global_id("Pipeline", pipeline)}}
    assert (await team.viewer(CREATE, i={"of": of})).codes == ["FORBIDDEN"]
    assert (await team.viewer(CANCEL, id=run.global_id)).codes == ["FORBIDDEN"]
    assert (await team.viewer(RETRY, id=run.global_id)).codes == ["FORBIDDEN"]
    assert await states(run) == "queued"


async def test_starting_and_switching_and_deleting_at_once_never_gets_stuck(
    team: Team, anonymous: Caller
) -> None:
    for _ in range(3):
        name = rows.unique("busy")
        busy = await rows.pipeline(team.project, name)
        one, other = await rows.trigger(busy), await rows.trigger(busy)
        switch = """mutation($u: String!, $s: TriggerStatus!) { pipelineUpdate(
          input: {by: {uuid: $u}, triggersStatus: $s}) { errors { code } } }"""
        delete = "mutation($u: String!) { pipelineDelete(input: {by: {uuid: $u}}) { deletedId } }"
        answers = await asyncio.gather(
            *(by_token(anonymous, trigger) for trigger in (one, other) * 4),
            *(team.editor(switch, u=name, s=s) for s in ("ACTIVE", "INACTIVE", "ACTIVE")),
            team.editor(delete, u=name),
            *(by_token(anonymous, trigger) for trigger in (one, other) * 2),
        )
        assert {code for answer in answers for code in answer.codes} <= {"NOT_FOUND"}
