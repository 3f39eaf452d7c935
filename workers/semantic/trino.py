"""Trino as a data source, through its official client, which blocks and so runs in threads."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from workers.connectors.base import SyncError
from workers.connectors.door import Door
from workers.semantic.base import PIECE_ROWS, Packing, QueryError, Result, late, moment

CONNECT_S = 10.0
ANSWER_S = 60.0

Address = Callable[[str, int], Awaitable[str]]


class TrinoEngine:
    """One coordinator. What it redirects to is called through the door, which checks addresses."""

    def __init__(self, settings: Mapping[str, Any], address: Address) -> None:
        self._settings = settings
        self._address = address
        self._door: Door | None = None

    async def run(self, sql: str, values: Sequence[Any], timeout_s: float) -> Result:
        """The answer of a SELECT."""
        loop = asyncio.get_running_loop()
        if self._settings.get("password") and not self._settings.get("use_tls"):
            raise QueryError("A password is sent over TLS only: switch TLS on for this source.")
        if self._door is None:
            self._door = Door(self._checked(loop))
        statement = _Statement(self._settings, self._door.url)
        work = loop.run_in_executor(None, statement.run, sql, list(values))
        # Nobody may be there for its error any more.
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(work)
        except TimeoutError:
            await loop.run_in_executor(None, statement.cancel)
            raise late(timeout_s) from None
        except asyncio.CancelledError:
            await loop.run_in_executor(None, statement.cancel)
            raise

    async def close(self) -> None:
        """Close the way out."""
        if self._door is not None:
            self._door.close()

    def _checked(self, loop: asyncio.AbstractEventLoop) -> Callable[[str, int], str]:
        def address(host: str, port: int) -> str:
            asked = asyncio.run_coroutine_threadsafe(_of(self._address, host, port), loop)
            try:
                return asked.result(CONNECT_S * 2)
            except QueryError as error:
                raise SyncError(str(error)) from None

        return address


async def _of(address: Address, host: str, port: int) -> str:
    return await address(host, port)


class _Statement:
    """One statement on its way; `cancel` is called by another thread."""

    def __init__(self, settings: Mapping[str, Any], proxy: str) -> None:
        # It takes a while to import.
        import requests
        from trino.auth import BasicAuthentication
        from trino.dbapi import connect

        session = requests.Session()
        session.trust_env = False
        session.proxies = {"http": proxy, "https": proxy}
        user, password = str(settings.get("username") or ""), str(settings.get("password") or "")
        make: Any = connect
        self._connection = make(
            host=str(settings.get("host") or ""),
            port=int(settings.get("port") or 8080),
            user=user,
            auth=BasicAuthentication(user, password) if password else None,
            catalog=str(settings.get("catalog") or "") or None,
            schema=str(settings.get("schema") or "") or None,
            http_scheme="https" if settings.get("use_tls") else "http",
            http_session=session,
            request_timeout=(CONNECT_S, ANSWER_S),
            source="isthmus",
            timezone="UTC",
        )
        self._cursor: Any = None

    def run(self, sql: str, values: list[Any]) -> Result:
        """Execute and fetch all; QueryError in Trino's own words."""
        import requests
        from trino.exceptions import Error as TrinoError
        from trino.exceptions import (
            HttpError,
            TrinoConnectionError,
            TrinoQueryError,
            TrinoUserError,
        )

        self._cursor = self._connection.cursor()
        try:
            self._cursor.execute(sql, values or None)
            return self._packed()
        except QueryError:
            self.cancel()
            raise
        except (TrinoQueryError, TrinoUserError) as error:
            raise QueryError(str(error.message)) from None
        except (requests.RequestException, HttpError, TrinoConnectionError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise QueryError("The Trino server's certificate is not to be trusted.") from None
            raise QueryError("The Trino server cannot be reached, or refuses us.") from None
        except TrinoError as error:
            raise QueryError(f"Trino says: {str(error)[:300]}") from None

    def _packed(self) -> Result:
        some = self._cursor.fetchmany(PIECE_ROWS)
        described = self._cursor.description or ()
        packing = Packing([str(column[0]) for column in described])
        makers = [str if column[1] == "bigint" else _plain for column in described]
        while some:
            packing.add(
                [
                    [None if v is None else make(v) for make, v in zip(makers, row, strict=True)]
                    for row in some
                ]
            )
            some = self._cursor.fetchmany(PIECE_ROWS)
        return packing.result()

    def cancel(self) -> None:
        """Have the server stop it, if it can be told."""
        from trino.exceptions import Error as TrinoError
        from trino.exceptions import HttpError

        with contextlib.suppress(TrinoError, HttpError):
            if self._cursor is not None:
                self._cursor.cancel()


def _plain(value: Any) -> Any:
    """Times as everywhere, in UTC; all else as the client gives it."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return moment(str(value))
    if isinstance(value, date):
        return moment(str(value))
    return value.hex() if isinstance(value, bytes) else value
