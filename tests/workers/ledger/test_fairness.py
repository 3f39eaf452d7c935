"""One project's flood does not stop another's runs: by real workers, and by the claim itself."""

from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import db
from app.core.rules import SYSTEM
from app.runs.actions import accept
from tests.journeys.chaos.harness import Cluster, until

FLOOD = """
INSERT INTO runs (project_id, kind, priority, params, lane, lane_limit)
SELECT 1, 'sleep', 9, '{"s": 0.5}', CAST(:lane AS text), CAST(:limit AS integer)
FROM generate_series(1, 10000)
"""


@pytest.mark.parametrize(("lane", "limit"), [(None, None), ("trigger/1", 1)], ids=["free", "lane"])
async def test_ten_thousand_queued_runs_do_not_stop_anothers_with_one_worker(
    cluster: Cluster, lane: str | None, limit: int | None
) -> None:
    """Without limits of the project: its runs keep every slot busy, and go on all the while."""
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text(FLOOD), {"lane": lane, "limit": limit})
    await cluster.ready_worker(ISTHMUS_RUN_SLOTS="3", ISTHMUS_PROJECT_RUN_LIMIT="100")

    async def flooding() -> bool:
        return bool(await cluster.rows("SELECT 1 FROM runs WHERE status = 'succeeded' LIMIT 1"))

    await until(flooding, 30, "the flood is being worked on")
    for _ in range(3):
        async with db.transaction(SYSTEM) as tx:
            other = await accept(tx, project_id=2, kind="sleep", params={"s": 0.1})

        async def begun(run_id: UUID = other.run_id) -> bool:
            return (await cluster.run(run_id))["started_at"] is not None

        await until(begun, 5, "the other project's run has begun")
    left = await cluster.row("SELECT count(*) AS n FROM runs WHERE status = 'queued'")
    assert left["n"] > 9000
