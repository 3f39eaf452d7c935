"""Root fields to read backfills."""

from typing import Annotated

import strawberry

from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.payloads import int_key
from app.graphql.rows import fetch_one, root_connection
from app.pipelines import tables as t
from app.pipelines.backfills.inputs import (
    BACKFILL_COLUMNS,
    BackfillBy,
    BackfillFilter,
    BackfillOrder,
)
from app.pipelines.backfills.types import Backfill
from app.projects.queries import PROJECT_ARGUMENT, in_project


def backfill_key(by: BackfillBy) -> int:
    """The row key that a BackfillBy means."""
    return int_key(by.id, "Backfill", "backfill") if by.id else int(by.number or 0)


@strawberry.type
class BackfillQuery:
    """Backfills."""

    backfills: Connection[Backfill] = root_connection(
        "Backfill",
        "Backfills of a project, newest first.",
        where=BackfillFilter,
        columns=BACKFILL_COLUMNS,
        order=BackfillOrder,
        default_order=[(t.backfills.c.id, True)],
        scope=in_project(t.backfills),
        extra=PROJECT_ARGUMENT,
    )

    @strawberry.field(description="One backfill.")
    async def backfill(
        self,
        info: Info,
        by: Annotated[BackfillBy, strawberry.argument(description="Which backfill.")],
    ) -> Backfill | None:
        """One backfill, or null."""
        info.context.subject.require_known()
        condition = t.backfills.c.id == backfill_key(by)
        found: Backfill | None = await fetch_one(info, "Backfill", condition)
        return found
