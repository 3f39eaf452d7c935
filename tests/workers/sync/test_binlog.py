"""Change data capture from a real MariaDB server: what its binlog tells arrives, once, in order."""

import asyncio
import contextlib
import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest

from tests.maria import Maria, maria  # noqa: F401  (a fixture)
from tests.workers.sync.rig import Line, Rig, Told, progress
from tests.workers.sync.test_mysql import HARD, LOCAL, Shop, shop  # noqa: F401  (a fixture)
from workers.connectors import duck
from workers.connectors.base import Position, Run, Session, Stream, SyncError, quote
from workers.connectors.mysql_source import MysqlSource
from workers.sync.catalog import catalog

pytestmark = pytest.mark.mariadb
CDC = {"update_method": {"type": "CDC", "initial_wait_time": 120}}
ITEMS = """CREATE TABLE one (id int PRIMARY KEY, v varchar(50), n int);
INSERT INTO one SELECT seq, CONCAT('v', seq), seq FROM seq_1_to_9"""
# What servers store in yet other ways: parts in reverse order, one length byte or two, character
# sets, and a year in front of a number whose sign stands in a list of signs.
MORE = """CREATE TABLE more (id int PRIMARY KEY, y year, n int unsigned, u uuid, a inet6, b inet4,
  l1 varchar(20) CHARACTER SET latin1, l2 varchar(20) CHARACTER SET latin2, c1 text CHARACTER SET cp1251,
  ja varchar(20) CHARACTER SET cp932, wide varchar(9) CHARACTER SET utf32, ch char(200) CHARACTER SET utf8mb4,
  e enum('ä', 'b') CHARACTER SET latin1, e2 enum('ł') CHARACTER SET utf8mb4, s set('ö', 'p') CHARACTER SET latin1,
  bi binary(16), d3 datetime(3), t1 time(1), t3 time(3), ts2 timestamp(2) NULL, f float, v1000 varchar(1000),
  lt longtext, mb mediumblob, x decimal(9,8), w decimal(18,0), nn bigint unsigned NOT NULL) CHARSET utf8mb4;
INSERT INTO more VALUES
 (1, 2026, 4294967295, UUID(), '2001:db8::1', '192.0.2.7', '€é', 'łá', 'Жы', 'あア', '😀ż', REPEAT('ż', 200),
  'ä', 'ł', 'ö,p', 0x00FF00, '2026-01-31 10:11:12.345', '-00:00:00.5', '100:00:00.125',
  '2026-01-31 10:11:12.34', 1.2345678, REPEAT('a', 1000), REPEAT('é', 40000), REPEAT(X'00FF', 40000),
  -0.12345678, -999999999999999999, 18446744073709551615),
 (2, 0, 7, '00000000-0000-0000-0000-000000000000', '::ffff:192.0.2.1', '0.0.0.0', '', '', '', '', '', '',
  'b', NULL, '', '', '0001-01-01 00:00:00.001', '00:00:00', '-838:59:58.999', '1970-01-01 00:00:01', 16777217,
  '', '', '', 0, 0, 0),
 (3, NULL, NULL, 'f81d4fae-7dec-71d0-a765-00a0c91e6bf6', '::', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.1, NULL, NULL, NULL, NULL, NULL, 3),
 (4, 1901, 0, '12345678-1234-4234-8234-123456789012', '::1', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3.4028234e38, NULL, NULL, NULL, NULL, NULL, 4)"""


