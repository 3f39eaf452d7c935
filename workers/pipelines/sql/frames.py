"""Columns of databases as columns of pandas and back, each type by its counterpart.

Integers stay integers: with NULLs a column has pandas' nullable dtype. Exact numbers are
`Decimal`, JSON is dicts and lists, dates are `date`; docs/sql-blocks.md has the table.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from workers.pipelines import tables
from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.sql.names import clean_columns

_INT64 = range(-(2**63), 2**63)


def column(values: pa.Array | pa.ChunkedArray) -> pd.Series:
    """An Arrow column as pandas has it; whole numbers and truth values keep their NULLs."""
    kind = values.type
    if values.null_count and pa.types.is_integer(kind):
        return values.to_pandas(types_mapper=_nullable)
    if values.null_count and pa.types.is_boolean(kind):
        return values.to_pandas(types_mapper=_nullable)
    if pa.types.is_nested(kind):
        return pd.Series(values.to_pylist(), dtype=object)
    return values.to_pandas()


def _nullable(kind: pa.DataType) -> Any:
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    name = str(kind).replace("uint", "UInt").replace("int", "Int")
    return pd.api.types.pandas_dtype(name)


def frame_of(names: Sequence[str], columns: Sequence[pd.Series], rows: int) -> pd.DataFrame:
    """Columns under their names, of which some may be alike."""
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(rows))
    return frame.set_axis(list(names), axis=1)


def input_frame(value: Any, name: str) -> pd.DataFrame:
    """What a block returned, as a table: frames, records and lists of plain values."""
    if tables.is_table(value):
        frame = _as_pandas(value)
    elif isinstance(value, dict):
        frame = pd.DataFrame([value])
    elif isinstance(value, list) and value and all(tables.is_table(item) for item in value):
        frame = pd.concat([_as_pandas(item) for item in value], ignore_index=True)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        frame = pd.DataFrame(value)
    elif isinstance(value, list) and value:
        frame = pd.DataFrame({"value": pd.Series(value)})
    elif isinstance(value, list):
        raise SqlFault(f"Block {name} has no output that could be a table.")
    else:
        frame = pd.DataFrame({"value": [value]})
    if not len(frame.columns):
        raise SqlFault(f"The output of block {name} has no columns and cannot be a table.")
    return frame.set_axis(clean_columns(list(frame.columns)), axis=1)


def _as_pandas(value: Any) -> pd.DataFrame:
    if isinstance(value, pd.Series):
        return value.to_frame(name="value" if value.name is None else str(value.name))
    if isinstance(value, pd.DataFrame):
        return value
    table = tables.to_arrow(value)
    return frame_of(table.column_names, [column(c) for c in table.columns], table.num_rows)


def kind_of(series: pd.Series) -> str:
    """What the values of a column are, NULLs aside, in PostgreSQL's words."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return kind_of(pd.Series(dtype.categories))
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "timestamptz"
    if isinstance(dtype, (pd.StringDtype, pd.PeriodDtype)):
        return "text"
    kind = getattr(dtype, "kind", "O")
    if kind == "u" and getattr(dtype, "itemsize", 8) == 8:
        return "numeric"
    known = {"b": "boolean", "i": "bigint", "u": "bigint", "f": "double precision"}
    known |= {"M": "timestamp", "m": "interval"}
    if kind == "O":
        return _kind_of_objects(series)
    if kind not in known:
        raise SqlFault(f"Column {series.name} of type {dtype} has no counterpart in a database.")
    return known[kind]


_OBJECTS = {
    "string": "text",
    "bytes": "bytea",
    "decimal": "numeric",
    "date": "date",
    "time": "time",
    "boolean": "boolean",
    "floating": "double precision",
    "mixed-integer-float": "double precision",
    "timedelta": "interval",
    "empty": "text",
}


def _kind_of_objects(series: pd.Series) -> str:
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind in _OBJECTS:
        return _OBJECTS[kind]
    present = series[series.notna().map(bool)]
    if kind == "integer":
        return "bigint" if all(int(item) in _INT64 for item in present) else "numeric"
    if all(isinstance(item, datetime) for item in present):
        aware = {item.tzinfo is not None for item in present}
        if len(aware) == 1:
            return "timestamptz" if aware.pop() else "timestamp"
    if all(isinstance(item, (dict, list, tuple)) for item in present):
        return "jsonb"
    if all(isinstance(item, (int, Decimal)) for item in present):
        return "numeric"
    return "text"


def values_of(series: pd.Series, kind: str) -> list[Any]:
    """The values as Python objects that a column of this kind takes; None for what is missing."""
    missing = series.isna().to_numpy()
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    if kind in ("timestamp", "timestamptz", "interval") and series.dtype.kind in "mM":
        # Python's own times, and the databases', have no nanoseconds.
        series = series.dt.as_unit("us").astype(object)
    values = series.tolist()
    convert = _CONVERT.get(kind)
    if convert is not None:
        return [None if m else convert(v) for v, m in zip(values, missing, strict=True)]
    if missing.any():
        return [None if m else v for v, m in zip(values, missing, strict=True)]
    return list(values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _numeric(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(int(value))


_CONVERT: dict[str, Any] = {
    "text": _text,
    "numeric": _numeric,
    "bigint": int,
    "double precision": float,
    "boolean": bool,
}
