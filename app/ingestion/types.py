"""GraphQL types of connectors, sources, destinations, jobs, streams and tasks."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import BigInteger, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from strawberry.scalars import JSON

from app.access.tables import users
from app.access.types import User
from app.graphql.compiler.declare import column, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.fields import connection, many, one
from app.graphql.node import Node, Timestamped
from app.graphql.scalars import BigInt
from app.ingestion import rules
from app.ingestion import tables as t
from app.ingestion.filters import (
    STREAM_COLUMNS,
    TASK_COLUMNS,
    SyncStreamFilter,
    SyncStreamOrder,
    SyncTaskFilter,
    SyncTaskOrder,
)
from app.ingestion.kinds import ConnectorKind, SyncJobType
from app.projects.rules import may_read_settings
from app.projects.tables import projects
from app.projects.types import Project
from app.runs.inputs import RunStatus
from app.runs.rules import may_read as may_read_run
from app.runs.tables import runs
from app.runs.types import Run

LazyJob = Annotated["SyncJob", strawberry.lazy("app.ingestion.types")]
LazySource = Annotated["SyncSource", strawberry.lazy("app.ingestion.types")]
LazyDestination = Annotated["SyncDestination", strawberry.lazy("app.ingestion.types")]
LazyStream = Annotated["SyncStream", strawberry.lazy("app.ingestion.types")]
LazyTask = Annotated["SyncTask", strawberry.lazy("app.ingestion.types")]

STATE_VERSION = 7
"""Of OLake's state document."""

_VERSION = "Raised by each change; for `expectedVersion`."
_CONFIG = "Its settings; each secret is a handle that may be sent back in place of the secret."
_AS_TEXT = "The settings were last written as a text that holds JSON."
_MAKER = "Username of who made it; null where the account is gone."
_CHANGER = "Username of who last changed it; null where the account is gone."


def _username(column_name: str) -> Any:
    """A username beside the row: members may not see the user of an owner who is no member."""

    def make(c: Any) -> Any:
        user = users.alias()
        named = select(user.c.username).where(user.c.id == getattr(c, column_name))
        return named.scalar_subquery()

    return make


@sql_type(
    t.connectors,
    policy=rules.may_read_connector,
    description="A kind of source or destination in one version.",
)
class Connector(Node, Timestamped):
    """A connector."""

    number: int = column(t.connectors.c.id, "Its number; newer versions have higher ones.")
    kind: ConnectorKind = column(t.connectors.c.kind, "Which end it serves.")
    type: str = column(t.connectors.c.type, "Its type, such as postgres.")
    connector_version: str = column(
        t.connectors.c.connector_version, "Its version, such as v0.9.4."
    )
    title: str = column(t.connectors.c.title, "Its name for people.")
    spec: JSON = column(t.connectors.c.spec, "JSON Schema (draft-07) of its settings.")
    ui_spec: str = column(t.connectors.c.ui_spec, "How forms lay the settings out, as JSON text.")
    abilities: JSON = column(
        t.connectors.c.abilities,
        "What it can do: `runs`, `why_not` where it does not, `sync_modes`.",
    )
    created_at: datetime = column(t.connectors.c.created_at, "When it was registered.")
    updated_at: datetime = column(t.connectors.c.updated_at, "When it last changed.")


@sql_type(t.sync_sources, policy=rules.may_read, description="Where a sync gets its data.")
class SyncSource(Node, Timestamped):
    """A source."""

    number: int = column(t.sync_sources.c.id, "The id that the REST dialects show.")
    name: str = column(t.sync_sources.c.name, "Its name; unique among the project's sources.")
    type: str = column(t.sync_sources.c.type, "Type of its connector, such as postgres.")
    connector_version: str = column(t.sync_sources.c.connector_version, "Version of its connector.")
    config: JSON = column(t.sync_sources.c.shown_config, _CONFIG)
    config_as_text: bool = column(t.sync_sources.c.text_config, _AS_TEXT)
    project: Project | None = one("Project", t.sync_sources.c.project_id, "Where it belongs.")
    jobs: list[LazyJob] = many(
        "SyncJob",
        t.sync_sources.c.id,
        t.sync_jobs.c.source_id,
        "Jobs that read it, newest first; at most 500.",
        order=[t.sync_jobs.c.id.desc()],
    )
    created_by: User | None = one("User", t.sync_sources.c.created_by, "Who made it.")
    updated_by: User | None = one("User", t.sync_sources.c.updated_by, "Who last changed it.")
    created_by_name: str | None = expression(_username("created_by"), _MAKER)
    updated_by_name: str | None = expression(_username("updated_by"), _CHANGER)
    created_at: datetime = column(t.sync_sources.c.created_at, "When it was made.")
    updated_at: datetime = column(t.sync_sources.c.updated_at, "When it was last changed.")
    version: int = column(t.sync_sources.c.version, _VERSION)


