"""Makes one row of the many that keep count of a project's pipeline runs."""

from sqlalchemy import text

from app.core.db import transaction
from app.core.rules import SYSTEM

INTERVAL_S = 60.0

# Rows that another transaction adds meanwhile are neither deleted nor summed up.
_FOLD = text("""
WITH folded AS (
    DELETE FROM pipeline_run_tallies WHERE project_id IN (
        SELECT project_id FROM pipeline_run_tallies GROUP BY project_id HAVING count(*) > 1
    ) RETURNING project_id, runs
)
INSERT INTO pipeline_run_tallies (project_id, runs)
SELECT project_id, sum(runs) FROM folded GROUP BY project_id HAVING sum(runs) <> 0
""")


async def fold() -> None:
    """Sum up the rows of each project that has more than one."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(_FOLD)
