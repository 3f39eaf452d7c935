"""Python values as JSON and back, without silent loss.

What JSON has no form for is written as an object with one key that begins with `$`; a user's
own dict with such a key is written as `$dict`, so the two cannot be confused. Values that are
not data (models, connections, generators) are refused by name.
"""

import base64
import io
import json
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo


class UnsupportedValue(TypeError):
    """A value that cannot be handed to another process; the message names its type."""


def dumps(value: Any, tables: Callable[[Any], bytes | None] = lambda _: None) -> str:
    """JSON text of any data value; `tables` turns a data frame inside it into bytes."""
    try:
        return json.dumps(_encode(value, tables), separators=(",", ":"), check_circular=False)
    except RecursionError:
        raise UnsupportedValue(
            "The value contains itself, or is nested too deeply to be stored."
        ) from None


def loads(text: str | bytes, tables: Callable[[bytes], Any] = lambda _: None) -> Any:
    """The value that `dumps` wrote."""

    def revive(read: dict[str, Any]) -> Any:
        if len(read) != 1:
            return read
        tag, content = next(iter(read.items()))
        if not tag.startswith("$"):
            return read
        if tag == "$table":
            return tables(base64.b64decode(content))
        return _REVIVE[tag](content)

    return json.loads(text, object_hook=revive)


def type_name(value: Any) -> str:
    """How a user would name the type of a value, e.g. `sklearn.svm.SVC` or `set`."""
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else (f"{kind.__module__}.{kind.__qualname__}")
    )


_PLAIN = frozenset({type(None), bool, int, float, str})


def _encode(value: Any, tables: Callable[[Any], bytes | None]) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        # Long lists of plain values are common and need no second pass in Python.
        if _PLAIN.issuperset(map(type, value)):
            return value
        return [_encode(item, tables) for item in value]
    if isinstance(value, dict):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: _encode(item, tables) for key, item in value.items()}
        return {"$dict": [[_encode(k, tables), _encode(v, tables)] for k, v in value.items()]}
    encode = _ENCODE.get(kind)
    if encode is not None:
        return encode(value, lambda item: _encode(item, tables))
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        return _encode_numpy(numpy, value, lambda item: _encode(item, tables))
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        encoded = _encode_pandas(pandas, value)
        if encoded is not None:
            return encoded
    table = tables(value)
    if table is not None:
        return {"$table": _base64(table)}
    # Subclasses that libraries hand out as text and numbers (lxml's strings, IntEnum).
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__pos__(value)
    if isinstance(value, float):
        return float.__pos__(value)
    if isinstance(value, list):
        return [_encode(item, tables) for item in value]
    for base, encode in _ENCODE.items():
        if isinstance(value, base):
            return encode(value, lambda item: _encode(item, tables))
    raise UnsupportedValue(
        f"A value of type {type_name(value)} cannot be handed over or stored. Return a "
        "DataFrame, dict, list, text, number, date, bytes or NumPy array."
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _items(tag: str) -> Callable[[Any, Any], Any]:
    return lambda value, encode: {tag: [encode(item) for item in value]}


def _zone(moment: Any) -> str | None:
    zone = moment.tzinfo
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    return name if isinstance(name, str) else None


def _datetime(value: datetime, _: Any) -> Any:
    # The offset alone would lose the zone, and with it the right answer across a clock change.
    zone = _zone(value)
    return {"$datetime": [value.isoformat(), zone] if zone else [value.isoformat()]}


def _revive_datetime(content: list[str]) -> datetime:
    moment = datetime.fromisoformat(content[0])
    return moment.astimezone(ZoneInfo(content[1])) if len(content) == 2 else moment


_ENCODE: dict[type, Callable[[Any, Any], Any]] = {
    tuple: _items("$tuple"),
    set: _items("$set"),
    frozenset: _items("$frozenset"),
    bytes: lambda value, _: {"$bytes": _base64(value)},
    bytearray: lambda value, _: {"$bytearray": _base64(bytes(value))},
    complex: lambda value, _: {"$complex": [value.real, value.imag]},
    datetime: _datetime,
    date: lambda value, _: {"$date": value.isoformat()},
    time: lambda value, _: {"$time": value.isoformat()},
    timedelta: lambda value, _: {"$timedelta": [value.days, value.seconds, value.microseconds]},
    Decimal: lambda value, _: {"$decimal": str(value)},
    UUID: lambda value, _: {"$uuid": str(value)},
}


def _encode_numpy(numpy: Any, value: Any, encode: Callable[[Any], Any]) -> Any:
    if value.dtype.hasobject:
        if not isinstance(value, numpy.ndarray):
            raise UnsupportedValue(f"A value of type {type_name(value)} cannot be stored.")
        return {"$objects": [list(value.shape), [encode(item) for item in value.ravel().tolist()]]}
    buffer = io.BytesIO()
    numpy.save(buffer, numpy.asarray(value), allow_pickle=False)
    tag = "$ndarray" if isinstance(value, numpy.ndarray) else "$scalar"
    return {tag: _base64(buffer.getvalue())}


def _revive_numpy(content: str) -> Any:
    import numpy

    return numpy.load(io.BytesIO(base64.b64decode(content)), allow_pickle=False)


def _revive_objects(content: list[Any]) -> Any:
    import numpy

    shape, items = content
    array = numpy.empty(len(items), dtype=object)
    # One by one: numpy would otherwise turn items that are lists into further dimensions.
    for position, item in enumerate(items):
        array[position] = item
    return array.reshape(shape)


def _encode_pandas(pandas: Any, value: Any) -> Any:
    if value is pandas.NaT:
        return {"$nat": None}
    if value is pandas.NA:
        return {"$na": None}
    if isinstance(value, pandas.Timestamp):
        return {"$timestamp": [value.isoformat(), value.unit, _zone(value)]}
    if isinstance(value, pandas.Timedelta):
        return {"$pandas_timedelta": [str(value.to_timedelta64().astype("int64")), value.unit]}
    return None


def _pandas(name: str) -> Any:
    import pandas

    return getattr(pandas, name)


def _revive_timestamp(content: list[Any]) -> Any:
    text, unit, zone = content
    moment = _pandas("Timestamp")(text).as_unit(unit)
    return moment.tz_convert(zone) if zone else moment


_REVIVE: dict[str, Callable[[Any], Any]] = {
    "$dict": dict,
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$bytes": base64.b64decode,
    "$bytearray": lambda content: bytearray(base64.b64decode(content)),
    "$complex": lambda content: complex(*content),
    "$datetime": _revive_datetime,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda content: timedelta(*content),
    "$decimal": Decimal,
    "$uuid": UUID,
    "$ndarray": _revive_numpy,
    "$scalar": lambda content: _revive_numpy(content)[()],
    "$objects": _revive_objects,
    "$nat": lambda _: _pandas("NaT"),
    "$na": lambda _: _pandas("NA"),
    "$timestamp": _revive_timestamp,
    "$pandas_timedelta": lambda content: _pandas("Timedelta")(int(content[0]), content[1]),
}
