"""A data source with the rows of the contract, a query lane in the test's own process, and gates."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from app.core import events
from app.core.files import Storage
from app.core.outgoing import Outgoing
from app.settings import Semantic, get_settings
from tests.servers import SessionServers
from workers.semantic.duck import DuckProcesses
from workers.semantic.lane import Lane
from workers.semantic.places import Places

DATA = Path(__file__).parents[2] / "semantic" / "data"


def model_files() -> dict[str, str]:
    """The files of the contract's model."""
    root = DATA / "model"
    return {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*.yml")}


@pytest.fixture(scope="module")
def warehouse(session_servers: SessionServers) -> Iterator[str]:
    """URL of a database with the contract's rows."""
    url = session_servers.create_database()

    async def fill() -> None:
        connection = await asyncpg.connect(plain(url))
        await connection.execute((DATA / "dataset.sql").read_text())
        await connection.close()

    asyncio.run(fill())
    yield url.replace("+asyncpg", "")
    session_servers.drop_database(url)


def plain(url: str) -> str:
    """A URL as the driver reads it."""
    return url.replace("+asyncpg", "")


@dataclass
class Gate:
    """Statements with `hold(number)` in them wait until it is opened; see `waiting`."""

    url: str
    _connection: asyncpg.Connection = field(init=False)

    async def connect(self) -> None:
        """Open the connection that holds."""
        self._connection = await asyncpg.connect(self.url)

    async def close(self, number: int) -> None:
        """Hold all statements of this number from now on."""
        await self._connection.execute("SELECT pg_advisory_lock($1)", number)

    async def open(self, number: int) -> None:
        """Let them go."""
        await self._connection.execute("SELECT pg_advisory_unlock($1)", number)

    async def running(self, number: int) -> int:
        """How many statements with this number the database runs."""
        wanted = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ILIKE $1"
        return int(await self._connection.fetchval(wanted, f"%{hold(number)}%"))

    async def end(self) -> None:
        """Let everything go."""
        await self._connection.close()


def hold(number: int) -> str:
    """SQL that waits at a gate."""
    return f"pg_advisory_xact_lock_shared({number})"


@pytest_asyncio.fixture
async def gate(warehouse: str) -> AsyncIterator[Gate]:
    """A gate before the data source."""
    made = Gate(warehouse)
    await made.connect()
    yield made
    await made.end()


@contextlib.asynccontextmanager
async def query_lane(
    warehouse: str, tmp: Path, *, is_told: bool = True, **limits: float
) -> AsyncIterator[Lane]:
    """A lane that serves until the block ends; one that is not told looks from time to time."""
    settings = get_settings()
    semantic = Semantic(**{**settings.semantic.model_dump(), **limits})
    duck = {"memory_mb": 200, "threads": 2, "data_root": str(tmp / "data"), "scratch": str(tmp)}
    places = Places(Outgoing(), warehouse, DuckProcesses(duck), int(semantic.query_concurrency))
    storage = Storage(settings.places.storage_dir)
    work = settings.work.model_copy(update={"look_s": 1})
    made = Lane("lane", work, semantic, places, storage)
    told = asyncio.create_task(
        events.listen(events.QUERIES, lambda _: made.look() if is_told else None)
    )
    serving = asyncio.create_task(made.serve())
    try:
        yield made
    finally:
        serving.cancel()
        told.cancel()
        await asyncio.gather(serving, told, return_exceptions=True)
        await made.drain(0)


@pytest_asyncio.fixture(scope="module")
async def lane(
    app: Starlette, warehouse: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lane]:
    """One lane for the module's tests."""
    async with query_lane(warehouse, tmp_path_factory.mktemp("lane")) as made:
        yield made
