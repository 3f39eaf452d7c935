"""Starts what is due by time, once per fire time, however many workers do this."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, select

from app.core.db import Tx, transaction
from app.core.rules import SYSTEM
from app.pipelines.actions.runs import start_run
from app.pipelines.schedule import BATCH, fire_due
from app.pipelines.tables import pipelines


async def schedule() -> None:
    """Fire all that is due, a batch in each transaction."""
    seen = BATCH
    while seen == BATCH:
        async with transaction(SYSTEM) as tx:
            seen = await fire_due(tx, _start)


async def _start(tx: Tx, trigger: RowMapping, fire_at: datetime) -> UUID | None:
    pipeline = await tx.one(select(pipelines).where(pipelines.c.id == trigger["pipeline_id"]))
    assert pipeline is not None
    started = await start_run(
        tx,
        pipeline,
        trigger,
        variables=trigger["variables"],
        execution_date=fire_at,
        fire_at=fire_at,
    )
    return started.run_id if started is not None and started.created else None
