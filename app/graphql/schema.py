"""The one schema: the domains' root classes, put together."""

from functools import cache
from typing import Annotated, Any
from uuid import UUID

import strawberry
from graphql import build_schema as build_from_text
from graphql import lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from app.access.group_mutations import UserGroupMutation
from app.access.mutations import AccessMutation
from app.access.queries import AccessQuery
from app.content.mutations import ContentMutation
from app.content.queries import ContentQuery
from app.core.errors import Invalid
from app.core.ids import parse_global_id, row_number
from app.graphql.compiler import declare
from app.graphql.context import Info
from app.graphql.node import Node
from app.graphql.references import Reference, References, row
from app.graphql.scalars import SCALARS
from app.ingestion.job_mutations import SyncJobMutation
from app.ingestion.mutations import SyncMutation
from app.ingestion.queries import SyncQuery
from app.ingestion.subscriptions import SyncSubscription
from app.ingestion.types import ProbeRun, SyncTask, SyncWebhookRun
from app.pipelines.backfills.mutations import BackfillMutation
from app.pipelines.backfills.queries import BackfillQuery
from app.pipelines.file_fields import ProjectFileMutation, ProjectFileQuery
from app.pipelines.mutations import PipelineMutation
from app.pipelines.queries import PipelineQuery
from app.pipelines.run_mutations import PipelineRunMutation
from app.pipelines.types import NotificationRun, PipelineRun
from app.projects.join_mutations import ProjectJoinMutation
from app.projects.mutations import ProjectMutation
from app.projects.queries import ProjectQuery
from app.runs.queries import RunQuery
from app.runs.subscriptions import RunSubscription
from app.semantic.mutations import SemanticMutation
from app.semantic.queries import SemanticRootQuery
from app.semantic.subscriptions import SemanticSubscription

MAX_NODES = References.MOST


def _row_of(given: str) -> tuple[str, Any] | None:
    """(type name, row key) of an id; None where no row can have it, Invalid where it is no id."""
    parsed = parse_global_id(given)
    if parsed is None:
        raise Invalid(f"{given[:100]!r} is not an id of ours.", path=("id",))
    sql = declare.types().get(parsed[0])
    if sql is None or Node not in sql.cls.__mro__ or sql.discriminator is not None:
        return None
    if sql.key[0].type.python_type is int:
        key: Any = row_number(parsed[1])
    else:
        try:
            key = UUID(parsed[1])
        except ValueError:
            return None
    return None if key is None else (parsed[0], key)


def _named(given: str) -> Reference | Invalid | None:
    """What an id stands for; for one that is none, its error."""
    try:
        named = _row_of(given)
    except Invalid as fault:
        return fault
    return None if named is None else Reference(*named)


@strawberry.type(description="Everything that can be read.")
class Query(
    AccessQuery,
    ProjectQuery,
    PipelineQuery,
    BackfillQuery,
    ProjectFileQuery,
    RunQuery,
    SyncQuery,
    ContentQuery,
    SemanticRootQuery,
):
    """The root of reads."""

    @strawberry.field(description="Any object by its id; null where it is missing or hidden.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The object's id.")],
    ) -> Node | None:
        """Fetch an object again."""
        info.context.subject.require_known()
        named = _row_of(id)
        found: Node | None = None if named is None else row(*named)
        return found

    @strawberry.field(description="Objects by their ids, at most 100, in the same order.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The objects' ids.")],
    ) -> list[Node | None]:
        """Fetch objects again."""
        info.context.subject.require_known()
        if len(ids) > MAX_NODES:
            raise Invalid(f"`ids` may hold at most {MAX_NODES} ids.", path=("ids",))
        return References(map(_named, ids))


@strawberry.type(description="Everything that can be changed.")
class Mutation(
    AccessMutation,
    ProjectMutation,
    PipelineMutation,
    PipelineRunMutation,
    BackfillMutation,
    ProjectFileMutation,
    SyncMutation,
    SyncJobMutation,
    ContentMutation,
    UserGroupMutation,
    ProjectJoinMutation,
    SemanticMutation,
):
    """The root of changes."""


@strawberry.type(description="Everything that can be followed live.")
class Subscription(RunSubscription, SyncSubscription, SemanticSubscription):
    """The root of streams."""


@cache
def build_schema() -> strawberry.Schema:
    """The schema, assembled once in a process; fails where a declared type has no policy."""
    for name, sql in declare.types().items():
        if not callable(sql.policy):
            raise RuntimeError(f"Type {name} has no policy.")
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[PipelineRun, NotificationRun, SyncTask, ProbeRun, SyncWebhookRun],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def sdl(schema: strawberry.Schema) -> str:
    """The schema's text, sorted, as it is committed in `schema.graphql`."""
    return print_schema(lexicographic_sort_schema(build_from_text(schema.as_str()))) + "\n"
