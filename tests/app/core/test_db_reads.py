"""Reads of one text: a caller that gives up is let go, whatever PostgreSQL does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from app.core import db, read_pool
from tests.conftest import Database


class Wire:
    """A way to PostgreSQL that can go silent, as a network does."""

    def __init__(self, folder: str) -> None:
        self.socket = f"{folder}/.s.PGSQL.5432"
        self.open = asyncio.Event()
        self.open.set()
        self.pumps: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one client sends and gets."""
        await self.open.wait()
        far_reader, far_writer = await asyncio.open_unix_connection(self.socket)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self.pumps.append(asyncio.create_task(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self.open.wait()
                sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """The wire, and the URL of the database at its end."""
    parts = urlsplit(url)
    wire = Wire(parse_qs(parts.query)["host"][0])
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
    try:
        yield wire, parts._replace(netloc=netloc, query="").geturl()
    finally:
        server.close()
        for pump in wire.pumps:
            pump.cancel()


@pytest_asyncio.fixture
async def wire(database: Database) -> AsyncIterator[Wire]:
    """Reads through a wire, on two connections."""
    async with wire_to(database.url) as (made, url):
        db.connect(url, 2)
        yield made
        await db.disconnect()


async def read_text(statement: str) -> str:
    """The only value of a statement."""
    row = await db.fetch_row(statement)
    assert row is not None
    return str(next(iter(row.values())))


async def test_a_read_that_is_given_up_does_not_wait_for_a_silent_server(wire: Wire) -> None:
    assert await read_text("SELECT 'a'") == "a"
    wire.open.clear()
    for _ in range(3):  # more than the pool has
        read = asyncio.create_task(read_text("SELECT 'b'"))
        await asyncio.sleep(0.1)
        read.cancel()
        done, _ = await asyncio.wait([read], timeout=5)
        assert done and read.cancelled()
    wire.open.set()
    assert await read_text("SELECT 'c'") == "c"


async def test_a_statement_ends_soon_after_its_read_was_given_up(wire: Wire) -> None:
    read = asyncio.create_task(read_text("SELECT pg_sleep(60)::text"))
    active = (
        "SELECT count(*)::text FROM pg_stat_activity "
        "WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"
    )
    while await read_text(active) == "0":  # noqa: ASYNC110 (it happens in PostgreSQL)
        await asyncio.sleep(0.05)
    read.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read
    async with asyncio.timeout(20):
        while await read_text(active) != "0":  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_read_does_not_wait_for_ever_for_a_connection(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_pool, "WAIT_S", 0.5)
    slow = [asyncio.create_task(read_text("SELECT pg_sleep(60)::text")) for _ in range(2)]
    await asyncio.sleep(0.5)
    with pytest.raises(TimeoutError) as refused:
        await asyncio.wait_for(db.fetch_row("SELECT 1"), 20)
    assert db.is_transient(refused.value)
    for one in slow:
        one.cancel()
    await asyncio.wait(slow)
