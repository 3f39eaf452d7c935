"""Names of tables and columns, and literals, as PostgreSQL and DuckDB read them."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_QUOTED = re.compile(r'"(?:[^"]|"")+"')
# PostgreSQL cuts longer names silently, by which two tables could become one.
_MAX_BYTES = 63


@dataclass(frozen=True)
class Table:
    """A table by its real names; `schema` may be empty for the connection's own."""

    schema: str
    name: str

    @property
    def quoted(self) -> str:
        """As it is written in a statement."""
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def quote(name: str) -> str:
    """A name as a quoted identifier."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def real_name(written: str) -> str:
    """The name that a user's spelling means: plain ones fold to lower case, others are exact."""
    written = written.strip()
    if _QUOTED.fullmatch(written):
        return written[1:-1].replace('""', '"')
    return written.lower() if _PLAIN.fullmatch(written) else written


def block_table(pipeline_uuid: str, block_uuid: str) -> str:
    """`<pipeline>_<block>` in lower case with `_` for what needs quotes, at most 63 bytes."""
    name = re.sub(r"\W", "_", f"{pipeline_uuid}_{block_uuid}").lower()
    encoded = name.encode()
    if len(encoded) <= _MAX_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: _MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def clean_columns(names: list[Any]) -> list[str]:
    """Column names in lower case with `_` for other signs; as they are where that would collide."""
    exact = [str(name) for name in names]
    cleaned = [re.sub(r"\W+", "_", name.strip()).lower() or "_" for name in exact]
    unique = len(set(cleaned)) == len(cleaned)
    return cleaned if unique else exact


def literal(value: Any) -> str:
    """A value as an SQL literal; a tuple as a list for IN, a list as an array."""
    if value is None:
        return "NULL"
    if hasattr(value, "dtype") and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float, Decimal)):
        number = str(value)
        return number if re.fullmatch(r"-?[0-9.]+(?:[eE][+-]?[0-9]+)?", number) else f"'{number}'"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    if isinstance(value, (datetime, date, time)):
        return f"'{value.isoformat()}'"
    if isinstance(value, timedelta):
        return f"'{value.total_seconds()} seconds'"
    if not isinstance(value, str):
        raise TypeError(f"A value of type {type(value).__name__} cannot be an SQL parameter.")
    if "\x00" in value:
        raise ValueError("SQL text cannot hold a NUL character.")
    doubled = value.replace("'", "''")
    # With a backslash the meaning of '...' depends on a setting; that of E'...' does not.
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in value else f"'{doubled}'"


_PLACEHOLDER = re.compile(r"%(?:%|s|\((\w+)\)s)")


def with_parameters(text: str, parameters: Any) -> str:
    """`%s` or `%(name)s` replaced by literals, `%%` by `%`; the text as it is for None."""
    if parameters is None:
        return text
    rest = iter(() if isinstance(parameters, dict) else parameters)

    def filled(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        return literal(parameters[match[1]] if match[1] else next(rest))

    try:
        return _PLACEHOLDER.sub(filled, text)
    except (KeyError, StopIteration, TypeError) as error:
        raise ValueError(f"The parameters do not fit the placeholders: {error!r}") from None
