"""Rows of a data source in the shape of answers."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.semantic.compile.query import Compiled

Row = Sequence[Any]


def shape_rows(compiled: Compiled, rows: Iterable[Row], extra: dict[str, str] | None = None) -> Any:
    """The `data` of an answer: a dict for each row, or members and a dataset where it is compact.

    Numbers that a float cannot hold are texts. `extra` has keys that take the value of another key,
    as `time.month`, or a fixed text as `compareDateRange`: a value that is no key stands for itself.
    """
    places = {key: place for place, one in enumerate(compiled.columns) for key in one.keys}
    fixed = {key: value for key, value in (extra or {}).items() if value not in places}
    places |= {key: places[value] for key, value in (extra or {}).items() if value in places}
    pairs = list(places.items())
    if compiled.normal.compact:
        dataset = [[*(_plain(row[place]) for _, place in pairs), *fixed.values()] for row in rows]
        return {"members": [*places, *fixed], "dataset": dataset}
    return [{**{key: _plain(row[place]) for key, place in pairs}, **fixed} for row in rows]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    convert = _CONVERTED.get(type(value))
    return value if convert is None else convert(value)


def _moment(value: datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(timespec="milliseconds")


_CONVERTED: dict[type, Callable[[Any], Any]] = {
    datetime: _moment,
    date: lambda value: f"{value.isoformat()}T00:00:00.000",
    Decimal: lambda value: format(value, "f"),
    time: str,
    timedelta: str,
    UUID: str,
    bytes: lambda value: value.hex(),
}
