"""Data files of Iceberg tables: DuckDB writes them, and says what Iceberg wants to know of them."""

import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.conversions import to_bytes
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    PrimitiveType,
    StringType,
    TimestampType,
    TimestamptzType,
)
from pyiceberg.utils.datetime import (
    date_to_days,
    datetime_to_micros,
    timestamptz_to_micros,
)
from pyiceberg.utils.truncate import truncate_upper_bound_text_string

from workers.connectors.base import Session, literal, quote
from workers.connectors.iceberg_partitions import record, values
from workers.connectors.iceberg_schema import field_ids, reading

FILE_MB = 128
BOUND_SIGNS = 16
_PLAIN_TEXT = re.compile(r"[\x20-\x5b\x5d-\x7e]*")
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?(\+00)?)?")


class Writer:
    """Writes the files of one commit below a table's location."""

    def __init__(
        self, session: Session, io: FileIO, location: str, schema: Schema, spec: PartitionSpec
    ) -> None:
        self.session = session
        self.io = io
        self.schema = schema
        self.spec = spec
        run = session.run
        self.prefix = f"{location.rstrip('/')}/data/{file_prefix(run.job)}{run.number}-{run.fence}"
        self.files: list[DataFile] = []
        self.infinite: set[str] = set()

    def write(self, select: str, columns: Sequence[tuple[str, str]]) -> None:
        """Write the rows of a SELECT that has columns of these names and types."""
        parts = values(self.session.duck, self.spec, self.schema)
        listed = [f"CAST({quote(n)} AS {t}) AS {quote(n)}" for n, t in columns]
        listed += [f"{sql} AS {quote(f'_part{i}')}" for i, sql in enumerate(parts)]
        named = ", ".join(quote(f"_part{i}") for i in range(len(parts)))
        how = f"PARTITION_BY ({named})" if parts else f"FILE_SIZE_BYTES '{FILE_MB}MB'"
        to = path_of(f"{self.prefix}-{uuid.uuid4().hex}")
        if not to.startswith("s3://"):
            Path(to).parent.mkdir(parents=True, exist_ok=True)
        rows = self.session.duck.execute(
            f"COPY (SELECT {', '.join(listed)} FROM ({select})) TO {literal(to)} (FORMAT parquet, "
            f"COMPRESSION zstd, FIELD_IDS {field_ids(self.schema, [n for n, _ in columns])}, "
            f"{how}, RETURN_STATS)"
        ).fetchall()
        for path, count, size, _, figures, keys in rows:
            self._take(path, count, size, figures or {}, keys or {})
        if not to.startswith("s3://"):
            _sync(Path(to))

    def discard(self) -> None:
        """Remove files that no commit names."""
        for file in self.files:
            with suppress(OSError):
                self.io.delete(file.file_path)
        self.files = []

    def _take(
        self,
        path: str,
        rows: int,
        size: int,
        figures: Mapping[str, Mapping[str, str]],
        keys: Mapping[str, str],
    ) -> None:
        if not rows:
            self.io.delete(_uri(path))
            return
        texts = [keys[f"_part{i}"] for i in range(len(self.spec.fields))]
        self.files.append(
            DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=_uri(path),
                file_format=FileFormat.PARQUET,
                partition=record(self.spec, self.schema, texts),
                record_count=rows,
                file_size_in_bytes=size,
                spec_id=self.spec.spec_id,
                sort_order_id=None,
                equality_ids=None,
                key_metadata=None,
                **self._metrics(figures),
            )
        )

    def _metrics(self, figures: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: {}
            for name in (
                "column_sizes",
                "value_counts",
                "null_value_counts",
                "nan_value_counts",
                "lower_bounds",
                "upper_bounds",
            )
        }
        for name, figure in figures.items():
            field_id, type_ = self._field(name)
            found["column_sizes"][field_id] = int(figure["column_size_bytes"])
            found["value_counts"][field_id] = int(figure["num_values"])
            if "null_count" in figure:
                found["null_value_counts"][field_id] = int(figure["null_count"])
            low, high = figure.get("min"), figure.get("max")
            if {"infinity", "-infinity"} & {low, high}:
                self.infinite.add(name.strip('"'))
            if low is None or high is None:
                continue
            bounds = _bound(type_, low, upper=False), _bound(type_, high, upper=True)
            if None not in bounds:
                found["lower_bounds"][field_id], found["upper_bounds"][field_id] = bounds
        return found

    def _field(self, name: str) -> tuple[int, IcebergType]:
        """Field id and type of a leaf, which DuckDB names `"column"."element"`."""
        path = [part.replace('""', '"') for part in re.findall(r'"((?:[^"]|"")*)"', name)]
        field = next(field for field in self.schema.fields if field.name == path[0])
        while isinstance(field.field_type, ListType):
            field = field.field_type.element_field
        return field.field_id, field.field_type


def file_prefix(job: str) -> str:
    """How the names of a job's files begin."""
    return f"isthmus-{re.sub(r'[^A-Za-z0-9]', '_', job)}-"


def relation(files: Iterable[str], schema: Schema, table: str) -> str:
    """Rows of data files as a relation, each with its file's `filename`; columns go by their ids."""
    listed = ", ".join(literal(path_of(file)) for file in files)
    return (
        f"SELECT * FROM read_parquet([{listed}], schema = {reading(schema, table)}, "
        "filename = true)"
    )


def touched(
    duck: duckdb.DuckDBPyConnection, files: Sequence[str], schema: Schema, table: str, keys: str
) -> set[str]:
    """Which files have a row whose `_olake_id` is among the keys."""
    if not files:
        return set()
    rows = duck.execute(
        f"SELECT DISTINCT filename FROM ({relation(files, schema, table)}) "
        f"WHERE _olake_id IN (SELECT _olake_id FROM {keys})"
    ).fetchall()
    return {_uri(row[0]) for row in rows}


def path_of(uri: str) -> str:
    """What DuckDB calls a file."""
    return uri.removeprefix("file://").replace("s3a://", "s3://", 1)


def _uri(path: str) -> str:
    return path if "://" in path else f"file://{path}"


def _bound(type_: IcebergType, text: str, *, upper: bool) -> bytes | None:
    """A bound as Iceberg stores it; None where it cannot be told for certain."""
    value = _value(type_, text)
    if isinstance(type_, StringType) and value is not None:
        cut = value[:BOUND_SIGNS]
        value = truncate_upper_bound_text_string(value, BOUND_SIGNS) if upper else cut
    if value is None or not isinstance(type_, PrimitiveType):
        return None
    return to_bytes(type_, value)


def _value(type_: IcebergType, text: str) -> Any:
    if isinstance(type_, IntegerType | LongType):
        return int(text)
    if isinstance(type_, DecimalType):
        return Decimal(text)
    if isinstance(type_, StringType):
        return text if _PLAIN_TEXT.fullmatch(text) else None
    if not _PLAIN_TIME.fullmatch(text):
        return None
    if isinstance(type_, DateType):
        return date_to_days(date.fromisoformat(text))
    if isinstance(type_, TimestampType):
        return datetime_to_micros(datetime.fromisoformat(text))
    if isinstance(type_, TimestamptzType):
        return timestamptz_to_micros(text.replace(" ", "T").replace("+00", "+00:00"))
    return None


def _sync(folder: Path) -> None:
    """Have files and folders on the disk before a commit names them."""
    if not folder.exists():
        return
    for path in [*folder.rglob("*"), folder, *list(folder.parents)[:2]]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
