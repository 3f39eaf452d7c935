"""Many runs at once: the same rows, steps and events as one after another."""

from typing import Any
from uuid import UUID

from app.core import db
from app.core.rules import SYSTEM
from app.runs import fenced
from app.runs.actions import request_cancel, retry
from app.runs.many import accept_like, cancel_many, retry_many
from tests.app.runs.conftest import Ledger

STEPS = {"steps": ["a", "b"], "upstream": {"b": ["a"]}}
OF_ITS_OWN = {"id", "created_at", "updated_at", "available_at", "finished_at", "hinted_at"}


async def same(ledger: Ledger, one: UUID, other: UUID, *, but: tuple[str, ...] = ()) -> None:
    """Both runs have equal rows, steps and events, but for what is each run's own."""
    assert await ledger.events(one) == await ledger.events(other)

    def alike(row: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in row.items() if k not in {*OF_ITS_OWN, "run_id", *but}}

    first, second = await ledger.run(one), await ledger.run(other)
    assert alike(first) == alike(second)
    assert (first["finished_at"] is None) is (second["finished_at"] is None)
    pairs = zip(await ledger.steps(one), await ledger.steps(other), strict=True)
    assert all(alike(a) == alike(b) for a, b in pairs)


async def several(ledger: Ledger, count: int = 3) -> list[UUID]:
    """Queued runs with two steps each."""
    return [await ledger.accept(**STEPS) for _ in range(count)]


async def test_runs_like_one_differ_from_it_in_nothing(ledger: Ledger) -> None:
    more = {"lane": "l", "lane_limit": 2, "concurrency": 3, "subject_id": 7, "timeout_s": 9}
    run_id = await ledger.accept(**STEPS, **more, params={"x": 1}, priority=2, max_attempts=5)
    async with db.transaction(SYSTEM) as tx:
        made = await accept_like(tx, run_id, 40)
    assert made == sorted(made) and len(made) == 40 and made[0] > run_id
    for other in (made[0], made[-1]):
        await same(ledger, run_id, other, but=("hint_count",))


async def test_runs_like_one_on_hold_are_on_hold(ledger: Ledger) -> None:
    run_id = await ledger.accept(hold="why")
    async with db.transaction(SYSTEM) as tx:
        await accept_like(tx, run_id, 2)
    assert await ledger.claim() is None


async def test_cancelling_many_is_cancelling_each(ledger: Ledger) -> None:
    one, *many = await several(ledger)
    async with db.transaction(SYSTEM) as tx:
        await request_cancel(tx, one)
        await cancel_many(tx, many)
    for run_id in many:
        await same(ledger, one, run_id)


async def test_cancelling_many_asks_running_ones_and_leaves_ended_ones(ledger: Ledger) -> None:
    running = (await ledger.claimed(**STEPS)).run_id
    ended = (await ledger.claimed(**STEPS)).run_id
    async with db.transaction(SYSTEM) as tx:
        await fenced.finish(tx, ended, 1, "succeeded")
    before = await ledger.run(ended)
    async with db.transaction(SYSTEM) as tx:
        await cancel_many(tx, [running, ended])
    asked = await ledger.run(running)
    assert asked["status"] == "running" and asked["cancel_requested_at"] is not None
    assert await ledger.run(ended) == before


async def test_retrying_many_is_retrying_each(ledger: Ledger) -> None:
    one, *many = await several(ledger)
    async with db.transaction(SYSTEM) as tx:
        await cancel_many(tx, [one, *many])
        await retry(tx, one)
        await retry_many(tx, many)
    for run_id in many:
        await same(ledger, one, run_id, but=("hint_count",))
    # A cancelled step of the first and each of the others is pending, as its event says.
    rows = await ledger.rows("SELECT data FROM run_events WHERE data->>'retry' = 'true'")
    assert [sorted(row["data"]["steps"]) for row in rows] == [["a", "b"]] * 3


async def test_retrying_many_goes_on_with_what_had_begun(ledger: Ledger) -> None:
    failed = (await ledger.claimed(**STEPS)).run_id
    async with db.transaction(SYSTEM) as tx:
        await fenced.start_step(tx, failed, 1, "a")
        await fenced.finish_step(tx, failed, 1, "a", "succeeded")
        await fenced.finish(tx, failed, 1, "failed")
    queued = await ledger.accept()
    async with db.transaction(SYSTEM) as tx:
        await retry_many(tx, [failed, queued])
    assert [step["status"] for step in await ledger.steps(failed)] == ["succeeded", "pending"]
    assert [(await ledger.run(run_id))["status"] for run_id in (failed, queued)] == ["queued"] * 2
    assert len(await ledger.events(queued)) == 1
