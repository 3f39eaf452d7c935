"""The failures of SQL blocks, in words that tell where, and without credentials."""

from collections.abc import Iterable
from typing import Any

# Shorter values would blot out ordinary words.
_SHORTEST_HIDDEN = 4


class SqlFault(Exception):
    """A failure to tell the user as it is; `reason` as in BlockResult."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


def redact(text: str, hidden: Iterable[str]) -> str:
    """The text with `***` for each of these values in it."""
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= _SHORTEST_HIDDEN:
            text = text.replace(value, "***")
    return text


def described(error: Any, text: str, start: int = 0, label: str = "") -> str:
    """PostgreSQL's message with what it adds, and the place in `text`.

    `start` is where in `text` the statement begins that the error counts its position from.
    """
    parts = [error.args[0] if error.args else type(error).__name__]
    if getattr(error, "sqlstate", None):
        parts[0] += f" ({error.sqlstate})"
    place = [label] if label else []
    position = getattr(error, "position", None)
    if position is not None and 0 <= (at := start + int(position) - 1) <= len(text):
        place.append(place_in(text, at))
    if place:
        parts[0] += f", in {', '.join(place)}"
    for name in ("detail", "hint"):
        if told := getattr(error, name, None):
            parts.append(f"{name.capitalize()}: {told}")
    return "\n".join(parts)


def place_in(text: str, at: int) -> str:
    """Line and column of an offset, and that line."""
    before = text[:at]
    line = before.count("\n")
    shown = text.split("\n")[line].strip()[:200]
    return f"line {line + 1}, column {at - (before.rfind(chr(10)) + 1) + 1}: {shown}"
