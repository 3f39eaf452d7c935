"""Full refreshes: every value arrives, readers see old rows or new ones."""

import asyncio
from pathlib import Path

import pytest

from tests.workers.sync.rig import Rig

HARD = (Path(__file__).parents[2] / "data" / "sync" / "hard_types.sql").read_text()
EXACT_TEXT = [
    "id",
    "nfree",
    "n50",
    "n3015",
    "n389",
    "u",
    "j",
    "jb",
    "i",
    "r",
    "m",
    "bit5",
    "e",
    "x",
    "h",
]


@pytest.mark.parametrize(
    "precisions",
    [range(1, 19), pytest.param(range(19, 30), marks=pytest.mark.long), range(30, 39)],
)
async def test_decimals_of_every_precision_and_scale(rig: Rig, precisions: range) -> None:
    """DuckDB's writer overflows where 9, 17, 18, 37 or 38 digits are behind the point."""
    kinds = [(p, s) for p in precisions for s in range(p + 1)]
    declared = ", ".join(f"n_{p}_{s} numeric({p},{s})" for p, s in kinds)
    await rig.sql.execute(f"CREATE TABLE decimals (id int PRIMARY KEY, {declared})")
    digits = ("9" * 38, "1" + "0" * 37, "0" * 37 + "1", "12345678901234567890123456789012345678")
    for number, all_digits in enumerate(digits):
        for sign in ("", "-"):
            values = ", ".join(sign + _decimal(all_digits[-p:], s) for p, s in kinds)
            await rig.sql.execute(f"INSERT INTO decimals VALUES ({sign}{number + 1}, {values})")
    await rig.sync(rig.postgres, await rig.streams("decimals"))
    listed = ", ".join(f"n_{p}_{s}::text" for p, s in kinds)
    theirs = await rig.sql.fetch(f"SELECT {listed} FROM decimals ORDER BY id")
    ours = await rig.sql.fetch(f"SELECT {listed} FROM lake.decimals ORDER BY id")
    assert [tuple(row) for row in ours] == [tuple(row) for row in theirs]


def _decimal(digits: str, scale: int) -> str:
    return digits if scale == 0 else f"{digits[:-scale] or '0'}.{digits[-scale:]}"


@pytest.mark.parametrize("as_text", [False, True])
async def test_hard_types_arrive_in_postgresql(rig: Rig, as_text: bool) -> None:
    await rig.sql.execute(HARD)
    if as_text:  # which such a column asks for
        await rig.sql.execute("ALTER TABLE hard ADD small numeric(9,9) DEFAULT 0.123456789")
    told = await rig.sync(rig.postgres, await rig.streams("hard"))
    assert told.result["rows"] == 3
    names = [
        r[0]
        for r in await rig.sql.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'hard'"
        )
    ]
    for name in names:
        # As text: asyncpg cannot hold infinite times and dates before Christ.
        theirs = await rig.sql.fetch(f"SELECT {name}::text FROM hard ORDER BY id")
        ours = await rig.sql.fetch(f"SELECT {name}::text FROM lake.hard ORDER BY id")
        if name == "n152":
            assert [r[0] for r in ours] == ["1.25", None, None]
        elif name == "p":
            assert [r[0] for r in ours] == ['{"x":1.0,"y":2.0}', None, None]
        else:
            assert ours == theirs, name
    assert "1 values of public.hard.n152 are NaN and become null." in told.logs
    assert "p: STRUCT(x DOUBLE, y DOUBLE) as VARCHAR; o: UINTEGER as BIGINT" in told.logs
    types = dict(
        await rig.sql.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'lake.hard'::regclass AND attnum > 0"
        )
    )
    assert types["n3015"] == "numeric(30,15)" and types["ia2"] == "integer[]"
    assert types["iv"] == "interval" and types["tz"] == "timestamp with time zone"