@sql_type(t.sync_destinations, policy=rules.may_read, description="Where a sync puts its data.")
class SyncDestination(Node, Timestamped):
    """A destination."""

    number: int = column(t.sync_destinations.c.id, "The id that the REST dialects show.")
    name: str = column(
        t.sync_destinations.c.name, "Its name; unique among the project's destinations."
    )
    type: str = column(t.sync_destinations.c.type, "Type of its connector, such as iceberg.")
    connector_version: str = column(
        t.sync_destinations.c.connector_version, "Version of its connector."
    )
    config: JSON = column(t.sync_destinations.c.shown_config, _CONFIG)
    config_as_text: bool = column(t.sync_destinations.c.text_config, _AS_TEXT)
    project: Project | None = one("Project", t.sync_destinations.c.project_id, "Where it belongs.")
    jobs: list[LazyJob] = many(
        "SyncJob",
        t.sync_destinations.c.id,
        t.sync_jobs.c.destination_id,
        "Jobs that write to it, newest first; at most 500.",
        order=[t.sync_jobs.c.id.desc()],
    )
    created_by: User | None = one("User", t.sync_destinations.c.created_by, "Who made it.")
    updated_by: User | None = one("User", t.sync_destinations.c.updated_by, "Who last changed it.")
    created_by_name: str | None = expression(_username("created_by"), _MAKER)
    updated_by_name: str | None = expression(_username("updated_by"), _CHANGER)
    created_at: datetime = column(t.sync_destinations.c.created_at, "When it was made.")
    updated_at: datetime = column(t.sync_destinations.c.updated_at, "When it was last changed.")
    version: int = column(t.sync_destinations.c.version, _VERSION)


def _of_last_run(build: Any) -> Any:
    """Something of a job's newest task; null for a job that never ran."""

    def make(c: Any) -> Any:
        run, task = runs.alias(), t.sync_tasks.alias()
        found = select(build(run.c, task.c)).join(task, task.c.run_id == run.c.id)
        return found.where(run.c.id == c.last_run_id).scalar_subquery()

    return make


def _state(c: Any) -> Any:
    own = t.sync_streams.alias()
    stream = func.jsonb_build_object(
        "stream", own.c.name, "namespace", own.c.namespace, "sync_mode", "", "state", own.c.state
    )
    listed = func.jsonb_agg(aggregate_order_by(stream, own.c.position, own.c.id), type_=JSONB)
    begun = select(listed).where(own.c.job_id == c.id, own.c.state_at.is_not(None))
    streams = func.coalesce(begun.scalar_subquery(), cast(literal("[]"), JSONB))
    return func.jsonb_build_object(
        "type", "STREAM", "version", STATE_VERSION, "streams", streams, type_=JSONB
    )


