"""Filters and orderings of connectors, sources, destinations, jobs, streams and tasks."""

from typing import Any

import strawberry
from sqlalchemy import ColumnElement, select

from app.graphql.filters import (
    UNSET,
    BooleanFilter,
    DateTimeFilter,
    EnumFilter,
    IntFilter,
    StringFilter,
    conditions,
    order_input,
)
from app.ingestion import tables as t
from app.ingestion.kinds import ConnectorKind, SyncJobType
from app.runs.inputs import RunStatus
from app.runs.tables import runs

_ALL, _ANY, _NOT = "All of these.", "At least one of these.", "Not this."


@strawberry.input(description="Which connectors.")
class ConnectorFilter:
    """Conditions on connectors."""

    kind: EnumFilter[ConnectorKind] | None = strawberry.field(default=UNSET, description="By kind.")
    type: StringFilter | None = strawberry.field(default=UNSET, description="By type.")
    connector_version: StringFilter | None = strawberry.field(
        default=UNSET, description="By version."
    )


CONNECTOR_COLUMNS = {
    "kind": t.connectors.c.kind,
    "type": t.connectors.c.type,
    "connector_version": t.connectors.c.connector_version,
}
ConnectorOrder = order_input(
    "Connector",
    {
        "NUMBER": (t.connectors.c.id, "By number."),
        "TYPE": (t.connectors.c.type, "By type."),
        "CONNECTOR_VERSION": (t.connectors.c.connector_version, "By version, as a text."),
    },
)


@strawberry.input(description="Which sources.")
class SyncSourceFilter:
    """Conditions on sources."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    type: StringFilter | None = strawberry.field(default=UNSET, description="By type.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")
    and_: list["SyncSourceFilter"] | None = strawberry.field(
        default=UNSET, name="and", description=_ALL
    )
    or_: list["SyncSourceFilter"] | None = strawberry.field(
        default=UNSET, name="or", description=_ANY
    )
    not_: "SyncSourceFilter | None" = strawberry.field(default=UNSET, name="not", description=_NOT)


@strawberry.input(description="Which destinations.")
class SyncDestinationFilter:
    """Conditions on destinations."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    type: StringFilter | None = strawberry.field(default=UNSET, description="By type.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")
    and_: list["SyncDestinationFilter"] | None = strawberry.field(
        default=UNSET, name="and", description=_ALL
    )
    or_: list["SyncDestinationFilter"] | None = strawberry.field(
        default=UNSET, name="or", description=_ANY
    )
    not_: "SyncDestinationFilter | None" = strawberry.field(
        default=UNSET, name="not", description=_NOT
    )


def _end_columns(table: Any) -> dict[str, Any]:
    return {n: table.c[n] for n in ("name", "type", "created_at", "updated_at")} | {
        "number": table.c.id
    }


def _end_order(entity: str, table: Any) -> Any:
    return order_input(
        entity,
        {
            "NUMBER": (table.c.id, "By number."),
            "NAME": (table.c.name, "By name."),
            "TYPE": (table.c.type, "By type."),
            "CREATED_AT": (table.c.created_at, "By age."),
            "UPDATED_AT": (table.c.updated_at, "By last change."),
        },
    )


SOURCE_COLUMNS = _end_columns(t.sync_sources)
DESTINATION_COLUMNS = _end_columns(t.sync_destinations)
SyncSourceOrder: Any = _end_order("SyncSource", t.sync_sources)
SyncDestinationOrder: Any = _end_order("SyncDestination", t.sync_destinations)


