"""Versions of models, and the queries that were asked of their data sources."""

from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
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


class SemanticModel(SQLModel, table=True):
    """One version of a project's model: its files, which loaded without an error when it was made.

    `files` is {path: text}. The newest version is the one that is served.
    """

    __tablename__ = "semantic_models"
    __table_args__ = (UniqueConstraint("project_id", "version"),)

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    version: int = number(1)
    files: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    note: str = string("")
    created_by: int | None = big("users.id", null=True, ondelete="SET NULL")
    created_at: Moment = now_by_default()


class SemanticQuery(SQLModel, table=True):
    """A statement on a data source, and its last answer; the same statement has one row.

    `key` is the SHA-256 of project, place, statement and values; `place` says which data source in
    which version of its settings. `refresh_key` is what the run was queued with: an answer holds as long
    as that is the same. `was_waited` tells that somebody was told to come again for the run's answer.
    The answer, `{"columns": [[name, kind]], "rows": [[value]]}`, is in `result` or in the file of
    `result_key`.
    """

    __tablename__ = "semantic_queries"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued','running','done','failed')", name="ck_semantic_queries_state"
        ),
        Index("ix_semantic_queries_asked", "asked_at"),
        Index("ix_semantic_queries_project", "project_id"),
        Index(
            "ix_semantic_queries_waiting",
            "queued_at",
            postgresql_where=text("state IN ('queued','running')"),
        ),
    )

    id: int | None = pk()
    project_id: int = big("projects.id", ondelete="CASCADE")
    key: str = string(unique=True)
    data_source: str = string()
    place: str = string()
    dialect: str = string()
    sql: str = string()
    values: list[Any] = json("[]")
    state: str = string("queued")
    run: int = number(1)
    refresh_key: str = string("")
    was_waited: bool = flag()
    asked_at: Moment = now_by_default()
    queued_at: Moment = now_by_default()
    started_at: Moment = moment()
    finished_at: Moment = moment()
    worker: str | None = string(null=True)
    lease_until: Moment = moment()
    rows: int | None = number(null=True)
    result: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    result_key: str | None = string(null=True)
    error: str | None = string(null=True)


semantic_models = table_of(SemanticModel)
semantic_queries = table_of(SemanticQuery)
