"""Filters and orderings of pipelines, triggers and pipeline runs."""

from typing import Any

import strawberry
from sqlalchemy import ColumnElement, case, exists, func, select

from app.graphql.filters import (
    UNSET,
    DateTimeFilter,
    EnumFilter,
    IntFilter,
    StringFilter,
    StringListFilter,
    conditions,
    order_input,
)
from app.pipelines import tables as t
from app.pipelines.kinds import BlockLanguage, BlockType, PipelineType, TriggerStatus, TriggerType
from app.runs.inputs import STEP_COLUMNS, RunStatus
from app.runs.tables import run_steps, runs


@strawberry.input(description="Which pipelines.")
class PipelineFilter:
    """Conditions on pipelines."""

    uuid: StringFilter | None = strawberry.field(default=UNSET, description="By uuid.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    type: EnumFilter[PipelineType] | None = strawberry.field(default=UNSET, description="By type.")
    tags: StringListFilter | None = strawberry.field(default=UNSET, description="By tags.")
    triggers: "TriggerFilter | None" = strawberry.field(
        default=UNSET, description="Has a trigger that this filter matches."
    )
    has_triggers: bool | None = strawberry.field(
        default=UNSET, description="Has any trigger, or has none."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    updated_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By change.")
    and_: list["PipelineFilter"] | None = strawberry.field(
        default=UNSET, name="and", description="All of these."
    )
    or_: list["PipelineFilter"] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these."
    )
    not_: "PipelineFilter | None" = strawberry.field(
        default=UNSET, name="not", description="Not this."
    )


def _has_trigger_with(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(t.triggers.c.pipeline_id == t.pipelines.c.id, *where)


def _has_trigger(where: "TriggerFilter") -> ColumnElement[bool]:
    matching = select(t.triggers.c.pipeline_id).where(conditions(where, TRIGGER_COLUMNS))
    return t.pipelines.c.id.in_(matching)


def _has_any_trigger(wanted: bool) -> ColumnElement[bool]:
    found = t.pipelines.c.id.in_(select(t.triggers.c.pipeline_id))
    return found if wanted else ~found


def _counted(of: Any) -> ColumnElement[int]:
    counted = select(func.count()).where(of.c.pipeline_id == t.pipelines.c.id)
    return counted.scalar_subquery()


_SWITCHED = case(
    (_has_trigger_with(t.triggers.c.status == "active"), "active"),
    (_has_trigger_with(), "inactive"),
    else_="no_schedules",
)
PIPELINE_COLUMNS = {
    "uuid": t.pipelines.c.uuid,
    "name": t.pipelines.c.name,
    "type": t.pipelines.c.type,
    "tags": t.pipelines.c.tags,
    "triggers": _has_trigger,
    "has_triggers": _has_any_trigger,
    "created_at": t.pipelines.c.created_at,
    "updated_at": t.pipelines.c.updated_at,
}
PipelineOrder = order_input(
    "Pipeline",
    {
        "NUMBER": (t.pipelines.c.id, "By number."),
        "UUID": (t.pipelines.c.uuid, "By uuid."),
        "NAME": (t.pipelines.c.name, "By name."),
        "TYPE": (t.pipelines.c.type, "By type."),
        "BLOCK_COUNT": (_counted(t.blocks), "By how many blocks it has."),
        "TRIGGER_COUNT": (_counted(t.triggers), "By how many triggers it has."),
        "STATUS": (_SWITCHED, "With an active trigger, with inactive ones only, without any."),
        "CREATED_AT": (t.pipelines.c.created_at, "By age."),
        "UPDATED_AT": (t.pipelines.c.updated_at, "By last change."),
    },
)


@strawberry.input(description="Which triggers.")
class TriggerFilter:
    """Conditions on triggers."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    type: EnumFilter[TriggerType] | None = strawberry.field(default=UNSET, description="By type.")
    status: EnumFilter[TriggerStatus] | None = strawberry.field(
        default=UNSET, description="By status."
    )
    interval: StringFilter | None = strawberry.field(default=UNSET, description="By interval.")
    tags: StringListFilter | None = strawberry.field(default=UNSET, description="By tags.")
    pipeline_uuid: StringFilter | None = strawberry.field(
        default=UNSET, description="By the uuid of its pipeline."
    )
    global_data_product_uuid: StringFilter | None = strawberry.field(
        default=UNSET, description="By global data product."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    and_: list["TriggerFilter"] | None = strawberry.field(
        default=UNSET, name="and", description="All of these."
    )
    or_: list["TriggerFilter"] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these."
    )
    not_: "TriggerFilter | None" = strawberry.field(
        default=UNSET, name="not", description="Not this."
    )


def _of_pipeline(where: StringFilter) -> ColumnElement[bool]:
    matching = select(t.pipelines.c.id).where(
        conditions(PipelineFilter(uuid=where), PIPELINE_COLUMNS)
    )
    return t.triggers.c.pipeline_id.in_(matching)


TRIGGER_COLUMNS = {
    "number": t.triggers.c.id,
    "name": t.triggers.c.name,
    "type": t.triggers.c.type,
    "status": t.triggers.c.status,
    "interval": t.triggers.c.interval,
    "tags": t.triggers.c.tags,
    "pipeline_uuid": _of_pipeline,
    "global_data_product_uuid": t.triggers.c.global_data_product_uuid,
    "created_at": t.triggers.c.created_at,
}
_PIPELINE_UUID = (
    select(t.pipelines.c.uuid).where(t.pipelines.c.id == t.triggers.c.pipeline_id).scalar_subquery()
)
TriggerOrder = order_input(
    "Trigger",
    {
        "NUMBER": (t.triggers.c.id, "By number."),
        "NAME": (t.triggers.c.name, "By name."),
        "PIPELINE_UUID": (_PIPELINE_UUID, "By the uuid of its pipeline."),
        "STATUS": (t.triggers.c.status, "By status."),
        "TYPE": (t.triggers.c.type, "By type."),
        "CREATED_AT": (t.triggers.c.created_at, "By age."),
    },
)


@strawberry.input(description="Which pipeline runs.")
class PipelineRunFilter:
    """Conditions on pipeline runs."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    status: EnumFilter[RunStatus] | None = strawberry.field(default=UNSET, description="By status.")
    pipeline_uuid: StringFilter | None = strawberry.field(
        default=UNSET, description="By the uuid of its pipeline."
    )
    pipeline: PipelineFilter | None = strawberry.field(
        default=UNSET, description="By its pipeline."
    )
    trigger_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of its trigger."
    )
    backfill_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the number of its backfill."
    )
    execution_date: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By execution date."
    )
    is_latest: bool | None = strawberry.field(
        default=UNSET,
        description="Is the newest of its trigger's runs with its execution date, or is not.",
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    and_: list["PipelineRunFilter"] | None = strawberry.field(
        default=UNSET, name="and", description="All of these."
    )
    or_: list["PipelineRunFilter"] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these."
    )
    not_: "PipelineRunFilter | None" = strawberry.field(
        default=UNSET, name="not", description="Not this."
    )


