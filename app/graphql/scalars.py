"""Our scalars, each with one canonical text."""

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
Cron = NewType("Cron", str)


def datetime_text(value: datetime) -> str:
    """`2026-11-21T23:17:33.000000Z`: always UTC, always six digits."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
    return moment.astimezone(UTC)


def parse_big_int(value: Any) -> int:
    """A 64-bit integer as a string of digits, or as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("BigInt must be a string of digits.")
    try:
        number = int(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no integer.") from error
    if not -(2**63) <= number < 2**63:
        raise ValueError("BigInt has 64 bits.")
    return number


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time, RFC 3339, in UTC with six digits: 2026-11-21T23:17:33.000000Z.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=datetime_text,
        parse_value=parse_datetime,
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
        parse_value=str,
    ),
}