@sql_type(t.sync_jobs, policy=rules.may_read, description="What moves which streams, and when.")
class SyncJob(Node, Timestamped):
    """A job."""

    number: int = column(t.sync_jobs.c.id, "The id that the REST dialects show.")
    name: str = column(t.sync_jobs.c.name, "Its name; unique among the project's jobs.")
    frequency: str = column(
        t.sync_jobs.c.frequency, "When it runs, as it was written; empty: only when called."
    )
    cron: str = column(t.sync_jobs.c.cron, "What is read of the frequency: a cron line in UTC.")
    next_fire_at: datetime | None = column(
        t.sync_jobs.c.next_fire_at, "When it is due next; null while it is off."
    )
    is_active: bool = column(t.sync_jobs.c.is_active, "Whether it may run.")
    streams_config: JSON = column(
        t.sync_jobs.c.streams, "The catalog: `selected_streams` and `streams`, as OLake has them."
    )
    streams_as_text: bool = column(
        t.sync_jobs.c.text_streams, "The catalog was last written as a text that holds JSON."
    )
    advanced_settings: JSON | None = expression(
        rules.advanced_if_writer,
        "Further settings; `webhook_url` only for who may change the job.",
    )
    state: JSON = expression(_state, "How far it has read, as OLake's state document.")
    project: Project | None = one("Project", t.sync_jobs.c.project_id, "Where it belongs.")
    source: SyncSource | None = one("SyncSource", t.sync_jobs.c.source_id, "What it reads.")
    destination: SyncDestination | None = one(
        "SyncDestination", t.sync_jobs.c.destination_id, "What it writes to."
    )
    last_task: LazyTask | None = one("SyncTask", t.sync_jobs.c.last_run_id, "Its newest task.")
    last_run_at: datetime | None = expression(
        _of_last_run(lambda run, _: func.coalesce(run.started_at, run.created_at)),
        "When its newest task began, or was accepted; null for a job that never ran.",
    )
    last_run_status: RunStatus | None = expression(
        _of_last_run(lambda run, _: run.status), "Where its newest task stands."
    )
    last_run_type: SyncJobType | None = expression(
        _of_last_run(lambda _, task: task.job_type), "What its newest task does."
    )
    slot_retained_bytes: BigInt | None = column(
        t.sync_jobs.c.slot_retained_bytes,
        "Log that its source's server keeps for its replication slot; null where none is known.",
    )
    slot_warning: str | None = column(
        t.sync_jobs.c.slot_warning,
        "What is wrong with its replication slot, such as too much log kept for it.",
    )
    slot_seen_at: datetime | None = column(
        t.sync_jobs.c.slot_seen_at,
        "When its replication slot was last looked at; null for a job that has none.",
    )
    streams: Connection[LazyStream] = connection(
        "SyncStream",
        t.sync_jobs.c.id,
        t.sync_streams.c.job_id,
        "The streams of its catalog, in order.",
        where=SyncStreamFilter,
        columns=STREAM_COLUMNS,
        order=SyncStreamOrder,
        default_order=[(t.sync_streams.c.position, False)],
    )
    tasks: Connection[LazyTask] = connection(
        "SyncTask",
        t.sync_jobs.c.id,
        t.sync_tasks.c.job_id,
        "Its tasks, newest first.",
        where=SyncTaskFilter,
        columns=TASK_COLUMNS,
        order=SyncTaskOrder,
        default_order=[(t.sync_tasks.c.number, True)],
    )
    created_by: User | None = one("User", t.sync_jobs.c.created_by, "Who made it.")
    updated_by: User | None = one("User", t.sync_jobs.c.updated_by, "Who last changed it.")
    created_by_name: str | None = expression(_username("created_by"), _MAKER)
    updated_by_name: str | None = expression(_username("updated_by"), _CHANGER)
    created_at: datetime = column(t.sync_jobs.c.created_at, "When it was made.")
    updated_at: datetime = column(t.sync_jobs.c.updated_at, "When it was last changed.")
    version: int = column(t.sync_jobs.c.version, _VERSION)


