"""The ledger's rows. The protocol that moves them is in `claim.py` and `actions.py`."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlmodel import Field, SQLModel

from app.core.tables import (
    Moment,
    big,
    flag,
    json,
    moment,
    now_by_default,
    number,
    pk,
    string,
    table_of,
)

STATES = "('queued','running','succeeded','failed','cancelled')"
STEP_STATES = (
    "('pending','queued','running','succeeded','failed','cancelled','upstream_failed','skipped')"
)


def _run_id(*, primary: bool = False) -> Any:
    return Field(
        sa_column=Column(
            PgUUID(as_uuid=True),
            ForeignKey("runs.id", ondelete="CASCADE"),
            primary_key=primary,
            nullable=False,
        )
    )


class Run(SQLModel, table=True):
    """One piece of work that takes time. All times are PostgreSQL's.

    At most `concurrency` runs of a kind and subject, and at most `lane_limit` runs of a project's
    `lane`, are running at once. A run on `hold` (the column says why) is claimed by nobody. Of the
    runs that sync or clear one job, one at most has not ended.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(f"status IN {STATES}", name="ck_runs_status"),
        UniqueConstraint("schedule_id", "fire_at"),
        UniqueConstraint("project_id", "idempotency_key"),
        Index(
            "ix_runs_due",
            "available_at",
            postgresql_where=text("status = 'queued'"),
        ),
        Index(
            "ix_runs_leases",
            "lease_until",
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_runs_project_created",
            "project_id",
            text("created_at DESC"),
            text("id DESC"),
        ),
        Index("ix_runs_project_updated", "project_id", "updated_at"),
        # Lists in the order of these columns; the newest first where they can be null.
        *(
            Index(
                f"ix_runs_project_{name}",
                "project_id",
                text(f"{name} DESC NULLS LAST"),
                text("id DESC"),
            )
            for name in ("started_at", "finished_at")
        ),
        Index("ix_runs_project_status", "project_id", "status", "id"),
        Index("ix_runs_subject", "kind", "subject_id", "status"),
        Index(
            "uq_runs_sync",
            "subject_id",
            unique=True,
            postgresql_where=text("kind IN ('sync','clear') AND status IN ('queued','running')"),
        ),
        Index(
            "ix_runs_queue",
            "project_id",
            text("priority DESC"),
            "available_at",
            "id",
            postgresql_where=text("status = 'queued'"),
        ),
        Index(
            "ix_runs_keys",
            "created_at",
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
    )

    id: UUID = Field(
        default=None,
        sa_column=Column(PgUUID(as_uuid=True), primary_key=True, server_default=text("uuidv7()")),
    )
    project_id: int = big("projects.id", ondelete="CASCADE")
    kind: str = string()
    subject_id: int | None = big(null=True)
    status: str = string("queued")
    priority: int = number(0)
    available_at: Moment = now_by_default()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    started_at: Moment = moment()
    finished_at: Moment = moment()
    attempt: int = number(0)
    max_attempts: int = number(3)
    losses: int = number(0)
    concurrency: int | None = number(null=True)
    lane: str | None = string(null=True)
    lane_limit: int | None = number(null=True)
    hold: str | None = string(null=True)
    fence: int = Field(
        default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")}
    )
    lease_owner: str | None = string(null=True)
    lease_until: Moment = moment()
    hinted_at: Moment = moment()
    hint_count: int = number(0)
    cancel_requested_at: Moment = moment()
    timeout_s: int | None = number(null=True)
    schedule_id: int | None = big(null=True)
    fire_at: Moment = moment()
    idempotency_key: str | None = string(null=True)
    idempotency_hash: str | None = string(null=True)
    params: dict[str, Any] = json("{}")
    result: dict[str, Any] | None = json()
    reason: str | None = string(null=True)
    error: str | None = string(null=True)
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    version: int = Field(
        default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")}
    )


class RunStep(SQLModel, table=True):
    """A part of a run: a block of a pipeline run, a stream of a sync.

    `upstream` names the steps that it needs (null: written by a version that did not know it).
    `available_at` is when it is tried next, and `wait`
    why it is not at work now (`retry`, `poll`, `slot`, `limit`); `tries` counts what failed and was tried
    again within the same run. `params` tell copies of one block apart.
    """

    __tablename__ = "run_steps"
    __table_args__ = (
        CheckConstraint(f"status IN {STEP_STATES}", name="ck_run_steps_status"),
        UniqueConstraint("run_id", "name"),
        Index("ix_run_steps_project_id", "project_id", "id"),
        Index(
            "ix_run_steps_started",
            "project_id",
            text("started_at DESC NULLS LAST"),
            text("id DESC"),
        ),
    )

    id: int | None = pk()
    run_id: UUID = _run_id()
    project_id: int = big("projects.id", ondelete="CASCADE")
    position: int = number(0)
    name: str = string()
    status: str = string("pending")
    attempt: int = number(0)
    upstream: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    params: dict[str, Any] | None = json()
    tries: int = number(0)
    wait: str | None = string(null=True)
    available_at: Moment = moment()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    started_at: Moment = moment()
    finished_at: Moment = moment()
    outputs: list[dict[str, Any]] = json("[]")
    metrics: dict[str, Any] | None = json()
    reason: str | None = string(null=True)
    error: str | None = string(null=True)
    traceback: str | None = string(null=True)


class RunLog(SQLModel, table=True):
    """One line that a run wrote; `seq` rises within the run."""

    __tablename__ = "run_logs"

    run_id: UUID = _run_id(primary=True)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    project_id: int = big("projects.id", ondelete="CASCADE")
    at: Moment = now_by_default()
    level: str = string("INFO")
    step: str | None = string(null=True)
    step_id: int | None = big(null=True)
    message: str = string("")


class RunEvent(SQLModel, table=True):
    """A change of a run or of one of its steps; `seq` is the run's version."""

    __tablename__ = "run_events"

    run_id: UUID = _run_id(primary=True)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    project_id: int = big("projects.id", ondelete="CASCADE")
    at: Moment = now_by_default()
    kind: str = string()
    step: str | None = string(null=True)
    status: str = string()
    data: dict[str, Any] | None = json()


class WorkerRow(SQLModel, table=True):
    """A worker that has reported itself; `seen_at` tells if it lives, `looked_at` if it takes work."""

    __tablename__ = "workers"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    host: str = string()
    pid: int = number(0)
    started_at: Moment = now_by_default()
    seen_at: Moment = now_by_default()
    slots: int = number(0)
    running: int = number(0)
    looked_at: Moment = now_by_default()
    is_draining: bool = flag()
    project_run_limit: int | None = number(null=True)
    version: str = string("")


runs = table_of(Run)
run_steps = table_of(RunStep)
run_logs = table_of(RunLog)
run_events = table_of(RunEvent)
workers = table_of(WorkerRow)
