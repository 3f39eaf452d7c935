"""GraphQL types of pipelines, blocks, triggers and pipeline runs."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import ARRAY, BigInteger, Float, Text, and_, cast, exists, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from strawberry.scalars import JSON

from app.access.types import User
from app.graphql.compiler.declare import column, computed, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.fields import connection, many, one
from app.graphql.node import Node, Timestamped
from app.pipelines import rules, schedule
from app.pipelines import tables as t
from app.pipelines.filters import PIPELINE_RUN_COLUMNS, PipelineRunFilter, PipelineRunOrder
from app.pipelines.kinds import (
    ATTACHED,
    BlockLanguage,
    BlockStatus,
    BlockType,
    CatchUp,
    NotificationChannel,
    NotificationEvent,
    PipelineType,
    TriggerOverlap,
    TriggerStatus,
    TriggerType,
)
from app.projects.types import Project
from app.runs.rules import may_read as may_read_run
from app.runs.tables import runs
from app.runs.types import Run
from app.runs.waits import run_for

LazyBlock = Annotated["Block", strawberry.lazy("app.pipelines.types")]
LazyTrigger = Annotated["Trigger", strawberry.lazy("app.pipelines.types")]
LazyRun = Annotated["PipelineRun", strawberry.lazy("app.pipelines.types")]
LazyPipeline = Annotated["Pipeline", strawberry.lazy("app.pipelines.types")]

_NONE = cast(array([], type_=Text), ARRAY(Text))


def _uuids(build: Any) -> Any:
    """Uuids of other blocks of the same pipeline that `build` accepts, in the pipeline's order."""

    def make(c: Any) -> Any:
        other = t.blocks.alias()
        listed = func.array_agg(aggregate_order_by(other.c.uuid, other.c.position, other.c.id))
        found = select(listed).where(other.c.pipeline_id == c.pipeline_id, build(other.c, c))
        return func.coalesce(found.scalar_subquery(), _NONE)

    return make


def _ready(c: Any) -> Any:
    other = t.blocks.alias()
    return ~exists().where(
        other.c.pipeline_id == c.pipeline_id,
        other.c.uuid == func.any(c.upstream_blocks),
        other.c.status != "executed",
    )


@sql_type(
    t.blocks,
    policy=rules.may_read,
    description="A piece of code in a pipeline.",
)
class Block(Node, Timestamped):
    """A block."""

    number: int = column(t.blocks.c.id, "Its number.")
    uuid: str = column(t.blocks.c.uuid, "Its name as an identifier; unique in the pipeline.")
    name: str = column(t.blocks.c.name, "Its name.")
    type: BlockType = column(t.blocks.c.type, "What it does.")
    language: BlockLanguage = column(t.blocks.c.language, "What it is written in.")
    content: str = column(t.blocks.c.content, "Its code.")
    status: BlockStatus = column(t.blocks.c.status, "What has happened to it last.")
    position: int = column(t.blocks.c.position, "Its place in the pipeline's order.")
    color: str | None = column(t.blocks.c.color, "Its colour in editors.")
    timeout_s: int | None = column(t.blocks.c.timeout_s, "Seconds after which it is killed.")
    has_callback: bool = column(t.blocks.c.has_callback, "Kept for callers.")
    executor_type: str = column(t.blocks.c.executor_type, "Kept for callers; not used.")
    executor_config: JSON | None = column(t.blocks.c.executor_config, "Kept for callers; not used.")
    retry_config: JSON | None = column(
        t.blocks.c.retry_config, "How it is tried again when it fails."
    )
    configuration: JSON = column(t.blocks.c.configuration, "Free settings.")
    upstream_blocks: list[str] = column(
        t.blocks.c.upstream_blocks, "Uuids of the blocks whose outputs it gets, in that order."
    )
    downstream_blocks: list[str] = expression(
        _uuids(lambda o, c: (c.uuid == func.any(o.upstream_blocks)) & o.type.not_in(ATTACHED)),
        "Uuids of the blocks that get its output.",
    )
    callback_blocks: list[str] = expression(
        _uuids(lambda o, c: (c.uuid == func.any(o.upstream_blocks)) & (o.type == "callback")),
        "Uuids of the callbacks attached to it.",
    )
    conditional_blocks: list[str] = expression(
        _uuids(lambda o, c: (c.uuid == func.any(o.upstream_blocks)) & (o.type == "conditional")),
        "Uuids of the conditionals attached to it.",
    )
    is_ready: bool = expression(_ready, "All its upstream blocks were executed last time.")
    pipeline: LazyPipeline | None = one("Pipeline", t.blocks.c.pipeline_id, "Where it belongs.")
    created_at: datetime = column(t.blocks.c.created_at, "When it was made.")
    updated_at: datetime = column(t.blocks.c.updated_at, "When it was last changed.")
    version: int = column(t.blocks.c.version, "Raised by each change; for `expectedVersion`.")


