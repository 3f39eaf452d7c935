"""Pages of lists: nothing is lost or repeated; cursors, bounds, counts and statements."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx2
import orjson
import pytest
from sqlalchemy import event
from starlette.applications import Starlette

from app.core import db
from app.core.ids import global_id
from tests.factories import rows
from tests.factories.team import Team, make_team
from tests.graphql.caller import Caller

DAY = datetime(2030, 1, 1, tzinfo=UTC)
RUNS = 23
PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
LIST = f"""query($p: ID, $o: [PipelineRunOrder!], $f: Int, $a: String, $l: Int, $b: String, $s: Int) {{
  pipelineRuns(projectId: $p, orderBy: $o, first: $f, after: $a, last: $l, before: $b, offset: $s) {{
    nodes {{ number }} {PAGE_INFO} }} }}"""
NESTED = f"""query($o: [PipelineRunOrder!], $f: Int, $a: String, $l: Int, $b: String, $s: Int) {{
  pipeline(by: {{uuid: "listed"}}) {{
    runs(orderBy: $o, first: $f, after: $a, last: $l, before: $b, offset: $s) {{
      nodes {{ number }} {PAGE_INFO} }} }} }}"""


async def add_run(pipeline: int, number: int) -> rows.PipelineRun:
    """A run that shares its times and status with others, or has none."""
    return await rows.run(
        pipeline,
        status=("queued", "running", "failed")[number % 3],
        started_at=None if number % 4 == 0 else DAY + timedelta(hours=number % 3),
        finished_at=None if number % 2 else DAY,
        created_at=DAY,
    )


@pytest.fixture(scope="module")
async def team(app: Starlette, client: httpx2.AsyncClient) -> Team:
    """A project with the pipeline `listed` and its runs."""
    made = await make_team(client)
    pipeline = await rows.pipeline(made.project, "listed")
    for number in range(RUNS):
        await add_run(pipeline, number)
    return made


async def page(caller: Caller, document: str = LIST, **asked: object) -> Any:
    """One page's numbers and its information."""
    value = (await caller(document, asked)).only
    found = value.get("runs", value)
    return [node["number"] for node in found["nodes"]], found["pageInfo"]


async def walk(
    caller: Caller, order: list[dict[str, str]], size: int, *, backwards: bool, document: str = LIST
) -> list[int]:
    """All rows, a page at a time."""
    found: list[int] = []
    cursor = None
    for _ in range(200):
        asked: dict[str, object] = {"o": order}
        asked |= {"l": size, "b": cursor} if backwards else {"f": size, "a": cursor}
        numbers, info = await page(caller, document, **asked)
        assert info["hasPreviousPage" if not backwards else "hasNextPage"] is (cursor is not None)
        found = numbers + found if backwards else found + numbers
        if not info["hasPreviousPage" if backwards else "hasNextPage"]:
            return found
        cursor = info["startCursor" if backwards else "endCursor"]
    raise AssertionError("the list does not end")


FIELDS = ("NUMBER", "EXECUTION_DATE", "CREATED_AT", "STARTED_AT", "FINISHED_AT", "STATUS")


@pytest.mark.parametrize("field", FIELDS)
async def test_pages_hold_every_row_once_in_every_order_and_direction(
    team: Team, field: str
) -> None:
    for direction, nulls in product(("ASC", "DESC"), ("FIRST", "LAST")):
        order = [{"field": field, "direction": direction, "nulls": nulls}]
        whole, _ = await page(team.viewer, o=order, f=100)
        assert len(whole) == len(set(whole)) == RUNS
        assert await walk(team.viewer, order, 9, backwards=False) == whole
        assert await walk(team.viewer, order, 9, backwards=True) == whole


@pytest.mark.parametrize("size", [1, 5, 23, 24])
async def test_pages_of_any_size_over_several_keys(team: Team, size: int) -> None:
    order = [
        {"field": "STARTED_AT", "direction": "DESC", "nulls": "FIRST"},
        {"field": "FINISHED_AT", "direction": "ASC"},
        {"field": "STATUS", "direction": "DESC"},
    ]
    whole, _ = await page(team.viewer, o=order, f=100)
    for backwards, document in product((False, True), (LIST, NESTED)):
        found = await walk(team.viewer, order, size, backwards=backwards, document=document)
        assert found == whole


