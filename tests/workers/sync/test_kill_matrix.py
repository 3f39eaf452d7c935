"""All kills in one count: each way of syncing into each kind of table, killed again and again.

A kill counts where the sync still worked. It is between a commit and its acknowledgement where the
destination holds a commit of that very sync, and nobody was told of it: its worker by no line, and
the source, where that has a log, by no move of the slot.
"""

import random

import pytest
from pyiceberg.exceptions import NoSuchTableError

from tests.workers.sync.kills import Ended, kill_after, kill_at
from tests.workers.sync.rig import Line, Rig
from tests.workers.sync.test_iceberg import equal
from tests.workers.sync.test_kills import TABLE, change
from tests.workers.sync.test_log_kills import Kills

TRIES = 20
Cell = tuple[str, str, tuple[str, ...], int]
"""Mode, destination, named points of kills, and how many more come at random moments."""

FEW: tuple[Cell, ...] = (
    ("full_refresh", "postgres", ("committed",), 0),
    ("incremental", "iceberg", ("committed",), 1),
    ("cdc", "iceberg", ("acknowledge",), 1),
)
ALL: tuple[Cell, ...] = (
    ("full_refresh", "postgres", ("committed", "committed"), 6),
    ("full_refresh", "iceberg", ("committed", "committed"), 6),
    ("incremental", "postgres", ("committed", "committed"), 6),
    ("incremental", "iceberg", ("committed", "committed"), 6),
    ("cdc", "postgres", ("committed", "acknowledge"), 7),
    ("cdc", "iceberg", ("committed", "acknowledge"), 7),
)


class TableKills:
    """Syncs of one table of 20,000 rows and more that are killed: all of it, or by its cursor."""

    def __init__(self, rig: Rig, mode: str, where: str, chance: random.Random) -> None:
        self.rig = rig
        self.mode = mode
        self.where = where
        self.chance = chance
        self.destination: Line = getattr(rig, where)
        self.round = 0
        self.killed = 0
        self.ahead = 0

    async def begin(self) -> None:
        await self.rig.sql.execute(TABLE)
        self.streams = await self.rig.streams("one", mode=self.mode, cursor="at")
        assert (await self.rig.sync(self.destination, self.streams)).result

    async def write(self) -> None:
        self.round += 1
        await change(self.rig, self.round, self.chance)

    async def at(self, point: str) -> bool:
        return await self._count(await kill_at(self.rig, self.destination, self.streams, point))

    async def after(self, wait_s: float) -> bool:
        return await self._count(await kill_after(self.rig, self.destination, self.streams, wait_s))

    async def same(self) -> None:
        """Once one has come through, the destination holds what the source holds, each row once."""
        assert (await self.rig.sync(self.destination, self.streams)).result
        if self.where == "iceberg":
            await equal(self.rig)
        else:
            assert await self.rig.same("one")

    async def _count(self, ended: Ended) -> bool:
        told = any("state" in line for line in ended.told.lines)
        self.killed += ended.killed
        self.ahead += ended.killed and not told and await self._committed() == ended.run
        return ended.killed

    async def _committed(self) -> str | None:
        """The run that has committed last."""
        if self.where == "postgres":
            run: str | None = await self.rig.sql.fetchval(
                "SELECT run FROM lake._isthmus_positions WHERE table_name = 'one'"
            )
            return run
        try:
            return str(self.rig.iceberg_table("one").current_snapshot().summary["isthmus.run"])
        except NoSuchTableError:
            return None


class LogKills(Kills):
    """The same for two tables and their log."""

    async def begin(self) -> None:
        await self.start()
        await self.load()

    async def write(self) -> None:
        await self.writer.write(12)


async def kill(kills: TableKills | LogKills, point: str | None, longest_s: float) -> float:
    """One kill, at a point or a random moment; returns how long a sync may take at the longest."""
    for _ in range(TRIES):
        await kills.write()
        if point is not None:
            assert await kills.at(point), point
            return longest_s
        wait_s = kills.chance.uniform(0, longest_s)
        if await kills.after(wait_s):
            return longest_s
        longest_s = wait_s  # It had ended by then.
    raise AssertionError(f"no kill in {TRIES} tries")


async def killed(rig: Rig, cells: tuple[Cell, ...], seed: int) -> tuple[int, int]:
    """All kills of the cells, and how many were between a commit and its acknowledgement."""
    chance = random.Random(seed)
    counted = ahead = 0
    for mode, where, points, times in cells:
        await rig.sql.execute("DROP TABLE IF EXISTS one, two")
        await rig.drop_slot()
        kills = (
            LogKills(rig, where, chance.randrange(1000))
            if mode == "cdc"
            else TableKills(rig, mode, where, chance)
        )
        await kills.begin()
        wanted: list[str | None] = [*points, *(None,) * times]
        chance.shuffle(wanted)
        longest_s = 2.0
        for point in wanted:
            longest_s = await kill(kills, point, longest_s)
        await kills.same()
        print(f"{mode} to {where}: {kills.killed} kills, {kills.ahead} behind a commit")
        counted, ahead = counted + kills.killed, ahead + kills.ahead
    return counted, ahead


async def test_five_kills(logged: Rig) -> None:
    counted, ahead = await killed(logged, FEW, seed=1)
    assert counted == 5 and ahead >= 3


@pytest.mark.long
async def test_fifty_kills(logged: Rig) -> None:
    counted, ahead = await killed(logged, ALL, seed=2)
    print(f"{counted} kills, {ahead} of them between a commit and its acknowledgement")
    assert counted == 50 and ahead >= 10
