"""Accepting runs: idempotency keys, fire times, and what is told after commit."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import db, outbox
from app.core.errors import Conflict
from app.core.rules import SYSTEM
from app.runs.actions import Accepted, accept
from tests.app.runs.conftest import Ledger
from tests.journeys.chaos.harness import until


async def ask(key: str, body: bytes = b"{}", subject_id: int | None = None) -> Accepted:
    """Accept a run with an idempotency key, in a transaction of its own."""
    async with db.transaction(SYSTEM) as tx:
        return await accept(
            tx,
            project_id=1,
            kind="noop",
            subject_id=subject_id,
            steps=["a", "b"],
            idempotency_key=key,
            idempotency_body=body,
        )


async def _token() -> bool:
    return bool(await outbox.redis().exists(outbox.WAKE))


async def test_accepted_run_has_its_steps_one_event_and_a_hint(ledger: Ledger) -> None:
    run_id = await ledger.accept(steps=["a", "b"], params={"x": 1}, timeout_s=5)
    run = await ledger.run(run_id)
    assert (run["status"], run["attempt"], run["version"]) == ("queued", 0, 1)
    assert (run["params"], run["timeout_s"], run["max_attempts"]) == ({"x": 1}, 5, 3)
    assert [(s["name"], s["status"]) for s in await ledger.steps(run_id)] == [
        ("a", "pending"),
        ("b", "pending"),
    ]
    assert await ledger.events(run_id) == [(1, "run.queued", None, "queued")]
    await until(_token, 5, "a token in the wake list")
    assert await outbox.redis().zcard(outbox.QUEUE) == 1


async def test_rolled_back_transaction_leaves_neither_run_nor_hint(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError):
        async with db.transaction(SYSTEM) as tx:
            await accept(tx, project_id=1, kind="noop")
            raise RuntimeError
    assert not await ledger.rows("SELECT 1 FROM runs")
    await ledger.accept()
    await until(_token, 5, "a token in the wake list")
    assert await outbox.redis().zcard(outbox.QUEUE) == 1


async def test_same_key_and_body_give_the_first_run(ledger: Ledger) -> None:
    first, second = await ask("k"), await ask("k")
    assert first.created and not second.created
    assert first.run_id == second.run_id
    assert len(await ledger.rows("SELECT 1 FROM run_steps")) == 2


@pytest.mark.parametrize(("body", "subject"), [(b"other", None), (b"{}", 7)])
async def test_same_key_for_another_request_is_a_conflict(
    ledger: Ledger, body: bytes, subject: int | None
) -> None:
    await ask("k")
    with pytest.raises(Conflict):
        await ask("k", body, subject)


async def test_same_key_in_another_project_is_another_run(ledger: Ledger) -> None:
    first = await ledger.accept(idempotency_key="k", idempotency_body=b"")
    assert await ledger.accept(project_id=2, idempotency_key="k", idempotency_body=b"") != first


async def test_key_is_free_again_after_a_day(ledger: Ledger) -> None:
    first = await ask("k")
    await ledger.put("UPDATE runs SET created_at = now() - interval '24 hours 1 second'")
    answers = await asyncio.gather(*(ask("k", b"other") for _ in range(8)))
    ids = {answer.run_id for answer in answers}
    assert len(ids) == 1 and ids != {first.run_id}
    assert sum(answer.created for answer in answers) == 1


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requests=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([b"x", b"y"])), min_size=20, max_size=20
    )
)
async def test_twenty_requests_at_once_make_one_run_for_each_key(
    ledger: Ledger, requests: list[tuple[str, bytes]]
) -> None:
    await ledger.put("DELETE FROM runs")

    async def answer(key: str, body: bytes) -> tuple[str, bytes, UUID | None, bool]:
        try:
            accepted = await ask(key, body)
        except Conflict:
            return key, body, None, False
        return key, body, accepted.run_id, accepted.created

    answers = await asyncio.gather(*(answer(*request) for request in requests))
    for key in {key for key, _ in requests}:
        mine = [entry for entry in answers if entry[0] == key]
        (winner,) = [entry for entry in mine if entry[3]]
        for _, body, run_id, _ in mine:
            assert run_id == (winner[2] if body == winner[1] else None)
    (count,) = await ledger.rows("SELECT count(*) AS n FROM runs")
    assert count["n"] == len({key for key, _ in requests})


async def test_fire_time_of_a_schedule_has_one_run(ledger: Ledger) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    first = await ledger.accept(schedule_id=5, fire_at=noon)
    assert await ledger.accept(schedule_id=5, fire_at=noon) == first
    assert await ledger.accept(schedule_id=6, fire_at=noon) != first
    assert await ledger.accept(schedule_id=5, fire_at=noon + timedelta(minutes=1)) != first


async def test_run_for_later_is_not_due_yet(ledger: Ledger) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    run_id = await ledger.accept(available_at=later)
    assert await ledger.claim() is None
    await ledger.put("UPDATE runs SET available_at = now()")
    claim = await ledger.claim()
    assert claim is not None and claim.run_id == run_id
