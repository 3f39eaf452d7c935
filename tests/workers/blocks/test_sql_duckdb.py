"""SQL blocks on DuckDB: files of the project, upstream frames as views, and closed doors."""

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from workers.pipelines.calls import BlockResult, Input, Upstream

FILE = "default: {DUCKDB_DATABASE: shop.duckdb}"


class Duck:
    """Runs SQL blocks of pipeline `p` on DuckDB."""

    def __init__(self, bench: Any, folder: Path) -> None:
        self.bench = bench
        self.folder = folder

    def profile(self, text: str) -> None:
        (self.bench.project / "io_config.yaml").write_text(text)

    async def run(self, sql: str, **parts: Any) -> BlockResult:
        configuration = {
            "data_provider": "duckdb",
            "export_write_policy": "replace",
            **parts.pop("configuration", {}),
        }
        given = {"language": "sql", "block_uuid": "b", "kwargs": {"pipeline_uuid": "p"}, **parts}
        given.setdefault("database_dir", self.folder)
        return await self.bench.run(sql, configuration=configuration, **given)

    async def frame(self, sql: str, **parts: Any) -> Any:
        return self.bench.read(await self.run(sql, **parts))

    async def raw(self, sql: str, **parts: Any) -> BlockResult:
        return await self.run(sql, configuration={"use_raw_sql": True}, **parts)


@pytest.fixture
def duck(bench: Any, tmp_path: Path) -> Duck:
    return Duck(bench, tmp_path / "database's \\ folder" / "1")


async def test_query_in_memory_over_upstream_frames(duck: Duck) -> None:
    frame = pd.DataFrame({"City": ["Ulm", "Bonn"], "n": pd.array([1, None], dtype="Int64")})
    got = await duck.frame("SELECT city, n FROM {{ df_1 }} ORDER BY city", upstream=(frame,))
    assert got["city"].tolist() == ["Bonn", "Ulm"]
    assert (str(got["n"].dtype), got["n"].tolist()[1]) == ("Int64", 1)


async def test_types_arrive(duck: Duck) -> None:
    frame = await duck.frame(
        """
        SELECT * FROM (VALUES
            (1::tinyint, 9007199254740993, 1.50::decimal(10, 2), true, 'x', date '2026-01-02',
             timestamp '2026-01-02 03:04:05', timestamptz '2026-01-02 03:04:05+02',
             interval '1 day', '{"a": [1]}'::json, '\\x00'::blob, [1, 2], {'k': 1}, 5::hugeint),
            (2, null, null, null, null, null, null, null, null, null, null, null, null, null)
        ) AS t (i, big, num, b, s, d, ts, tz, iv, j, bin, arr, st, h)
        """
    )
    first, second = frame.to_dict("records")
    assert first == {
        "i": 1,
        "big": 9007199254740993,
        "num": Decimal("1.50"),
        "b": True,
        "s": "x",
        "d": date(2026, 1, 2),
        "ts": pd.Timestamp("2026-01-02 03:04:05"),
        "tz": pd.Timestamp("2026-01-02 01:04:05", tz="UTC"),
        "iv": pd.Timedelta(days=1),
        "j": {"a": [1]},
        "bin": b"\x00",
        "arr": [1, 2],
        "st": {"k": 1},
        "h": 5,
    }
    assert all(pd.isna(second[name]) for name in second if name != "i")


async def test_frame_survives_the_way_through_the_database(duck: Duck) -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2],
            "f": [1.5, None],
            "s": ["a", None],
            "b": pd.array([True, None], dtype="boolean"),
            "tz": pd.to_datetime(["2026-01-01", None])
            .tz_localize("UTC")
            .astype("datetime64[us, UTC]"),
            "d": pd.Series([date(2026, 1, 2), None], dtype=object),
            "num": pd.Series([Decimal("0.10"), None], dtype=object),
            "iv": pd.to_timedelta(["1s", None]).astype("timedelta64[us]"),
        }
    )
    got = await duck.frame("SELECT * FROM {{ df_1 }} ORDER BY i", upstream=(frame,))
    pd.testing.assert_frame_equal(got, frame)


