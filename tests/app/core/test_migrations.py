"""Tables as they are declared and as the migrations make them."""

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel
from starlette.applications import Starlette

from app.access.tables import users
from app.core import db
from app.migrations import models
from app.migrations.run import config
from tests.factories import rows


async def test_migrations_make_the_declared_tables(app: Starlette) -> None:
    assert models

    def differences(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    async with db.engine().connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_content_goes_and_comes_back(app: Starlette) -> None:
    project = await rows.project()
    await rows.member(project, await rows.user(), "editor")
    await rows.lead(project, attachment_id=await rows.attachment(None))
    held = await _facts()
    await _migrated(command.downgrade, "0008")
    before = await _facts()
    assert "leads" not in before["tables"] and "users" in before["tables"]
    assert not [one for one in before["permissions"] if one.startswith("lead.")]
    assert before["people"] == held["people"]
    await _migrated(command.upgrade, "head")
    assert await _facts() == held
    user = await rows.user()
    await rows.change(users, user, email="other@example.org")
    await rows.change(users, user, password_hash="y")
    assert (await rows.values_of(users, user))["access_version"] == 2


async def _migrated(step: Any, revision: str) -> None:
    async with db.engine().begin() as connection:
        await connection.run_sync(lambda sync: step(config(sync), revision))


async def _facts() -> dict[str, Any]:
    asked = {
        "tables": "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        "permissions": "SELECT DISTINCT unnest(permissions) FROM roles ORDER BY 1",
        "people": "SELECT user_id FROM memberships ORDER BY 1",
        "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "indices": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    }
    async with db.engine().connect() as connection:
        return {name: list(await connection.scalars(text(sql))) for name, sql in asked.items()}
