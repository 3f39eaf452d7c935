"""Keeps this worker's row, which tells that it lives and how busy it is."""

import asyncio
import os
import socket
from importlib.metadata import version

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from app.core.db import is_transient, transaction
from app.core.rules import SYSTEM
from app.runs.tables import workers
from app.settings import Work
from workers.executor import Executor

INTERVAL_S = 5.0
LEAVE_S = 3.0


async def report(executor: Executor, settings: Work) -> None:
    """Write the row, or its new time."""
    row = {
        "id": executor.worker_id,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slots": settings.run_slots,
        "running": executor.running,
        "version": version("isthmus"),
    }
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            insert(workers)
            .values(**row)
            .on_conflict_do_update(
                index_elements=["id"],
                set_={"seen_at": func.now(), "running": executor.running},
            )
        )


async def leave(executor: Executor) -> None:
    """Delete the row; without a database it is left to the retention."""
    try:
        async with asyncio.timeout(LEAVE_S), transaction(SYSTEM) as tx:
            await tx.execute(delete(workers).where(workers.c.id == executor.worker_id))
    except Exception as error:
        if not is_transient(error):
            raise
