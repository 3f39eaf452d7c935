"""Looks at the replication slots of jobs that read logs, and drops those of deleted jobs."""

import asyncio
import time

import structlog

from app.core.db import transaction
from app.core.rules import SYSTEM
from app.ingestion.actions import slots
from workers.sync.run_sync import SyncKind

log = structlog.get_logger()


LONGEST_S = 20.0
"""After so long no more are taken; the loop comes again."""


async def watch(syncs: SyncKind, every_s: float) -> None:
    """Look at those that nobody has looked at for so many seconds."""
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_S:
        async with transaction(SYSTEM) as tx:
            found = await slots.due(tx, every_s)
        await asyncio.gather(*(_look(syncs, one) for one in found))
        if not found:
            return


async def _look(syncs: SyncKind, one: slots.Watch) -> None:
    told = await syncs.look(one.source, drop=one.drop)
    async with transaction(SYSTEM) as tx:
        warnings = await slots.note(tx, one, told)
    jobs = [job["id"] for job in one.jobs]
    if told.get("result", {}).get("dropped"):
        log.info("slot.dropped", slot=one.slot, job_ids=jobs)
    for warning in warnings:
        log.warning("slot.warning", slot=one.slot, job_ids=jobs, warning=warning)
