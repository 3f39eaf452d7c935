"""Connections for reads of one statement, each taken and given back within one await.

They cost half of what a general pool costs: nothing of a session is ever set on them, so nothing is
reset, and no task is made to give one back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

WAIT_S = 10
"""How long a caller waits for a connection when all are in use."""

SESSION = {
    # Plans of these statements do not depend on their values, and replanning costs more than it gives.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "default_transaction_read_only": "on",
}


class NoConnection(TimeoutError):
    """All connections are in use and none got free in time, or the server does not answer."""


class ReadPool:
    """At most `size` connections, opened when first needed; the one used last is taken first."""

    def __init__(self, dsn: str, size: int, server_settings: Mapping[str, str]) -> None:
        self._dsn = dsn
        self._server_settings = {**server_settings, **SESSION}
        self._slots = asyncio.Semaphore(size)
        self._free: list[Any] = []
        self._closed = False

    async def first(
        self, statement: str, parameters: Sequence[Any], timeout_s: float | None = None
    ) -> Any:
        """The first row of a statement, or None.

        Raises NoConnection, and TimeoutError after `timeout_s` without an answer.
        """
        await self._slot()
        try:
            try:
                return await self._fetched(statement, parameters, timeout_s)
            except (asyncpg.InternalClientError, asyncpg.ConnectionDoesNotExistError):
                # The server ended the connection a moment ago. It is a read: ask on another one.
                return await self._fetched(statement, parameters, timeout_s)
        finally:
            self._slots.release()

    async def _fetched(
        self, statement: str, parameters: Sequence[Any], timeout_s: float | None
    ) -> Any:
        connection = await self._connection()
        try:
            # The driver's own timer costs a third of `asyncio.timeout`.
            return await connection.fetchrow(statement, *parameters, timeout=timeout_s)
        except (asyncio.CancelledError, TimeoutError, asyncpg.InternalClientError):
            # The driver would wait until the server has cancelled the statement.
            connection.terminate()
            raise
        finally:
            self._keep(connection)

    def close(self) -> None:
        """End all connections; what still reads ends with its statement."""
        self._closed = True
        while self._free:
            self._free.pop().terminate()

    async def _slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(WAIT_S):
                await self._slots.acquire()
        except TimeoutError as error:
            raise NoConnection("No connection got free.") from error

    async def _connection(self) -> Any:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        try:
            return await asyncpg.connect(
                self._dsn,
                timeout=5,
                # PostgreSQL keeps some 400 kB for each, on each connection.
                statement_cache_size=200,
                # Compiled statements of nested lists are long.
                max_cacheable_statement_size=0,
                server_settings=self._server_settings,
            )
        except TimeoutError as error:
            raise NoConnection("PostgreSQL did not answer.") from error

    def _keep(self, connection: Any) -> None:
        if self._closed:
            connection.terminate()
        elif not connection.is_closed():
            self._free.append(connection)
