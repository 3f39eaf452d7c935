"""OLake's partition templates, `/{created_at,'',YYYY}-{created_at,'',MM}/{city,'none',''}`."""

import re

from workers.connectors.base import SyncError, literal, quote

_BLOCK = re.compile(r"\{([^}]*)\}")
_GRANULARITY = {"HH": "%H", "DD": "%d", "WW": "%V", "MM": "%m", "YYYY": "%Y"}


def partition_columns(template: str) -> list[str]:
    """SQL of DuckDB for each folder level of a template; none for an empty template."""
    levels = [level.strip() for level in template.strip().strip("/").split("/")]
    return [_level(level) for level in levels if level]


def _level(level: str) -> str:
    parts, end = [], 0
    for match in _BLOCK.finditer(level):
        parts.append(literal(level[end : match.start()]))
        parts.append(_block(match[1]))
        end = match.end()
    parts.append(literal(level[end:]))
    return " || ".join(part for part in parts if part != "''") or "''"


def _block(text: str) -> str:
    """A column's value, or its default; a block of fewer than three parts is empty."""
    words = [word.strip().strip("'\"").strip() for word in text.split(",")]
    if len(words) < 3:
        return "''"
    column, default, granularity = words[:3]
    if granularity and granularity not in _GRANULARITY:
        raise SyncError(
            f"The partition's granularity {granularity} is not one of {', '.join(_GRANULARITY)}."
        )
    name = quote("_olake_timestamp" if column == "now()" else column)
    if granularity:
        value = f"strftime(TRY_CAST({name} AS TIMESTAMP), {literal(_GRANULARITY[granularity])})"
    else:
        value = f"CAST({name} AS VARCHAR)"
    return f"coalesce({value}, {literal(default or f'default_{column}')})"