def _run_of_pipeline(where: PipelineFilter) -> ColumnElement[bool]:
    matching = select(t.pipelines.c.id).where(conditions(where, PIPELINE_COLUMNS))
    return t.pipeline_runs.c.pipeline_id.in_(matching)


def _is_latest(wanted: bool) -> ColumnElement[bool]:
    own, other = t.pipeline_runs, t.pipeline_runs.alias()
    newer = exists().where(
        other.c.trigger_id == own.c.trigger_id,
        other.c.execution_date == own.c.execution_date,
        other.c.number > own.c.number,
    )
    return ~newer if wanted else newer


PIPELINE_RUN_COLUMNS = {
    "number": t.pipeline_runs.c.number,
    "status": runs.c.status,
    "pipeline_uuid": t.pipeline_runs.c.pipeline_uuid,
    "pipeline": _run_of_pipeline,
    "trigger_number": t.pipeline_runs.c.trigger_id,
    "backfill_number": t.pipeline_runs.c.backfill_id,
    "execution_date": t.pipeline_runs.c.execution_date,
    "is_latest": _is_latest,
    "created_at": runs.c.created_at,
}
PipelineRunOrder = order_input(
    "PipelineRun",
    {
        "NUMBER": (t.pipeline_runs.c.number, "By number."),
        "EXECUTION_DATE": (t.pipeline_runs.c.execution_date, "By execution date."),
        "CREATED_AT": (runs.c.created_at, "By age."),
        "STARTED_AT": (runs.c.started_at, "By start."),
        "FINISHED_AT": (runs.c.finished_at, "By end."),
        "STATUS": (runs.c.status, "By status."),
    },
)


def _step_of_pipeline(where: StringFilter) -> ColumnElement[bool]:
    columns = {"pipeline_uuid": t.pipeline_runs.c.pipeline_uuid}
    named = conditions(PipelineRunFilter(pipeline_uuid=where), columns)
    return run_steps.c.run_id.in_(select(t.pipeline_runs.c.run_id).where(named))


# What a step's run is about is known here, not in the domain of runs.
STEP_COLUMNS["pipeline_uuid"] = _step_of_pipeline


@strawberry.input(description="Which blocks.")
class BlockFilter:
    """Conditions on blocks."""

    uuid: StringFilter | None = strawberry.field(default=UNSET, description="By uuid.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    type: EnumFilter[BlockType] | None = strawberry.field(default=UNSET, description="By type.")
    language: EnumFilter[BlockLanguage] | None = strawberry.field(
        default=UNSET, description="By language."
    )
    pipeline: PipelineFilter | None = strawberry.field(
        default=UNSET, description="By its pipeline."
    )


def _block_of_pipeline(where: PipelineFilter) -> ColumnElement[bool]:
    matching = select(t.pipelines.c.id).where(conditions(where, PIPELINE_COLUMNS))
    return t.blocks.c.pipeline_id.in_(matching)


BLOCK_COLUMNS = {
    "uuid": t.blocks.c.uuid,
    "name": t.blocks.c.name,
    "type": t.blocks.c.type,
    "language": t.blocks.c.language,
    "pipeline": _block_of_pipeline,
}
BlockOrder = order_input(
    "Block",
    {
        "NUMBER": (t.blocks.c.id, "By number."),
        "UUID": (t.blocks.c.uuid, "By uuid."),
        "UPDATED_AT": (t.blocks.c.updated_at, "By last change."),
    },
)
