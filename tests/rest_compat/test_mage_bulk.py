"""A pipeline's update as control of its triggers and runs, and the end of a run's record."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from app.core import db
from app.core.rules import SYSTEM
from app.pipelines.tables import pipeline_runs
from app.runs.tables import run_events, run_logs, run_steps, runs
from tests.rest_compat.conftest import Call


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The key alone suffices."""
    return False


class Flow:
    """A pipeline of two blocks with two API triggers, which no worker touches."""

    def __init__(self, call: Call, client: httpx2.AsyncClient) -> None:
        self.call = call
        self.client = client
        self.uuid = ""
        self.triggers: list[dict[str, Any]] = []

    async def make(self, name: str) -> "Flow":
        """Make it all."""
        made = await self.call("POST", "/api/pipelines", {"pipeline": {"name": name}})
        self.uuid = made.json()["pipeline"]["uuid"]
        blocks = f"/api/pipelines/{self.uuid}/blocks"
        await self.call("POST", blocks, {"block": {"name": "one", "type": "data_loader"}})
        two = {"name": "two", "type": "transformer", "upstream_blocks": ["one"]}
        await self.call("POST", blocks, {"block": two})
        for trigger in ("first", "second"):
            schedule = {"name": trigger, "schedule_type": "api", "status": "active"}
            path = f"/api/pipelines/{self.uuid}/pipeline_schedules"
            made = await self.call("POST", path, {"pipeline_schedule": schedule})
            self.triggers.append(made.json()["pipeline_schedule"])
        return self

    async def start(self, trigger: int = 0, **variables: Any) -> dict[str, Any]:
        """Start a run."""
        one = self.triggers[trigger]
        path = f"/api/pipeline_schedules/{one['id']}/pipeline_runs/{one['token']}"
        body = {"pipeline_run": {"variables": variables}}
        return dict((await self.client.post(path, json=body)).json()["pipeline_run"])

    async def change(self, **attributes: Any) -> dict[str, Any]:
        """Update the pipeline."""
        body = {"pipeline": attributes}
        return dict((await self.call("PUT", f"/api/pipelines/{self.uuid}", body)).json())

    async def run(self, number: int) -> dict[str, Any]:
        """Read a run."""
        answer = await self.call("GET", f"/api/pipeline_runs/{number}")
        return dict(answer.json().get("pipeline_run", {}))

    async def statuses(self) -> dict[int, str]:
        """Where each run of the pipeline stands."""
        listed = await self.call("GET", "/api/pipeline_runs", pipeline_uuid=self.uuid)
        return {row["id"]: row["status"] for row in listed.json()["pipeline_runs"]}


@pytest.fixture
async def flow(call: Call, client: httpx2.AsyncClient, request: pytest.FixtureRequest) -> Flow:
    """A pipeline of the test's own."""
    return await Flow(call, client).make(request.node.name[:60])


async def end(number: int, status: str, **steps: str) -> None:
    """A run has ended, as a worker would say."""
    found = select(pipeline_runs.c.run_id).where(pipeline_runs.c.number == number)
    async with db.transaction(SYSTEM) as tx:
        run = (await tx.all(found))[0]["run_id"]
        await tx.execute(update(runs).where(runs.c.id == run).values(status=status))
        for name, ended in steps.items():
            of_run = (run_steps.c.run_id == run) & (run_steps.c.name == name)
            await tx.execute(update(run_steps).where(of_run).values(status=ended))


async def test_cancelled_cancels_all_runs_of_the_pipeline_and_no_other(
    flow: Flow, call: Call, client: httpx2.AsyncClient
) -> None:
    other = await Flow(call, client).make("bystander")
    mine = [(await flow.start(i))["id"] for i in (0, 1)]
    theirs = (await other.start())["id"]
    answer = await flow.change(status="cancelled")
    assert answer["pipeline"]["uuid"] == flow.uuid
    assert await flow.statuses() == dict.fromkeys(mine, "cancelled")
    assert await other.statuses() == {theirs: "initial"}


async def test_cancelled_can_name_a_trigger_or_runs(flow: Flow) -> None:
    a, b, c = [(await flow.start(i))["id"] for i in (0, 0, 1)]
    await flow.change(status="cancelled", pipeline_runs=[{"id": a}])
    assert await flow.statuses() == {a: "cancelled", b: "initial", c: "initial"}
    await flow.change(status="cancelled", pipeline_schedule_id=flow.triggers[1]["id"])
    assert await flow.statuses() == {a: "cancelled", b: "initial", c: "cancelled"}


async def test_attributes_beside_an_action_are_changed_as_well(flow: Flow) -> None:
    number = (await flow.start())["id"]
    answer = await flow.change(status="cancelled", description="quiet now")
    assert answer["pipeline"]["description"] == "quiet now"
    assert await flow.statuses() == {number: "cancelled"}


