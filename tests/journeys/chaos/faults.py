"""What can happen to a cluster, one function for each."""

import asyncio
import random
from collections.abc import Sequence

from tests.journeys.chaos.harness import FREEZE_S, Caller, Cluster, Fault


def all_faults(cluster: Cluster, caller: Caller, pause_s: float = 1.0) -> Sequence[Fault]:
    """Each fault once. `pause_s`: how long a server that was taken away stays away."""

    async def kill_a_worker() -> None:
        cluster.replace_worker(random.choice(cluster.workers))

    async def flush_the_queue() -> None:
        await cluster.flush()

    async def lose_the_queue() -> None:
        cluster.servers.valkey.kill()
        await asyncio.sleep(pause_s)
        cluster.restart_valkey_empty()

    async def stop_postgres() -> None:
        cluster.servers.postgres.stop()
        await asyncio.sleep(pause_s)
        cluster.servers.postgres.start()

    async def kill_postgres() -> None:
        cluster.servers.postgres.kill()
        await asyncio.sleep(pause_s / 2)
        cluster.servers.postgres.start()

    async def freeze_postgres() -> None:
        cluster.freeze_postgres()
        await asyncio.sleep(pause_s)
        cluster.thaw_postgres()

    async def kill_the_caller() -> None:
        caller.kill()
        await asyncio.sleep(pause_s / 2)
        caller.start()

    async def freeze_a_worker() -> None:
        await cluster.freeze_worker(random.choice(cluster.workers), FREEZE_S)

    return [
        kill_a_worker,
        flush_the_queue,
        stop_postgres,
        kill_the_caller,
        lose_the_queue,
        kill_postgres,
        freeze_a_worker,
        freeze_postgres,
        kill_a_worker,
    ]
