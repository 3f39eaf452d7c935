"""Semantic models, their queries, and API keys that are bound to user groups."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def _moment(name: str, *, null: bool = True) -> sa.Column[Any]:
    default = None if null else _NOW
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=null)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("groups", postgresql.ARRAY(sa.Text()), nullable=True))
    # Whoever could read pipelines may ask the model, too.
    op.execute(
        "UPDATE roles SET permissions = permissions || 'semantic.read'::text "
        "WHERE 'pipeline.read' = ANY(permissions) AND NOT 'semantic.read' = ANY(permissions)"
    )
    _models()
    _queries()


def _models() -> None:
    op.create_table(
        "semantic_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("files", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        _moment("created_at", null=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "version"),
    )


def _queries() -> None:
    op.create_table(
        "semantic_queries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data_source", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column(
            "values",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("run", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("refresh_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("was_waited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _moment("asked_at", null=False),
        _moment("queued_at", null=False),
        _moment("started_at"),
        _moment("finished_at"),
        sa.Column("worker", sa.Text(), nullable=True),
        _moment("lease_until"),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("result_key", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued','running','done','failed')", name="ck_semantic_queries_state"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_semantic_queries_asked", "semantic_queries", ["asked_at"])
    op.create_index("ix_semantic_queries_project", "semantic_queries", ["project_id"])
    op.create_index(
        "ix_semantic_queries_waiting",
        "semantic_queries",
        ["queued_at"],
        postgresql_where=sa.text("state IN ('queued','running')"),
    )


def downgrade() -> None:
    op.drop_table("semantic_queries")
    op.drop_table("semantic_models")
    op.execute("UPDATE roles SET permissions = array_remove(permissions, 'semantic.read')")
    op.drop_column("api_keys", "groups")
