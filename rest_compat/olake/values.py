"""What requests hold, checked: texts, numbers, flags, and JSON that may come as a text."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, cast

import orjson

from app.core.errors import Invalid, NotFound
from rest_compat.dialect import Call
from rest_compat.olake.auth import is_stock_ui

MAX_INT = 2**31 - 1


def nothing(_: Call) -> dict[str, Any]:
    """For operations without variables."""
    return {}


def merged(call: Call) -> Mapping[str, Any]:
    """Body over query: browsers cannot send the body that a GET is documented with."""
    return ChainMap(cast(Any, call.body), cast(Any, call.query))


def text(given: Mapping[str, Any], name: str, *, needed: bool = True) -> str | None:
    """A text; Invalid for anything else, and for none where one is needed."""
    value = given.get(name)
    if value is None or (needed and value == ""):
        if needed:
            raise Invalid(f"{name} is needed")
        return None
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a text")
    return value


def flag(given: Mapping[str, Any], name: str, *, needed: bool = False) -> bool | None:
    """A boolean; Invalid for anything else."""
    value = given.get(name)
    if isinstance(value, bool) or (value is None and not needed):
        return value
    raise Invalid(f"{name} must be true or false")


def an_object(value: Any, name: str) -> tuple[dict[str, Any], bool]:
    """A JSON object, and whether it came as a text; Invalid for anything else."""
    if isinstance(value, str):
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            parsed = None
        if isinstance(parsed, dict):
            return parsed, True
    elif isinstance(value, dict):
        return value, False
    raise Invalid(f"{name} must be a JSON object")


def written(value: Any, as_text: bool, call: Call) -> Any:
    """JSON as it was last written; always as a text for OLake's web UI."""
    return orjson.dumps(value).decode() if as_text or is_stock_ui(call) else value


def row_number(value: Any) -> int | None:
    """The id in a number or text; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 11 else None
    return value if isinstance(value, int) and 0 < value <= MAX_INT else None


def path_number(call: Call, name: str = "id") -> int:
    """The id in the path: Invalid for what is no integer, NotFound for one that no row has."""
    given = call.path[name]
    if not (given.isascii() and given.lstrip("-").isdigit()):
        raise Invalid(f"the id must be an integer, not {given[:50]!r}")
    number = row_number(given)
    if number is None:
        raise NotFound("There is no such id.")
    return number


def by_path(call: Call) -> dict[str, Any]:
    """The number in the path."""
    return {"number": path_number(call)}


def moment(at: str | None) -> str:
    """A moment to the second; empty where there is none."""
    return "" if at is None else f"{at.partition('.')[0].rstrip('Z')}Z"
