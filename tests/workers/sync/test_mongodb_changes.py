"""Change streams of MongoDB: what they tell arrives, once, and in order."""

import pytest

from tests.workers.sync.mongo_shop import ICEBERG, LOCAL, PARQUET, Shop, configured_as
from tests.workers.sync.mongo_stand_in import StandIn, token
from tests.workers.sync.mongo_values import Doc
from tests.workers.sync.rig import Rig, Told
from workers.connectors import mongodb_changes
from workers.connectors.base import SyncError
from workers.sync.catalog import configured


async def test_a_load_and_then_the_log(rig: Rig, mongo: StandIn) -> None:
    mongo.insert("one", *({"_id": i, "name": f"n{i}", "more": i} for i in range(1, 6)))
    source = Shop(mongo, rig.data_root).source()
    found = (await rig.run(LOCAL, do="discover", source=source)).result["catalog"]
    (pair,) = configured_as(found, "cdc")
    assert pair["stream"]["supported_sync_modes"][-2:] == ["cdc", "strict_cdc"]

    async def sync() -> Told:
        return await rig.sync(rig.postgres, [pair], LOCAL, source=source)

    assert (await sync()).result["rows"] == 5
    mongo.update("one", 1, {"name": "changed", "price": 1.5})
    mongo.replace("one", {"_id": 2, "name": "whole"})
    mongo.delete("one", 3)
    mongo.update("one", 4, {"name": "never seen"})
    mongo.delete("one", 4)
    mongo.transaction("one", {"_id": 6, "name": "six"}, {"_id": 7, "name": "seven"})
    mongo.insert("other", {"_id": 1})
    assert (await sync()).result["rows"] == 6
    told = await rig.living("one", "_id, name, more, price, _op_type")
    assert told == [
        (1, "changed", 1, 1.5, "u"),
        (2, "whole", None, None, "u"),
        (5, "n5", 5, None, "r"),
        (6, "six", None, None, "c"),
        (7, "seven", None, None, "c"),
    ]
    (row,) = await rig.sql.fetch("SELECT * FROM lake.one WHERE _id = 7")
    assert row["_cdc_timestamp"].timestamp() > 1_760_000_000
    assert row["_cdc_resume_token"] == token(*mongo.log[-2].at)
    assert (await sync()).result["rows"] == 0


