"""Enums, filters and orderings of runs of every kind."""

import enum
from typing import Any

import strawberry

from app.graphql.filters import (
    UNSET,
    DateTimeFilter,
    EnumFilter,
    IntFilter,
    StringFilter,
    order_input,
)
from app.runs import tables as t


@strawberry.enum(description="Where a run stands.")
class RunStatus(enum.Enum):
    """States of the ledger's runs."""

    QUEUED = strawberry.enum_value("queued", description="Accepted; waits for a worker.")
    RUNNING = strawberry.enum_value("running", description="A worker has it.")
    SUCCEEDED = strawberry.enum_value("succeeded", description="Done.")
    FAILED = strawberry.enum_value("failed", description="Ended with an error.")
    CANCELLED = strawberry.enum_value("cancelled", description="Ended on request.")


@strawberry.enum(description="Where a step stands.")
class StepStatus(enum.Enum):
    """States of the ledger's steps."""

    PENDING = strawberry.enum_value("pending", description="Waits for its upstream steps.")
    QUEUED = strawberry.enum_value("queued", description="Waits for a free slot.")
    RUNNING = strawberry.enum_value("running", description="It runs.")
    SUCCEEDED = strawberry.enum_value("succeeded", description="Done.")
    FAILED = strawberry.enum_value("failed", description="Ended with an error.")
    CANCELLED = strawberry.enum_value("cancelled", description="Ended or never begun on request.")
    UPSTREAM_FAILED = strawberry.enum_value(
        "upstream_failed", description="A step that it needs failed."
    )
    SKIPPED = strawberry.enum_value("skipped", description="A condition left it out.")


@strawberry.enum(description="What takes time.")
class RunKind(enum.Enum):
    """Kinds of run."""

    PIPELINE = strawberry.enum_value("pipeline", description="A run of a pipeline.")


@strawberry.input(description="Which runs, of any kind.")
class RunFilter:
    """Conditions on runs."""

    status: EnumFilter[RunStatus] | None = strawberry.field(default=UNSET, description="By status.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    started_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By start.")
    finished_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By end.")


RUN_COLUMNS = {
    "status": t.runs.c.status,
    "created_at": t.runs.c.created_at,
    "started_at": t.runs.c.started_at,
    "finished_at": t.runs.c.finished_at,
}
RunOrder = order_input(
    "Run",
    {
        "CREATED_AT": (t.runs.c.created_at, "By age."),
        "STARTED_AT": (t.runs.c.started_at, "By start."),
        "FINISHED_AT": (t.runs.c.finished_at, "By end."),
        "STATUS": (t.runs.c.status, "By status."),
    },
)


@strawberry.input(description="Which steps.")
class RunStepFilter:
    """Conditions on steps."""

    number: IntFilter | None = strawberry.field(default=UNSET, description="By number.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By name.")
    status: EnumFilter[StepStatus] | None = strawberry.field(
        default=UNSET, description="By status."
    )
    started_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By start.")
    pipeline_uuid: StringFilter | None = strawberry.field(
        default=UNSET, description="By the uuid of the pipeline that ran."
    )


STEP_COLUMNS: dict[str, Any] = {
    "number": t.run_steps.c.id,
    "name": t.run_steps.c.name,
    "status": t.run_steps.c.status,
    "started_at": t.run_steps.c.started_at,
}
RunStepOrder = order_input(
    "RunStep",
    {
        "NUMBER": (t.run_steps.c.id, "By number."),
        "POSITION": (t.run_steps.c.position, "By place in the run."),
        "NAME": (t.run_steps.c.name, "By name."),
        "STARTED_AT": (t.run_steps.c.started_at, "By start."),
        "CREATED_AT": (t.run_steps.c.created_at, "By age."),
    },
)


@strawberry.input(description="Which log lines.")
class LogFilter:
    """Conditions on log lines."""

    seq: IntFilter | None = strawberry.field(default=UNSET, description="By sequence number.")
    level: StringFilter | None = strawberry.field(default=UNSET, description="By level.")
    step: StringFilter | None = strawberry.field(default=UNSET, description="By step.")
    step_number: IntFilter | None = strawberry.field(
        default=UNSET, description="By the step's number."
    )
    message: StringFilter | None = strawberry.field(default=UNSET, description="By text.")
    at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By time.")


LOG_COLUMNS = {
    "seq": t.run_logs.c.seq,
    "level": t.run_logs.c.level,
    "step": t.run_logs.c.step,
    "step_number": t.run_logs.c.step_id,
    "message": t.run_logs.c.message,
    "at": t.run_logs.c.at,
}
LogOrder = order_input("Log", {"SEQ": (t.run_logs.c.seq, "By sequence number.")})


@strawberry.input(description="Which events.")
class RunEventFilter:
    """Conditions on events."""

    seq: IntFilter | None = strawberry.field(default=UNSET, description="By sequence number.")


EVENT_COLUMNS = {"seq": t.run_events.c.seq}
RunEventOrder = order_input("RunEvent", {"SEQ": (t.run_events.c.seq, "By sequence number.")})
