"""Root fields that change models and end queries."""

import strawberry

from app.graphql.context import Info
from app.graphql.payloads import int_key, mutation
from app.graphql.references import row
from app.projects.queries import project_scope
from app.semantic.actions.models import push_model
from app.semantic.actions.queries import cancel_query
from app.semantic.inputs import (
    SemanticError,
    SemanticErrorCode,
    SemanticModelCreateInput,
    SemanticQueryCancelInput,
)
from app.semantic.model import ModelErrors
from app.semantic.types import SemanticModel, SemanticQuery

ERRORS = "Faults that the sender of the input can correct."
MOST_FAULTS = 200


@strawberry.type(description="Answer to semanticModelCreate.")
class SemanticModelPayload:
    """The version that is served now."""

    model: SemanticModel | None = strawberry.field(
        default=None, description="The version; an older one where it has the same files."
    )
    errors: list[SemanticError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to semanticQueryCancel.")
class SemanticQueryPayload:
    """The query as it is now."""

    query: SemanticQuery | None = strawberry.field(default=None, description="The query.")
    errors: list[SemanticError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type
class SemanticMutation:
    """Changes of models."""

    @mutation(
        SemanticModelPayload,
        SemanticError,
        "Make a version of a project's semantic model, which is served at once. Files with a fault make "
        "none: the version before goes on.",
    )
    async def semantic_model_create(
        self, info: Info, input: SemanticModelCreateInput
    ) -> SemanticModelPayload:
        """Push a model."""
        project = project_scope(info, input.project_id)
        try:
            made = await push_model(
                info.context.subject, project, input.files, input.note, input.expected_version
            )
        except ModelErrors as error:
            code = SemanticErrorCode.MODEL_INVALID
            faults = [
                SemanticError(message=str(e), code=code, path=[e.file, str(e.line), e.path])
                for e in error.errors[:MOST_FAULTS]
            ]
            return SemanticModelPayload(errors=faults)
        return SemanticModelPayload(model=row("SemanticModel", made))

    @mutation(
        SemanticQueryPayload,
        SemanticError,
        "End a query that is queued or goes on; CONFLICT where it has ended.",
    )
    async def semantic_query_cancel(
        self, info: Info, input: SemanticQueryCancelInput
    ) -> SemanticQueryPayload:
        """Cancel a query."""
        key = int_key(input.id, "SemanticQuery", "query")
        await cancel_query(info.context.subject, key)
        return SemanticQueryPayload(query=row("SemanticQuery", key))
