"""What is asked of projects outside the graph's own reads."""

from sqlalchemy import select

from app.core import db
from app.projects.tables import projects


async def by_uuid(uuid: str) -> int:
    """The row key of a project; -1 for none."""
    async with db.reading() as connection:
        named = select(projects.c.id).where(projects.c.uuid == uuid)
        return int(await connection.scalar(named) or -1)
