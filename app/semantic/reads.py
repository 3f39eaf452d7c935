"""What the semantic layer reads for itself: projects by name, newest models, data sources."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import literal, select, union_all

from app.core import db
from app.ingestion.tables import sync_destinations, sync_sources
from app.semantic.tables import semantic_models

MOST_SOURCES = 5000
_NEWEST = """
SELECT m.id, m.version, p.uuid, p.description
FROM semantic_models m JOIN projects p ON p.id = m.project_id
WHERE m.project_id = $1 ORDER BY m.version DESC LIMIT 1"""


async def newest(project_id: int) -> Mapping[str, Any] | None:
    """A project's newest model, without its files, and what its project is called."""
    return await db.fetch_row(_NEWEST, project_id)


async def files(model_id: int) -> Mapping[str, str]:
    """The files of a version, texts by path."""
    wanted = select(semantic_models.c.files).where(semantic_models.c.id == model_id)
    async with db.reading() as connection:
        found: Mapping[str, str] | None = await connection.scalar(wanted)
    return found or {}


async def data_sources(project_id: int) -> Sequence[Mapping[str, Any]]:
    """Kind, id, name, type and version of a project's sources, then of its destinations."""
    parts = []
    for kind, table in (("source", sync_sources), ("destination", sync_destinations)):
        c = table.c
        own = select(literal(kind).label("kind"), c.id, c.name, c.type, c.version)
        mine = own.where(c.project_id == project_id, c.deleted_at.is_(None))
        parts.append(mine.limit(MOST_SOURCES))
    async with db.reading() as connection:
        rows: Sequence[Any] = (await connection.execute(union_all(*parts))).mappings().all()
    return sorted(rows, key=lambda row: row["kind"] != "source")
