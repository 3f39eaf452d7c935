"""Tables and rows as a binlog tells of them.

Before rows of a table the log describes it, with the names of its columns where binlog_row_metadata
is FULL. What a row holds can only be read with that description: it has no lengths of its own.
"""

import codecs
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.connectors import binlog_values as values
from workers.connectors.base import SyncError
from workers.connectors.binlog_json import json_text
from workers.connectors.binlog_values import Decode, Reader
from workers.connectors.mysql_types import MyColumn

BINARY = 63
"""The collation of bytes."""
Row = list[Any]

_INTEGERS = {1: ("tinyint", "b"), 2: ("smallint", "h"), 3: ("int", "i"), 8: ("bigint", "q")}
_FLOATS = {4: ("float", "f"), 5: ("double", "d")}
_INT24, _DECIMAL = 9, 246
_NUMERIC = (*_INTEGERS, *_FLOATS, _INT24, _DECIMAL)
_VARCHAR, _BLOB, _GEOMETRY, _ENUM, _SET, _STRING, _JSON, _BIT = 15, 252, 255, 247, 248, 254, 245, 16
_TEXTS = (_VARCHAR, 253, _BLOB, _STRING)
_YEAR, _DATES, _TIMESTAMP, _DATETIME, _TIME = 13, (10, 14), 17, 18, 19
_TWO_BYTES = (_VARCHAR, 253, _STRING, _ENUM, _SET, _BIT, _DECIMAL)
_ONE_BYTE = (*_FLOATS, _BLOB, 249, 250, 251, _GEOMETRY, _JSON, _TIMESTAMP, _DATETIME, _TIME)
_OLD_TIMES = {7: "timestamp", 11: "time", 12: "datetime"}
_SIGNS, _DEFAULT_CHARSET, _CHARSETS, _NAMES, _SETS, _ENUMS, _KEY, _PREFIX_KEY = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
)
_DEFAULT_LISTED, _LISTED_CHARSETS = 10, 11


@dataclass(frozen=True)
class LogColumn:
    """A column, and how its values are read."""

    column: MyColumn
    read: Reader


@dataclass(frozen=True)
class LogTable:
    """A table as rows that follow in the log have it."""

    schema: str
    name: str
    columns: tuple[LogColumn, ...]
    key: tuple[str, ...]
    """Its primary key."""

    def rows(self, body: bytes, at: int, *, is_update: bool) -> Iterator[tuple[Row, Row, int]]:
        """Old row, new row (the same one but for an update) and size of each change; `at` is where
        the number of columns stands."""
        count, at = packed_int(body, at)
        if count != len(self.columns):
            raise SyncError(f"The log does not describe the rows of {self.schema}.{self.name}.")
        size = (count + 7) // 8
        whole = (1 << count) - 1
        before = int.from_bytes(body[at : at + size], "little") & whole
        after = int.from_bytes(body[at + size : at + 2 * size], "little") & whole
        at += 2 * size if is_update else size
        if before != whole:
            raise SyncError(
                f"The binlog leaves out columns of {self.schema}.{self.name}: set binlog_row_image "
                "= FULL for all sessions, and clear the stream to load it anew."
            )
        while at < len(body):
            start = at
            old, at = self._row(body, at, None)
            new = old
            if is_update:
                # With FULL_NODUP the new row has only what has changed.
                new, at = self._row(body, at, None if after == whole else (after, old))
            yield old, new, at - start

    def _row(self, body: bytes, at: int, some: tuple[int, Row] | None) -> tuple[Row, int]:
        present, old = some or (-1, [])
        count = len(self.columns) if some is None else present.bit_count()
        start, at = at, at + (count + 7) // 8
        nulls = int.from_bytes(body[start:at], "little")
        row: Row = []
        for i, column in enumerate(self.columns):
            if not present >> i & 1:
                row.append(old[i])
                continue
            if nulls & 1:
                row.append(None)
            else:
                value, at = column.read(body, at)
                row.append(value)
            nulls >>= 1
        return row, at


Charset = Callable[[int], Decode]
"""How texts of a collation, known by its number, are decoded."""


