"""Root fields to read backfills."""

import strawberry

from app.graphql.compiler.declare import Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.fields import root_connection, root_one
from app.graphql.payloads import int_key
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
    if not by.id:
        return by.number or 0
    found: int = derive(lambda text: int_key(text, "Backfill", "backfill"), by.id, like=0)
    return found


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

    backfill: Backfill | None = root_one(
        "Backfill",
        Backfill,
        "One backfill.",
        arguments={"by": (BackfillBy, "Which backfill.")},
        named=lambda given: Scoped((t.backfills.c.id == backfill_key(given["by"]),)),
    )
