"""Syncs into files, and long ones into tables, are killed at random moments.

Afterwards the destination holds what the source holds; `test_kill_matrix.py` counts the kills.
"""

import random

import pytest

from tests.workers.sync.kills import kill_after
from tests.workers.sync.rig import Line, Rig

TABLE = """CREATE TABLE one (id int PRIMARY KEY, v text, at int);
INSERT INTO one SELECT i, md5(i::text), 0 FROM generate_series(1, 20000) i"""


async def change(rig: Rig, round: int, chance: random.Random) -> int:
    """Change some rows and add some; how many."""
    below = chance.randint(2000, 20000)
    done = await rig.sql.execute(
        f"UPDATE one SET v = md5(v), at = {round} WHERE id % 7 = {round % 7} AND id < {below}"
    )
    await rig.sql.execute(
        f"INSERT INTO one SELECT max(id) + i, 'new', {round} FROM one, generate_series(1, 50) i GROUP BY i"
    )
    return int(done.split()[1]) + 50


async def kill(rig: Rig, destination: Line, streams: list[Line], wait_s: float) -> bool:
    """Kill a sync after so many seconds; whether it still worked."""
    return (await kill_after(rig, destination, streams, wait_s)).killed


async def upserts(rig: Rig, rounds: int, seed: int) -> None:
    """Upserts into PostgreSQL, interrupted."""
    chance = random.Random(seed)
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode="incremental", cursor="at")
    killed = 0
    for round in range(1, rounds + 1):
        killed += await kill(rig, rig.postgres, streams, chance.uniform(0, 0.4) * (round > 1))
        await change(rig, round, chance)
    assert (await rig.sync(rig.postgres, streams)).result
    assert killed > 0
    assert await rig.same("one")
    assert await rig.sql.fetchval("SELECT count(*) - count(DISTINCT _olake_id) FROM lake.one") == 0


async def appends(rig: Rig, rounds: int, seed: int) -> None:
    """Appends to files, interrupted: each version that was there at a commit comes once."""
    chance = random.Random(seed)
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode="incremental", cursor="at")
    killed, changes = 0, 20000
    for round in range(1, rounds + 1):
        killed += await kill(rig, rig.parquet, streams, chance.uniform(0, 0.4) * (round > 1))
        changes += await change(rig, round, chance)
    assert (await rig.sync(rig.parquet, streams)).result
    assert killed > 0
    theirs = await rig.sql.fetch("SELECT id, v, at FROM one")
    rows = rig.files("one", 'id, v, "at"')
    assert len(rows) == len(set(rows)) <= changes
    newest: dict[int, tuple[int, str]] = {}
    for id, v, at in rows:
        newest[id] = max(newest.get(id, (-1, "")), (at, v))
    assert newest == {row["id"]: (row["at"], row["v"]) for row in theirs}


async def refreshes(rig: Rig, rounds: int, seed: int, *destinations: Line) -> None:
    """Full refreshes, the last ones into files, interrupted."""
    chance = random.Random(seed)
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one")
    for destination in destinations:
        killed = 0
        for round in range(1, rounds + 1):
            killed += await kill(rig, destination, streams, chance.uniform(0, 0.4) * (round > 1))
            await change(rig, round, chance)
        assert (await rig.sync(destination, streams)).result
        assert killed > 0
        if destination == rig.postgres:
            assert await rig.same("one")
    theirs = await rig.sql.fetch("SELECT id, v, at FROM one")
    assert sorted(rig.files("one", 'id, v, "at"')) == sorted(map(tuple, theirs))
    named = {file["path"] for file in rig.manifest("one")["files"]}
    on_disk = {
        p.relative_to(rig.folder("one")).as_posix() for p in rig.folder("one").rglob("*.parquet")
    }
    assert on_disk == named


async def test_a_few_kills_of_appends(rig: Rig) -> None:
    await appends(rig, 4, seed=2)


async def test_a_few_kills_of_refreshes(rig: Rig) -> None:
    await refreshes(rig, 3, 3, rig.parquet)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 13))
async def test_many_kills(rig: Rig, seed: int) -> None:
    await upserts(rig, 25, seed)


@pytest.mark.long
async def test_many_kills_of_appends(rig: Rig) -> None:
    await appends(rig, 25, seed=20)


@pytest.mark.long
async def test_many_kills_of_refreshes(rig: Rig) -> None:
    await refreshes(rig, 20, 30, rig.postgres, rig.parquet)
