"""The GraphQL type of backfills."""

from datetime import datetime

from strawberry.scalars import JSON

from app.access.types import User
from app.graphql.compiler.declare import column, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.fields import connection, one
from app.graphql.node import Node, Timestamped
from app.pipelines import rules
from app.pipelines import tables as t
from app.pipelines.backfills import slots as sql
from app.pipelines.backfills.inputs import BackfillInterval, BackfillStatus
from app.pipelines.filters import PIPELINE_RUN_COLUMNS, PipelineRunFilter, PipelineRunOrder
from app.pipelines.types import Pipeline, PipelineRun, Trigger


@sql_type(
    t.backfills,
    policy=rules.may_read,
    description="Runs of a pipeline for every slot of a stretch of time.",
)
class Backfill(Node, Timestamped):
    """A backfill."""

    number: int = column(t.backfills.c.id, "The id that the REST dialects show.")
    name: str = column(t.backfills.c.name, "Its name.")
    status: BackfillStatus | None = expression(
        sql.status, "Where it stands, by its runs; null until it is started."
    )
    block_uuid: str | None = column(t.backfills.c.block_uuid, "Kept for callers.")
    interval_type: BackfillInterval | None = column(
        t.backfills.c.interval_type, "What intervalUnits counts."
    )
    interval_units: int | None = column(
        t.backfills.c.interval_units, "How many of them lie between slots."
    )
    start_at: datetime | None = column(t.backfills.c.start_at, "The first slot.")
    end_at: datetime | None = column(t.backfills.c.end_at, "No slot after this.")
    variables: JSON = column(t.backfills.c.variables, "Variables that its runs start with.")
    settings: JSON | None = column(
        t.backfills.c.settings,
        "How many of its runs go on at once: `run_limit`, which is 4 unless set.",
    )
    slots: list[datetime] = expression(
        sql.slot_list, "The execution dates of its runs, oldest first; at most 1000."
    )
    total_run_count: int = expression(
        sql.slot_count, "How many runs it makes or has made: one for each slot."
    )
    queued_run_count: int = expression(sql.run_count("queued"), "Runs that wait.")
    running_run_count: int = expression(sql.run_count("running"), "Runs that go on.")
    succeeded_run_count: int = expression(sql.run_count("succeeded"), "Runs that have succeeded.")
    failed_run_count: int = expression(sql.run_count("failed"), "Runs that have failed.")
    cancelled_run_count: int = expression(sql.run_count("cancelled"), "Runs that were cancelled.")
    runs: Connection[PipelineRun] = connection(
        "PipelineRun",
        t.backfills.c.id,
        t.pipeline_runs.c.backfill_id,
        "Its runs, of the oldest slot first.",
        where=PipelineRunFilter,
        columns=PIPELINE_RUN_COLUMNS,
        order=PipelineRunOrder,
        default_order=[(t.pipeline_runs.c.execution_date, False)],
    )
    pipeline: Pipeline | None = one("Pipeline", t.backfills.c.pipeline_id, "What it runs.")
    trigger: Trigger | None = one(
        "Trigger",
        t.backfills.c.trigger_id,
        "The trigger that its runs name; made when it is started, and starts nothing by itself.",
    )
    started_at: datetime | None = column(t.backfills.c.started_at, "When it was first started.")
    finished_at: datetime | None = expression(
        sql.finished_at, "When the last of its runs ended; null while one goes on."
    )
    created_by: User | None = one("User", t.backfills.c.created_by, "Who made it.")
    created_at: datetime = column(t.backfills.c.created_at, "When it was made.")
    updated_at: datetime = column(t.backfills.c.updated_at, "When it was last changed.")
    version: int = column(t.backfills.c.version, "Raised by each change; for `expectedVersion`.")
