"""The connectors that come with the program, one JSON file each; the database has them as rows."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from app.core.db import Tx
from app.ingestion.tables import connectors

VERSION = "v0.9.4"
"""The level of OLake's connectors that ours keep to, where nothing else is said."""


@lru_cache(maxsize=1)
def built_in() -> tuple[Mapping[str, Any], ...]:
    """Rows of `connectors`, by the names of the files."""
    files = sorted(Path(__file__).parent.glob("*.json"))
    return tuple(_row(orjson.loads(file.read_bytes())) for file in files)


def _row(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "kind": document["kind"],
        "type": document["type"],
        "connector_version": document["version"],
        "title": document["title"],
        "spec": document["jsonschema"],
        "ui_spec": orjson.dumps(document["uischema"]).decode(),
        "abilities": document["abilities"],
    }


async def register(tx: Tx, rows: tuple[Mapping[str, Any], ...]) -> None:
    """Make the rows, or bring them up to date; a row of another version stays as it is."""
    for row in rows:
        fresh = {n: row[n] for n in ("title", "spec", "ui_spec", "abilities")}
        written = insert(connectors).values(**row)
        changed = connectors.c.spec.is_distinct_from(row["spec"])
        changed |= connectors.c.abilities.is_distinct_from(row["abilities"])
        changed |= connectors.c.ui_spec != row["ui_spec"]
        await tx.execute(
            written.on_conflict_do_update(
                index_elements=["kind", "type", "connector_version"],
                set_={**fresh, "updated_at": func.now()},
                where=changed,
            )
        )