@sql_type(
    t.pipelines,
    policy=rules.may_read,
    description="A graph of blocks that runs as a whole.",
)
class Pipeline(Node, Timestamped):
    """A pipeline."""

    number: int = column(t.pipelines.c.id, "Its number.")
    uuid: str = column(t.pipelines.c.uuid, "Its name as an identifier; unique in the project.")
    name: str = column(t.pipelines.c.name, "Its name.")
    type: PipelineType = column(t.pipelines.c.type, "What kind it is.")
    description: str | None = column(t.pipelines.c.description, "What it does.")
    tags: list[str] = column(t.pipelines.c.tags, "Tags.")
    variables: JSON = column(t.pipelines.c.variables, "Variables that all its runs start with.")
    concurrency_config: JSON = column(
        t.pipelines.c.concurrency_config, "Limits of parallel runs and blocks."
    )
    retry_config: JSON = column(t.pipelines.c.retry_config, "How failed blocks are tried again.")
    notification_config: JSON = expression(
        rules.notifications_if_writer,
        "Who is told of what; shown only to who may change the pipeline, as it holds addresses "
        "and passwords: empty for others.",
    )
    executor_config: JSON = column(t.pipelines.c.executor_config, "Kept for callers; not used.")
    executor_type: str | None = column(t.pipelines.c.executor_type, "Kept for callers; not used.")
    executor_count: int = column(t.pipelines.c.executor_count, "Kept for callers; not used.")
    spark_config: JSON = column(t.pipelines.c.spark_config, "Kept for callers; not used.")
    data_integration: JSON | None = column(
        t.pipelines.c.data_integration, "Kept for callers; not used."
    )
    settings: JSON = column(t.pipelines.c.settings, "Settings.")
    run_pipeline_in_one_process: bool = column(
        t.pipelines.c.run_pipeline_in_one_process,
        "Kept for callers; blocks always have processes of their own.",
    )
    cache_block_output_in_memory: bool = column(
        t.pipelines.c.cache_block_output_in_memory, "Kept for callers; not used."
    )
    project: Project | None = one("Project", t.pipelines.c.project_id, "Where it belongs.")
    blocks: list[Block] = many(
        "Block",
        t.pipelines.c.id,
        t.blocks.c.pipeline_id,
        "All its blocks in order, attached ones included; at most 500.",
        order=[t.blocks.c.position, t.blocks.c.id],
    )
    triggers: list[LazyTrigger] = many(
        "Trigger",
        t.pipelines.c.id,
        t.triggers.c.pipeline_id,
        "What starts it, newest first; at most 500.",
        order=[t.triggers.c.id.desc()],
    )
    runs: Connection[LazyRun] = connection(
        "PipelineRun",
        t.pipelines.c.id,
        t.pipeline_runs.c.pipeline_id,
        "Its runs, newest first.",
        where=PipelineRunFilter,
        columns=PIPELINE_RUN_COLUMNS,
        order=PipelineRunOrder,
        default_order=[(t.pipeline_runs.c.number, True)],
    )
    created_by: User | None = one("User", t.pipelines.c.created_by, "Who made it.")
    created_at: datetime = column(t.pipelines.c.created_at, "When it was made.")
    updated_at: datetime = column(t.pipelines.c.updated_at, "When it was last changed.")
    version: int = column(t.pipelines.c.version, "Raised by each change; for `expectedVersion`.")