@dataclass
class Logged:
    """A shop whose changes are followed."""

    shop: Shop
    maria: Maria
    settings: dict[str, Any] = field(default_factory=dict)
    others: list[pymysql.Connection] = field(default_factory=list)

    @property
    def rig(self) -> Rig:
        return self.shop.rig

    def sql(self, statements: str) -> list[Any]:
        return self.shop.sql(statements)

    def source(self, **config: Any) -> Line:
        return self.shop.source(**{**CDC, **config})

    def streams(self, *strict: str) -> list[Line]:
        """All streams, as they were discovered: by load and log, some by the log alone."""
        with self.opened() as source:
            found = catalog(source.discover(), "job", self.shop.name)["streams"]
        modes = [("strict_cdc" if e["stream"]["name"] in strict else "cdc", e) for e in found]
        return [{"stream": {**e["stream"], "sync_mode": m}, "selected": {}} for m, e in modes]

    async def sync(self, destination: Line, streams: list[Line], **config: Any) -> Told:
        return await self.shop.sync(destination, streams, **{**CDC, **config})

    @contextlib.contextmanager
    def opened(self, **config: Any) -> Iterator[MysqlSource]:
        """The source in this process."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            scratch = Path(folder)
            session = Session(
                duck=duck.connect(scratch),
                run=Run(),
                data_root=scratch,
                scratch=scratch,
                log=lambda level, text: None,
                address=lambda host, port: "127.0.0.1",
            )
            stack.callback(session.duck.close)
            source = MysqlSource(session, self.source(**config)["config"])
            stack.callback(source.close)
            source.open()
            yield source

    def check(self, **config: Any) -> str:
        """What a test of the source says, empty where all is well."""
        try:
            with self.opened(**config) as source:
                source.check()
        except SyncError as error:
            return str(error)
        return ""

    async def die(self, at: str, destination: Line, streams: list[Line]) -> None:
        """A sync that kills itself at a named point."""
        child = await self.rig.start(
            LOCAL,
            module="tests.workers.sync.dying_child",
            environ={"DIE_AT": at},
            do="sync",
            source=self.source(),
            destination=destination,
            streams=streams,
        )
        await child.told()
        assert child.process.returncode == -9, at

    def files(self, table: str, select: str = "*", last: str = "") -> list[tuple[Any, ...]]:
        """Rows of a Parquet table, as its readers see it."""
        folder = self.rig.data_root / "lake" / f"job_{self.shop.name}_{self.shop.name}" / table
        listed = json.loads((folder / "_manifest.json").read_text())["files"]
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            return con.execute(
                f"SELECT {select} FROM read_parquet($files, union_by_name = true) {last}",
                {"files": [str(folder / file["path"]) for file in listed]},
            ).fetchall()

    def newest(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a Parquet table by the last event of each id that is no deletion, in order."""
        order = "_cdc_binlog_file_name, _cdc_binlog_file_pos, _cdc_binlog_row"
        by = ", ".join(f"{name} DESC NULLS LAST" for name in order.split(", "))
        last = f"QUALIFY row_number() OVER (PARTITION BY _olake_id ORDER BY {by}) = 1"
        rows = self.files(table, f"{columns}, _op_type", last)
        return sorted(row[:-1] for row in rows if row[-1] != "d")

    def rows(self, table: str = "one", columns: str = "*") -> list[tuple[Any, ...]]:
        return sorted(self.sql(f"SELECT {columns} FROM {table}"))

    def parts(self, positions: Mapping[str, Position]) -> dict[str, Position]:
        """What the source's log has for table `one`, without a process and a destination: the
        positions of the parts."""
        stream = Stream(self.shop.name, "one", "strict_cdc", key=("id",))
        whole = {stream.id: positions.get(stream.id)}
        with self.opened() as source:
            return {part.stream.id: part.position for part in source.changes([stream], whole)}

    def set(self, name: str, value: str) -> None:
        """A setting of the server, for the sessions of this test."""
        ((was,),) = self.sql(f"SELECT @@GLOBAL.{name}")
        self.settings.setdefault(name, was)
        self.sql(f"SET GLOBAL {name} = {value}")

    def compress(self) -> None:
        """Let the server compress its log."""
        self.set("log_bin_compress", "ON")
        self.set("log_bin_compress_min_len", "10")

    def connect(self) -> pymysql.Connection:
        made = self.maria.connect(self.shop.name)
        self.others.append(made)
        return made


@pytest.fixture
def logged(shop: Shop, maria: Maria) -> Iterator[Logged]:  # noqa: F811
    made = Logged(shop, maria)
    yield made
    for connection in made.others:
        # What it holds would be waited for by whoever drops the database.
        connection.close()
    for name, value in made.settings.items():
        shop.sql(f"SET GLOBAL {name} = {value if isinstance(value, int) else repr(value)}")