async def test_nulls_stand_where_they_are_asked_to(team: Team) -> None:
    document = """query($o: [PipelineRunOrder!]) { pipelineRuns(first: 100, orderBy: $o) {
      nodes { startedAt } } }"""
    for direction, nulls in product(("ASC", "DESC"), ("FIRST", "LAST", None)):
        order = [{"field": "STARTED_AT", "direction": direction, "nulls": nulls}]
        found = [n["startedAt"] for n in (await team.viewer(document, o=order)).only["nodes"]]
        times = [time for time in found if time]
        assert times == sorted(times, reverse=direction == "DESC")
        edge = found[: found.count(None)] if nulls == "FIRST" else found[-found.count(None) :]
        assert set(edge) == {None}


@pytest.mark.parametrize("backwards", [False, True])
async def test_rows_that_come_meanwhile_neither_hide_nor_repeat_others(
    client: httpx2.AsyncClient, app: Starlette, backwards: bool
) -> None:
    team = await make_team(client)
    pipeline = await rows.pipeline(team.project, "growing")
    for number in range(12):
        await add_run(pipeline, number)
    order = [{"field": "STARTED_AT", "direction": "DESC", "nulls": "FIRST"}]
    before, _ = await page(team.viewer, o=order, f=100)
    found: list[int] = []
    cursor, more, number = None, True, 12
    while more:
        asked = {"l": 3, "b": cursor} if backwards else {"f": 3, "a": cursor}
        numbers, info = await page(team.viewer, o=order, **asked)
        found += numbers
        cursor = info["startCursor" if backwards else "endCursor"]
        more = info["hasPreviousPage" if backwards else "hasNextPage"]
        if number < 24:
            for _ in range(2):
                await add_run(pipeline, number)
                number += 1
    assert len(found) == len(set(found))
    assert set(before) <= set(found)


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        ({"f": 1}, True),
        ({"f": 100}, True),
        ({"l": 100}, True),
        ({"f": 0}, False),
        ({"f": 101}, False),
        ({"f": -1}, False),
        ({"l": 0}, False),
        ({"l": 101}, False),
        ({"f": 2, "l": 2}, False),
        ({"s": 0}, True),
        ({"s": 10_000_000}, True),
        ({"s": 10_000_001}, False),
        ({"s": -1}, False),
        ({"s": 1, "l": 1}, False),
        ({"o": []}, True),
        ({"o": [{"field": "STATUS", "direction": "ASC"}] * 5}, True),
        ({"o": [{"field": "STATUS", "direction": "ASC"}] * 6}, False),
    ],
    ids=str,
)
async def test_bounds_are_refused_and_not_bent(
    team: Team, asked: dict[str, object], right: bool
) -> None:
    for document in (LIST, NESTED):
        answer = await team.viewer(document, asked)
        assert answer.codes == ([] if right else ["BAD_USER_INPUT"]), answer.body


async def test_twenty_rows_are_the_default(team: Team) -> None:
    numbers, info = await page(team.viewer)
    assert len(numbers) == 20 and info["hasNextPage"] and not info["hasPreviousPage"]


async def test_an_offset_passes_rows_over(team: Team) -> None:
    whole, _ = await page(team.viewer, f=100)
    for offset in (0, 1, 7, RUNS - 1, RUNS, 1000):
        numbers, info = await page(team.viewer, f=5, s=offset)
        assert numbers == whole[offset : offset + 5]
        assert info["hasPreviousPage"] is (offset > 0)
        assert info["hasNextPage"] is (offset + 5 < RUNS)


async def test_a_page_between_two_cursors(team: Team) -> None:
    whole, _ = await page(team.viewer, f=100)
    query = "{ pipelineRuns(first: 100) { edges { cursor } } }"
    edges = (await team.viewer(query)).only["edges"]
    numbers, _ = await page(team.viewer, f=100, a=edges[3]["cursor"], b=edges[9]["cursor"])
    assert numbers == whole[4:9]