@strawberry.input(description="Which jobs.")
class SyncJobFilter:
    """Conditions on jobs."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    source_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of its source."
    )
    destination_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of its destination."
    )
    source: SyncSourceFilter | None = strawberry.field(default=UNSET, description="By its source.")
    destination: SyncDestinationFilter | None = strawberry.field(
        default=UNSET, description="By its destination."
    )
    is_active: BooleanFilter | None = strawberry.field(
        default=UNSET, description="By whether it is on."
    )
    last_run_status: EnumFilter[RunStatus] | None = strawberry.field(
        default=UNSET, description="By where its newest task stands."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")
    and_: list["SyncJobFilter"] | None = strawberry.field(
        default=UNSET, name="and", description=_ALL
    )
    or_: list["SyncJobFilter"] | None = strawberry.field(default=UNSET, name="or", description=_ANY)
    not_: "SyncJobFilter | None" = strawberry.field(default=UNSET, name="not", description=_NOT)


def _of_source(where: SyncSourceFilter) -> ColumnElement[bool]:
    found = select(t.sync_sources.c.id).where(conditions(where, SOURCE_COLUMNS))
    return t.sync_jobs.c.source_id.in_(found)


def _of_destination(where: SyncDestinationFilter) -> ColumnElement[bool]:
    found = select(t.sync_destinations.c.id).where(conditions(where, DESTINATION_COLUMNS))
    return t.sync_jobs.c.destination_id.in_(found)


_LAST_STATUS = select(runs.c.status).where(runs.c.id == t.sync_jobs.c.last_run_id).scalar_subquery()
_LAST_RUN = select(runs.c.created_at).where(runs.c.id == t.sync_jobs.c.last_run_id)
JOB_COLUMNS = {
    "number": t.sync_jobs.c.id,
    "name": t.sync_jobs.c.name,
    "source_number": t.sync_jobs.c.source_id,
    "destination_number": t.sync_jobs.c.destination_id,
    "source": _of_source,
    "destination": _of_destination,
    "is_active": t.sync_jobs.c.is_active,
    "last_run_status": _LAST_STATUS,
    "created_at": t.sync_jobs.c.created_at,
    "updated_at": t.sync_jobs.c.updated_at,
}
SyncJobOrder = order_input(
    "SyncJob",
    {
        "NUMBER": (t.sync_jobs.c.id, "By number."),
        "NAME": (t.sync_jobs.c.name, "By name."),
        "LAST_RUN_AT": (_LAST_RUN.scalar_subquery(), "By when its newest task was accepted."),
        "NEXT_FIRE_AT": (t.sync_jobs.c.next_fire_at, "By when it is due next."),
        "CREATED_AT": (t.sync_jobs.c.created_at, "By age."),
        "UPDATED_AT": (t.sync_jobs.c.updated_at, "By last change."),
    },
)


@strawberry.input(description="Which streams.")
class SyncStreamFilter:
    """Conditions on streams."""

    namespace: StringFilter | None = strawberry.field(default=UNSET, description="By namespace.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    is_selected: BooleanFilter | None = strawberry.field(
        default=UNSET, description="By whether it is synced."
    )


STREAM_COLUMNS = {
    "namespace": t.sync_streams.c.namespace,
    "name": t.sync_streams.c.name,
    "is_selected": t.sync_streams.c.is_selected,
}
SyncStreamOrder = order_input(
    "SyncStream",
    {
        "POSITION": (t.sync_streams.c.position, "By place in the catalog."),
        "NAME": (t.sync_streams.c.name, "By name."),
        "ROWS": (t.sync_streams.c.rows, "By rows moved."),
        "STATE_AT": (t.sync_streams.c.state_at, "By when its state last changed."),
    },
)


@strawberry.input(description="Which tasks.")
class SyncTaskFilter:
    """Conditions on tasks."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    job_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of its job."
    )
    job_type: EnumFilter[SyncJobType] | None = strawberry.field(
        default=UNSET, description="By what it does."
    )
    status: EnumFilter[RunStatus] | None = strawberry.field(default=UNSET, description="By status.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    started_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By start.")
    and_: list["SyncTaskFilter"] | None = strawberry.field(
        default=UNSET, name="and", description=_ALL
    )
    or_: list["SyncTaskFilter"] | None = strawberry.field(
        default=UNSET, name="or", description=_ANY
    )
    not_: "SyncTaskFilter | None" = strawberry.field(default=UNSET, name="not", description=_NOT)


TASK_COLUMNS = {
    "number": t.sync_tasks.c.number,
    "job_number": t.sync_tasks.c.job_id,
    "job_type": t.sync_tasks.c.job_type,
    "status": runs.c.status,
    "created_at": runs.c.created_at,
    "started_at": runs.c.started_at,
}
SyncTaskOrder = order_input(
    "SyncTask",
    {
        "NUMBER": (t.sync_tasks.c.number, "By number."),
        "CREATED_AT": (runs.c.created_at, "By age."),
        "STARTED_AT": (runs.c.started_at, "By start."),
        "FINISHED_AT": (runs.c.finished_at, "By end."),
        "ROWS": (t.sync_tasks.c.rows, "By rows moved."),
    },
)
