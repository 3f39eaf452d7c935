"""Keeps this worker's row, which tells that it lives, how busy it is and when it looked for work.

It also says in the log which workers live and yet look for nothing: they cannot say it themselves.
"""

import asyncio
import os
import socket
from datetime import timedelta
from importlib.metadata import version

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.db import is_transient, transaction
from app.core.rules import SYSTEM
from app.runs.tables import workers
from app.runs.waits import is_stalled
from app.settings import Work
from workers.executor import Executor

log = structlog.get_logger()

INTERVAL_S = 5.0
LEAVE_S = 3.0


class Presence:
    """One worker's row, and what it knows of the others."""

    def __init__(self, executor: Executor, settings: Work) -> None:
        self._executor = executor
        self._settings = settings
        self._stalled: frozenset[str] = frozenset()

    @property
    def interval_s(self) -> float:
        """How often to report."""
        return min(INTERVAL_S, self._settings.look_s / 2)

    async def report(self) -> None:
        """Write the row, or what is new of it, and tell of stalled workers."""
        executor = self._executor
        fresh = {
            "seen_at": func.now(),
            "looked_at": func.now() - timedelta(seconds=executor.looked_ago_s),
            "running": executor.running,
            "is_draining": executor.draining,
        }
        lasting = {
            "id": executor.worker_id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "slots": self._settings.run_slots,
            "project_run_limit": self._settings.project_run_limit,
            "version": version("isthmus"),
        }
        written = insert(workers).values(**lasting, **fresh)
        async with transaction(SYSTEM) as tx:
            await tx.execute(written.on_conflict_do_update(index_elements=["id"], set_=fresh))
            stalled = await tx.all(select(workers.c.id).where(is_stalled(workers.c)))
        self._tell(frozenset(row["id"] for row in stalled))

    def _tell(self, stalled: frozenset[str]) -> None:
        for worker in stalled - self._stalled:
            log.error("worker.stalled", worker=worker)
        for worker in self._stalled - stalled:
            log.info("worker.no_longer_stalled", worker=worker)
        self._stalled = stalled

    async def leave(self) -> None:
        """Delete the row; without a database it is left to the retention."""
        try:
            async with asyncio.timeout(LEAVE_S), transaction(SYSTEM) as tx:
                await tx.execute(delete(workers).where(workers.c.id == self._executor.worker_id))
        except Exception as error:
            if not is_transient(error):
                raise
