"""Lanes of a kind: one query at a time, orphans, time-outs."""

import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette

from app.semantic.asking import QueryFailed, Statement, answer
from tests.app.semantic.asked import KEY, asked, in_state, statement, stored, until
from tests.app.semantic.conftest import Gate, hold, query_lane


async def test_one_query_runs_and_another_queues(
    app: Starlette, warehouse: str, gate: Gate, tmp_path: Path
) -> None:
    await gate.close(2)
    first = statement(f"SELECT 1 AS one, {hold(2)}::text AS first")
    second = statement("SELECT 2 AS two")
    async with query_lane(warehouse, tmp_path, query_concurrency=1):
        assert await answer(first, KEY, 0.2) is None
        await in_state(first, "running")
        assert await answer(second, KEY, 0.2) is None
        assert (await stored(second))["state"] == "queued"
        await gate.open(2)
        assert (await asked(second)).rows() == [[2]]
        assert (await asked(first)).rows() == [[1, ""]]


async def begun(of: Statement) -> None:
    """Ask until it runs: a lane that has just come up may not have heard the first time."""

    async def runs() -> bool:
        assert await answer(of, KEY, 0) is None
        return bool((await stored(of))["state"] == "running")

    await until(runs)


async def test_an_orphan_never_reaches_the_database(
    app: Starlette, warehouse: str, gate: Gate, tmp_path: Path
) -> None:
    await gate.close(3)
    first = statement(f"SELECT 1 AS one, {hold(3)}::text AS ahead")
    orphan, last = statement("SELECT 'orphan' AS word"), statement("SELECT 'last' AS word")
    async with query_lane(warehouse, tmp_path, query_concurrency=1, query_orphan_s=1):
        await begun(first)
        assert await answer(orphan, KEY, 0) is None
        await asyncio.sleep(1.2)
        assert await answer(last, KEY, 0) is None
        await gate.open(3)
        assert (await asked(last)).rows() == [["last"]]
        left = await stored(orphan)
        assert (left["state"], left["started_at"], left["run"]) == ("queued", None, 1)
        # Asked again, it is an orphan no more.
        assert (await asked(orphan)).rows() == [["orphan"]]


async def test_a_query_that_takes_too_long_is_ended(
    app: Starlette, warehouse: str, gate: Gate, tmp_path: Path
) -> None:
    await gate.close(6)
    slow = statement(f"SELECT {hold(6)}::text AS endless")
    async with query_lane(warehouse, tmp_path, query_timeout_s=0.3):
        with pytest.raises(QueryFailed, match=r"timeout after 0\.3 s"):
            await answer(slow, KEY, 20)
        assert await gate.running(6) == 0


async def test_hints_only_make_it_quick(app: Starlette, warehouse: str, tmp_path: Path) -> None:
    async with query_lane(warehouse, tmp_path, is_told=False):
        assert (await asked(statement("SELECT 'unheard' AS word"))).rows() == [["unheard"]]
