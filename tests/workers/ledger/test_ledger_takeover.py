"""Workers that are killed, frozen or stuck, and what becomes of their runs."""

import signal
from uuid import UUID

import psutil
import pytest

from tests.journeys.chaos.harness import LEASE_S, Cluster, Process, until


def processes_of(run_id: UUID) -> list[int]:
    """Living processes whose command line names the run."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if str(run_id) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


async def until_gone(run_id: UUID, within_s: float) -> None:
    """Wait until no process of the run lives."""

    async def gone() -> bool:
        return not processes_of(run_id)

    await until(gone, within_s, "no process of the run lives")


async def test_run_of_a_killed_worker_is_taken_over_and_its_process_dies(cluster: Cluster) -> None:
    first = await cluster.ready_worker()
    run_id = await cluster.submit("busy")
    await cluster.effect_of(run_id)
    second = await cluster.ready_worker()
    (child,) = processes_of(run_id)

    first.kill()

    async def child_is_gone() -> bool:
        return child not in processes_of(run_id)

    await until(child_is_gone, 2, "the killed worker's process is gone")

    async def taken_over() -> bool:
        run = await cluster.run(run_id)
        return bool(run["fence"] == 2)

    await until(taken_over, LEASE_S + 7, "another worker takes over")
    run = await cluster.run(run_id)
    assert (run["status"], run["attempt"], run["losses"]) == ("running", 2, 1)
    assert str(second.pid) in run["lease_owner"]


async def test_taken_over_run_repeats_only_steps_without_success(cluster: Cluster) -> None:
    await cluster.ready_worker()
    run_id = await cluster.submit("steps", {"crash_at": "b"}, steps=["a", "b", "c"])
    await cluster.workers[0].wait(20)
    await cluster.ready_worker()
    await cluster.status_is(run_id, "succeeded", 20)
    effects = await cluster.rows("SELECT step, fence FROM effects ORDER BY id")
    assert [(e["step"], e["fence"]) for e in effects] == [("a", 1), ("b", 1), ("b", 2), ("c", 2)]
    lines = await cluster.rows("SELECT seq, message FROM run_logs ORDER BY seq")
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    assert lines[2]["message"] == "b in attempt 2"
    await cluster.assert_each_ended_once([run_id])


async def test_frozen_worker_writes_nothing_after_its_run_was_taken_over(cluster: Cluster) -> None:
    frozen = await cluster.ready_worker(TEST_NO_WATCH="1")
    run_id = await cluster.submit("stubborn", {"s": 3600}, steps=["only"])
    await cluster.effect_of(run_id)
    frozen.send(signal.SIGSTOP)
    await cluster.ready_worker()
    run = await cluster.status_is(run_id, "succeeded", LEASE_S + 20)
    assert run["result"] == {"fence": 2}

    frozen.send(signal.SIGCONT)

    async def refused() -> bool:
        notes = await cluster.rows("SELECT note FROM effects WHERE note IS NOT NULL")
        return [row["note"] for row in notes] == ["late write refused"] * 2

    await until(refused, 20, "both late writes were refused")
    assert await cluster.run(run_id) == run
    assert not await cluster.rows("SELECT 1 FROM run_logs")
    await cluster.assert_each_ended_once([run_id])
    assert frozen.returncode is None


@pytest.mark.long
async def test_frozen_worker_kills_its_process_when_it_wakes_too_late(cluster: Cluster) -> None:
    frozen = await cluster.ready_worker()
    run_id = await cluster.submit("busy")
    await cluster.effect_of(run_id)
    (child,) = processes_of(run_id)
    frozen.send(signal.SIGSTOP)
    await cluster.ready_worker()

    async def taken_over() -> bool:
        return bool((await cluster.run(run_id))["fence"] == 2)

    await until(taken_over, LEASE_S + 10, "another worker takes over")
    frozen.send(signal.SIGCONT)

    async def child_is_gone() -> bool:
        return child not in processes_of(run_id)

    await until(child_is_gone, 5, "the thawed worker kills its process")
    again = await cluster.submit("noop")
    await cluster.status_is(again, "succeeded", 10)
    assert frozen.returncode is None


@pytest.mark.long
async def test_worker_with_a_stuck_event_loop_kills_itself_before_its_lease_ends(
    cluster: Cluster,
) -> None:
    stuck = await cluster.ready_worker()
    run_id = await cluster.submit("hang")
    assert await stuck.wait(LEASE_S + 5) == -signal.SIGKILL
    run = await cluster.row(
        "SELECT lease_until > now() AS held FROM runs WHERE id = :id", id=run_id
    )
    assert run["held"]
    await cluster.ready_worker()
    await cluster.status_is(run_id, "succeeded", 20)


@pytest.mark.long
async def test_run_that_kills_three_workers_is_not_given_to_a_fourth(cluster: Cluster) -> None:
    run_id = await cluster.submit("crash")
    cluster.environ["ISTHMUS_LEASE_S"] = "1"
    for _ in range(3):
        assert await cluster.start_worker().wait(30) == -signal.SIGKILL
    survivor = await cluster.ready_worker()
    run = await cluster.status_is(run_id, "failed", 20)
    assert (run["reason"], run["attempt"]) == ("worker_lost", 3)
    assert survivor.returncode is None
    await cluster.assert_each_ended_once([run_id])


async def test_draining_worker_lets_short_runs_end_and_gives_long_ones_back(
    cluster: Cluster,
) -> None:
    first = await cluster.ready_worker(ISTHMUS_DRAIN_S="4")
    short, long = await cluster.submit("sleep", {"s": 1}), await cluster.submit("busy")
    await cluster.effect_of(short)
    await cluster.effect_of(long)
    first.send(signal.SIGTERM)

    await until(lambda: _says(first, "worker.draining"), 10, "the drain has begun")
    late = await cluster.submit("noop")
    assert await first.wait(20) == 0
    assert (await cluster.run(short))["status"] == "succeeded"
    given_back = await cluster.run(long)
    assert (given_back["status"], given_back["attempt"]) == ("queued", 0)
    assert not processes_of(long)
    assert (await cluster.run(late))["status"] == "queued"
    assert not await cluster.rows("SELECT 1 FROM workers")

    await cluster.ready_worker()
    run = await cluster.status_is(long, "running", 10)
    assert (run["attempt"], run["losses"], run["fence"]) == (1, 0, 2)
    await cluster.status_is(late, "succeeded", 10)


@pytest.mark.long
async def test_second_signal_ends_the_patience_of_a_drain(cluster: Cluster) -> None:
    worker = await cluster.ready_worker(ISTHMUS_DRAIN_S="3600")
    run_id = await cluster.submit("sleep", {"s": 3600})
    await cluster.effect_of(run_id)
    worker.send(signal.SIGTERM)
    await until(lambda: _says(worker, "worker.draining"), 10, "the drain has begun")
    worker.send(signal.SIGINT)
    assert await worker.wait(10) == 0
    assert (await cluster.run(run_id))["status"] == "queued"


@pytest.mark.long
async def test_rolling_restart_under_load_loses_no_run_and_no_attempt(cluster: Cluster) -> None:
    cluster.environ |= {"ISTHMUS_DRAIN_S": "0.3", "ISTHMUS_RUN_SLOTS": "4"}
    for _ in range(2):
        await cluster.ready_worker()
    run_ids = [await cluster.submit("sleep", {"s": 0.5}) for _ in range(30)]
    for old in list(cluster.workers):
        await cluster.ready_worker()
        old.send(signal.SIGTERM)
        assert await old.wait(20) == 0
    await cluster.all_end(run_ids, 40)
    rows = await cluster.rows("SELECT DISTINCT status, attempt, losses FROM runs")
    assert [tuple(row.values()) for row in rows] == [("succeeded", 1, 0)]
    await cluster.assert_each_ended_once(run_ids)


async def _says(process: Process, word: str) -> bool:
    return word in process.log.read_text()
