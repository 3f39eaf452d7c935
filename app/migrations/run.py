"""Bring a database to the newest revision; several processes may try at once, one does it."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.core import db

LOCK = 7_316_481


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def head() -> str | None:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(config()).get_current_head()


async def current() -> str | None:
    """The revision of the connected database."""
    async with db.reading() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


async def upgrade() -> None:
    """Apply what is missing, under an advisory lock."""
    async with db.engine().begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    command.upgrade(config(connection), "head")


async def revision(message: str) -> Any:
    """Write a new revision of what the tables have over the connected database."""
    async with db.engine().begin() as connection:
        return await connection.run_sync(
            lambda sync: command.revision(config(sync), message=message, autogenerate=True)
        )
