"""Lists of runs cost the same at any size: indexes for their orders, and a kept count."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNT = """
CREATE FUNCTION pipeline_runs_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO pipeline_run_tallies (project_id, pipeline_uuid, trigger_id, runs)
      SELECT project_id, pipeline_uuid, trigger_id, count(*) FROM changed GROUP BY 1, 2, 3;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO pipeline_run_tallies (project_id, pipeline_uuid, trigger_id, runs)
      VALUES (OLD.project_id, OLD.pipeline_uuid, OLD.trigger_id, -1),
             (NEW.project_id, NEW.pipeline_uuid, NEW.trigger_id, 1);
  ELSE
    INSERT INTO pipeline_run_tallies (project_id, pipeline_uuid, trigger_id, runs)
      SELECT project_id, pipeline_uuid, trigger_id, -count(*) FROM changed GROUP BY 1, 2, 3;
  END IF;
  RETURN NULL;
END $$"""

INDEXES = (
    (
        "ix_pipeline_run_tallies",
        "pipeline_run_tallies",
        ["project_id", "pipeline_uuid", "trigger_id", "runs"],
    ),
    ("ix_pipeline_run_tallies_trigger", "pipeline_run_tallies", ["trigger_id", "runs"]),
    (
        "ix_runs_project_started_at",
        "runs",
        ["project_id", "started_at DESC NULLS LAST", "id DESC"],
    ),
    (
        "ix_runs_project_finished_at",
        "runs",
        ["project_id", "finished_at DESC NULLS LAST", "id DESC"],
    ),
    ("ix_runs_project_status", "runs", ["project_id", "status", "id"]),
    (
        "ix_run_steps_started",
        "run_steps",
        ["project_id", "started_at DESC NULLS LAST", "id DESC"],
    ),
)
EVENTS = {"INSERT": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    op.create_table(
        "pipeline_run_tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("pipeline_uuid", sa.Text(), nullable=False),
        sa.Column("trigger_id", sa.BigInteger(), nullable=True),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, table, columns in INDEXES:
        op.create_index(name, table, [sa.text(column) for column in columns])
    op.execute("LOCK TABLE pipeline_runs IN SHARE ROW EXCLUSIVE MODE")
    op.execute(
        "INSERT INTO pipeline_run_tallies (project_id, pipeline_uuid, trigger_id, runs) "
        "SELECT project_id, pipeline_uuid, trigger_id, count(*) FROM pipeline_runs GROUP BY 1, 2, 3"
    )
    op.execute(_COUNT)
    for event, rows in EVENTS.items():
        op.execute(
            f"CREATE TRIGGER counted_{event.lower()} AFTER {event} ON pipeline_runs "
            f"REFERENCING {rows} TABLE AS changed "
            "FOR EACH STATEMENT EXECUTE FUNCTION pipeline_runs_counted()"
        )
    # A pipeline gets another uuid: its runs move, one by one. No other update comes here.
    op.execute(
        "CREATE TRIGGER counted_update AFTER UPDATE OF project_id, pipeline_uuid, trigger_id "
        "ON pipeline_runs FOR EACH ROW WHEN ((OLD.project_id, OLD.pipeline_uuid, OLD.trigger_id) "
        "IS DISTINCT FROM (NEW.project_id, NEW.pipeline_uuid, NEW.trigger_id)) "
        "EXECUTE FUNCTION pipeline_runs_counted()"
    )


def downgrade() -> None:
    for event in (*EVENTS, "UPDATE"):
        op.execute(f"DROP TRIGGER counted_{event.lower()} ON pipeline_runs")
    op.execute("DROP FUNCTION pipeline_runs_counted()")
    for name, table, _ in INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_table("pipeline_run_tallies")
