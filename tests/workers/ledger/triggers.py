"""Triggers as the verbs leave them behind, and runs that are taken and ended by hand."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import insert, text, update

from app.core import db
from app.core.rules import SYSTEM
from app.pipelines.schedule import next_fire
from app.pipelines.tables import pipelines, triggers
from app.runs import fenced
from app.runs.claim import Claim, claim

BEGIN = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


async def add_trigger(
    interval: str,
    now: datetime = BEGIN,
    concurrency_config: dict[str, object] | None = None,
    **more: object,
) -> int:
    """A pipeline and an active trigger; returns the trigger's id."""
    async with db.transaction(SYSTEM) as tx:
        pipeline = await tx.one(
            insert(pipelines)
            .values(
                project_id=1,
                uuid=text("gen_random_uuid()::text"),
                name="p",
                concurrency_config=concurrency_config or {},
            )
            .returning(pipelines.c.id)
        )
        assert pipeline is not None
        wanted = {"name": "t", "token": "t", "status": "active", "last_enabled_at": now, **more}
        row = await tx.one(
            insert(triggers)
            .values(project_id=1, pipeline_id=pipeline["id"], interval=interval, **wanted)
            .returning(triggers)
        )
        assert row is not None
        await tx.execute(
            update(triggers)
            .where(triggers.c.id == row["id"])
            .values(next_fire_at=next_fire(row, now))
        )
    trigger_id: int = row["id"]
    return trigger_id


async def take() -> Claim | None:
    """What a worker would take next."""
    return await claim("w", lease_s=60, kinds=["pipeline"], project_limit=999)


async def finish(run_id: UUID, fence: int, status: str = "succeeded") -> None:
    """End a run that was taken."""
    async with db.transaction(SYSTEM) as tx:
        await fenced.finish(tx, run_id, fence, status)  # type: ignore[arg-type]


async def end_run(status: str = "succeeded") -> None:
    """Take the oldest run and end it."""
    taken = await take()
    assert taken is not None
    await finish(taken.run_id, taken.fence, status)
