"""The binlog's events as transactions: where they begin and end, and what is in between."""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from workers.connectors.base import SyncError
from workers.connectors.binlog_stream import Event, uncompressed
from workers.connectors.binlog_tables import names, packed_int


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction, known by its id where it has one, and by where its first event ends."""

    gtid: str | None
    file: str
    at: int
    time_us: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Changes of rows of one table."""

    op: str
    """c, u or d."""
    table: bytes
    """A table map without its number, see `binlog_tables.described`."""
    schema: str
    name: str
    body: bytes
    start: int
    """Where in it the number of columns stands."""
    file: str
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that is logged as such; `schema` is where it was run."""

    schema: str
    text: str


@dataclass(frozen=True, slots=True)
class Undone:
    """What the transaction has changed until now is not there, or not yet."""

    why: str


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a transaction."""

    file: str
    end: int


Message = Begin | Rows | Statement | Undone | Commit

_QUERY, _XID, _TABLE_MAP, _LOAD, _XA_PREPARE, _QUERY_COMPRESSED = 2, 16, 19, 18, 38, 165
_GTID, _ANONYMOUS, _MARIADB_GTID = 33, 34, 162
_ROWS = {
    23: "c",
    24: "u",
    25: "d",
    30: "c",
    31: "u",
    32: "d",
    166: "c",
    167: "u",
    168: "d",
    169: "c",
    170: "u",
    171: "d",
}
_SECOND_FORM = (30, 31, 32, 169, 170, 171)
_COMPRESSED = range(166, 172)
_REFUSED = {
    26: "The binlog says that changes are missing in it (an incident)",
    39: "The binlog holds parts of JSON values: set binlog_row_value_options to nothing",
    40: "The binlog is compressed by transactions: set binlog_transaction_compression = OFF",
    42: "The binlog has transaction ids with tags, which are not read: give none (gtid_next)",
}
_PASSED_OVER = {3, 4, 5, 13, 14, 15, 17, 27, 28, 29, 35, 36, 37, 41, 160, 161, 163, 164}
_STANDALONE = 1
_NO_TABLE = 0xFFFFFF


class Transactions:
    """Messages of the tables that `wants(schema, name)`, in order; all transactions are told of."""

    def __init__(self, events: Iterable[Event], wants: Callable[[str, str], bool]) -> None:
        self._events = events
        self._wants = wants
        self._begun = False
        self._open = False
        self._tables: dict[int, tuple[bytes, str, str] | None] = {}

    def __iter__(self) -> Iterator[Message]:
        for event in self._events:
            if event.type in _ROWS:
                yield from self._rows(event)
            elif event.type == _TABLE_MAP:
                self._meet(event)
            elif event.type in (_GTID, _ANONYMOUS, _MARIADB_GTID):
                yield self._begin(event)
            elif event.type == _XID:
                yield self._commit(event)
            elif event.type in (_QUERY, _QUERY_COMPRESSED, _LOAD):
                yield from self._query(event)
            elif event.type == _XA_PREPARE:
                if not event.body[0]:
                    yield Undone("was prepared for a commit in two phases (XA), which is not read")
                yield self._commit(event)
            elif event.type not in _PASSED_OVER:
                why = _REFUSED.get(event.type, f"The binlog has events of type {event.type}")
                raise SyncError(f"{why}. Then clear the streams to load them anew.")

    def _begin(self, event: Event) -> Begin:
        self._begun, self._tables = True, {}
        body = event.body
        if event.type == _MARIADB_GTID:
            number, domain, flags = struct.unpack_from("<QIB", body)
            self._open = not flags & _STANDALONE
            gtid = f"{domain}-{event.server}-{number}"
            return Begin(gtid, event.file, event.end, event.seconds * 1_000_000)
        self._open = False
        known = event.type == _GTID
        number = int.from_bytes(body[17:25], "little")
        gtid = f"{UUID(bytes=body[1:17])}:{number}" if known else ""
        # The time of the commit has seven bytes; their first bit tells whether another follows.
        time_us = int.from_bytes(body[42:49], "little") & ((1 << 55) - 1)
        return Begin(gtid or None, event.file, event.end, time_us or event.seconds * 1_000_000)

    def _commit(self, event: Event) -> Commit:
        self._begun = self._open = False
        return Commit(event.file, event.end)

    def _query(self, event: Event) -> Iterator[Message]:
        schema, text = _statement(event)
        words = text[:20].upper().split()[:2]
        if not self._begun:
            # A log of a server that was older.
            self._begun, self._tables = True, {}
            yield Begin(None, event.file, event.end, event.seconds * 1_000_000)
        if words[:1] == ["BEGIN"] or words in (["XA", "START"], ["XA", "BEGIN"]):
            self._open = True
        elif words[:1] == ["COMMIT"] or words in (["XA", "COMMIT"], ["XA", "ROLLBACK"]):
            yield self._commit(event)
        elif words[:1] == ["ROLLBACK"]:
            yield Undone("was rolled back in part, since it also changed tables that cannot be")
            if len(words) == 1:
                yield self._commit(event)
        elif words[:1] not in (["SAVEPOINT"], ["XA"]) or not self._open:
            yield Statement(schema, text)
            if not self._open:
                yield self._commit(event)

    def _meet(self, event: Event) -> None:
        number = int.from_bytes(event.body[:6], "little")
        described = event.body[8:]
        schema, name, _ = names(described)
        self._tables[number] = (described, schema, name) if self._wants(schema, name) else None

    def _rows(self, event: Event) -> Iterator[Rows]:
        body = event.body
        number = int.from_bytes(body[:6], "little")
        if number not in self._tables and number != _NO_TABLE:
            raise SyncError("The binlog has rows of a table that it does not describe.")
        if (table := self._tables.get(number)) is None:
            return
        start = 8
        if event.type in _SECOND_FORM:
            start += int.from_bytes(body[8:10], "little")
        if event.type in _COMPRESSED:
            body = _whole(body, start, is_update=_ROWS[event.type] == "u")
        described, schema, name = table
        op = _ROWS[event.type]
        yield Rows(op, described, schema, name, body, start, event.file, event.end)


def _whole(body: bytes, start: int, *, is_update: bool) -> bytes:
    """Rows that are compressed, with those in front that are not."""
    count, at = packed_int(body, start)
    at += (count + 7) // 8 * (2 if is_update else 1)
    return body[:at] + uncompressed(body[at:])


def _statement(event: Event) -> tuple[str, str]:
    """Where it was run, and its text."""
    body = event.body
    at = 13 + (13 if event.type == _LOAD else 0) + int.from_bytes(body[11:13], "little")
    end = at + body[8]
    text = body[end + 1 :]
    if event.type == _QUERY_COMPRESSED:
        text = uncompressed(text)
    return body[at:end].decode("utf-8", "replace"), text.decode("utf-8", "replace")
