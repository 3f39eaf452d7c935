"""Asking for answers: shared runs, waiting, orphans, refresh keys, failures, cancels, lost workers."""

import asyncio
import os
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select

from app.core import db
from app.core.errors import RateLimited
from app.core.files import Storage
from app.core.rules import SYSTEM
from app.semantic import asking
from app.semantic.actions import work
from app.semantic.actions.queries import CANCELLED, cancel_query
from app.semantic.asking import QueryFailed, Wanted, answer
from app.semantic.tables import semantic_queries
from app.settings import get_settings
from tests.app.semantic.asked import KEY, PROJECT, asked, in_state, statement, stored, until
from tests.app.semantic.conftest import Gate, hold
from tests.factories import rows
from workers.semantic.lane import Lane


async def test_rows_come_as_clients_of_postgresql_know_them(lane: Lane) -> None:
    sql = (
        "SELECT 1::int2 AS a, 2::int4 AS b, 3::int8 AS c, 12.50::numeric AS d, 0.5::float8 AS e, "
        "true AS f, NULL::text AS g, timestamp '2024-02-29 12:00:00.5' AS h, "
        "timestamptz '2024-01-01 00:00:00-05' AS i, date '2024-03-01' AS j, "
        "ARRAY[1,2] AS k, '{\"a\": 1}'::jsonb AS l"
    )
    assert (await asked(statement(sql))).rows() == [
        [
            *(1, 2, "3", "12.50", 0.5, True, None),
            *("2024-02-29T12:00:00.500", "2024-01-01T05:00:00.000", "2024-03-01T00:00:00.000"),
            *([1, 2], '{"a": 1}'),
        ]
    ]


async def test_values_are_bound_as_texts(lane: Lane) -> None:
    sql = "SELECT id FROM orders WHERE id = $1 AND placed_at >= $2::timestamptz AND $3::text <> ''"
    good = statement(sql, "101", "2024-01-01T00:00:00.000Z", "'; DROP TABLE orders; --")
    assert (await asked(good)).rows() == [[101]]
    bad = statement(sql, "abc", "2024-01-01T00:00:00.000Z", "x")
    with pytest.raises(QueryFailed, match='invalid input syntax for type integer: "abc"'):
        await asked(bad)


async def test_a_statement_cannot_write(lane: Lane) -> None:
    for sql in ("DELETE FROM refunds RETURNING id", "CREATE TABLE x (a int)"):
        with pytest.raises(QueryFailed, match="read-only transaction"):
            await asked(statement(sql))


