"""What the servers of sources keep for the jobs that read their logs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS: dict[str, Any] = {
    "slot_retained_bytes": sa.BigInteger(),
    "slot_warning": sa.Text(),
    "slot_seen_at": sa.DateTime(timezone=True),
}


def upgrade() -> None:
    for name, type_ in COLUMNS.items():
        op.add_column("sync_jobs", sa.Column(name, type_, nullable=True))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("sync_jobs", name)
