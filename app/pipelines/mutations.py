"""Root fields that change pipelines, blocks, triggers and pipeline runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import select
from strawberry.scalars import JSON

from app.core.db import reading
from app.core.errors import NotFound
from app.core.ids import global_id
from app.graphql.context import Info
from app.graphql.fields import for_caller
from app.graphql.payloads import given, int_key, mutation
from app.graphql.references import row
from app.graphql.rows import fetch_one
from app.pipelines import tables as t
from app.pipelines.actions import blocks as block_verbs
from app.pipelines.actions import pipelines as pipeline_verbs
from app.pipelines.actions import runs as run_verbs
from app.pipelines.actions import triggers as trigger_verbs
from app.pipelines.inputs import (
    BlockBy,
    BlockCreateInput,
    BlockDeleteInput,
    BlockUpdateInput,
    PipelineBy,
    PipelineCreateInput,
    PipelineDeleteInput,
    PipelineError,
    PipelineRunBy,
    PipelineRunCancelInput,
    PipelineRunCreateByTokenInput,
    PipelineRunCreateInput,
    PipelineRunRetryInput,
    PipelineUpdateInput,
    TriggerCreateInput,
    TriggerDeleteInput,
    TriggerUpdateInput,
)
from app.pipelines.queries import block_named, pipeline_named, run_named, trigger_key
from app.pipelines.reads import started_run
from app.pipelines.types import Block, Pipeline, PipelineRun, Trigger
from app.projects.queries import project_scope
from app.runs.inputs import RunStatus
from app.runs.tables import runs

ERRORS = "Faults that the sender of the input can correct."


@strawberry.type(description="Answer to pipelineCreate, pipelineUpdate and pipelineDelete.")
class PipelinePayload:
    """The pipeline as it is now, or was."""

    pipeline: Pipeline | None = strawberry.field(default=None, description="The pipeline.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the pipeline that is gone."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to blockCreate, blockUpdate and blockDelete.")
class BlockPayload:
    """The block as it is now, or was."""

    block: Block | None = strawberry.field(default=None, description="The block.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the block that is gone."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to the mutations of triggers.")
class TriggerPayload:
    """The trigger as it is now, or was."""

    trigger: Trigger | None = strawberry.field(default=None, description="The trigger.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the trigger that is gone."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to the mutations of pipeline runs.")
class PipelineRunPayload:
    """The run as it is now."""

    run: PipelineRun | None = strawberry.field(default=None, description="The run.")
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(
    description="What the holder of a trigger's token sees of the run that it started."
)
class StartedRun:
    """A run's own facts, and no way from it to anything else."""

    id: strawberry.ID = strawberry.field(description="Global id of the PipelineRun.")
    number: int = strawberry.field(description="The id that the REST dialects show.")
    status: RunStatus = strawberry.field(description="Where it stands.")
    pipeline_uuid: str = strawberry.field(description="Uuid of its pipeline.")
    trigger_number: int = strawberry.field(description="Number of its trigger.")
    execution_date: datetime = strawberry.field(description="The point in time it is about.")
    variables: JSON | None = strawberry.field(description="Variables of this run.")
    event_variables: JSON | None = strawberry.field(description="What blocks see as `event`.")
    started_at: datetime | None = strawberry.field(description="When it began.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    created_at: datetime = strawberry.field(description="When it was accepted.")
    updated_at: datetime = strawberry.field(description="When it last changed.")


@strawberry.type(description="Answer to pipelineRunCreateByToken.")
class StartedRunPayload:
    """The run that the token started."""

    run: StartedRun | None = strawberry.field(default=None, description="The run.")
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


def pipeline_key(by: PipelineBy) -> dict[str, Any]:
    """The argument by which a verb knows the pipeline."""
    if by.id:
        return {"pipeline_id": int_key(by.id, "Pipeline", "pipeline")}
    return {"uuid": by.uuid or ""}


def _owner_key(by: PipelineBy) -> dict[str, Any]:
    key = pipeline_key(by)
    return {"pipeline_uuid": key["uuid"]} if "uuid" in key else key


async def _block_key(by: BlockBy) -> dict[str, Any]:
    if by.path:
        return {"pipeline_uuid": by.path.pipeline, "block_uuid": by.path.block}
    block_id = int_key(by.id or "", "Block", "block")
    async with reading() as connection:
        owner = await connection.scalar(
            select(t.blocks.c.pipeline_id).where(t.blocks.c.id == block_id)
        )
    if owner is None:
        raise NotFound("The pipeline does not exist.")
    return {"block_id": block_id, "pipeline_id": owner}


async def run_key(info: Info, by: PipelineRunBy) -> UUID:
    """The row key of a run; NotFound where there is none."""
    statement = (
        select(runs.c.id)
        .join(t.pipeline_runs, t.pipeline_runs.c.run_id == runs.c.id)
        .where(for_caller(info, run_named(by)))
    )
    async with reading() as connection:
        found = await connection.scalar(statement)
    if found is None:
        raise NotFound("Record not found.")
    return UUID(str(found))


async def _before(info: Info, type_name: str, by: Any) -> Any:
    """The object as the caller sees it before it is deleted."""
    info.context.subject.require_known()
    if type_name == "Pipeline":
        named = for_caller(info, pipeline_named(by))
        return await fetch_one(info, type_name, named, "pipeline")
    if type_name == "Block":
        named = for_caller(info, block_named(by))
        return await fetch_one(info, type_name, named, "block")
    return await fetch_one(info, type_name, t.triggers.c.id == trigger_key(by), "trigger")


async def _pipeline_id(info: Info, by: PipelineBy) -> int:
    info.context.subject.require_known()
    async with reading() as connection:
        named = select(t.pipelines.c.id).where(for_caller(info, pipeline_named(by)))
        found = await connection.scalar(named, info.context.subject.parameters)
    if found is None:
        raise NotFound("The pipeline does not exist.")
    return int(found)


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    """Enum members as the words that the tables hold; a null where none may be is left out."""
    required = {"tags", "settings", "variables", "configuration", "event_matchers", "timezone"}
    required |= {"concurrency_config", "retry_config", "notification_config", "executor_config"}
    return {
        k: getattr(v, "value", v) for k, v in values.items() if v is not None or k not in required
    }


def _nullable(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None or k in names}


_PIPELINE_FIELDS = (
    "name",
    "type",
    "description",
    "tags",
    "variables",
    "settings",
    "concurrency_config",
    "retry_config",
    "notification_config",
    "executor_config",
    "executor_type",
    "executor_count",
    "run_pipeline_in_one_process",
    "cache_block_output_in_memory",
)
_BLOCK_FIELDS = (
    "name",
    "content",
    "upstream_blocks",
    "configuration",
    "executor_type",
    "executor_config",
    "retry_config",
    "timeout_s",
    "color",
    "has_callback",
)
_TRIGGER_FIELDS = (
    "name",
    "description",
    "type",
    "status",
    "interval",
    "timezone",
    "start_at",
    "variables",
    "settings",
    "tags",
    "sla",
    "overlap",
    "catch_up",
    "catch_up_window_s",
    "event_matchers",
)


@strawberry.type
class PipelineMutation:
    """Changes of pipelines and of what belongs to them."""

    @mutation(PipelinePayload, PipelineError, "Make a pipeline, or a copy of one.")
    async def pipeline_create(self, info: Info, input: PipelineCreateInput) -> PipelinePayload:
        """Make a pipeline."""
        project = project_scope(info, input.project_id)
        subject = info.context.subject
        if input.clone_of is not None:
            made = await pipeline_verbs.clone_pipeline(subject, project, input.clone_of, input.name)
        else:
            names = ("name", "type", "description", "tags", "variables")
            values = _nullable(_stored(given(input, *names)))
            made = await pipeline_verbs.create_pipeline(subject, project, values)
        return PipelinePayload(pipeline=row("Pipeline", made))

    @mutation(PipelinePayload, PipelineError, "Change a pipeline.")
    async def pipeline_update(self, info: Info, input: PipelineUpdateInput) -> PipelinePayload:
        """Change a pipeline."""
        values = _nullable(_stored(given(input, *_PIPELINE_FIELDS)), "description", "executor_type")
        contents = [vars(block) for block in input.block_contents or []]
        status = str(input.triggers_status.value) if input.triggers_status else None
        changed = await pipeline_verbs.update_pipeline(
            info.context.subject,
            values,
            block_contents=contents,
            triggers_status=status,
            expected_version=input.expected_version,
            **pipeline_key(input.by),
        )
        return PipelinePayload(pipeline=row("Pipeline", changed))

    @mutation(PipelinePayload, PipelineError, "Delete a pipeline; its runs stay readable.")
    async def pipeline_delete(self, info: Info, input: PipelineDeleteInput) -> PipelinePayload:
        """Delete a pipeline; the payload shows it as it was."""
        was = await _before(info, "Pipeline", input.by)
        await pipeline_verbs.delete_pipeline(info.context.subject, **pipeline_key(input.by))
        return PipelinePayload(pipeline=was, deleted_id=was.id if was else None)

    @mutation(BlockPayload, PipelineError, "Add a block to a pipeline.")
    async def block_create(self, info: Info, input: BlockCreateInput) -> BlockPayload:
        """Add a block."""
        names = ("name", "type", "language", "content", "upstream_blocks", "configuration", "color")
        made = await block_verbs.create_block(
            info.context.subject,
            _nullable(_stored(given(input, *names))),
            downstream=input.downstream_blocks,
            priority=input.priority,
            **_owner_key(input.pipeline),
        )
        return BlockPayload(block=row("Block", made))

    @mutation(BlockPayload, PipelineError, "Change a block.")
    async def block_update(self, info: Info, input: BlockUpdateInput) -> BlockPayload:
        """Change a block."""
        attached = {"callback": input.callback_blocks, "conditional": input.conditional_blocks}
        changed = await block_verbs.update_block(
            info.context.subject,
            _nullable(
                _stored(given(input, *_BLOCK_FIELDS)),
                "executor_config",
                "retry_config",
                "timeout_s",
                "color",
            ),
            downstream=input.downstream_blocks,
            attached={kind: uuids for kind, uuids in attached.items() if uuids is not None},
            expected_version=input.expected_version,
            **await _block_key(input.by),
        )
        return BlockPayload(block=row("Block", changed))

    @mutation(BlockPayload, PipelineError, "Delete a block.")
    async def block_delete(self, info: Info, input: BlockDeleteInput) -> BlockPayload:
        """Delete a block; the payload shows it as it was."""
        was = await _before(info, "Block", input.by)
        key = await _block_key(input.by)
        await block_verbs.delete_block(info.context.subject, force=input.force, **key)
        return BlockPayload(block=was, deleted_id=was.id if was else None)

    @mutation(TriggerPayload, PipelineError, "Make a trigger.")
    async def trigger_create(self, info: Info, input: TriggerCreateInput) -> TriggerPayload:
        """Make a trigger."""
        names = (*_TRIGGER_FIELDS, "global_data_product_uuid")
        made = await trigger_verbs.create_trigger(
            info.context.subject,
            _nullable(_stored(given(input, *names))),
            **_owner_key(input.pipeline),
        )
        return TriggerPayload(trigger=row("Trigger", made))

    @mutation(TriggerPayload, PipelineError, "Change a trigger.")
    async def trigger_update(self, info: Info, input: TriggerUpdateInput) -> TriggerPayload:
        """Change a trigger."""
        clearable = ("description", "interval", "start_at", "sla")
        changed = await trigger_verbs.update_trigger(
            info.context.subject,
            trigger_key(input.by),
            _nullable(_stored(given(input, *_TRIGGER_FIELDS)), *clearable),
            rotate_token=input.rotate_token,
            expected_version=input.expected_version,
        )
        return TriggerPayload(trigger=row("Trigger", changed))

    @mutation(TriggerPayload, PipelineError, "Give a trigger a new token; the old one is dead.")
    async def trigger_token_rotate(self, info: Info, input: TriggerDeleteInput) -> TriggerPayload:
        """Rotate a trigger's token."""
        changed = await trigger_verbs.update_trigger(
            info.context.subject, trigger_key(input.by), {}, rotate_token=True
        )
        return TriggerPayload(trigger=row("Trigger", changed))

    @mutation(TriggerPayload, PipelineError, "Delete a trigger; its runs stay readable.")
    async def trigger_delete(self, info: Info, input: TriggerDeleteInput) -> TriggerPayload:
        """Delete a trigger; the payload shows it as it was."""
        was = await _before(info, "Trigger", input.by)
        await trigger_verbs.delete_trigger(info.context.subject, trigger_key(input.by))
        return TriggerPayload(trigger=was, deleted_id=was.id if was else None)

    @mutation(PipelineRunPayload, PipelineError, "Start a run of a trigger or of a pipeline.")
    async def pipeline_run_create(
        self, info: Info, input: PipelineRunCreateInput
    ) -> PipelineRunPayload:
        """Start a run."""
        if input.of.trigger:
            target: dict[str, Any] = {"trigger_id": trigger_key(input.of.trigger)}
        else:
            pipeline = input.of.pipeline or PipelineBy(uuid="")
            target = {"pipeline_id": await _pipeline_id(info, pipeline)}
        made = await run_verbs.trigger_pipeline(
            info.context.subject,
            variables=input.variables,  # type: ignore[arg-type]
            idempotency_key=input.idempotency_key,
            **target,
        )
        return PipelineRunPayload(run=row("PipelineRun", made))

    @mutation(
        StartedRunPayload,
        PipelineError,
        "Start a run by an API trigger's token, without any other credential.",
    )
    async def pipeline_run_create_by_token(
        self, info: Info, input: PipelineRunCreateByTokenInput
    ) -> StartedRunPayload:
        """Start a run by token."""
        made = await run_verbs.trigger_by_token(
            info.context.subject,
            input.trigger_number,
            input.token,
            variables=input.variables,  # type: ignore[arg-type]
            event_variables=input.event_variables,  # type: ignore[arg-type]
            idempotency_key=input.idempotency_key,
        )
        facts = await started_run(made)
        key = strawberry.ID(global_id("PipelineRun", made))
        return StartedRunPayload(run=StartedRun(id=key, **facts))

    @mutation(PipelineRunPayload, PipelineError, "Cancel a run; a finished one stays as it is.")
    async def pipeline_run_cancel(
        self, info: Info, input: PipelineRunCancelInput
    ) -> PipelineRunPayload:
        """Cancel a run."""
        info.context.subject.require_known()
        run_id = await run_key(info, input.by)
        changed = await run_verbs.cancel_run(info.context.subject, run_id)
        return PipelineRunPayload(run=row("PipelineRun", changed))

    @mutation(
        PipelineRunPayload,
        PipelineError,
        "Run again what did not succeed, or a block and all that depend on it.",
    )
    async def pipeline_run_retry(
        self, info: Info, input: PipelineRunRetryInput
    ) -> PipelineRunPayload:
        """Retry a run."""
        info.context.subject.require_known()
        run_id = await run_key(info, input.by)
        subject = info.context.subject
        changed = await run_verbs.retry_run(subject, run_id, input.from_block)
        return PipelineRunPayload(run=row("PipelineRun", changed))