async def test_an_empty_list_has_no_cursors(client: httpx2.AsyncClient, app: Starlette) -> None:
    nobody = await make_team(client)
    numbers, info = await page(nobody.viewer)
    assert numbers == []
    assert info == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_the_cursor_of_another_list_is_refused(team: Team) -> None:
    document = """query($a: String!) {
      runs(after: $a) { nodes { id } } }"""
    _, info = await page(team.viewer, f=1)
    cursor = info["endCursor"]
    by_status = [{"field": "STATUS", "direction": "ASC"}]
    foreign = [
        await team.viewer(document, a=cursor),
        await team.viewer(LIST, a=cursor, o=by_status),
        await team.viewer(LIST, a=cursor, p=team.project_id),
        await team.viewer(
            "query($a: String) { pipelineRuns(after: $a, where: {number: {gte: 0}}) "
            "{ nodes { id } } }",
            a=cursor,
        ),
        await team.viewer(NESTED, a=cursor, o=by_status),
    ]
    assert [answer.codes for answer in foreign] == [["BAD_USER_INPUT"]] * len(foreign)


def _forged(cursor: str, *values: object) -> str:
    mark = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]
    return base64.urlsafe_b64encode(orjson.dumps([mark, *values])).decode().rstrip("=")


async def test_a_cursor_of_no_sense_is_bad_input(team: Team) -> None:
    order = [{"field": "STATUS", "direction": "ASC"}, {"field": "STARTED_AT", "direction": "ASC"}]
    by_number = [*order, {"field": "NUMBER", "direction": "ASC"}]
    status, time, run = (
        "queued",
        "2030-01-01T00:00:00+00:00",
        "0" * 8 + "-0000-7000-8000-" + "0" * 12,
    )
    wrong = {
        "by run": [
            ("nul \0", time, run),
            (5, time, run),
            (status, "2030-01-01T00:00:00", run),
            (status, "yesterday", run),
            (status, "0001-01-01T00:00:00+14:00", run),
            (status, 5, run),
            (status, time, "no uuid"),
            (status, time, 7),
            ({}, [], []),
            (status,),
            (status, time, run, 1),
        ],
        "by number": [
            (status, time, 2**63),
            (status, time, True),
            (status, time, 1.5),
            (status, time, "1"),
            (status, time, {}),
            (status, time, 1, run),
        ],
    }
    for last, keys, which in ((run, order, "by run"), (1, by_number, "by number")):
        _, info = await page(team.viewer, f=1, o=keys)
        good = info["endCursor"]
        assert (await team.viewer(LIST, a=_forged(good, status, time, last), o=keys)).codes == []
        for values in wrong[which]:
            answer = await team.viewer(LIST, a=_forged(good, *values), o=keys)
            assert answer.codes == ["BAD_USER_INPUT"], values
    garbage = [
        "",
        "x",
        "é",
        "====",
        "bnVsbA",
        "W10",
        "e30",
        "Ww",
        "A" * 5000,
        good[:-3],
        " " + good,
    ]
    for cursor in garbage:
        answer = await team.viewer(LIST, a=cursor, o=by_number)
        assert answer.codes == ["BAD_USER_INPUT"], (cursor, answer.body)


