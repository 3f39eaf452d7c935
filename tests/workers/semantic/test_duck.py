"""DuckDB over what jobs have written, and over a database that it attaches."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.maria import PASSWORD, Maria, maria  # noqa: F401  (a fixture)
from tests.workers.sync.rig import Line, Rig
from workers.semantic import duck
from workers.semantic.base import QueryError
from workers.semantic.duck import LONGEST_LINE, DuckEngine, DuckProcess, DuckProcesses
from workers.semantic.duck_tables import S3, buckets

SHOP = """
CREATE TABLE sales (id int PRIMARY KEY, n bigint, amount numeric(10,2), city text, at timestamp, ok boolean);
INSERT INTO sales SELECT i, i * 1000000000000, i * 1.25, CASE WHEN i % 2 = 0 THEN 'Lyon' ELSE 'Porto' END,
  timestamp '2024-01-01' + i * interval '1 day', i % 3 = 0 FROM generate_series(1, 40) i;
"""
FIRST = 'SELECT id, n, amount, city, "at", ok FROM sales ORDER BY id LIMIT 1'
ROW = [1, "1000000000000", "1.25", "Porto", "2024-01-02T00:00:00.000", False]
COUNTED = "SELECT city, count(*), sum(amount) FROM sales WHERE city = $1 GROUP BY 1"


@pytest_asyncio.fixture
async def processes(rig: Rig, tmp_path: Path) -> AsyncIterator[DuckProcesses]:
    limits = {"memory_mb": 200, "threads": 2, "data_root": str(rig.data_root)}
    made = DuckProcesses({**limits, "scratch": str(tmp_path / "scratch")})
    yield made
    await made.close()


async def nowhere(host: str, port: int) -> str:
    """No address may be called."""
    raise QueryError("The address is of a kind that is never called.")


async def here(host: str, port: int) -> str:
    """This machine."""
    return "127.0.0.1"


async def own() -> list[str]:
    """The job of rigs."""
    return ["7"]


def engine(processes: DuckProcesses, end: Line, address: Any = nowhere) -> DuckEngine:
    place, type_ = f"place:{end['type']}", end["type"]
    return DuckEngine(processes, place, "destination", type_, end["config"], address, own)


async def rows(of: DuckEngine, sql: str, *values: Any) -> list[list[Any]]:
    found: list[list[Any]] = orjson.loads((await of.run(sql, values, 30)).content)["rows"]
    return found


@pytest.mark.parametrize("kind", ["parquet", pytest.param("iceberg", marks=pytest.mark.long)])
async def test_tables_of_jobs_are_asked_as_they_are_committed(
    kind: str, rig: Rig, processes: DuckProcesses
) -> None:
    await rig.sql.execute(SHOP)
    destination: Line = getattr(rig, kind)
    await rig.sync(destination, await rig.streams("sales"))
    asked = engine(processes, destination)
    assert await rows(asked, FIRST) == [ROW]
    assert await rows(asked, COUNTED, "Lyon") == [["Lyon", "20", "525.00"]]
    assert await rows(asked, "SELECT count(*) FROM job_db_public.sales") == [["40"]]
    # The next load is seen by the process that has the place open.
    await rig.sql.execute("DELETE FROM sales WHERE id > 10")
    await rig.sync(destination, await rig.streams("sales"))
    assert await rows(asked, COUNTED, "Lyon") == [["Lyon", "5", "37.50"]]


async def test_faults_are_told_in_the_words_of_duckdb(rig: Rig, processes: DuckProcesses) -> None:
    asked = engine(processes, rig.parquet)
    with pytest.raises(QueryError, match="Table with name nothing does not exist"):
        await rows(asked, "SELECT * FROM nothing")
    with pytest.raises(QueryError, match="Could not convert string 'abc'"):
        await rows(asked, "SELECT 1 WHERE CAST($1 AS INTEGER) = 1", "abc")
    assert await rows(asked, "SELECT 1") == [[1]]


async def test_a_statement_reads_no_file_of_the_machine(
    rig: Rig, processes: DuckProcesses, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("word\nhidden\n")
    for destination in (rig.parquet, rig.iceberg):
        for sql in (
            f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')",
            f"SELECT * FROM '{tmp_path / 'secret.csv'}'",
            "SELECT * FROM read_text('/etc/hostname')",
        ):
            with pytest.raises(QueryError) as refused:
                await rows(engine(processes, destination), sql)
            assert "disabled" in str(refused.value) or "Permission" in str(refused.value)


async def test_a_statement_over_iceberg_in_s3_reads_nothing_else(
    rig: Rig, processes: DuckProcesses
) -> None:
    writer = {**rig.iceberg["config"]["writer"], "iceberg_s3_path": "s3://bucket/tables"}
    config = {**rig.iceberg["config"], "writer": {**writer, "s3_endpoint": "http://s3.example"}}
    asked = engine(processes, {**rig.iceberg, "config": config}, here)
    for path in ("/etc/hostname", "/proc/self/environ", "http://127.0.0.1:9/x"):
        with pytest.raises(QueryError, match="Permission"):
            await rows(asked, f"SELECT * FROM read_text('{path}')")
    inner = engine(processes, {**rig.iceberg, "config": config})
    with pytest.raises(QueryError) as refused:
        await rows(
            inner, "SELECT * FROM read_text('s3://b/x?s3_endpoint=127.0.0.1:9&s3_use_ssl=false')"
        )
    assert "Could not connect" not in str(refused.value)


def test_each_catalog_of_iceberg_has_its_buckets() -> None:
    jdbc = {"catalog_type": "jdbc"}
    for path in ("lake", "s3-lake", ""):
        assert buckets({**jdbc, "iceberg_s3_path": path}) == ()
    assert buckets({**jdbc, "iceberg_s3_path": "s3a://b"}) == S3
    rest = {"catalog_type": "rest", "iceberg_s3_path": "name of a warehouse"}
    assert buckets(rest) == S3


async def test_a_query_that_takes_too_long_is_ended_and_the_process_goes_on(
    rig: Rig, processes: DuckProcesses
) -> None:
    asked = engine(processes, rig.parquet)
    await rows(asked, "SELECT 1")
    endless = "SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE a.range % 7 = b.range"
    with pytest.raises(QueryError, match="timeout"):
        await asked.run(endless, [], 0.5)
    assert await rows(asked, "SELECT 2") == [[2]]


async def test_a_process_whose_answer_was_half_read_is_ended() -> None:
    told = (
        "import time; print('{\"rows\": 1, \"bytes\": 5000000}'); print('x' * 3000000, flush=True)"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{told}; time.sleep(60)"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    one = DuckProcess(process)
    asking = asyncio.create_task(one.ask({"place": "a"}, nowhere))
    async with asyncio.timeout(20):
        while len(process.stdout._buffer) <= LONGEST_LINE:  # type: ignore  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not one.lives


@pytest.mark.long
async def test_two_queries_have_two_processes(rig: Rig, processes: DuckProcesses) -> None:
    asked = engine(processes, rig.parquet)
    found = await asyncio.gather(rows(asked, "SELECT 1"), rows(asked, "SELECT 2"))
    assert found == [[[1]], [[2]]] and len(processes._free) == 2


@pytest.mark.long
@pytest.mark.mariadb
async def test_mysql_is_attached(
    processes: DuckProcesses,
    maria: Maria,  # noqa: F811
) -> None:
    with maria.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE asked; USE asked; CREATE TABLE sales (id int, city text)")
        while cursor.nextset():
            pass
        cursor.execute("INSERT INTO asked.sales VALUES (1, 'Lyon'), (2, 'Porto')")
    config = {"hosts": "db.example", "port": maria.port, "database": "asked"}
    login = {"username": "isthmus", "password": PASSWORD}
    end = {"type": "mysql", "config": {**config, **login}}
    asked = engine(processes, end, here)
    assert await rows(asked, "SELECT id FROM sales WHERE city = $1", "Porto") == [[2]]
    refused = DuckEngine(processes, "place:other", "source", "mysql", end["config"], nowhere)
    with pytest.raises(QueryError, match="never called"):
        await rows(refused, "SELECT 1")


async def test_idle_processes_are_ended_once_and_taken_by_nobody(
    processes: DuckProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [await processes.take("a"), await processes.take("a")]
    for one in both:
        processes.give(one)
    monkeypatch.setattr(duck, "IDLE_S", -1.0)
    taken = await asyncio.gather(*(processes.take("a") for _ in range(2)))
    assert not any(one.lives for one in both)
    assert all(one.lives for one in taken) and taken[0] is not taken[1]
    for one in taken:
        processes.give(one)