async def test_a_load_and_then_the_log(logged: Logged) -> None:
    rig = logged.rig
    logged.sql(f"{ITEMS}; CREATE TABLE strict LIKE one; INSERT INTO strict SELECT * FROM one")
    assert logged.check() == ""
    streams = logged.streams("strict")
    described = streams[0]["stream"]
    assert described["supported_sync_modes"][-2:] == ["cdc", "strict_cdc"]
    assert "_cdc_timestamp" in described["type_schema"]["properties"]
    told = await logged.sync(rig.postgres, streams)
    assert told.result["rows"] == 9
    assert await rig.living("one", "id, v, n") == logged.rows()
    logged.sql("UPDATE strict SET v = 'y' WHERE id = 1")
    logged.sql(
        "UPDATE one SET v = 'changed' WHERE id = 1; DELETE FROM one WHERE id = 2; "
        "UPDATE one SET id = 30 WHERE id = 3; INSERT INTO one VALUES (40, 'new', NULL); "
        "UPDATE one SET id = 3 WHERE id = 30; UPDATE one SET id = 31 WHERE id = 3; "
        "START TRANSACTION; DELETE FROM one WHERE id = 40; SAVEPOINT s; DELETE FROM one; "
        "ROLLBACK TO s; INSERT INTO one VALUES (40, 'again', 1); COMMIT; "
        "START TRANSACTION; DELETE FROM one; ROLLBACK"
    )
    told = await logged.sync(rig.postgres, streams)
    assert await rig.living("one", "id, v, n") == logged.rows(), (told.lines, told.stderr)
    gone = await rig.sql.fetch("SELECT id, v FROM lake.one WHERE _op_type = 'd' ORDER BY 1")
    assert [tuple(row) for row in gone] == [(2, "v2"), (3, "v3"), (30, "v3")]
    now = await rig.sql.fetchval(
        "SELECT bool_and(_cdc_timestamp > now() - interval '1 hour' AND _cdc_binlog_file_pos > 4 "
        "AND _cdc_binlog_file_name LIKE 'log.%') FROM lake.one WHERE _op_type <> 'r'"
    )
    assert now is True
    assert await rig.living("strict", "id, v, n") == [(1, "y", 1)]
    assert (await logged.sync(rig.postgres, streams)).result["rows"] == 0


@pytest.mark.long
async def test_files_get_each_event_once_with_all_its_values(logged: Logged) -> None:
    logged.sql(ITEMS)
    streams = logged.streams()
    await logged.sync(logged.rig.parquet, streams)
    # One statement, in one event of the log: a key is taken over by the next row.
    logged.sql("UPDATE one SET id = id + 1, v = CONCAT(v, '+') WHERE id > 6 ORDER BY id DESC")
    logged.sql("DELETE FROM one WHERE id = 1; UPDATE one SET v = 'changed' WHERE id <= 3")
    for _ in range(2):
        await logged.sync(logged.rig.parquet, streams)
    ops = logged.files("one", "_op_type, count(*)", "GROUP BY 1 ORDER BY 1")
    assert ops == [("c", 3), ("d", 4), ("r", 9), ("u", 2)]
    assert logged.newest("one", "id, v, n") == logged.rows()


async def test_by_file(logged: Logged) -> None:
    """As with a MySQL server that writes no ids."""
    logged.sql(ITEMS)
    at = logged.parts({})
    (id_,) = at
    assert logged.parts(at) == {}
    logged.sql("DELETE FROM one WHERE id = 1; FLUSH BINARY LOGS; DELETE FROM one WHERE id = 2")
    by_file = logged.parts({id_: {**at[id_], "gtids": None}})
    (status,) = logged.sql("SHOW MASTER STATUS")
    assert (by_file[id_]["file"], by_file[id_]["at"]) == status[:2]
    assert {**by_file[id_], "gtids": at[id_]["gtids"]} != at[id_]
    assert logged.parts(by_file) == {}


