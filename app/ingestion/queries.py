"""Root fields to read connectors, sources, destinations, jobs and tasks."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry
from sqlalchemy import Column, func, select
from strawberry.scalars import JSON

from app.core.errors import NotFound
from app.core.ids import parse_global_id
from app.core.rules import VIEWER
from app.graphql.compiler.declare import Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.fields import root_connection, root_one
from app.graphql.payloads import int_key
from app.ingestion import reads
from app.ingestion import tables as t
from app.ingestion.filters import (
    CONNECTOR_COLUMNS,
    DESTINATION_COLUMNS,
    JOB_COLUMNS,
    SOURCE_COLUMNS,
    TASK_COLUMNS,
    ConnectorFilter,
    ConnectorOrder,
    SyncDestinationFilter,
    SyncDestinationOrder,
    SyncJobFilter,
    SyncJobOrder,
    SyncSourceFilter,
    SyncSourceOrder,
    SyncTaskFilter,
    SyncTaskOrder,
)
from app.ingestion.inputs import (
    ConnectorBy,
    SyncDestinationBy,
    SyncJobBy,
    SyncSourceBy,
    SyncTaskBy,
)
from app.ingestion.kinds import SyncEntity
from app.ingestion.types import (
    Connector,
    ProjectSettings,
    SyncDestination,
    SyncJob,
    SyncSource,
    SyncTask,
)
from app.projects.queries import PROJECT_ARGUMENT, in_project, project_key, project_scope
from app.projects.tables import projects
from app.runs.tables import runs


def row_key(by: Any, type_name: str, what: str) -> int:
    """The row key that a `by` of id or number means."""
    if not by.id:
        return by.number or 0
    found: int = derive(lambda text: int_key(text, type_name, what), by.id, like=0)
    return found


def source_key(by: SyncSourceBy) -> int:
    """The row key of a source."""
    return row_key(by, "SyncSource", "source")


def destination_key(by: SyncDestinationBy) -> int:
    """The row key of a destination."""
    return row_key(by, "SyncDestination", "destination")


def job_key(by: SyncJobBy) -> int:
    """The row key of a job."""
    return row_key(by, "SyncJob", "job")


def task_named(by: SyncTaskBy) -> Scoped:
    """The condition that a SyncTaskBy means."""
    if by.id:
        return Scoped((runs.c.id == derive(_run_key, by.id, like=UUID(int=0)),))
    if by.run_id:
        return Scoped((runs.c.id == derive(_uuid, by.run_id, like=UUID(int=0)),))
    return Scoped((t.sync_tasks.c.number == (by.number or 0),))


def _run_key(given: str) -> UUID:
    parsed = parse_global_id(given)
    try:
        if parsed is None or parsed[0] != "SyncTask":
            raise ValueError
        return UUID(parsed[1])
    except ValueError as error:
        raise NotFound("There is no such task.") from error


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        # A text that is no id names no task.
        return UUID(int=0)


def _connector_named(given: Mapping[str, Any]) -> Scoped:
    by: ConnectorBy = given["by"]
    c, other = t.connectors.c, t.connectors.alias()
    same = (other.c.kind == by.kind.value, other.c.type == by.type)
    newest = select(func.max(other.c.id)).where(*same).scalar_subquery()
    exact = select(other.c.id).where(*same, other.c.connector_version == by.connector_version)
    if not by.connector_version:
        return Scoped((c.id == newest,))
    return Scoped((c.id == func.coalesce(exact.scalar_subquery(), newest),))


def _settings_named(given: Mapping[str, Any]) -> Scoped:
    if given["project_id"] is None:
        return Scoped((projects.c.id == VIEWER.project,), needs_project=True)
    return Scoped((projects.c.id == derive(project_key, given["project_id"], like=0),))


def _by(type_: Any, what: str) -> dict[str, tuple[Any, str]]:
    return {"by": (type_, what)}


def _named(column: Column[Any], key: Callable[[Any], int]) -> Callable[[Mapping[str, Any]], Scoped]:
    return lambda given: Scoped((column == key(given["by"]),))


@strawberry.type
class SyncQuery:
    """Syncs."""

    connectors: Connection[Connector] = root_connection(
        "Connector",
        "Connectors of all kinds and versions.",
        where=ConnectorFilter,
        columns=CONNECTOR_COLUMNS,
        order=ConnectorOrder,
        default_order=[(t.connectors.c.id, True)],
    )
    sync_sources: Connection[SyncSource] = root_connection(
        "SyncSource",
        "Sources of a project, last changed first.",
        where=SyncSourceFilter,
        columns=SOURCE_COLUMNS,
        order=SyncSourceOrder,
        default_order=[(t.sync_sources.c.updated_at, True)],
        scope=in_project(t.sync_sources),
        extra=PROJECT_ARGUMENT,
    )
    sync_destinations: Connection[SyncDestination] = root_connection(
        "SyncDestination",
        "Destinations of a project, last changed first.",
        where=SyncDestinationFilter,
        columns=DESTINATION_COLUMNS,
        order=SyncDestinationOrder,
        default_order=[(t.sync_destinations.c.updated_at, True)],
        scope=in_project(t.sync_destinations),
        extra=PROJECT_ARGUMENT,
    )
    sync_jobs: Connection[SyncJob] = root_connection(
        "SyncJob",
        "Sync jobs of a project, last changed first.",
        where=SyncJobFilter,
        columns=JOB_COLUMNS,
        order=SyncJobOrder,
        default_order=[(t.sync_jobs.c.updated_at, True)],
        scope=in_project(t.sync_jobs),
        extra=PROJECT_ARGUMENT,
    )
    sync_tasks: Connection[SyncTask] = root_connection(
        "SyncTask",
        "Tasks of all jobs of a project, newest first.",
        where=SyncTaskFilter,
        columns=TASK_COLUMNS,
        order=SyncTaskOrder,
        default_order=[(t.sync_tasks.c.number, True)],
        scope=in_project(t.sync_tasks),
        extra=PROJECT_ARGUMENT,
    )

    connector: Connector | None = root_one(
        "Connector",
        Connector,
        "One connector.",
        arguments=_by(ConnectorBy, "Which connector."),
        named=_connector_named,
    )
    sync_source: SyncSource | None = root_one(
        "SyncSource",
        SyncSource,
        "One source.",
        arguments=_by(SyncSourceBy, "Which source."),
        named=_named(t.sync_sources.c.id, source_key),
    )
    sync_destination: SyncDestination | None = root_one(
        "SyncDestination",
        SyncDestination,
        "One destination.",
        arguments=_by(SyncDestinationBy, "Which destination."),
        named=_named(t.sync_destinations.c.id, destination_key),
    )
    sync_job: SyncJob | None = root_one(
        "SyncJob",
        SyncJob,
        "One sync job.",
        arguments=_by(SyncJobBy, "Which job."),
        named=_named(t.sync_jobs.c.id, job_key),
    )
    sync_task: SyncTask | None = root_one(
        "SyncTask",
        SyncTask,
        "One task.",
        arguments=_by(SyncTaskBy, "Which task."),
        named=lambda given: task_named(given["by"]),
    )
    project_settings: ProjectSettings | None = root_one(
        "ProjectSettings",
        ProjectSettings,
        "Settings of a project's syncs.",
        arguments=PROJECT_ARGUMENT,
        required=False,
        named=_settings_named,
    )

    @strawberry.field(
        description="The JSON Schema of a connector's settings; with `catalog` that of Iceberg for "
        "this catalog alone. Null for an unknown type."
    )
    async def connector_spec(
        self,
        info: Info,
        by: Annotated[ConnectorBy, strawberry.argument(description="Which connector.")],
        catalog: Annotated[
            str | None, strawberry.argument(description="An Iceberg catalog, such as rest.")
        ] = None,
    ) -> JSON | None:
        """Narrow a spec."""
        info.context.subject.require_known()
        found: Any = await reads.spec_of(str(by.kind.value), by.type, by.connector_version, catalog)
        return cast(JSON, found)

    @strawberry.field(description="Whether a new source, destination or job may have the name.")
    async def sync_name_is_free(
        self,
        info: Info,
        entity: Annotated[SyncEntity, strawberry.argument(description="What shall have it.")],
        name: Annotated[str, strawberry.argument(description="The name.")],
        project_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="In which project; that of the call if left out."),
        ] = None,
    ) -> bool:
        """Look for the name."""
        subject = info.context.subject
        project = project_scope(info, project_id)
        return await reads.name_is_free(subject, project, str(entity.value), name)

    @strawberry.field(
        description="Which streams of a new catalog must be cleared before they are synced: new "
        "ones, and those whose settings differ. Empty where there is none."
    )
    async def sync_job_stream_difference(
        self,
        info: Info,
        by: Annotated[SyncJobBy, strawberry.argument(description="The job.")],
        streams_config: Annotated[JSON, strawberry.argument(description="The new catalog.")],
    ) -> JSON | None:
        """Compare catalogs."""
        found: Any = await reads.stream_difference(
            info.context.subject, job_key(by), streams_config
        )
        return cast(JSON, found)
