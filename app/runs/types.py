"""GraphQL types of runs, steps, logs and events."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import Text, cast, func, select
from strawberry.scalars import JSON

from app.access.types import User
from app.graphql.compiler.declare import column, computed, expression, sql_type
from app.graphql.connections import Connection
from app.graphql.fields import connection, many, one
from app.graphql.node import Node, Timestamped
from app.graphql.scalars import BigInt
from app.runs import rules, waits
from app.runs import tables as t
from app.runs.inputs import (
    EVENT_COLUMNS,
    LOG_COLUMNS,
    LogFilter,
    LogOrder,
    RunEventFilter,
    RunEventOrder,
    RunKind,
    RunStatus,
    StepStatus,
    WaitReason,
)

if TYPE_CHECKING:
    from app.pipelines.types import PipelineRun

LazyPipelineRun = Annotated["PipelineRun", strawberry.lazy("app.pipelines.types")]


@sql_type(
    t.run_logs,
    policy=rules.may_read,
    description="One line that a run wrote.",
)
class LogLine:
    """A log line."""

    seq: BigInt = column(t.run_logs.c.seq, "Its place in the run's log; pass it as `after`.")
    at: datetime = column(t.run_logs.c.at, "When it was written.")
    level: str = column(t.run_logs.c.level, "DEBUG, INFO, WARNING, ERROR or EXCEPTION.")
    step: str | None = column(t.run_logs.c.step, "The step that wrote it; null for the run itself.")
    step_number: BigInt | None = column(t.run_logs.c.step_id, "The step's number.")
    message: str = column(t.run_logs.c.message, "The line.")


@sql_type(
    t.run_events,
    policy=rules.may_read,
    description="A change of a run or of one of its steps.",
)
class RunEventRecord:
    """A stored event."""

    seq: BigInt = column(t.run_events.c.seq, "Rises with each change of the run.")
    at: datetime = column(t.run_events.c.at, "When it happened.")
    kind: str = column(t.run_events.c.kind, "Such as run.queued, step.running, run.finished.")
    step: str | None = column(t.run_events.c.step, "The step concerned; null for the run itself.")
    status: str = column(t.run_events.c.status, "The new status of run or step.")


@strawberry.type(description="Something that a step produced.")
class StepOutput:
    """A stored output."""

    name: str = strawberry.field(description="Its name, such as output_0.")
    kind: str = strawberry.field(description="Either table, json or text.")
    rows: BigInt | None = strawberry.field(description="Rows of a table.")
    columns: int | None = strawberry.field(description="How many columns a table has.")
    bytes: BigInt | None = strawberry.field(description="Size of the stored file.")
    sample: JSON | None = strawberry.field(
        description="First rows and names as {columns, rows, shape}, or the value's text as {text}."
    )


@sql_type(
    t.run_steps,
    policy=rules.may_read,
    description="A part of a run: a block of a pipeline run.",
)
class RunStep(Node, Timestamped):
    """A step."""

    number: int = column(t.run_steps.c.id, "The id that the REST dialects show.")
    position: int = column(t.run_steps.c.position, "Its place in the run.")
    name: str = column(t.run_steps.c.name, "The block's uuid.")
    status: StepStatus = column(t.run_steps.c.status, "Where it stands.")
    attempt: int = column(t.run_steps.c.attempt, "How often it has begun.")
    wait_reason: WaitReason | None = expression(
        waits.step_reason, "Why it is not at work; null where it is, or has ended."
    )
    wait_until: datetime | None = expression(
        waits.step_until, "When it is tried again, where it waits for a time."
    )
    wait_for: list[str] = expression(
        waits.step_for, "The steps that it needs and that have not ended."
    )
    started_at: datetime | None = column(t.run_steps.c.started_at, "When it last began.")
    finished_at: datetime | None = column(t.run_steps.c.finished_at, "When it ended.")
    metrics: JSON | None = column(t.run_steps.c.metrics, "CPU seconds, memory and the like.")
    reason: str | None = column(t.run_steps.c.reason, "Why it failed, as a word: timeout, error …")
    error: str | None = column(t.run_steps.c.error, "The error's text.")
    traceback: str | None = column(
        t.run_steps.c.traceback, "The traceback through the user's code."
    )
    created_at: datetime = column(t.run_steps.c.created_at, "When the run was accepted.")
    updated_at: datetime = column(t.run_steps.c.updated_at, "When it last changed.")
    pipeline_run: LazyPipelineRun | None = one(
        "PipelineRun", t.run_steps.c.run_id, "The pipeline run that it is a part of."
    )

    @computed(t.run_steps.c.outputs, description="What it produced; at most 1000.")
    def outputs(self) -> list[StepOutput]:
        """Outputs with a sample of each."""
        stored: list[dict[str, Any]] = self._outputs  # type: ignore[attr-defined]
        return [
            StepOutput(
                name=o["name"],
                kind=o["kind"],
                rows=o.get("rows"),
                columns=o.get("columns"),
                bytes=o.get("bytes"),
                sample=o.get("sample"),
            )
            for o in stored
        ]


@sql_type(
    t.runs,
    policy=rules.may_read,
    description="Anything that takes time, from its acceptance to its end.",
    discriminator=t.runs.c.kind,
)
class Run(Node, Timestamped):
    """A run of any kind."""

    kind: RunKind = column(t.runs.c.kind, "What kind of work it is.")
    status: RunStatus = column(t.runs.c.status, "Where it stands.")
    attempt: int = column(t.runs.c.attempt, "How often a worker has taken it.")
    max_attempts: int = column(
        t.runs.c.max_attempts, "How often a worker may be lost before it fails."
    )
    last_seq: BigInt = column(t.runs.c.version, "Sequence number of its last event.")
    available_at: datetime = column(t.runs.c.available_at, "Not started before this.")
    wait_reason: WaitReason | None = expression(
        waits.run_reason, "Why it does not run; null where it does, or has ended."
    )
    wait_until: datetime | None = expression(
        waits.run_until, "When it goes on, where it waits for a time."
    )
    wait_for: list[str] = expression(
        waits.run_for(lambda c: cast(c.id, Text)),
        "What it waits for: names of steps that are tried again, or at most ten of the runs that "
        "hold the places (of pipeline runs their numbers).",
    )
    started_at: datetime | None = column(t.runs.c.started_at, "When it began.")
    finished_at: datetime | None = column(t.runs.c.finished_at, "When it ended.")
    cancel_requested_at: datetime | None = column(
        t.runs.c.cancel_requested_at, "When somebody asked to cancel it."
    )
    timeout_s: int | None = column(t.runs.c.timeout_s, "Seconds after which it is stopped.")
    reason: str | None = column(
        t.runs.c.reason, "Why it ended as it did, as a word: error, timeout, worker_lost …"
    )
    error: str | None = column(t.runs.c.error, "What went wrong.")
    created_by: User | None = one(
        "User", t.runs.c.created_by, "Who started it; null for a trigger."
    )
    created_at: datetime = column(t.runs.c.created_at, "When it was accepted.")
    updated_at: datetime = column(t.runs.c.updated_at, "When it last changed.")
    step_count: int = expression(
        lambda c: (
            select(func.count())
            .select_from(t.run_steps)
            .where(t.run_steps.c.run_id == c.id)
            .scalar_subquery()
        ),
        "How many steps it has.",
    )
    succeeded_step_count: int = expression(
        lambda c: (
            select(func.count())
            .select_from(t.run_steps)
            .where(t.run_steps.c.run_id == c.id, t.run_steps.c.status == "succeeded")
            .scalar_subquery()
        ),
        "How many of its steps have succeeded.",
    )
    steps: list[RunStep] = many(
        "RunStep",
        t.runs.c.id,
        t.run_steps.c.run_id,
        "Its steps, in order; at most 500.",
        order=[t.run_steps.c.position, t.run_steps.c.id],
    )
    logs: Connection[LogLine] = connection(
        "LogLine",
        t.runs.c.id,
        t.run_logs.c.run_id,
        "What it wrote, oldest first.",
        where=LogFilter,
        columns=LOG_COLUMNS,
        order=LogOrder,
        default_order=[(t.run_logs.c.seq, False)],
    )
    events: Connection[RunEventRecord] = connection(
        "RunEventRecord",
        t.runs.c.id,
        t.run_events.c.run_id,
        "Its changes, oldest first.",
        where=RunEventFilter,
        columns=EVENT_COLUMNS,
        order=RunEventOrder,
        default_order=[(t.run_events.c.seq, False)],
    )


@sql_type(
    t.workers,
    policy=rules.may_read_worker,
    description="A process that takes runs and does them.",
)
class Worker:
    """A worker that has reported itself lately."""

    id: strawberry.ID = strawberry.field(description="An opaque id.")
    name: str = column(t.workers.c.id, "Its name in logs and events.")
    host: str = column(t.workers.c.host, "Where it runs.")
    started_at: datetime = column(t.workers.c.started_at, "When it began.")
    seen_at: datetime = column(t.workers.c.seen_at, "When it last said that it lives.")
    looked_at: datetime = column(
        t.workers.c.looked_at, "When it last looked for work without an error."
    )
    slots: int = column(t.workers.c.slots, "How many runs it takes at once.")
    running: int = column(t.workers.c.running, "How many it had when it was last seen.")
    is_draining: bool = column(t.workers.c.is_draining, "It takes no more and is about to end.")
    is_stalled: bool = expression(waits.is_stalled, "It lives, but its looks for work fail.")
    version: str = column(t.workers.c.version, "Which version of the program it is.")
