"""Partitions of Iceberg tables: `/{created_at, day}/{id, bucket[16]}`, and the values in SQL."""

import re
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    BucketTransform,
    IdentityTransform,
    Transform,
    TruncateTransform,
    VoidTransform,
    parse_transform,
)
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BooleanType,
    DateType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimestamptzType,
)

from workers.connectors.base import SyncError, quote

FIRST_ID = 1000
_BLOCK = re.compile(r"\{\s*([^{},]+?)\s*,\s*([^{},]+?)\s*\}")
_NAMES = {"year", "month", "day", "hour", "identity", "void"}
_TIMES = {
    "year": "year({0}) - 1970",
    "month": "(year({0}) - 1970) * 12 + month({0}) - 1",
    "day": "CAST({0} AS DATE) - DATE '1970-01-01'",
    "hour": "floor(epoch({0}) / 3600)",
}


def spec_of(template: str, schema: Schema) -> PartitionSpec:
    """The partition spec that a job's template asks for; empty for an empty template."""
    left = _BLOCK.sub("", template).strip("/ ")
    if left:
        raise SyncError(
            f"The partition {template[:80]!r} is not of the form /{{column, transform}}/…"
        )
    fields = [
        _field(number, column, transform, schema)
        for number, (column, transform) in enumerate(_BLOCK.findall(template))
    ]
    return PartitionSpec(*fields)


def _field(number: int, column: str, transform: str, schema: Schema) -> PartitionField:
    name = "_olake_timestamp" if column == "now()" else column.strip("'\"")
    source = next((field for field in schema.fields if field.name == name), None)
    if source is None:
        raise SyncError(f"The partition names column {name}, which the stream lacks.")
    plain = transform.lower().replace(" ", "")
    if plain not in _NAMES and not re.fullmatch(r"(bucket|truncate)\[[1-9]\d{0,8}\]", plain):
        raise SyncError(
            f"The partition's transform {transform} is none of identity, year, month, day, hour, "
            "bucket[N], truncate[N], void."
        )
    made = parse_transform(plain)
    _expression(made, source.name, source.field_type)
    suffix = "" if plain == "identity" else "_" + plain.split("[")[0]
    return PartitionField(source.field_id, FIRST_ID + number, made, f"{source.name}{suffix}")


def values(duck: duckdb.DuckDBPyConnection, spec: PartitionSpec, schema: Schema) -> list[str]:
    """SQL of DuckDB for each partition value, as a text that `record` reads; never null."""
    found = []
    for field in spec.fields:
        source = schema.find_field(field.source_id)
        sql = _expression(field.transform, source.name, source.field_type)
        if isinstance(field.transform, BucketTransform):
            sql = _bucket(duck, field.transform, source.name, source.field_type)
        if isinstance(_result(field.transform, source.field_type), StringType):
            # Folders are named by it: no separators, nothing that a URL would change.
            sql = f"hex(encode({sql}))"
        found.append(f"coalesce('v' || CAST({sql} AS VARCHAR), 'n')")
    return found


def record(spec: PartitionSpec, schema: Schema, texts: Sequence[str]) -> Record:
    """The partition that a file belongs to."""
    pairs = zip(spec.fields, texts, strict=True)
    return Record(*(_value(field, schema, text) for field, text in pairs))


def _value(field: PartitionField, schema: Schema, text: str) -> Any:
    if text == "n":
        return None
    result = _result(field.transform, schema.find_field(field.source_id).field_type)
    if isinstance(result, StringType):
        return bytes.fromhex(text[1:]).decode()
    if isinstance(result, BooleanType):
        return text[1:] == "true"
    return int(text[1:].split(".")[0])


def _result(transform: Transform[Any, Any], type_: IcebergType) -> IcebergType:
    result: IcebergType = transform.result_type(type_)
    return result


def _expression(transform: Transform[Any, Any], name: str, type_: IcebergType) -> str:
    column, kind = quote(name), str(transform).split("[")[0]
    if isinstance(transform, VoidTransform):
        return "NULL"
    if isinstance(transform, BucketTransform) and transform.can_transform(type_):
        return column
    if kind in _TIMES and isinstance(type_, DateType | TimestampType | TimestamptzType):
        if transform.can_transform(type_):
            return _TIMES[kind].format(column)
    elif isinstance(transform, IdentityTransform):
        identity = _identity(column, type_)
        if identity:
            return identity
    elif isinstance(transform, TruncateTransform):
        width = transform.width
        if isinstance(type_, StringType):
            return f"left({column}, {width})"
        if isinstance(type_, IntegerType | LongType):
            return f"{column} - ((({column} % {width}) + {width}) % {width})"
    raise SyncError(f"Column {name} is a {type_}, which cannot be partitioned by {transform}.")


def _identity(column: str, type_: IcebergType) -> str:
    if isinstance(type_, IntegerType | LongType | StringType | BooleanType):
        return column
    if isinstance(type_, DateType):
        return f"{column} - DATE '1970-01-01'"
    if isinstance(type_, TimestampType | TimestamptzType):
        return f"epoch_us({column})"
    return ""


def _bucket(
    duck: duckdb.DuckDBPyConnection, transform: BucketTransform[Any], name: str, type_: IcebergType
) -> str:
    """DuckDB lacks Iceberg's hash: a function of Python's does it, a vector at a time."""
    texts = isinstance(type_, StringType)
    if not texts and not isinstance(type_, IntegerType | LongType):
        raise SyncError(f"Only whole numbers and texts can be partitioned by bucket, not {name}.")
    bucket = transform.transform(type_)
    function = f"_bucket_{transform.num_buckets}_{'text' if texts else 'number'}"

    def vector(given: pa.ChunkedArray) -> pa.Array:
        return pa.array([bucket(value) for value in given.to_pylist()], pa.int32())

    known = duck.execute(
        "SELECT 1 FROM duckdb_functions() WHERE function_name = $1", [function]
    ).fetchone()
    if known is None:
        type_name = "VARCHAR" if texts else "BIGINT"
        duck.create_function(
            function,
            vector,
            [type_name],
            "INTEGER",
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
    return f"{function}({quote(name)})"
