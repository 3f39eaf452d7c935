"""Inputs and error types of pipelines, blocks, triggers and their runs."""

import enum
from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from app.graphql.filters import (
    UNSET,
)
from app.graphql.payloads import UserError
from app.graphql.scalars import Cron
from app.pipelines.kinds import (
    BlockLanguage,
    BlockType,
    CatchUp,
    PipelineType,
    TriggerOverlap,
    TriggerStatus,
    TriggerType,
)

_VERSION = "Refuse with CONFLICT where it has another version by now."


@strawberry.enum(description="Faults in inputs about pipelines, blocks, triggers and runs.")
class PipelineErrorCode(enum.Enum):
    """Codes for programs."""

    INVALID = strawberry.enum_value("INVALID", description="A value that cannot be used.")
    NAME_MISSING = strawberry.enum_value("NAME_MISSING", description="A name is needed.")
    NAME_TAKEN = strawberry.enum_value("NAME_TAKEN", description="The name is in use.")
    BLOCK_UNKNOWN = strawberry.enum_value(
        "BLOCK_UNKNOWN", description="The pipeline has no such block."
    )
    HAS_DEPENDENTS = strawberry.enum_value(
        "HAS_DEPENDENTS", description="Other blocks take this block's output."
    )
    CYCLE = strawberry.enum_value("CYCLE", description="The blocks would form a circle.")
    INTERVAL_INVALID = strawberry.enum_value(
        "INTERVAL_INVALID", description="The interval is neither a preset nor cron."
    )
    NOT_API_TRIGGER = strawberry.enum_value(
        "NOT_API_TRIGGER", description="The trigger is not started by calls."
    )
    NOT_FINISHED = strawberry.enum_value("NOT_FINISHED", description="The run goes on.")
    NOT_FAILED = strawberry.enum_value("NOT_FAILED", description="The run succeeded.")


@strawberry.type(description="A fault in an input about pipelines, blocks, triggers or runs.")
class PipelineError(UserError):
    """A correctable fault."""

    code: PipelineErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.input(description="Names one pipeline; exactly one field.", one_of=True)
class PipelineBy:
    """How a pipeline is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    uuid: str | None = strawberry.field(
        default=UNSET, description="By uuid, in the project of the call."
    )


@strawberry.input(description="A new pipeline.")
class PipelineCreateInput:
    """A pipeline's attributes."""

    name: str | None = strawberry.field(
        default=None, description="Its name; the uuid is made from it. Needed unless it is a copy."
    )
    project_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where it belongs; the project of the call where left out."
    )
    type: PipelineType | None = strawberry.field(default=None, description="PYTHON if left out.")
    description: str | None = strawberry.field(default=None, description="What it does.")
    tags: list[str] | None = strawberry.field(default=None, description="Tags.")
    variables: JSON | None = strawberry.field(
        default=None, description="Variables that all its runs start with."
    )
    clone_of: str | None = strawberry.field(
        default=None, description="Uuid of a pipeline to copy, blocks included."
    )


@strawberry.input(description="New code for one block, or a new place for it in the graph.")
class BlockContentInput:
    """A block, its code and its upstream blocks."""

    uuid: str = strawberry.field(description="The block's uuid.")
    content: str | None = strawberry.field(default=None, description="Its code; null leaves it.")
    upstream_blocks: list[str] | None = strawberry.field(
        default=None, description="Uuids of blocks whose outputs it gets; null leaves them."
    )


@strawberry.input(description="Changes of a pipeline; what is left out stays.")
class PipelineUpdateInput:
    """Attributes to change."""

    by: PipelineBy = strawberry.field(description="The pipeline.")
    name: str | None = strawberry.field(
        default=UNSET, description="New name; the uuid changes with it."
    )
    type: PipelineType | None = strawberry.field(default=UNSET, description="New type.")
    description: str | None = strawberry.field(default=UNSET, description="New description.")
    tags: list[str] | None = strawberry.field(default=UNSET, description="New tags.")
    variables: JSON | None = strawberry.field(default=UNSET, description="New variables.")
    settings: JSON | None = strawberry.field(default=UNSET, description="New settings.")
    concurrency_config: JSON | None = strawberry.field(
        default=UNSET, description="Limits of parallel runs and blocks."
    )
    retry_config: JSON | None = strawberry.field(
        default=UNSET, description="How failed blocks are tried again."
    )
    notification_config: JSON | None = strawberry.field(
        default=UNSET, description="Who is told of what."
    )
    executor_config: JSON | None = strawberry.field(
        default=UNSET, description="Kept for callers; not used."
    )
    executor_type: str | None = strawberry.field(
        default=UNSET, description="Kept for callers; not used."
    )
    executor_count: int | None = strawberry.field(
        default=UNSET, description="Kept for callers; not used."
    )
    run_pipeline_in_one_process: bool | None = strawberry.field(
        default=UNSET, description="Kept for callers; blocks always have processes of their own."
    )
    cache_block_output_in_memory: bool | None = strawberry.field(
        default=UNSET, description="Kept for callers; not used."
    )
    block_contents: list[BlockContentInput] | None = strawberry.field(
        default=None, description="New code and new upstream blocks for blocks."
    )
    triggers_status: TriggerStatus | None = strawberry.field(
        default=None, description="Switch all its triggers on or off."
    )
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which pipeline to delete.")
class PipelineDeleteInput:
    """A pipeline."""

    by: PipelineBy = strawberry.field(description="The pipeline.")


