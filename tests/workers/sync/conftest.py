"""A database and a folder for each test of syncs."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.embedded.home import password
from tests.servers import SessionServers, database_name
from tests.workers.sync.mongo_shop import Shop
from tests.workers.sync.mongo_stand_in import StandIn
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


@pytest.fixture
async def logged(rig: Rig, session_servers: SessionServers) -> AsyncIterator[Rig]:
    """A rig whose source is read by its log, too; its role has the right to."""
    session_servers.superuser("ALTER ROLE isthmus REPLICATION")
    slot = f"slot_{rig.access['database']}"
    rig.source_config = {
        "update_method": {
            "type": "CDC",
            "replication_slot": slot,
            "publication": "Isthmus Tables",
            "create_missing": True,
            "initial_wait_time": 20,
        }
    }
    # The log is read as far as it is on the disk.
    await rig.sql.execute("SET synchronous_commit = on")
    yield rig
    await rig.drop_slot()


@pytest.fixture
def mongo() -> Iterator[StandIn]:
    """What stands in for a MongoDB server."""
    server = StandIn()
    yield server
    server.stop()


@pytest.fixture
def shop(mongo: StandIn, tmp_path: Path) -> Shop:
    """A MongoDB, and syncs from it in this process."""
    return Shop(mongo, tmp_path)
