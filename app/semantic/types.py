"""GraphQL types of models, queries and answers."""

from datetime import datetime

import strawberry
from sqlalchemy import BigInteger, cast, func
from strawberry.scalars import JSON

from app.access.types import User
from app.graphql.compiler.declare import column, expression, sql_type
from app.graphql.fields import one
from app.graphql.node import Node
from app.graphql.scalars import BigInt
from app.projects.types import Project
from app.semantic import rules
from app.semantic import tables as t
from app.semantic.inputs import SemanticQueryState

_M, _Q = t.semantic_models.c, t.semantic_queries.c


@sql_type(
    t.semantic_models,
    policy=rules.may_read,
    description="One version of a project's semantic model. The newest is the one that is served.",
)
class SemanticModel(Node):
    """A version."""

    version: int = column(_M.version, "Its number in the project; the newest has the highest.")
    files: JSON = column(_M.files, "Its files: texts by path.")
    note: str = column(_M.note, "What is new in it, for people.")
    project: Project | None = one("Project", _M.project_id, "Where it belongs.")
    created_by: User | None = one("User", _M.created_by, "Who made it; null where hidden.")
    created_at: datetime = column(_M.created_at, "When it was made.")


@sql_type(
    t.semantic_queries,
    policy=rules.may_read,
    description="A statement on a data source, and how its last run went. It is forgotten a day after "
    "it was last asked.",
)
class SemanticQuery(Node):
    """A query."""

    number: int = column(_Q.id, "Its number.")
    data_source: str = column(_Q.data_source, "The data source, as the model names it.")
    sql: str = column(_Q.sql, "The statement; the values in it are not shown.")
    state: SemanticQueryState = column(_Q.state, "Where its last run stands.")
    rows: int | None = column(_Q.rows, "Rows of its answer; null before it has one.")
    error: str | None = column(_Q.error, "Why it has no answer; null where it has not failed.")
    runtime_ms: BigInt | None = expression(
        lambda c: cast(
            func.extract("epoch", func.coalesce(c.finished_at, func.now()) - c.started_at) * 1000,
            BigInteger,
        ),
        "Milliseconds of its last run, or until now; null before it has begun.",
    )
    project: Project | None = one("Project", _Q.project_id, "Where it belongs.")
    asked_at: datetime = column(_Q.asked_at, "When somebody last asked for it.")
    queued_at: datetime = column(_Q.queued_at, "When its last run was queued.")
    started_at: datetime | None = column(_Q.started_at, "When that began.")
    finished_at: datetime | None = column(_Q.finished_at, "When that ended.")


@strawberry.type(description="An answer of the semantic layer, or that its asker must come again.")
class SemanticAnswer:
    """An answer."""

    is_waiting: bool = strawberry.field(
        description="The query goes on: ask the same again for its answer."
    )
    result: JSON | None = strawberry.field(
        description="As /v2/load has it: query, data, annotation and more; null while it goes on."
    )


@strawberry.type(description="A fault in the files of a semantic model.")
class SemanticModelFault:
    """A fault and its place."""

    file: str = strawberry.field(description="The file.")
    line: int = strawberry.field(description="The line, counted from 1.")
    path: str = strawberry.field(description="What it is about, such as orders.count.type.")
    message: str = strawberry.field(description="What is wrong, in words.")
