"""Redis flushed, gone and back; PostgreSQL gone, killed, frozen and back."""

import asyncio
import time

import psutil
import pytest

from tests.journeys.chaos.harness import LEASE_S, Cluster, LineCaller, Process, until


async def test_flushed_queue_loses_no_run(cluster: Cluster) -> None:
    await cluster.ready_worker(ISTHMUS_RUN_SLOTS="1")
    first = await cluster.submit("sleep", {"s": 1})
    await cluster.effect_of(first)
    run_ids = [await cluster.submit("noop") for _ in range(5)]
    await cluster.flush()
    await cluster.all_end([first, *run_ids], 15)
    # And one whose only hint is flushed while the worker is idle or about to be.
    last = await cluster.submit("noop")
    await cluster.flush()
    await cluster.status_is(last, "succeeded", 10)


async def test_without_redis_runs_start_when_a_worker_looks_by_itself(cluster: Cluster) -> None:
    await cluster.ready_worker(ISTHMUS_LOOK_S="1")
    cluster.servers.valkey.kill()
    try:
        run_ids = [await cluster.submit("noop") for _ in range(5)]
        await cluster.all_end(run_ids, 15)
    finally:
        cluster.restart_valkey_empty()


@pytest.mark.long
async def test_runs_accepted_without_redis_start_soon_after_its_return(cluster: Cluster) -> None:
    await cluster.ready_worker(ISTHMUS_LOOK_S="600")
    cluster.servers.valkey.kill()
    run_ids = [await cluster.submit("noop") for _ in range(5)]
    await asyncio.sleep(3)  # long enough for the worker to have noticed
    assert {(await cluster.run(run_id))["status"] for run_id in run_ids} == {"queued"}
    cluster.restart_valkey_empty()
    await cluster.all_end(run_ids, 10)


@pytest.mark.long
async def test_run_of_a_caller_killed_between_commit_and_hint_is_executed(cluster: Cluster) -> None:
    await cluster.ready_worker()
    caller = LineCaller(cluster)
    caller.start(TEST_DIE_BEFORE_PUSH="1")
    assert await caller.trigger(1) is None
    run = await cluster.row("SELECT id FROM runs")
    await cluster.status_is(run["id"], "succeeded", 15)


@pytest.mark.long
async def test_worker_waits_quietly_for_postgres_and_goes_on_by_itself(cluster: Cluster) -> None:
    worker = await cluster.ready_worker()
    interrupted = await cluster.submit("sleep", {"s": 2})
    await cluster.effect_of(interrupted)
    cluster.servers.postgres.stop()
    process = psutil.Process(worker.pid)
    await asyncio.sleep(1)
    log_size, cpu, began = worker.log.stat().st_size, _cpu_s(process), time.monotonic()
    await asyncio.sleep(LEASE_S)
    share = (_cpu_s(process) - cpu) / (time.monotonic() - began)
    lines = worker.log.read_bytes()[log_size:].count(b"\n")
    cluster.servers.postgres.start()
    assert share < 0.25 and lines < 50, (share, lines, worker.log.read_text())

    run_ids = [interrupted, *[await cluster.submit("noop") for _ in range(3)]]
    await cluster.all_end(run_ids, 20)
    await cluster.assert_each_ended_once(run_ids)
    assert worker.returncode is None


async def test_short_stop_of_postgres_interrupts_no_run(cluster: Cluster) -> None:
    await cluster.ready_worker(ISTHMUS_LEASE_S="30")
    run_ids = [await cluster.submit("mixed", {"s": 2}) for _ in range(5)]
    for run_id in run_ids:
        await cluster.effect_of(run_id)
    cluster.servers.postgres.stop()
    cluster.servers.postgres.start()
    await cluster.all_end(run_ids, 30)
    rows = await cluster.rows("SELECT DISTINCT status, attempt FROM runs")
    assert [tuple(row.values()) for row in rows] == [("succeeded", 1)]
    lines = await cluster.rows("SELECT message FROM run_logs ORDER BY run_id, seq")
    assert [line["message"] for line in lines] == ["begun", "done"] * 5


@pytest.mark.long
async def test_frozen_postgres_makes_a_worker_stop_its_work_in_time(cluster: Cluster) -> None:
    worker = await cluster.ready_worker()
    run_id, chatty = await cluster.submit("busy"), await cluster.submit("chatty", {"lines": 3000})
    await cluster.effect_of(run_id)
    await cluster.effect_of(chatty)
    cluster.freeze_postgres()
    try:
        await _children_end(worker, str(run_id), LEASE_S)
        # What hangs in the middle of a statement has been given up as well.
        await asyncio.sleep(LEASE_S)
        assert worker.returncode is None
    finally:
        cluster.thaw_postgres()

    async def begun_again() -> bool:
        return bool((await cluster.run(run_id))["fence"] == 2)

    await until(begun_again, 20, "the run has begun again")
    assert worker.returncode is None


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _children_end(worker: Process, word: str, within_s: float) -> None:
    process = psutil.Process(worker.pid)
    deadline = time.monotonic() + within_s
    while True:
        words = [child.cmdline() for child in process.children() if child.is_running()]
        if not any(word in line for line in words):
            return
        assert time.monotonic() < deadline, words
        await asyncio.sleep(0.05)
