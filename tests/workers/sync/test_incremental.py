"""Reading by cursor: nothing is lost and nothing comes twice."""

import pytest

from tests.workers.sync.rig import Rig


async def test_upsert_by_cursor(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, v text, at int); "
        "INSERT INTO one SELECT i, 'a', i FROM generate_series(1, 1000) i"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at")
    assert (await rig.sync(rig.postgres, streams)).result["rows"] == 1000
    assert (await rig.sync(rig.postgres, streams)).result["rows"] == 0
    await rig.sql.execute(
        "UPDATE one SET v = 'b', at = 2000 + id WHERE id <= 10; INSERT INTO one VALUES (0, 'c', 3000)"
    )
    told = await rig.sync(rig.postgres, streams)
    assert told.result["rows"] == 11
    assert await rig.same("one")
    ops = await rig.sql.fetch("SELECT _op_type, count(*) FROM lake.one GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in ops] == [("r", 990), ("u", 11)]


async def test_equal_cursors_in_append_mode(rig: Rig) -> None:
    rig.source_config = {"find_late_rows": False}
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at int); INSERT INTO one VALUES (1, 5), (2, 5)"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at")
    await rig.sync(rig.parquet, streams)
    for number in (3, 4):
        await rig.sql.execute(f"INSERT INTO one VALUES ({number}, 5)")
        assert (await rig.sync(rig.parquet, streams)).result["rows"] == 1
        assert (await rig.sync(rig.parquet, streams)).result["rows"] == 0
    assert sorted(rig.files("one", "id")) == [(1,), (2,), (3,), (4,)]


async def test_rows_that_were_committed_late(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at int); INSERT INTO one VALUES (1, 5)"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at")
    other = await rig.connect()
    for destination in (rig.postgres, rig.parquet):
        await rig.sql.execute("TRUNCATE one; INSERT INTO one VALUES (1, 5)")
        await rig.sync(destination, streams)
        late = other.transaction()
        await late.start()
        await other.execute("INSERT INTO one VALUES (2, 4)")
        await rig.sql.execute("INSERT INTO one VALUES (3, 10)")
        assert (await rig.sync(destination, streams)).result["rows"] == 1
        await late.commit()
        # Begun after that sync, with a cursor that lies before its position.
        await rig.sql.execute("INSERT INTO one VALUES (4, 1)")
        assert (await rig.sync(destination, streams)).result["rows"] == 2
        assert (await rig.sync(destination, streams)).result["rows"] == 0
    await other.close()
    assert await rig.same("one")
    assert sorted(rig.files("one", "id")) == [(1,), (2,), (3,), (4,)]


async def test_a_second_cursor_where_the_first_is_null(rig: Rig) -> None:
    rig.source_config = {"find_late_rows": False}
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at timestamptz, made timestamptz); "
        "INSERT INTO one VALUES (1, '2026-01-01', '2026-01-01'), (2, NULL, '2026-01-02')"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at:made")
    assert (await rig.sync(rig.postgres, streams)).result["rows"] == 2
    await rig.sql.execute(
        "INSERT INTO one VALUES (3, NULL, '2026-01-03'), (4, '2026-01-04', '2025-01-01'), "
        "(5, NULL, '2026-01-01')"
    )
    await rig.sync(rig.postgres, streams)
    assert await rig.sql.fetchval("SELECT array_agg(id ORDER BY id) FROM lake.one") == [1, 2, 3, 4]


async def test_another_cursor_or_mode_begins_anew(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at int); INSERT INTO one VALUES (1, 9), (2, 8)"
    )
    for mode, cursor in (("incremental", "at"), ("incremental", "id"), ("full_refresh", "id")):
        streams = await rig.streams("one", mode=mode, cursor=cursor)
        assert (await rig.sync(rig.postgres, streams)).result["rows"] == 2
    assert await rig.same("one")


async def test_a_table_without_key(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (at int, v text); INSERT INTO one VALUES (1, 'a'), (1, 'b')"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at")
    await rig.sync(rig.postgres, streams)
    await rig.sql.execute("INSERT INTO one VALUES (1, 'c'), (2, 'd')")
    await rig.sync(rig.postgres, streams)
    assert await rig.same("one")


