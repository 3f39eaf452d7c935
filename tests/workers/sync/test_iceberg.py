"""Iceberg tables, read by others than their writer: pyiceberg with Arrow, and DuckDB."""

import asyncio
import json
import os
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent
from pyiceberg.schema import Schema
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

from tests.workers.sync.rig import Rig
from tests.workers.sync.test_changes import AT, BATCHES, sync
from tests.workers.sync.test_full_refresh import EXACT_TEXT, HARD
from tests.workers.sync.test_kills import TABLE, change, kill
from workers.connectors import duck, iceberg_catalog, iceberg_io
from workers.connectors.base import Run, Session, SyncError
from workers.connectors.door import Door


async def test_a_catalog_in_a_file_leaves_the_environment_alone(rig: Rig, tmp_path: Path) -> None:
    before = dict(os.environ)
    sync(rig, tmp_path, rig.iceberg, [], 1)
    assert dict(os.environ) == before


def test_a_table_does_not_say_which_files_may_be_read(tmp_path: Path) -> None:
    bounds = {"py-io-impl": iceberg_io.IMPLEMENTATION, iceberg_io.ROOT: str(tmp_path)}
    theirs = SqlCatalog(
        "lake", uri=f"sqlite:///{tmp_path}/own.db", warehouse=f"file://{tmp_path}/lake", **bounds
    )
    theirs.create_namespace("n")
    wider = {
        iceberg_io.ROOT: "/",
        iceberg_io.PROXY: "",
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
    }
    theirs.create_table(("n", "t"), Schema(), properties=wider)
    session = Session(
        duck=duckdb.connect(),
        run=Run(),
        data_root=tmp_path,
        scratch=tmp_path,
        log=lambda level, message: None,
        address=lambda host, port: host,
    )
    writer = {"catalog_type": "jdbc", "jdbc_url": "jdbc:sqlite:own.db", "catalog_name": "lake"}
    door = Door(session.address)
    files = iceberg_catalog.connect(session, writer, door).load_table(("n", "t")).io
    door.close()
    assert isinstance(files, iceberg_io.Files)
    assert files.properties[iceberg_io.PROXY] == door.url
    with pytest.raises(SyncError, match="not below the data folder"):
        files.read("file:///etc/hostname")


async def test_hard_types_arrive(rig: Rig) -> None:
    await rig.sql.execute(HARD)
    told = await rig.sync(rig.iceberg, await rig.streams("hard"))
    assert told.result["rows"] == 3 and told.result["bytes"] > 0
    assert "Column tz of hard holds infinite" in told.logs
    for name in EXACT_TEXT:
        theirs = [r[0] for r in await rig.sql.fetch(f"SELECT {name}::text FROM hard")]
        ours = [r[0] for r in rig.iceberg_rows("hard", f"{name}::VARCHAR")]
        assert sorted(ours, key=str) == sorted(theirs, key=str), name
    listed = "ia::VARCHAR, ta::VARCHAR, ia2::VARCHAR, ts::VARCHAR, tz::VARCHAR, d::VARCHAR, b, f8::VARCHAR, p"
    rows = rig.iceberg_rows("hard", listed)
    first = (
        "[1, NULL, 3]",
        "[a, 'b,c', NULL]",
        "[[1, 2], [3, 4]]",
        "2024-01-01 10:00:00.123456",
        "2024-01-01 08:00:00.123456+00",
        "2024-02-29",
        b"\\xdeadbeef",
        "nan",
        '{"x":1.0,"y":2.0}',
    )
    assert first in rows
    assert ("[]", "[]", None, "0044-03-15 (BC) 00:00:00", None, "4713-01-01 (BC)") in [
        row[:6] for row in rows
    ]


async def test_another_engine_reads_the_same(rig: Rig, tmp_path: Path) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, n numeric(38,9), t text, at timestamptz, tags text[]); "
        "INSERT INTO one SELECT i, i / 7.0, 't' || i, now() + i * interval '1 hour', ARRAY['a', NULL] "
        "FROM generate_series(1, 5000) i"
    )
    await rig.sync(rig.iceberg, await rig.streams("one", partition_regex="/{at, month}"))
    metadata = rig.iceberg_table("one").metadata_location.removeprefix("file://")
    with duckdb.connect() as con:
        for extension in ("avro", "iceberg"):
            duck.load(con, extension)
        rows = con.execute(
            f"SELECT id, n::VARCHAR, t, epoch_us(\"at\"), tags FROM iceberg_scan('{metadata}') ORDER BY id"
        ).fetchall()
    theirs = await rig.sql.fetch(
        "SELECT id, n::text, t, (extract(epoch FROM at) * 1000000)::bigint, tags FROM one ORDER BY id"
    )
    assert rows == [tuple(row) for row in theirs]


