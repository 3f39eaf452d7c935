"""A database that blocks reach as Mage's io_config.yaml names one: host, port, user, password."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from tests.servers import SessionServers, database_name


@contextmanager
def warehouse(servers: SessionServers) -> Iterator[dict[str, str]]:
    """The variables `WAREHOUSE_*` of a database of its own, with a role that owns it."""
    role, password = f"warehouse_{secrets.token_hex(4)}", f"canary-{secrets.token_hex(8)}"
    url = servers.create_database()
    servers.superuser(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    servers.superuser(f"ALTER DATABASE {database_name(url)} OWNER TO {role}")
    where = parse_qs(url.partition("?")[2])
    with _relay(f"{where['host'][0]}/.s.PGSQL.{where['port'][0]}") as port:
        yield {
            "WAREHOUSE_HOST": "127.0.0.1",
            "WAREHOUSE_PORT": str(port),
            "WAREHOUSE_DATABASE": database_name(url),
            "WAREHOUSE_USER": role,
            "WAREHOUSE_PASSWORD": password,
        }
    servers.drop_database(url)
    servers.superuser(f"DROP ROLE {role}")


@contextmanager
def _relay(path: str) -> Iterator[int]:
    """A TCP port that leads to a socket, since the session's PostgreSQL has no port."""
    loop = asyncio.new_event_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(path)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    server = loop.run_until_complete(asyncio.start_server(carry, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