def _run_count(*statuses: str) -> Any:
    def make(c: Any) -> Any:
        counted = select(func.count()).where(t.pipeline_runs.c.trigger_id == c.id)
        counted = counted.join(runs, runs.c.id == t.pipeline_runs.c.run_id)
        # A run's subject is its pipeline: those in these states are found without the others.
        same = (runs.c.kind == "pipeline", runs.c.subject_id == c.pipeline_id)
        return counted.where(runs.c.status.in_(statuses), *same).scalar_subquery()

    return make


def _runs_started(c: Any) -> Any:
    kept = select(func.sum(t.pipeline_run_tallies.c.runs))
    kept = kept.where(t.pipeline_run_tallies.c.trigger_id == c.id)
    return cast(func.coalesce(kept.scalar_subquery(), 0), BigInteger)


def _runtime_average(c: Any) -> Any:
    took = func.extract("epoch", runs.c.finished_at - runs.c.started_at).label("took")
    done = select(took).join(t.pipeline_runs, t.pipeline_runs.c.run_id == runs.c.id)
    done = done.where(t.pipeline_runs.c.trigger_id == c.id, runs.c.status == "succeeded")
    last = done.order_by(t.pipeline_runs.c.number.desc()).limit(100).correlate(c.id.table)
    averaged = select(func.avg(last.lateral().c.took))
    return cast(averaged.scalar_subquery(), Float)


def _last_status(c: Any) -> Any:
    newest = select(runs.c.status).join(t.pipeline_runs, t.pipeline_runs.c.run_id == runs.c.id)
    newest = newest.where(t.pipeline_runs.c.trigger_id == c.id)
    return newest.order_by(t.pipeline_runs.c.number.desc()).limit(1).scalar_subquery()


@sql_type(
    t.triggers,
    policy=rules.may_read,
    description="What starts a pipeline: a call, a time or an event.",
)
class Trigger(Node, Timestamped):
    """A trigger."""

    number: int = column(t.triggers.c.id, "The id that the REST dialects show.")
    name: str = column(t.triggers.c.name, "Its name.")
    description: str | None = column(t.triggers.c.description, "What it is for.")
    type: TriggerType = column(t.triggers.c.type, "What starts its runs.")
    status: TriggerStatus = column(t.triggers.c.status, "Whether it starts runs.")
    interval: str | None = column(t.triggers.c.interval, "A preset or five cron fields.")
    timezone: str = column(t.triggers.c.timezone, "Time zone of the interval.")
    token: str | None = expression(
        rules.token_if_runner, "Starts a run by URL; shown only to who may start runs."
    )
    variables: JSON | None = column(t.triggers.c.variables, "Variables that its runs start with.")
    settings: JSON | None = column(t.triggers.c.settings, "Settings of its runs.")
    tags: list[str] = column(t.triggers.c.tags, "Tags.")
    sla: int | None = column(t.triggers.c.sla, "Seconds a run should take.")
    start_at: datetime | None = column(t.triggers.c.start_at, "Not before this.")
    last_enabled_at: datetime | None = column(
        t.triggers.c.last_enabled_at, "When it was last switched on."
    )
    next_fire_at: datetime | None = column(
        t.triggers.c.next_fire_at, "When it fires next; null while it is off."
    )
    overlap: TriggerOverlap = column(
        t.triggers.c.overlap, "What becomes of a due run while another goes on."
    )
    catch_up: CatchUp = column(t.triggers.c.catch_up, "Which missed slots it makes up for.")
    catch_up_window_s: int = column(
        t.triggers.c.catch_up_window_s, "How many seconds back it makes up for slots."
    )
    event_matchers: JSON = column(t.triggers.c.event_matchers, "Which events start it.")
    global_data_product_uuid: str | None = column(
        t.triggers.c.global_data_product_uuid, "Kept for callers; not used."
    )
    run_count: int = expression(_runs_started, "How many runs it has started.")
    active_run_count: int = expression(
        _run_count("queued", "running"), "How many of its runs have not ended."
    )
    last_run_status: str | None = expression(_last_status, "Status of its newest run.")
    runtime_average: float | None = expression(
        _runtime_average,
        "Seconds that its last succeeded runs took on average, at most 100 of them.",
    )
    pipeline: LazyPipeline | None = one("Pipeline", t.triggers.c.pipeline_id, "What it starts.")
    created_at: datetime = column(t.triggers.c.created_at, "When it was made.")
    updated_at: datetime = column(t.triggers.c.updated_at, "When it was last changed.")
    version: int = column(t.triggers.c.version, "Raised by each change; for `expectedVersion`.")

    @computed(
        t.triggers.c.type,
        t.triggers.c.interval,
        t.triggers.c.timezone,
        description="The next time of its interval, whether it is on or off.",
    )
    def next_run_date(self) -> datetime | None:
        """When its interval comes round next."""
        return schedule.next_run_date(self._type, self._interval, self._timezone)  # type: ignore[attr-defined]


