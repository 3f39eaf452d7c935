"""Every accepted run ends once, whatever is killed, flushed, frozen or restarted meanwhile."""

import random
from statistics import median

import pytest

from tests.journeys.chaos.faults import all_faults
from tests.journeys.chaos.harness import Cluster, LineCaller, storm


async def weather(cluster: Cluster, triggers: int, rounds: int, pause_s: float) -> None:
    """A storm over three workers, and what must hold after it."""
    for _ in range(3):
        await cluster.ready_worker()
    caller = LineCaller(cluster)
    caller.start()
    faults = list(all_faults(cluster, caller))
    for _ in range(1, rounds):
        again = list(all_faults(cluster, caller, random.uniform(0.5, 6)))
        random.shuffle(again)
        faults += again
    accepted = await storm(caller, triggers, faults, pause_s=pause_s)
    # Those that were committed and never answered count too.
    run_ids = [row["id"] for row in await cluster.rows("SELECT id FROM runs")]
    assert len(accepted) >= triggers * 0.7 and set(accepted) <= set(run_ids)
    await cluster.all_end(run_ids, 60)
    await cluster.assert_each_ended_once(run_ids)
    await cluster.assert_no_overlap()
    rows = await cluster.rows("SELECT status, error, count(*) AS n FROM runs GROUP BY 1, 2")
    for row in rows:
        assert row["status"] == "succeeded" or "lost its worker" in row["error"], rows
    ended = {worker.pid: worker.returncode for worker in cluster.workers}
    assert set(ended.values()) == {None}, ended
    taken = await cluster.takeovers()
    attempts = await cluster.row("SELECT count(*) AS n FROM runs WHERE attempt > 1")
    print(f"\n{len(run_ids)} runs, {attempts['n']} repeated, {rows}")
    if taken:
        print(f"takeovers: {len(taken)}, {taken[0]:.1f} / {median(taken):.1f} / {taken[-1]:.1f} s")


@pytest.mark.long
async def test_every_accepted_run_ends_once_in_a_storm(cluster: Cluster) -> None:
    await weather(cluster, triggers=60, rounds=1, pause_s=0.2)


@pytest.mark.long
async def test_every_accepted_run_ends_once_in_a_long_storm(cluster: Cluster) -> None:
    await weather(cluster, triggers=400, rounds=5, pause_s=0.25)
