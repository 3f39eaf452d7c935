"""Documents on their way to a relation: collected as columns, typed by all values that they have.

A collection declares no types, and a table needs them before its first row. So documents wait as
columns, in files of the scratch folder where they are many, until the last of them is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workers.connectors.base import Session, Stream, SyncError, literal, quote
from workers.connectors.mongodb_values import (
    ARROW,
    EXACT,
    TZ,
    array,
    join,
    kind_of,
    lost_dates,
    widened,
)

MEMORY_BYTES = 32 * 1024**2
MOST_COLUMNS = 2_000
_RESERVED = ("", "_olake_id", "_olake_timestamp", "_op_type", "_order", "_absent")
_numbers = count()


@dataclass
class _Segment:
    """Rows in which each field has one type."""

    kinds: dict[str, str] = field(default_factory=dict)
    tables: list[pa.Table] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


class Rows:
    """The documents of one part of a stream."""

    def __init__(
        self,
        session: Session,
        stream: Stream,
        types: Mapping[str, str],
        own: Mapping[str, str] | None = None,
    ) -> None:
        """`types` are those of the fields until now; `own` are further columns with their types."""
        self.stream = stream
        self.types = dict(types)
        """DuckDB types by field; they only become wider."""
        self.rows = 0
        self.bytes = 0
        self._session = session
        self._own = dict(own or {})
        self._filter = {condition.column for condition in stream.conditions}
        self._wanted: dict[str, bool] = {}
        self._labels: dict[str, str] = {}
        self._large: set[str] = set()
        self._lost: dict[str, int] = {}
        self._segments: list[_Segment] = []
        self._name = f"documents_{next(_numbers)}"

    def add(
        self, documents: Sequence[Mapping[str, Any]], own: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Some documents, and the columns of `own` for them."""
        columns: dict[str, tuple[str, Sequence[Any]]] = {}
        for name in dict.fromkeys(chain.from_iterable(documents)):
            if self._is_wanted(name):
                values = [document.get(name) for document in documents]
                if (kind := self._kind(name, values)) is not None:
                    columns[name] = (kind, values)
        segment = self._segment(columns)
        arrays = {name: array(v, k) for (name, k), v in zip(self._own.items(), own, strict=True)}
        arrays |= {self._label(name): array(v, kind) for name, (kind, v) in columns.items()}
        table = pa.table(arrays)
        segment.tables.append(table)
        self.rows += len(documents)
        self.bytes += table.nbytes
        if sum(one.nbytes for one in segment.tables) > MEMORY_BYTES:
            self._spill(segment)

    def relation(self) -> str:
        """All of them as a SELECT, valid until `close`."""
        for name, lost in self._lost.items():
            text = f"{lost} dates of {self.stream.id}.{name} lie outside of the years 1 to 9999: they become null."
            self._session.log("warning", text)
        self._lost = {}
        selects = [self._select(i, segment) for i, segment in enumerate(self._segments)]
        if not selects:
            nothing = [f"CAST(NULL AS {k}) AS {n}" for n, k in self._own.items()]
            selects = [f"SELECT {', '.join([*nothing, *self._columns({})])} WHERE false"]
        return " UNION ALL ".join(f"({select})" for select in selects)

    def names(self) -> set[str]:
        """Fields that a filter may name."""
        return {*self.types, *self.stream.known_columns}

    def close(self) -> None:
        """Let go of memory and files."""
        for i, segment in enumerate(self._segments):
            self._session.duck.unregister(f"{self._name}_{i}")
            for path in segment.files:
                path.unlink(missing_ok=True)
        self._segments = []

    def _is_wanted(self, name: str) -> bool:
        if (known := self._wanted.get(name)) is not None:
            return known
        wanted = name == "_id" or name in self._filter or self.stream.wants(name)
        # DuckDB tells columns apart by their letters alone, not by their case.
        if wanted and (name.lower() in _RESERVED or name.lower().startswith("_cdc_")):
            wanted = False
            text = f"The field {name!r} of {self.stream.id} has a name that syncs need: it is left out."
            self._session.log("warning", text)
        if wanted and sum(self._wanted.values()) >= MOST_COLUMNS:
            raise SyncError(
                f"The documents of {self.stream.id} have more than {MOST_COLUMNS} fields. Select the "
                "columns that are needed, and no new ones."
            )
        self._wanted[name] = wanted
        return wanted

    def _kind(self, name: str, values: Sequence[Any]) -> str | None:
        """The type of a field now: that of the values of before, and of these."""
        found = kind_of(values)
        if found is None:
            return None
        if found in ("BIGINT", "DOUBLE") and _largest(values) > EXACT:
            self._large.add(name)
        kind = join(self.types.get(name), found)
        if name == "_id" and kind not in ("BIGINT", "UUID"):
            # Its text is a row's identity: it must not change with its type.
            kind = "VARCHAR"
        if kind == "DOUBLE" and name in self._large:
            kind = "VARCHAR"
        assert kind is not None
        if kind == TZ and (lost := lost_dates(values)):
            self._lost[name] = self._lost.get(name, 0) + lost
        self.types[name] = kind
        return kind

    def _segment(self, columns: Mapping[str, tuple[str, Any]]) -> _Segment:
        last = self._segments[-1] if self._segments else None
        if last is None or any(last.kinds.get(n, k) != k for n, (k, _) in columns.items()):
            if last is not None:
                self._spill(last)
            last = _Segment()
            self._segments.append(last)
        last.kinds.update({name: kind for name, (kind, _) in columns.items()})
        return last

    def _label(self, name: str) -> str:
        return self._labels.setdefault(name, f"v{len(self._labels)}")

    def _whole(self, segment: _Segment) -> pa.Table:
        """What waits in memory, with all columns of its segment."""
        own = [(name, ARROW[kind]) for name, kind in self._own.items()]
        fields = [(self._label(name), ARROW[kind]) for name, kind in segment.kinds.items()]
        empty = pa.schema([*own, *fields]).empty_table()
        return pa.concat_tables([empty, *segment.tables], promote_options="default")

    def _spill(self, segment: _Segment) -> None:
        """Let a file hold what waits in memory."""
        path = self._session.scratch / f"{self._name}_{next(_numbers)}.parquet"
        pq.write_table(self._whole(segment), path, compression="lz4")
        segment.files.append(path)
        segment.tables = []

    def _select(self, index: int, segment: _Segment) -> str:
        name = f"{self._name}_{index}"
        self._session.duck.register(name, self._whole(segment))
        rows = f"SELECT * FROM {name}"
        if segment.files:
            files = ", ".join(literal(str(path)) for path in segment.files)
            rows += (
                f" UNION ALL BY NAME SELECT * FROM read_parquet([{files}], union_by_name = true)"
            )
        listed = ", ".join([*self._own, *self._columns(segment.kinds)])
        return f"SELECT {listed} FROM ({rows})"

    def _columns(self, kinds: Mapping[str, str]) -> list[str]:
        """Every field that is known, so that one that is gone becomes null."""
        asked = dict.fromkeys(["_id", *self.types, *sorted(self._filter & self.names())])
        return [
            f"{self._column(name, kinds.get(name))} AS {quote(name)}"
            for name in asked
            if self._is_wanted(name)
        ]

    def _column(self, name: str, have: str | None) -> str:
        want = self.types.get(name) or _discovered(self.stream, name)
        return f"CAST(NULL AS {want})" if have is None else widened(self._label(name), have, want)


def _largest(values: Sequence[Any]) -> int:
    """The greatest distance of an integer from 0."""
    numbers = [value for value in values if value is not None and type(value) is not float]
    return max(map(abs, numbers), default=0)


def _discovered(stream: Stream, name: str) -> str:
    """The type of a field without values: an id may be known to be a number."""
    described = (stream.extra.get("type_schema") or {}).get("properties") or {}
    is_number = "integer" in ((described.get(name) or {}).get("type") or ())
    return "BIGINT" if name == "_id" and is_number else "VARCHAR"