def described(
    body: bytes, charset: Charset, today: Mapping[str, MyColumn], *, is_mariadb: bool
) -> LogTable:
    """The table that the body of a table map (behind its flags) describes.

    `today` are its columns as the catalogue has them: it tells uuid and addresses from bytes.
    MariaDB lists signs of years among those of numbers, and collations of geometries among those of
    texts; MySQL does not.
    """
    schema, name, at = names(body)
    count, at = packed_int(body, at)
    types, at = body[at : at + count], at + count
    size, at = packed_int(body, at)
    kinds = _kinds(types, body[at : at + size], f"{schema}.{name}")
    more = _Metadata(_fields(body, at + size + (count + 7) // 8))
    if not more.names:
        raise SyncError(
            f"The binlog does not name the columns of {schema}.{name}: set "
            "binlog_row_metadata = FULL, and clear the stream to load it anew."
        )
    signed = (*_NUMERIC, _YEAR) if is_mariadb else _NUMERIC
    collated = (*_TEXTS, _GEOMETRY) if is_mariadb else _TEXTS
    columns = _columns(kinds, more, charset, today, signed, collated)
    return LogTable(schema, name, columns, tuple(more.names[i] for i in more.key))


def names(body: bytes) -> tuple[str, str, int]:
    """Schema and name of the table that a table map describes, and where the rest begins."""
    middle = 1 + body[0] + 1
    end = middle + 1 + body[middle]
    return body[1 : middle - 1].decode(), body[middle + 1 : end].decode(), end + 1


def packed_int(data: bytes, at: int) -> tuple[int, int]:
    """A number of one byte, or of as many as the first one says."""
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


@dataclass(frozen=True)
class _Kind:
    """A type with what belongs to it."""

    type: int
    first: int = 0
    second: int = 0


def _kinds(types: bytes, data: bytes, table: str) -> list[_Kind]:
    """The types of the columns, each with its one or two bytes."""
    kinds, at = [], 0
    for type_ in types:
        if type_ in _TWO_BYTES:
            first, second, at = data[at], data[at + 1], at + 2
            kinds.append(_kind(type_, first, second))
        elif type_ in _ONE_BYTE:
            kinds.append(_Kind(type_, data[at]))
            at += 1
        elif type_ in _INTEGERS or type_ in (_INT24, _YEAR, *_DATES):
            kinds.append(_Kind(type_))
        elif type_ in _OLD_TIMES:
            raise SyncError(
                f"Table {table} has a {_OLD_TIMES[type_]} in the format of old servers: run "
                f"ALTER TABLE {table} FORCE, and clear the stream to load it anew."
            )
        else:
            raise SyncError(f"Table {table} has a column of type {type_}, which is not read.")
    return kinds


def _kind(type_: int, first: int, second: int) -> _Kind:
    if type_ == _STRING:
        # Two bits of a length beyond 255 are hidden, inverted, in the type.
        real = first | 0x30
        return _Kind(real, second | ((first & 0x30) ^ 0x30) << 4)
    if type_ in (_VARCHAR, 253):
        return _Kind(type_, first | second << 8)
    if type_ == _BIT:
        return _Kind(type_, first + 8 * second)
    if type_ in (_ENUM, _SET):
        return _Kind(type_, second)
    return _Kind(type_, first, second)


@dataclass
class _Metadata:
    """What else the log says of the columns, if it is asked to."""

    fields: Mapping[int, bytes]
    names: list[str] = field(init=False)
    key: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [text.decode() for text in _texts(self.fields.get(_NAMES, b""))]
        self.key = (
            _ints(self.fields.get(_KEY, b"")) or _ints(self.fields.get(_PREFIX_KEY, b""))[::2]
        )

    def collations(self, count: int, default: int, each: int) -> list[int]:
        """Of so many columns: one for all with exceptions, or one each."""
        if each in self.fields:
            return _ints(self.fields[each])
        first, *pairs = _ints(self.fields.get(default, bytes([BINARY])))
        found = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return [found.get(i, first) for i in range(count)]


def _columns(
    kinds: Sequence[_Kind],
    more: _Metadata,
    charset: Charset,
    today: Mapping[str, MyColumn],
    with_signs: Sequence[int],
    with_collations: Sequence[int],
) -> tuple[LogColumn, ...]:
    signs = more.fields.get(_SIGNS, b"")
    unsigned = iter(bool(signs[i // 8] << i % 8 & 0x80) for i in range(8 * len(signs)))
    texts = sum(kind.type in with_collations for kind in kinds)
    collations = iter(more.collations(texts, _DEFAULT_CHARSET, _CHARSETS))
    listed = sum(kind.type in (_ENUM, _SET) for kind in kinds)
    listed_in = iter(more.collations(listed, _DEFAULT_LISTED, _LISTED_CHARSETS))
    enums = iter(_lists(more.fields.get(_ENUMS, b"")))
    sets = iter(_lists(more.fields.get(_SETS, b"")))
    made = []
    for name, kind in zip(more.names, kinds, strict=True):
        is_unsigned = kind.type in with_signs and next(unsigned, False)
        collation = next(collations) if kind.type in with_collations else BINARY
        if kind.type in _NUMERIC:
            one = _numeric(name, kind, is_signed=not is_unsigned)
        elif kind.type in _TEXTS:
            one = _text(name, kind, collation, charset, today.get(name))
        elif kind.type in (_ENUM, _SET):
            decode = charset(next(listed_in))
            of = [decode(text) for text in next(enums if kind.type == _ENUM else sets)]
            one = _listed(name, kind, of)
        else:
            one = _other(name, kind)
        made.append(one)
    return tuple(made)


def _column(name: str, type_: str, *, sign: str = "", digits: int = 0, scale: int = 0) -> MyColumn:
    return MyColumn(name, type_, f"{type_}{sign}", digits, scale, True)


def _numeric(name: str, kind: _Kind, *, is_signed: bool) -> LogColumn:
    sign = "" if is_signed else " unsigned"
    if kind.type == _DECIMAL:
        column = _column(name, "decimal", digits=kind.first, scale=kind.second)
        return LogColumn(column, values.decimal(kind.first, kind.second))
    if kind.type == _INT24:
        return LogColumn(_column(name, "mediumint", sign=sign), values.medium(is_signed=is_signed))
    if kind.type in _FLOATS:
        type_, form = _FLOATS[kind.type]
        return LogColumn(_column(name, type_), values.number(form))
    type_, form = _INTEGERS[kind.type]
    read = values.number(form if is_signed else form.upper())
    return LogColumn(_column(name, type_, sign=sign), read)


def _text(
    name: str, kind: _Kind, collation: int, charset: Charset, today: MyColumn | None
) -> LogColumn:
    size = kind.first if kind.type == _BLOB else 1 + (kind.first > 255)
    bare = today.type if today is not None else ""
    if collation != BINARY:
        type_ = {_STRING: "char", _BLOB: "text"}.get(kind.type, "varchar")
        return LogColumn(_column(name, type_), values.text(size, charset(collation)))
    if kind.type == _STRING and bare in _ADDRESSES and kind.first == _ADDRESSES[bare][0]:
        width, decode = _ADDRESSES[bare]
        return LogColumn(
            _column(name, bare), values.text(size, lambda b: decode(b.ljust(width, b"\0")))
        )
    width = kind.first if kind.type == _STRING else 0
    type_ = {_STRING: "binary", _BLOB: "blob"}.get(kind.type, "varbinary")
    return LogColumn(_column(name, type_), values.blob(size, width))


def _listed(name: str, kind: _Kind, of: Sequence[str]) -> LogColumn:
    if kind.type == _ENUM:
        return LogColumn(_column(name, "enum"), values.chosen(kind.first, of))
    return LogColumn(_column(name, "set"), values.members(kind.first, of))


def _other(name: str, kind: _Kind) -> LogColumn:
    if kind.type == _BIT:
        return LogColumn(_column(name, "bit", digits=kind.first), values.bits(kind.first))
    if kind.type == _YEAR:
        return LogColumn(_column(name, "year"), values.year)
    if kind.type in _DATES:
        return LogColumn(_column(name, "date"), values.date)
    if kind.type == _TIMESTAMP:
        return LogColumn(_column(name, "timestamp"), values.timestamp(kind.first))
    if kind.type == _DATETIME:
        return LogColumn(_column(name, "datetime"), values.datetime(kind.first))
    if kind.type == _TIME:
        return LogColumn(_column(name, "time"), values.time(kind.first))
    if kind.type == _JSON:
        return LogColumn(_column(name, "json"), values.text(kind.first, json_text))
    return LogColumn(_column(name, "geometry"), values.blob(kind.first))


def _uuid(data: bytes) -> str:
    """MariaDB stores most with the parts in reverse order, so that they sort by time."""
    if data[6] & 0x80 and 0 < data[8] <= 0x80:
        data = data[12:] + data[10:12] + data[8:10] + data[6:8] + data[:6]
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _address(data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


_ADDRESSES: Mapping[str, tuple[int, Decode]] = {
    "uuid": (16, _uuid),
    "inet6": (16, _address),
    "inet4": (4, _address),
}


def _fields(body: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at < len(body):
        type_ = body[at]
        size, at = packed_int(body, at + 1)
        found[type_] = body[at : at + size]
        at += size
    return found


def _ints(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = packed_int(data, at)
        found.append(value)
    return found


def _texts(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size, at = packed_int(data, at)
        found.append(data[at : at + size])
        at += size
    return found


def _lists(data: bytes) -> list[list[bytes]]:
    found, at = [], 0
    while at < len(data):
        count, at = packed_int(data, at)
        listed = []
        for _ in range(count):
            size, at = packed_int(data, at)
            listed.append(data[at : at + size])
            at += size
        found.append(listed)
    return found


def charmap(table: str) -> Decode:
    """Decode bytes by the 256 characters that they mean."""
    return lambda data: codecs.charmap_decode(data, "replace", table)[0]