async def test_hard_types_come_from_the_log_as_from_a_load(logged: Logged) -> None:
    logged.sql(f"{HARD.read_text().rstrip().rstrip(';')}; {MORE}")
    for table, count in (("hard", 40), ("more", 26)):
        logged.sql(f"CREATE TABLE told LIKE {table}")
        names = [row[0] for row in logged.sql(f"SHOW COLUMNS FROM {table}") if row[0] != "gen"]
        assert len(names) >= count
        listed = ", ".join("`" + name.replace("`", "``") + "`" for name in names)
        with logged.opened() as source:
            log = Stream(logged.shop.name, "told", "strict_cdc", key=("id",))
            (begun,) = source.changes([log], {log.id: None})
            logged.sql(f"INSERT INTO told ({listed}) SELECT {listed} FROM {table}")
            con = source.session.duck
            load = next(source.read(Stream(log.namespace, table, "cdc", key=("id",)), None))
            con.execute(f"CREATE TABLE loaded AS {load.relation}")
            for part in source.changes([log], {log.id: begun.position}):
                con.execute(f"CREATE TABLE told AS {part.relation}")
            types = dict(row[:2] for row in con.execute("DESCRIBE loaded").fetchall())
            told = dict(row[:2] for row in con.execute("DESCRIBE told").fetchall())
            assert list(types) == names
            for name, type_ in types.items():
                assert told[name] == type_, name
                asked = f"SELECT id, {quote(name)}::VARCHAR FROM {{}} ORDER BY id"
                loaded = con.execute(asked.format("loaded")).fetchall()
                assert con.execute(asked.format("told")).fetchall() == loaded, name
                assert len(loaded) == 4
        logged.sql("DROP TABLE told")


@pytest.mark.long
@pytest.mark.parametrize("compressed", [False, True])
async def test_random_changes(logged: Logged, compressed: bool) -> None:
    """Into both kinds of destinations, from one log, while others write."""
    rig = logged.rig
    if compressed:
        logged.compress()
    logged.sql(TABLES)
    streams = logged.streams()
    traffic = Traffic(logged.connect(), random.Random(7 + compressed))
    for _ in range(3):
        for destination in (rig.postgres, rig.parquet):
            traffic.write(25)
            await logged.sync(destination, streams)
    await same(logged, streams)


async def same(logged: Logged, streams: list[Line]) -> None:
    """Once both are up to date they hold what the source holds."""
    for destination in (logged.rig.postgres, logged.rig.parquet):
        await logged.sync(destination, streams)
    for table, columns in (("one", "id, v, big"), ("two", "a, b, v")):
        theirs = logged.rows(table, columns)
        assert sorted(await logged.rig.living(table, columns)) == theirs
        assert logged.newest(table, columns) == theirs
        ids = f"SELECT count(*) - count(DISTINCT _olake_id) FROM lake.{table}"
        assert await logged.rig.sql.fetchval(ids) == 0


TABLES = """CREATE TABLE one (id int PRIMARY KEY, v varchar(200), big longtext);
CREATE TABLE two (a int, b varchar(100), v int, PRIMARY KEY (a, b)) CHARSET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE other (id int PRIMARY KEY AUTO_INCREMENT, v text);
INSERT INTO one SELECT seq, 'n', REPEAT(MD5(seq), 50) FROM seq_1_to_300;
INSERT INTO two SELECT seq, 'x', 0 FROM seq_1_to_300"""


class Traffic:
    """Random transactions of one connection."""

    def __init__(self, connection: pymysql.Connection, chance: random.Random) -> None:
        self.cursor = connection.cursor()
        self.chance = chance
        self.next = 1000

    def write(self, transactions: int) -> None:
        for _ in range(transactions):
            self.cursor.execute("START TRANSACTION")
            for _ in range(self.chance.randint(1, 12)):
                self.cursor.execute(self._change())
            self.cursor.execute("ROLLBACK" if self.chance.random() < 0.1 else "COMMIT")

    def _change(self) -> str:
        pick = self.chance.randint
        self.next += 1
        id_ = pick(1, 400)
        return self.chance.choice(
            [
                f"INSERT INTO one VALUES ({self.next}, 'new', REPEAT('y', 5000))",
                f"UPDATE one SET v = CONCAT(v, '{pick(0, 9)}') WHERE id = {id_}",
                f"UPDATE one SET big = REPEAT('{self.next}', 900) WHERE id = {id_}",
                f"UPDATE one SET id = {self.next} WHERE id = {id_}",
                f"UPDATE IGNORE one SET id = {id_} ORDER BY id DESC LIMIT 1",
                # One event of the log, in which keys are taken over by the next row.
                f"UPDATE one SET id = id + 1, v = 'up' WHERE id > {self.next - 9} ORDER BY id DESC",
                f"REPLACE INTO one VALUES ({id_}, 'replaced', NULL)",
                f"DELETE FROM one WHERE id = {id_}",
                f"UPDATE two SET v = v + 1 WHERE a BETWEEN {id_} AND {id_} + 3",
                f"UPDATE IGNORE two SET b = CONCAT(b, 'Y') WHERE a = {id_}",
                f"DELETE FROM two WHERE a = {id_}",
                f"INSERT INTO two VALUES ({id_}, 'z', 1) ON DUPLICATE KEY UPDATE v = v + 10",
                f"INSERT INTO other (v) VALUES ('{self.next}')",
            ]
        )