@pytest.fixture
def uncompiled(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are answered by resolvers alone, whose statements the test counts."""
    endpoint = app.endpoint
    monkeypatch.setattr(endpoint, "settings", replace(endpoint.settings, compile=False))


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements that run inside, but for the one that identifies the caller."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if "c.token_hash" not in statement:
            seen.append(statement)

    engine = db.engine().sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


COUNT = re.compile(r"count\(|sum\(pipeline_run_tallies")


@pytest.mark.usefixtures("uncompiled")
async def test_rows_are_counted_only_when_the_count_is_asked_for(team: Team) -> None:
    with statements() as seen:
        await team.viewer("{ pipelineRuns { nodes { number } pageInfo { hasNextPage } } }")
    assert len(seen) == 1 and not COUNT.search(seen[0])
    with statements() as seen:
        counted = await team.viewer("{ pipelineRuns { totalCount } }")
    assert len(seen) == 1 and COUNT.search(seen[0])
    assert counted.only == {"totalCount": RUNS}
    with statements() as seen:
        await team.viewer("{ pipelines(first: 3) { totalCount nodes { number } } }")
    assert len(seen) == 2


@pytest.mark.usefixtures("uncompiled")
async def test_only_the_columns_that_are_asked_for_are_selected(team: Team) -> None:
    with statements() as seen:
        await team.viewer("{ pipelineRuns { nodes { number } } }")
    assert "variables" not in seen[0] and "error" not in seen[0]


DEEP = """query($n: Int!) {
  pipelines(first: $n, where: {uuid: {startsWith: "many"}}) { totalCount nodes {
    uuid project { uuid memberships { user { username } role { name } } } createdBy { username }
    blocks { uuid upstreamBlocks downstreamBlocks pipeline { uuid } }
    triggers { name runCount pipeline { uuid } }
    runs(first: 3) { totalCount nodes { number stepCount createdBy { username }
      steps { name outputs { name } } trigger { name } pipeline { uuid }
      logs(first: 2) { totalCount nodes { message } } events(last: 2) { nodes { kind } } } } } } }"""


@pytest.mark.usefixtures("uncompiled")
async def test_statements_are_as_many_for_fifty_rows_as_for_one(
    client: httpx2.AsyncClient, app: Starlette
) -> None:
    team = await make_team(client)
    user = await rows.user()
    for number in range(50):
        pipeline = await rows.pipeline(team.project, f"many {number}", created_by=user)
        await rows.block(pipeline, "a")
        trigger = await rows.trigger(pipeline)
        await rows.run(pipeline, trigger_id=trigger["id"], steps={"a": "pending"}, log=["x"])
    with statements() as for_one:
        assert len((await team.viewer(DEEP, n=1)).only["nodes"]) == 1
    with statements() as for_fifty:
        assert len((await team.viewer(DEEP, n=50)).only["nodes"]) == 50
    assert len(for_fifty) == len(for_one) > 1


@pytest.mark.usefixtures("uncompiled")
async def test_nodes_of_one_type_are_one_statement_and_keep_their_order(team: Team) -> None:
    users = [await rows.user() for _ in range(3)]
    for user in users:
        await rows.member(team.project, user, "viewer")
    ids = [global_id("User", user) for user in (users[2], users[0], users[2], 10**9, users[1])]
    with statements() as seen:
        answer = await team.viewer("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert [node and node["id"] for node in answer.only] == [*ids[:3], None, ids[4]]
    assert len(seen) == 1


async def test_an_id_that_is_none_spoils_no_other(team: Team) -> None:
    ids = [team.project_id, "rubbish", global_id("Nothing", 1), global_id("User", "²")]
    answer = await team.viewer("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert answer.body["data"]["nodes"] == [{"id": team.project_id}, None, None, None]
    (error,) = answer.body["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["nodes", 1], "BAD_USER_INPUT")
    too_many = await team.viewer(
        "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[team.project_id] * 101
    )
    assert too_many.codes == ["BAD_USER_INPUT"]


async def test_lists_in_lists_in_lists_do_not_multiply_for_ever(
    client: httpx2.AsyncClient, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.graphql.context.OBJECTS_OF_ROW", 20)
    team = await make_team(client)
    pipeline = await rows.pipeline(team.project, "wide")
    for number in range(20):
        await rows.block(pipeline, f"b{number}")
    deep = "blocks { pipeline { " * 3 + "blocks { uuid }" + " } }" * 3
    answer = await team.viewer(f'{{ pipeline(by: {{uuid: "wide"}}) {{ {deep} }} }}')
    assert set(answer.codes) == {"QUERY_TOO_COMPLEX"}
    assert len(answer.text) < 100_000
    one = '{ pipeline(by: {uuid: "wide"}) { blocks { pipeline { blocks { uuid } } } } }'
    assert len((await team.viewer(one)).only["blocks"]) == 20
