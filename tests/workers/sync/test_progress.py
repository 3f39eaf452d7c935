"""How far a load has come is told while it goes on."""

from tests.workers.sync.rig import Rig, progress


async def test_a_load_is_told_before_it_is_committed(rig: Rig) -> None:
    await rig.sql.execute(
        "CREATE TABLE one AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 5000) i"
    )
    streams = await rig.streams("one")
    await rig.sync(rig.postgres, streams)
    reader = await rig.connect()
    await reader.execute("BEGIN; SELECT count(*) FROM lake.one")
    child = await rig.start(do="sync", destination=rig.postgres, streams=streams)
    # All is copied, and the new table waits for the reader to let go of the old one.
    told = await progress(child)
    while not told.get("rows"):
        told = await progress(child)
    assert told["status"] == "running" and told["rows"] == 5000 and told["bytes"] > 5000 * 32
    assert told["rows_per_s"] > 0
    await reader.close()
    ended = await child.told()
    assert ended.result["rows"] == 5000
    assert f"Total records read: 5000 | Total bytes read: {told['bytes']}" in ended.logs
    assert "Sync completed, wait 5 seconds cleanup in progress..." in ended.logs