@pytest.mark.long
async def test_kills_at_named_points(logged: Logged) -> None:
    rig = logged.rig
    logged.sql(TABLES)
    streams = logged.streams()
    traffic = Traffic(logged.connect(), random.Random(3))
    for destination in (rig.postgres, rig.parquet):
        await logged.sync(destination, streams)
    logged.compress()
    traffic = Traffic(logged.connect(), random.Random(4))
    for point, destination in (("write", rig.parquet), ("committed", rig.postgres)):
        traffic.write(30)
        await logged.die(point, destination, streams)
        traffic.write(10)
    await same(logged, streams)
    events = logged.files(
        "two",
        "count(*) - count(DISTINCT (_cdc_binlog_file_name, _cdc_binlog_file_pos, _cdc_binlog_row))",
        "WHERE _op_type <> 'r'",
    )
    assert events == [(0,)], "each event came once"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
async def test_many_kills(logged: Logged, seed: int) -> None:
    """At named points and at random ones, with files of the log that end."""
    rig, chance = logged.rig, random.Random(seed)
    logged.sql(TABLES)
    streams = logged.streams()
    for destination in (rig.postgres, rig.parquet):
        await logged.sync(destination, streams)
    traffic = Traffic(logged.connect(), chance)
    for i, point in enumerate(("read", "commit", "committed:1", "write", "committed", "commit")):
        for destination in (rig.postgres, rig.parquet)[:: 1 - 2 * (i % 2)]:
            traffic.write(30)
            logged.sql("FLUSH BINARY LOGS")
            await logged.die(point, destination, streams)
            child = await rig.start(
                do="sync", source=logged.source(), destination=destination, streams=streams
            )
            assert child.process.stdin
            child.process.stdin.write(json.dumps(LOCAL).encode() + b"\n")
            await progress(child)
            traffic.write(5)
            await asyncio.sleep(chance.uniform(0, 1))
            if child.process.returncode is None:
                child.process.kill()
            await child.process.wait()
            traffic.write(5)
    await same(logged, streams)


async def test_a_table_changes(logged: Logged) -> None:
    rig = logged.rig
    logged.sql("CREATE TABLE one (id int PRIMARY KEY, v smallint, gone text)")
    streams = logged.streams()
    await logged.sync(rig.postgres, streams)
    logged.sql(
        "INSERT INTO one VALUES (1, 1, 'a'); ALTER TABLE one ADD COLUMN more varchar(9) DEFAULT 'x' "
        "AFTER id; INSERT INTO one VALUES (2, 'y', 2, 'b'); ALTER TABLE one DROP COLUMN gone; "
        "INSERT INTO one VALUES (3, 'z', 3); ALTER TABLE one MODIFY v bigint; "
        "UPDATE one SET v = 10000000000 WHERE id = 3; RENAME TABLE one TO was, was TO one"
    )
    told = await logged.sync(rig.postgres, streams)
    assert "Another table is" in told.logs
    stored = await rig.living("one", "id, more, v, gone")
    assert stored == [(1, None, 1, "a"), (2, "y", 2, "b"), (3, "z", 10**10, None)]
    logged.sql("INSERT INTO one VALUES (4, '', 4); ALTER TABLE one MODIFY v varchar(20)")
    logged.sql("INSERT INTO one VALUES (5, '', 'five')")
    told = await logged.sync(rig.postgres, streams)
    assert "Column v of" in told.error and "Clear the stream" in told.error
    assert [row[0] for row in await rig.living("one", "id")] == [1, 2, 3, 4]


