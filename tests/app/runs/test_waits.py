"""Every reason for which a run or a step waits, made so by rows, and what it waits for."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Text, cast, select

from app.core import db
from app.runs import waits
from app.runs.tables import run_steps, runs
from tests.app.runs.conftest import Ledger

RUN = (
    waits.run_reason(runs.c),
    waits.run_until(runs.c),
    waits.run_for(lambda c: cast(c.id, Text))(runs.c),
)
STEP = (
    waits.step_reason(run_steps.c),
    waits.step_until(run_steps.c),
    waits.step_for(run_steps.c),
)


@pytest.fixture
async def place(ledger: Ledger) -> AsyncIterator[Ledger]:
    """An empty ledger with one worker that has room."""
    await ledger.put("DELETE FROM workers")
    await worker(ledger)
    yield ledger
    await ledger.put("DELETE FROM workers")


async def worker(ledger: Ledger, name: str = "w", **change: str) -> None:
    """A worker's row with 4 slots, changed by SQL."""
    values = {"seen_at": "now()", "looked_at": "now()", "running": "0", "is_draining": "false"}
    values |= {"project_run_limit": "50", **change}
    columns, given = ", ".join(values), ", ".join(values.values())
    await ledger.put(
        f"INSERT INTO workers (id, host, pid, slots, version, {columns}) "
        f"VALUES ('{name}', 'h', 1, 4, '1', {given})"
    )


async def asked(columns: Any, where: Any) -> tuple[str | None, datetime | None, list[str]]:
    """Reason, time and names of one row."""
    async with db.reading() as connection:
        found = (await connection.execute(select(*columns).where(where))).one()
    return found[0], found[1], found[2]


async def of_run(run_id: UUID) -> tuple[str | None, datetime | None, list[str]]:
    """Why a run waits."""
    return await asked(RUN, runs.c.id == run_id)


async def of_step(run_id: UUID, name: str) -> tuple[str | None, datetime | None, list[str]]:
    """Why a step waits."""
    return await asked(STEP, (run_steps.c.run_id == run_id) & (run_steps.c.name == name))


async def later(ledger: Ledger, run_id: UUID) -> datetime:
    """Put a run off by an hour; says until when."""
    await ledger.put(
        "UPDATE runs SET available_at = now() + interval '1 hour' WHERE id = :id", id=run_id
    )
    found: datetime = (await ledger.run(run_id))["available_at"]
    return found


async def test_a_due_run_with_a_free_worker_is_about_to_start(place: Ledger) -> None:
    assert await of_run(await place.accept()) == ("starting", None, [])


async def test_a_run_at_work_and_an_ended_one_wait_for_nothing(place: Ledger) -> None:
    taken = await place.claimed(steps=["a"])
    assert await of_run(taken.run_id) == (None, None, [])
    for status in ("succeeded", "failed", "cancelled"):
        await place.put("UPDATE runs SET status = :s WHERE id = :id", s=status, id=taken.run_id)
        assert await of_run(taken.run_id) == (None, None, [])
        assert await of_step(taken.run_id, "a") == (None, None, [])


async def test_a_run_on_hold_waits_for_its_trigger(place: Ledger) -> None:
    held = await place.accept(hold="trigger_inactive")
    await later(place, held)
    assert await of_run(held) == ("trigger_inactive", None, [])


async def test_a_run_that_was_never_begun_is_not_due(place: Ledger) -> None:
    run_id = await place.accept()
    until = await later(place, run_id)
    assert await of_run(run_id) == ("not_due", until, [])


async def test_a_run_that_was_given_back_is_tried_again(place: Ledger) -> None:
    run_id = await place.accept()
    await place.put("UPDATE runs SET attempt = 1 WHERE id = :id", id=run_id)
    until = await later(place, run_id)
    assert await of_run(run_id) == ("retry", until, [])


@pytest.mark.parametrize("wait", ["poll", "retry"])
async def test_a_parked_run_names_the_steps_that_it_waits_for(place: Ledger, wait: str) -> None:
    run_id = await place.accept(steps=["a", "b", "c"], upstream={"c": ["b"]})
    until = await later(place, run_id)
    await place.put(
        "UPDATE run_steps SET wait = :wait, available_at = :at WHERE run_id = :id AND name = 'b'",
        wait=wait,
        at=until,
        id=run_id,
    )
    assert await of_run(run_id) == (wait, until, ["b"])
    assert await of_step(run_id, "b") == (wait, until, [])
    assert (await of_step(run_id, "c"))[0] == "run"


