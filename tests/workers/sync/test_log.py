"""Change data capture from PostgreSQL: what the log tells arrives, once, and in order."""

import asyncio

import pytest

from tests.servers import SessionServers
from tests.workers.sync.rig import Rig
from tests.workers.sync.test_full_refresh import HARD
from workers.connectors.postgres_changes import IDLE_BYTES
from workers.connectors.postgres_log import lsn_number

ITEMS = """CREATE TABLE items (id int PRIMARY KEY, name text, big text, "The Note" text);
ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
INSERT INTO items SELECT i, 'n' || i, repeat(md5(i::text), 100), 'x' FROM generate_series(1, 9) i"""
ALL = 'id, name, big, "The Note"'
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
MAKE_SLOT = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')"
STORED = "id, name, big, the_note"


async def source(rig: Rig, columns: str = ALL, table: str = "items") -> list[tuple[object, ...]]:
    return [tuple(row) for row in await rig.sql.fetch(f"SELECT {columns} FROM {table} ORDER BY 1")]


async def test_a_load_and_then_the_log(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    streams = await logged.streams("items", mode="cdc")
    assert streams[0]["stream"]["supported_sync_modes"][-2:] == ["cdc", "strict_cdc"]
    told = await logged.sync(logged.postgres, streams)
    assert told.result["rows"] == 9
    assert "was created" in told.logs
    assert await logged.living("items", STORED) == await source(logged)
    await logged.sql.execute(
        "UPDATE items SET name = 'changed' WHERE id = 1; DELETE FROM items WHERE id = 2; "
        "UPDATE items SET id = 30 WHERE id = 3; INSERT INTO items VALUES (40, 'new', 'b', NULL); "
        "UPDATE items SET big = 'small', name = NULL WHERE id = 4; "
        "UPDATE items SET id = 3 WHERE id = 30; UPDATE items SET id = 31 WHERE id = 3"
    )
    told = await logged.sync(logged.postgres, streams)
    assert await logged.living("items", STORED) == await source(logged)
    deleted = await logged.sql.fetch(
        "SELECT id, name FROM lake.items WHERE _op_type = 'd' ORDER BY 1"
    )
    assert [tuple(row) for row in deleted] == [(2, None), (3, None), (30, None)]
    now = await logged.sql.fetchval(
        "SELECT bool_and(_cdc_timestamp > now() - interval '1 hour' AND _cdc_lsn::pg_lsn IS NOT NULL) "
        "FROM lake.items WHERE _op_type <> 'r'"
    )
    assert now is True
    again = await logged.sync(logged.postgres, streams)
    assert again.result["rows"] == 0


async def test_files_get_each_event_once_with_all_its_values(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    streams = await logged.streams("items", mode="cdc")
    await logged.sync(logged.parquet, streams)
    await logged.sql.execute(
        "UPDATE items SET name = 'changed' WHERE id <= 2; UPDATE items SET id = 30 WHERE id = 3; "
        "DELETE FROM items WHERE id = 4"
    )
    for _ in range(3):
        await logged.sync(logged.parquet, streams)
    ops = logged.files("items", "_op_type, count(*)", "GROUP BY 1 ORDER BY 1")
    assert ops == [("c", 1), ("d", 2), ("r", 9), ("u", 2)]
    assert logged.newest("items", STORED) == await source(logged)


@pytest.mark.long
async def test_what_a_load_has_seen_does_not_come_again(logged: Rig) -> None:
    """Transactions end after the slot's position and before the load, or during it."""
    await logged.sql.execute(ITEMS)
    first = await logged.streams("items", mode="cdc")
    await logged.sql.execute("CREATE TABLE later (id int PRIMARY KEY, v int)")
    await logged.sync(logged.parquet, first)
    await logged.sql.execute("INSERT INTO later SELECT i, 0 FROM generate_series(1, 5) i")
    await logged.sql.execute("UPDATE later SET v = 1")
    both = await logged.streams("items", "later", mode="cdc")
    await logged.sync(logged.parquet, both)
    await logged.sql.execute("UPDATE later SET v = 2 WHERE id = 1")
    await logged.sync(logged.parquet, both)
    assert logged.files("later", "count(*)") == [(6,)]
    assert logged.newest("later", "id, v") == await source(logged, "id, v", "later")


@pytest.mark.long
async def test_an_open_transaction_of_the_time_of_the_load_comes_later(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    streams = await logged.streams("items", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute(
        "CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)"
    )
    both = await logged.streams("items", "later", mode="cdc")
    writer = await logged.connect()
    open_one = writer.transaction()
    await open_one.start()
    await writer.execute("INSERT INTO later VALUES (2)")
    child = await logged.start(do="sync", destination=logged.postgres, streams=both)
    await asyncio.sleep(1)
    assert child.process.returncode is None, "the load waits for who was writing"
    await open_one.commit()
    assert (await child.told()).result
    assert await logged.living("later", "id") == [(1,), (2,)]
    await writer.close()


async def test_only_the_log(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    streams = await logged.streams("items", mode="strict_cdc")
    assert (await logged.sync(logged.postgres, streams)).result["rows"] == 0
    await logged.sql.execute("UPDATE items SET name = 'y', big = 'b' WHERE id = 1")
    assert (await logged.sync(logged.postgres, streams)).result["rows"] == 1
    assert await logged.living("items", "id, name") == [(1, "y")]


@pytest.mark.long
async def test_a_table_changes_inside_a_transaction(logged: Rig) -> None:
    await logged.sql.execute("CREATE TABLE t (id int PRIMARY KEY, v smallint, gone text)")
    streams = await logged.streams("t", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute("INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")
    async with logged.sql.transaction():
        await logged.sql.execute("INSERT INTO t VALUES (3, 3, 'c')")
        await logged.sql.execute(
            "ALTER TABLE t ADD added text; ALTER TABLE t DROP gone; ALTER TABLE t ALTER v TYPE bigint"
        )
        await logged.sql.execute("INSERT INTO t VALUES (4, 5000000000, 'new')")
        await logged.sql.execute("UPDATE t SET added = 'more' WHERE id = 1")
    assert (await logged.sync(logged.postgres, streams)).result["rows"] == 4
    assert await logged.living("t", "id, v, added, gone") == [
        (1, 1, "more", None),
        (2, 2, None, "b"),
        (3, 3, None, "c"),
        (4, 5000000000, "new", None),
    ]


@pytest.mark.long
async def test_without_a_key(logged: Rig) -> None:
    await logged.sql.execute("CREATE TABLE t (a int, b text)")
    assert (await logged.streams("t"))[0]["stream"]["supported_sync_modes"] == [
        "full_refresh",
        "incremental",
    ]
    told = await logged.sync(logged.postgres, await logged.streams("t", mode="cdc"))
    assert "REPLICA IDENTITY FULL" in told.error
    await logged.sql.execute("ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 'x')")
    streams = await logged.streams("t", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute("UPDATE t SET b = 'y'; INSERT INTO t VALUES (2, 'z')")
    await logged.sync(logged.postgres, streams)
    assert await logged.living("t", "a, b") == [(1, "y"), (2, "z")]


async def test_truncation_stops_the_stream_until_it_is_cleared(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    streams = await logged.streams("items", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute("TRUNCATE items; INSERT INTO items VALUES (1, 'after', 'b', 'c')")
    told = await logged.sync(logged.postgres, streams)
    assert "public.items was truncated" in told.error and "Clear the stream" in told.error
    await logged.run(do="clear", destination=logged.postgres, streams=streams)
    assert (await logged.sync(logged.postgres, streams)).result
    assert await logged.living("items", STORED) == await source(logged)


async def test_a_slot_that_went_ahead_is_told(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    streams = await logged.streams("items", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute("DELETE FROM items WHERE id = 1")
    await logged.sql.execute(
        "SELECT pg_replication_slot_advance($1, pg_current_wal_flush_lsn())", logged.slot
    )
    told = await logged.sync(logged.postgres, streams)
    assert "The log is gone between" in told.error and "Clear stream public.items" in told.error
    await logged.drop_slot()
    told = await logged.sync(logged.postgres, streams)
    assert "is gone, and with it the changes" in told.error


@pytest.mark.long
async def test_what_the_check_asks_for(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    settings = logged.source_config["update_method"]
    assert (await logged.run(do="check")).result["status"] == "SUCCEEDED"
    settings["create_missing"] = False
    told = await logged.run(do="check")
    assert told.error.startswith(f"There is no replication slot {logged.slot}.")
    await logged.sql.fetchval(MAKE_SLOT, logged.slot)
    assert "There is no publication" in (await logged.run(do="check")).error
    await logged.sql.execute("CREATE PUBLICATION \"Isthmus Tables\" WITH (publish = 'insert')")
    await logged.drop_slot()
    await logged.sql.fetchval(MAKE_SLOT, logged.slot)
    told = await logged.run(do="check")
    assert told.result["status"] == "SUCCEEDED"
    assert "beyond 4" in told.logs and "the slot is lost" in told.logs
    streams = await logged.streams("items", mode="cdc")
    assert "does not hold" in (await logged.sync(logged.postgres, streams)).error
    await logged.sql.execute('ALTER PUBLICATION "Isthmus Tables" ADD TABLE items (id, name)')
    assert "inserts, updates and deletes" in (await logged.sync(logged.postgres, streams)).error
    await logged.sql.execute(
        "ALTER PUBLICATION \"Isthmus Tables\" SET (publish = 'insert, update, delete')"
    )
    assert "leaves out columns" in (await logged.sync(logged.postgres, streams)).error


@pytest.mark.long
async def test_filters_and_chosen_columns(logged: Rig) -> None:
    await logged.sql.execute(ITEMS)
    chosen = {
        "filter_config": {
            "logical_operator": "and",
            "conditions": [{"column": "name", "operator": "!=", "value": "out"}],
        },
        "selected_columns": {"columns": ["id", "name"], "sync_new_columns": False},
    }
    streams = await logged.streams("items", mode="cdc", **chosen)
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute(
        "UPDATE items SET name = 'out' WHERE id = 1; INSERT INTO items VALUES (50, 'out', '', ''); "
        "INSERT INTO items VALUES (51, 'in', '', ''); UPDATE items SET \"The Note\" = '' WHERE id = 2"
    )
    await logged.sync(logged.postgres, streams)
    theirs = await logged.sql.fetch("SELECT id, name FROM items WHERE name <> 'out' ORDER BY 1")
    assert await logged.living("items", "id, name") == [tuple(row) for row in theirs]
    assert await logged.sql.fetchval("SELECT count(*) FROM lake.items WHERE id = 50") == 0


@pytest.mark.long
async def test_parts_of_a_table_are_one_stream(logged: Rig) -> None:
    await logged.sql.execute(
        "CREATE TABLE p (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); "
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); "
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2021-01-01') TO ('2022-01-01'); "
        "INSERT INTO p VALUES (1, '2020-05-05', 'a'), (2, '2021-05-05', 'b')"
    )
    streams = await logged.streams("p", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute("UPDATE p SET at = '2021-06-06', v = 'moved' WHERE id = 1")
    await logged.sync(logged.postgres, streams)
    assert await logged.living("p", "id, at, v") == await source(logged, "id, at, v", "p")


@pytest.mark.long
async def test_the_slot_follows_the_slowest_stream(
    logged: Rig, session_servers: SessionServers
) -> None:
    await logged.sql.execute(f"{ITEMS}; CREATE TABLE quiet (id int PRIMARY KEY)")
    streams = await logged.streams("items", "quiet", mode="cdc")
    await logged.sync(logged.postgres, streams)
    begun = await logged.confirmed()
    await logged.sql.execute("UPDATE items SET name = 'z'")
    await logged.sync(logged.postgres, streams)
    assert await logged.confirmed() == begun, "the quiet stream is where it was"
    await logged.sql.execute(
        "CREATE TABLE noise AS SELECT repeat(md5(i::text), 20) AS t FROM generate_series(1, 40000) i"
    )
    session_servers.superuser("CHECKPOINT")
    told = await logged.sync(logged.postgres, streams)
    assert "public.quiet" in [name for line in told.lines for name in line.get("state", {})]
    assert lsn_number(await logged.confirmed()) > lsn_number(begun) + IDLE_BYTES


async def test_hard_types_come_from_the_log_as_from_a_load(logged: Rig) -> None:
    # LIKE forgets how many dimensions an array has.
    table = HARD[HARD.index("CREATE TABLE") : HARD.index("INSERT INTO")]
    await logged.sql.execute(f"{HARD}; ALTER TABLE hard RENAME TO loaded; {table}")
    await logged.sql.execute("ALTER TABLE hard RENAME TO told")
    streams = await logged.streams("loaded", "told", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sync(logged.parquet, streams)
    await logged.sql.execute("INSERT INTO told SELECT * FROM loaded")
    # One after the other, and the first does not let go of what the second has to read.
    for destination in (logged.parquet, logged.postgres):
        told = await logged.sync(destination, streams)
        assert told.result["rows"] == 3
    names = [column["attname"] for column in await logged.sql.fetch(COLUMNS, "loaded")]
    assert len(names) > 25
    for name in names:
        loaded, told_by_log = [
            await logged.sql.fetch(f"SELECT {name}::text FROM lake.{table} ORDER BY id")
            for table in ("loaded", "told")
        ]
        assert loaded == told_by_log, name
        text = f"id, {name}::VARCHAR"
        assert sorted(logged.files("loaded", text)) == sorted(logged.files("told", text)), name


@pytest.mark.long
async def test_a_transaction_that_is_larger_than_memory(logged: Rig) -> None:
    await logged.sql.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    streams = await logged.streams("t", mode="cdc")
    await logged.sync(logged.postgres, streams)
    await logged.sql.execute(
        "INSERT INTO t SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 250000) i"
    )
    await logged.sql.execute("UPDATE t SET v = 'x' WHERE id <= 10")
    told = await logged.sync(logged.postgres, streams, limits={"memory_mb": 100})
    assert told.result["rows"] == 250010
    assert await logged.same("t")
