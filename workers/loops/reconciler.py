"""Finds runs that wait though nobody was told, or whose worker is gone, and hints at them."""

from redis.exceptions import RedisError

from app.core import outbox
from app.core.db import transaction
from app.core.rules import SYSTEM
from app.runs.claim import bury, stamp, unstamp
from workers.executor import Executor


async def reconcile(executor: Executor) -> None:
    """End lost runs that shall not run again, and hint at as many others as we have room for."""
    async with transaction(SYSTEM) as tx:
        await bury(tx)
    if executor.room == 0:
        return
    async with transaction(SYSTEM) as tx:
        run_ids = await stamp(tx, executor.room)
    if not run_ids:
        return
    try:
        # After the commit: a claim passes over rows that a transaction still holds.
        await outbox.hint([str(run_id) for run_id in run_ids])
    except (RedisError, OSError):
        async with transaction(SYSTEM) as tx:
            await unstamp(tx, run_ids)
        raise
