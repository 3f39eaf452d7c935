"""Sync jobs through the graph: their ends, streams, times, and what may not be at once."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.core import db
from app.core.ids import global_id
from app.core.rules import SYSTEM
from app.ingestion import catalog
from app.ingestion.schedule import fire_due
from app.ingestion.secrets import opened
from app.ingestion.tables import sync_jobs, sync_sources, sync_streams, sync_tasks
from app.runs.record import end_run
from app.runs.tables import runs
from tests.app.ingestion.words import (
    ACTIVE,
    CANCEL,
    CLEAR,
    JOB_CREATE,
    JOB_DELETE,
    JOB_UPDATE,
    SOURCE_CREATE,
    START,
    at_once,
    destination,
    job,
    source,
)
from tests.factories import rows
from tests.factories.team import Team

STATE = """mutation($id: ID!, $s: JSON!) { syncStreamStateSet(input: {id: $id, state: $s}) {
  stream { state stateAt } errors { code message } } }"""
RESET = """mutation($id: ID!) { syncStreamStateReset(input: {id: $id}) {
  stream { state stateAt rows } errors { code } } }"""


async def create(team: Team, **values: Any) -> Any:
    """Make a job that must be right."""
    answer = await team.editor(JOB_CREATE, i=job(**values))
    assert answer.only["errors"] == [], answer.text
    return answer.only["job"]


async def count(table: Any, *where: Any) -> int:
    """How many rows there are."""
    async with db.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table).where(*where)))


async def test_a_job_makes_its_ends(team: Team) -> None:
    made = await create(team, frequency="2-hours")
    assert (made["frequency"], made["cron"], made["isActive"]) == ("2-hours", "0 */2 * * *", True)
    assert made["nextFireAt"] and made["streamsConfig"] == rows.CATALOG
    assert made["source"]["type"] == "postgres" and made["destination"]["type"] == "parquet"
    answer = await team.viewer(
        """query($n: Int!) { syncJob(by: {number: $n}) { lastTask { id } lastRunAt streams {
        nodes { namespace name isSelected syncMode destinationTable state } } } }""",
        n=made["number"],
    )
    assert (answer.only["lastTask"], answer.only["lastRunAt"]) == (None, None)
    names = [(s["name"], s["isSelected"]) for s in answer.only["streams"]["nodes"]]
    assert names == [("calls", True), ("ships", True), ("docks", False)]


async def test_a_job_finds_and_changes_the_ends_that_it_names(team: Team) -> None:
    first = await create(team)
    found = {**source(name=first["source"]["name"]), "config": first["source"]["config"]}
    second = await create(
        team, source=found, destination={"number": first["destination"]["number"]}
    )
    assert second["source"] == first["source"]
    assert second["destination"]["number"] == first["destination"]["number"]
    found["config"] = {**found["config"], "host": "other"}
    third = await create(team, source=found)
    assert third["source"]["number"] == first["source"]["number"]
    assert third["source"]["config"]["host"] == "other"
    row = await rows.values_of(sync_sources, first["source"]["number"])
    assert opened(row, "source")["password"] == rows.POSTGRES["password"]


async def test_a_job_that_cannot_be_made_leaves_no_end(team: Team) -> None:
    given = job(destination={"name": "half", "type": "parquet", "connectorVersion": "v0.9.4"})
    answer = await team.editor(JOB_CREATE, i=given)
    assert answer.fault == "CONFIG_INVALID"
    assert await count(sync_sources, sync_sources.c.name == given["source"]["name"]) == 0


async def test_an_end_of_another_type_keeps_its_name(team: Team) -> None:
    first = await create(team)
    other = {**source(name=first["source"]["name"]), "type": "mysql"}
    assert (await team.editor(JOB_CREATE, i=job(source=other))).fault == "NAME_TAKEN"
    missing = await team.editor(JOB_CREATE, i=job(source={"number": 999_999}))
    assert missing.codes == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"frequency": "sometimes"}, "FREQUENCY_INVALID"),
        ({"frequency": "0 0 31 2 *"}, "FREQUENCY_INVALID"),
        ({"frequency": "90-minutes"}, "FREQUENCY_INVALID"),
        ({"streamsConfig": []}, "STREAMS_INVALID"),
        ({"streamsConfig": {"streams": [{"stream": {}}]}}, "STREAMS_INVALID"),
        (
            {"streamsConfig": {"streams": [{"stream": {"name": "a", "sync_mode": "guess"}}]}},
            "STREAMS_INVALID",
        ),
        ({"streamsConfig": {"selected_streams": {"n": [{}]}}}, "STREAMS_INVALID"),
        ({"name": " "}, "NAME_MISSING"),
        ({"name": "x" * 101}, "INVALID"),
        ({"advancedSettings": []}, "INVALID"),
    ],
)
async def test_what_is_wrong_is_named(team: Team, values: dict[str, Any], fault: str) -> None:
    assert (await team.editor(JOB_CREATE, i=job(**values))).fault == fault


async def test_of_twenty_starts_one_runs(team: Team) -> None:
    made = await create(team)
    answers = await at_once(team.editor, START, 20, n=made["number"])
    assert sorted(code for a in answers for code in a.codes) == ["CONFLICT"] * 19
    (started,) = [a.only["task"] for a in answers if not a.codes]
    assert started["jobType"] == "SYNC" and started["status"] == "QUEUED"
    assert [s["name"] for s in started["steps"]] == ["public.calls", "public.ships"]
    assert await count(sync_tasks, sync_tasks.c.job_id == made["number"]) == 1
    reasons = {a.body["errors"][0]["extensions"]["reason"] for a in answers if a.codes}
    assert reasons == {"ACTIVE"}


async def test_the_ledger_itself_refuses_a_second_sync_of_a_job(team: Team) -> None:
    number = await rows.sync_job(team.project)
    await rows.sync_task(number, "running")
    with pytest.raises(Exception, match="uq_runs_sync"):
        await rows.sync_task(number, "queued", "clear")
    await rows.sync_task(number, "succeeded")


async def test_a_key_gives_the_first_task_again(team: Team) -> None:
    made = await create(team)
    first = (await team.editor(START, n=made["number"], k="once")).only["task"]
    assert (await team.editor(START, n=made["number"], k="once")).only["task"] == first
    other = await create(team)
    assert (await team.editor(START, n=other["number"], k="once")).codes == ["CONFLICT"]


async def test_a_paused_job_does_not_start(team: Team) -> None:
    made = await create(team, frequency="* * * * *", isActive=False)
    assert made["nextFireAt"] is None
    answer = await team.editor(START, n=made["number"])
    assert answer.codes == ["CONFLICT"]
    assert answer.body["errors"][0]["message"] == "job is paused, please unpause to run sync"
    assert (await team.editor(CLEAR, n=made["number"])).codes == ["CONFLICT"]
    on = (await team.editor(ACTIVE, n=made["number"], a=True)).only["job"]
    assert on["isActive"] and on["nextFireAt"]
    again = (await team.editor(ACTIVE, n=made["number"], a=True)).only["job"]
    assert again == on
    assert (await team.editor(START, n=made["number"])).only["errors"] == []


async def test_a_job_without_selected_streams_does_not_start(team: Team) -> None:
    made = await create(team, streamsConfig={})
    assert (await team.editor(START, n=made["number"])).fault == "NO_STREAMS"


async def test_a_sync_is_cancelled_and_a_clearing_is_not(team: Team) -> None:
    made = await create(team)
    assert (await team.editor(CANCEL, n=made["number"])).only == {"task": None, "errors": []}
    await team.editor(START, n=made["number"])
    assert (await team.editor(CANCEL, n=made["number"])).only["task"]["status"] == "CANCELLED"
    cleared = (await team.editor(CLEAR, n=made["number"])).only["task"]
    assert cleared["jobType"] == "CLEAR"
    assert (await team.editor(CANCEL, n=made["number"])).codes == ["CONFLICT"]
    assert (await team.editor(START, n=made["number"])).codes == ["CONFLICT"]
    change = {"by": {"number": made["number"]}, "frequency": ""}
    assert (await team.editor(JOB_UPDATE, i=change)).codes == ["CONFLICT"]


async def test_an_update_cancels_the_sync_and_keeps_what_is_left_out(team: Team) -> None:
    made = await create(team, isActive=False)
    await team.editor(ACTIVE, n=made["number"], a=True)
    task = (await team.editor(START, n=made["number"])).only["task"]
    change = {"by": {"number": made["number"]}, "frequency": "5-minutes", "name": "renamed"}
    changed = (await team.editor(JOB_UPDATE, i=change)).only["job"]
    assert (changed["name"], changed["isActive"]) == ("renamed", True)
    assert changed["cron"] == "*/5 * * * *" and changed["nextFireAt"]
    assert changed["streamsConfig"] == rows.CATALOG
    run = await rows.values_of(runs, rows.run_key(task["id"]))
    assert run["status"] == "cancelled"


async def test_a_difference_is_cleared_where_it_was(team: Team) -> None:
    made = await create(team)
    number = made["number"]
    calls = await rows.stream_of(number)
    await rows.change(sync_streams, calls, state={"cursor": 5}, state_at=func.now(), rows=7)
    new = {
        "selected_streams": rows.CATALOG["selected_streams"],
        "streams": [
            {"stream": {**s["stream"], "destination_table": "moved"}}  # type: ignore[index]
            if s["stream"]["name"] == "calls"  # type: ignore[index]
            else s
            for s in rows.CATALOG["streams"]
        ],
    }
    difference = await team.viewer(
        """query($n: Int!, $s: JSON!) {
        syncJobStreamDifference(by: {number: $n}, streamsConfig: $s) }""",
        n=number,
        s=new,
    )
    assert [s["stream"]["name"] for s in difference.only["streams"]] == ["calls"]
    change = {"by": {"number": number}, "streamsConfig": new, "differenceStreams": difference.only}
    assert (await team.editor(JOB_UPDATE, i=change)).only["errors"] == []
    task = await team.viewer(
        "query($n: Int!) { syncJob(by: {number: $n}) { lastTask { id jobType steps { name } } } }",
        n=number,
    )
    last = task.only["lastTask"]
    assert last["jobType"] == "CLEAR" and [s["name"] for s in last["steps"]] == ["public.calls"]
    run = await rows.values_of(runs, rows.run_key(last["id"]))
    (cleared,) = run["params"]["catalog"]["streams"]
    assert cleared["stream"]["destination_table"] == "calls"
    stream = await rows.values_of(sync_streams, calls)
    assert (stream["state"], stream["rows"], stream["destination_table"]) == ({}, 0, "moved")


async def _asked_to_stop(task: UUID) -> None:
    while True:
        if (await rows.values_of(runs, task))["cancel_requested_at"] is not None:
            return
        await asyncio.sleep(0.02)


async def test_a_difference_waits_for_the_running_sync_to_end(team: Team) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number, "running")
    change = {
        "by": {"number": number},
        "streamsConfig": {},
        "differenceStreams": catalog.part(rows.CATALOG, [("public", "calls")]),
    }
    update = asyncio.ensure_future(team.editor(JOB_UPDATE, i=change))
    async with asyncio.timeout(10):
        await _asked_to_stop(task)
    async with db.transaction(SYSTEM) as tx:
        await end_run(tx, task, "cancelled")
    assert (await update).only["errors"] == []
    assert await count(runs, runs.c.subject_id == number, runs.c.kind == "clear") == 1


async def test_a_deleted_job_is_gone_and_its_history_is_for_admins(team: Team) -> None:
    made = await create(team, name="doomed")
    task = (await team.editor(START, n=made["number"])).only["task"]
    assert (await team.editor(JOB_DELETE, n=made["number"])).only["deletedId"] == made["id"]
    assert (await rows.values_of(runs, rows.run_key(task["id"])))["status"] == "cancelled"
    query = "query($id: ID!) { syncTask(by: {id: $id}) { jobNumber job { id } } }"
    assert (await team.viewer(query, id=task["id"])).only is None
    assert (await team.owner(query, id=task["id"])).only == {
        "jobNumber": made["number"],
        "job": None,
    }
    assert (await team.editor(START, n=made["number"])).codes == ["NOT_FOUND"]
    source_jobs = "query($n: Int!) { syncSource(by: {number: $n}) { jobs { id } } }"
    assert (await team.viewer(source_jobs, n=made["source"]["number"])).only["jobs"] == []
    await create(team, name="doomed")


async def test_a_due_job_is_started_once_by_many_and_passed_over_while_it_runs(
    team: Team,
) -> None:
    made = await create(team, frequency="0 0 1 1 *")
    past = func.now() - func.make_interval(0, 0, 0, 0, 0, 1)

    async def look() -> None:
        async with db.transaction(SYSTEM) as tx:
            await fire_due(tx)

    await rows.change(sync_jobs, made["number"], next_fire_at=past)
    await asyncio.gather(*(look() for _ in range(5)))
    mine = sync_tasks.c.job_id == made["number"]
    assert await count(sync_tasks, mine) == 1
    row = await rows.values_of(sync_jobs, made["number"])
    run = await rows.values_of(runs, row["last_run_id"])
    assert run["fire_at"] is not None and row["next_fire_at"] > run["created_at"]
    await rows.change(sync_jobs, made["number"], next_fire_at=past)
    await look()
    assert await count(sync_tasks, mine) == 1
    assert (await rows.values_of(sync_jobs, made["number"]))["next_fire_at"] > run["created_at"]


async def test_a_due_job_that_cannot_start_keeps_no_other_from_it(team: Team) -> None:
    broken = await create(team, frequency="0 0 1 1 *", streamsConfig={})
    right = await create(team, frequency="0 0 1 1 *")
    for made in (broken, right):
        await rows.change(
            sync_jobs, made["number"], next_fire_at=func.now() - func.make_interval(0, 0, 0, 0, 1)
        )
    async with db.transaction(SYSTEM) as tx:
        assert await fire_due(tx) == 2
    assert await count(sync_tasks, sync_tasks.c.job_id == right["number"]) == 1
    assert await count(sync_tasks, sync_tasks.c.job_id == broken["number"]) == 0


async def test_the_state_of_a_stream_is_set_and_reset(team: Team) -> None:
    number = await rows.sync_job(team.project)
    stream = global_id("SyncStream", await rows.stream_of(number))
    kept = (await team.editor(STATE, id=stream, s={"id": 7})).only["stream"]
    assert kept["state"] == {"id": 7} and kept["stateAt"]
    document = await team.viewer(
        "query($n: Int!) { syncJob(by: {number: $n}) { state } }", n=number
    )
    assert document.only["state"] == {
        "type": "STREAM",
        "version": 7,
        "streams": [
            {"stream": "calls", "namespace": "public", "sync_mode": "", "state": {"id": 7}}
        ],
    }
    assert (await team.editor(STATE, id=stream, s=[1])).fault == "INVALID"
    assert (await team.editor(RESET, id=stream)).only["stream"]["state"] == {}
    await rows.sync_task(number, "running")
    assert (await team.editor(STATE, id=stream, s={})).codes == ["CONFLICT"]
    assert (await team.editor(RESET, id=stream)).codes == ["CONFLICT"]


async def test_new_streams_keep_the_states_of_old_ones(team: Team) -> None:
    made = await create(team)
    calls = await rows.stream_of(made["number"])
    await rows.change(sync_streams, calls, state={"id": 7}, state_at=func.now())
    less = catalog.part(rows.CATALOG, [("public", "calls")])
    change = {"by": {"number": made["number"]}, "streamsConfig": less}
    await team.editor(JOB_UPDATE, i=change)
    assert (await rows.values_of(sync_streams, calls))["state"] == {"id": 7}
    assert await count(sync_streams, sync_streams.c.job_id == made["number"]) == 1


async def test_settings_of_a_project(team: Team) -> None:
    update = """mutation($u: String) { projectSettingsUpdate(input: {webhookAlertUrl: $u}) {
      settings { webhookAlertUrl } errors { code path } } }"""
    url = "https://hooks.example.org/canary"
    assert (await team.editor(update, u=url)).only["settings"] == {"webhookAlertUrl": url}
    read = "{ projectSettings { number webhookAlertUrl } }"
    assert (await team.editor(read)).only == {"number": team.project, "webhookAlertUrl": url}
    assert (await team.viewer(read)).only["webhookAlertUrl"] == ""
    assert (await team.editor(update, u="ftp://x")).fault == "INVALID"
    assert (await team.editor(update, u=None)).only["settings"] == {"webhookAlertUrl": ""}


async def test_jobs_are_found_by_their_ends_and_their_newest_task(team: Team) -> None:
    made = await create(team, name="wanted")
    await team.editor(START, n=made["number"])
    query = "query($w: SyncJobFilter) { syncJobs(where: $w) { nodes { name lastRunStatus } } }"
    for where in (
        {"sourceNumber": {"eq": made["source"]["number"]}},
        {"destinationNumber": {"eq": made["destination"]["number"]}},
        {"name": {"eq": "wanted"}, "lastRunStatus": {"eq": "QUEUED"}, "isActive": {"eq": True}},
        {"source": {"name": {"eq": made["source"]["name"]}}},
    ):
        nodes = (await team.viewer(query, w=where)).only["nodes"]
        assert nodes == [{"name": "wanted", "lastRunStatus": "QUEUED"}], where
    assert (await team.viewer(query, w={"sourceNumber": {"eq": 999_999}})).only["nodes"] == []


async def test_a_destination_is_made_beside_a_found_source(team: Team) -> None:
    made = (await team.editor(SOURCE_CREATE, i=source())).only["source"]
    one = await create(team, source={"number": made["number"]}, destination=destination())
    assert one["source"] == made


async def test_a_sync_is_tried_as_often_as_its_source_says(team: Team) -> None:
    for config, attempts in (
        ({}, 3),
        ({"retry_count": 5}, 5),
        ({"retry_count": 0}, 1),
        ({"backoff_retry_count": 2}, 2),
        ({"retry_count": 99}, 10),
        ({"retry_count": "7"}, 3),
    ):
        config = {**rows.POSTGRES, **config}
        source_id = await rows.sync_end("source", team.project, config=config)
        number = await rows.sync_job(team.project, source_id=source_id)
        assert (await team.editor(START, n=number)).only["errors"] == []
        run = await rows.values_of(sync_jobs, number)
        assert (await rows.values_of(runs, run["last_run_id"]))["max_attempts"] == attempts
