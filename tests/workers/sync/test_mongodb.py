"""MongoDB as a source: PyMongo and the connector against a stand-in of a server.

Syncs of the first tests run in a child process, as a worker starts them; those of the others in this
one.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from tests.workers.notify.sinks import certificate
from tests.workers.sync.mongo_shop import LOCAL, PARQUET, Shop, configured_as
from tests.workers.sync.mongo_stand_in import StandIn
from tests.workers.sync.mongo_values import Doc
from tests.workers.sync.mongo_wire import Fault
from tests.workers.sync.rig import Rig
from workers.connectors import mongodb_rows, mongodb_scan
from workers.connectors.base import SyncError
from workers.connectors.mongodb import decoded

PASSWORD = "canary-mongo"


@pytest.fixture
def guarded() -> Iterator[StandIn]:
    server = StandIn(users={"reader": PASSWORD})
    yield server
    server.stop()


HARD: Doc = {
    "_id": ObjectId("65f000000000000000000001"),
    "small": 7,
    "large": Int64(2**62),
    "double": 0.1,
    "nan": float("nan"),
    "infinite": float("-inf"),
    "text": "ż 😀 \"'\\\n",
    "yes": True,
    "at": DatetimeMS(1_700_000_000_123),
    "late": DatetimeMS(2**62),
    "exact": Decimal128("12345678901234567890.123456789"),
    "oid": ObjectId("65f0000000000000000000ff"),
    "bytes": b"\0\xff'",
    "uuid": Binary(UUID("12345678-1234-5678-1234-567812345678").bytes, 4),
    "nothing": None,
    "tree": {
        "a": [1, None, {"b": ObjectId("65f0000000000000000000ff")}],
        "at": DatetimeMS(0),
        "nan": float("nan"),
        "exact": Decimal128("1.50"),
        "ż": b"\1",
    },
    "list": [1, "two", 3.5],
    "regex": Regex("^a", "i"),
    "code": Code("f()"),
    "stamp": Timestamp(5, 6),
    "most": MaxKey(),
    "Weird Name!": 1,
    "_op_type": "mine",
    "_CDC_timestamp": "mine",
}


async def test_hard_types(rig: Rig, guarded: StandIn) -> None:
    guarded.insert("hard", HARD, {"_id": ObjectId("65f000000000000000000002")})
    login = {"username": "reader", "password": PASSWORD, "authdb": "admin"}
    source = Shop(guarded, rig.data_root).source(**login)
    found = (await rig.run(LOCAL, do="discover", source=source)).result["catalog"]
    streams = configured_as(found, "full_refresh")
    types = {n: p["type"] for n, p in streams[0]["stream"]["type_schema"]["properties"].items()}
    assert types["small"] == ["integer", "null"] and types["at"] == ["timestamp_micro", "null"]
    told = await rig.sync(rig.postgres, streams, LOCAL, source=source)
    assert told.result["rows"] == 2
    assert PASSWORD not in str(told.lines) + told.stderr
    one, two = await rig.sql.fetch("SELECT * FROM lake.hard ORDER BY _id")
    assert (one["_olake_id"], one["_id"]) == ("65f000000000000000000001",) * 2
    assert (one["small"], one["large"], one["double"]) == (7, 2**62, 0.1)
    assert str(one["nan"]) == "nan" and one["infinite"] == float("-inf")
    assert (one["text"], one["yes"]) == (HARD["text"], True)
    assert one["at"] == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)
    assert one["late"] is None and "1 dates of shop.hard.late lie outside" in told.logs
    assert one["exact"] == "12345678901234567890.123456789"
    assert (one["oid"], one["bytes"]) == ("65f0000000000000000000ff", b"\0\xff'")
    assert one["uuid"] == UUID("12345678-1234-5678-1234-567812345678")
    assert json.loads(one["tree"]) == {
        "a": [1, None, {"b": "65f0000000000000000000ff"}],
        "at": "1970-01-01T00:00:00.000Z",
        "nan": "NaN",
        "exact": "1.50",
        "ż": "01",
    }
    assert one["list"] == '[1,"two",3.5]'
    assert json.loads(one["regex"]) == {"$regularExpression": {"pattern": "^a", "options": "i"}}
    assert one["code"] == "f()"
    assert json.loads(one["stamp"]) == {"$timestamp": {"t": 5, "i": 6}}
    assert json.loads(one["most"]) == {"$maxKey": 1}
    assert one["weird_name_"] == 1 and one["_op_type"] == "r" and "'_op_type'" in told.logs
    assert "'_CDC_timestamp'" in told.logs
    assert "nothing" not in one
    assert {v for k, v in two.items() if not k.startswith("_")} == {None}


def test_a_member_with_a_certificate_of_its_name(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "db.example")
    server = StandIn(tls=pem)
    server.insert("one", {"_id": 1})
    shop = Shop(server, tmp_path)
    authority, _, _ = pem.read_text().partition("-----BEGIN PRIVATE KEY")

    def check(mode: str, **config: Any) -> None:
        ssl = {"mode": mode, "server_ca": authority}
        with shop.session() as session, shop.opened(session, ssl=ssl, **config) as source:
            source.check()

    check("verify-full")
    server.member = "other.db.example"
    more = {
        "hosts": [f"other.db.example:{server.port}"],
        "additional_params": {"serverSelectionTimeoutMS": "300"},
    }
    with pytest.raises(SyncError, match="for another name"):
        check("verify-full", **more)
    check("verify-ca", **more)
    server.stop()


def test_discovery(shop: Shop) -> None:
    server = shop.server
    server.insert("one", {"_id": 1, "a": 1, "b": {}, "c": True}, {"_id": 2, "a": 1.5, "d": None})
    server.insert("two", {"_id": "x", "mixed": 1}, {"_id": 2, "mixed": "two"})
    server.insert("seen", {"_id": 1})
    server.insert("system.profile", {"_id": 1})
    server.kinds["shop", "seen"] = "view"
    one, two = (pair["stream"] for pair in shop.streams("full_refresh"))
    assert (one["namespace"], one["name"], two["name"]) == ("shop", "one", "two")
    assert one["source_defined_primary_key"] == ["_id"]
    assert one["available_cursor_fields"] == ["_id", "a", "d"]
    assert one["type_schema"]["properties"]["_id"]["type"] == ["integer"]
    assert one["type_schema"]["properties"]["a"]["type"] == ["number", "null"]
    assert two["type_schema"]["properties"]["mixed"]["type"] == ["string", "null"]
    assert two["type_schema"]["properties"]["_id"]["type"] == ["string"]


def test_a_text_that_is_no_utf_8() -> None:
    raw = bson.encode({"_id": 1, "v": "a?c"}).replace(b"a?c", b"a\xffc")
    assert decoded(raw) == [{"_id": 1, "v": "a\ufffdc"}]


def test_a_server_without_a_log(shop: Shop) -> None:
    shop.server.replica_set = None
    shop.config = {"replica_set": ""}
    shop.server.insert("one", {"_id": 1})
    (pair,) = shop.streams("full_refresh")
    assert pair["stream"]["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert shop.sync(PARQUET, [pair]) == 1
    pair["stream"]["sync_mode"] = "cdc"
    with pytest.raises(SyncError, match="needs a replica set"):
        shop.sync(PARQUET, [pair])


def test_types_are_those_of_all_documents(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where documents wait in files, and where the sample has not seen them."""
    monkeypatch.setattr(mongodb_rows, "MEMORY_BYTES", 20_000)
    many = [{"_id": i, "n": i, "f": i, "t": DatetimeMS(i), "s": i} for i in range(6000)]
    shop.server.insert("one", *many)
    streams = shop.streams("full_refresh")
    shop.server.insert(
        "one",
        {"_id": 6000, "n": 2.5, "f": 1.5, "t": "then", "s": [1], "new": True},
        {"_id": 6001, "n": Int64(2**60)},
    )
    assert shop.sync(PARQUET, streams) == 6002
    types = "typeof(_id), typeof(n), typeof(f), typeof(t), typeof(s), typeof(new)"
    assert shop.rows(types, rest="LIMIT 1") == [
        ("BIGINT", "VARCHAR", "DOUBLE", "VARCHAR", "VARCHAR", "BOOLEAN")
    ]
    values = shop.rows("n, f, t, s, new", rest="WHERE _id IN (5, 6000, 6001) ORDER BY _id")
    assert values == [
        ("5", 5.0, "1970-01-01T00:00:00.005Z", "5", None),
        ("2.5", 1.5, "then", "[1]", True),
        (str(2**60), None, None, None, None),
    ]
    assert shop.rows("count(DISTINCT _id), sum(f)") == [(6002, sum(range(6000)) + 1.5)]
    shop.server.databases["shop"]["one"] = [{"_id": 1, "n": 1}, {"_id": 1.5, "n": 2}]
    assert shop.sync(PARQUET, streams) == 2
    assert shop.rows("_olake_id, _id, typeof(n)", rest="ORDER BY 1") == [
        ("1", "1", "BIGINT"),
        ("1.5", "1.5", "BIGINT"),
    ]


