"""What is asked of leads and their files outside the graph's own reads."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.content.rules import may_read_attachment
from app.content.tables import attachments
from app.core import db
from app.core.rules import Subject


async def attachment(subject: Subject, uuid: UUID) -> Any:
    """The row of an attachment that the caller may read; None for none."""
    c = attachments.c
    wanted = select(attachments).where(c.uuid == uuid, may_read_attachment(c))
    async with db.reading() as connection:
        found = await connection.execute(wanted, dict(subject.parameters))
        return found.mappings().first()
