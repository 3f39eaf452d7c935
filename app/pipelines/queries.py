"""Root fields to read pipelines, blocks, triggers and pipeline runs."""

from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import select

from app.core.errors import Invalid, NotFound
from app.core.ids import parse_global_id
from app.core.rules import VIEWER
from app.graphql.compiler.declare import Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.fields import root_connection, root_one
from app.graphql.payloads import int_key
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


def pipeline_named(by: PipelineBy) -> Scoped:
    """The condition that a PipelineBy means."""
    if by.id:
        return Scoped((t.pipelines.c.id == _key(by.id, "Pipeline"),))
    mine = t.pipelines.c.project_id == VIEWER.project
    return Scoped((t.pipelines.c.uuid == (by.uuid or ""), mine), needs_project=True)


def block_named(by: BlockBy) -> Scoped:
    """The condition that a BlockBy means."""
    if by.id:
        return Scoped((t.blocks.c.id == _key(by.id, "Block"),))
    if not by.path:
        raise Invalid("Name a block by id or path.")
    pipeline = pipeline_named(PipelineBy(uuid=by.path.pipeline))
    owner = select(t.pipelines.c.id).where(*pipeline.conditions).scalar_subquery()
    same = (t.blocks.c.uuid == by.path.block, t.blocks.c.pipeline_id == owner)
    return Scoped(same, pipeline.needs_project)


def trigger_key(by: TriggerBy) -> int:
    """The row key that a TriggerBy means."""
    return _key(by.id, "Trigger") if by.id else by.number or 0


def run_named(by: PipelineRunBy) -> Scoped:
    """The condition that a PipelineRunBy means."""
    if not by.id:
        return Scoped((t.pipeline_runs.c.number == (by.number or 0),))
    return Scoped((runs.c.id == derive(_run_key, by.id, like=UUID(int=0)),))


def _key(given: str, type_name: str) -> int:
    found: int = derive(lambda text: int_key(text, type_name, type_name.lower()), given, like=0)
    return found


def _run_key(given: str) -> UUID:
    parsed = parse_global_id(given)
    try:
        if parsed is None or parsed[0] != "PipelineRun":
            raise ValueError
        return UUID(parsed[1])
    except ValueError as error:
        raise NotFound("There is no such run.") from error


def _by(type_: Any, what: str) -> dict[str, tuple[Any, str]]:
    return {"by": (type_, what)}


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

    pipeline: Pipeline | None = root_one(
        "Pipeline",
        Pipeline,
        "One pipeline.",
        arguments=_by(PipelineBy, "Which pipeline."),
        named=lambda given: pipeline_named(given["by"]),
    )
    block: Block | None = root_one(
        "Block",
        Block,
        "One block.",
        arguments=_by(BlockBy, "Which block."),
        named=lambda given: block_named(given["by"]),
    )
    trigger: Trigger | None = root_one(
        "Trigger",
        Trigger,
        "One trigger.",
        arguments=_by(TriggerBy, "Which trigger."),
        named=lambda given: Scoped((t.triggers.c.id == trigger_key(given["by"]),)),
    )
    pipeline_run: PipelineRun | None = root_one(
        "PipelineRun",
        PipelineRun,
        "One pipeline run.",
        arguments=_by(PipelineRunBy, "Which run."),
        named=lambda given: run_named(given["by"]),
    )
