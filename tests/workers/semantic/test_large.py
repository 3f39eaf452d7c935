"""Answers that are too large: no more of them is read than may be kept, and the source goes on."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from tests.app.semantic.conftest import warehouse  # noqa: F401  (a fixture)
from tests.workers.semantic.test_duck import engine, processes  # noqa: F401  (a fixture)
from tests.workers.sync.rig import Rig
from workers.pipelines.sql.targets import warehouse_target
from workers.semantic import base, postgres
from workers.semantic.base import MOST_BYTES, Packing, QueryError
from workers.semantic.duck import DuckProcesses
from workers.semantic.postgres import PostgresEngine

MEGABYTE = 1024 * 1024
LARGE = "larger than 64 MiB"
# A hundred times as much as may be kept; nobody could hold it.
ENDLESS = f"SELECT {{}} FROM generate_series(1, {100 * MOST_BYTES // MEGABYTE})"


@pytest_asyncio.fixture
async def asked(warehouse: str) -> AsyncIterator[PostgresEngine]:  # noqa: F811
    async def nowhere(host: str, port: int) -> str:
        raise QueryError("no")

    made = PostgresEngine(warehouse_target(warehouse), nowhere, 1)
    yield made
    await made.close()


@pytest.mark.parametrize(
    "column",
    [
        f"repeat('x', {MEGABYTE})",
        f"repeat('x', {MEGABYTE})::varchar",
        f"to_json(repeat('x', {MEGABYTE}))",
        f"ARRAY[repeat('x', {MEGABYTE})]",
    ],
)
async def test_postgresql_is_told_to_stop(
    column: str, asked: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(postgres, "packed", lambda names, rows: kept.append(len(rows)))
    with pytest.raises(QueryError, match=LARGE):
        await asked.run(ENDLESS.format(column), [], 60)
    assert kept == []
    assert asked._pool.get_size() == 1
    found = await asked.run("SELECT 'good' AS word", [], 10)
    assert found is None and kept == [1]
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%repeat%'"
    assert await asked._pool.fetchval(f"{busy} AND pid <> pg_backend_pid()") == "0"


async def test_a_cancelled_statement_is_no_large_one(asked: PostgresEngine) -> None:
    with pytest.raises(QueryError, match="timeout"):
        await asked.run("SELECT pg_sleep(60)", [], 0.3)
    running = asyncio.create_task(asked.run("SELECT pg_sleep(60)", [], 60))
    await asyncio.sleep(0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await asked.run("SELECT 1 AS one", [], 10)).rows == 1


async def test_each_statement_has_the_whole_limit(asked: PostgresEngine) -> None:
    half = f"SELECT repeat('x', {MEGABYTE}) FROM generate_series(1, {MOST_BYTES // MEGABYTE // 2})"
    for _ in range(3):
        assert (await asked.run(half, [], 60)).rows == 32


async def test_duckdb_is_read_in_pieces(
    rig: Rig,
    processes: DuckProcesses,  # noqa: F811
) -> None:
    one = engine(processes, rig.parquet)
    # More than the child's memory, if it were all fetched.
    sql = f"SELECT repeat('x', {MEGABYTE}) FROM range(400)"
    with pytest.raises(QueryError, match=LARGE):
        await one.run(sql, [], 60)
    assert (await one.run("SELECT 1 AS one", [], 30)).rows == 1


def test_pieces_are_one_answer() -> None:
    packing = Packing(["a", "b"])
    for piece in ([], [(1, "x")], [(None, 2.5), (True, "y")], []):
        packing.add(piece)
    made = packing.result()
    assert made.rows == 3
    rows = [[1, "x"], [None, 2.5], [True, "y"]]
    assert orjson.loads(made.content) == {"columns": ["a", "b"], "rows": rows}
    assert orjson.loads(Packing(["a"]).result().content) == {"columns": ["a"], "rows": []}
    assert base.packed(["a", "b"], rows).content == made.content