# That the project is the same, too, lets a page in an order of the ledger use the ledger's index.
_SAME_RUN = and_(
    t.pipeline_runs.c.run_id == runs.c.id, t.pipeline_runs.c.project_id == runs.c.project_id
)


def _number(run: Any) -> Any:
    facet = t.pipeline_runs.alias()
    return select(cast(facet.c.number, Text)).where(facet.c.run_id == run.id).scalar_subquery()


@sql_type(
    runs,
    joins=[(t.pipeline_runs, _SAME_RUN)],
    variant_of=("Run", "pipeline"),
    facet=t.pipeline_runs,
    tally=t.pipeline_run_tallies.c.runs,
    policy=may_read_run,
    description="A run of a pipeline.",
)
class PipelineRun(Run):
    """A pipeline run."""

    number: int = column(t.pipeline_runs.c.number, "The id that the REST dialects show.")
    pipeline: Pipeline | None = one(
        "Pipeline", t.pipeline_runs.c.pipeline_id, "What ran; null where it is gone."
    )
    pipeline_uuid: str = column(
        t.pipeline_runs.c.pipeline_uuid, "Uuid of the pipeline, also when it is gone."
    )
    trigger: Trigger | None = one(
        "Trigger", t.pipeline_runs.c.trigger_id, "What started it; null where it is gone."
    )
    trigger_number: int | None = column(
        t.pipeline_runs.c.trigger_id, "Number of the trigger, also when it is gone."
    )
    trigger_name: str | None = column(
        t.pipeline_runs.c.trigger_name,
        "Name that the trigger had when it started the run; null for a run without a trigger.",
    )
    execution_date: datetime = column(
        t.pipeline_runs.c.execution_date, "The point in time that the run is about."
    )
    variables: JSON | None = column(t.pipeline_runs.c.variables, "Variables of this run.")
    event_variables: JSON | None = column(
        t.pipeline_runs.c.event_variables, "What blocks see as `event`."
    )
    backfill_number: int | None = column(
        t.pipeline_runs.c.backfill_id, "Number of the backfill that it belongs to."
    )
    hold: str | None = column(
        runs.c.hold, "Why it does not start though it is queued, as a word: trigger_inactive."
    )
    executor_type: str = column(t.pipeline_runs.c.executor_type, "Kept for callers.")
    passed_sla: bool = column(t.pipeline_runs.c.passed_sla, "It took longer than it should.")
    wait_for: list[str] = expression(
        run_for(_number),
        "Names of the steps that are tried again, or numbers of the runs that hold the places; "
        "at most ten.",
    )
    metrics: JSON | None = column(t.pipeline_runs.c.metrics, "Figures of the run.")


@sql_type(
    runs,
    variant_of=("Run", "notification"),
    policy=may_read_run,
    description="A message about a pipeline run, sent by one channel.",
)
class NotificationRun(Run):
    """A notification."""

    event: NotificationEvent = expression(
        lambda c: c.params["event"].astext, "What the message is about."
    )
    channel: NotificationChannel = expression(
        lambda c: c.params["channel"].astext, "How it is sent."
    )
    pipeline: Pipeline | None = one(
        "Pipeline", runs.c.subject_id, "Whose run it is about; null where it is gone."
    )
    about_number: int = expression(
        lambda c: cast(c.params["number"].astext, BigInteger),
        "Number of the pipeline run that it is about.",
    )
