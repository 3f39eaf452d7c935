"""Backfills through the graph: slots, starting, the state that their runs make, cancelling."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.core import db
from app.core.ids import global_id
from app.core.rules import SYSTEM
from app.pipelines.backfills.slots import MAX_RUNS
from app.pipelines.tables import pipeline_runs
from app.runs import fenced
from app.runs.claim import Claim, claim
from app.runs.tables import runs
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Answer

FIELDS = """id number name status blockUuid intervalType intervalUnits startAt endAt variables
  settings slots totalRunCount queuedRunCount runningRunCount succeededRunCount failedRunCount
  cancelledRunCount startedAt finishedAt version createdBy { username }
  pipeline { uuid } trigger { number name status interval } """
CREATE = f"""mutation($i: BackfillCreateInput!) {{ backfillCreate(input: $i) {{
  backfill {{ {FIELDS} }} errors {{ message code path }} }} }}"""
UPDATE = f"""mutation($i: BackfillUpdateInput!) {{ backfillUpdate(input: $i) {{
  backfill {{ {FIELDS} }} errors {{ message code path }} }} }}"""
DELETE = """mutation($n: Int!) { backfillDelete(input: {by: {number: $n}}) {
  deletedId backfill { name } errors { message } } }"""
READ = f"""query($n: Int!) {{ backfill(by: {{number: $n}}) {{ {FIELDS}
  runs(first: 100) {{ totalCount nodes {{ status executionDate variables backfillNumber
    triggerNumber steps {{ name }} }} }} }} }}"""
FOUR_DAYS = {
    "intervalType": "DAY",
    "intervalUnits": 1,
    "startAt": "2026-03-01T00:00:00Z",
    "endAt": "2026-03-04T00:00:00Z",
}


@pytest.fixture(scope="module")
async def pipeline(team: Team) -> str:
    """Uuid of a pipeline with one block."""
    made = await rows.pipeline(team.project, "filled")
    await rows.block(made, "a")
    return "filled"


async def create(team: Team, pipeline: str, **values: object) -> Answer:
    """Make a backfill of four days, unless something else is said."""
    return await team.editor(CREATE, i={"pipeline": {"uuid": pipeline}, **FOUR_DAYS, **values})


async def made(team: Team, pipeline: str, **values: object) -> int:
    """Its number."""
    return int((await create(team, pipeline, **values)).only["backfill"]["number"])


async def change(team: Team, number: int, **values: object) -> Answer:
    """Change, start or cancel it."""
    return await team.editor(UPDATE, i={"by": {"number": number}, **values})


async def read(team: Team, number: int) -> dict[str, Any]:
    """As a viewer sees it."""
    found: dict[str, Any] = (await team.viewer(READ, n=number)).only
    return found


async def mine(number: int) -> list[dict[str, Any]]:
    """Its runs' rows, of the oldest slot first."""
    statement = (
        select(runs, pipeline_runs.c.execution_date)
        .join(pipeline_runs, pipeline_runs.c.run_id == runs.c.id)
        .where(pipeline_runs.c.backfill_id == number)
        .order_by(pipeline_runs.c.execution_date)
    )
    async with db.reading() as connection:
        return [dict(row) for row in (await connection.execute(statement)).mappings()]


async def take() -> Claim | None:
    """What a worker would take."""
    return await claim("w", lease_s=60, kinds=["pipeline"], project_limit=99)


async def end(run_id: UUID, status: str, fence: int = 1) -> None:
    """End a run that was taken."""
    async with db.transaction(SYSTEM) as tx:
        await fenced.finish(tx, run_id, fence, status)  # type: ignore[arg-type]


async def end_all(number: int, *statuses: str) -> None:
    """End its runs behind the ledger's back."""
    for row, status in zip(await mine(number), statuses, strict=True):
        await rows.change(runs, row["id"], status=status, finished_at=row["created_at"])


@pytest.fixture(autouse=True)
async def _nothing_is_due(team: Team) -> None:
    """Runs of other tests are no hindrance."""
    async with db.engine().begin() as connection:
        await connection.execute(
            update(runs).where(runs.c.status.in_(("queued", "running"))).values(status="cancelled")
        )