@sql_type(
    t.sync_streams,
    policy=rules.may_read_stream,
    description="A table, collection or folder that a job knows of.",
)
class SyncStream(Node, Timestamped):
    """A stream."""

    namespace: str = column(t.sync_streams.c.namespace, "Schema, database or the like.")
    name: str = column(t.sync_streams.c.name, "Its name.")
    position: int = column(t.sync_streams.c.position, "Its place in the catalog.")
    is_selected: bool = column(t.sync_streams.c.is_selected, "Whether it is synced.")
    sync_mode: str = column(t.sync_streams.c.sync_mode, "How it is read, such as full_refresh.")
    cursor_field: str | None = column(
        t.sync_streams.c.cursor_field, "The column that tells what is new, where it needs one."
    )
    destination_database: str | None = column(
        t.sync_streams.c.destination_database, "Where it is put."
    )
    destination_table: str | None = column(t.sync_streams.c.destination_table, "Under which name.")
    state: JSON = column(t.sync_streams.c.state, "How far it has been read; empty: not begun.")
    state_at: datetime | None = column(t.sync_streams.c.state_at, "When the state last changed.")
    rows: BigInt = column(t.sync_streams.c.rows, "Rows moved since its state was last reset.")
    bytes: BigInt = column(t.sync_streams.c.bytes, "Bytes moved since its state was last reset.")
    job: SyncJob | None = one("SyncJob", t.sync_streams.c.job_id, "The job that knows it.")
    created_at: datetime = column(t.sync_streams.c.created_at, "When the job learned of it.")
    updated_at: datetime = column(t.sync_streams.c.updated_at, "When it last changed.")


def _runtime(c: Any) -> Any:
    until = func.coalesce(c.finished_at, func.now())
    return cast(func.floor(func.extract("epoch", until - c.started_at)), BigInteger)


@sql_type(
    runs,
    joins=[(t.sync_tasks, t.sync_tasks.c.run_id == runs.c.id)],
    variant_of=("Run", "sync", "clear"),
    policy=rules.may_read_task,
    description="A run of a job: a sync, or the clearing of its destination.",
)
class SyncTask(Run):
    """A task."""

    number: int = column(t.sync_tasks.c.number, "Its number.")
    job_type: SyncJobType = column(t.sync_tasks.c.job_type, "What it does.")
    job: SyncJob | None = one("SyncJob", t.sync_tasks.c.job_id, "Its job; null where it is gone.")
    job_number: int = column(t.sync_tasks.c.job_id, "Number of its job, also when that is gone.")
    runtime_s: BigInt | None = expression(
        _runtime, "Seconds that it took, or has taken until now; null before it begins."
    )
    rows: BigInt = column(
        t.sync_tasks.c.rows, "Rows written so far, with those of a load that goes on."
    )
    bytes: BigInt = column(
        t.sync_tasks.c.bytes, "Bytes written so far, with those of a load that goes on."
    )
    rows_per_second: float = column(t.sync_tasks.c.rows_per_s, "How fast it is, or was.")
    stream_progress: JSON = column(
        t.sync_tasks.c.streams,
        "Status, rows and bytes of each stream that has begun, by name; while a load is written, "
        "percent is how much of it is read, where that is known.",
    )


@sql_type(
    runs,
    variant_of=("Run", "check", "discover"),
    policy=may_read_run,
    description="A look at a source or destination: does it answer, what does it hold.",
)
class ProbeRun(Run):
    """A test of a connection, or a discovery."""

    connector_type: str = expression(
        lambda c: c.params["type"].astext, "Type of the connector, such as postgres."
    )


@sql_type(
    runs,
    variant_of=("Run", "sync_webhook"),
    policy=may_read_run,
    description="A message about a sync, to the address of its project or job.",
)
class SyncWebhookRun(Run):
    """A message."""

    sync_event: str = expression(
        lambda c: c.params["event"].astext,
        "What it tells of: sync.started, sync.failed, sync.succeeded or slot.warning.",
    )
    about_number: int = expression(
        lambda c: func.coalesce(cast(c.params["number"].astext, BigInteger), 0),
        "Number of the task it is about; 0 where it is about a replication slot.",
    )
    job: SyncJob | None = one("SyncJob", runs.c.subject_id, "The job it is about.")


@sql_type(
    projects,
    policy=may_read_settings,
    description="Settings of a project's syncs.",
)
class ProjectSettings(Node):
    """Settings of a project."""

    number: int = column(projects.c.id, "The project's number.")
    project: Project | None = one("Project", projects.c.id, "The project.")
    webhook_alert_url: str = expression(
        rules.webhook_if_writer,
        "Where starts and ends of syncs are told of; empty for nobody, and for who may not change it.",
    )