async def test_incremental_syncs_replace_rows_by_their_key(rig: Rig) -> None:
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode="incremental", cursor="at")
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 20000
    for _ in range(10):
        before = len(rig.iceberg_table("one").metadata.snapshots)
        await rig.sync(rig.iceberg, streams)
        if len(rig.iceberg_table("one").metadata.snapshots) == before:
            break
        # Transactions of other tests were open: rows written since they began are read again.
    else:
        pytest.fail("Nothing is new, and each sync makes a snapshot.")
    assert rig.iceberg_rows("one", "count(*), count(DISTINCT _olake_id)") == [(20000, 20000)]
    await rig.sql.execute("UPDATE one SET v = 'changed', at = 1 WHERE id IN (7, 70, 700)")
    await rig.sql.execute("INSERT INTO one VALUES (20001, 'new', 1)")
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 4
    await equal(rig)
    snapshot = rig.iceberg_table("one").current_snapshot()
    assert snapshot.summary["isthmus.job"] == "7" and json.loads(
        snapshot.summary["isthmus.position"]
    )


async def test_appends_and_refreshes(rig: Rig) -> None:
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode="incremental", cursor="at", append_mode=True)
    await rig.sync(rig.iceberg, streams)
    await rig.sql.execute("UPDATE one SET at = 1 WHERE id <= 10")
    await rig.sync(rig.iceberg, streams)
    assert rig.iceberg_rows("one", "count(*), count(DISTINCT _olake_id)") == [(20010, 20000)]
    await rig.sql.execute("DELETE FROM one WHERE id > 5; ALTER TABLE one DROP v, ADD more text")
    await rig.sync(rig.iceberg, await rig.streams("one"))
    assert rig.iceberg_rows("one", 'id, "at", more') == [(i, 1, None) for i in range(1, 6)]
    assert "v" not in rig.iceberg_table("one").schema().column_names


async def test_changes_of_a_log_fold_and_keep_what_is_absent(rig: Rig, tmp_path: Path) -> None:
    sync(rig, tmp_path / "s", rig.iceberg, [], 1)
    sync(rig, tmp_path / "s", rig.iceberg, BATCHES, 2)
    catalog = SqlCatalog("lake", uri=f"sqlite:///{rig.data_root / 'catalog.db'}")
    (table,) = catalog.list_tables(catalog.list_namespaces()[0])
    rows = catalog.load_table(table).scan().to_arrow().to_pylist()
    names = ("id", "_op_type", "name", "the_note", "_cdc_timestamp")
    assert sorted((tuple(row[n] for n in names) for row in rows), key=lambda r: r[0]) == [
        (0, "u", "b", "x", AT),
        (1, "d", None, None, AT),
        (2, "u", "c", None, AT),
        (7, "u", "second", "kept", AT),
    ]


@pytest.mark.long
async def test_columns_are_added_and_widened_in_the_same_snapshot(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, n int, d numeric(5,2), f real, gone text); "
        "INSERT INTO one VALUES (1, 1, 1.25, 0.5, 'x'), (2, 2, 2, 2, 'y')"
    )
    await rig.sync(rig.iceberg, await rig.streams("one", mode="incremental", cursor="id"))
    await rig.sql.execute(
        "ALTER TABLE one ALTER n TYPE bigint, ALTER d TYPE numeric(12,2), ALTER f TYPE double precision, "
        "DROP gone, ADD more text; INSERT INTO one VALUES (3, 5000000000, 12345678.12, 0.1, 'new')"
    )
    told = await rig.sync(rig.iceberg, await rig.streams("one", mode="incremental", cursor="id"))
    assert told.result["rows"] >= 1
    rows = rig.iceberg_rows("one", "id, n, d::VARCHAR, f, gone, more")
    assert (3, 5000000000, "12345678.12", 0.1, None, "new") in rows and len(rows) == 3
    # The source has rewritten its rows: they came again, without the column.
    assert (1, 1, "1.25", 0.5, None, None) in rows
    assert "gone" in rig.iceberg_table("one").schema().column_names
    await rig.sql.execute("ALTER TABLE one ALTER d TYPE numeric(14,4); INSERT INTO one VALUES (4)")
    streams = await rig.streams("one", mode="incremental", cursor="id")
    told = await rig.sync(rig.iceberg, streams)
    assert told.error == (
        "Iceberg cannot change column d of one from DECIMAL(12,2) to DECIMAL(14,4). "
        "Clear the stream to load it anew."
    )
    await rig.run(do="clear", destination=rig.iceberg, streams=streams)
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 4


