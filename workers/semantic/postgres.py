"""PostgreSQL as a data source: a few connections of read-only sessions in UTC."""

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from workers.pipelines.sql.targets import PostgresTarget
from workers.semantic.base import MOST_BYTES, QueryError, Result, late, moment, packed, too_large

CONNECT_S = 10
IDLE_S = 60.0
MANY_ROWS = 2000
MOST_WIRE_BYTES = 2 * MOST_BYTES
"""Small values are longer on their way than they are in JSON."""
SESSION = {
    "application_name": "isthmus",
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "default_transaction_read_only": "on",
    "client_connection_check_interval": "2000",
}
_DECODERS: Mapping[str, Callable[[str], Any]] = {
    "int2": int,
    "int4": int,
    "int8": str,
    "numeric": str,
    "float4": float,
    "float8": float,
    "bool": lambda text: text == "t",
    "date": moment,
    "timestamp": moment,
    "timestamptz": moment,
    "uuid": str,
    "interval": str,
    "time": str,
}
"""Values travel as texts both ways: what a parameter means is the server's to say, and its error."""

Address = Callable[[str, int], Awaitable[str]]


class PostgresEngine:
    """One server; `target.trusted` is the built-in database."""

    def __init__(
        self,
        target: PostgresTarget,
        address: Address,
        size: int,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._target = target
        self._address = address
        self._context = context
        self._size = size
        self._pool: Any = None
        self._lock = asyncio.Lock()

    async def run(self, sql: str, values: Sequence[Any], timeout_s: float) -> Result:
        """The answer of a SELECT."""
        try:
            async with asyncio.timeout(timeout_s):
                pool = await self._opened()
                async with pool.acquire() as connection:
                    rows, names = await _fetched(connection, sql, values)
        except _TooLarge:
            raise too_large() from None
        except TimeoutError:
            raise late(timeout_s) from None
        except asyncpg.QueryCanceledError:
            raise late(timeout_s) from None
        except asyncpg.PostgresError as error:
            raise QueryError(error.message or str(error)) from None
        except asyncpg.InterfaceError as error:
            raise QueryError(str(error)) from None
        except OSError:
            raise QueryError("The database of this data source cannot be reached.") from None
        if len(rows) < MANY_ROWS:
            return packed(names, [tuple(row) for row in rows])
        return await asyncio.to_thread(lambda: packed(names, [tuple(row) for row in rows]))

    async def close(self) -> None:
        """End all connections."""
        if self._pool is not None:
            self._pool.terminate()

    async def _opened(self) -> Any:
        async with self._lock:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    connect=self._connect,
                    min_size=0,
                    max_size=self._size,
                    max_inactive_connection_lifetime=IDLE_S,
                    init=_prepare,
                    connection_class=_Connection,
                )
            return self._pool

    async def _connect(self, *_: Any, **pool: Any) -> Any:
        target = self._target
        host = target.host if target.trusted else await self._address(target.host, target.port)
        own = {name: pool[name] for name in ("loop", "connection_class", "record_class")}
        return await asyncpg.connect(
            host=host,
            port=target.port,
            user=target.user,
            password=target.password,
            database=target.database,
            timeout=CONNECT_S,
            ssl=self._context if self._context is not None else False,
            passfile="/dev/null",
            server_settings={**SESSION, "search_path": target.schema},
            **own,
        )


async def _fetched(
    connection: Any, sql: str, values: Sequence[Any]
) -> tuple[Sequence[Any], list[str]]:
    size: _Size = connection.size
    size.begin()
    prepared = await connection.prepare(sql)
    fetching = asyncio.ensure_future(prepared.fetch(*values))
    size.stop = fetching.cancel
    try:
        rows = await fetching
    except asyncio.CancelledError:
        if size.left >= 0:
            raise
        raise _TooLarge from None
    return rows, [attribute.name for attribute in prepared.get_attributes()]


class _TooLarge(Exception):
    """More than an answer may have."""


class _Size:
    """Stands before a connection's protocol and ends the statement that gives more than is wanted.

    By a cursor a statement could be read in pieces, but the server runs none of these in parallel.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.begin()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def begin(self) -> None:
        """The next statement."""
        self.left = MOST_WIRE_BYTES
        self.stop: Callable[[], object] = lambda: None

    def data_received(self, data: bytes) -> None:
        """Count, and hand on: what comes after the stop is thrown away there."""
        self.left -= len(data)
        if self.left < 0:
            self.stop()
        self._inner.data_received(data)


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    __slots__ = ("size",)


async def _prepare(connection: Any) -> None:
    transport = connection._transport
    connection.size = _Size(transport.get_protocol())
    transport.set_protocol(connection.size)
    for name, decode in _DECODERS.items():
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_written, decoder=decode, format="text"
        )


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def tls(settings: Mapping[str, Any], host: str) -> ssl.SSLContext | None:
    """The context that a source's setting `ssl` means; None for none. Names are held against `host`."""
    mode = str(settings.get("mode") or "disable")
    if mode == "disable":
        return None
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.named = host
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    try:
        if settings.get("server_ca"):
            context.load_verify_locations(cadata=str(settings["server_ca"]))
        if settings.get("client_cert"):
            with tempfile.TemporaryDirectory() as folder:
                certificate, key = Path(folder, "cert"), Path(folder, "key")
                certificate.write_text(str(settings["client_cert"]))
                key.write_text(str(settings.get("client_key") or ""))
                context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError):
        raise QueryError("The certificates of this data source cannot be used.") from None
    return context


class _Named(ssl.SSLContext):
    """Expects the certificate of a name, whatever address is called."""

    named = ""

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """As asked for, with the name."""
        return super().wrap_bio(*args, **{**more, "server_hostname": self.named})