async def test_a_new_backfill_has_slots_and_no_runs(team: Team, pipeline: str) -> None:
    given = {"name": "spring", "variables": {"x": 1}, "settings": {"run_limit": 2}}
    found = (await create(team, pipeline, **given)).only["backfill"]
    assert {name: found[name] for name in given} == given
    assert (found["status"], found["startedAt"], found["trigger"]) == (None, None, None)
    assert found["slots"] == [f"2026-03-0{day}T00:00:00.000000Z" for day in (1, 2, 3, 4)]
    assert (found["totalRunCount"], found["queuedRunCount"]) == (4, 0)
    assert found["pipeline"] == {"uuid": pipeline}
    assert found["createdBy"]["username"].startswith("editor")
    assert await mine(found["number"]) == []


@pytest.mark.parametrize(
    ("interval", "units", "start", "end", "slots"),
    [
        ("MINUTE", 20, "2026-03-01T00:10Z", "2026-03-01T01:00Z", ["00:10", "00:30", "00:50"]),
        ("HOUR", 12, "2026-03-01T00:00Z", "2026-03-01T23:59Z", ["00:00", "12:00"]),
        ("WEEK", 1, "2026-03-02T00:00Z", "2026-03-16T00:00Z", ["03-02", "03-09", "03-16"]),
        ("MONTH", 1, "2026-01-01T00:00Z", "2026-03-31T00:00Z", ["01-01", "02-01", "03-01"]),
        ("YEAR", 2, "2024-02-01T00:00Z", "2028-02-01T00:00Z", ["2024-", "2026-", "2028-"]),
        ("CUSTOM", 90, "2026-03-01T00:00Z", "2026-03-01T00:03Z", ["00:00:00", "00:01:30", "00:03"]),
        ("DAY", 1, "2026-03-01T06:00Z", "2026-03-01T06:00Z", ["06:00"]),
        # Days are UTC's: an hour is lost or won in no time zone.
        ("DAY", 1, "2026-03-28T00:00+01:00", "2026-03-30T00:00+02:00", ["27T23", "28T23"]),
    ],
)
async def test_slots_are_cut_from_start_to_end_both_included(
    team: Team, pipeline: str, interval: str, units: int, start: str, end: str, slots: list[str]
) -> None:
    values = {"intervalType": interval, "intervalUnits": units}
    period = {"startAt": start.replace("Z", ":00Z"), "endAt": end.replace("Z", ":00Z")}
    period = {k: v if v.endswith("Z") else f"{v[:16]}:00{v[16:]}" for k, v in period.items()}
    found = (await create(team, pipeline, **values, **period)).only["backfill"]
    assert found["totalRunCount"] == len(slots) == len(found["slots"])
    assert all(part in slot for part, slot in zip(slots, found["slots"], strict=True))


async def test_starting_makes_one_run_for_each_slot(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline, name="spring", variables={"x": 1})
    started = (await change(team, number, status="INITIAL")).only["backfill"]
    assert (started["status"], started["queuedRunCount"]) == ("INITIAL", 4)
    assert started["startedAt"] is not None and started["finishedAt"] is None
    trigger = started["trigger"]
    assert (trigger["name"], trigger["status"]) == ("Backfill spring", "INACTIVE")
    listed = (await read(team, number))["runs"]
    assert listed["totalCount"] == 4
    first, *_, last = listed["nodes"]
    assert [run["executionDate"] for run in listed["nodes"]] == started["slots"]
    assert first["steps"] == [{"name": "a"}]
    assert (first["backfillNumber"], first["triggerNumber"]) == (number, trigger["number"])
    assert first["variables"]["x"] == 1
    assert first["variables"]["interval_start_datetime"] == "2026-03-01T00:00:00+00:00"
    assert first["variables"]["interval_end_datetime"] == "2026-03-02T00:00:00+00:00"
    assert first["variables"]["interval_seconds"] == 86400
    assert last["variables"]["interval_end_datetime"] is None


