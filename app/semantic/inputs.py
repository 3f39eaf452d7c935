"""Inputs, filters, orderings and error types of models and queries."""

import enum

import strawberry
from strawberry.scalars import JSON

from app.graphql.filters import (
    UNSET,
    DateTimeFilter,
    IntFilter,
    StringFilter,
    order_input,
)
from app.graphql.payloads import UserError
from app.semantic import tables as t


@strawberry.enum(description="Faults in inputs about semantic models.")
class SemanticErrorCode(enum.Enum):
    """Codes for programs."""

    INVALID = strawberry.enum_value("INVALID", description="A value that cannot be used.")
    MODEL_INVALID = strawberry.enum_value(
        "MODEL_INVALID", description="Files that are no model; `path` has file, line and place."
    )


@strawberry.type(description="A fault in an input about semantic models.")
class SemanticError(UserError):
    """A correctable fault."""

    code: SemanticErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.enum(description="Where a query of a data source stands.")
class SemanticQueryState(enum.Enum):
    """States."""

    QUEUED = strawberry.enum_value("queued", description="It waits for its turn.")
    RUNNING = strawberry.enum_value("running", description="A worker runs it.")
    DONE = strawberry.enum_value("done", description="It has an answer.")
    FAILED = strawberry.enum_value("failed", description="It has none; the error says why.")


@strawberry.input(description="Which versions of a model.")
class SemanticModelFilter:
    """Conditions on versions."""

    version: IntFilter | None = strawberry.field(default=UNSET, description="By version.")
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By age.")


MODEL_COLUMNS = {
    "version": t.semantic_models.c.version,
    "created_at": t.semantic_models.c.created_at,
}
SemanticModelOrder = order_input(
    "SemanticModel", {"VERSION": (t.semantic_models.c.version, "By version.")}
)


@strawberry.input(description="Which queries.")
class SemanticQueryFilter:
    """Conditions on queries."""

    state: StringFilter | None = strawberry.field(
        default=UNSET, description="By state: queued, running, done or failed."
    )
    data_source: StringFilter | None = strawberry.field(
        default=UNSET, description="By data source."
    )
    asked_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when it was last asked."
    )


QUERY_COLUMNS = {
    "state": t.semantic_queries.c.state,
    "data_source": t.semantic_queries.c.data_source,
    "asked_at": t.semantic_queries.c.asked_at,
}
SemanticQueryOrder = order_input(
    "SemanticQuery",
    {
        "NUMBER": (t.semantic_queries.c.id, "By number."),
        "ASKED_AT": (t.semantic_queries.c.asked_at, "By when it was last asked."),
    },
)


@strawberry.input(description="A new version of a project's semantic model.")
class SemanticModelCreateInput:
    """Its files."""

    project_id: strawberry.ID | None = strawberry.field(
        default=None, description="In which project; that of the call where left out."
    )
    files: JSON = strawberry.field(
        description="Texts by path, such as tables/orders.yml: at most 1000, 1 MB together."
    )
    note: str = strawberry.field(default="", description="What is new in it, for people.")
    expected_version: int | None = strawberry.field(
        default=None,
        description="Refuse with CONFLICT where the newest version is another by now; 0: none yet.",
    )


@strawberry.input(description="Which query to cancel.")
class SemanticQueryCancelInput:
    """A query."""

    id: strawberry.ID = strawberry.field(description="The query.")