UNTOLD = [
    (["TRUNCATE one"], "was emptied, dropped or replaced"),
    (["CREATE OR REPLACE TABLE one (id int PRIMARY KEY)"], "was emptied, dropped or replaced"),
    (["SET binlog_format = STATEMENT", "DELETE FROM one LIMIT 1"], "binlog_format = ROW"),
    (["SET binlog_row_image = MINIMAL", "DELETE FROM one"], "binlog_row_image = FULL"),
    (["XA START 'a'", "DELETE FROM one", "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'"], "XA"),
    (["ALTER TABLE one DROP PRIMARY KEY, ADD PRIMARY KEY (n)"], "primary key"),
    (["ALTER TABLE one DROP PRIMARY KEY"], "has no primary key"),
    (["DROP TABLE one"], "There is no table"),
]


async def test_what_the_log_does_not_tell(logged: Logged) -> None:
    for statements, said in UNTOLD:
        logged.sql(f"DROP TABLE IF EXISTS one; {ITEMS}")
        at = logged.parts({})
        cursor = logged.connect().cursor()
        for statement in statements:
            cursor.execute(statement)
        with pytest.raises(SyncError, match=said):
            logged.parts(at)


async def test_a_log_that_is_purged(logged: Logged) -> None:
    logged.sql(ITEMS)
    at = logged.parts({})
    # A file without changes may go: nothing is missed.
    await purge(logged)
    moved = logged.parts(at)
    assert moved != at
    logged.sql("DELETE FROM one WHERE id = 1")
    await purge(logged)
    with pytest.raises(SyncError, match=r"cannot send its binlog from there.*Clear the stream"):
        logged.parts(moved)
    by_file = {id_: {**position, "gtids": None} for id_, position in moved.items()}
    with pytest.raises(SyncError, match=r"has purged its binlog.*Clear the streams"):
        logged.parts(by_file)


async def purge(logged: Logged) -> None:
    """Purge all files of the log but the last, once the server lets go of them."""
    async with asyncio.timeout(30):
        while True:
            logged.sql("FLUSH BINARY LOGS")
            last = logged.sql("SHOW MASTER STATUS")[0][0]
            logged.sql(f"PURGE BINARY LOGS TO '{last}'")
            if [row[0] for row in logged.sql("SHOW BINARY LOGS")] == [last]:
                return
            await asyncio.sleep(0.05)


async def test_another_server(logged: Logged) -> None:
    """The log goes on by ids where there are some, unless the ids are not of this log."""
    logged.sql(ITEMS)
    at = logged.parts({})
    (id_,) = at
    logged.sql("DELETE FROM one WHERE id = 1")
    there = {id_: {**at[id_], "server": "99", "file": "other.000001", "at": 4}}
    assert logged.parts(there) == logged.parts(at)
    with pytest.raises(SyncError, match="another server"):
        logged.parts({id_: {**there[id_], "gtids": None}})
    with pytest.raises(SyncError, match="not the one that was read"):
        logged.parts({id_: {**at[id_], "gtids": "0-1-1"}})


async def test_texts_behind_a_geometry(logged: Logged) -> None:
    """MariaDB lists a collation of its own for each geometry."""
    logged.sql(
        "CREATE TABLE one (id int PRIMARY KEY, a varchar(9) CHARACTER SET latin1, g geometry, "
        "b varchar(9) CHARACTER SET latin2, h point, c varbinary(9), d text CHARACTER SET cp1251, "
        "u uuid, e varchar(9) CHARACTER SET utf8mb4)"
    )
    stream = Stream(logged.shop.name, "one", "strict_cdc", key=("id",))
    at = logged.parts({})
    logged.sql(
        "INSERT INTO one VALUES (1, 'é', POINT(1, 2), 'ł', POINT(3, 4), 'x', 'Ж', "
        "'12345678-1234-4234-8234-123456789012', '😀')"
    )
    with logged.opened() as source:
        seen = [
            source.session.duck.sql(
                f"SELECT a, b, c, d, CAST(u AS VARCHAR), e FROM ({part.relation})"
            ).fetchall()
            for part in source.changes([stream], at)
        ]
    assert seen == [[("é", "ł", b"x", "Ж", "12345678-1234-4234-8234-123456789012", "😀")]]


