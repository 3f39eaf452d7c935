"""The three statements that most verbs share: insert, versioned update, delete."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, Table, delete, func, insert, update

from app.core.db import Tx
from app.core.errors import Conflict


async def insert_row(tx: Tx, table: Table, values: Mapping[str, Any]) -> RowMapping:
    """Insert one row and return it whole."""
    row = await tx.one(insert(table).values(**values).returning(table))
    assert row is not None
    return row


async def update_row(
    tx: Tx,
    table: Table,
    row: RowMapping,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> RowMapping:
    """Change a row and raise its version; Conflict where it is no longer the expected one."""
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
    changed = await tx.one(statement)
    assert changed is not None
    return changed


async def delete_row(tx: Tx, table: Table, row_id: object) -> None:
    """Delete one row; the database cascades."""
    await tx.execute(delete(table).where(table.c.id == row_id))
