"""PostgreSQL: one engine per process, reads of columns, and transactions that tell after commit."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import structlog
from sqlalchemy import CursorResult, Executable, RowMapping, event, insert
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.core import events, outbox
from app.core.audit import audit_log
from app.core.read_pool import WAIT_S, ReadPool
from app.core.rules import Subject

log = structlog.get_logger()
_engine: AsyncEngine | None = None
_reads: ReadPool | None = None

_AUDIT = insert(audit_log)

TRANSIENT_STATES = ("08", "40", "53", "57")
"""SQLSTATE classes: connection lost, gave way to another, no resources, stopped from outside."""


def connect(
    url: str,
    pool_size: int = 10,
    statement_timeout_s: float = 30,
    idle_in_transaction_s: float = 10,
) -> AsyncEngine:
    """Open this process's engine. Connections are made when first needed.

    A process that freezes in mid-transaction keeps its row locks for `idle_in_transaction_s`.
    """
    global _engine, _reads
    settings = {
        "application_name": "isthmus",
        "timezone": "UTC",
        "statement_timeout": str(int(statement_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(int(idle_in_transaction_s * 1000)),
        # A statement whose client has gone ends, too.
        "client_connection_check_interval": "2000",
    }
    _reads = ReadPool(re.sub(r"\+asyncpg", "", url), pool_size, settings)
    _engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=WAIT_S,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": 5,
            "server_settings": settings,
        },
    )
    event.listen(_engine.sync_engine, "checkout", _refuse_closed)
    return _engine


def _refuse_closed(connection: Any, *_: Any) -> None:
    """Have the pool replace a connection that has ended, without the round trip of a ping."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def disconnect() -> None:
    """Close the engine's connections."""
    global _engine, _reads
    if _engine is not None:
        await _engine.dispose()
    _engine = None
    if _reads is not None:
        _reads.close()
    _reads = None


def engine() -> AsyncEngine:
    """This process's engine."""
    if _engine is None:
        raise RuntimeError("The database is not connected.")
    return _engine


async def fetch_text(
    statement: str, parameters: Sequence[Any], timeout_s: float | None = None
) -> tuple[str, int | None]:
    """A compiled read: its text, and the version of what its caller may do."""
    text, version = await _read_pool().first(statement, parameters, timeout_s)
    return text, version


async def fetch_row(statement: str, *parameters: Any) -> Mapping[str, Any] | None:
    """The first row of a read that comes with every request, in the driver's own words."""
    row: Mapping[str, Any] | None = await _read_pool().first(statement, parameters, WAIT_S)
    return row


def _read_pool() -> ReadPool:
    if _reads is None:
        raise RuntimeError("The database is not connected.")
    return _reads


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncConnection]:
    """A connection for selects."""
    async with engine().connect() as connection:
        try:
            yield connection
        except asyncio.CancelledError:
            await _abandon(connection)
            raise


async def _abandon(connection: AsyncConnection) -> None:
    """Drop a connection whose work was cancelled, without a word that a hung server must answer."""
    if connection.invalidated:
        # Cancelled within a statement. To ask for it again would raise, and hide the cancellation.
        return
    raw = await connection.get_raw_connection()
    if raw.driver_connection is not None:
        raw.driver_connection.terminate()
    await connection.invalidate()


class Tx:
    """A transaction of one caller: statements, audit rows, and what to tell after commit."""

    def __init__(self, connection: AsyncConnection, subject: Subject) -> None:
        self.connection = connection
        self.subject = subject
        self._hints: list[str] = []
        self._events: list[tuple[str, int]] = []
        self._cancels: list[str] = []
        self._topics: list[str] = []
        self._looks = False

    async def execute(
        self, statement: Executable, parameters: Any | None = None
    ) -> CursorResult[Any]:
        """Run one statement."""
        return await self.connection.execute(statement, parameters)

    async def one(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> RowMapping | None:
        """The first row, or None."""
        return (await self.connection.execute(statement, parameters)).mappings().first()

    async def all(
        self, statement: Executable, parameters: dict[str, Any] | None = None
    ) -> Sequence[RowMapping]:
        """All rows."""
        return (await self.connection.execute(statement, parameters)).mappings().all()

    async def audit(
        self,
        action: str,
        object_type: str,
        object_id: object,
        *,
        project_id: int | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        """Write the audit row of a change; `fields` are names, never values."""
        who = self.subject
        await self.execute(
            _AUDIT,
            {
                "actor_kind": who.kind,
                "actor_id": who.user_id,
                "session_id": who.session_id,
                "key_id": who.key_id,
                "address": who.address,
                "request_id": who.request_id,
                "action": action,
                "object_type": object_type,
                "object_id": None if object_id is None else str(object_id),
                "project_id": project_id,
                "fields": list(fields),
            },
        )

    def hint(self, run_id: object) -> None:
        """After commit, tell a worker to look."""
        self._hints.append(str(run_id))

    def cancel(self, run_id: object) -> None:
        """After commit, tell the worker that runs it that a cancel was asked for."""
        self._cancels.append(str(run_id))

    def changed(self, run_id: object, project_id: int) -> None:
        """After commit, wake those who follow this run."""
        self._events.append((str(run_id), project_id))

    def look(self) -> None:
        """After commit, tell the query lanes to look for work."""
        self._looks = True

    def wake(self, topic: str) -> None:
        """After commit, wake those who wait for this."""
        self._topics.append(topic)

    def committed(self) -> None:
        """Tell, in the background: a lost message only makes the reconciler's work later."""
        if self._hints:
            outbox.push(self._hints)
        for run_id, project_id in dict.fromkeys(self._events):
            events.publish(run_id, project_id)
        for run_id in self._cancels:
            events.publish_cancel(run_id)
        if self._topics:
            events.publish_topics(dict.fromkeys(self._topics))
        if self._looks:
            events.publish_look()


@asynccontextmanager
async def transaction(subject: Subject) -> AsyncIterator[Tx]:
    """One transaction; commits at the end, and only then hints workers and publishes."""
    async with reading() as connection:
        begun = await connection.begin()
        tx = Tx(connection, subject)
        try:
            yield tx
            await begun.commit()
        except asyncio.CancelledError:
            raise
        except BaseException:
            await begun.rollback()
            raise
    tx.committed()


def is_transient(error: BaseException) -> bool:
    """Whether the database is away or gave way to another: the same work can be tried again."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        error = error.orig or error
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(TRANSIENT_STATES)
    return isinstance(
        error, (OSError, PoolTimeout, OperationalError, InterfaceError, asyncpg.InterfaceError)
    )


async def wait_until_reachable(timeout_s: float) -> None:
    """Return as soon as PostgreSQL answers; raise its last error after `timeout_s` seconds."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            async with reading() as connection:
                await connection.exec_driver_sql("SELECT 1")
            return
        except Exception:
            if asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(0.2)