def test_ids_of_all_types_in_ranges_side_by_side(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb_scan, "RANGE_DOCUMENTS", 100)
    monkeypatch.setattr(mongodb_scan, "SAMPLED", 4)
    monkeypatch.setattr(mongodb_scan, "BATCH", 50)
    ids: list[Any] = [
        1.5,
        "1",
        "a",
        {"x": 1},
        b"\1",
        True,
        ObjectId(),
        DatetimeMS(5),
        Decimal128("7.5"),
    ]
    ids += [*range(10, 2000), *(f"t{i}" for i in range(500)), *(ObjectId() for _ in range(500))]
    shop.server.insert("one", *({"_id": id_} for id_ in ids))
    breaks = iter(range(10_000))

    def break_off(command: Doc) -> None:
        if "getMore" in command and next(breaks) % 9 == 8:
            raise ConnectionError

    streams = shop.streams("full_refresh")
    shop.server.before = break_off
    assert shop.sync(PARQUET, streams) == len(ids)
    assert shop.rows("count(DISTINCT _id)") == [(len(ids),)]
    found = shop.server.asked("find")
    assert sum("max" in command for command in found) > 5
    assert next(breaks) > 20


def test_a_connection_that_stays_broken(shop: Shop) -> None:
    shop.server.insert("one", *({"_id": i} for i in range(5000)))
    streams = shop.streams("full_refresh")

    def break_off(command: Doc) -> None:
        if "getMore" in command:
            raise ConnectionError

    shop.server.before = break_off
    with pytest.raises(SyncError, match="went away") as told:
        shop.sync(PARQUET, streams, backoff_retry_count=0)
    assert told.value.retry


