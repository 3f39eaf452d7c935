"""Query parameters of Mage's lists: pages, flags, comma-separated values, orderings, moments."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.core.errors import Invalid, NotFound
from rest_compat.dialect import Call

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 40
MAX_INT = 2**31 - 1


def integer(call: Call, name: str, default: int | None = None) -> int | None:
    """An integer parameter; Invalid, in the words of Mage's server, for any other text."""
    text = call.query.get(name)
    if text is None or text == "":
        return default
    try:
        value = int(text)
    except ValueError:
        shown = repr(text[:100])
        raise Invalid(f"invalid literal for int() with base 10: {shown}") from None
    if not 0 <= value <= MAX_INT:
        raise Invalid(f"{name} must be between 0 and {MAX_INT}.")
    return value


def page(call: Call, default: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """`limit` and `offset` of a list. A page holds at most 10,000 rows, whatever was asked."""
    limit = integer(call, "_limit", default)
    assert limit is not None
    offset = min(integer(call, "_offset", 0) or 0, 10_000_000)
    return {"limit": min(limit, MAX_LIMIT), "offset": offset}


def metadata(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a list that pages by default."""
    return {"count": connection["totalCount"], "next": connection["pageInfo"]["hasNextPage"]}


def part(rows: Sequence[Any], call: Call) -> Sequence[Any]:
    """The page of a list that is bounded by nature and came whole."""
    start = integer(call, "_offset", 0) or 0
    limit = integer(call, "_limit")
    return rows[start:] if limit is None else rows[start : start + limit]


def counts(rows: Sequence[Any], call: Call) -> dict[str, Any]:
    """The metadata of such a list."""
    start = integer(call, "_offset", 0) or 0
    limit = integer(call, "_limit")
    return {"count": len(rows), "next": limit is not None and start + limit < len(rows)}


def flag(call: Call, name: str) -> bool:
    """A yes-or-no parameter: any text but `false` and `0` means yes."""
    return call.query.get(name, "").lower() not in ("", "false", "0")


def values(call: Call, *names: str) -> list[str]:
    """The values of list parameters: separated by commas, the parameter repeated, or both."""
    given = [text for name in names for text in call.query.getlist(name)]
    return [value.strip() for text in given for value in text.split(",") if value.strip()]


def numbers(call: Call, *names: str) -> list[int]:
    """The values of a list parameter of ids; what cannot be an id is 0, which no row has."""
    return [row_number(text) for text in values(call, *names)]


def row_number(text: str) -> int:
    """The id in a text, or 0 where it cannot be one."""
    plain = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if plain and int(text) <= MAX_INT else 0


def path_number(call: Call, name: str = "id") -> int:
    """The id in the path; NotFound where it cannot be one."""
    number = row_number(call.path[name])
    if number == 0:
        raise NotFound("Record not found.")
    return number


def unix_range(call: Call) -> dict[str, str]:
    """`start_timestamp` and `end_timestamp` (unix seconds) as a DateTimeFilter."""
    found = {}
    for name, operator in (("start_timestamp", "gte"), ("end_timestamp", "lte")):
        text = call.query.get(name)
        if text:
            try:
                found[operator] = rfc3339(datetime.fromtimestamp(float(text), UTC))
            except (ValueError, OverflowError, OSError):
                raise Invalid(f"{name} must be unix seconds, not {text[:50]!r}.") from None
    return found


def rfc3339(moment: datetime) -> str:
    """A moment as the graph reads it; one without an offset is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()


def ordering(
    wanted: list[str], fields: Mapping[str, str], what: str
) -> list[dict[str, str]] | None:
    """Keys such as `-name` or `id asc` as an `orderBy`; None where nothing was asked."""
    keys = []
    for text in wanted:
        name, _, direction = text.lstrip("-").partition(" ")
        descending = text.startswith("-") or direction.strip().lower() == "desc"
        if name not in fields or direction.strip().lower() not in ("", "asc", "desc"):
            known = ", ".join(fields)
            raise Invalid(f"{what} cannot be ordered by {text[:50]!r}. Known: {known}.")
        keys.append({"field": fields[name], "direction": "DESC" if descending else "ASC"})
    return keys or None
