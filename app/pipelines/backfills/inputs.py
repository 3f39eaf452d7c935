"""Words, inputs and filters of backfills."""

import enum
from datetime import datetime

import strawberry
from sqlalchemy import ColumnElement, select
from strawberry.scalars import JSON

from app.graphql.filters import (
    UNSET,
    DateTimeFilter,
    EnumFilter,
    IntFilter,
    StringFilter,
    conditions,
    order_input,
)
from app.pipelines import tables as t
from app.pipelines.backfills import slots
from app.pipelines.inputs import PipelineBy


@strawberry.enum(description="Where a backfill stands.")
class BackfillStatus(enum.Enum):
    """States of a backfill, by those of its runs."""

    INITIAL = strawberry.enum_value("initial", description="Started; no run has begun.")
    RUNNING = strawberry.enum_value("running", description="Runs go on.")
    COMPLETED = strawberry.enum_value("completed", description="All runs have succeeded.")
    FAILED = strawberry.enum_value("failed", description="All have ended, one of them failed.")
    CANCELLED = strawberry.enum_value("cancelled", description="It was cancelled.")


@strawberry.enum(description="What the time from one slot of a backfill to the next is counted in.")
class BackfillInterval(enum.Enum):
    """Units of time."""

    MINUTE = strawberry.enum_value("minute", description="Minutes.")
    HOUR = strawberry.enum_value("hour", description="Hours.")
    DAY = strawberry.enum_value("day", description="Days.")
    WEEK = strawberry.enum_value("week", description="Weeks.")
    MONTH = strawberry.enum_value("month", description="Months.")
    YEAR = strawberry.enum_value("year", description="Years.")
    CUSTOM = strawberry.enum_value("custom", description="Seconds.")


@strawberry.input(description="Names one backfill; exactly one field.", one_of=True)
class BackfillBy:
    """How a backfill is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(description="A new backfill. It makes no run until it is started.")
class BackfillCreateInput:
    """A backfill's attributes."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline that it runs.")
    name: str | None = strawberry.field(
        default=None, description="Its name; made from the pipeline's where left out."
    )
    block_uuid: str | None = strawberry.field(
        default=None, description="Kept for callers; only whole pipelines can be started."
    )
    interval_type: BackfillInterval | None = strawberry.field(
        default=None, description="What intervalUnits counts."
    )
    interval_units: int | None = strawberry.field(
        default=None, description="How many of them lie between slots."
    )
    start_at: datetime | None = strawberry.field(default=None, description="The first slot.")
    end_at: datetime | None = strawberry.field(default=None, description="No slot after this.")
    variables: JSON | None = strawberry.field(
        default=UNSET, description="Variables that its runs start with."
    )
    settings: JSON | None = strawberry.field(
        default=UNSET,
        description="How many of its runs go on at once: `run_limit`, which is 4 unless set.",
    )


@strawberry.input(description="Changes of a backfill; what is left out stays.")
class BackfillUpdateInput:
    """Attributes to change. Once it is started, only name, settings and status."""

    by: BackfillBy = strawberry.field(description="The backfill.")
    name: str | None = strawberry.field(default=UNSET, description="New name.")
    block_uuid: str | None = strawberry.field(default=UNSET, description="Kept for callers.")
    interval_type: BackfillInterval | None = strawberry.field(
        default=UNSET, description="What intervalUnits counts."
    )
    interval_units: int | None = strawberry.field(
        default=UNSET, description="How many of them lie between slots."
    )
    start_at: datetime | None = strawberry.field(default=UNSET, description="The first slot.")
    end_at: datetime | None = strawberry.field(default=UNSET, description="No slot after this.")
    variables: JSON | None = strawberry.field(default=UNSET, description="New variables.")
    settings: JSON | None = strawberry.field(default=UNSET, description="New settings.")
    status: BackfillStatus | None = strawberry.field(
        default=None,
        description="INITIAL starts it, or has what did not succeed run again; "
        "CANCELLED cancels it.",
    )
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with CONFLICT where it has another version by now."
    )


@strawberry.input(description="Which backfill to delete.")
class BackfillDeleteInput:
    """A backfill."""

    by: BackfillBy = strawberry.field(description="The backfill.")


@strawberry.input(description="Which backfills.")
class BackfillFilter:
    """Conditions on backfills."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    status: EnumFilter[BackfillStatus] | None = strawberry.field(
        default=UNSET, description="By where it stands."
    )
    pipeline_uuid: StringFilter | None = strawberry.field(
        default=UNSET, description="By the uuid of its pipeline."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    and_: list["BackfillFilter"] | None = strawberry.field(
        default=UNSET, name="and", description="All of these."
    )
    or_: list["BackfillFilter"] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these."
    )
    not_: "BackfillFilter | None" = strawberry.field(
        default=UNSET, name="not", description="Not this."
    )


def _of_pipeline(where: StringFilter) -> ColumnElement[bool]:
    named = conditions(_Uuid(uuid=where), {"uuid": t.pipelines.c.uuid})
    return t.backfills.c.pipeline_id.in_(select(t.pipelines.c.id).where(named))


@strawberry.input(description="A condition on a uuid.")
class _Uuid:
    uuid: StringFilter | None = UNSET


BACKFILL_COLUMNS = {
    "number": t.backfills.c.id,
    "name": t.backfills.c.name,
    "status": slots.status(t.backfills.c),
    "pipeline_uuid": _of_pipeline,
    "created_at": t.backfills.c.created_at,
}
BackfillOrder = order_input(
    "Backfill",
    {
        "NUMBER": (t.backfills.c.id, "By number."),
        "NAME": (t.backfills.c.name, "By name."),
        "START_AT": (t.backfills.c.start_at, "By first slot."),
        "CREATED_AT": (t.backfills.c.created_at, "By age."),
    },
)
