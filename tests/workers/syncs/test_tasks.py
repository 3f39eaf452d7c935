"""Tasks and probes from the call to what the graph shows of them, done by stand-in kinds."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import func, insert
from starlette.applications import Starlette

from app.access import identify
from app.core import db
from app.core.ids import global_id
from app.core.rules import SYSTEM
from app.graphql.context import Context
from app.graphql.execute import subscribe
from app.ingestion.actions import work
from app.ingestion.tables import sync_streams, sync_tasks
from app.runs.fenced import LeaseLost
from app.runs.tables import run_logs, runs
from tests.factories import rows
from tests.factories.team import Team
from tests.workers.syncs.kinds import OPENED
from workers.loops.scheduler import schedule

pytestmark = pytest.mark.usefixtures("worker")

TEST = """mutation($i: SyncSourceTestInput!) { syncSourceTest(input: $i) {
  connection { status message } run { id status } errors { message code path } } }"""
DISCOVER = """mutation($i: SyncSourceDiscoverInput!) { syncSourceDiscover(input: $i) {
  streamsConfig message run { id } errors { message code path } } }"""
START = "mutation($n: Int!) { syncJobStart(input: {by: {number: $n}}) { task { id } } }"
CLEAR = "mutation($n: Int!) { syncJobClearDestination(input: {by: {number: $n}}) { task { id } } }"
FOLLOW = """subscription($n: Int!) { syncTaskUpdated(by: {number: $n}) {
  status task { rows streamProgress } } }"""
SHOW = """query($id: ID!) { syncTask(by: {id: $id}) {
  status jobType runtimeS rows bytes rowsPerSecond streamProgress
  steps { name status metrics } job { lastRunStatus lastRunType state
    streams(where: {isSelected: {eq: true}}) { nodes { name state rows bytes } } } } }"""


def postgres(**config: Any) -> dict[str, Any]:
    """Settings to probe."""
    given = {"type": "postgres", "connectorVersion": "v0.9.4"}
    return {**given, "config": {**rows.POSTGRES, **config}}


async def ended(team: Team, task: str) -> dict[str, Any]:
    """A task once it has ended."""
    async with asyncio.timeout(20):
        while True:
            found: dict[str, Any] = (await team.viewer(SHOW, id=task)).only
            if found["status"] not in ("QUEUED", "RUNNING"):
                return found
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("host", "status", "message"),
    [
        ("db", "SUCCEEDED", ""),
        ("away", "FAILED", "away does not answer on port 5432. Is it running?"),
        ("broken", "FAILED", "The driver gave up."),
    ],
)
async def test_a_test_tells_what_the_worker_found(
    team: Team, host: str, status: str, message: str
) -> None:
    answer = (await team.editor(TEST, i=postgres(host=host))).only
    assert answer["connection"] == {"status": status, "message": message}
    run = await rows.values_of(runs, rows.run_key(answer["run"]["id"]))
    assert run["params"] == {"end": "source", "type": "postgres"}


async def test_a_stored_source_is_tested_with_its_secrets(team: Team) -> None:
    number = await rows.sync_end("source", team.project)
    answer = (await team.editor(TEST, i={"by": {"number": number}})).only
    assert answer["connection"]["status"] == "SUCCEEDED"


async def test_a_new_jobs_streams_are_those_that_are_found(team: Team) -> None:
    found = (await team.editor(DISCOVER, i={**postgres(), "jobName": "orders"})).only
    names = [s["stream"]["name"] for s in found["streamsConfig"]["streams"]]
    assert names == ["calls", "berths"] and found["message"] is None
    assert found["streamsConfig"]["streams"][0]["stream"]["destination_database"] == "orders:public"


async def test_a_jobs_choices_are_kept_over_what_is_found(team: Team) -> None:
    number = await rows.sync_job(team.project)
    found = (await team.editor(DISCOVER, i={**postgres(), "job": {"number": number}})).only
    catalog = found["streamsConfig"]
    calls, berths = (s["stream"] for s in catalog["streams"])
    assert (calls["sync_mode"], calls["destination_database"]) == ("full_refresh", "lake:public")
    assert berths["sync_mode"] == "cdc"
    assert [s["stream_name"] for s in catalog["selected_streams"]["public"]] == ["calls"]


async def test_a_sync_from_its_start_to_what_is_shown_of_it(team: Team, app: Starlette) -> None:
    number = await rows.sync_job(team.project)
    token = team.viewer.token
    assert token is not None
    subject = await identify.by_token(token)
    schema = app.endpoint.door.schema
    seen: list[Any] = []
    stream = subscribe(schema, FOLLOW, {"n": number}, None, lambda: Context(subject))
    async with aclosing(stream) as results:
        first = asyncio.ensure_future(anext(results))
        task = (await team.editor(START, n=number)).only["task"]["id"]
        async with asyncio.timeout(20):
            result = await first
            while True:
                seen.append(result.data["syncTaskUpdated"])
                if seen[-1]["status"] == "SUCCEEDED":
                    break
                result = await anext(results)
    assert seen[-1]["task"]["rows"] == "20"
    shown = await ended(team, task)
    assert (shown["status"], shown["jobType"], shown["rows"]) == ("SUCCEEDED", "SYNC", "20")
    assert shown["rowsPerSecond"] == 5.5 and set(shown["streamProgress"]) == {
        "public.calls",
        "public.ships",
    }
    assert {s["status"] for s in shown["steps"]} == {"SUCCEEDED"}
    job = shown["job"]
    assert (job["lastRunStatus"], job["lastRunType"]) == ("SUCCEEDED", "SYNC")
    assert {(s["name"], s["rows"], s["bytes"]) for s in job["streams"]["nodes"]} == {
        ("calls", "10", "1000"),
        ("ships", "10", "1000"),
    }
    assert [s["state"] for s in job["state"]["streams"]] == [
        {"chunks": [], "id": 10, "_run": [1, 1]}
    ] * 2
    opened = OPENED[rows.run_key(task)]
    assert opened.source.config == rows.POSTGRES and opened.destination.config == rows.PARQUET
    assert opened.streams[0]["stream"]["destination_table"] == "calls"
    assert "pw-of-tests" not in repr(opened)


async def test_the_next_sync_knows_how_far_the_last_one_came_and_a_clearing_forgets(
    team: Team,
) -> None:
    number = await rows.sync_job(team.project)
    for _ in range(2):
        task = (await team.editor(START, n=number)).only["task"]["id"]
        await ended(team, task)
    known = OPENED[rows.run_key(task)].state
    assert known == {
        n: {"chunks": [], "id": 10, "_run": [1, 1]} for n in ("public.calls", "public.ships")
    }
    cleared = (await team.editor(CLEAR, n=number)).only["task"]["id"]
    shown = await ended(team, cleared)
    assert shown["jobType"] == "CLEAR" and shown["job"]["state"]["streams"] == []
    assert {s["rows"] for s in shown["job"]["streams"]["nodes"]} == {"0"}


async def test_what_a_stale_worker_writes_changes_nothing(team: Team) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number, "running", fence=2)
    state = {"public.calls": {"id": 1}}
    progress: dict[str, Any] = {"rows": 1, "bytes": 1, "rows_per_s": 1.0, "streams": {}}
    for fence in (1, 3):
        for write in (
            lambda tx, f=fence: work.save_stream_states(tx, task, f, state),
            lambda tx, f=fence: work.save_progress(tx, task, f, **progress),
            lambda tx, f=fence: work.note_cleared(tx, task, f, ["public.calls"]),
            lambda tx, f=fence: work.note_moved(tx, task, f, {"public.calls": (1, 1)}),
        ):
            with pytest.raises(LeaseLost):
                async with db.transaction(SYSTEM) as tx:
                    await write(tx)
    calls = await rows.values_of(sync_streams, await rows.stream_of(number))
    assert (calls["state"], calls["rows"]) == ({}, 0)
    async with db.transaction(SYSTEM) as tx:
        await work.save_stream_states(tx, task, 2, state)
    calls = await rows.values_of(sync_streams, await rows.stream_of(number))
    assert calls["state"] == {"id": 1}


async def test_a_deleted_job_is_not_opened(team: Team) -> None:
    number = await rows.sync_job(team.project, deleted_at=func.now())
    task = await rows.sync_task(number)
    with pytest.raises(work.Gone):
        async with db.transaction(SYSTEM) as tx:
            await work.open_task(tx, task)


async def test_a_log_is_paged_older_and_newer_while_it_grows(team: Team) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number, "running")

    async def grow(first: int, last: int) -> None:
        lines = [
            {
                "run_id": task,
                "project_id": team.project,
                "seq": seq,
                "level": "DEBUG" if seq % 10 == 0 else "INFO",
                "message": f"line {seq}",
            }
            for seq in range(first, last)
        ]
        async with db.engine().begin() as connection:
            await connection.execute(insert(run_logs), lines)

    older = """query($r: String!, $lt: Int!) { syncTask(by: {runId: $r}) {
      logs(last: 100, where: {seq: {lt: $lt}, level: {in: ["INFO", "WARNING", "ERROR"]}}) {
        nodes { seq message } pageInfo { hasPreviousPage } } } }"""
    newer = """query($r: String!, $gte: Int!) { syncTask(by: {runId: $r}) {
      logs(first: 100, where: {seq: {gte: $gte}, level: {in: ["INFO", "WARNING", "ERROR"]}}) {
        nodes { seq } pageInfo { hasNextPage } } } }"""
    await grow(1, 501)
    seen: list[int] = []
    before, more = 501, True
    while more:
        page = (await team.viewer(older, r=str(task), lt=before)).only["logs"]
        seen = [int(line["seq"]) for line in page["nodes"]] + seen
        before, more = seen[0], page["pageInfo"]["hasPreviousPage"]
        await grow(1000 + before, 1000 + before + 3)
    assert seen == [seq for seq in range(1, 501) if seq % 10]
    after = (await team.viewer(newer, r=str(task), gte=501)).only["logs"]
    assert all(int(line["seq"]) > 1000 for line in after["nodes"]) and after["nodes"]


async def test_a_task_is_found_by_its_job_and_kind(team: Team) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number, "failed")
    await rows.sync_task(number, "cancelled", "clear")
    query = "query($w: SyncTaskFilter) { syncTasks(where: $w) { nodes { number jobType } } }"
    where = {"jobNumber": {"eq": number}, "jobType": {"eq": "SYNC"}, "status": {"eq": "FAILED"}}
    async with db.reading() as connection:
        wanted = sync_tasks.select().where(sync_tasks.c.run_id == task)
        row = (await connection.execute(wanted)).mappings().one()
    nodes = (await team.viewer(query, w=where)).only["nodes"]
    assert nodes == [{"number": row["number"], "jobType": "SYNC"}]


async def test_a_due_job_is_started_by_the_scheduler_of_a_worker(team: Team) -> None:
    number = await rows.sync_job(
        team.project, cron="0 0 1 1 *", next_fire_at=func.now() - func.make_interval(0, 0, 0, 0, 1)
    )
    await schedule()
    job = await rows.values_of(rows.sync_jobs, number)
    shown = await ended(team, global_id("SyncTask", job["last_run_id"]))
    assert shown["status"] == "SUCCEEDED"