@strawberry.input(description="Names one block; exactly one field.", one_of=True)
class BlockBy:
    """How a block is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    path: "BlockPath | None" = strawberry.field(
        default=UNSET, description="By the uuids of its pipeline and itself."
    )


@strawberry.input(description="A block by uuids, in the project of the call.")
class BlockPath:
    """Pipeline and block."""

    pipeline: str = strawberry.field(description="The pipeline's uuid.")
    block: str = strawberry.field(description="The block's uuid.")


@strawberry.input(description="A new block.")
class BlockCreateInput:
    """A block's attributes."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline that gets it.")
    name: str | None = strawberry.field(
        default=None, description="Its name; the uuid is made from it. Needed."
    )
    type: BlockType = strawberry.field(description="What it does.")
    language: BlockLanguage | None = strawberry.field(
        default=None, description="PYTHON if left out."
    )
    content: str | None = strawberry.field(
        default=None, description="Its code; a template where left out."
    )
    upstream_blocks: list[str] | None = strawberry.field(
        default=None, description="Uuids of blocks whose outputs it gets; unknown ones are dropped."
    )
    downstream_blocks: list[str] | None = strawberry.field(
        default=None, description="Uuids of blocks that get its output."
    )
    configuration: JSON | None = strawberry.field(default=None, description="Free settings.")
    color: str | None = strawberry.field(default=None, description="Colour in editors.")
    priority: int | None = strawberry.field(
        default=None, description="Its place among the blocks, from 0; last if left out."
    )


@strawberry.input(description="Changes of a block; what is left out stays.")
class BlockUpdateInput:
    """Attributes to change."""

    by: BlockBy = strawberry.field(description="The block.")
    name: str | None = strawberry.field(
        default=UNSET, description="New name; the uuid changes, and blocks that name it follow."
    )
    content: str | None = strawberry.field(default=UNSET, description="New code.")
    upstream_blocks: list[str] | None = strawberry.field(
        default=UNSET, description="Uuids of blocks whose outputs it gets, in order."
    )
    downstream_blocks: list[str] | None = strawberry.field(
        default=None, description="Uuids of all blocks that get its output."
    )
    callback_blocks: list[str] | None = strawberry.field(
        default=None, description="Uuids of all callbacks attached to it."
    )
    conditional_blocks: list[str] | None = strawberry.field(
        default=None, description="Uuids of all conditionals attached to it."
    )
    configuration: JSON | None = strawberry.field(default=UNSET, description="Free settings.")
    executor_type: str | None = strawberry.field(
        default=UNSET, description="Kept for callers; not used."
    )
    executor_config: JSON | None = strawberry.field(
        default=UNSET, description="Kept for callers; not used."
    )
    retry_config: JSON | None = strawberry.field(
        default=UNSET, description="How it is tried again when it fails."
    )
    timeout_s: int | None = strawberry.field(
        default=UNSET, description="Seconds after which it is killed and fails."
    )
    color: str | None = strawberry.field(default=UNSET, description="Colour in editors.")
    has_callback: bool | None = strawberry.field(default=UNSET, description="Kept for callers.")
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which block to delete.")
class BlockDeleteInput:
    """A block."""

    by: BlockBy = strawberry.field(description="The block.")
    force: bool = strawberry.field(
        default=False,
        description="Delete it although others depend on it; they take over its upstream blocks.",
    )


