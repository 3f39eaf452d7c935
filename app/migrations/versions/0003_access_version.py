"""What a caller may do has a version, moved by whatever changes it."""

from alembic import op
from sqlalchemy import BigInteger, Column, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOVE = """
CREATE FUNCTION access_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'users' THEN
    NEW.access_version := OLD.access_version + 1;
    RETURN NEW;
  ELSIF TG_TABLE_NAME = 'roles' THEN
    UPDATE users SET access_version = access_version + 1
      WHERE id IN (SELECT user_id FROM memberships WHERE role_id = NEW.id);
  ELSIF TG_TABLE_NAME = 'projects' THEN
    UPDATE users SET access_version = access_version + 1
      WHERE id IN (SELECT id FROM users WHERE is_owner ORDER BY id FOR NO KEY UPDATE);
  ELSE
    IF TG_OP <> 'INSERT' THEN
      UPDATE users SET access_version = access_version + 1 WHERE id = OLD.user_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
      UPDATE users SET access_version = access_version + 1 WHERE id = NEW.user_id;
    END IF;
  END IF;
  RETURN NULL;
END $$"""

TRIGGERS = {
    "users": "BEFORE UPDATE OF username, is_owner, is_active",
    "roles": "AFTER UPDATE OF permissions",
    "projects": "AFTER INSERT OR DELETE",
    "memberships": "AFTER INSERT OR UPDATE OR DELETE",
    "sessions": "AFTER UPDATE OR DELETE",
    "api_keys": "AFTER UPDATE OR DELETE",
}


def upgrade() -> None:
    op.add_column(
        "users",
        Column("access_version", BigInteger(), server_default=text("0"), nullable=False),
    )
    op.execute(_MOVE)
    for table, when in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER access_changed {when} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION access_changed()"
        )


def downgrade() -> None:
    for table in TRIGGERS:
        op.execute(f"DROP TRIGGER access_changed ON {table}")
    op.execute("DROP FUNCTION access_changed()")
    op.drop_column("users", "access_version")