def test_changes_in_appended_files_and_in_upserts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part ends between transactions only; what a column holds may change its type."""
    monkeypatch.setattr(mongodb_changes, "PART_ROWS", 10)
    monkeypatch.setattr(mongodb_changes, "PACK", 4)
    server = shop.server
    server.insert("one", {"_id": 1, "v": "a"})
    streams = shop.streams("cdc")
    assert (shop.sync(PARQUET, streams), shop.sync(ICEBERG, streams)) == (1, 1)
    for i in range(2, 9):
        server.insert("one", {"_id": i, "v": "b", "n": i})
    server.transaction("one", *({"_id": 100 + i, "n": i + 0.5} for i in range(20)))
    server.update("one", 1, {"v": "changed", "n": 3})
    server.delete("one", 2)
    server.insert("one", {"_id": 2, "v": "back"})
    assert (shop.sync(PARQUET, streams), shop.sync(ICEBERG, streams)) == (30, 29)
    last = "QUALIFY row_number() OVER (PARTITION BY _olake_id ORDER BY _cdc_resume_token DESC NULLS LAST) = 1"
    newest = shop.rows("_id, v, n, _op_type", rest=last)
    assert len(newest) == 28 and {(1, "changed", 3.0, "u"), (2, "back", None, "c")} <= set(newest)
    assert (119, None, 19.5, "c") in newest
    rows = {row["_id"]: row for row in shop.iceberg_rows()}
    assert (
        len(rows) == 28
        and rows[1]["v"] == "changed"
        and rows[2]["n"] is None
        and rows[119]["n"] == 19.5
    )


def test_parts_end_between_transactions(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb_changes, "PART_ROWS", 10)
    server = shop.server
    server.insert("one", {"_id": 1})
    begun = {"token": {"_data": server.log[0].token}}
    for i in range(2, 9):
        server.insert("one", {"_id": i})
    server.transaction("one", *({"_id": 100 + i} for i in range(20)))
    server.insert("one", {"_id": 9})
    (pair,) = shop.streams("cdc")
    stream = configured(pair["stream"], pair["selected"])
    with shop.session() as session, shop.opened(session) as source:
        parts = [
            (
                session.duck.execute(f"SELECT _id FROM ({part.relation})").fetchall(),
                part.position["token"],
            )
            for part in source.changes([stream], {stream.id: begun})
        ]
    assert [len(rows) for rows, _ in parts] == [27, 1]
    assert parts[0][1] == {"_data": server.log[-2].token}


def test_a_sync_reads_to_where_the_log_ended_when_it_began(shop: Shop) -> None:
    server = shop.server
    server.insert("one", {"_id": 1})
    streams = shop.streams("cdc")
    assert shop.sync(PARQUET, streams) == 1
    server.insert("one", {"_id": 2})

    def come(command: Doc) -> None:
        if "getMore" in command:
            server.before = lambda command: None
            server.insert("one", {"_id": 3})

    server.before = come
    # The member that answers does not know of the log's end at first.
    server.lags = 2
    assert shop.sync(PARQUET, streams) == 1
    assert shop.sync(PARQUET, streams) == 1
    assert sorted(shop.rows("_id")) == [(1,), (2,), (3,)]


def test_only_changes(shop: Shop) -> None:
    server = shop.server
    server.insert("one", {"_id": 1, "v": "before"})
    streams = shop.streams("strict_cdc")
    assert shop.sync(PARQUET, streams) == 0
    server.insert("one", {"_id": 2, "v": "after"})
    assert shop.sync(PARQUET, streams) == 1
    assert shop.rows("_id, v, _op_type") == [(2, "after", "c")]
    # A position that a person has set, as OLake writes it.
    shop.states = {"shop.one": {"_data": server.log[0].token, "_set": "now"}}
    assert shop.sync(PARQUET, streams) == 1
    shop.states = {"shop.one": {"lsn": "0/1", "_set": "later"}}
    with pytest.raises(SyncError, match="has no token"):
        shop.sync(PARQUET, streams)


def test_a_change_during_the_load_is_not_lost(shop: Shop) -> None:
    server = shop.server
    server.insert("one", *({"_id": i, "v": "a"} for i in range(3)))
    streams = shop.streams("cdc")

    def come(command: Doc) -> None:
        if "find" in command:
            server.before = lambda command: None
            server.insert("one", {"_id": 9, "v": "new"})
            server.delete("one", 0)

    server.before = come
    shop.sync(ICEBERG, streams)
    rows = shop.iceberg_rows()
    assert sorted(r["_id"] for r in rows if r["_op_type"] != "d") == [1, 2, 9]
    reads = [c for c in server.asked("find") if "afterClusterTime" in c.get("readConcern", {})]
    assert reads and reads[-1]["readConcern"]["level"] == "majority"


def test_logs_that_end(shop: Shop) -> None:
    server = shop.server
    server.insert("one", {"_id": 1})
    streams = shop.streams("cdc")
    shop.sync(PARQUET, streams)
    kept = shop.rows("_id")
    server.forget()
    with pytest.raises(SyncError, match="no longer holds what follows") as told:
        shop.sync(PARQUET, streams)
    assert not told.value.retry and shop.rows("_id") == kept
    server.log_begins = (0, 0, 0)
    server.insert("one", {"_id": 2})
    server.drop("one")
    server.insert("one", {"_id": 3})
    with pytest.raises(SyncError, match="was dropped or renamed"):
        shop.sync(PARQUET, streams)


def test_a_quiet_stream_moves_on(shop: Shop) -> None:
    server = shop.server
    server.insert("one", {"_id": 1})
    streams = shop.streams("cdc")
    shop.sync(PARQUET, streams)
    manifest = shop.root / "lake/job_shop_shop/one/_manifest.json"
    before = manifest.read_text()
    assert shop.sync(PARQUET, streams) == 0 and manifest.read_text() == before
    server.tick(seconds=7200)
    server.insert("other", {"_id": 1})
    assert shop.sync(PARQUET, streams) == 0 and manifest.read_text() != before
    server.forget()
    server.log_begins = (server.clock[0] - 60, 0, 0)
    server.insert("one", {"_id": 2})
    assert shop.sync(PARQUET, streams) == 1