async def test_hard_types_arrive_in_parquet(rig: Rig) -> None:
    await rig.sql.execute(HARD)
    told = await rig.sync(rig.parquet, await rig.streams("hard"))
    listed = "ia::VARCHAR, ta::VARCHAR, ia2::VARCHAR, ts::VARCHAR, tz::VARCHAR, d::VARCHAR, t::VARCHAR, iv, ttz, f4::VARCHAR, f8::VARCHAR, b, p, o, c, n152::VARCHAR"
    rows = rig.files("hard", listed)
    assert sorted(rows, key=str) == sorted(
        [
            (
                "[1, NULL, 3]",
                "[a, 'b,c', NULL]",
                "[[1, 2], [3, 4]]",
                "2024-01-01 10:00:00.123456",
                "2024-01-01 08:00:00.123456+00",
                "2024-02-29",
                "10:11:12.5",
                "1 month 2 days 03:04:05",
                "10:11:12+03",
                "1.5",
                "nan",
                b"\\xdeadbeef",
                '{"x":1.0,"y":2.0}',
                42,
                "ab",
                "1.25",
            ),
            (
                None,
                None,
                None,
                "infinity",
                "-infinity",
                "infinity",
                None,
                None,
                None,
                "inf",
                "-inf",
                None,
                None,
                None,
                None,
                None,
            ),
            (
                "[]",
                "[]",
                None,
                "0044-03-15 (BC) 00:00:00",
                None,
                "4713-01-01 (BC)",
                None,
                None,
                None,
                None,
                None,
                b"",
                None,
                None,
                None,
                None,
            ),
        ],
        key=str,
    )
    for name in EXACT_TEXT:
        theirs = [r[0] for r in await rig.sql.fetch(f"SELECT {name}::text FROM hard")]
        ours = [r[0] for r in rig.files("hard", f"{name}::VARCHAR")]
        assert sorted(ours, key=str) == sorted(theirs, key=str), name
    assert (
        "iv: INTERVAL as VARCHAR" in told.logs and "Column tz of hard holds infinite" in told.logs
    )


async def test_engine_columns(rig: Rig) -> None:
    await rig.sql.execute(
        """CREATE TABLE one (id int PRIMARY KEY, "The Name" text); INSERT INTO one VALUES (5, 'x');
        CREATE TABLE two (a int, b text, PRIMARY KEY (b, a)); INSERT INTO two VALUES (1, 'k');
        CREATE TABLE none (a int, b text); INSERT INTO none VALUES (1, NULL), (1, NULL), (1, '')"""
    )
    streams = await rig.streams("one", "two", "none")
    await rig.sync(rig.parquet, streams)
    assert rig.files("one", "_olake_id, _op_type, the_name") == [("5", "r", "x")]
    assert rig.files("two", "_olake_id = md5('1|k|')") == [(True,)]
    assert rig.files("none", "count(*), count(DISTINCT _olake_timestamp)") == [(3, 1)]
    columns = [name for name, _ in rig.manifest("one")["columns"]]
    assert columns == ["_olake_id", "_olake_timestamp", "_op_type", "id", "the_name"]


async def test_without_normalization_a_row_is_one_json_text(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, t text); INSERT INTO one VALUES (5, 'ż')"
    )
    await rig.sync(rig.parquet, await rig.streams("one", normalization=False))
    assert rig.files("one", "_olake_id, data") == [("5", '{"id":5,"t":"ż"}')]


async def test_columns_and_filters(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, t text, n numeric(5,2)); "
        "INSERT INTO one SELECT i, 't' || i, i FROM generate_series(1, 100) i"
    )
    conditions = [
        {"column": "n", "operator": ">", "value": 90},
        {"column": "t", "operator": "=", "value": "t7"},
    ]
    streams = await rig.streams(
        "one",
        selected_columns={"columns": ["id", "n"], "sync_new_columns": False},
        filter_config={"logical_operator": "or", "conditions": conditions},
    )
    await rig.sync(rig.parquet, streams)
    assert rig.files("one", "count(*), min(id), max(id)") == [(11, 7, 100)]
    assert "t" not in dict(rig.manifest("one")["columns"])
    streams[0]["selected"]["filter_config"]["conditions"][0]["column"] = "gone"
    told = await rig.sync(rig.parquet, streams)
    assert told.error == "The filter of public.one names column gone, which it lacks."


@pytest.mark.long
async def test_partitions_and_sizes(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at timestamp, city text, pad text); INSERT INTO one "
        "SELECT i, '2026-01-01'::timestamp + i * interval '1 hour', nullif('c' || i % 2, 'c1'), "
        "md5(i::text) || md5((i + 1)::text) FROM generate_series(1, 1000) i"
    )
    template = "/{at,'',YYYY}-{at,'',MM}/{city,'none',''}"
    await rig.sync(rig.parquet, await rig.streams("one", partition_regex=template))
    folders = {file["path"].rpartition("/")[0] for file in rig.manifest("one")["files"]}
    assert folders == {"2026-01/c0", "2026-01/none", "2026-02/c0", "2026-02/none"}
    assert rig.files("one", "count(*), count(DISTINCT id)") == [(1000, 1000)]
    await rig.sql.execute(
        "INSERT INTO one SELECT i, now(), 'c', md5(i::text) FROM generate_series(1001, 200000) i"
    )
    small = {"type": "parquet", "config": {"writer": {"local_path": "lake", "max_file_size_mb": 1}}}
    for partition in ("", "/{city,'none',''}"):
        await rig.sync(small, await rig.streams("one", partition_regex=partition))
        files = rig.manifest("one")["files"]
        assert len(files) > 1 and max(file["bytes"] for file in files) < 4 * 1024**2
        on_disk = {
            p.relative_to(rig.folder("one")).as_posix()
            for p in rig.folder("one").rglob("*.parquet")
        }
        assert on_disk == {file["path"] for file in files}
        assert rig.files("one", "count(*), count(DISTINCT id)") == [(200000, 200000)]


