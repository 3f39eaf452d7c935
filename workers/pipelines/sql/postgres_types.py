"""What asyncpg hands out as columns of pandas."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pandas as pd
import pyarrow as pa

from workers.pipelines.sql import frames

_TEXTS = ("text", "varchar", "bpchar", "name", "char", "citext", "xml", "uuid")
_ARROW = {
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float64(),
    "float8": pa.float64(),
    "bool": pa.bool_(),
    "bytea": pa.binary(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "interval": pa.duration("us"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    **{name: pa.string() for name in _TEXTS},
}
_AS_TEXT = ("uuid", "timetz")
# Other types come as objects of asyncpg's own, which no other process could read.
_PLAIN = (str, int, float, bool, bytes, dict, timedelta)


async def teach(connection: Any) -> None:
    """Have JSON read and written as Python values, and UUIDs as text as psycopg2 does."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + _json(value),
        decoder=lambda content: json.loads(content[1:]),
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=_json, decoder=json.loads
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str, allow_nan=False).encode()


def to_frame(attributes: Sequence[Any], records: Sequence[Any]) -> pd.DataFrame:
    """Records as a frame with a column for each attribute, whatever their names."""
    columns = list(zip(*records, strict=True)) if records else [()] * len(attributes)
    made = [
        _column(attribute.type, values)
        for attribute, values in zip(attributes, columns, strict=True)
    ]
    return frames.frame_of([a.name for a in attributes], made, len(records))


def _column(kind: Any, values: Sequence[Any]) -> pd.Series:
    if kind.kind == "enum" or kind.name in _AS_TEXT:
        values = [None if value is None else str(value) for value in values]
        return frames.column(pa.array(values, pa.string()))
    arrow = _ARROW.get(kind.name) if kind.schema in ("pg_catalog", "public") else None
    if arrow is not None:
        return frames.column(pa.array(values, arrow))
    return pd.Series([_plain(value) for value in values], dtype=object)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, asyncpg.Record):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, asyncpg.Range):
        return _range(value)
    if type(value).__module__.startswith(("asyncpg", "ipaddress")):
        return value.as_string() if hasattr(value, "as_string") else str(value)
    return value


def _range(value: Any) -> str:
    if value.isempty:
        return "empty"
    ends = ["" if end is None else str(end) for end in (value.lower, value.upper)]
    opening, closing = "[" if value.lower_inc else "(", "]" if value.upper_inc else ")"
    return f"{opening}{ends[0]},{ends[1]}{closing}"
