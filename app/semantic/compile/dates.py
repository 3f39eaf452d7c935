"""Dates as queries write them: days, moments, words such as `last 7 days`, in a time zone.

A moment is written `2024-01-31T23:59:59.999` on the clock of the query's zone; a range is two of
them. Weeks begin on Monday.
"""

import calendar
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from app.semantic.compile.errors import QueryError

Range = tuple[str, str]
_UNIT = "second|minute|hour|day|week|month|quarter|year"
_WHOLE = re.compile(rf"\b(this|last|next)\s+({_UNIT})\b")
_SEVERAL = re.compile(rf"\b(last|next)\s+(\d{{1,4}})\s+({_UNIT})s?\b")
_FROM_TO = re.compile(r"from (.*) to (.*)")
_AGO = re.compile(rf"(?:(\d{{1,4}})|an?)\s+({_UNIT})s?\s+(ago|from now)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MONTH_DAY = re.compile(r"([a-z]+)\.?(?:\s+(\d{1,2})(?:st|nd|rd|th)?,?)?\s+(\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\s+([a-z]+)\.?,?\s+(\d{4})")
_NAMED = {"now": 0, "today": 0, "yesterday": -1, "tomorrow": 1}
_FINE = ("second", "minute", "hour")
# How much of `2024-01-31T23:59:59` says the hour, the minute, the second.
_DIGITS = {"hour": 13, "minute": 16, "second": 19}
_MILLISECOND = timedelta(milliseconds=1)
_MONTHS = {
    name[:letters].lower(): number
    for number, name in enumerate(calendar.month_name)
    for letters in (3, None)
    if number
}


@cache
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. QueryError for an unknown one."""
    if name not in _zones():
        raise QueryError(f"Unknown timezone: {name}")
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    # To list them is to read hundreds of files.
    return frozenset(available_timezones())


def text(moment: datetime) -> str:
    """A moment as queries and answers write it."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def words(said: str, timezone: str, now: datetime) -> Range:
    """The range that a text means, at the time `now`, in days unless it names something finer."""
    clock = now.astimezone(zone(timezone)).replace(tzinfo=None)
    try:
        found = _meant(said.lower().strip(), clock)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise QueryError(f"Can't parse date: '{said}'")
    return found


def written(values: tuple[str | None, ...], timezone: str, now: datetime) -> tuple[str | None, ...]:
    """A filter's values with times for words: a range for a single one, else its first and last end."""
    told = [
        words(one, timezone, now) if one is not None and not _DAY.match(one) else (one, one)
        for one in values
    ]
    if len(told) == 1:
        return told[0] if told[0][0] != values[0] else values
    return tuple(one[0] if number == 0 else one[1] for number, one in enumerate(told))


def _meant(said: str, clock: datetime) -> Range | None:
    if found := _SEVERAL.search(said):
        return _several(clock, found[1], int(found[2]), found[3])
    if found := _WHOLE.search(said):
        inside = _added(clock, {"last": -1, "this": 0, "next": 1}[found[1]], found[2])
        return _range(inside, inside, found[2])
    unit = next((one for one in _FINE if one in said), "day")
    pair = _FROM_TO.fullmatch(said)
    first, last = (_moment(one, clock) for one in (pair.groups() if pair else (said, said)))
    return _range(first, last, unit) if first and last else None


def widened(first: str, last: str, timezone: str) -> Range:
    """A range of two texts; a day begins at its start and ends at its end."""
    return start_of(first, timezone), end_of(last, timezone)


def start_of(said: str, timezone: str) -> str:
    """A day's start, or a moment as it stands."""
    return f"{_day(said)}T00:00:00.000" if _DAY.fullmatch(said) else _as_stands(said, timezone)


def end_of(said: str, timezone: str) -> str:
    """A day's end, or a moment as it stands."""
    return f"{_day(said)}T23:59:59.999" if _DAY.fullmatch(said) else _as_stands(said, timezone)


def in_utc(moment: str, timezone: str) -> str:
    """A moment of the zone's clock in UTC, as `2024-01-01T05:00:00.000Z`."""
    local = datetime.fromisoformat(moment).replace(tzinfo=zone(timezone))
    return f"{text(_seen_from(local, UTC))}Z"


def buckets(ends: Range, granularity: str) -> tuple[datetime, datetime, int]:
    """The starts of a range's first and last bucket, and about how many there are."""
    first, last = (_start(datetime.fromisoformat(one), granularity) for one in ends)
    return first, last, int((last - first) / _LEAST[granularity]) + 1


def _several(clock: datetime, side: str, count: int, unit: str) -> Range:
    near, far = (-1, -count) if side == "last" else (1, count)
    first, last = sorted((_added(clock, near, unit), _added(clock, far, unit)))
    return _range(first, last, unit)


def _range(first: datetime, last: datetime, unit: str) -> Range:
    return text(_start(first, unit)), text(_added(_start(last, unit), 1, unit) - _MILLISECOND)


def _moment(said: str, clock: datetime) -> datetime | None:
    """The moment that a text means; None if it means none."""
    said = said.strip()
    if said in _NAMED:
        return clock + timedelta(days=_NAMED[said])
    if found := _AGO.fullmatch(said):
        sign = -1 if found[3] == "ago" else 1
        return _added(clock, sign * int(found[1] or 1), found[2])
    if _DAY.match(said):
        return datetime.fromisoformat(said.upper()).replace(tzinfo=None)
    if (found := _MONTH_DAY.fullmatch(said)) and found[1] in _MONTHS:
        return datetime(int(found[3]), _MONTHS[found[1]], int(found[2] or 1))
    if (found := _DAY_MONTH.fullmatch(said)) and found[2] in _MONTHS:
        return datetime(int(found[3]), _MONTHS[found[2]], int(found[1]))
    return None


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        raise QueryError(f"Can't parse date: '{said}'") from error


def _as_stands(said: str, timezone: str) -> str:
    """A written moment; one with an offset is brought to the zone's clock."""
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as error:
        raise QueryError(f"Can't parse date: '{said}'") from error
    return text(_seen_from(moment, zone(timezone)) if moment.tzinfo else moment)


def _seen_from(moment: datetime, where: tzinfo) -> datetime:
    try:
        return moment.astimezone(where)
    except OverflowError as error:
        raise QueryError(f"Can't parse date: '{text(moment)}'") from error


def _start(moment: datetime, unit: str) -> datetime:
    """The start of the second, ..., year that a moment lies in."""
    if unit in _FINE:
        return datetime.fromisoformat(moment.isoformat()[: _DIGITS[unit]])
    day = datetime(moment.year, moment.month, moment.day)
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    first = {"month": day.month, "quarter": day.month - (day.month - 1) % 3, "year": 1}[unit]
    return day.replace(day=1, month=first)


def _added(moment: datetime, count: int, unit: str) -> datetime:
    """A moment so many units later; the day of a shorter month is its last."""
    if unit in ("month", "quarter", "year"):
        months = count * {"month": 1, "quarter": 3, "year": 12}[unit]
        year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)
    return moment + count * _LEAST[unit]


_LEAST = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=28),
    "quarter": timedelta(days=90),
    "year": timedelta(days=365),
}