def test_columns_filters_and_whole_documents(shop: Shop) -> None:
    shop.server.insert(
        "one",
        {"_id": 1, "kind": "a", "n": 5, "tree": {"x": [1]}},
        {"_id": 2, "kind": "b", "n": 50},
        {"_id": 3, "n": 7, "later": 1},
    )
    only = {"selected_columns": {"columns": ["_id", "n"], "sync_new_columns": False}}
    streams = shop.streams("full_refresh", filter='n >= "7"', **only)
    assert shop.sync(PARQUET, streams) == 2
    assert shop.rows("* EXCLUDE (_olake_id, _olake_timestamp, _op_type)", rest="ORDER BY 1") == [
        (2, 50),
        (3, 7),
    ]
    streams = shop.streams("full_refresh", normalization=False)
    assert shop.sync(PARQUET, streams) == 3
    (data,) = shop.rows("data", rest="WHERE _olake_id = '1'")[0]
    assert json.loads(data) == {"_id": 1, "kind": "a", "n": 5, "tree": {"x": [1]}, "later": None}
    with pytest.raises(SyncError, match="names column gone"):
        shop.sync(PARQUET, shop.streams("full_refresh", filter='gone = "1"'))


def test_by_cursor(shop: Shop) -> None:
    server = shop.server
    day = 86_400_000
    server.insert("one", *({"_id": i, "at": DatetimeMS(i * day), "v": "a"} for i in range(5)))
    server.insert("one", {"_id": 10, "v": "none"}, {"_id": 11, "at": "text", "v": "other"})
    server.databases["shop"]["one"].append({"_id": 12, "at": DatetimeMS(4 * day), "v": "same"})
    streams = shop.streams("incremental", "at")
    with pytest.raises(SyncError, match="another type"):
        # Dates come behind texts: a text that is left is no reason to stop, dates that came later are.
        server.databases["shop"]["two"] = [{"_id": 1, "at": "text"}]
        two = [p for p in shop.streams("incremental", "at") if p["stream"]["name"] == "two"]
        assert shop.sync(PARQUET, two) == 1
        server.insert("two", {"_id": 2, "at": DatetimeMS(1)})
        shop.sync(PARQUET, two)
    assert shop.sync(PARQUET, streams) == 8
    assert shop.sync(PARQUET, streams) == 0
    server.insert("one", {"_id": 20, "at": DatetimeMS(4 * day), "v": "equal"})
    server.update("one", 4, {"v": "changed"})
    server.insert("one", {"_id": 21, "at": DatetimeMS(9 * day), "v": "new"})
    server.insert("one", {"_id": 22, "at": DatetimeMS(2 * day), "v": "late"})
    assert shop.sync(PARQUET, streams) == 3
    assert sorted(shop.rows("_id, v", rest="WHERE _op_type = 'u'")) == [
        (4, "changed"),
        (20, "equal"),
        (21, "new"),
    ]
    server.delete("one", 21)
    assert shop.sync(PARQUET, streams) == 0
    server.insert("one", {"_id": 23, "at": DatetimeMS(9 * day), "v": "again"})
    assert shop.sync(PARQUET, streams) == 1
    assert shop.sync(PARQUET, streams) == 0
    # Every read sees what the first has seen, whichever member answers.
    assert all("afterClusterTime" in c["readConcern"] for c in server.asked("find")[-2:])


