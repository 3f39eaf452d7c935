"""From a source's rows to a table's: the engine's columns, names, types, last change of a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from workers.connectors import duck, types
from workers.connectors.base import (
    Column,
    Destination,
    Load,
    Part,
    Stream,
    SyncError,
    Table,
    literal,
    quote,
)
from workers.sync.catalog import plain_name

ID, STAMP, OP, CDC_STAMP = "_olake_id", "_olake_timestamp", "_op_type", "_cdc_timestamp"
_HIDDEN = ("_order", "_absent")
_OURS = (ID, STAMP, OP, *_HIDDEN)


@dataclass(frozen=True)
class Shape:
    """How the parts of one read become loads of one table."""

    table: Table
    stream: Stream
    listed: tuple[str, ...]
    """SQL for each of the table's columns, over the source's."""
    source: tuple[str, ...]
    """The source's columns, in the table's names where they have one."""
    has_order: bool
    has_absent: bool
    conversions: tuple[str, ...]
    """What is stored in another type than the source's, for the log."""

    def load(self, part: Part, *, upsert: bool) -> Load:
        """A part as its destination takes it; in an upsert each id comes once, the last wins."""
        rows = f"SELECT {', '.join(self.listed)} FROM ({part.relation})"
        if not upsert:
            return Load(f"SELECT {self._names()} FROM ({rows})", part.position)
        if self.has_absent:
            return Load(self._folded(rows), part.position, has_absent=True)
        if self.has_order or not self.stream.key:
            order = " ORDER BY _order DESC" if self.has_order else ""
            rows += f" QUALIFY row_number() OVER (PARTITION BY {ID}{order}) = 1"
        return Load(f"SELECT {self._names()} FROM ({rows})", part.position)

    def _names(self) -> str:
        return ", ".join(quote(column.name) for column in self.table.columns)

    def _folded(self, rows: str) -> str:
        """The last change of each id, values that it leaves out taken from earlier ones."""
        known = [c.name for c in self.table.columns if c.name in self.source]
        folded, absent = [], []
        for name in (column.name for column in self.table.columns):
            if name == ID:
                folded.append(ID)
            elif name in known:
                there = f"FILTER (WHERE NOT list_contains(_absent, {literal(name)}))"
                value = f"struct_pack(v := {quote(name)})"
                folded.append(f"arg_max({value}, _order) {there}.v AS {quote(name)}")
                absent.append(f"CASE WHEN count(*) {there} = 0 THEN {literal(name)} END")
            else:
                folded.append(f"arg_max({quote(name)}, _order) AS {quote(name)}")
        kept = f"list_filter([{', '.join(absent)}], lambda x: x IS NOT NULL)"
        return f"SELECT {', '.join(folded)}, {kept} AS _absent FROM ({rows}) GROUP BY {ID}"


def shape(
    con: duckdb.DuckDBPyConnection,
    part: Part,
    destination: Destination,
    now: datetime,
    name: Table,
) -> Shape:
    """Look at a part's columns; `name` says where it goes."""
    stream = part.stream
    found = duck.columns(con, part.relation)
    present = [column for column, _ in found]
    rows = [(n, t) for n, t in found if n not in _OURS and not n.startswith("_cdc_")]
    extra = [(n, t) for n, t in found if n.startswith("_cdc_")]
    stamp = literal(now.isoformat())
    listed = [
        f"{_id(stream, [n for n, _ in rows])} AS {ID}",
        f"TIMESTAMPTZ {stamp} AS {STAMP}",
        OP if part.op is None else f"{literal(part.op)} AS {OP}",
    ]
    columns = [Column(ID, "VARCHAR"), Column(STAMP, _TZ), Column(OP, "VARCHAR")]
    if stream.mode in ("cdc", "strict_cdc"):
        there = CDC_STAMP in present
        listed.append(
            CDC_STAMP if there else f"TIMESTAMPTZ '1970-01-01 00:00:00+00' AS {CDC_STAMP}"
        )
        columns.append(Column(CDC_STAMP, _TZ))
        extra = [(n, t) for n, t in extra if n != CDC_STAMP]
    listed += [f"{quote(n)}" for n, _ in extra]
    columns += [Column(n, destination.stored(t)) for n, t in extra]
    data, data_columns, conversions = _data(stream, rows, destination)
    hidden = [
        _renamed(rows, data_columns) if n == "_absent" else n for n in _HIDDEN if n in present
    ]
    return Shape(
        table=Table(
            stream.id, name.database, name.name, (*columns, *data_columns), stream.partition
        ),
        stream=stream,
        listed=(*listed, *data, *hidden),
        source=tuple(column.name for column in data_columns),
        has_order="_order" in present,
        has_absent="_absent" in present and stream.normalization,
        conversions=conversions,
    )


_TZ = "TIMESTAMP WITH TIME ZONE"


def _data(
    stream: Stream, rows: Sequence[tuple[str, str]], destination: Destination
) -> tuple[list[str], list[Column], tuple[str, ...]]:
    if not stream.normalization:
        packed = ", ".join(f"{quote(n)} := {quote(n)}" for n, _ in rows)
        text = f"CAST(to_json(struct_pack({packed})) AS VARCHAR) AS data"
        return [text], [Column("data", "VARCHAR")], ()
    listed: list[str] = []
    columns: list[Column] = []
    conversions: list[str] = []
    for source_name, type_ in rows:
        name = source_name if stream.source_names else _plain_column(source_name)
        if any(column.name.lower() == name.lower() for column in columns):
            raise SyncError(
                f"Two columns of {stream.id} would be named {name}: let the stream use the "
                "source's column names, or select one of them."
            )
        to = destination.stored(type_)
        if to != type_:
            conversions.append(f"{name}: {type_} as {to}")
        listed.append(f"{types.cast(quote(source_name), type_, to)} AS {quote(name)}")
        columns.append(Column(name, to))
    return listed, columns, tuple(conversions)


def _renamed(rows: Sequence[tuple[str, str]], columns: Sequence[Column]) -> str:
    """The names of absent columns as the table has them."""
    pairs = [(a, c.name) for (a, _), c in zip(rows, columns, strict=False) if a != c.name]
    if not pairs:
        return "_absent"
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in pairs)
    return f"list_transform(_absent, lambda x: CASE x {cases} ELSE x END) AS _absent"


def _plain_column(name: str) -> str:
    plain = plain_name(name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def _id(stream: Stream, columns: Sequence[str]) -> str:
    """OLake's row id: the key's text, or a hash of a key of several columns, or of all columns."""
    if len(stream.key) == 1:
        return f"CAST({quote(stream.key[0])} AS VARCHAR)"
    names = sorted(stream.key) or list(columns)
    texts = ", ".join(f"coalesce(CAST({quote(n)} AS VARCHAR), ''), '|'" for n in names)
    return f"md5(concat({texts}))"
