"""Which run is claimed next, by how many at once, and which are hinted at."""

import asyncio
from uuid import UUID

from app.core import db
from app.core.rules import SYSTEM
from app.runs import fenced
from app.runs.claim import stamp, unstamp
from tests.app.runs.conftest import Ledger


async def order(ledger: Ledger, count: int, **more: int) -> list[UUID]:
    """The ids of the next claims."""
    claims = [await ledger.claim(**more) for _ in range(count)]  # type: ignore[arg-type]
    return [claim.run_id for claim in claims if claim is not None]


async def test_lost_runs_come_first_then_projects_in_turn_then_priority_then_age(
    ledger: Ledger,
) -> None:
    lost = (await ledger.claimed(project_id=2)).run_id
    await ledger.expire(lost)
    old = await ledger.accept()
    urgent = await ledger.accept(priority=5)
    newest = await ledger.accept()
    others = [await ledger.accept(project_id=2) for _ in range(2)]
    # Project 2 runs one already, so project 1 has its turn, then each in turn.
    assert await order(ledger, 6) == [lost, urgent, old, others[0], newest, others[1]]
    assert await ledger.claim() is None


async def test_project_at_its_limit_waits_and_others_go_on(ledger: Ledger) -> None:
    mine = [await ledger.accept() for _ in range(4)]
    other = await ledger.accept(project_id=2)
    assert set(await order(ledger, 5, project_limit=2)) == {mine[0], mine[1], other}
    async with db.transaction(SYSTEM) as tx:
        await fenced.finish(tx, mine[0], 1, "succeeded")
    assert await order(ledger, 2, project_limit=2) == [mine[2]]


async def test_flood_of_one_project_does_not_stop_another(ledger: Ledger) -> None:
    await ledger.put(
        "INSERT INTO runs (project_id, kind, priority)"
        " SELECT 1, 'noop', 9 FROM generate_series(1, 10000)"
    )
    assert await ledger.claim() is not None
    other = await ledger.accept(project_id=2)
    assert await order(ledger, 1) == [other]


async def test_kinds_that_the_worker_does_not_know_are_left(ledger: Ledger) -> None:
    await ledger.accept(kind="unknown")
    assert await ledger.claim() is None


async def test_claims_at_once_give_each_run_to_one_worker(ledger: Ledger) -> None:
    run_ids = {await ledger.accept(project_id=1 + n % 2) for n in range(30)}
    claims = await asyncio.gather(*(ledger.claim(f"w{n}") for n in range(8)))
    taken = [claim.run_id for claim in claims if claim is not None]
    assert len(taken) == len(set(taken)) == 8
    taken += await order(ledger, 30)
    assert sorted(taken) == sorted(run_ids)


async def test_concurrency_of_a_subject_holds_among_claims_at_once(ledger: Ledger) -> None:
    for _ in range(20):
        await ledger.accept(subject_id=7, concurrency=2)
    free = await ledger.accept(subject_id=8, concurrency=2)
    claims = await asyncio.gather(*(ledger.claim(f"w{n}") for n in range(10)))
    taken = [claim.run["subject_id"] for claim in claims if claim is not None]
    taken += [(await ledger.run(run_id))["subject_id"] for run_id in await order(ledger, 5)]
    assert sorted(taken) == [7, 7, 8]
    assert (await ledger.run(free))["status"] == "running"


async def test_concurrency_one_is_never_exceeded_over_many_rounds(ledger: Ledger) -> None:
    run_ids = [await ledger.accept(subject_id=7, concurrency=1) for _ in range(10)]
    for _ in run_ids:
        claims = await asyncio.gather(*(ledger.claim(f"w{n}") for n in range(5)))
        (claim,) = [claim for claim in claims if claim is not None]
        async with db.transaction(SYSTEM) as tx:
            await fenced.finish(tx, claim.run_id, claim.fence, "succeeded")


async def test_waiting_runs_are_hinted_at_less_and_less_often(ledger: Ledger) -> None:
    run_id = await ledger.accept()

    async def hinted_after(seconds: int) -> bool:
        await ledger.put("UPDATE runs SET hinted_at = now() - make_interval(secs => :s)", s=seconds)
        async with db.transaction(SYSTEM) as tx:
            return await stamp(tx, 5) == [run_id]

    async with db.transaction(SYSTEM) as tx:
        assert await stamp(tx, 5) == []
    for pause in (5, 10, 20, 40, 60, 60, 60):
        assert not await hinted_after(pause - 1)
        assert await hinted_after(pause + 1)


async def test_hint_that_could_not_be_sent_does_not_count(ledger: Ledger) -> None:
    run_id = await ledger.accept()
    await ledger.put("UPDATE runs SET hinted_at = now() - interval '6 seconds'")
    for _ in range(10):
        async with db.transaction(SYSTEM) as tx:
            assert await stamp(tx, 5) == [run_id]
        async with db.transaction(SYSTEM) as tx:
            await unstamp(tx, [run_id])


async def test_lost_run_is_hinted_at_once_and_no_more_than_there_is_room_for(
    ledger: Ledger,
) -> None:
    lost = [(await ledger.claimed()).run_id for _ in range(3)]
    async with db.transaction(SYSTEM) as tx:
        assert await stamp(tx, 5) == []
    for run_id in lost:
        await ledger.expire(run_id)
    async with db.transaction(SYSTEM) as tx:
        first = await stamp(tx, 2)
    async with db.transaction(SYSTEM) as tx:
        rest = await stamp(tx, 2)
    assert len(first) == 2 and sorted(first + rest) == sorted(lost)
