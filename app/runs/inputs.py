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
    NOTIFICATION = strawberry.enum_value(
        "notification", description="A message about the run of a pipeline."
    )
    SYNC = strawberry.enum_value("sync", description="A sync of a job's streams.")
    CLEAR = strawberry.enum_value("clear", description="The clearing of a job's destination.")
    SYNC_WEBHOOK = strawberry.enum_value(
        "sync_webhook", description="A message about a sync, to an address that a user gave."
    )
    CHECK = strawberry.enum_value("check", description="A test of a source or destination.")
    DISCOVER = strawberry.enum_value("discover", description="A look for a source's streams.")


@strawberry.enum(description="Why a run or a step does not move now.")
class WaitReason(enum.Enum):
    """What is waited for."""

    TRIGGER_INACTIVE = strawberry.enum_value(
        "trigger_inactive", description="Its trigger is switched off; it goes on when that is on."
    )
    NOT_DUE = strawberry.enum_value("not_due", description="It is to start later: `waitUntil`.")
    RETRY = strawberry.enum_value(
        "retry", description="It failed and is tried again: `waitUntil`, `waitFor`."
    )
    POLL = strawberry.enum_value(
        "poll", description="A sensor is asked again: `waitUntil`, `waitFor`."
    )
    NO_WORKER = strawberry.enum_value(
        "no_worker", description="No worker is there that takes work. Start one."
    )
    WORKERS_STALLED = strawberry.enum_value(
        "workers_stalled",
        description="The workers live, but cannot look for work. Their logs say why.",
    )
    WORKER_LOST = strawberry.enum_value(
        "worker_lost", description="Its worker is gone; another is about to take it over."
    )
    CONCURRENCY = strawberry.enum_value(
        "concurrency",
        description="As many runs of the same kind and subject run as may: `waitFor`.",
    )
    LANE = strawberry.enum_value(
        "lane", description="As many runs of its trigger or backfill run as may: `waitFor`."
    )
    PROJECT_LIMIT = strawberry.enum_value(
        "project_limit", description="As many runs of its project run as may."
    )
    WORKERS_BUSY = strawberry.enum_value(
        "workers_busy", description="Every worker has as many runs as it takes."
    )
    UPSTREAM = strawberry.enum_value(
        "upstream", description="Steps that it needs have not ended: `waitFor`."
    )
    SLOT = strawberry.enum_value("slot", description="All block processes of its worker are busy.")
    LIMIT = strawberry.enum_value(
        "limit", description="As many steps of its run are at work as may be (`block_run_limit`)."
    )
    RUN = strawberry.enum_value("run", description="Its run waits; look there.")
    STARTING = strawberry.enum_value("starting", description="For nothing; it is about to begin.")


@strawberry.input(description="Which runs, of any kind.")
class RunFilter:
    """Conditions on runs."""

    kind: EnumFilter[RunKind] | None = strawberry.field(default=UNSET, description="By kind.")
    status: EnumFilter[RunStatus] | None = strawberry.field(default=UNSET, description="By status.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")
    started_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By start.")
    finished_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By end.")


RUN_COLUMNS = {
    "kind": t.runs.c.kind,
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