@pytest.mark.long
async def test_partitions(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at timestamp, city text); INSERT INTO one "
        "SELECT i, '2026-01-01'::timestamp + i * interval '1 hour', nullif('c/ü' || i % 2, 'c/ü1') "
        "FROM generate_series(1, 200) i"
    )
    template = "/{at, day}/{id, bucket[4]}/{city, identity}/{city, truncate[1]}/{id, void}"
    streams = await rig.streams("one", partition_regex=template, mode="incremental", cursor="id")
    await rig.sync(rig.iceberg, streams)
    table = rig.iceberg_table("one")
    assert [str(field.transform) for field in table.spec().fields] == [
        "day",
        "bucket[4]",
        "identity",
        "truncate[1]",
        "void",
    ]
    for where, rows in (("id = 17", 1), ("city = 'c/ü0'", 100), ("at < '2026-01-02T00:00:00'", 23)):
        assert table.scan(row_filter=where).to_arrow().num_rows == rows, where
    assert len(list(table.scan(row_filter="id = 17").plan_files())) < len(
        list(table.scan().plan_files())
    )
    await rig.sql.execute("UPDATE one SET city = 'z', at = '2030-01-01' WHERE id = 200")
    await rig.sync(rig.iceberg, streams)
    assert table.refresh().scan(row_filter="city = 'z'").to_arrow().num_rows == 1
    for wrong, sentence in (
        ("/{at, weekly}", "The partition's transform weekly is none of identity, year, month, day"),
        ("/{gone, day}", "The partition names column gone, which the stream lacks."),
        ("/{city, day}", "Column city is a string, which cannot be partitioned by day."),
    ):
        streams = await rig.streams("one", partition_regex=wrong)
        streams[0]["stream"]["destination_table"] = "two"
        assert (await rig.sync(rig.iceberg, streams)).error.startswith(sentence)


async def test_readers_never_see_an_empty_or_half_table(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one AS SELECT i AS id FROM generate_series(1, 100000) i")
    streams = await rig.streams("one")
    await rig.sync(rig.iceberg, streams)
    table, seen, ended = rig.iceberg_table("one"), set(), asyncio.Event()

    def count() -> int:
        return int(table.refresh().scan().count())

    async def read() -> None:
        while not ended.is_set():
            seen.add(await asyncio.to_thread(count))

    reading = asyncio.create_task(read())
    await rig.sql.execute("INSERT INTO one SELECT 0")
    await rig.sync(rig.iceberg, streams)
    ended.set()
    await reading
    assert seen <= {100000, 100001} and 100000 in seen
    assert await asyncio.to_thread(count) == 100001


@pytest.mark.long
async def test_an_older_run_is_refused(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    streams = await rig.streams("one", mode="incremental", cursor="id")
    await rig.sync(rig.iceberg, streams, run={"id": "new", "number": 9, "fence": 2})
    await rig.sql.execute("INSERT INTO one VALUES (2)")
    for run in ({"id": "old", "number": 8, "fence": 5}, {"id": "new", "number": 9, "fence": 1}):
        for what in ("sync", "clear"):
            told = await rig.run(do=what, destination=rig.iceberg, streams=streams, run=run)
            assert told.error == "A later run has written to this table; this one has lost it."
    assert rig.iceberg_rows("one", "id") == [(1,)]
    await rig.sync(rig.iceberg, streams, run={"id": "new", "number": 9, "fence": 3})
    assert rig.iceberg_rows("one", "count(*)") == [(2,)]


@pytest.mark.long
async def test_positions_outlive_the_snapshots_of_others(rig: Rig) -> None:
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode="incremental", cursor="id")
    await rig.sync(rig.iceberg, streams)
    table = rig.iceberg_table("one")
    table.append(table.scan().to_arrow().slice(0, 1))
    await rig.sql.execute("INSERT INTO one VALUES (20001, 'x', 1)")
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] < 20000
    await rig.sync(rig.iceberg, streams, job={"id": 8, "prefix": "job"})
    assert rig.iceberg_rows("one", "count(*)") == [(20001,)], "another job loads it anew"


