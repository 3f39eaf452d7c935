"""Tables as they are declared and as the migrations make them."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel
from starlette.applications import Starlette

from app.core import db
from app.migrations import models


async def test_migrations_make_the_declared_tables(app: Starlette) -> None:
    assert models

    def differences(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    async with db.engine().connect() as connection:
        assert await connection.run_sync(differences) == []
