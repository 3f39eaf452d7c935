"""Sums up the rows that keep count of pipeline runs."""

from sqlalchemy import text

from app.core.db import transaction
from app.core.rules import SYSTEM

INTERVAL_S = 60.0

# Rows that another transaction adds meanwhile are neither deleted nor summed up.
_FOLD = text("""
WITH folded AS (
    DELETE FROM pipeline_run_tallies WHERE id IN (
        SELECT unnest(array_agg(id)) FROM pipeline_run_tallies
        GROUP BY project_id, pipeline_uuid, trigger_id HAVING count(*) > 1 OR sum(runs) = 0
    ) RETURNING project_id, pipeline_uuid, trigger_id, runs
)
INSERT INTO pipeline_run_tallies (project_id, pipeline_uuid, trigger_id, runs)
SELECT project_id, pipeline_uuid, trigger_id, sum(runs) FROM folded
GROUP BY 1, 2, 3 HAVING sum(runs) <> 0
""")


async def fold() -> None:
    """Make one row of those of the same trigger and pipeline."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(_FOLD)
