"""Pipelines, their blocks, their triggers, and what a run of one adds to the ledger's row."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
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
    strings,
    table_of,
)


class Pipeline(SQLModel, table=True):
    """A graph of blocks. Its uuid is made from its name and is unique in the project."""

    __tablename__ = "pipelines"
    __table_args__ = (UniqueConstraint("project_id", "uuid"),)

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    uuid: str = string()
    name: str = string()
    type: str = string("python")
    description: str | None = string(null=True)
    tags: list[str] = strings()
    variables: dict[str, Any] = json("{}")
    concurrency_config: dict[str, Any] = json("{}")
    retry_config: dict[str, Any] = json("{}")
    notification_config: dict[str, Any] = json("{}")
    executor_config: dict[str, Any] = json("{}")
    spark_config: dict[str, Any] = json("{}")
    data_integration: dict[str, Any] | None = json()
    settings: dict[str, Any] = json('{"triggers": null}')
    executor_type: str | None = string(null=True)
    executor_count: int = number(1)
    run_pipeline_in_one_process: bool = flag()
    cache_block_output_in_memory: bool = flag()
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class Block(SQLModel, table=True):
    """A piece of code in a pipeline; `upstream_blocks` names the blocks whose outputs it gets."""

    __tablename__ = "blocks"
    __table_args__ = (
        UniqueConstraint("pipeline_id", "uuid"),
        Index("ix_blocks_pipeline_position", "pipeline_id", "position", "id"),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    pipeline_id: int = big("pipelines.id", ondelete="CASCADE")
    uuid: str = string()
    name: str = string()
    type: str = string()
    language: str = string("python")
    content: str = string("")
    position: int = number(0)
    upstream_blocks: list[str] = strings()
    status: str = string("not_executed")
    color: str | None = string(null=True)
    timeout_s: int | None = number(null=True)
    executor_type: str = string("local_python")
    executor_config: dict[str, Any] | None = json()
    retry_config: dict[str, Any] | None = json()
    configuration: dict[str, Any] = json("{}")
    has_callback: bool = flag()
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class Trigger(SQLModel, table=True):
    """What starts a pipeline: a call with its token, a time, or an event."""

    __tablename__ = "triggers"
    __table_args__ = (
        Index("ix_triggers_pipeline_id", "pipeline_id", text("id DESC")),
        Index(
            "ix_triggers_project_created",
            "project_id",
            text("created_at DESC"),
            text("id DESC"),
        ),
        Index(
            "ix_triggers_next_fire",
            "next_fire_at",
            postgresql_where=text("status = 'active'"),
        ),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    pipeline_id: int = big("pipelines.id", ondelete="CASCADE")
    name: str = string()
    description: str | None = string(null=True)
    type: str = string("time")
    interval: str | None = string(null=True)
    timezone: str = string("UTC")
    status: str = string("inactive")
    token: str = string()
    variables: dict[str, Any] | None = json()
    settings: dict[str, Any] | None = json()
    tags: list[str] = strings()
    sla: int | None = number(null=True)
    start_at: Moment = moment()
    last_enabled_at: Moment = moment()
    next_fire_at: Moment = moment()
    overlap: str = string("queue_one")
    catch_up: str = string("latest")
    catch_up_window_s: int = number(86400)
    event_matchers: list[Any] = json("[]")
    global_data_product_uuid: str | None = string(null=True)
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class PipelineRunFacet(SQLModel, table=True):
    """What a pipeline run adds to its row in the ledger; `number` is the id that Mage shows.

    It outlives its pipeline and its trigger: `pipeline_uuid` and `trigger_id` stay readable.
    `end_seen`: what follows from its end (notifications and the like) has been seen to.
    """

    __tablename__ = "pipeline_runs"
    __table_args__ = (
        Index("ix_pipeline_runs_trigger", "trigger_id", text("number DESC")),
        Index("ix_pipeline_runs_pipeline", "pipeline_id", text("number DESC")),
        Index(
            "ix_pipeline_runs_execution",
            "project_id",
            text("execution_date DESC"),
            text("number DESC"),
        ),
        Index("ix_pipeline_runs_uuid", "project_id", "pipeline_uuid", text("number DESC")),
        Index("ix_pipeline_runs_project", "project_id", text("number DESC")),
        Index(
            "ix_pipeline_runs_backfill",
            "backfill_id",
            postgresql_where=text("backfill_id IS NOT NULL"),
        ),
        Index("ix_pipeline_runs_unseen", "run_id", postgresql_where=text("NOT end_seen")),
    )

    run_id: UUID = Field(
        sa_column=Column(
            PgUUID(as_uuid=True),
            ForeignKey("runs.id", ondelete="CASCADE"),
            primary_key=True,
        )
    )
    number: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, Identity(), unique=True, nullable=False),
    )
    project_id: int = big("projects.id", ondelete="CASCADE")
    pipeline_id: int | None = big("pipelines.id", null=True, ondelete="SET NULL")
    pipeline_uuid: str = string()
    trigger_id: int | None = big(null=True)
    trigger_name: str | None = string(null=True)
    execution_date: Moment = now_by_default()
    variables: dict[str, Any] | None = json()
    event_variables: dict[str, Any] | None = json()
    backfill_id: int | None = big(null=True)
    executor_type: str = string("local_python")
    passed_sla: bool = flag()
    end_seen: bool = flag()
    metrics: dict[str, Any] | None = json()


class PipelineRunTally(SQLModel, table=True):
    """How many pipeline runs a trigger, a pipeline and a project have: the sum of their rows.

    Each statement that makes, moves or deletes runs adds rows (a trigger of the database does it), so that
    no two wait for each other; `fold` sums them up now and then. A project that is gone leaves rows
    whose sum is zero.
    """

    __tablename__ = "pipeline_run_tallies"
    __table_args__ = (
        Index("ix_pipeline_run_tallies", "project_id", "pipeline_uuid", "trigger_id", "runs"),
        Index("ix_pipeline_run_tallies_trigger", "trigger_id", "runs"),
    )

    id: int | None = pk()
    project_id: int = big()
    pipeline_uuid: str = string()
    trigger_id: int | None = big(null=True)
    runs: int = big()


class Backfill(SQLModel, table=True):
    """Runs of a pipeline for every slot of a stretch of time in the past."""

    __tablename__ = "backfills"
    __table_args__ = (
        Index("ix_backfills_project", "project_id", text("id DESC")),
        Index("ix_backfills_pipeline_id", "pipeline_id", text("id DESC")),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    pipeline_id: int = big("pipelines.id", ondelete="CASCADE")
    trigger_id: int | None = big("triggers.id", null=True, ondelete="SET NULL")
    name: str = string()
    block_uuid: str | None = string(null=True)
    interval_type: str | None = string(null=True)
    interval_units: int | None = number(null=True)
    start_at: Moment = moment()
    end_at: Moment = moment()
    status: str | None = string(null=True)
    variables: dict[str, Any] = json("{}")
    settings: dict[str, Any] | None = json()
    started_at: Moment = moment()
    finished_at: Moment = moment()
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class ProjectFile(SQLModel, table=True):
    """A text file that blocks find below `repo_path`, as it is now.

    A secret file has `sealed` in place of `content`: encrypted, and shown to nobody.
    """

    __tablename__ = "project_files"
    __table_args__ = (UniqueConstraint("project_id", "path"),)

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    path: str = string()
    content: str | None = string(null=True)
    sealed: str | None = string(null=True)
    sha256: str = string()
    bytes: int = number(0)
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


class ProjectFileVersion(SQLModel, table=True):
    """What a project file was before a change; kept when the file is deleted.

    `file_id` is the file's, or that of the one which was made again under the same path.
    """

    __tablename__ = "project_file_versions"
    __table_args__ = (
        Index("ix_project_file_versions", "project_id", "path", text("version DESC")),
        Index("ix_project_file_versions_file_id", "file_id", text("version DESC")),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    file_id: int = big()
    path: str = string()
    version: int = number(1)
    content: str | None = string(null=True)
    sealed: str | None = string(null=True)
    sha256: str = string()
    bytes: int = number(0)
    replaced_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    replaced_at: Moment = now_by_default()


class ProjectSecret(SQLModel, table=True):
    """A named value that only blocks see: `get_secret_value`, `mage_secret_var`."""

    __tablename__ = "project_secrets"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    name: str = string()
    sealed: str = string()
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()
    updated_at: Moment = now_by_default()
    version: int = number(1)


pipelines = table_of(Pipeline)
blocks = table_of(Block)
triggers = table_of(Trigger)
pipeline_runs = table_of(PipelineRunFacet)
pipeline_run_tallies = table_of(PipelineRunTally)
backfills = table_of(Backfill)
project_files = table_of(ProjectFile)
project_file_versions = table_of(ProjectFileVersion)
project_secrets = table_of(ProjectSecret)
