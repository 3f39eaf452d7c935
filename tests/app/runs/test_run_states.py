"""Every pair of states: the verbs move what the tables allow, and nothing else."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from app.core import db
from app.core.rules import SYSTEM
from app.runs import fenced
from app.runs.actions import request_cancel, retry
from app.runs.claim import bury
from app.runs.record import reset_steps
from app.runs.states import (
    RUN_MOVES,
    STEP_MOVES,
    RunStatus,
    StepEnd,
    StepStatus,
    step_when_run_ends,
)
from tests.app.runs.conftest import Ledger

RUN_STATES: tuple[RunStatus, ...] = get_args(RunStatus)
STEP_STATES: tuple[StepStatus, ...] = get_args(StepStatus)
STEP_ENDS: tuple[StepEnd, ...] = get_args(StepEnd)
Verb = Callable[[Ledger, UUID, int], Awaitable[object]]


async def _claim(ledger: Ledger, run_id: UUID, fence: int) -> None:
    await ledger.claim()


async def _take_over(ledger: Ledger, run_id: UUID, fence: int) -> None:
    await ledger.expire(run_id)
    await ledger.claim()


async def _bury(ledger: Ledger, run_id: UUID, fence: int) -> None:
    await ledger.put("UPDATE runs SET losses = 2 WHERE id = :id", id=run_id)
    await ledger.expire(run_id)
    async with db.transaction(SYSTEM) as tx:
        await bury(tx)


async def _give_back(ledger: Ledger, run_id: UUID, fence: int) -> None:
    async with db.transaction(SYSTEM) as tx:
        await fenced.give_back(tx, run_id, fence, consume_attempt=True)


async def _cancel(ledger: Ledger, run_id: UUID, fence: int) -> None:
    async with db.transaction(SYSTEM) as tx:
        await request_cancel(tx, run_id)


async def _retry(ledger: Ledger, run_id: UUID, fence: int) -> None:
    async with db.transaction(SYSTEM) as tx:
        await retry(tx, run_id, step_names=["a"])


def _finish(status: str) -> Verb:
    async def verb(ledger: Ledger, run_id: UUID, fence: int) -> None:
        async with db.transaction(SYSTEM) as tx:
            await fenced.finish(tx, run_id, fence, status)  # type: ignore[arg-type]

    return verb


VERBS: dict[str, Verb] = {
    "claim": _claim,
    "take over": _take_over,
    "bury": _bury,
    "give back": _give_back,
    "cancel": _cancel,
    "retry": _retry,
    **{f"finish as {status}": _finish(status) for status in ("succeeded", "failed", "cancelled")},
}


async def put_into(ledger: Ledger, status: RunStatus) -> tuple[UUID, int]:
    """A new run in a state, with the fence of its last worker."""
    run_id = await ledger.accept(steps=["a"])
    if status == "queued":
        return run_id, 0
    claim = await ledger.claim()
    assert claim is not None
    if status != "running":
        async with db.transaction(SYSTEM) as tx:
            await fenced.finish(tx, run_id, claim.fence, status)
    return run_id, claim.fence


async def test_verbs_make_every_move_of_a_run_that_the_table_allows_and_no_other(
    ledger: Ledger,
) -> None:
    seen: set[tuple[str, str]] = set()
    for before in RUN_STATES:
        for name, verb in VERBS.items():
            run_id, fence = await put_into(ledger, before)
            with suppress(fenced.LeaseLost):
                await verb(ledger, run_id, fence)
            run = await ledger.run(run_id)
            if (run["status"], run["fence"]) != (before, fence):
                move = (before, run["status"])
                assert run["status"] in RUN_MOVES[before], (name, move)
                seen.add(move)
            events = await ledger.events(run_id)
            assert [event[0] for event in events] == list(range(1, run["version"] + 1))
            await ledger.put("DELETE FROM runs")
    unmade = {(a, b) for a in RUN_STATES for b in RUN_MOVES[a]} - seen
    assert unmade == set()


@pytest.mark.parametrize("before", STEP_STATES)
async def test_step_moves_to_exactly_the_states_that_the_table_allows(
    ledger: Ledger, before: StepStatus
) -> None:
    claim = await ledger.claimed(steps=["a"])
    run_id, fence = claim.run_id, claim.fence
    for after in STEP_STATES:
        await ledger.put("UPDATE run_steps SET status = :status", status=before)
        moved = True
        try:
            async with db.transaction(SYSTEM) as tx:
                if after == "pending":
                    # Only those that have not succeeded unless they are named.
                    moved = await reset_steps(tx, run_id, ["a"], ended_too=True) == ["a"]
                elif after == "queued":
                    await fenced.queue_step(tx, run_id, fence, "a")
                elif after == "running":
                    await fenced.start_step(tx, run_id, fence, "a")
                else:
                    await fenced.finish_step(tx, run_id, fence, "a", after)
        except ValueError:
            moved = False
        (step,) = await ledger.steps(run_id)
        # A repetition is accepted: its first try may have been committed.
        allowed = after in STEP_MOVES[before] or after == before
        assert (step["status"] == after) == allowed, (before, after)
        assert moved == allowed or after == before == "pending"


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("reason", [None, "timeout", "worker_lost", "error"])
async def test_unfinished_steps_end_with_their_run(
    ledger: Ledger, status: str, reason: str | None
) -> None:
    claim = await ledger.claimed(steps=list(STEP_STATES))
    await ledger.put("UPDATE run_steps SET status = name")
    async with db.transaction(SYSTEM) as tx:
        await fenced.finish(tx, claim.run_id, claim.fence, status, reason=reason)  # type: ignore[arg-type]
    for step in await ledger.steps(claim.run_id):
        if step["name"] in ("pending", "queued", "running"):
            assert step["status"] == step_when_run_ends(step["name"], status, reason)  # type: ignore[arg-type]
            assert step["status"] in STEP_MOVES[step["name"]]
            assert step["finished_at"] is not None
        else:
            assert step["status"] == step["name"]
    events = await ledger.events(claim.run_id)
    assert [kind for _, kind, _, _ in events[2:]] == ["step.finished"] * 3 + ["run.finished"]
    assert (await ledger.run(claim.run_id))["version"] == len(events)


def test_drawings_in_the_docs_show_the_tables() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "runs.md"
    drawings = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", page.read_text(), re.DOTALL)
    drawn = [
        {(a, b) for a, b in re.findall(r"^\s*(\w+) --> (\w+)", text, re.MULTILINE)}
        for text in drawings
    ]
    tables = [
        {(a, b) for a, targets in moves.items() for b in targets}
        for moves in (RUN_MOVES, STEP_MOVES)
    ]
    assert drawn == tables
