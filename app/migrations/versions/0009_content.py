"""Content: leads, their groups, organisations and attachments; groups of users; wishes to join."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

GRANTS = {
    "lead.read": ("owner", "admin", "editor", "sourcer", "viewer"),
    "lead.read_unprotected": ("owner", "admin", "restricted_viewer"),
    "lead.write": ("owner", "admin", "editor", "sourcer"),
}
TABLES = (
    "project_organizations",
    "lead_assignees",
    "lead_authors",
    "leads",
    "lead_groups",
    "attachments",
    "organizations",
    "organization_types",
    "join_requests",
    "user_group_members",
    "user_groups",
)
COLUMNS = {
    "memberships": ("added_by",),
    "projects": (
        "is_private",
        "is_test",
        "status",
        "start_date",
        "end_date",
        "data",
        "client_id",
        "updated_by",
    ),
}
_MOVED_BY = "username, is_owner, is_active"


def upgrade() -> None:
    # Titles are compared by their trigrams.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "organization_types",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("short_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
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
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("title"),
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.BigInteger(), nullable=True),
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
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(
        "ix_attachments_created_by",
        "attachments",
        ["created_by", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("ix_attachments_md5", "attachments", ["md5"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("short_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("long_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("url", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("organization_type_id", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.BigInteger(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["organization_type_id"],
            ["organization_types.id"],
        ),
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
    )
    op.create_index(
        op.f("ix_organizations_organization_type_id"),
        "organizations",
        ["organization_type_id"],
        unique=False,
    )
    op.create_index("ix_organizations_title", "organizations", ["title"], unique=False)
    op.create_table(
        "user_groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "data",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.BigInteger(), nullable=True),
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
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
    )
    op.create_table(
        "join_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("answered_by", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint(
            "status IN ('pending', 'accepted', 'rejected')", name="ck_join_requests_status"
        ),
        sa.ForeignKeyConstraint(["answered_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_join_requests_user_id", "join_requests", ["user_id"], unique=False)
    op.create_index(
        "uq_join_requests_pending",
        "join_requests",
        ["project_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "lead_groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.BigInteger(), nullable=True),
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
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
    )
    op.create_index(
        "ix_lead_groups_project",
        "lead_groups",
        ["project_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "user_group_members",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
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
        sa.ForeignKeyConstraint(["group_id"], ["user_groups.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("group_id", "user_id"),
    )
    op.create_index(
        "ix_user_group_members_user_id", "user_group_members", ["user_id"], unique=False
    )
    op.create_table(
        "leads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source_raw", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=True),
        sa.Column("website", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("url", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("url_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("source_type", sa.Text(), server_default=sa.text("'unknown'"), nullable=False),
        sa.Column("priority", sa.Text(), server_default=sa.text("'low'"), nullable=False),
        sa.Column(
            "confidentiality", sa.Text(), server_default=sa.text("'unprotected'"), nullable=False
        ),
        sa.Column("status", sa.Text(), server_default=sa.text("'not_tagged'"), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("attachment_id", sa.BigInteger(), nullable=True),
        sa.Column("lead_group_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "is_assessment_lead", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "emm_triggers",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "emm_entities",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.BigInteger(), nullable=True),
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
        sa.Column(
            "searched",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', source_raw || ' ' || url), 'B') || setweight(to_tsvector('simple', left(text, 100000)), 'D')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint(
            "confidentiality IN ('unprotected', 'restricted', 'confidential')",
            name="ck_leads_confidentiality",
        ),
        sa.CheckConstraint("priority IN ('low', 'medium', 'high')", name="ck_leads_priority"),
        sa.CheckConstraint(
            "source_type IN ('text', 'disk', 'website', 'dropbox', 'google_drive', 'rss', 'emm', 'api', 'unknown')",
            name="ck_leads_source_type",
        ),
        sa.CheckConstraint(
            "status IN ('not_tagged', 'in_progress', 'tagged')", name="ck_leads_status"
        ),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachments.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["lead_group_id"], ["lead_groups.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source_id"], ["organizations.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("ix_leads_attachment_id", "leads", ["attachment_id"], unique=False)
    op.create_index(
        "ix_leads_changed",
        "leads",
        [
            "project_id",
            sa.literal_column("updated_at DESC"),
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    op.create_index(
        "ix_leads_of_group",
        "leads",
        [
            "lead_group_id",
            sa.literal_column("updated_at DESC"),
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
        postgresql_where=sa.text("lead_group_id IS NOT NULL"),
    )
    op.create_index(
        "ix_leads_searched", "leads", ["searched"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_leads_text_md5",
        "leads",
        ["project_id", sa.literal_column("md5(text)")],
        unique=False,
        postgresql_where=sa.text("source_type = 'text'"),
    )
    op.create_index("ix_leads_source_id", "leads", ["source_id"], unique=False)
    op.create_index(
        "ix_leads_updated",
        "leads",
        [
            sa.literal_column("updated_at DESC"),
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    op.create_index(
        "ix_leads_url_key",
        "leads",
        ["project_id", "url_key"],
        unique=False,
        postgresql_where=sa.text("url_key <> ''"),
    )
    op.create_table(
        "lead_authors",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lead_id", "organization_id"),
    )
    op.create_index(
        "ix_lead_authors_organization_id", "lead_authors", ["organization_id"], unique=False
    )
    op.create_table(
        "lead_assignees",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lead_id", "user_id"),
    )
    op.create_index("ix_lead_assignees_user_id", "lead_assignees", ["user_id"], unique=False)
    op.create_table(
        "project_organizations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('lead_organization', 'international_partner', 'national_partner', 'donor', 'government')",
            name="ck_project_organizations_kind",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "organization_id", "kind"),
    )
    op.create_index(
        "ix_project_organizations_organization_id",
        "project_organizations",
        ["organization_id"],
        unique=False,
    )
    op.add_column("memberships", sa.Column("added_by", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        "memberships_added_by_fkey",
        "memberships",
        "users",
        ["added_by"],
        ["id"],
        ondelete="SET NULL",
    )
    op.add_column(
        "projects",
        sa.Column("is_private", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )
    op.add_column(
        "projects",
        sa.Column("is_test", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "projects",
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
    )
    op.add_column("projects", sa.Column("start_date", sa.Date(), nullable=True))
    op.add_column("projects", sa.Column("end_date", sa.Date(), nullable=True))
    op.add_column(
        "projects",
        sa.Column(
            "data",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("projects", sa.Column("client_id", sa.Text(), nullable=True))
    op.add_column("projects", sa.Column("updated_by", sa.BigInteger(), nullable=True))
    op.create_unique_constraint("projects_client_id_key", "projects", ["client_id"])
    op.create_check_constraint("ck_projects_status", "projects", "status IN ('active', 'inactive')")
    op.create_foreign_key(
        "projects_updated_by_fkey", "projects", "users", ["updated_by"], ["id"], ondelete="SET NULL"
    )
    _move_with(f"{_MOVED_BY}, email, password_hash")
    for permission, names in GRANTS.items():
        op.execute(
            sa.text(
                "UPDATE roles SET permissions = permissions || :held "
                "WHERE name = ANY(:names) AND NOT permissions @> :held"
            ).bindparams(
                sa.bindparam("held", [permission], type_=sa.ARRAY(sa.Text())),
                sa.bindparam("names", list(names), type_=sa.ARRAY(sa.Text())),
            )
        )


def _move_with(columns: str) -> None:
    """Callers who came with a name and a password are remembered: both move their version."""
    op.execute("DROP TRIGGER access_changed ON users")
    op.execute(
        f"CREATE TRIGGER access_changed BEFORE UPDATE OF {columns} ON users "
        "FOR EACH ROW EXECUTE FUNCTION access_changed()"
    )


def downgrade() -> None:
    for permission in GRANTS:
        op.execute(
            sa.text(
                "UPDATE roles SET permissions = array_remove(permissions, :held) "
                "WHERE :held = ANY(permissions)"
            ).bindparams(sa.bindparam("held", permission, type_=sa.Text()))
        )
    _move_with(_MOVED_BY)
    for table, columns in COLUMNS.items():
        for column in columns:
            op.drop_column(table, column)
    for table in TABLES:
        op.drop_table(table)
