"""What `isthmus secret rotate` does: seal everything anew with the first key of the ring."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Table, select, update

from app.access.installation import keys, place_of
from app.access.tables import installation
from app.core import db
from app.core.rules import SYSTEM
from app.ingestion.secrets import TABLES, End, opened, place, shown
from app.ingestion.tables import connectors
from app.pipelines.actions.files import file_place
from app.pipelines.actions.secrets import secret_place
from app.pipelines.tables import project_file_versions, project_files, project_secrets

BATCH = 200


@dataclass(frozen=True)
class Sealed:
    """Where ciphertexts are: the key and the column of a table, and the place of a row's."""

    table: Table
    key: str
    column: str
    place: Callable[[RowMapping], str]


def _of_file(row: RowMapping) -> str:
    return file_place(row["project_id"], row["path"])


PLACES = (
    Sealed(installation, "name", "value", lambda row: place_of(row["name"])),
    Sealed(
        project_secrets, "id", "sealed", lambda row: secret_place(row["project_id"], row["name"])
    ),
    Sealed(project_files, "id", "sealed", _of_file),
    Sealed(project_file_versions, "id", "sealed", _of_file),
    *(
        Sealed(table, "id", "sealed", lambda row, end=end: place(end, row["id"]))  # type: ignore[misc]
        for end, table in TABLES.items()
    ),
)


async def rotate() -> str:
    """Seal anew what an older key has sealed, a batch in each transaction; says how much it was.

    It may run while the program works, and be broken off and run again.
    """
    count = 0
    for one in PLACES:
        while changed := await _rotate_batch(one):
            count += changed
    name = keys().ring.keys[0][0]
    return f"{count} values were sealed anew. Everything is sealed with the key {name} now."


async def _rotate_batch(one: Sealed) -> int:
    ring, column, key = keys().ring, one.table.c[one.column], one.table.c[one.key]
    old = ~column.startswith(f"v1:{ring.keys[0][0]}:", autoescape=True)
    wanted = select(one.table).where(column.is_not(None), column != "", old).order_by(key)
    async with db.transaction(SYSTEM) as tx:
        found = await tx.all(wanted.limit(BATCH).with_for_update())
        for row in found:
            where = one.place(row)
            fresh: dict[str, Any] = {
                one.column: ring.seal(ring.open(row[one.column], where), where)
            }
            fresh |= await _handles(tx, one.table, row)
            await tx.execute(update(one.table).where(key == row[one.key]).values(**fresh))
        if found:
            await tx.audit("secrets.rotate", one.table.name, None)
    return len(found)


async def _handles(tx: db.Tx, table: Table, row: RowMapping) -> Mapping[str, Any]:
    """Handles are made with a key as well."""
    end: End | None = next((end for end, known in TABLES.items() if known is table), None)
    if end is None:
        return {}
    spec = await tx.one(
        select(connectors.c.spec)
        .where(connectors.c.kind == end, connectors.c.type == row["type"])
        .order_by(connectors.c.id.desc())
        .limit(1)
    )
    config = opened(row, end)
    return {"shown_config": shown(config, spec["spec"] if spec else {}, end, row["id"])}