async def test_file_of_the_project_outlives_the_run(duck: Duck) -> None:
    duck.profile(FILE)
    append = {"export_write_policy": "append"}
    await duck.frame("SELECT 1 AS n", configuration=append)
    await duck.frame("SELECT 2 AS n", configuration=append)
    got = await duck.raw("SELECT sum(n) AS n FROM p_b")
    assert duck.bench.read(got)["n"].tolist() == [3]
    assert (duck.folder / "shop.duckdb").stat().st_size > 0
    failed = await duck.run("SELECT 1 AS n", configuration={"export_write_policy": "fail"})
    assert failed.error == "Table main.p_b already exists, and the write policy is fail."


async def test_upstream_block_of_the_same_file_is_its_table(duck: Duck) -> None:
    duck.profile(FILE)
    first = await duck.run("SELECT 7 AS n", block_uuid="a")
    await duck.raw("INSERT INTO p_a VALUES (8)")
    known = (Upstream("a", "sql", {"data_provider": "duckdb"}),)
    parts = {"inputs": (Input((first.outputs,)),), "upstream_blocks": known}
    assert (await duck.frame("SELECT sum(n) AS n FROM {{ df_1 }}", **parts))["n"].tolist() == [15]
    duck.profile("default: {}")
    assert (await duck.frame("SELECT sum(n) AS n FROM {{ df_1 }}", **parts))["n"].tolist() == [7]


async def test_blocks_take_turns_with_one_file(duck: Duck) -> None:
    duck.profile(FILE)
    append = {"export_write_policy": "append"}
    runs = (duck.run("SELECT 1 AS n", configuration=append, step_id=n + 1) for n in range(4))
    assert [result.error for result in await asyncio.gather(*runs)] == [None] * 4
    assert len(duck.bench.read(await duck.raw("FROM p_b"))) == 4


async def test_raw_statements_run_in_one_transaction(duck: Duck) -> None:
    duck.profile(FILE)
    script = "CREATE TABLE t (s text); INSERT INTO t VALUES ('a;b'); SELECT s FROM t"
    assert duck.bench.read(await duck.raw(script))["s"].tolist() == ["a;b"]
    failed = await duck.raw("INSERT INTO t VALUES ('x'); SELECT nope FROM t")
    assert 'Referenced column "nope" not found' in failed.error
    assert failed.error.endswith("in statement 2 of 2")
    changed = await duck.raw("UPDATE t SET s = 'c'")
    assert (changed.ok, changed.outputs) == (True, ())
    assert len(duck.bench.read(await duck.raw("FROM t"))) == 1
    syntax = await duck.run("SELEC 1")
    assert 'syntax error at or near "SELEC"' in syntax.error


@pytest.mark.parametrize("name", ["../x.duckdb", "/etc/x.duckdb", "md:shared", "a/../../x"])
async def test_files_elsewhere_are_refused(duck: Duck, name: str) -> None:
    duck.profile(f"default: {{DUCKDB_DATABASE: '{name}'}}")
    result = await duck.run("SELECT 1 AS n")
    assert result.error.startswith("DUCKDB_DATABASE must be a file name")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{{ repo_path }}/../outside')",
        "ATTACH '/tmp/x.duckdb'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "INSTALL postgres",
        "LOAD postgres",
        "ATTACH 'host=/run' AS p (TYPE postgres)",
        "SET enable_external_access = true",
        "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
    ],
)
async def test_sql_reaches_no_files_and_hosts_elsewhere(duck: Duck, statement: str) -> None:
    (duck.bench.project.parent / "outside").write_text("canary")
    result = await duck.raw(statement)
    assert not result.ok
    assert "Permission Error" in result.error or "locked" in result.error or "http" in result.error


async def test_files_of_the_project_can_be_read(duck: Duck) -> None:
    (duck.bench.project / "cities.csv").write_text("city,n\nUlm,1\n")
    got = await duck.frame("SELECT * FROM read_csv('{{ repo_path }}/cities.csv')")
    assert got.to_dict("records") == [{"city": "Ulm", "n": 1}]
