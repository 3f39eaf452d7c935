"""Starts and ends of syncs are told of once."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = ("start_seen", "end_seen")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column(
            "sync_tasks",
            sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False),
        )
    # Nobody shall be told of what happened long ago.
    op.execute("UPDATE sync_tasks SET start_seen = true, end_seen = true")
    op.create_index(
        "ix_sync_tasks_untold", "sync_tasks", ["run_id"], postgresql_where=sa.text("NOT end_seen")
    )


def downgrade() -> None:
    op.drop_index("ix_sync_tasks_untold", table_name="sync_tasks")
    for name in COLUMNS:
        op.drop_column("sync_tasks", name)
