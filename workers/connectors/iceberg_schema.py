"""Columns as Iceberg has them: its types, its field ids, and what of a table's columns may change."""

import re
from collections.abc import Iterator, Sequence
from itertools import count

from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from workers.connectors import types
from workers.connectors.base import Column, SyncError, quote

_TYPES: dict[str, IcebergType] = {
    "BOOLEAN": BooleanType(),
    "INTEGER": IntegerType(),
    "BIGINT": LongType(),
    "FLOAT": FloatType(),
    "DOUBLE": DoubleType(),
    "VARCHAR": StringType(),
    "BLOB": BinaryType(),
    "DATE": DateType(),
    "TIME": TimeType(),
    "TIMESTAMP": TimestampType(),
    "TIMESTAMP WITH TIME ZONE": TimestamptzType(),
    "UUID": UUIDType(),
}
_BACK = {type_: name for name, type_ in _TYPES.items()}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_PROMOTIONS = {("INTEGER", "BIGINT"), ("FLOAT", "DOUBLE")}


def stored(type_: str) -> str:
    """The DuckDB type that Iceberg keeps for a type; it has no small integers."""
    plain = types.plain(type_)
    if plain.endswith("[]"):
        return stored(plain[:-2]) + "[]"
    if plain == "SMALLINT":
        return "INTEGER"
    return plain if plain in _TYPES or _DECIMAL.fullmatch(plain) else "VARCHAR"


def columns(schema: Schema, table: str) -> tuple[Column, ...]:
    """A table's columns; SyncError where one has a type that no sync writes."""
    return tuple(
        Column(field.name, duck_type(field.field_type, table), nullable=not field.required)
        for field in schema.fields
    )


def duck_type(type_: IcebergType, table: str) -> str:
    """How DuckDB writes an Iceberg type."""
    if isinstance(type_, ListType):
        return duck_type(type_.element_type, table) + "[]"
    if isinstance(type_, DecimalType):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if type_ not in _BACK:
        raise SyncError(
            f"The Iceberg table {table} has a column of type {type_}: clear the stream."
        )
    return _BACK[type_]


def fresh(wanted: Sequence[Column]) -> Schema:
    """The schema of a new table."""
    ids = count(1)
    return Schema(*(_field(column, next(ids), ids) for column in wanted))


def changed(schema: Schema, last_id: int, wanted: Sequence[Column]) -> Schema:
    """The schema with exactly these columns, for a table whose rows all go: a column whose type
    changes beyond what Iceberg can promote is a new one."""
    ids = count(last_id + 1)
    fields = []
    for column in wanted:
        old = _find(schema, column.name)
        if old is not None and _promotes(duck_type_or_none(old.field_type), column.type):
            fields.append(_kept(old, column))
        else:
            fields.append(_field(column, next(ids), ids))
    there = {field.field_id for field in fields if field.required}
    return Schema(*fields, identifier_field_ids=there & set(schema.identifier_field_ids))


def evolved(schema: Schema, last_id: int, come: Sequence[Column], table: str) -> Schema:
    """The schema that holds a table's rows and the coming ones; SyncError where there is none."""
    have = columns(schema, table)
    wanted = types.evolve(table, have, come)
    old = {column.name: column.type for column in have}
    for column in wanted:
        if column.name in old and not _promotes(old[column.name], column.type):
            raise SyncError(
                f"Iceberg cannot change column {column.name} of {table} from {old[column.name]} to "
                f"{column.type}. Clear the stream to load it anew."
            )
    return changed(schema, last_id, wanted)


def field_ids(schema: Schema, names: Sequence[str]) -> str:
    """The ids of a file's columns, as DuckDB's COPY takes them."""
    listed = ", ".join(f"{quote(n)}: {_ids(_find(schema, n))}" for n in names)
    return f"{{{listed}}}"


def reading(schema: Schema, table: str) -> str:
    """All columns by their ids, as DuckDB's read_parquet takes them."""
    listed = ", ".join(
        f"{field.field_id}: {{name: {_text(field.name)}, "
        f"type: {_text(duck_type(field.field_type, table))}, default_value: NULL}}"
        for field in schema.fields
    )
    return f"MAP {{{listed}}}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def duck_type_or_none(type_: IcebergType) -> str:
    """As `duck_type`, with an empty text for types that no sync writes."""
    try:
        return duck_type(type_, "")
    except SyncError:
        return ""


def _find(schema: Schema, name: str) -> NestedField | None:
    return next((field for field in schema.fields if field.name == name), None)


def _kept(old: NestedField, column: Column) -> NestedField:
    if duck_type_or_none(old.field_type) == column.type:
        return old
    return NestedField(old.field_id, old.name, _type(column.type, count()), required=old.required)


def _field(column: Column, field_id: int, ids: Iterator[int]) -> NestedField:
    return NestedField(field_id, column.name, _type(column.type, ids), required=False)


def _type(type_: str, ids: Iterator[int]) -> IcebergType:
    if type_.endswith("[]"):
        element = next(ids)
        return ListType(element, _type(type_[:-2], ids), element_required=False)
    decimal = _DECIMAL.fullmatch(type_)
    if decimal:
        return DecimalType(int(decimal[1]), int(decimal[2]))
    return _TYPES[type_]


def _promotes(have: str, want: str) -> bool:
    """Whether Iceberg reads old files of the one type as the other."""
    if have == want or (have, want) in _PROMOTIONS:
        return True
    old, new = _DECIMAL.fullmatch(have), _DECIMAL.fullmatch(want)
    return bool(old and new and old[2] == new[2] and int(old[1]) <= int(new[1]))


def _ids(field: NestedField | None) -> str:
    assert field is not None
    if isinstance(field.field_type, ListType):
        element = _ids(field.field_type.element_field)
        return f"{{__duckdb_field_id: {field.field_id}, element: {element}}}"
    return str(field.field_id)
