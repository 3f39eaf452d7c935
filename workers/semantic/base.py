"""What an engine is: it runs one SELECT and gives its rows as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

MOST_BYTES = 64 * 1024 * 1024
PIECE_ROWS = 200


class QueryError(Exception):
    """What the asker reads: what the data source says, or what is wrong with its settings."""


@dataclass(frozen=True)
class Result:
    """`content` is {"columns": [name], "rows": [[value]]}.

    Numbers that JSON would round are texts, as are times: `2024-01-31T00:00:00.000`, in UTC.
    """

    content: bytes
    rows: int


class Engine(Protocol):
    """One data source. Cancelling `run` cancels the statement."""

    async def run(self, sql: str, values: Sequence[Any], timeout_s: float) -> Result:
        """The answer of a SELECT; QueryError says why there is none."""

    async def close(self) -> None:
        """Let go of connections."""


class Packing:
    """Rows on their way into a result: QueryError with the piece that makes them too many."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = orjson.dumps(list(columns))
        self._pieces: list[bytes] = []
        self._bytes = self._rows = 0

    def add(self, rows: Sequence[Any]) -> None:
        """The next rows."""
        piece = orjson.dumps(rows, default=str)[1:-1]
        self._pieces += [piece] if rows else []
        self._rows += len(rows)
        self._bytes += len(piece)
        if self._bytes > MOST_BYTES:
            raise too_large()

    def result(self) -> Result:
        """All of them."""
        rows = b",".join(self._pieces)
        return Result(b'{"columns":%b,"rows":[%b]}' % (self._columns, rows), self._rows)


def packed(columns: Sequence[str], rows: Sequence[Any]) -> Result:
    """Rows as a result; QueryError where they are too many."""
    packing = Packing(columns)
    packing.add(rows)
    return packing.result()


def too_large() -> QueryError:
    """The error of an answer that is no longer read."""
    return QueryError(f"The answer is larger than {MOST_BYTES // 1024**2} MiB. Ask for less.")


def moment(text: str) -> str:
    """A time as PostgreSQL writes it, in milliseconds and without its zone, which is UTC."""
    day, _, clock = text.partition(" ")
    clock = clock.partition("+")[0]
    whole, _, part = clock.partition(".")
    return f"{day}T{whole or '00:00:00'}.{part[:3]:0<3}"


def late(timeout_s: float) -> QueryError:
    """The error of a statement that took too long."""
    return QueryError(f"Query execution timeout after {timeout_s:g} s of waiting")
