"""Starts what is due by time, once per fire time, however many workers do this."""

from app.core.db import transaction
from app.core.rules import SYSTEM
from app.ingestion import schedule as syncs
from app.pipelines.actions.runs import start_scheduled
from app.pipelines.schedule import BATCH, fire_due


async def schedule() -> None:
    """Fire all that is due, a batch in each transaction."""
    seen = BATCH
    while seen == BATCH:
        async with transaction(SYSTEM) as tx:
            seen = await fire_due(tx, start_scheduled)
    seen = syncs.BATCH
    while seen == syncs.BATCH:
        async with transaction(SYSTEM) as tx:
            seen = await syncs.fire_due(tx)
