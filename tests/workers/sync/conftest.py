"""A database and a folder for each test of syncs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.embedded.home import password
from tests.servers import SessionServers, database_name
from tests.workers.sync.rig import Rig, connect


@pytest.fixture
async def rig(session_servers: SessionServers, tmp_path: Path) -> AsyncIterator[Rig]:
    url = session_servers.create_database()
    access = {
        "host": str(session_servers._servers.postgres.socket_folder),
        "port": 5432,
        "database": database_name(url),
        "username": "isthmus",
        "password": password(session_servers._servers.home, "isthmus", create=False),
    }
    sql = await connect(access)
    yield Rig(access, tmp_path / "data", sql)
    await sql.close()
    session_servers.drop_database(url)