async def test_a_cursor_that_is_no_column(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY)")
    told = await rig.sync(rig.parquet, await rig.streams("one", mode="incremental", cursor="gone"))
    assert told.error == "The cursor gone is no column of public.one."


async def test_what_an_older_run_still_writes_is_refused(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    streams = await rig.streams("one", mode="incremental", cursor="id")
    for destination in (rig.postgres, rig.parquet):
        run = {"id": "new", "number": 50, "fence": 2}
        await rig.sync(destination, streams, run=run)
        for order in ({"number": 50, "fence": 1}, {"number": 49, "fence": 9}):
            told = await rig.sync(destination, streams, run={"id": "old", **order})
            assert told.error.startswith("A later run has written to this table")
        assert (await rig.sync(destination, streams, run=run)).result["rows"] == 0


async def test_a_row_that_a_savepoint_wrote_is_not_lost(rig: Rig) -> None:
    """Transactions inside transactions have ids that no snapshot lists."""
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, at int); INSERT INTO one VALUES (1, 5)"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at")
    other = await rig.connect()
    await other.execute(
        "BEGIN; SELECT pg_current_xact_id(); SAVEPOINT a; INSERT INTO one VALUES (2, 3)"
    )
    await rig.sql.execute("INSERT INTO one VALUES (3, 5)")
    assert (await rig.sync(rig.parquet, streams)).result["rows"] == 2
    await other.execute("COMMIT")
    await other.close()
    assert (await rig.sync(rig.parquet, streams)).result["rows"] == 1
    assert (await rig.sync(rig.parquet, streams)).result["rows"] == 0
    assert sorted(rig.files("one", "id")) == [(1,), (2,), (3,)]


@pytest.mark.long
async def test_a_partitioned_table(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); "
        "CREATE TABLE one_1 PARTITION OF one FOR VALUES FROM (0) TO (10); "
        "CREATE TABLE one_2 PARTITION OF one DEFAULT; INSERT INTO one VALUES (1, 5), (2, 50)"
    )
    streams = await rig.streams("one", mode="incremental", cursor="at")
    other = await rig.connect()
    await other.execute("BEGIN; INSERT INTO one VALUES (3, 1)")
    assert (await rig.sync(rig.postgres, streams)).result["rows"] == 2
    await other.execute("COMMIT")
    await other.close()
    assert (await rig.sync(rig.postgres, streams)).result["rows"] == 1
    assert await rig.same("one")


@pytest.mark.long
async def test_a_position_that_was_set_by_hand(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one SELECT generate_series(1, 9)"
    )
    streams = await rig.streams("one", mode="incremental", cursor="id")
    told = await rig.sync(rig.postgres, streams)
    state = [line["state"]["public.one"] for line in told.lines if "state" in line][-1]
    kept = await rig.sync(rig.postgres, streams, state={"public.one": {**state, "marks": ["1"]}})
    assert kept.result["rows"] == 0
    del state["_run"]
    back = {"public.one": {**state, "marks": ["7"]}}
    assert (await rig.sync(rig.postgres, streams, state=back)).result["rows"] == 2
    plain = {"public.one": {"id": 5}}
    assert (await rig.sync(rig.postgres, streams, state=plain)).result["rows"] == 5
    wrong = await rig.sync(rig.postgres, streams, state={"public.one": {"x": 1}})
    assert wrong.error.startswith("The state of public.one cannot be read.")
    assert (await rig.sync(rig.postgres, streams, state={"public.one": {}})).result["rows"] == 9
    assert await rig.same("one")


async def test_a_position_that_was_set_counts_once(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one SELECT generate_series(1, 9)"
    )
    streams = await rig.streams("one", mode="incremental", cursor="id")
    await rig.sync(rig.parquet, streams)
    # The worker dies before it has told its database of the commit: the state comes again.
    back = {"public.one": {"id": 7, "_set": "2026-01-01T00:00:00+00:00"}}
    assert (await rig.sync(rig.parquet, streams, state=back)).result["rows"] == 3
    assert (await rig.sync(rig.parquet, streams, state=back)).result["rows"] == 0
    later = {"public.one": {"id": 7, "_set": "2026-01-02T00:00:00+00:00"}}
    assert (await rig.sync(rig.parquet, streams, state=later)).result["rows"] == 3