async def test_three_identical_callers_are_one_query_of_the_database(
    lane: Lane, gate: Gate
) -> None:
    await gate.close(1)
    slow = statement(f"SELECT 1 AS one, {hold(1)}::text AS held")
    assert await asyncio.gather(*(answer(slow, KEY, 0.3) for _ in range(3))) == [None] * 3
    await until(lambda: _runs(gate, 1))
    waiting = [asyncio.create_task(asked(slow)) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert await gate.running(1) == 1
    await gate.open(1)
    found = await asyncio.gather(*waiting)
    assert [one.rows() for one in found] == [[[1, ""]]] * 3
    assert {one.run for one in found} == {1}


async def _runs(gate: Gate, number: int) -> bool:
    return await gate.running(number) == 1


async def test_a_started_one_finishes_and_serves_the_repeat(lane: Lane, gate: Gate) -> None:
    await gate.close(4)
    slow = statement(f"SELECT count(*) AS n, {hold(4)}::text AS held FROM orders")
    assert await answer(slow, KEY, 0.1) is None
    await in_state(slow, "running")
    await gate.open(4)
    await in_state(slow, "done")
    # The refresh key has moved on meanwhile: who was told to wait gets that run's answer.
    found = await answer(slow, Wanted("two"), 0)
    assert found is not None and (found.run, found.rows()) == (1, [["10", ""]])


async def test_an_answer_holds_as_long_as_its_refresh_key(
    lane: Lane, warehouse: str, gate: Gate
) -> None:
    counted = statement("SELECT count(*) FROM events")
    before = await asked(counted, Wanted("10:00"))
    await gate._connection.execute("INSERT INTO events VALUES (100, 'late', now(), 1)")
    same = await asked(counted, Wanted("10:00"))
    assert (same.rows(), same.refreshed_at) == (before.rows(), before.refreshed_at)
    fresh = await asked(counted, Wanted("10:10"))
    assert fresh.rows() == [[str(int(before.rows()[0][0]) + 1)]]
    assert fresh.refreshed_at > before.refreshed_at


async def test_a_renewed_one_is_run_again(lane: Lane) -> None:
    told = statement("SELECT 'renewed' AS word")
    assert (await asked(told)).run == 1
    assert (await asked(told, Wanted("one", since_s=3600))).run == 1
    assert (await asked(told, Wanted("one", since_s=0))).run > 1


async def test_a_failed_query_is_run_anew_when_it_is_asked_again(lane: Lane) -> None:
    broken = statement("SELECT 1 / (SELECT count(*) FROM regions WHERE name = 'nowhere')")
    for run in (1, 2):
        with pytest.raises(QueryFailed, match="division by zero"):
            await answer(broken, KEY, 10)
        assert (await stored(broken))["run"] == run


async def test_who_was_told_to_wait_is_told_of_a_failure(lane: Lane, gate: Gate) -> None:
    await gate.close(5)
    broken = statement(f"SELECT 1 / (SELECT 0 FROM (SELECT {hold(5)}::text) AS held)")
    assert await answer(broken, KEY, 0.1) is None
    await in_state(broken, "running")
    await gate.open(5)
    await in_state(broken, "failed")
    with pytest.raises(QueryFailed, match="division by zero"):
        await answer(broken, KEY, 0)
    assert (await stored(broken))["run"] == 1


async def test_a_cancelled_query_ends_in_the_database_too(lane: Lane, gate: Gate) -> None:
    await gate.close(7)
    slow = statement(f"SELECT {hold(7)}::text AS cancelled")
    waiting = asyncio.create_task(answer(slow, KEY, 20))
    await until(lambda: _runs(gate, 7))
    await cancel_query(SYSTEM, (await stored(slow))["id"])
    with pytest.raises(QueryFailed, match=CANCELLED):
        await waiting

    async def gone() -> bool:
        return await gate.running(7) == 0

    await until(gone)
    assert (await stored(slow))["error"] == CANCELLED


async def test_what_a_dead_worker_held_is_run_by_another(lane: Lane) -> None:
    lost = statement("SELECT 'lost' AS word")
    await rows.row(
        semantic_queries,
        project_id=PROJECT,
        key=lost.key,
        data_source="default",
        sql=lost.sql,
        place="warehouse",
        dialect="postgres",
        state="running",
        worker="dead",
        refresh_key="one",
        lease_until=datetime.now(UTC),
        values=[],
    )
    lane.look()
    assert (await asked(lost)).rows() == [["lost"]]
    dead = work.Query(
        (await stored(lost))["id"], 1, lost.key, PROJECT, "warehouse", "postgres", "", [], None
    )
    assert not await work.finish("dead", dead, rows=0, result=b"{}", result_key=None)
    assert (await stored(lost))["result"] != b"{}"


async def test_long_answers_are_files_that_go_with_the_next_one(lane: Lane) -> None:
    long = statement("SELECT repeat('x', 1000) || n AS word FROM generate_series(1, 3000) AS n")
    # Whoever was told to come again makes it good for others, too.
    first = await asked(long, Wanted("1"), 15)
    assert (len(first.rows()), first.rows()[2999][0][-5:]) == (3000, "x3000")
    kept = await stored(long)
    storage = Storage(get_settings().places.storage_dir)
    assert kept["result"] is None and storage.path(kept["result_key"]).exists()
    second = await asked(long, Wanted("2"))
    assert second.run == 2 and second.rows() == first.rows()

    async def gone() -> bool:
        return not storage.path(kept["result_key"]).exists()

    # It goes when the new answer is there for all.
    await until(gone)
    assert storage.path((await stored(long))["result_key"]).exists()


async def test_what_nobody_asks_for_is_forgotten(lane: Lane) -> None:
    old = statement("SELECT repeat('y', 1000) || n AS word FROM generate_series(1, 3000) AS n")
    await asked(old)
    kept = await stored(old)
    ago = kept["asked_at"].replace(year=2020)
    await rows.change(semantic_queries, kept["id"], asked_at=ago)
    dead = statement("SELECT 'dead' AS word")
    await asked(dead)
    held = {"state": "running", "worker": "dead", "lease_until": ago, "asked_at": ago}
    await rows.change(semantic_queries, (await stored(dead))["id"], **held)
    await lane.forget()
    async with db.reading() as connection:
        named = semantic_queries.c.key.in_([old.key, dead.key])
        wanted = select(semantic_queries.c.id).where(named)
        assert (await connection.execute(wanted)).all() == []
    storage = Storage(get_settings().places.storage_dir)
    assert not storage.path(kept["result_key"]).exists()


async def test_only_so_many_queries_of_a_project_wait(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_WAITING", 0)
    refused = statement("SELECT 'one more' AS word")
    with pytest.raises(RateLimited, match="wait already"):
        await answer(refused, KEY, 0)
    async with db.reading() as connection:
        wanted = select(semantic_queries.c.id).where(semantic_queries.c.key == refused.key)
        assert (await connection.execute(wanted)).all() == []


async def test_files_that_no_row_names_are_removed(lane: Lane) -> None:
    long = statement("SELECT repeat('z', 1000) || n AS word FROM generate_series(1, 3000) AS n")
    await asked(long)
    kept = (await stored(long))["result_key"]
    storage = Storage(get_settings().places.storage_dir)
    stray = f"queries/{'0' * 64}/1"
    with storage.write(stray) as file:
        file.write(b"of a project that is gone")
    for key in (kept, stray):
        os.utime(storage.path(key), (0, 0))
    await lane.forget()
    assert storage.path(kept).exists() and not storage.path(stray).parent.exists()


async def test_a_statement_whose_row_was_deleted_has_no_old_answer(lane: Lane) -> None:
    of = statement("SELECT clock_timestamp()::text AS now")
    first = await asked(of)
    async with db.engine().begin() as connection:
        await connection.execute(delete(semantic_queries).where(semantic_queries.c.key == of.key))
    asking._kept._good.clear()
    second = await asked(of)
    assert (first.run, second.run) == (1, 1)
    assert second.rows() != first.rows() and second.refreshed_at > first.refreshed_at
