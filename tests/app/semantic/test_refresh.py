"""Refresh keys: when they change, what their SQL says, and what renewing means."""

import asyncio

import asyncpg
import orjson
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from app.core import db
from app.core.rules import SYSTEM, Subject
from app.graphql.context import Context
from app.graphql.execute import execute, subscribe
from app.graphql.schema import build_schema
from app.semantic.actions.models import push_model
from app.semantic.asker import Asker
from app.semantic.load import KEPT_S, load
from app.semantic.loaded import current, forget_all
from app.semantic.model import Caller, RefreshKey
from app.semantic.refresh import MOST_ROWS, _period
from app.semantic.tables import semantic_queries
from tests.app.semantic.conftest import Gate, hold
from workers.semantic.lane import Lane

MINUTE = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""
MODEL = """
tables:
  - name: events
    sql: select * from events
    refresh_key:
      sql: select max(id) from events
      every: 1 hour
    dimensions:
      - {name: id, sql: id, type: number, primary_key: true}
      - {name: at, sql: "timestamp '2024-01-01 12:00' + id * interval '0 s'", type: time}
    measures:
      - {name: count, type: count}
  - name: fixed
    sql: select * from events
    refresh_key: {immutable: true}
    measures:
      - {name: count, type: count}
  - name: long
    sql: select * from events
    refresh_key: {sql: "select n from generate_series(1, 3000000) as n;", every: 1 hour}
    measures:
      - {name: count, type: count}
  - name: held
    sql: "select 1 as id, HOLD::text as word"
    dimensions:
      - {name: word, sql: word, type: string}
      - {name: at, sql: "now() - interval '5 s'", type: time}
"""
EVENTS, FIXED = {"measures": ["events.count"]}, {"measures": ["fixed.count"]}
SCHEMA = build_schema()


@pytest.mark.parametrize(
    ("key", "first", "same", "other"),
    [
        (RefreshKey(every=60), 0, 59, 60),
        (RefreshKey(), 0, 9, 10),
        (RefreshKey(cron="0 6 * * *"), 6 * 3600, 30 * 3600 - 1, 30 * 3600),
        (RefreshKey(cron="0 6 * * *", timezone="America/New_York"), 0, 11 * 3600 - 1, 11 * 3600),
    ],
)
def test_a_key_changes_at_its_times(
    key: RefreshKey, first: float, same: float, other: float
) -> None:
    before, until, after = (_period(key, MINUTE + at) for at in (first, same, other))
    assert before == until != after


def test_what_is_immutable_never_changes() -> None:
    key = RefreshKey(immutable=True)
    assert _period(key, 0) == _period(key, MINUTE)


@pytest.fixture(scope="module")
async def who(app: Starlette, lane: Lane) -> Asker:
    """Somebody who asks the module's model."""
    await push_model(SYSTEM, 1, {"a.yml": MODEL.replace("HOLD", hold(90))})
    loaded = await current(1)
    assert loaded is not None
    return Asker(loaded, Caller("ana"))


async def count(who: Asker, query: dict[str, object]) -> tuple[str, str]:
    """The only value of an answer, and when it was refreshed."""
    found = None
    while found is None:
        found = await load(who, query, None, 5)
    told = orjson.loads(found.text)
    (row,) = told["data"]
    return next(iter(row.values())), told["lastRefreshTime"]


async def test_an_answer_is_renewed_when_its_keys_sql_says_so(who: Asker, gate: Gate) -> None:
    before = await count(who, EVENTS)
    fixed = await count(who, FIXED)
    await insert(gate._connection, 200)
    # The key's SQL is asked once an hour, unless the client wants to know now.
    assert await count(who, EVENTS) == before
    renewed = await count(who, {**EVENTS, "renewQuery": True})
    assert int(renewed[0]) == int(before[0]) + 1 and renewed[1] > before[1]
    assert await count(who, EVENTS) == renewed
    assert await count(who, {**EVENTS, "renewQuery": True}) == renewed
    assert await count(who, {**FIXED, "renewQuery": True}) == fixed