def test_what_comes_while_a_sync_reads_belongs_to_the_next(shop: Shop) -> None:
    server = shop.server
    server.insert("one", *({"_id": i, "at": i} for i in range(5)))
    streams = shop.streams("incremental", "at")
    came = iter([{"_id": 100, "at": 100}, {"_id": -1, "at": 4}])

    def come(command: Doc) -> None:
        # The greatest value is known, and the documents are asked for next.
        if "find" in command and "limit" not in command:
            server.before = lambda command: None
            for document in came:
                server.insert("one", document)

    server.before = come
    assert shop.sync(PARQUET, streams) in (5, 6)
    assert shop.sync(PARQUET, streams) in (1, 2)
    assert sorted(shop.rows("_id")) == [(-1,), (0,), (1,), (2,), (3,), (4,), (100,)]


def test_two_cursors_and_positions_set_by_hand(shop: Shop) -> None:
    server = shop.server
    server.insert("one", {"_id": 1, "a": DatetimeMS(1000)}, {"_id": 2, "b": 5}, {"_id": 3})
    streams = shop.streams("incremental", "a:b")
    assert shop.sync(PARQUET, streams) == 3
    server.insert(
        "one", {"_id": 4, "a": None, "b": 6}, {"_id": 5, "a": DatetimeMS(2000), "b": 1}, {"_id": 6}
    )
    assert shop.sync(PARQUET, streams) == 2
    streams = shop.streams("incremental", "a")
    shop.states = {"shop.one": {"a": "1970-01-01T00:00:01.500Z", "_set": "now"}}
    assert shop.sync(PARQUET, streams) == 1


def test_refusals(shop: Shop, guarded: StandIn, tmp_path: Path) -> None:
    def said(shop: Shop = shop, **config: Any) -> str:
        with (
            pytest.raises(SyncError) as told,
            shop.session() as session,
            shop.opened(session, **config) as source,
        ):
            source.check()
        return str(told.value)

    quick = {"additional_params": {"serverSelectionTimeoutMS": "300"}}
    assert said() == "The database shop has no collection that the user may read."
    assert said(hosts=["x.sock"]).startswith("Each host must be a name")
    assert said(hosts=["h:99999"]).startswith("Each host must be a name")
    assert said(hosts=["/run/mongo.sock"]).startswith("Each host must be a name")
    assert said(hosts=["internal:27017"]) == "internal may not be called."
    assert said(hosts=[]) == "The setting hosts is missing."
    assert said(use_iam=True).startswith("Logins of IAM")
    assert said(ssl={"mode": "verify-full"}) == "The setting ssl.server_ca is missing."
    assert said(additional_params={"authMechanism": "MONGODB-AWS"}).startswith("The mechanism")
    assert said(srv=True, hosts=["a", "b"]).startswith("With srv")
    assert said(hosts=["db.example:1"], **quick) == "The server cannot be reached, or went away."
    assert said(replica_set="other", **quick) == "The server cannot be reached, or went away."
    closed = Shop(guarded, tmp_path / "closed")
    assert (
        said(closed, username="reader", password="x")
        == "The server refuses the user name or the password."
    )
    assert said(closed).startswith("The user lacks a right")
    # A member that the cluster names is checked as well.
    shop.server.member = "internal"
    assert said(**quick) == "internal may not be called."
    assert ("internal", shop.server.port) in shop.called
    shop.server.insert("one", {"_id": 1})
    direct = {"additional_params": {"directConnection": "true"}}
    with shop.session() as session, shop.opened(session, **direct) as source:
        source.check()
    shop.server.member = "run/mongo.sock"
    assert said(**quick) == "The server cannot be reached, or went away."


def test_errors_of_the_server(shop: Shop) -> None:
    shop.server.insert("one", {"_id": 1})
    streams = shop.streams("full_refresh")

    def fail(command: Doc) -> None:
        if "find" in command:
            raise Fault(8, "Executor error: something")

    shop.server.before = fail
    with pytest.raises(SyncError, match="The database says: Executor error: something"):
        shop.sync(PARQUET, streams)
    shop.server.before = lambda command: None
    shop.server.drop("one")
    with pytest.raises(SyncError, match=re.escape("There is no collection shop.one")):
        shop.sync(PARQUET, streams)