def add_equality_deletes(table: Any) -> None:
    """A delete file as OLake's own writer leaves it behind."""
    with table.transaction() as transaction:
        snapshot = transaction.update_snapshot().fast_append()
        assert isinstance(snapshot, _FastAppendFiles)
        field = table.schema().find_field("_olake_id").field_id
        snapshot.append_data_file(
            DataFile.from_args(
                content=DataFileContent.EQUALITY_DELETES,
                file_path=f"{table.location()}/data/deletes.parquet",
                file_format=FileFormat.PARQUET,
                partition=Record(),
                record_count=1,
                file_size_in_bytes=1,
                equality_ids=[field],
                spec_id=0,
            )
        )
        made = snapshot.new_manifest_writer

        def manifest(spec: Any) -> Any:
            writer = made(spec)
            writer.content = lambda: ManifestContent.DELETES
            return writer

        snapshot.new_manifest_writer = manifest  # type: ignore[method-assign]
        snapshot.commit()


async def test_a_table_with_equality_deletes_is_refused(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    streams = await rig.streams("one", mode="incremental", cursor="id")
    await rig.sync(rig.iceberg, streams)
    add_equality_deletes(rig.iceberg_table("one"))
    told = await rig.sync(rig.iceberg, streams)
    assert told.error.startswith("The Iceberg table job_db_public.one has delete files (equality")
    await rig.run(do="clear", destination=rig.iceberg, streams=streams)
    assert (await rig.sync(rig.iceberg, streams)).result["rows"] == 1


async def test_check_leaves_nothing_behind(rig: Rig) -> None:
    told = await rig.run(do="check", destination=rig.iceberg)
    assert told.result["status"] == "SUCCEEDED"
    assert not list((rig.data_root / "lake").rglob("*.parquet"))
    catalog = SqlCatalog("lake", uri=f"sqlite:///{rig.data_root / 'catalog.db'}")
    assert catalog.list_namespaces() == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"catalog_type": "glue"}, "Iceberg catalogs of type glue are not supported: use jdbc"),
        ({"jdbc_url": "jdbc:sqlite:../out.db"}, "The catalog names files that are not below"),
        ({"jdbc_url": "jdbc:mysql://x/y"}, "The JDBC URL must begin with jdbc:postgresql://"),
        ({"iceberg_s3_path": "/etc"}, "The catalog names files that are not below"),
        ({"iceberg_s3_path": "gs://x/y"}, "Tables on gs:// cannot be written"),
    ],
)
async def test_settings_that_cannot_work(rig: Rig, change: dict[str, str], sentence: str) -> None:
    destination = rig.iceberg
    destination["config"]["writer"].update(change)
    told = await rig.run(do="check", destination=destination)
    assert told.error.startswith(sentence)


async def equal(rig: Rig) -> None:
    theirs = await rig.sql.fetch("SELECT id, v, at FROM one")
    assert sorted(rig.iceberg_rows("one", 'id, v, "at"')) == sorted(map(tuple, theirs))


async def kills(rig: Rig, mode: str, rounds: int, seed: int) -> None:
    """Syncs that are killed, from the moment on in which they read."""
    chance = random.Random(seed)
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode=mode, cursor="at")
    killed = 0
    for round in range(1, rounds + 1):
        killed += await kill(rig, rig.iceberg, streams, chance.uniform(0, 0.5) * (round > 1))
        await change(rig, round, chance)
    assert (await rig.sync(rig.iceberg, streams)).result
    assert killed > 0
    await equal(rig)


@pytest.mark.long
@pytest.mark.parametrize("seed", [10, 11])
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
async def test_many_kills(rig: Rig, mode: str, seed: int) -> None:
    await kills(rig, mode, 20, seed)
