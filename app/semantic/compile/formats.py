"""What the values of a query's keys may be. The words are those that clients of Cube know."""

import json
import re
from typing import Any

from app.semantic.compile.asked import Json
from app.semantic.compile.errors import QueryError

DEFAULT_LIMIT = 10_000
MAX_LIMIT = 50_000
MOST = 2**53 - 1
NAME = r"^[a-zA-Z0-9_]+\.[a-zA-Z0-9_]+$"
NAME_OR_TIME = (
    r"^[a-zA-Z0-9_]+\.[a-zA-Z0-9_]+(\.(second|minute|hour|day|week|month|quarter|year))?$"
)


def limit(query: Json) -> int:
    """How many rows at most."""
    found = count(query, "limit")
    # A number in quotes is taken and not followed, as clients are used to.
    if found is None or isinstance(query["limit"], str):
        return DEFAULT_LIMIT
    if found > MAX_LIMIT:
        raise QueryError("The query limit has been exceeded.")
    return found


def count(query: Json, key: str) -> int | None:
    """A number of rows; None where it is not given."""
    said = query.get(key)
    if isinstance(said, str) and said.isdecimal():
        said = int(said)
    if said is None:
        return None
    if not isinstance(said, int | float) or isinstance(said, bool):
        raise invalid(f'"{key}" must be a number')
    if isinstance(said, float) and not said.is_integer():
        raise invalid(f'"{key}" must be an integer')
    if said < 0:
        raise invalid(f'"{key}" must be greater than or equal to 0')
    if said > MOST:
        raise invalid(f'"{key}" must be less than or equal to {MOST}')
    return int(said)


def flag(query: Json, key: str) -> bool:
    """True or false; false where it is not given."""
    said = query.get(key, False)
    if not isinstance(said, bool):
        raise invalid(f'"{key}" must be a boolean')
    return said


def text(query: Json, key: str, otherwise: str) -> str:
    """A text, or another where it is not given."""
    said = query.get(key, otherwise)
    if not isinstance(said, str):
        raise invalid(f'"{key}" must be a string')
    return said


def one_of(query: Json, key: str, words: tuple[str, ...]) -> str:
    """One of some words; the first where it is not given."""
    said = query.get(key, words[0])
    if said not in words:
        raise invalid(f'"{key}" must be one of [{", ".join(words)}]')
    return str(said)


def listed(query: Json, key: str) -> list[Any]:
    """A list; empty where it is not given."""
    said = query.get(key, [])
    if not isinstance(said, list):
        raise invalid(f'"{key}" must be an array')
    return said


def names(query: Json, key: str, pattern: str) -> tuple[str, ...]:
    """A list of names that fit a pattern, each once."""
    said = listed(query, key)
    return tuple(
        dict.fromkeys(named(one, f"{key}[{number}]", pattern) for number, one in enumerate(said))
    )


def named(said: Any, path: str, pattern: str) -> str:
    """A name that fits a pattern."""
    if not isinstance(said, str):
        raise invalid(f'"{path}" must be a string')
    if not re.match(pattern, said, re.ASCII) or said.endswith("\n"):
        # Clients have been told of no quarters here; they are taken all the same.
        told = pattern.replace("|quarter", "")
        raise invalid(f'"{path}" with value "{said}" fails to match the required pattern: /{told}/')
    return said


def compact(said: Any) -> str:
    """A value as clients write it, for messages."""
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def invalid(what: str) -> QueryError:
    """The error of a value that does not fit; `what` begins with its path."""
    return QueryError(f"Invalid query format: {what}")
