"""Types as DuckDB writes them: what destinations keep, and how a table's columns may change."""

import re
from collections.abc import Sequence

from workers.connectors.base import Column, SyncError

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_PLAIN = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "VARCHAR",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "INTERVAL": "VARCHAR",
    "TIME WITH TIME ZONE": "VARCHAR",
    "BIT": "VARCHAR",
    "JSON": "VARCHAR",
    "NULL": "VARCHAR",
    '"NULL"': "VARCHAR",
}
_WIDER = ("SMALLINT", "INTEGER", "BIGINT")
_FLOATS = ("FLOAT", "DOUBLE")


def plain(type_: str) -> str:
    """The type that common formats have for it. Structures and maps become JSON text."""
    if type_.endswith("[]"):
        return plain(type_[:-2]) + "[]"
    if type_.startswith(("ENUM(", "STRUCT(", "MAP(", "UNION(")) or type_.endswith("]"):
        return "VARCHAR"
    return _PLAIN.get(type_, type_)


def cast(expression: str, type_: str, to: str) -> str:
    """SQL of DuckDB for a value in another type."""
    if type_ == to:
        return expression
    if type_.startswith(("STRUCT(", "MAP(", "UNION(")):
        return f"CAST(to_json({expression}) AS VARCHAR)"
    return f"CAST({expression} AS {to})"


def evolve(table: str, have: Sequence[Column], come: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that a table must have to hold its own and the coming values.

    New ones are added behind, types are widened, columns that no longer come stay. A type that
    does not fit is a SyncError.
    """
    columns = {column.name: column for column in have}
    for column in come:
        old = columns.get(column.name)
        type_ = column.type if old is None else wider(old.type, column.type)
        if type_ is None:
            assert old is not None
            raise SyncError(
                f"Column {column.name} of {table} has type {old.type}, and the source now sends "
                f"{column.type}, which does not fit. Clear the stream to load it anew."
            )
        columns[column.name] = Column(column.name, type_)
    return tuple(columns.values())


def wider(have: str, come: str) -> str | None:
    """The type that holds values of both without loss, if there is one."""
    if have == come or have == "VARCHAR":
        return have
    if have.endswith("[]") and come.endswith("[]"):
        # Depth is the values' own business.
        return have if have.rstrip("[]") == come.rstrip("[]") else None
    for ladder in (_WIDER, _FLOATS):
        if have in ladder and come in ladder:
            return max(have, come, key=ladder.index)
    if have == "DOUBLE" and come in _WIDER[:2]:
        return have
    old, new = _DECIMAL.fullmatch(have), _DECIMAL.fullmatch(come)
    if old and new:
        scale = max(int(old[2]), int(new[2]))
        whole = max(int(old[1]) - int(old[2]), int(new[1]) - int(new[2]))
        return f"DECIMAL({whole + scale},{scale})" if whole + scale <= 38 else None
    return None
