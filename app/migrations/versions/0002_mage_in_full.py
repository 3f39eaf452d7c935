"""Lanes and holds of runs, waits of steps, overlap and catch-up of triggers, backfills, project files."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_file_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("replaced_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "replaced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["replaced_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.drop_index("ix_pipeline_runs_uuid", table_name="pipeline_runs")
    op.create_index(
        "ix_pipeline_runs_uuid",
        "pipeline_runs",
        ["project_id", "pipeline_uuid", sa.literal_column("number DESC")],
    )
    op.create_index(
        "ix_pipeline_runs_project",
        "pipeline_runs",
        ["project_id", sa.literal_column("number DESC")],
    )
    op.create_index(
        "ix_project_file_versions",
        "project_file_versions",
        ["project_id", "path", sa.literal_column("version DESC")],
        unique=False,
    )
    op.create_index(
        "ix_project_file_versions_file_id",
        "project_file_versions",
        ["file_id", sa.literal_column("version DESC")],
        unique=False,
    )
    op.add_column("projects", sa.Column("folder", sa.Text(), nullable=True))
    op.create_table(
        "project_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "path"),
    )
    op.create_table(
        "project_secrets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "backfills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=False),
        sa.Column("trigger_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("block_uuid", sa.Text(), nullable=True),
        sa.Column("interval_type", sa.Text(), nullable=True),
        sa.Column("interval_units", sa.Integer(), nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column(
            "variables",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipelines.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["trigger_id"], ["triggers.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_backfills_pipeline_id",
        "backfills",
        ["pipeline_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_backfills_project",
        "backfills",
        ["project_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.add_column(
        "pipeline_runs",
        sa.Column("end_seen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    # Nobody shall be told of what ended long ago.
    op.execute("UPDATE pipeline_runs SET end_seen = true")
    op.create_index(
        "ix_pipeline_runs_backfill",
        "pipeline_runs",
        ["backfill_id"],
        unique=False,
        postgresql_where=sa.text("backfill_id IS NOT NULL"),
    )
    op.create_index(
        "ix_pipeline_runs_unseen",
        "pipeline_runs",
        ["run_id"],
        unique=False,
        postgresql_where=sa.text("NOT end_seen"),
    )
    op.add_column(
        "run_steps",
        sa.Column("upstream", postgresql.ARRAY(sa.Text()), nullable=True),
    )
    op.add_column(
        "run_steps", sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )
    op.add_column(
        "run_steps", sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("run_steps", sa.Column("wait", sa.Text(), nullable=True))
    op.add_column("run_steps", sa.Column("available_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("lane", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("lane_limit", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("hold", sa.Text(), nullable=True))
    op.add_column(
        "triggers",
        sa.Column("overlap", sa.Text(), server_default=sa.text("'queue_one'"), nullable=False),
    )
    op.add_column(
        "triggers",
        sa.Column("catch_up", sa.Text(), server_default=sa.text("'latest'"), nullable=False),
    )
    op.add_column(
        "triggers",
        sa.Column(
            "catch_up_window_s", sa.Integer(), server_default=sa.text("86400"), nullable=False
        ),
    )
    op.add_column(
        "workers",
        sa.Column(
            "looked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
    )
    op.add_column(
        "workers",
        sa.Column("is_draining", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("workers", sa.Column("project_run_limit", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_index("ix_pipeline_runs_project", table_name="pipeline_runs")
    op.drop_index("ix_pipeline_runs_uuid", table_name="pipeline_runs")
    op.create_index("ix_pipeline_runs_uuid", "pipeline_runs", ["project_id", "pipeline_uuid"])
    op.drop_column("workers", "project_run_limit")
    op.drop_column("workers", "is_draining")
    op.drop_column("workers", "looked_at")
    op.drop_column("triggers", "catch_up_window_s")
    op.drop_column("triggers", "catch_up")
    op.drop_column("triggers", "overlap")
    op.drop_column("runs", "hold")
    op.drop_column("runs", "lane_limit")
    op.drop_column("runs", "lane")
    op.drop_column("run_steps", "available_at")
    op.drop_column("run_steps", "wait")
    op.drop_column("run_steps", "tries")
    op.drop_column("run_steps", "params")
    op.drop_column("run_steps", "upstream")
    op.drop_index(
        "ix_pipeline_runs_unseen",
        table_name="pipeline_runs",
        postgresql_where=sa.text("NOT end_seen"),
    )
    op.drop_index(
        "ix_pipeline_runs_backfill",
        table_name="pipeline_runs",
        postgresql_where=sa.text("backfill_id IS NOT NULL"),
    )
    op.drop_column("pipeline_runs", "end_seen")
    op.drop_index("ix_backfills_project", table_name="backfills")
    op.drop_index("ix_backfills_pipeline_id", table_name="backfills")
    op.drop_table("backfills")
    op.drop_table("project_secrets")
    op.drop_table("project_files")
    op.drop_column("projects", "folder")
    op.drop_index("ix_project_file_versions_file_id", table_name="project_file_versions")
    op.drop_index("ix_project_file_versions", table_name="project_file_versions")
    op.drop_table("project_file_versions")
