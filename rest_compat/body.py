"""From a request's bytes to a JSON object, bounded."""

import json
from typing import Any

import orjson
from starlette.requests import Request

MAX_DEPTH = 100
MAX_NODES = 1_000_000


class BodyRefused(Exception):
    """A request that is refused by its form, before any operation."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object in a body, None where it is empty; raises BodyRefused.

    The content type is not looked at: the documented clients often send none.
    """
    if not raw.strip():
        return None
    value = _parse(raw)
    if not isinstance(value, dict):
        raise BodyRefused("BAD_USER_INPUT", "The body must be a JSON object.")
    _check(value, has_nul=b"\\u0000" in raw)
    return value


async def read_bytes(request: Request, max_bytes: int) -> bytes:
    """A request's body; BodyRefused for one that is longer than `max_bytes`."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
    return b"".join(chunks)


def _too_large(max_bytes: int) -> BodyRefused:
    return BodyRefused("PAYLOAD_TOO_LARGE", f"A body may have at most {max_bytes} bytes.")


def checked_object(value: object, raw: bytes) -> None:
    """Refuse absurd nesting and the character NUL in what `raw` was parsed to."""
    _check(value, has_nul=b"\\u0000" in raw)


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = str(error)
    try:
        # Callers know the words of Python's own parser.
        json.loads(raw)
    except json.JSONDecodeError as error:
        message = str(error)
    except (ValueError, RecursionError):
        pass
    raise BodyRefused("BAD_USER_INPUT", message)


def _check(value: object, *, has_nul: bool) -> None:
    """Refuse absurd nesting, and the character NUL, which PostgreSQL cannot store."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.keys() if has_nul else ()
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif has_nul and isinstance(item, str) and "\x00" in item:
                raise BodyRefused("BAD_USER_INPUT", "The body contains the character NUL.")
        if not inner:
            return
        if len(inner) > MAX_NODES:
            raise BodyRefused("PAYLOAD_TOO_LARGE", f"A body may hold {MAX_NODES} values.")
        level = inner
    raise BodyRefused("BAD_USER_INPUT", f"The body is nested more than {MAX_DEPTH} deep.")
