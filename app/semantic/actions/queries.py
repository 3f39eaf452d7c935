"""Verbs of queries."""

from sqlalchemy import func, select, update

from app.core import db
from app.core.errors import Conflict, NotFound
from app.core.rules import Subject
from app.semantic.tables import semantic_queries

CANCELLED = "The query was cancelled."


async def cancel_query(subject: Subject, query_id: int) -> int:
    """End a query that is queued or goes on: all who wait for it are told so.

    Conflict where it has ended already.
    """
    subject.require_known()
    c = semantic_queries.c
    async with db.transaction(subject) as tx:
        wanted = select(c.id, c.project_id, c.state, c.key).where(c.id == query_id)
        row = await tx.one(wanted.with_for_update())
        if row is None or not subject.may("pipeline.read", row["project_id"]):
            raise NotFound("There is no such query.")
        subject.require("pipeline.run", row["project_id"])
        if row["state"] not in ("queued", "running"):
            raise Conflict("The query has ended already.", reason="ENDED")
        ended = {"state": "failed", "error": CANCELLED, "finished_at": func.now()}
        # Who was told to come again shall learn of it.
        own = {"worker": None, "lease_until": None, "was_waited": True}
        await tx.execute(update(semantic_queries).where(c.id == query_id).values(**ended, **own))
        await tx.audit(
            "semantic_query.cancel", "SemanticQuery", query_id, project_id=row["project_id"]
        )
        tx.wake(f"query:{row['key']}")
        tx.look()
    return query_id
