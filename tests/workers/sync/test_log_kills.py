"""A sync from the log is killed at named points and at random ones: nothing is lost, nothing doubled."""

import asyncio
import json
import random

import asyncpg
import pytest

from tests.workers.sync.kills import Ended, kill_after, kill_at
from tests.workers.sync.rig import Line, Rig
from workers.connectors.postgres_log import lsn_number

TABLES = {"one": "id, v, big", "two": "a, b, v"}
MAKE = """CREATE TABLE one (id int PRIMARY KEY, v text, big text);
ALTER TABLE one ALTER big SET STORAGE EXTERNAL;
CREATE TABLE two (a int, b text, v int, PRIMARY KEY (a, b));
INSERT INTO one SELECT i, 'n', repeat(md5(i::text), 100) FROM generate_series(1, 300) i;
INSERT INTO two SELECT i, 'x', 0 FROM generate_series(1, 300) i"""
POINTS = (
    *("read", "write", "commit", "committed", "committed:1", "acknowledge", "acknowledged"),
    *("committed:1", "acknowledge"),
)


class Writer:
    """Random transactions; counts the events that a log must tell of."""

    def __init__(self, sql: asyncpg.Connection, chance: random.Random) -> None:
        self.sql = sql
        self.chance = chance
        self.events = {"one": 0, "two": 0}
        self.next = 1000

    async def write(self, transactions: int) -> None:
        for _ in range(transactions):
            transaction = self.sql.transaction()
            await transaction.start()
            before = dict(self.events)
            for _ in range(self.chance.randint(1, 12)):
                await self._change()
            if self.chance.random() < 0.1:
                await transaction.rollback()
                self.events = before
            else:
                await transaction.commit()

    async def _change(self) -> None:
        pick = self.chance.randint
        self.next += 1
        id = pick(1, 400)
        statement, table, each = self.chance.choice(
            [
                (f"INSERT INTO one VALUES ({self.next}, 'new', repeat('y', 5000))", "one", 1),
                (f"UPDATE one SET v = v || '{pick(0, 9)}' WHERE id = {id}", "one", 1),
                (f"UPDATE one SET big = repeat('{self.next}', 900) WHERE id = {id}", "one", 1),
                (f"UPDATE one SET id = {self.next} WHERE id = {id}", "one", 2),
                (
                    f"UPDATE one SET id = {id} WHERE id = (SELECT max(id) FROM one) AND NOT EXISTS "
                    f"(SELECT FROM one WHERE id = {id})",
                    "one",
                    2,
                ),
                (f"DELETE FROM one WHERE id = {id}", "one", 1),
                (f"UPDATE two SET v = v + 1 WHERE a BETWEEN {id} AND {id} + 3", "two", 1),
                (f"UPDATE two SET b = b || 'y' WHERE a = {id}", "two", 2),
                (f"DELETE FROM two WHERE a = {id}", "two", 1),
                (f"INSERT INTO two VALUES ({id}, 'z{self.next}', 7)", "two", 1),
            ]
        )
        self.events[table] += each * int((await self.sql.execute(statement)).split()[-1])


