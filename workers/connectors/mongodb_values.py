"""Values of BSON as columns: which type a field's values share, and how they are written there."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any
from uuid import UUID

import pyarrow as pa
from bson import json_util
from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

TZ = "TIMESTAMP WITH TIME ZONE"
EXACT = 2**53
"""Greater integers are no exact DOUBLE."""
_KINDS: Mapping[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    Int64: "BIGINT",
    float: "DOUBLE",
    DatetimeMS: TZ,
    bytes: "BLOB",
    dict: "JSON",
    list: "JSON",
}
ARROW: Mapping[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    TZ: pa.timestamp("ms", "UTC"),
    "BLOB": pa.binary(),
    "UUID": pa.string(),
    "JSON": pa.string(),
    "VARCHAR": pa.string(),
}
"""How values of a DuckDB type wait in Arrow."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999


def kind_of(values: Sequence[Any]) -> str | None:
    """The DuckDB type that holds all values; None where all are null."""
    found = set(map(type, values))
    found.discard(NoneType)
    kinds = {_KINDS.get(one, "VARCHAR") for one in found - {Binary}}
    if Binary in found:
        kinds |= {"UUID" if _is_uuid(v) else "BLOB" for v in values if type(v) is Binary}
    shared: str | None = None
    for kind in kinds:
        shared = join(shared, kind)
    return shared


def join(one: str | None, other: str | None) -> str | None:
    """The type that holds values of both."""
    if one is None or other is None or one == other:
        return one or other
    return "DOUBLE" if {one, other} == {"BIGINT", "DOUBLE"} else "VARCHAR"


def array(values: Sequence[Any], kind: str) -> pa.Array:
    """The values in Arrow."""
    if kind == TZ:
        values = [None if v is None else _dated(int(v)) for v in values]
    elif kind == "BLOB":
        values = [None if v is None else bytes(v) for v in values]
    elif kind in ("VARCHAR", "JSON", "UUID"):
        values = [v if v is None or type(v) is str else text(v) for v in values]
    return pa.array(values, ARROW[kind])


def lost_dates(values: Sequence[Any]) -> int:
    """How many dates lie outside of the years 1 to 9999: they become null."""
    return sum(type(v) is DatetimeMS and _dated(int(v)) is None for v in values)


def widened(value: str, have: str, want: str) -> str:
    """SQL for a column that waits as `have`, in the type `want`; texts are those of `text`."""
    if have == want:
        return f"CAST({value} AS {want})" if want in ("UUID", "JSON") else value
    if want != "VARCHAR":
        return f"CAST({value} AS {want})"
    if have == TZ:
        return f"strftime({value} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')"
    return f"lower(hex({value}))" if have == "BLOB" else f"CAST({value} AS VARCHAR)"


def text(value: Any) -> str:
    """A value as the text that it is in a column of texts."""
    kind = type(value)
    if isinstance(value, str):
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind in (int, Int64, float):
        return repr(float(value)) if kind is float else str(int(value))
    if kind in (ObjectId, Decimal128):
        return str(value)
    if kind is DatetimeMS:
        return _moment(int(value))
    if kind in (bytes, Binary):
        return str(UUID(bytes=bytes(value))) if _is_uuid(value) else bytes(value).hex()
    try:
        return _JSON.encode(value)
    except ValueError:
        return _JSON.encode(_finite(value))


def _json(value: Any) -> Any:
    """What JSON has no value for: as text, or as MongoDB's Extended JSON."""
    if isinstance(value, (ObjectId, Decimal128, DatetimeMS, bytes)):
        return text(value)
    return json_util.default(value, json_util.RELAXED_JSON_OPTIONS)


_JSON = json.JSONEncoder(default=_json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    """The same with texts in place of NaN and infinities."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _is_uuid(value: Any) -> bool:
    return type(value) is Binary and value.subtype == UUID_SUBTYPE and len(value) == 16


def _dated(ms: int) -> int | None:
    return ms if _FIRST_MS <= ms <= _LAST_MS else None


def _moment(ms: int) -> str:
    if _dated(ms) is None:
        return f"{ms} ms since 1970"
    said = (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    return said.replace("+00:00", "Z")
