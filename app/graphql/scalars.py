"""Our scalars, each with one canonical text."""

import re
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

EARLIEST, LATEST = 1900, 9000
"""Years that calendars, PostgreSQL and the cron library all handle with room on both sides."""

BigInt = NewType("BigInt", int)
Cron = NewType("Cron", str)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGITS = re.compile(r"-?[0-9]{1,19}")


def datetime_text(value: datetime) -> str:
    """`2026-11-21T23:17:33.000000Z`: always UTC, always six digits."""
    # Not strftime: its %Y has less than four digits in the first millennium.
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_datetime(value: Any) -> datetime:
    """RFC 3339 text; the offset is needed."""
    if not isinstance(value, str):
        raise ValueError("DateTime must be a string such as 2026-01-31T09:30:00Z.")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no RFC 3339 date and time.") from error
    if moment.tzinfo is None:
        raise ValueError("DateTime needs an offset, such as Z or +02:00.")
    if not EARLIEST <= moment.year <= LATEST:
        raise ValueError(f"DateTime must lie in the years {EARLIEST} to {LATEST}.")
    return moment.astimezone(UTC)


def parse_date(value: Any) -> date:
    """`2026-01-31`."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("Date must be a string such as 2026-01-31.")
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no day of the calendar.") from error
    if not EARLIEST <= day.year <= LATEST:
        raise ValueError(f"Date must lie in the years {EARLIEST} to {LATEST}.")
    return day


def parse_big_int(value: Any) -> int:
    """A 64-bit integer as a string of digits, or as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("BigInt must be a string of digits.")
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("BigInt must be a string of digits.")
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("BigInt has 64 bits.")
    return number


def parse_cron(value: Any) -> str:
    """A text; whether it is an interval is asked where it is used."""
    if not isinstance(value, str):
        raise ValueError("Cron must be a string.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time, RFC 3339, in UTC with six digits: 2026-11-21T23:17:33.000000Z.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=datetime_text,
        parse_value=parse_datetime,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar: 2026-11-21.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A 64-bit integer as a string of digits, since JavaScript rounds above 2^53.",
        specified_by_url="https://en.wikipedia.org/wiki/Integer_(computer_science)",
        serialize=str,
        parse_value=parse_big_int,
    ),
    Cron: strawberry.scalar(
        name="Cron",
        description="Five cron fields, or one of @once, @hourly, @daily, @weekly, @monthly, @always_on.",
        specified_by_url="https://en.wikipedia.org/wiki/Cron",
        serialize=str,
        parse_value=parse_cron,
    ),
}
