"""Compiled queries run on a real PostgreSQL and in DuckDB, over the sample data."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import duckdb
import pytest
import pytest_asyncio

from app.semantic.compile import Compiled
from tests.semantic.places import DATA
from tests.servers import SessionServers

Rows = list[Sequence[Any]]
# PostgreSQL reads each value by the type of what it is compared with.
_AS_TEXT = {
    "bool": lambda text: text == "t",
    "int2": int,
    "int4": int,
    "int8": str,
    "numeric": str,
    "float4": float,
    "float8": float,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}


@pytest_asyncio.fixture(scope="module")
async def postgres(session_servers: SessionServers) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with the sample data; its time zone is UTC."""
    url = session_servers.create_database()
    address = url.replace("+asyncpg", "")
    connection = await asyncpg.connect(address, server_settings={"TimeZone": "UTC"})
    await connection.execute((DATA / "dataset.sql").read_text())
    for name, read in _AS_TEXT.items():
        await connection.set_type_codec(
            name, schema="pg_catalog", format="text", encoder=str, decoder=read
        )
    yield connection
    await connection.close()
    session_servers.drop_database(url)


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    """A DuckDB with the sample data."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    text = (DATA / "dataset.sql").read_text()
    connection.execute(re.sub(r"DROP TABLE.*?;", "", text, flags=re.DOTALL))
    return connection


async def on_postgres(
    connection: asyncpg.Connection, compiled: Compiled
) -> tuple[Rows, int | None]:
    """The rows of a query, and its total if it wants one."""
    rows = await connection.fetch(compiled.sql, *compiled.values)
    total = None
    if compiled.total_sql:
        total = int(await connection.fetchval(compiled.total_sql, *compiled.total_values))
    return [tuple(row) for row in rows], total


def on_duckdb(connection: duckdb.DuckDBPyConnection, compiled: Compiled) -> tuple[Rows, int | None]:
    """The rows of a query, and its total if it wants one."""
    rows = connection.execute(compiled.sql, compiled.values).fetchall()
    total = None
    if compiled.total_sql:
        found = connection.execute(compiled.total_sql, compiled.total_values).fetchone()
        assert found
        total = int(found[0])
    return list(rows), total
