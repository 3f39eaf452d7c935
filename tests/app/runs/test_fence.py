"""A run has one valid writer: the holder of its last fence."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from app.core import db
from app.core.db import Tx
from app.core.rules import SYSTEM
from app.runs import fenced
from app.runs.actions import request_cancel, retry
from app.runs.claim import Claim, beat, bury
from app.runs.fenced import LeaseLost, LogLine
from tests.app.runs.conftest import Ledger
from tests.journeys.chaos.harness import until

Write = Callable[[Tx, Claim], Awaitable[object]]

WRITES: dict[str, Write] = {
    "queue_step": lambda tx, c: fenced.queue_step(tx, c.run_id, c.fence, "a"),
    "start_step": lambda tx, c: fenced.start_step(tx, c.run_id, c.fence, "a"),
    "finish_step": lambda tx, c: fenced.finish_step(tx, c.run_id, c.fence, "a", "cancelled"),
    "append_logs": lambda tx, c: fenced.append_logs(tx, c.run_id, c.fence, 0, [LogLine("x")]),
    "finish": lambda tx, c: fenced.finish(tx, c.run_id, c.fence, "succeeded"),
    "give_back": lambda tx, c: fenced.give_back(tx, c.run_id, c.fence, consume_attempt=False),
}


async def snapshot(ledger: Ledger) -> list[object]:
    """Everything in the ledger."""
    tables = ("runs", "run_steps", "run_logs", "run_events")
    return [await ledger.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


@pytest.mark.parametrize("write", WRITES)
async def test_stale_writer_changes_nothing(ledger: Ledger, write: str) -> None:
    old = await ledger.claimed(steps=["a"])
    await ledger.expire(old.run_id)
    new = await ledger.claim("other")
    assert new is not None and new.fence == old.fence + 1
    before = await snapshot(ledger)
    with pytest.raises(LeaseLost):
        async with db.transaction(SYSTEM) as tx:
            await WRITES[write](tx, old)
    with pytest.raises(LeaseLost):
        await beat(old.run_id, old.fence, 60)
    assert await snapshot(ledger) == before
    async with db.transaction(SYSTEM) as tx:
        await WRITES[write](tx, new)
    assert await snapshot(ledger) != before


@pytest.mark.parametrize("write", WRITES)
async def test_nothing_is_written_to_an_ended_run(ledger: Ledger, write: str) -> None:
    claim = await ledger.claimed(steps=["a"])
    async with db.transaction(SYSTEM) as tx:
        await fenced.finish(tx, claim.run_id, claim.fence, "failed")
    before = await snapshot(ledger)
    with pytest.raises(LeaseLost):
        async with db.transaction(SYSTEM) as tx:
            await WRITES[write](tx, claim)
    assert await snapshot(ledger) == before


async def test_late_write_that_waited_for_the_takeover_is_refused(ledger: Ledger) -> None:
    old = await ledger.claimed(steps=["a"])
    async with db.transaction(SYSTEM) as taking:
        await taking.execute(
            text("UPDATE runs SET fence = fence + 1 WHERE id = :id"), {"id": old.run_id}
        )
        late = asyncio.create_task(_start(old))
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
        await until(lambda: ledger.rows(waiting), 5, "the late write waits for the lock")
        assert not late.done()
    with pytest.raises(LeaseLost):
        await late


async def test_repeated_writes_change_nothing_twice(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a"])
    lines = [LogLine("one", step="a"), LogLine("two", level="ERROR")]
    for _ in range(2):
        async with db.transaction(SYSTEM) as tx:
            await fenced.start_step(tx, claim.run_id, claim.fence, "a")
        async with db.transaction(SYSTEM) as tx:
            assert await fenced.append_logs(tx, claim.run_id, claim.fence, 0, lines) == 2
    for _ in range(2):
        async with db.transaction(SYSTEM) as tx:
            await fenced.finish_step(tx, claim.run_id, claim.fence, "a", "succeeded")
    for _ in range(2):
        async with db.transaction(SYSTEM) as tx:
            await fenced.finish(tx, claim.run_id, claim.fence, "succeeded", result={"n": 1})
    (step,) = await ledger.steps(claim.run_id)
    assert (step["status"], step["attempt"]) == ("succeeded", 1)
    logged = await ledger.rows("SELECT seq, level, message FROM run_logs ORDER BY seq")
    assert [tuple(line.values()) for line in logged] == [(1, "INFO", "one"), (2, "ERROR", "two")]
    events = await ledger.events(claim.run_id)
    assert [event[1] for event in events].count("run.finished") == 1
    assert (await ledger.run(claim.run_id))["version"] == events[-1][0] == len(events)


async def test_text_that_postgres_cannot_hold_is_stored_readably(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a"])
    bad = "a\x00b\ud800c"
    async with db.transaction(SYSTEM) as tx:
        await fenced.append_logs(tx, claim.run_id, claim.fence, 0, [LogLine(bad)])
        await fenced.start_step(tx, claim.run_id, claim.fence, "a")
        await fenced.finish_step(
            tx, claim.run_id, claim.fence, "a", "failed", error=bad, outputs=[{bad: [bad]}]
        )
        await fenced.finish(tx, claim.run_id, claim.fence, "failed", result={"x": bad}, error=bad)
    clean = "a\N{REPLACEMENT CHARACTER}b?c"
    run = await ledger.run(claim.run_id)
    (step,) = await ledger.steps(claim.run_id)
    assert (run["error"], run["result"]) == (clean, {"x": clean})
    assert (step["error"], step["outputs"]) == (clean, [{clean: [clean]}])


async def test_unknown_step_is_the_callers_mistake(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a"])
    with pytest.raises(ValueError, match="missing"):
        async with db.transaction(SYSTEM) as tx:
            await fenced.start_step(tx, claim.run_id, claim.fence, "z")


async def test_numbers_of_log_lines_go_on_after_a_takeover(ledger: Ledger) -> None:
    old = await ledger.claimed()
    async with db.transaction(SYSTEM) as tx:
        await fenced.append_logs(tx, old.run_id, old.fence, 0, [LogLine("1"), LogLine("2")])
    await ledger.expire(old.run_id)
    new = await ledger.claim()
    assert new is not None and new.last_log_seq == 2


async def test_give_back_keeps_what_succeeded_and_counts_as_asked(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a", "b", "c"])
    async with db.transaction(SYSTEM) as tx:
        for name in ("a", "b"):
            await fenced.start_step(tx, claim.run_id, claim.fence, name)
        await fenced.finish_step(tx, claim.run_id, claim.fence, "a", "succeeded")
        await fenced.give_back(tx, claim.run_id, claim.fence, consume_attempt=False)
    run = await ledger.run(claim.run_id)
    assert (run["status"], run["attempt"], run["losses"]) == ("queued", 0, 0)
    steps = await ledger.steps(claim.run_id)
    assert [step["status"] for step in steps] == ["succeeded", "pending", "pending"]
    again = await ledger.claim()
    assert again is not None and again.run["attempt"] == 1 and again.fence == 2
    async with db.transaction(SYSTEM) as tx:
        await fenced.give_back(tx, again.run_id, again.fence, delay_s=60, consume_attempt=True)
    run = await ledger.run(claim.run_id)
    assert (run["status"], run["attempt"]) == ("queued", 1)
    assert await ledger.claim() is None


async def test_give_back_of_a_run_to_be_cancelled_cancels_it(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a"])
    async with db.transaction(SYSTEM) as tx:
        assert await request_cancel(tx, claim.run_id)
    async with db.transaction(SYSTEM) as tx:
        await fenced.give_back(tx, claim.run_id, claim.fence, consume_attempt=False)
    assert (await ledger.run(claim.run_id))["status"] == "cancelled"


async def test_beat_tells_of_a_cancel_and_keeps_the_lease(ledger: Ledger) -> None:
    claim = await ledger.claimed()
    assert not await beat(claim.run_id, claim.fence, 3600)
    (row,) = await ledger.rows("SELECT lease_until > now() + interval '50 min' AS long FROM runs")
    assert row["long"]
    async with db.transaction(SYSTEM) as tx:
        assert await request_cancel(tx, claim.run_id)
        assert await request_cancel(tx, claim.run_id)
    assert await beat(claim.run_id, claim.fence, 3600)
    events = await ledger.events(claim.run_id)
    assert [event[1] for event in events] == ["run.queued", "run.running", "run.cancel_requested"]


async def test_cancelled_queued_run_never_runs(ledger: Ledger) -> None:
    run_id = await ledger.accept(steps=["a"])
    async with db.transaction(SYSTEM) as tx:
        assert await request_cancel(tx, run_id)
    assert await ledger.claim() is None
    assert (await ledger.run(run_id))["status"] == "cancelled"
    assert [step["status"] for step in await ledger.steps(run_id)] == ["cancelled"]
    async with db.transaction(SYSTEM) as tx:
        assert not await request_cancel(tx, run_id)


async def test_retry_repeats_what_failed_and_what_is_named(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a", "b", "c"])
    async with db.transaction(SYSTEM) as tx:
        for name, end in (("a", "succeeded"), ("b", "succeeded"), ("c", "failed")):
            await fenced.start_step(tx, claim.run_id, claim.fence, name)
            await fenced.finish_step(tx, claim.run_id, claim.fence, name, end)  # type: ignore[arg-type]
        assert not await retry(tx, claim.run_id, step_names=None)
        await fenced.finish(tx, claim.run_id, claim.fence, "failed", error="c broke")
    async with db.transaction(SYSTEM) as tx:
        assert await retry(tx, claim.run_id, step_names=["b"])
    run = await ledger.run(claim.run_id)
    assert (run["status"], run["attempt"], run["error"], run["finished_at"]) == (
        "queued",
        0,
        None,
        None,
    )
    steps = await ledger.steps(claim.run_id)
    assert [step["status"] for step in steps] == ["succeeded", "pending", "pending"]
    again = await ledger.claim()
    assert again is not None and again.fence == 2


async def test_succeeded_run_is_repeated_only_from_a_named_step(ledger: Ledger) -> None:
    claim = await ledger.claimed(steps=["a"])
    async with db.transaction(SYSTEM) as tx:
        await fenced.start_step(tx, claim.run_id, claim.fence, "a")
        await fenced.finish_step(tx, claim.run_id, claim.fence, "a", "succeeded")
        await fenced.finish(tx, claim.run_id, claim.fence, "succeeded")
    async with db.transaction(SYSTEM) as tx:
        assert not await retry(tx, claim.run_id, step_names=None)
        assert await retry(tx, claim.run_id, step_names=["a"])


async def test_lost_run_is_ended_once_it_lost_three_workers_or_is_to_be_cancelled(
    ledger: Ledger,
) -> None:
    unlucky = await ledger.claimed(steps=["a"])
    for _ in range(2):
        await ledger.expire(unlucky.run_id)
        async with db.transaction(SYSTEM) as tx:
            assert await bury(tx) == 0
        assert await ledger.claim() is not None
    await ledger.expire(unlucky.run_id)
    assert await ledger.claim() is None
    unwanted = await ledger.claimed()
    async with db.transaction(SYSTEM) as tx:
        await request_cancel(tx, unwanted.run_id)
    await ledger.expire(unwanted.run_id)
    assert await ledger.claim() is None
    async with db.transaction(SYSTEM) as tx:
        assert await bury(tx) == 2
    run = await ledger.run(unlucky.run_id)
    assert (run["status"], run["reason"], run["attempt"]) == ("failed", "worker_lost", 3)
    assert (await ledger.run(unwanted.run_id))["status"] == "cancelled"


async def _start(claim: Claim) -> None:
    async with db.transaction(SYSTEM) as tx:
        await fenced.start_step(tx, claim.run_id, claim.fence, "a")
