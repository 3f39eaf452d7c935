"""How many pipeline runs a project has is kept, so that a list can say it at any size."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNT = """
CREATE FUNCTION pipeline_runs_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO pipeline_run_tallies (project_id, runs)
      SELECT project_id, count(*) FROM changed GROUP BY project_id;
  ELSE
    INSERT INTO pipeline_run_tallies (project_id, runs)
      SELECT project_id, -count(*) FROM changed GROUP BY project_id;
  END IF;
  RETURN NULL;
END $$"""

EVENTS = {"INSERT": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    op.create_table(
        "pipeline_run_tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_pipeline_run_tallies", "pipeline_run_tallies", ["project_id", "runs"])
    op.execute("LOCK TABLE pipeline_runs IN SHARE ROW EXCLUSIVE MODE")
    op.execute(
        "INSERT INTO pipeline_run_tallies (project_id, runs) "
        "SELECT project_id, count(*) FROM pipeline_runs GROUP BY project_id"
    )
    op.execute(_COUNT)
    for event, rows in EVENTS.items():
        op.execute(
            f"CREATE TRIGGER counted_{event.lower()} AFTER {event} ON pipeline_runs "
            f"REFERENCING {rows} TABLE AS changed "
            "FOR EACH STATEMENT EXECUTE FUNCTION pipeline_runs_counted()"
        )


def downgrade() -> None:
    for event in EVENTS:
        op.execute(f"DROP TRIGGER counted_{event.lower()} ON pipeline_runs")
    op.execute("DROP FUNCTION pipeline_runs_counted()")
    op.drop_table("pipeline_run_tallies")
