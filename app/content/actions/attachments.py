"""Verbs of attachments."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from app.content import staging
from app.content.actions._shared import checked_title, refuse_taken
from app.content.rules import may_read_attachment
from app.content.tables import attachments
from app.core import db
from app.core.changes import delete_row, insert_row
from app.core.errors import Forbidden, NotFound
from app.core.rules import Subject


async def create_attachment(subject: Subject, upload: str, values: Mapping[str, Any]) -> int:
    """Make an attachment of a file that the caller has sent; Invalid FILE_TYPE by its title's end.

    Who may write leads of some project may.
    """
    subject.require_somewhere("lead.write")
    title = checked_title(values["title"])
    mime_type = staging.type_of(title)
    uuid = uuid4()
    async with db.transaction(subject) as tx:
        await refuse_taken(tx, attachments, values)
        kept = await staging.measured(subject, upload)
        who = {"created_by": subject.user_id, "updated_by": subject.user_id}
        own = {"uuid": uuid, "title": title, "mime_type": mime_type, **who}
        file = {"bytes": kept.bytes, "md5": kept.md5}
        row = await insert_row(tx, attachments, {**values, **own, **file})
        await tx.audit("attachment.create", "Attachment", row["id"])
        # Last, so that whatever is refused leaves the upload where it can be used again.
        await staging.keep(subject, upload, uuid)
    return int(row["id"])


async def delete_attachment(subject: Subject, attachment_id: int) -> int:
    """Delete an attachment with its file; who sent it may, and an owner of the installation."""
    subject.require_known()
    async with db.transaction(subject) as tx:
        c = attachments.c
        wanted = select(attachments).where(c.id == attachment_id, may_read_attachment(c))
        row = await tx.one(wanted.with_for_update(), subject.parameters)
        if row is None:
            raise NotFound("There is no such attachment.")
        if row["created_by"] != subject.user_id and not subject.is_owner:
            raise Forbidden("Only who sent a file may delete it.")
        subject.require_somewhere("lead.write")
        await delete_row(tx, attachments, attachment_id)
        await tx.audit("attachment.delete", "Attachment", attachment_id)
    await staging.drop(row["uuid"])
    return attachment_id
