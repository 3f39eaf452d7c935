"""Changes that a log tells one after the other, collected into the relation of a `Part`.

Memory is bounded: what is more than a few megabytes waits in files of the session's scratch folder,
since all changes of a transaction are one part, however many they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workers.connectors.base import Part, Position, Session, Stream, literal, quote
from workers.connectors.conditions import where

ROWS = 5_000
PACK_BYTES = 2 * 1024**2
_numbers = count()


@dataclass(frozen=True)
class Field:
    """A column of a log: what its values are in Arrow, and the SQL that makes them what a full
    read would have read."""

    name: str
    arrow: pa.DataType
    sql: Callable[[str], str] = lambda value: value


@dataclass
class _Segment:
    """Rows of one layout."""

    fields: Sequence[Field]
    tables: list[pa.Table] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


class ChangeBatch:
    """Changes of one stream.

    `extra` are the log's own columns and their types; their names begin with `_cdc_`.
    """

    def __init__(
        self,
        session: Session,
        stream: Stream,
        extra: Mapping[str, pa.DataType],
        *,
        memory_bytes: int,
    ) -> None:
        self.stream = stream
        self._session = session
        self._memory_bytes = memory_bytes
        self._extra = extra
        self._name = f"changes_{next(_numbers)}"
        self._segments: list[_Segment] = []
        self._rows: list[tuple[Any, ...]] = []
        self._row_bytes = 0
        self._has_absent = False
        self._has_rows = False

    def __bool__(self) -> bool:
        return self._has_rows

    def layout(self, fields: Sequence[Field]) -> None:
        """The rows that follow have these columns."""
        self._pack()
        self._segments.append(_Segment(fields))

    def add(
        self,
        op: str,
        order: int,
        time_us: int,
        extra: Sequence[Any],
        values: Sequence[Any],
        absent: Sequence[str] = (),
        size: int = 0,
    ) -> None:
        """One change: c, u or d; its place in the log; when it was committed; its values in the
        order of the layout; the columns that keep the value they have; about how large it is."""
        self._has_rows = True
        self._has_absent |= bool(absent)
        self._rows.append((op, order, time_us, absent, *extra, *values))
        self._row_bytes += size
        if len(self._rows) >= ROWS or self._row_bytes >= min(PACK_BYTES, self._memory_bytes):
            self._pack()

    def part(self, position: Position) -> Part:
        """All changes, and the position behind them; without any the table is only made fit."""
        self._pack()
        selects = [self._select(i, s) for i, s in enumerate(self._segments)]
        relation = " UNION ALL BY NAME ".join(f"({select})" for select in selects)
        if self._has_absent:
            kept = "* REPLACE (coalesce(_absent, []) AS _absent)"
            relation = f"SELECT {kept} FROM ({relation})"
        return Part(self.stream, filtered(self.stream, relation), position, op=None)

    def close(self) -> None:
        """Let go of memory and files, once the part is committed."""
        for i, segment in enumerate(self._segments):
            self._session.duck.unregister(f"{self._name}_{i}")
            for path in segment.files:
                path.unlink(missing_ok=True)
        self._segments, self._rows = [], []

    def _pack(self) -> None:
        """Make Arrow data of the rows, and a file of it when it becomes much."""
        if not self._rows:
            return
        segment = self._segments[-1]
        columns = list(zip(*self._rows, strict=True))
        schema = self._schema(segment)
        arrays = [_array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        segment.tables.append(pa.Table.from_arrays(arrays, schema=schema))
        self._rows, self._row_bytes = [], 0
        if sum(table.nbytes for table in segment.tables) > self._memory_bytes:
            path = self._session.scratch / f"{self._name}_{next(_numbers)}.parquet"
            pq.write_table(pa.concat_tables(segment.tables), path, compression="lz4")
            segment.files.append(path)
            segment.tables = []

    def _schema(self, segment: _Segment) -> pa.Schema:
        own = {
            "_op_type": pa.string(),
            "_order": pa.int64(),
            "_cdc_timestamp": pa.timestamp("us", "UTC"),
            "_absent": pa.list_(pa.string()),
            **self._extra,
        }
        values = {f"v{i}": f.arrow for i, f in enumerate(segment.fields)}
        return pa.schema([*own.items(), *values.items()])

    def _select(self, index: int, segment: _Segment) -> str:
        name = f"{self._name}_{index}"
        schema = self._schema(segment)
        self._session.duck.register(
            name,
            pa.Table.from_batches(
                [batch for table in segment.tables for batch in table.to_batches()], schema
            ),
        )
        rows = f"SELECT * FROM {name}"
        if segment.files:
            files = ", ".join(literal(str(path)) for path in segment.files)
            rows += f" UNION ALL SELECT * FROM read_parquet([{files}])"
        own = ["_op_type", "_order", "_cdc_timestamp", *self._extra]
        if self._has_absent:
            own.append("_absent")
        values = [f"{f.sql(f'v{i}')} AS {quote(f.name)}" for i, f in enumerate(segment.fields)]
        return f"SELECT {', '.join([*own, *values])} FROM ({rows})"


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_string(type_) and any(isinstance(value, bytes) for value in values):
        return pa.array(values, pa.binary()).cast(type_)
    return pa.array(values, type_)


def filtered(stream: Stream, relation: str) -> str:
    """The stream's conditions. A row that an update takes out of them is deleted; what was
    deleted is told of only by its key, so that it always comes."""
    if not stream.conditions:
        return relation
    meant = f"coalesce({where(stream, {one.column for one in stream.conditions})}, false)"
    op = f"CASE WHEN _op_type = 'u' AND NOT {meant} THEN 'd' ELSE _op_type END AS _op_type"
    return f"SELECT * REPLACE ({op}) FROM ({relation}) WHERE _op_type <> 'c' OR {meant}"