async def test_of_a_keys_rows_only_so_many_are_read(who: Asker) -> None:
    assert (await count(who, {"measures": ["long.count"]}))[0] != "0"
    c = semantic_queries.c
    async with db.reading() as connection:
        read = await connection.scalar(select(c.rows).where(c.sql.contains("3000000")))
    assert read == MOST_ROWS


async def insert(connection: asyncpg.Connection, number: int) -> None:
    """One event more."""
    await connection.execute("INSERT INTO events VALUES ($1, 'late', now(), 1)", number)


async def test_compared_ranges_are_worded_in_the_zone_of_each_query(who: Asker) -> None:
    """The same moments are the same statement, whatever the clock says."""
    found = []
    for zone, day, hour in (("UTC", "2024-01-01", "05"), ("America/New_York", "2024-01-01", "00")):
        first = [f"{day}T{hour}:00:00", f"{day}T{int(hour) + 9:02}:00:00"]
        times = [{"dimension": "events.at", "compareDateRange": [first]}]
        asked = {**EVENTS, "timeDimensions": times, "timezone": zone}
        answer = None
        while answer is None:
            answer = await load(who, asked, "multi", 5)
        found.append(orjson.loads(answer.text)["results"][0]["data"][0])
    assert [one["compareDateRange"][:19] for one in found] == [
        "2024-01-01T05:00:00",
        "2024-01-01T00:00:00",
    ]
    assert found[0]["events.count"] == found[1]["events.count"] != "0"


async def test_a_long_query_is_followed_to_its_end(who: Asker, gate: Gate) -> None:
    await gate.close(90)
    asked = 'query: {dimensions: ["held.word"]}'
    document = f"subscription {{ semanticQueryAnswered({asked}) {{ isWaiting result }} }}"
    subject = Subject(kind="system", project_id=1, username="ana")
    events = subscribe(SCHEMA, document, None, None, lambda: Context(subject))
    first = await anext(events)
    assert first.data == {"semanticQueryAnswered": {"isWaiting": True, "result": None}}, first
    await gate.open(90)
    second = await anext(events)
    assert second.data is not None
    assert second.data["semanticQueryAnswered"]["isWaiting"] is False
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_words_that_mean_another_time_each_second_are_waited_for(
    who: Asker, gate: Gate
) -> None:
    await gate.close(90)
    times = [{"dimension": "held.at", "dateRange": "last 30 seconds"}]
    asked = {"dimensions": ["held.word"], "timeDimensions": times}
    for _ in range(3):
        assert await load(who, asked, None, KEPT_S + 0.2) is None
    assert await moving() == 1
    await gate.open(90)
    found = None
    while found is None:
        found = await load(who, asked, None, 5)
    assert await moving() == 1
    # Who asks later asks of another time.
    await asyncio.sleep(KEPT_S + 1)
    while await load(who, asked, None, 5) is None:
        pass
    assert await moving() == 2


async def moving() -> int:
    """How many statements over a time were made of the held table."""
    c = semantic_queries.c
    async with db.reading() as connection:
        named = c.sql.contains("held") & c.sql.contains("$2")
        return int(await connection.scalar(select(func.count()).where(named)) or 0)


async def test_an_unknown_data_source_is_named(app: Starlette) -> None:
    text = MODEL.split("  - name: fixed")[0].replace(
        "sql: select *", "data_source: lake\n    sql: select *"
    )
    await push_model(SYSTEM, 1, {"a.yml": text})
    subject = Subject(kind="system", project_id=1, username="ana")
    document = '{ semanticQuery(query: {measures: ["events.count"]}) { isWaiting } }'
    forget_all()
    result = await execute(SCHEMA, document, None, None, Context(subject))
    assert result.codes == {"BAD_USER_INPUT"}
    assert "There is no data source 'lake'" in result.errors[0]["message"]