async def test_starting_twice_makes_no_second_runs(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    for _ in range(2):
        assert (await change(team, number, status="INITIAL")).only["errors"] == []
    assert len(await mine(number)) == 4


async def test_at_most_four_go_on_at_once_unless_told(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline, endAt="2026-03-09T00:00:00Z")
    await change(team, number, status="INITIAL")
    taken = [await take() for _ in range(5)]
    assert [t is not None for t in taken] == [True] * 4 + [False]
    dates = {row["id"]: row["execution_date"].day for row in await mine(number)}
    assert [dates[t.run_id] for t in taken if t] == [1, 2, 3, 4]
    await change(team, number, settings={"run_limit": 5})
    assert await take() is not None and await take() is None
    found = await read(team, number)
    assert (found["status"], found["runningRunCount"], found["queuedRunCount"]) == (
        "RUNNING",
        5,
        4,
    )


async def test_its_runs_wait_for_the_pipelines_limit_and_are_never_left_out(team: Team) -> None:
    config = {"pipeline_run_limit_all_triggers": 1, "on_pipeline_run_limit_reached": "skip"}
    await rows.pipeline(team.project, "narrow", concurrency_config=config)
    number = await made(team, "narrow")
    await change(team, number, status="INITIAL")
    assert {row["status"] for row in await mine(number)} == {"queued"}
    assert await take() is not None and await take() is None


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("queued",) * 4, "INITIAL"),
        (("succeeded", "queued", "queued", "queued"), "RUNNING"),
        (("failed", "running", "succeeded", "succeeded"), "RUNNING"),
        (("succeeded",) * 4, "COMPLETED"),
        (("succeeded", "failed", "succeeded", "cancelled"), "FAILED"),
        (("succeeded", "cancelled", "succeeded", "succeeded"), "CANCELLED"),
    ],
)
async def test_its_status_is_what_its_runs_make_of_it(
    team: Team, pipeline: str, statuses: tuple[str, ...], expected: str
) -> None:
    number = await made(team, pipeline)
    await change(team, number, status="INITIAL")
    await end_all(number, *statuses)
    found = await read(team, number)
    assert found["status"] == expected
    ended = not {"queued", "running"} & set(statuses)
    assert (found["finishedAt"] is not None) is ended
    assert found["failedRunCount"] == statuses.count("failed")
    assert found["succeededRunCount"] == statuses.count("succeeded")
    query = """query($s: BackfillStatus!, $n: Int!) { backfills(
      where: {status: {eq: $s}, number: {eq: $n}}) { totalCount } }"""
    assert (await team.viewer(query, s=expected, n=number)).only["totalCount"] == 1


