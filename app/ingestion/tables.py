"""Connectors, sources, destinations, sync jobs, and what a task adds to the ledger's row."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
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

LIVE = text("deleted_at IS NULL")


class Connector(SQLModel, table=True):
    """A kind of source or destination in one version: what its settings are, what it can do.

    `abilities` is {"runs": bool, "why_not": text or null, "sync_modes": [text]}.
    """

    __tablename__ = "connectors"
    __table_args__ = (
        UniqueConstraint("kind", "type", "connector_version"),
        CheckConstraint("kind IN ('source','destination')", name="ck_connectors_kind"),
    )

    id: int | None = pk()
    kind: str = string()
    type: str = string()
    connector_version: str = string()
    title: str = string()
    spec: dict[str, Any] = json("{}")
    ui_spec: str = string("{}")
    abilities: dict[str, Any] = json("{}")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()


def _end_indexes(table: str) -> tuple[Any, ...]:
    """A live name is unique in its project; lists are read newest change first."""
    return (
        Index(f"uq_{table}_name", "project_id", "name", unique=True, postgresql_where=LIVE),
        Index(
            f"ix_{table}_updated",
            "project_id",
            text("updated_at DESC"),
            text("id DESC"),
            postgresql_where=LIVE,
        ),
        Index(f"ix_{table}_number", "project_id", text("id DESC"), postgresql_where=LIVE),
    )


class SyncSource(SQLModel, table=True):
    """Where data comes from.

    `sealed` holds all settings, `shown_config` the same with a handle for each secret; `text_config`
    tells in which form they were last written.
    """

    __tablename__ = "sync_sources"
    __table_args__ = _end_indexes("sync_sources")

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    name: str = string()
    type: str = string()
    connector_version: str = string()
    sealed: str = string()
    shown_config: dict[str, Any] = json("{}")
    text_config: bool = flag()
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    updated_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    deleted_at: Moment = moment()
    version: int = number(1)


class SyncDestination(SQLModel, table=True):
    """Where data goes to; its columns are those of a source."""

    __tablename__ = "sync_destinations"
    __table_args__ = _end_indexes("sync_destinations")

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    name: str = string()
    type: str = string()
    connector_version: str = string()
    sealed: str = string()
    shown_config: dict[str, Any] = json("{}")
    text_config: bool = flag()
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    updated_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    deleted_at: Moment = moment()
    version: int = number(1)


class SyncJob(SQLModel, table=True):
    """What moves which streams of a source to a destination, and when.

    `frequency` is as it was written, `cron` what is read of it; both are empty for a job that only
    calls start. `streams` is OLake's catalog. `last_run_id` is its newest task. `slot_…` is what was
    found when its replication slot was last looked at.
    """

    __tablename__ = "sync_jobs"
    __table_args__ = (
        *_end_indexes("sync_jobs"),
        Index("ix_sync_jobs_source", "source_id", text("id DESC")),
        Index("ix_sync_jobs_destination", "destination_id", text("id DESC")),
        Index("ix_sync_jobs_next_fire", "next_fire_at", postgresql_where=text("is_active")),
        Index(
            "ix_sync_jobs_last_run",
            "last_run_id",
            postgresql_where=text("last_run_id IS NOT NULL"),
        ),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    name: str = string()
    source_id: int = big("sync_sources.id", ondelete="CASCADE")
    destination_id: int = big("sync_destinations.id", ondelete="CASCADE")
    frequency: str = string("")
    cron: str = string("")
    next_fire_at: Moment = moment()
    is_active: bool = flag(True)
    streams: dict[str, Any] = json("{}")
    text_streams: bool = flag()
    advanced_settings: dict[str, Any] | None = json()
    last_run_id: UUID | None = Field(
        default=None,
        sa_column=Column(
            PgUUID(as_uuid=True), ForeignKey("runs.id", ondelete="SET NULL"), nullable=True
        ),
    )
    slot_retained_bytes: int | None = Field(default=None, sa_type=BigInteger)
    slot_warning: str | None = string(null=True)
    slot_seen_at: Moment = moment()
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    updated_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    deleted_at: Moment = moment()
    version: int = number(1)


class SyncStream(SQLModel, table=True):
    """A table, collection or folder that a job knows of, and how far it has been read.

    `state` is what OLake keeps of a stream: chunks left to do, the cursor's value, a position.
    """

    __tablename__ = "sync_streams"
    __table_args__ = (
        UniqueConstraint("job_id", "namespace", "name"),
        Index("ix_sync_streams_job", "job_id", "position", "id"),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    job_id: int = big("sync_jobs.id", ondelete="CASCADE")
    position: int = number(0)
    namespace: str = string("")
    name: str = string()
    is_selected: bool = flag()
    sync_mode: str = string("")
    cursor_field: str | None = string(null=True)
    destination_database: str | None = string(null=True)
    destination_table: str | None = string(null=True)
    state: dict[str, Any] = json("{}")
    rows: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    bytes: int = Field(
        default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")}
    )
    state_at: Moment = moment()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()


class SyncTask(SQLModel, table=True):
    """What is known of a run of kind `sync` or `clear` beside the ledger's row.

    `streams` has for each stream that has begun {"status", "rows", "bytes"}, by namespace.name.
    `start_seen` and `end_seen`: webhooks have been told of its start, and of its end.
    """

    __tablename__ = "sync_tasks"
    __table_args__ = (
        CheckConstraint("job_type IN ('sync','clear')", name="ck_sync_tasks_job_type"),
        Index("ix_sync_tasks_job", "job_id", text("number DESC")),
        Index("ix_sync_tasks_project", "project_id", text("number DESC")),
        Index("ix_sync_tasks_untold", "run_id", postgresql_where=text("NOT end_seen")),
    )

    run_id: UUID = Field(
        sa_column=Column(
            PgUUID(as_uuid=True),
            ForeignKey("runs.id", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
        )
    )
    number: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(), unique=True, nullable=False)
    )
    project_id: int = big("projects.id", ondelete="CASCADE")
    job_id: int = big("sync_jobs.id", ondelete="CASCADE")
    job_type: str = string("sync")
    rows: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    bytes: int = Field(
        default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")}
    )
    rows_per_s: float = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    streams: dict[str, Any] = json("{}")
    start_seen: bool = flag()
    end_seen: bool = flag()


connectors = table_of(Connector)
sync_sources = table_of(SyncSource)
sync_destinations = table_of(SyncDestination)
sync_jobs = table_of(SyncJob)
sync_streams = table_of(SyncStream)
sync_tasks = table_of(SyncTask)
