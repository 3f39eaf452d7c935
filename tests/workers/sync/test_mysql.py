"""MySQL's dialect as a source, of a real MariaDB server."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.maria import PASSWORD, Maria, maria  # noqa: F401  (a fixture)
from tests.workers.sync.rig import Line, Rig, Told

pytestmark = pytest.mark.mariadb
HARD = Path(__file__).parents[2] / "data/sync/hard_types_mysql.sql"
LOCAL = {"address": "127.0.0.1"}


@dataclass
class Shop:
    """A database of the server, and syncs from it."""

    rig: Rig
    port: int
    name: str
    connection: Any

    def source(self, **config: Any) -> Line:
        given = {"hosts": "db.example", "port": self.port, "database": self.name}
        login = {"username": "isthmus", "password": PASSWORD}
        return {"type": "mysql", "config": {**given, **login, **config}}

    def sql(self, statements: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statements)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall())
            return rows

    async def streams(self, mode: str, cursor: str | None = None, **more: Any) -> list[Line]:
        catalog = (await self.rig.run(LOCAL, do="discover", source=self.source())).result["catalog"]
        return [
            {"stream": {**e["stream"], "sync_mode": mode, "cursor_field": cursor}, "selected": more}
            for e in catalog["streams"]
        ]

    async def sync(self, destination: Line, streams: list[Line], **config: Any) -> Told:
        source = self.source(**config)
        return await self.rig.sync(destination, streams, source=source, answer=LOCAL)

    async def same(self, columns: str, table: str = "one") -> bool:
        theirs = self.sql(f"SELECT {columns} FROM {table}")
        rows = await self.rig.sql.fetch(f"SELECT {columns} FROM lake.{table}")
        return sorted(map(tuple, rows), key=repr) == sorted(theirs, key=repr)


@pytest.fixture
def shop(rig: Rig, maria: Maria) -> Iterator[Shop]:  # noqa: F811
    name = f"shop_{secrets.token_hex(4)}"
    connection = maria.connect()
    connection.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4; USE {name}")
    connection.select_db(name)
    yield Shop(rig, maria.port, name, connection)
    connection.cursor().execute(f"DROP DATABASE {name}")
    connection.close()


async def test_hard_types(rig: Rig, shop: Shop) -> None:
    shop.sql(HARD.read_text())
    streams = await shop.streams("full_refresh")
    told = await shop.sync(rig.postgres, streams)
    assert told.result["rows"] == 4
    assert PASSWORD not in str(told.lines) + told.stderr
    for name, count in (("da", 1), ("dt", 1), ("dt6", 1), ("ts", 1)):
        text = f"{count} values of {shop.name}.hard.{name} are no dates and become null."
        assert text in told.logs
    rows = {row["id"]: row for row in await rig.sql.fetch("SELECT * FROM lake.hard")}
    one, two, four = rows[1], rows[2], rows[4]
    assert (one["t1"], two["t1"]) == (1, 7)
    assert (one["tu"], one["su"], one["mu"], one["iu"]) == (255, 65535, 2**24 - 1, 2**32 - 1)
    assert (one["ti"], one["si"], one["mi"], one["i"]) == (-128, -32768, -(2**23), -(2**31))
    assert (one["b"], one["bu"], four["bu"]) == (-(2**63), 2**64 - 1, 2**63)
    assert one["dec3810"] == Decimal("1234567890123456789012345678.0123456789")
    assert two["dec3810"] == Decimal("-0.0000000001")
    assert one["dec6530"] == ("12345678901234567890123456789012345.012345678901234567890123456789")
    assert one["decu"] == 2**64 - 1
    assert one["d"] == 1.7976931348623157e308
    assert (one["bit1"], two["bit1"]) == (True, False)
    assert (one["bit13"], one["bit64"], four["bit64"]) == (5461, 2**64 - 1, 2**63 + 1)
    assert (one["da"].isoformat(), two["da"]) == ("2024-02-29", None)
    assert one["dt6"].isoformat() == "2024-01-01T10:00:00.123456"
    assert one["ts6"].isoformat() == "2024-01-01T10:00:00.654321+00:00"
    assert (one["ti6"], four["ti0"]) == ("-838:59:58.000001", "24:00:00")
    assert (one["y"], two["y"]) == (2024, 0)
    assert (one["v"], one["tx"]) == ("ż 😀", 'it\'s \\ "x"\n')
    assert (one["bi"], one["vb"], one["bl"]) == (b"ab\0\0", b"\0\xff'", b"\xde\xad\xbe\xef\0")
    assert (one["e"], two["e"], four["e"], one["s"]) == ("größer", "", "it's", "a,ć d")
    assert (one["j"], one["latin"]) == ('{"a": [1, null, "ż"]}', "ÿ")
    assert (one["weird__name_"], one["gen"]) == (7, -(2**31) + 1)
    assert {v for k, v in rows[3].items() if not k.startswith("_") and k != "id"} == {None}
    assert "dec6530" not in told.logs and "tu: UTINYINT as SMALLINT" in told.logs


async def test_discovery(rig: Rig, shop: Shop) -> None:
    shop.sql(
        "CREATE TABLE one (b int, a int, f float, at timestamp NULL, n decimal(10,2), "
        "PRIMARY KEY (b, a)); CREATE VIEW seen AS SELECT * FROM one"
    )
    (stream,) = await shop.streams("full_refresh")
    described = stream["stream"]
    assert (described["namespace"], described["name"]) == (shop.name, "one")
    assert described["source_defined_primary_key"] == ["b", "a"]
    assert described["available_cursor_fields"] == ["a", "at", "b", "n"]
    assert described["destination_database"] == f"job_{shop.name}:{shop.name}"
    types = {n: p["type"] for n, p in described["type_schema"]["properties"].items()}
    assert types["a"] == ["integer_small"] and types["n"] == ["number", "null"]


async def test_filter(rig: Rig, shop: Shop) -> None:
    shop.sql(
        "CREATE TABLE one (id bigint PRIMARY KEY, v varchar(20)); INSERT INTO one VALUES "
        "(9007199254740993, 'it''s'), (9007199254740992, 'it''s'), (3, NULL)"
    )
    conditions = [
        {"column": "id", "operator": "=", "value": 9007199254740993},
        {"column": "v", "operator": "=", "value": "it's"},
    ]
    await shop.sync(
        rig.postgres, await shop.streams("full_refresh", filter_config={"conditions": conditions})
    )
    assert [row["id"] for row in await rig.sql.fetch("SELECT id FROM lake.one")] == [2**53 + 1]


async def test_by_cursor(rig: Rig, shop: Shop) -> None:
    shop.sql(
        "CREATE TABLE one (id int PRIMARY KEY, at datetime(6), made datetime, v blob); "
        "INSERT INTO one SELECT seq, '2026-01-01', '2026-01-01', 'a' FROM seq_1_to_1000"
    )
    streams = await shop.streams("incremental", "at:made")
    assert (await shop.sync(rig.parquet, streams)).result["rows"] == 1000
    assert (await shop.sync(rig.parquet, streams)).result["rows"] == 0
    # Equal to the greatest, greater, changed at the edge, and null with the second one.
    shop.sql(
        "INSERT INTO one VALUES (2001, '2026-01-01', NULL, X'FF'), (2002, '2026-01-02', NULL, NULL), "
        "(2003, NULL, '2026-01-01', 'x'); UPDATE one SET v = 'b' WHERE id = 1"
    )
    assert (await shop.sync(rig.parquet, streams)).result["rows"] == 4
    assert (await shop.sync(rig.parquet, streams)).result["rows"] == 0
    shop.sql(
        "INSERT INTO one VALUES (2004, NULL, '2026-01-01', 'y'), (2005, '2026-01-02', NULL, '')"
    )
    assert (await shop.sync(rig.parquet, streams)).result["rows"] == 2
    assert (await shop.sync(rig.postgres, streams)).result["rows"] == 1005
    assert await shop.same("id, v")


def _long(type_: str, values: list[str]) -> Any:
    return pytest.param(type_, values, marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (
            "decimal(65,30)",
            ["1.000000000000000000000000000001", "1.000000000000000000000000000002"],
        ),
        ("varchar(20) CHARACTER SET latin1", ["'a\\\\'", "'ÿ\\\\'"]),
        _long("bigint unsigned", ["18446744073709551613", "18446744073709551615"]),
        _long(
            "timestamp(6) NULL", ["'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"]
        ),
        _long("double", ["0.1", "0.30000000000000004"]),
        _long("time(6)", ["'10:00:00'", "'100:00:00.000001'"]),
    ],
)
async def test_cursors_of_all_kinds(rig: Rig, shop: Shop, type_: str, values: list[str]) -> None:
    shop.sql(
        f"CREATE TABLE one (id int PRIMARY KEY, at {type_}); INSERT INTO one VALUES (1, {values[0]})"
    )
    streams = await shop.streams("incremental", "at")
    rows = []
    for number in (2, 3):
        rows.append((await shop.sync(rig.parquet, streams)).result["rows"])
        shop.sql(f"INSERT INTO one VALUES ({number}, {values[number - 2]})")
    rows += [(await shop.sync(rig.parquet, streams)).result["rows"] for _ in range(2)]
    assert rows == [1, 1, 1, 0]


async def test_refusals(rig: Rig, shop: Shop) -> None:
    async def error(answer: Line = LOCAL, **config: Any) -> str:
        return (await rig.run(answer, do="check", source=shop.source(**config))).error

    assert await error({"refused": "No."}) == "No."
    assert await error(password="x") == "The server refuses the user name or the password."
    assert (
        await error(hosts="/run/mysqld.sock") == "The host must be one name or address, not a path."
    )
    assert await error(port=1) == "The server cannot be reached, or went away."
    assert (await error(database="gone")).startswith("The database says: Unknown database")
    assert (await error(ssl={"mode": "verify-ca"})) == "The setting ssl.server_ca is missing."
