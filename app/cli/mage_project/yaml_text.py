"""YAML as Mage writes it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import yaml

from app.core.errors import Invalid


def load(text: str, what: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; Invalid says what it is and where it is broken."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise Invalid(f"{what} is no YAML{where}.") from error
    except RecursionError as error:
        raise Invalid(f"{what} is nested too deeply.") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise Invalid(f"{what} holds no mapping.")
    return loaded


def dump(value: Any) -> str:
    """YAML with sorted keys, as Mage's own files have them."""
    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=True)
    return text


def mappings(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of mappings under a name; empty where there is none, Invalid for anything else."""
    found = data.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Invalid(f"{name} is no list of mappings")
    return found


def plain(value: Any) -> Any:
    """The same as JSON can hold it: dates become ISO text, keys text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def has_dates(value: Any) -> bool:
    """Whether `plain` would change a date."""
    if isinstance(value, dict):
        return any(has_dates(item) for item in value.values())
    if isinstance(value, list):
        return any(has_dates(item) for item in value)
    return isinstance(value, date)


def seconds(value: Any) -> int | None:
    """A whole number that is not negative; Invalid for what is none."""
    try:
        found = None if value in (None, "") else int(value)
    except (TypeError, ValueError):
        found = -1
    if found is not None and not 0 <= found < 2**31:
        raise Invalid(f"{value!r} is no whole number")
    return found


def moment(value: Any) -> datetime | None:
    """A point in time, in UTC where no zone is given; Invalid for what is none."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)
        else:
            found = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Invalid(f"{value!r} is no time.") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
