"""Many runs at once, deletion of runs, single variables, and lists by what is counted."""

import asyncio
from typing import Any

from sqlalchemy import text

from app.core import db
from app.core.rules import SYSTEM
from app.runs.tables import runs
from tests.factories import rows
from tests.factories.team import Team

CANCEL = """mutation($i: PipelineRunsCancelInput!) { pipelineRunsCancel(input: $i) {
  count pipeline { uuid } errors { message code } } }"""
REPEAT = """mutation($i: PipelineRunsRepeatInput!) { pipelineRunsRepeat(input: $i) {
  count errors { message code } } }"""
DELETE = """mutation($n: Int!) { pipelineRunDelete(input: {by: {number: $n}}) {
  deletedId run { number status steps { name } } errors { message code } } }"""
SET = """mutation($i: PipelineVariableSetInput!) { pipelineVariableSet(input: $i) {
  pipeline { variables version } errors { message code path } } }"""
LIST = """query($p: ID!, $o: [PipelineOrder!], $a: String) { pipelines(projectId: $p, orderBy: $o,
  first: 2, after: $a) { nodes { uuid } pageInfo { endCursor hasNextPage } } }"""
MANY = """WITH made AS (
  INSERT INTO runs (project_id, kind, subject_id, status, available_at)
  SELECT :project, 'pipeline', :pipeline, 'queued', now() + interval '1 day'
  FROM generate_series(1, 1001) RETURNING id)
INSERT INTO pipeline_runs (run_id, project_id, pipeline_id, pipeline_uuid)
SELECT id, :project, :pipeline, 'crowded' FROM made"""


async def test_ended_runs_stay_and_the_count_is_of_those_that_went_on(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "mixed")
    kept = await rows.run(pipeline, status="succeeded", steps={"a": "succeeded"})
    await rows.run(pipeline, steps={"a": "pending"})
    answer = (await team.editor(CANCEL, i={"pipeline": {"uuid": "mixed"}})).only
    assert (answer["count"], answer["pipeline"]) == (1, {"uuid": "mixed"})
    assert (await rows.values_of(runs, kept.id))["status"] == "succeeded"
    again = (await team.editor(CANCEL, i={"pipeline": {"uuid": "mixed"}})).only
    assert again["count"] == 0


async def test_too_many_runs_are_refused_and_none_is_changed(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "crowded")
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text(MANY), {"project": team.project, "pipeline": pipeline})
    answer = await team.editor(CANCEL, i={"pipeline": {"uuid": "crowded"}})
    assert answer.fault == "INVALID"
    async with db.reading() as connection:
        changed = await connection.scalar(
            text("SELECT count(*) FROM runs WHERE subject_id = :p AND status <> 'queued'"),
            {"p": pipeline},
        )
    assert changed == 0


async def test_run_of_another_pipeline_is_not_repeated(team: Team) -> None:
    await rows.pipeline(team.project, "mine")
    other = await rows.run(await rows.pipeline(team.project, "other"), status="failed")
    wanted = {"pipeline": {"uuid": "mine"}, "runs": [{"number": other.number}]}
    assert (await team.editor(REPEAT, i=wanted)).fault == "INVALID"


async def test_deletion_shows_the_run_as_it_was_and_happens_once(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "brief")
    run = await rows.run(pipeline, steps={"a": "pending"}, log=["a line"])
    answers = await asyncio.gather(*(team.editor(DELETE, n=run.number) for _ in range(3)))
    done = [a for a in answers if "errors" not in a.body]
    assert [a.codes for a in answers if "errors" in a.body] == [["NOT_FOUND"]] * 2
    shown = done[0].only["run"]
    assert (done[0].only["deletedId"], shown["number"]) == (run.global_id, run.number)


async def test_variables_set_at_the_same_time_are_all_kept(team: Team) -> None:
    await rows.pipeline(team.project, "shared", variables={"kept": True})

    async def set_one(name: str, value: Any) -> Any:
        made = {"pipeline": {"uuid": "shared"}, "name": name, "value": value}
        return (await team.editor(SET, i=made)).only

    await asyncio.gather(*(set_one(f"v{i}", [i]) for i in range(4)))
    last = await set_one("v0", None)
    expected = {"kept": True, "v0": None, "v1": [1], "v2": [2], "v3": [3]}
    assert last["pipeline"]["variables"] == expected
    (error,) = (await set_one("big", "x" * 300_000))["errors"]
    assert "larger than" in error["message"]
    (error,) = (await set_one("", 1))["errors"]
    assert (error["code"], error["path"]) == ("NAME_MISSING", ["name"])


async def test_pipelines_page_by_what_is_counted(team: Team) -> None:
    for name, size, status in (("p0", 0, None), ("p1", 1, "inactive"), ("p2", 2, "active")):
        pipeline = await rows.pipeline(team.project, f"counted {name}")
        for i in range(size):
            await rows.block(pipeline, f"b{i}")
            await rows.trigger(pipeline, status=status)

    async def walk(field: str) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            order = [{"field": field, "direction": "DESC"}]
            page = (await team.viewer(LIST, p=team.project_id, o=order, a=cursor)).only
            found += [node["uuid"] for node in page["nodes"]]
            cursor = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return [uuid[-2:] for uuid in found if uuid.startswith("counted")]

    assert await walk("BLOCK_COUNT") == ["p2", "p1", "p0"]
    assert await walk("TRIGGER_COUNT") == ["p2", "p1", "p0"]
    assert await walk("STATUS") == ["p0", "p1", "p2"]
