"""The one schema: the domains' root classes, put together."""

from typing import Any

import strawberry
from graphql import build_schema as build_from_text
from graphql import lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from app.access.mutations import AccessMutation
from app.access.queries import AccessQuery
from app.core.errors import Invalid
from app.core.ids import parse_global_id
from app.graphql.compiler import declare
from app.graphql.context import Info
from app.graphql.node import Node
from app.graphql.rows import fetch_one
from app.graphql.scalars import SCALARS
from app.pipelines.mutations import PipelineMutation
from app.pipelines.queries import PipelineQuery
from app.pipelines.types import PipelineRun
from app.projects.mutations import ProjectMutation
from app.projects.queries import ProjectQuery
from app.runs.queries import RunQuery
from app.runs.subscriptions import RunSubscription

MAX_NODES = 100


async def _node(info: Info, given: str) -> Any:
    parsed = parse_global_id(given)
    if parsed is None:
        raise Invalid(f"{given[:100]!r} is not an id of ours.", path=("id",))
    sql = declare.types().get(parsed[0])
    if sql is None or Node not in sql.cls.__mro__ or parsed[0] == "Run":
        return None
    column = sql.key[0]
    try:
        key = column.type.python_type(parsed[1])
    except ValueError:
        return None
    if isinstance(key, int) and not 0 < key < 2**63:
        return None
    return await fetch_one(info, parsed[0], column == key)


@strawberry.type(description="Everything that can be read.")
class Query(AccessQuery, ProjectQuery, PipelineQuery, RunQuery):
    """The root of reads."""

    @strawberry.field(description="Any object by its id; null where it is missing or hidden.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        """Fetch an object again."""
        info.context.subject.require_known()
        found: Node | None = await _node(info, id)
        return found

    @strawberry.field(description="Objects by their ids, at most 100, in the same order.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Fetch objects again."""
        info.context.subject.require_known()
        if len(ids) > MAX_NODES:
            raise Invalid(f"`ids` may hold at most {MAX_NODES} ids.", path=("ids",))
        return [await _node(info, one) for one in ids]


@strawberry.type(description="Everything that can be changed.")
class Mutation(AccessMutation, ProjectMutation, PipelineMutation):
    """The root of changes."""


@strawberry.type(description="Everything that can be followed live.")
class Subscription(RunSubscription):
    """The root of streams."""


def build_schema() -> strawberry.Schema:
    """Assemble the schema; fails where a declared type has no policy."""
    for name, sql in declare.types().items():
        if not callable(sql.policy):
            raise RuntimeError(f"Type {name} has no policy.")
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[PipelineRun],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def sdl(schema: strawberry.Schema) -> str:
    """The schema's text, sorted, as it is committed in `schema.graphql`."""
    return print_schema(lexicographic_sort_schema(build_from_text(schema.as_str()))) + "\n"
