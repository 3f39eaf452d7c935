"""A source's columns change between syncs."""

import pytest

from tests.workers.sync.rig import Rig


@pytest.mark.parametrize("where", ["postgres", "parquet"])
async def test_columns_are_added_widened_and_left_alone(rig: Rig, where: str) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, n int, d numeric(5,2), f real, gone text); "
        "INSERT INTO one VALUES (1, 1, 1.25, 0.5, 'x')"
    )
    destination = getattr(rig, where)
    await rig.sync(destination, await rig.streams("one", mode="incremental", cursor="id"))
    await rig.sql.execute(
        "ALTER TABLE one ALTER n TYPE bigint, ALTER d TYPE numeric(12,4), ALTER f TYPE double precision, "
        "DROP gone, ADD more text; INSERT INTO one VALUES (2, 5000000000, 12345678.1234, 0.1, 'new')"
    )
    told = await rig.sync(destination, await rig.streams("one", mode="incremental", cursor="id"))
    assert told.result["rows"] >= 1
    # Narrower again: the values fit into the wider column.
    await rig.sql.execute(
        "DELETE FROM one WHERE id = 2; ALTER TABLE one ALTER n TYPE smallint; "
        "INSERT INTO one VALUES (3, 7, 1, 1, 'x')"
    )
    await rig.sync(destination, await rig.streams("one", mode="incremental", cursor="id"))
    listed = "id, n, d::VARCHAR, f, gone, more"
    if where == "parquet":
        rows = {row[0]: row[1:] for row in rig.files("one", listed)}
    else:
        rows = {r[0]: tuple(r)[1:] for r in await rig.sql.fetch(f"SELECT {listed} FROM lake.one")}
    assert rows[2] == (5000000000, "12345678.1234", 0.1, None, "new")
    assert rows[3] == (7, "1.0000", 1.0, None, "x")


@pytest.mark.parametrize("where", ["postgres", "parquet"])
async def test_what_does_not_fit_stops_the_stream(rig: Rig, where: str) -> None:
    await rig.sql.execute(
        "CREATE TABLE one (id int PRIMARY KEY, n int); INSERT INTO one VALUES (1, 1)"
    )
    destination = getattr(rig, where)
    await rig.sync(destination, await rig.streams("one", mode="incremental", cursor="id"))
    await rig.sql.execute("ALTER TABLE one ALTER n TYPE text; INSERT INTO one VALUES (2, 'x')")
    streams = await rig.streams("one", mode="incremental", cursor="id")
    told = await rig.sync(destination, streams)
    assert told.error == (
        "Column n of one has type INTEGER, and the source now sends VARCHAR, which does not fit. "
        "Clear the stream to load it anew."
    )
    await rig.run(do="clear", destination=destination, streams=streams)
    assert (await rig.sync(destination, streams)).result["rows"] == 2


async def test_new_columns_that_nobody_asked_for(rig: Rig) -> None:
    await rig.sql.execute("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    columns = {"columns": ["id"], "sync_new_columns": False}
    streams = await rig.streams("one", selected_columns=columns)
    await rig.sql.execute("ALTER TABLE one ADD more text")
    await rig.sync(rig.parquet, streams)
    assert "more" not in dict(rig.manifest("one")["columns"])
    streams[0]["selected"]["selected_columns"]["sync_new_columns"] = True
    await rig.sync(rig.parquet, streams)
    assert "more" in dict(rig.manifest("one")["columns"])
