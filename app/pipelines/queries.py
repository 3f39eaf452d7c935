"""Root fields to read pipelines, blocks, triggers and pipeline runs."""

from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy import ColumnElement, select

from app.core.errors import Invalid, NotFound
from app.core.ids import parse_global_id
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.payloads import int_key
from app.graphql.rows import fetch_one, root_connection
from app.pipelines import tables as t
from app.pipelines.filters import (
    BLOCK_COLUMNS,
    PIPELINE_COLUMNS,
    PIPELINE_RUN_COLUMNS,
    TRIGGER_COLUMNS,
    BlockFilter,
    BlockOrder,
    PipelineFilter,
    PipelineOrder,
    PipelineRunFilter,
    PipelineRunOrder,
    TriggerFilter,
    TriggerOrder,
)
from app.pipelines.inputs import BlockBy, PipelineBy, PipelineRunBy, TriggerBy
from app.pipelines.types import Block, Pipeline, PipelineRun, Trigger
from app.projects.queries import PROJECT_ARGUMENT, in_project
from app.runs.tables import runs


def pipeline_named(info: Info, by: PipelineBy) -> ColumnElement[bool]:
    """The condition that a PipelineBy means."""
    if by.id:
        return t.pipelines.c.id == int_key(by.id, "Pipeline", "pipeline")
    project = info.context.subject.call_project()
    return (t.pipelines.c.uuid == (by.uuid or "")) & (t.pipelines.c.project_id == project)


def block_named(info: Info, by: BlockBy) -> ColumnElement[bool]:
    """The condition that a BlockBy means."""
    if by.id:
        return t.blocks.c.id == int_key(by.id, "Block", "block")
    if not by.path:
        raise Invalid("Name a block by id or path.")
    pipeline = pipeline_named(info, PipelineBy(uuid=by.path.pipeline))
    owner = select(t.pipelines.c.id).where(pipeline).scalar_subquery()
    return (t.blocks.c.uuid == by.path.block) & (t.blocks.c.pipeline_id == owner)


def trigger_key(by: TriggerBy) -> int:
    """The row key that a TriggerBy means."""
    return int_key(by.id, "Trigger", "trigger") if by.id else int(by.number or 0)


def run_named(info: Info, by: PipelineRunBy) -> ColumnElement[bool]:
    """The condition that a PipelineRunBy means."""
    if not by.id:
        return t.pipeline_runs.c.number == (by.number or 0)
    parsed = parse_global_id(by.id)
    try:
        if parsed is None or parsed[0] != "PipelineRun":
            raise ValueError
        return runs.c.id == UUID(parsed[1])
    except ValueError as error:
        raise NotFound("There is no such run.") from error


@strawberry.type
class PipelineQuery:
    """Pipelines and what belongs to them."""

    pipelines: Connection[Pipeline] = root_connection(
        "Pipeline",
        "Pipelines of a project, by uuid.",
        where=PipelineFilter,
        columns=PIPELINE_COLUMNS,
        order=PipelineOrder,
        default_order=[(t.pipelines.c.uuid, False)],
        scope=in_project(t.pipelines),
        extra=PROJECT_ARGUMENT,
    )
    blocks: Connection[Block] = root_connection(
        "Block",
        "Blocks of all pipelines of a project, newest first.",
        where=BlockFilter,
        columns=BLOCK_COLUMNS,
        order=BlockOrder,
        default_order=[(t.blocks.c.id, True)],
        scope=in_project(t.blocks),
        extra=PROJECT_ARGUMENT,
    )
    triggers: Connection[Trigger] = root_connection(
        "Trigger",
        "Triggers of a project, newest first.",
        where=TriggerFilter,
        columns=TRIGGER_COLUMNS,
        order=TriggerOrder,
        default_order=[(t.triggers.c.id, True)],
        scope=in_project(t.triggers),
        extra=PROJECT_ARGUMENT,
    )
    pipeline_runs: Connection[PipelineRun] = root_connection(
        "PipelineRun",
        "Pipeline runs of a project, newest first.",
        where=PipelineRunFilter,
        columns=PIPELINE_RUN_COLUMNS,
        order=PipelineRunOrder,
        default_order=[(t.pipeline_runs.c.number, True)],
        scope=in_project(t.pipeline_runs),
        extra=PROJECT_ARGUMENT,
    )

    @strawberry.field(description="One pipeline.")
    async def pipeline(
        self,
        info: Info,
        by: Annotated[PipelineBy, strawberry.argument(description="Which pipeline.")],
    ) -> Pipeline | None:
        """One pipeline, or null."""
        info.context.subject.require_known()
        found: Pipeline | None = await fetch_one(info, "Pipeline", pipeline_named(info, by))
        return found

    @strawberry.field(description="One block.")
    async def block(
        self,
        info: Info,
        by: Annotated[BlockBy, strawberry.argument(description="Which block.")],
    ) -> Block | None:
        """One block, or null."""
        info.context.subject.require_known()
        found: Block | None = await fetch_one(info, "Block", block_named(info, by))
        return found

    @strawberry.field(description="One trigger.")
    async def trigger(
        self,
        info: Info,
        by: Annotated[TriggerBy, strawberry.argument(description="Which trigger.")],
    ) -> Trigger | None:
        """One trigger, or null."""
        info.context.subject.require_known()
        condition = t.triggers.c.id == trigger_key(by)
        found: Trigger | None = await fetch_one(info, "Trigger", condition)
        return found

    @strawberry.field(description="One pipeline run.")
    async def pipeline_run(
        self,
        info: Info,
        by: Annotated[PipelineRunBy, strawberry.argument(description="Which run.")],
    ) -> PipelineRun | None:
        """One pipeline run, or null."""
        info.context.subject.require_known()
        found: PipelineRun | None = await fetch_one(info, "PipelineRun", run_named(info, by))
        return found