async def test_readers_never_see_an_empty_or_half_table(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one AS SELECT i AS id FROM generate_series(1, 200000) i")
    streams = await rig.streams("one")
    await rig.sync(rig.postgres, streams)
    reader = await rig.connect()
    seen, ended = set(), asyncio.Event()

    async def read() -> None:
        while not ended.is_set():
            seen.add(await reader.fetchval("SELECT count(*) FROM lake.one"))

    reading = asyncio.create_task(read())
    await rig.sql.execute("INSERT INTO one SELECT 0")
    await rig.sync(rig.postgres, streams)
    ended.set()
    await reading
    await reader.close()
    assert seen <= {200000, 200001} and 200000 in seen
    assert await rig.sql.fetchval("SELECT count(*) FROM lake.one") == 200001


@pytest.mark.long
async def test_views_and_grants_survive_a_refresh(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int); INSERT INTO one VALUES (1)")
    streams = await rig.streams("one")
    await rig.sync(rig.postgres, streams)
    await rig.sql.execute("CREATE VIEW lake.seen AS SELECT id FROM lake.one")
    await rig.sql.execute("INSERT INTO one VALUES (2); ALTER TABLE one ADD COLUMN more text")
    await rig.sync(rig.postgres, await rig.streams("one"))
    assert await rig.sql.fetchval("SELECT count(*) FROM lake.seen") == 2
    await rig.sql.execute("DROP VIEW lake.seen; CREATE INDEX own ON lake.one (more)")
    await rig.sync(rig.postgres, streams)
    assert await rig.sql.fetchval("SELECT to_regclass('lake.own') IS NOT NULL")
    await rig.sql.execute("DROP INDEX lake.own; GRANT SELECT ON lake.one TO warehouse")
    await rig.sync(rig.postgres, streams)
    assert await rig.sql.fetchval("SELECT has_table_privilege('warehouse', 'lake.one', 'SELECT')")


async def test_a_stream_that_fails_does_not_stop_the_others(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO b VALUES (1)"
    )
    streams = await rig.streams("a", "b")
    await rig.sql.execute("DROP TABLE a")
    told = await rig.sync(rig.postgres, streams)
    assert told.error == "There is no table public.a, or its user may not read it."
    ends = {line["stream"]: line["status"] for line in told.lines if "stream" in line}
    assert ends == {"public.a": "failed", "public.b": "succeeded"}
    assert await rig.sql.fetchval("SELECT count(*) FROM lake.b") == 1


async def test_clear(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    streams = await rig.streams("one", mode="incremental", cursor="id")
    for destination in (rig.postgres, rig.parquet):
        await rig.sync(destination, streams)
        told = await rig.run(do="clear", destination=destination, streams=streams)
        assert told.result == {"cleared": 1}
        again = await rig.run(do="clear", destination=destination, streams=streams)
        assert again.result == {"cleared": 1}
    assert await rig.sql.fetchval("SELECT to_regclass('lake.one')") is None
    assert not rig.folder("one").exists()
    assert (await rig.sync(rig.postgres, streams)).result["rows"] == 1


async def test_names_that_differ_by_case_only(rig: Rig) -> None:
    await rig.sql.execute(
        """CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1);
        CREATE TABLE "One" (id int PRIMARY KEY, more int); INSERT INTO "One" VALUES (2, 3)"""
    )
    for name, rows in (("one", [(1,)]), ("One", [(2,)])):
        streams = await rig.streams(name)
        streams[0]["stream"]["destination_table"] = "to"
        await rig.sync(rig.parquet, streams)
        assert rig.files("to", "id") == rows


async def test_arrays_that_do_not_keep_to_their_declaration(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (a int[]); INSERT INTO one VALUES ('{{1,2},{3,4}}')")
    told = await rig.sync(rig.parquet, await rig.streams("one"))
    assert told.error.startswith("An array column holds arrays of other dimensions")
