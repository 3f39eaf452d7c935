"""A scheduler on the test's own clock. It dies between insert and commit at its TEST_DIE_AT-th run.

The clock is a row, so that the test advances it when every trigger has been looked at.
"""

import asyncio
import os
import signal
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, insert, text

from app.core import db, outbox
from app.core.db import Tx, transaction
from app.core.rules import SYSTEM
from app.pipelines.schedule import fire_due
from app.pipelines.tables import pipeline_runs
from app.runs.actions import accept

die_at = int(os.environ.get("TEST_DIE_AT", "0"))
fired = 0


async def start(tx: Tx, trigger: RowMapping, fire_at: datetime) -> UUID | None:
    """A run that nobody executes, as there is no worker."""
    global fired
    accepted = await accept(
        tx,
        project_id=trigger["project_id"],
        kind="pipeline",
        subject_id=trigger["pipeline_id"],
        schedule_id=trigger["id"],
        fire_at=fire_at,
    )
    if not accepted.created:
        return None
    await tx.execute(
        insert(pipeline_runs).values(
            run_id=accepted.run_id,
            project_id=trigger["project_id"],
            pipeline_id=trigger["pipeline_id"],
            pipeline_uuid="p",
            trigger_id=trigger["id"],
            execution_date=fire_at,
        )
    )
    fired += 1
    if fired == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return accepted.run_id


async def main() -> None:
    """Look again and again."""
    db.connect(os.environ["DATABASE_URL"])
    outbox.connect(os.environ["REDIS_URL"])
    while True:
        async with transaction(SYSTEM) as tx:
            clock = await tx.one(text("SELECT now FROM test_clock"))
            assert clock is not None
            seen = await fire_due(tx, start, clock["now"])
        if not seen:
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main())
