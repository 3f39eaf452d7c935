"""The three statements that most verbs share: insert, versioned update, delete."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Executable, RowMapping, Table, delete, func, insert, update
from sqlalchemy.exc import IntegrityError

from app.core.db import Tx
from app.core.errors import Conflict, Invalid, NotFound

_UNIQUE_VIOLATION = "23505"
_FOREIGN_KEY_VIOLATION = "23503"


async def insert_row(tx: Tx, table: Table, values: Mapping[str, Any]) -> RowMapping:
    """Insert one row and return it whole; Invalid NAME_TAKEN where a unique value is in use."""
    return await _written(tx, _insert(table), values)


async def update_row(
    tx: Tx,
    table: Table,
    row: RowMapping,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> RowMapping:
    """Change a row and raise its version.

    Conflict where it is no longer the expected one, Invalid NAME_TAKEN where a unique value is in
    use.
    """
    if expected_version is not None and row["version"] != expected_version:
        raise Conflict(
            f"It has version {row['version']} now, not {expected_version}. Read it again first."
        )
    statement = (
        update(table)
        .where(table.c.id == row["id"])
        .values(**values, version=table.c.version + 1, updated_at=func.now())
        .returning(table)
    )
    return await _written(tx, statement)


@cache
def _insert(table: Table) -> Executable:
    return insert(table).returning(table)


async def _written(
    tx: Tx, statement: Executable, values: Mapping[str, Any] | None = None
) -> RowMapping:
    """The row that a statement wrote. Verbs look before they write; this is for two at once."""
    try:
        row = await tx.one(statement, values)
    except IntegrityError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _UNIQUE_VIOLATION:
            raise Invalid("Somebody else has just taken this name.", "NAME_TAKEN") from error
        if state == _FOREIGN_KEY_VIOLATION:
            raise NotFound("What it belongs to has just been deleted.") from error
        raise
    assert row is not None
    return row


async def delete_row(tx: Tx, table: Table, row_id: object) -> None:
    """Delete one row; the database cascades."""
    await tx.execute(delete(table).where(table.c.id == row_id))