class Kills:
    """Syncs that are killed, into one destination."""

    def __init__(self, rig: Rig, where: str, seed: int) -> None:
        self.rig = rig
        self.where = where
        self.destination: Line = getattr(rig, where)
        self.chance = random.Random(seed)
        self.writer = Writer(rig.sql, self.chance)
        self.killed = 0
        self.ahead = 0
        self.known: set[str] = set()

    async def start(self) -> None:
        await self.rig.sql.execute(MAKE)
        self.streams = await self.rig.streams("one", "two", mode="cdc")

    async def at(self, point: str) -> bool:
        """Killed at a point by itself; whether it was."""
        return await self._count(await kill_at(self.rig, self.destination, self.streams, point))

    async def after(self, wait_s: float) -> bool:
        """Killed at some time after it has begun; whether it still worked."""
        return await self._count(await kill_after(self.rig, self.destination, self.streams, wait_s))

    async def _count(self, ended: Ended) -> bool:
        """Count the kill, and whether it has committed something that the slot does not know of."""
        self.killed += ended.killed
        fresh = set(await self._committed()) - self.known
        self.known |= fresh
        confirmed = await self.rig.confirmed()
        if ended.killed and any(lsn_number(lsn) > lsn_number(confirmed) for lsn in fresh):
            self.ahead += 1
        return ended.killed

    async def _committed(self) -> list[str]:
        """The positions of the streams."""
        if self.where == "postgres":
            if await self.rig.sql.fetchval("SELECT to_regclass('lake._isthmus_positions')") is None:
                return []
            rows = await self.rig.sql.fetch(
                "SELECT position->'at'->>'lsn' AS lsn FROM lake._isthmus_positions"
            )
            return [row["lsn"] for row in rows]
        if self.where == "iceberg":
            snapshots = [self.rig.iceberg_table(table).current_snapshot() for table in TABLES]
            kept = [json.loads(snapshot.summary["isthmus.position"]) for snapshot in snapshots]
            return [position["at"]["lsn"] for position in kept]
        return [
            self.rig.manifest(table)["position"]["at"]["lsn"]
            for table in TABLES
            if (self.rig.folder(table) / "_manifest.json").exists()
        ]

    async def same(self) -> None:
        """Once one has come through, the destination holds what the source holds."""
        told = await self.rig.sync(self.destination, self.streams)
        assert told.result
        for table, columns in TABLES.items():
            theirs = sorted(
                tuple(row) for row in await self.rig.sql.fetch(f"SELECT {columns} FROM {table}")
            )
            if self.where == "postgres":
                ours = sorted(await self.rig.living(table, columns))
                ids = "SELECT count(*) - count(DISTINCT _olake_id) FROM lake."
                assert await self.rig.sql.fetchval(ids + table) == 0
            elif self.where == "iceberg":
                rows = self.rig.iceberg_rows(table, f"{columns}, _op_type, _olake_id")
                assert len({row[-1] for row in rows}) == len(rows)
                ours = sorted(row[:-2] for row in rows if row[-2] != "d")
            else:
                ours = self.rig.newest(table, columns)
                events = self.rig.files(table, "count(*) FILTER (WHERE _op_type <> 'r')")
                # All that was written since the load, each event once.
                assert events[0][0] == self.writer.events[table] - self.loaded[table], table
            assert ours == theirs, table

    async def load(self) -> None:
        """The first load, which comes through."""
        await self.rig.sync(self.destination, self.streams)
        self.loaded = dict(self.writer.events)


@pytest.mark.long
@pytest.mark.parametrize("where", ["parquet", pytest.param("postgres", marks=pytest.mark.long)])
async def test_a_few_kills(logged: Rig, where: str) -> None:
    kills = Kills(logged, where, seed=1)
    await kills.start()
    await kills.load()
    for point in ("write", "committed", "acknowledge"):
        await kills.writer.write(12)
        await kills.at(point)
    for _ in range(2):
        await kills.writer.write(12)
        await kills.after(kills.chance.uniform(0, 0.3))
    await kills.writer.write(3)
    await kills.same()
    assert kills.killed >= 4 and kills.ahead >= 1


@pytest.mark.long
@pytest.mark.parametrize("where", ["postgres", "parquet"])
@pytest.mark.parametrize("seed", range(2, 4))
async def test_many_kills(logged: Rig, where: str, seed: int) -> None:
    """With transactions going on meanwhile; into PostgreSQL from the first load on."""
    kills = Kills(logged, where, seed)
    await kills.start()
    kills.writer.sql = await logged.connect()
    await kills.writer.sql.execute("SET synchronous_commit = on")
    if where == "parquet":
        await kills.load()
    for point in POINTS:
        await asyncio.gather(kills.writer.write(20), kills.at(point))
    for _ in range(10):
        wait_s = kills.chance.uniform(0, 0.6)
        await asyncio.gather(kills.writer.write(20), kills.after(wait_s))
    await kills.same()
    await kills.writer.sql.close()
    print(f"{where}: {kills.killed} kills, {kills.ahead} between commit and acknowledgement")
    assert kills.killed >= 12 and kills.ahead >= 4