async def test_a_log_that_was_begun_anew(logged: Logged) -> None:
    """It counts its transactions from 1 again, so that their ids do not tell it from the old one."""
    logged.sql(ITEMS)
    ((id_, at),) = logged.parts({}).items()
    logged.sql("DELETE FROM one WHERE id = 1")
    for place in ({"at": at["at"] - 3}, {"at": at["at"] + 10**6}, {"file": "log.900000"}):
        with pytest.raises(SyncError, match=r"not the one that was read.*Clear the streams"):
            logged.parts({id_: {**at, **place}})


async def test_a_connection_that_waits_while_rows_are_loaded(logged: Logged) -> None:
    logged.set("wait_timeout", "1")
    with logged.opened() as source:
        await asyncio.sleep(2)
        assert source.my.rows("SELECT 1") == [(1,)]


async def test_two_servers_that_write_to_one_domain(logged: Logged) -> None:
    """As two that replicate each other do: each numbers on from what it has seen."""
    logged.sql(ITEMS)
    stream = Stream(logged.shop.name, "one", "strict_cdc", key=("id",))
    at: Position | None = logged.parts({})[stream.id]
    assert at is not None
    number = int(at["gtids"].split("-")[2])
    cursor = logged.connect().cursor()
    seen = []
    for row, (server, ahead) in enumerate([(2, 1), (1, 1), (2, 2), (1, 2), (1, 3), (2, 3)]):
        cursor.execute(f"SET server_id = {server}, gtid_seq_no = {number + ahead}")
        cursor.execute(f"INSERT INTO one VALUES ({100 + row}, 'x', 0)")
        if row != 3:
            with logged.opened() as source:
                for part in source.changes([stream], {stream.id: at}):
                    rows = source.session.duck.sql(f"SELECT id FROM ({part.relation})").fetchall()
                    seen += [id_ for (id_,) in rows]
                    at = part.position
    assert seen == [100, 101, 102, 103, 104, 105]


async def test_what_is_missing_for_the_log(logged: Logged) -> None:
    logged.sql("CREATE TABLE one (id int)")
    (stream,) = logged.streams()
    assert "cdc" not in stream["stream"]["supported_sync_modes"]
    with pytest.raises(SyncError, match="no primary key"):
        logged.parts({})
    logged.sql("CREATE OR REPLACE USER poor@'%' IDENTIFIED BY 'canary-poor'")
    logged.sql(f"GRANT SELECT ON {logged.shop.name}.* TO poor@'%'")
    poor = {"username": "poor", "password": "canary-poor"}
    error = logged.check(**poor)
    assert "lacks a right" in error and "BINLOG MONITOR" in error
    logged.sql("GRANT BINLOG MONITOR ON *.* TO poor@'%'")
    assert "REPLICATION SLAVE" in logged.check(**poor)
    logged.sql("GRANT REPLICATION SLAVE ON *.* TO poor@'%'")
    assert logged.check(**poor) == ""
    logged.sql("DROP USER poor@'%'")
    logged.set("binlog_format", "'STATEMENT'")
    logged.set("binlog_row_metadata", "'MINIMAL'")
    assert "set binlog_format = ROW, binlog_row_metadata = FULL" in logged.check()


@pytest.mark.long
async def test_a_transaction_that_is_larger_than_memory(logged: Logged) -> None:
    logged.sql("CREATE TABLE one (id int PRIMARY KEY, v text)")
    streams = logged.streams()
    await logged.sync(logged.rig.postgres, streams)
    logged.sql("INSERT INTO one SELECT seq, REPEAT(MD5(seq), 8) FROM seq_1_to_250000")
    logged.sql("UPDATE one SET v = 'x' WHERE id <= 10")
    told = await logged.rig.sync(
        logged.rig.postgres,
        streams,
        source=logged.source(),
        answer=LOCAL,
        limits={"memory_mb": 100},
    )
    assert told.result["rows"] == 250010
    assert await logged.shop.same("id, v")