async def test_cancelling_ends_what_waits_and_asks_what_runs(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    await change(team, number, status="INITIAL")
    taken = await take()
    assert taken is not None
    cancelled = (await change(team, number, status="CANCELLED")).only["backfill"]
    assert (cancelled["status"], cancelled["cancelledRunCount"]) == ("CANCELLED", 3)
    (running,) = [row for row in await mine(number) if row["status"] == "running"]
    assert running["id"] == taken.run_id and running["cancel_requested_at"] is not None


async def test_starting_again_repeats_what_did_not_succeed(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    await change(team, number, status="INITIAL")
    before = [row["id"] for row in await mine(number)]
    await end_all(number, "succeeded", "failed", "cancelled", "succeeded")
    again = (await change(team, number, status="INITIAL")).only["backfill"]
    assert again["status"] == "RUNNING"
    after = await mine(number)
    assert [row["id"] for row in after] == before
    assert [row["status"] for row in after] == ["succeeded", "queued", "queued", "succeeded"]
    await change(team, number, status="CANCELLED")
    again = (await change(team, number, status="INITIAL")).only["backfill"]
    assert (again["status"], again["queuedRunCount"]) == ("RUNNING", 2)
    await end_all(number, *["succeeded"] * 4)
    assert (await change(team, number, status="INITIAL")).fault == "INVALID"
    assert (await change(team, number, status="CANCELLED")).only["backfill"]["status"] == (
        "COMPLETED"
    )


@pytest.mark.parametrize(
    "missing",
    [
        {"intervalType": None},
        {"intervalUnits": None},
        {"startAt": None},
        {"endAt": None},
        {"endAt": "2026-02-01T00:00:00Z"},
        {"blockUuid": "a"},
    ],
    ids=str,
)
async def test_an_incomplete_backfill_is_kept_and_not_started(
    team: Team, pipeline: str, missing: dict[str, object]
) -> None:
    number = await made(team, pipeline, **missing)
    assert (await change(team, number, status="INITIAL")).fault == "INVALID"
    found = await read(team, number)
    assert (found["status"], found["runs"]["totalCount"], found["trigger"]) == (None, 0, None)


@pytest.mark.parametrize(
    "bad",
    [
        {"intervalUnits": 0},
        {"intervalUnits": -1},
        {"intervalUnits": 2**31 - 1, "intervalType": "YEAR"},
        {"intervalUnits": 2**31 - 1, "intervalType": "WEEK"},
        {"variables": [1]},
        {"settings": {"run_limit": 0}},
        {"settings": "fast"},
        {"name": " "},
        {"intervalType": "MINUTE"},
        {"intervalType": "CUSTOM", "endAt": "8999-12-31T00:00:00Z"},
    ],
    ids=str,
)
async def test_values_of_no_use_are_refused(
    team: Team, pipeline: str, bad: dict[str, object]
) -> None:
    assert (await create(team, pipeline, **bad)).fault in ("INVALID", "NAME_MISSING")
    number = await made(team, pipeline)
    assert (await change(team, number, **bad)).fault in ("INVALID", "NAME_MISSING")


@pytest.mark.parametrize("interval", ["MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR", "CUSTOM"])
async def test_the_longest_step_leads_to_the_end_and_no_error(
    team: Team, pipeline: str, interval: str
) -> None:
    units = 2**31 - 1 if interval == "CUSTOM" else 100_000
    ends = {"startAt": "1900-01-01T00:00:00Z", "endAt": "8999-12-31T00:00:00Z"}
    few = {"intervalUnits": units, "intervalType": interval, **ends}
    if interval in ("MINUTE", "HOUR"):
        few["endAt"] = "1910-01-01T00:00:00Z"
    found = (await create(team, pipeline, **few)).only["backfill"]
    assert 1 <= found["totalRunCount"] == len(found["slots"]) <= 1000


async def test_only_starting_and_cancelling_are_asked_for(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    for status in ("RUNNING", "COMPLETED", "FAILED"):
        assert (await change(team, number, status=status)).fault == "INVALID"
    assert (await change(team, number, status="CANCELLED")).fault == "INVALID"


async def test_a_started_backfill_keeps_its_slots(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    await change(team, number, status="INITIAL")
    assert (await change(team, number, endAt="2026-03-09T00:00:00Z")).fault == "INVALID"
    assert (await change(team, number, variables={"new": 1})).fault == "INVALID"
    same = await change(team, number, **FOUR_DAYS, name="renamed")
    assert same.only["backfill"]["name"] == "renamed"


async def test_a_thousand_runs_are_made_and_no_more(team: Team, pipeline: str) -> None:
    minutes = {"intervalType": "MINUTE", "startAt": "2026-03-01T00:00:00Z"}
    too_many = await create(team, pipeline, **minutes, endAt="2026-03-01T16:40:00Z")
    assert too_many.fault == "INVALID" and str(MAX_RUNS) in too_many.only["errors"][0]["message"]
    number = await made(team, pipeline, **minutes, endAt="2026-03-01T16:39:00Z")
    started = (await change(team, number, status="INITIAL")).only["backfill"]
    assert (started["queuedRunCount"], len(started["slots"])) == (1000, 1000)
    cancelled = (await change(team, number, status="CANCELLED")).only["backfill"]
    assert (cancelled["status"], cancelled["cancelledRunCount"]) == ("CANCELLED", 1000)


async def test_a_deleted_backfill_leaves_its_runs_readable(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline, name="gone")
    await change(team, number, status="INITIAL")
    first = await take()
    assert first is not None
    await end(first.run_id, "succeeded")
    gone = (await team.editor(DELETE, n=number)).only
    assert gone["backfill"] == {"name": "gone"}
    assert gone["deletedId"] == global_id("Backfill", number)
    assert (await team.editor(DELETE, n=number)).codes == ["NOT_FOUND"]
    listed = """query($n: Int!) { pipelineRuns(where: {backfillNumber: {eq: $n}}) {
      nodes { status trigger { id } } } }"""
    nodes = (await team.viewer(listed, n=number)).only["nodes"]
    assert [node["trigger"] for node in nodes] == [None] * 4
    assert sorted(node["status"] for node in nodes) == ["CANCELLED"] * 3 + ["SUCCEEDED"]


async def test_a_viewer_changes_nothing(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    by = {"by": {"number": number}, "status": "INITIAL"}
    assert (await team.viewer(UPDATE, i=by)).codes == ["FORBIDDEN"]
    assert (await team.viewer(DELETE, n=number)).codes == ["FORBIDDEN"]
    assert (await team.viewer(CREATE, i={"pipeline": {"uuid": pipeline}})).codes == ["FORBIDDEN"]


async def test_a_stale_version_is_a_conflict(team: Team, pipeline: str) -> None:
    number = await made(team, pipeline)
    assert (await change(team, number, name="x", expectedVersion=1)).only["errors"] == []
    assert (await change(team, number, name="y", expectedVersion=1)).codes == ["CONFLICT"]
