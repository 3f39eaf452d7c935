"""The messages of PostgreSQL's plug-in `pgoutput`, version 1 of its protocol.

A transaction is Begin, its changes, Commit; none is sent before it is committed. A Relation comes
before the first change of its table, and again when the table has changed.
"""

from enum import Enum
from struct import Struct
from typing import Final, Literal, NamedTuple

from workers.connectors.base import SyncError

_EPOCH_US = 946_684_800_000_000
_U32, _U16 = Struct(">I"), Struct(">H")
_BEGIN, _COMMIT = Struct(">QqI"), Struct(">xQQq")
_COLUMN = Struct(">Ii")


class Absent(Enum):
    """Stands for a large value that the log leaves out because it has not changed."""

    ABSENT = 0


ABSENT: Final = Absent.ABSENT
Value = bytes | None | Literal[Absent.ABSENT]
"""A value as text, or in the type's binary form where that was asked for; None is null."""
Row = list[Value]


class Begin(NamedTuple):
    """A transaction: where its commit record starts, its time in µs since 1970, the low 32 bits
    of its number."""

    lsn: int
    time_us: int
    xid: int


class Commit(NamedTuple):
    """Its end: where the commit record ends."""

    end: int


class RelationColumn(NamedTuple):
    """A column; `identifies` where it is one of those that old rows are told by."""

    name: str
    identifies: bool
    type: int
    modifier: int


class Relation(NamedTuple):
    """A table as it was at the time; the identity is d(efault), n(othing), f(ull) or i(ndex)."""

    id: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


class Insert(NamedTuple):
    """A new row."""

    relation: int
    new: Row


class Update(NamedTuple):
    """A changed row. `old` is there if its identity has changed, or is full (`whole`); of one
    that is not whole only the identifying columns are filled."""

    relation: int
    old: Row | None
    whole: bool
    new: Row


class Delete(NamedTuple):
    """A deleted row; see Update."""

    relation: int
    old: Row
    whole: bool


class Truncate(NamedTuple):
    """Tables that were emptied."""

    relations: tuple[int, ...]


Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate


def decode(data: bytes) -> Message | None:
    """One message; None for those that say nothing about rows (Type, Origin, Message)."""
    match data[:1]:
        case b"I":
            return Insert(_U32.unpack_from(data, 1)[0], _row(data, 6)[0])
        case b"U":
            return _update(data)
        case b"D":
            return Delete(_U32.unpack_from(data, 1)[0], _row(data, 6)[0], data[5:6] == b"O")
        case b"B":
            lsn, time, xid = _BEGIN.unpack_from(data, 1)
            return Begin(lsn, time + _EPOCH_US, xid)
        case b"C":
            return Commit(_COMMIT.unpack_from(data, 1)[1])
        case b"R":
            return _relation(data)
        case b"T":
            count = _U32.unpack_from(data, 1)[0]
            return Truncate(tuple(_U32.unpack_from(data, 6 + 4 * i)[0] for i in range(count)))
        case b"Y" | b"O" | b"M":
            return None
    raise SyncError(f"The log holds a message of an unknown kind ({data[:1]!r}).")


def _update(data: bytes) -> Update:
    old, at, kind = None, 5, data[5:6]
    if kind != b"N":
        old, at = _row(data, 6)
    return Update(_U32.unpack_from(data, 1)[0], old, kind == b"O", _row(data, at + 1)[0])


def _row(data: bytes, at: int) -> tuple[Row, int]:
    """The values of a row, and where the message goes on."""
    row: Row = []
    count = _U16.unpack_from(data, at)[0]
    at += 2
    for _ in range(count):
        kind = data[at]
        at += 1
        if kind in b"tb":
            start = at + 4
            at = start + _U32.unpack_from(data, at)[0]
            row.append(data[start:at])
        else:
            row.append(None if kind == ord("n") else ABSENT)
    return row, at


def _relation(data: bytes) -> Relation:
    schema, at = _text(data, 5)
    name, at = _text(data, at)
    columns = []
    count = _U16.unpack_from(data, at + 1)[0]
    identity, at = chr(data[at]), at + 3
    for _ in range(count):
        flags = data[at]
        column, at = _text(data, at + 1)
        columns.append(RelationColumn(column, bool(flags & 1), *_COLUMN.unpack_from(data, at)))
        at += _COLUMN.size
    # An empty name stands for pg_catalog.
    schema = schema or "pg_catalog"
    return Relation(_U32.unpack_from(data, 1)[0], schema, name, identity, tuple(columns))


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1