@strawberry.input(description="Names one trigger; exactly one field.", one_of=True)
class TriggerBy:
    """How a trigger is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(description="A new trigger.")
class TriggerCreateInput:
    """A trigger's attributes."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline that it starts.")
    name: str | None = strawberry.field(default=None, description="Its name. Needed.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    type: TriggerType | None = strawberry.field(default=None, description="TIME if left out.")
    status: TriggerStatus | None = strawberry.field(
        default=None, description="INACTIVE if left out."
    )
    interval: Cron | None = strawberry.field(
        default=None, description="When a TIME trigger fires: a preset or five cron fields."
    )
    timezone: str | None = strawberry.field(
        default=UNSET, description="IANA time zone of the interval; UTC if left out."
    )
    start_at: datetime | None = strawberry.field(default=None, description="Not before this.")
    variables: JSON | None = strawberry.field(
        default=None, description="Variables that its runs start with."
    )
    settings: JSON | None = strawberry.field(
        default=None, description="Such as timeout in seconds, pipeline_run_limit."
    )
    tags: list[str] | None = strawberry.field(default=UNSET, description="Tags.")
    sla: int | None = strawberry.field(default=None, description="Seconds a run should take.")
    overlap: TriggerOverlap | None = strawberry.field(
        default=UNSET, description="Of a TIME trigger's due runs; QUEUE_ONE unless set."
    )
    catch_up: CatchUp | None = strawberry.field(
        default=UNSET, description="Of a TIME trigger's missed slots; LATEST unless set."
    )
    catch_up_window_s: int | None = strawberry.field(
        default=UNSET, description="How many seconds back ALL reaches; a day unless set."
    )
    event_matchers: JSON | None = strawberry.field(
        default=UNSET, description="Which events start it; kept, events are not received yet."
    )
    global_data_product_uuid: str | None = strawberry.field(
        default=None, description="Kept for callers; not used."
    )


@strawberry.input(description="Changes of a trigger; what is left out stays.")
class TriggerUpdateInput:
    """Attributes to change."""

    by: TriggerBy = strawberry.field(description="The trigger.")
    name: str | None = strawberry.field(default=UNSET, description="New name.")
    description: str | None = strawberry.field(default=UNSET, description="New description.")
    type: TriggerType | None = strawberry.field(default=UNSET, description="New type.")
    status: TriggerStatus | None = strawberry.field(default=UNSET, description="On or off.")
    interval: Cron | None = strawberry.field(default=UNSET, description="New interval.")
    timezone: str | None = strawberry.field(default=UNSET, description="New time zone.")
    start_at: datetime | None = strawberry.field(default=UNSET, description="Not before this.")
    variables: JSON | None = strawberry.field(default=UNSET, description="New variables.")
    settings: JSON | None = strawberry.field(default=UNSET, description="New settings.")
    tags: list[str] | None = strawberry.field(default=UNSET, description="New tags.")
    sla: int | None = strawberry.field(default=UNSET, description="New target, in seconds.")
    overlap: TriggerOverlap | None = strawberry.field(
        default=UNSET, description="Of a TIME trigger's due runs; QUEUE_ONE unless set."
    )
    catch_up: CatchUp | None = strawberry.field(
        default=UNSET, description="Of a TIME trigger's missed slots; LATEST unless set."
    )
    catch_up_window_s: int | None = strawberry.field(
        default=UNSET, description="How many seconds back ALL reaches; a day unless set."
    )
    event_matchers: JSON | None = strawberry.field(default=UNSET, description="New matchers.")
    rotate_token: bool = strawberry.field(default=False, description="Give it a new token.")
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Names a trigger to delete, or to give a new token.")
class TriggerDeleteInput:
    """A trigger."""

    by: TriggerBy = strawberry.field(description="The trigger.")


@strawberry.input(description="Names one pipeline run; exactly one field.", one_of=True)
class PipelineRunBy:
    """How a pipeline run is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(
    description="What to run: a trigger, or a pipeline itself. Exactly one field.", one_of=True
)
class RunOf:
    """Trigger or pipeline."""

    trigger: TriggerBy | None = strawberry.field(
        default=UNSET, description="Run this trigger; the run waits until it is switched on."
    )
    pipeline: PipelineBy | None = strawberry.field(
        default=UNSET, description="Run this pipeline without a trigger."
    )


@strawberry.input(description="A new run of a pipeline.")
class PipelineRunCreateInput:
    """What to run with which variables."""

    of: RunOf = strawberry.field(description="What to run.")
    variables: JSON | None = strawberry.field(
        default=None, description="Variables of this run; they win over all others."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="The same key with the same input gives the same run for 24 hours.",
    )


@strawberry.input(description="A run started by an API trigger's token.")
class PipelineRunCreateByTokenInput:
    """A trigger, its token and variables."""

    trigger_number: int = strawberry.field(description="The trigger's number.")
    token: str = strawberry.field(description="The trigger's token; no other credential is needed.")
    variables: JSON | None = strawberry.field(default=None, description="Variables of this run.")
    event_variables: JSON | None = strawberry.field(
        default=None, description="What blocks see as `event`."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="The same key with the same input gives the same run for 24 hours.",
    )


@strawberry.input(description="Which run to cancel.")
class PipelineRunCancelInput:
    """A run."""

    by: PipelineRunBy = strawberry.field(description="The run.")


@strawberry.input(description="Which run to go on with after it failed or was cancelled.")
class PipelineRunRetryInput:
    """A run, and from where."""

    by: PipelineRunBy = strawberry.field(description="The run.")
    from_block: str | None = strawberry.field(
        default=None, description="Run this block and all that depend on it again."
    )
