"""Cancels, timeouts and retries of runs on real workers."""

import pytest

from app.core.db import transaction
from app.core.rules import SYSTEM
from app.runs.actions import request_cancel, retry
from tests.journeys.chaos.harness import Cluster, until
from tests.workers.ledger.test_ledger_takeover import processes_of, until_gone


async def cancel(run_id: object) -> bool:
    """Ask for a cancel as the API does."""
    async with transaction(SYSTEM) as tx:
        return await request_cancel(tx, run_id)  # type: ignore[arg-type]


async def test_cancel_of_a_running_run_kills_a_process_that_ignores_sigterm(
    cluster: Cluster,
) -> None:
    # The next beat is 20 s away: the message is what stops it.
    await cluster.ready_worker(ISTHMUS_LEASE_S="60")
    run_id = await cluster.submit("busy", steps=["a", "b"])
    await cluster.effect_of(run_id)
    assert await cancel(run_id)
    await cluster.status_is(run_id, "cancelled", 10)
    assert not processes_of(run_id)
    steps = await cluster.rows("SELECT status FROM run_steps ORDER BY position")
    assert [step["status"] for step in steps] == ["cancelled", "cancelled"]
    assert not await cancel(run_id)
    await cluster.assert_each_ended_once([run_id])


@pytest.mark.long
async def test_cancel_works_by_the_next_beat_while_redis_is_away(cluster: Cluster) -> None:
    await cluster.ready_worker()
    run_id = await cluster.submit("busy")
    await cluster.effect_of(run_id)
    cluster.servers.valkey.kill()
    assert await cancel(run_id)
    await cluster.status_is(run_id, "cancelled", 10)
    assert not processes_of(run_id)


@pytest.mark.long
async def test_run_whose_worker_was_killed_can_be_cancelled(cluster: Cluster) -> None:
    worker = await cluster.ready_worker()
    run_id = await cluster.submit("busy")
    await cluster.effect_of(run_id)
    worker.kill()
    assert await cancel(run_id)
    await cluster.ready_worker()
    run = await cluster.status_is(run_id, "cancelled", 15)
    assert run["fence"] == 1
    await until_gone(run_id, 2)


async def test_timeout_kills_the_run_and_is_its_reason(cluster: Cluster) -> None:
    await cluster.ready_worker()
    run_id = await cluster.submit("busy", timeout_s=1)
    run = await cluster.status_is(run_id, "failed", 15)
    assert (run["reason"], run["error"]) == ("timeout", "The run took longer than 1 s.")
    assert not processes_of(run_id)


async def test_failed_run_is_tried_again_while_attempts_last(cluster: Cluster) -> None:
    await cluster.ready_worker()
    lucky = await cluster.submit("flaky", {"succeed_at": 2})
    unlucky = await cluster.submit("flaky", {"succeed_at": 3}, max_attempts=1)
    run = await cluster.status_is(unlucky, "failed", 10)
    assert (run["reason"], run["attempt"]) == ("flaky", 1)
    run = await cluster.status_is(lucky, "succeeded", 20)
    assert run["attempt"] == 2
    waited = await cluster.row(
        "SELECT data FROM run_events WHERE run_id = :id AND kind = 'run.queued' AND seq > 1",
        id=lucky,
    )
    assert 1 <= waited["data"]["delay_s"] <= 2


@pytest.mark.long
async def test_retry_of_a_failed_run_runs_it_again(cluster: Cluster) -> None:
    await cluster.ready_worker()
    run_id = await cluster.submit("busy", timeout_s=1)
    await cluster.status_is(run_id, "failed", 15)
    async with transaction(SYSTEM) as tx:
        assert await retry(tx, run_id, step_names=None)

    async def begun_again() -> bool:
        return bool((await cluster.run(run_id))["fence"] == 2)

    await until(begun_again, 10, "the run has begun again")
    run = await cluster.status_is(run_id, "failed", 15)
    assert run["attempt"] == 1


async def test_cancel_of_a_run_ends_its_query_on_the_server(cluster: Cluster) -> None:
    await cluster.ready_worker()
    run_id = await cluster.submit("query")
    asked = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(3600)%'"
    await until(lambda: cluster.rows(asked), 10, "the query runs")
    assert await cancel(run_id)
    await cluster.status_is(run_id, "cancelled", 10)

    async def gone() -> bool:
        return not await cluster.rows(asked)

    await until(gone, 10, "the server has given up the query")


async def test_an_unforeseen_error_of_the_database_shows_no_statement(cluster: Cluster) -> None:
    await cluster.ready_worker()
    run = await cluster.status_is(await cluster.submit("refused"), "failed", 20)
    assert (run["reason"], run["attempt"]) == ("error", 1)
    assert run["error"].endswith("Error: the worker's log says more.")
