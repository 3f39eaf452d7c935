"""Sees to what follows from the ends of pipeline runs and syncs, whoever ended them."""

from app.core.db import transaction
from app.core.rules import SYSTEM
from app.ingestion.actions import webhooks
from app.pipelines.actions import alerts
from app.settings import get_settings

INTERVAL_S = 1.0


async def alert() -> None:
    """Queue all that is to be told, a batch in each transaction."""
    seen, environ = alerts.BATCH, get_settings().work.block_environment()
    while seen == alerts.BATCH:
        async with transaction(SYSTEM) as tx:
            seen = await alerts.tell(tx, environ)
    seen = webhooks.BATCH
    while seen == webhooks.BATCH:
        async with transaction(SYSTEM) as tx:
            seen = await webhooks.tell(tx)