async def test_without_a_worker_it_says_so(place: Ledger) -> None:
    run_id = await place.accept()
    for change in ("seen_at = now() - interval '16 seconds'", "is_draining = true"):
        await place.put("UPDATE workers SET seen_at = now(), is_draining = false")
        await place.put(f"UPDATE workers SET {change}")
        assert (await of_run(run_id))[0] == "no_worker"


async def test_workers_that_do_not_look_have_stalled_until_one_looks(place: Ledger) -> None:
    run_id = await place.accept()
    await place.put("UPDATE workers SET looked_at = now() - interval '21 seconds'")
    assert (await of_run(run_id))[0] == "workers_stalled"
    await worker(place, "other")
    assert (await of_run(run_id))[0] == "starting"


async def test_a_run_whose_worker_is_gone_waits_for_another(place: Ledger) -> None:
    taken = await place.claimed()
    await place.expire(taken.run_id)
    assert await of_run(taken.run_id) == ("worker_lost", None, [])
    await place.put("DELETE FROM workers")
    assert (await of_run(taken.run_id))[0] == "no_worker"


async def test_concurrency_names_the_runs_that_hold_the_places(place: Ledger) -> None:
    holders = [(await place.claimed(subject_id=7, concurrency=2)).run_id for _ in range(2)]
    await place.accept(subject_id=8, concurrency=2)
    waiting = await place.accept(subject_id=7, concurrency=2)
    assert await of_run(waiting) == ("concurrency", None, [str(run) for run in holders])
    await place.put("UPDATE runs SET status = 'succeeded' WHERE id = :id", id=holders[0])
    assert (await of_run(waiting))[0] == "starting"


async def test_a_lane_names_at_most_ten_runs(place: Ledger) -> None:
    holders = [(await place.claimed(lane="t1", lane_limit=12)).run_id for _ in range(12)]
    waiting = await place.accept(lane="t1", lane_limit=12)
    other = await place.accept(lane="t2", lane_limit=12)
    assert await of_run(waiting) == ("lane", None, [str(run) for run in holders[:10]])
    assert (await of_run(other))[0] == "starting"


async def test_the_limit_of_a_project_is_the_workers(place: Ledger) -> None:
    await place.put("UPDATE workers SET project_run_limit = 1")
    await place.claimed()
    waiting, elsewhere = await place.accept(), await place.accept(project_id=2)
    assert await of_run(waiting) == ("project_limit", None, [])
    assert (await of_run(elsewhere))[0] == "starting"


async def test_full_workers_are_busy(place: Ledger) -> None:
    await place.put("UPDATE workers SET running = slots")
    assert (await of_run(await place.accept()))[0] == "workers_busy"


async def test_reasons_are_what_the_claim_does(place: Ledger) -> None:
    """Whatever does not wait for a limit is taken by the next claim."""
    await place.claimed(subject_id=1, concurrency=1)
    blocked = await place.accept(subject_id=1, concurrency=1, priority=5)
    free = await place.accept(subject_id=2, concurrency=1)
    assert [(await of_run(run))[0] for run in (blocked, free)] == ["concurrency", "starting"]
    taken = await place.claim()
    assert taken is not None and taken.run_id == free
    assert await place.claim() is None


async def test_steps_wait_for_their_run_then_for_those_before_them(place: Ledger) -> None:
    run_id = await place.accept(steps=["a", "b", "c"], upstream={"c": ["a", "b"]})
    assert await of_step(run_id, "c") == ("run", None, [])
    await place.claim()
    assert await of_step(run_id, "c") == ("upstream", None, ["a", "b"])
    assert await of_step(run_id, "a") == ("starting", None, [])
    await place.put("UPDATE run_steps SET status = 'succeeded' WHERE name = 'a'")
    assert await of_step(run_id, "c") == ("upstream", None, ["b"])
    assert await of_step(run_id, "a") == (None, None, [])


@pytest.mark.parametrize("wait", ["slot", "limit"])
async def test_a_queued_step_waits_for_a_place(place: Ledger, wait: str) -> None:
    taken = await place.claimed(steps=["a"])
    await place.put("UPDATE run_steps SET status = 'queued'")
    assert await of_step(taken.run_id, "a") == ("slot", None, [])
    await place.put("UPDATE run_steps SET wait = :wait", wait=wait)
    assert await of_step(taken.run_id, "a") == (wait, None, [])