async def test_retry_makes_a_new_run_of_the_same_execution_date(flow: Flow) -> None:
    first = await flow.start(env="prod")
    await end(first["id"], "failed")
    await flow.change(status="retry", pipeline_runs=[{"id": first["id"]}])
    again = max(await flow.statuses())
    made = await flow.run(again)
    assert again > first["id"]
    assert made["execution_date"] == first["execution_date"]
    assert made["pipeline_schedule_id"] == first["pipeline_schedule_id"]
    assert list(made["variables"]) == ["execution_partition"]
    sent = {"id": first["id"], "variables": {"env": "dev"}, "event_variables": {"n": 1}}
    await flow.change(status="retry", pipeline_runs=[sent])
    made = await flow.run(max(await flow.statuses()))
    assert (made["variables"]["env"], made["event_variables"]) == ("dev", {"n": 1})
    assert (await flow.run(first["id"]))["status"] == "failed"


async def test_retry_incomplete_lets_all_failed_runs_go_on(flow: Flow) -> None:
    failed, done, cancelled = [(await flow.start())["id"] for _ in range(3)]
    await end(failed, "failed", one="succeeded", two="failed")
    await end(done, "succeeded", one="succeeded", two="succeeded")
    await end(cancelled, "cancelled")
    await flow.change(status="retry_incomplete_block_runs")
    found = {failed: "initial", done: "completed", cancelled: "cancelled"}
    assert await flow.statuses() == found
    kept = [row["status"] for row in (await flow.run(failed))["block_runs"]]
    assert kept == ["completed", "initial"]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"status": "sleepy"}, "The status 'sleepy' cannot be set"),
        ({"status": "retry"}, "pipeline_runs is required"),
        ({"status": "retry", "pipeline_runs": [{"id": 999_999}]}, "has no run 999999"),
        ({"status": "cancelled", "pipeline_runs": [{"id": 999_999}]}, "has no run 999999"),
        ({"status": "cancelled", "pipeline_runs": [{}]}, "must have the id of a run"),
        ({"status": "cancelled", "pipeline_runs": "all"}, "must be a list of objects"),
        ({"status": "retry", "pipeline_runs": [{"id": 1}] * 1001}, "At most 1000 runs"),
    ],
)
async def test_action_that_cannot_be_done_is_told(
    flow: Flow, attributes: dict[str, Any], told: str
) -> None:
    number = (await flow.start())["id"]
    error = (await flow.change(**attributes))["error"]
    assert (error["code"], told in error["exception"]) == (400, True), error
    assert await flow.statuses() == {number: "initial"}


async def test_blocks_get_upstream_blocks_and_content_by_the_pipelines_update(flow: Flow) -> None:
    path = f"/api/pipelines/{flow.uuid}"
    blocks = [
        {"uuid": "one", "type": "data_loader", "upstream_blocks": ["two"], "content": "# new"},
        {"uuid": "two", "type": "transformer", "upstream_blocks": [], "outputs": []},
    ]
    # Together they turn the graph round: no step between may count as a circle.
    await flow.call("PUT", path, {"pipeline": {"blocks": blocks}})
    read = {b["uuid"]: b for b in (await flow.call("GET", path)).json()["pipeline"]["blocks"]}
    assert (read["one"]["upstream_blocks"], read["two"]["upstream_blocks"]) == (["two"], [])
    assert read["one"]["content"] != "# new"
    await flow.call("PUT", path, {"pipeline": {"blocks": blocks}}, update_content="true")
    read = {b["uuid"]: b for b in (await flow.call("GET", path)).json()["pipeline"]["blocks"]}
    assert (read["one"]["content"], read["one"]["status"]) == ("# new", "updated")
    blocks[1]["upstream_blocks"] = ["one"]
    error = (await flow.change(blocks=blocks))["error"]
    assert error["exception"].startswith("A cycle was formed while updating a block:")
    error = (await flow.change(blocks=[{"uuid": "nope", "upstream_blocks": []}]))["error"]
    assert error["message"] == f"Block nope does not exist in pipeline {flow.uuid}."


async def test_deleted_run_leaves_nothing(flow: Flow) -> None:
    number = (await flow.start())["id"]
    found = select(pipeline_runs.c.run_id).where(pipeline_runs.c.number == number)
    async with db.reading() as connection:
        run = await connection.scalar(found)
    deleted = (await flow.call("DELETE", f"/api/pipeline_runs/{number}")).json()
    assert (deleted["pipeline_run"]["id"], deleted["metadata"]) == (number, None)
    for method in ("GET", "DELETE"):
        again = (await flow.call(method, f"/api/pipeline_runs/{number}")).json()
        assert again["error"]["type"] == "record_not_found"
    async with db.reading() as connection:
        for table in (run_steps, run_events, run_logs):
            left = await connection.execute(select(table).where(table.c.run_id == run))
            assert left.all() == []


async def test_run_that_goes_on_is_not_retried_but_told(flow: Flow) -> None:
    number = (await flow.start())["id"]
    action = {"pipeline_run": {"pipeline_run_action": "retry_blocks"}}
    error = (await flow.call("PUT", f"/api/pipeline_runs/{number}", action)).json()["error"]
    assert error["code"] == 400
    assert "cancel it, then retry" in error["message"]
