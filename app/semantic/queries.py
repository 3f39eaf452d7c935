"""Root fields that read models and ask them."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import strawberry
from sqlalchemy import func, select
from strawberry.scalars import JSON

from app.core.rules import VIEWER
from app.graphql.compiler.declare import Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.fields import root_connection, root_one
from app.projects.inputs import ProjectBy
from app.projects.queries import PROJECT_ARGUMENT, in_project, project_key, project_scope
from app.semantic import tables as t
from app.semantic.actions.models import check_files, check_model, require_writer
from app.semantic.asker import asker
from app.semantic.inputs import (
    MODEL_COLUMNS,
    QUERY_COLUMNS,
    SemanticModelFilter,
    SemanticModelOrder,
    SemanticQueryFilter,
    SemanticQueryOrder,
)
from app.semantic.load import dry_run, load, meta, sql
from app.semantic.model import ModelErrors
from app.semantic.types import SemanticAnswer, SemanticModel, SemanticModelFault, SemanticQuery
from app.settings import get_settings

MOST_FAULTS = 200

Lens = Annotated[
    ProjectBy | None,
    strawberry.argument(description="The model of which project; that of the call if left out."),
]
Asked = Annotated[
    JSON, strawberry.argument(description="The query, as /v2/load takes it, or a list of queries.")
]
QueryType = Annotated[
    str | None,
    strawberry.argument(description="`multi` for clients that know answers to several queries."),
]


def _wait(info: Info, asked_s: int | None) -> float:
    """How long an answer is waited for: never longer than the operation may take."""
    settings = get_settings()
    longest = settings.semantic.continue_wait_s
    if not info.context.by_rest:
        longest = min(longest, settings.door.operation_timeout_s * 0.8)
    return longest if asked_s is None else max(0, min(asked_s, longest))


def _newest(given: Mapping[str, Any]) -> Scoped:
    """The newest version of a project."""
    c, other = t.semantic_models.c, t.semantic_models.alias()
    named = given["project_id"]
    project = VIEWER.project if named is None else derive(project_key, named, like=0)
    newest = select(func.max(other.c.version)).where(other.c.project_id == project)
    conditions = (c.project_id == project, c.version == newest.scalar_subquery())
    return Scoped(conditions, needs_project=named is None)


@strawberry.type
class SemanticRootQuery:
    """Semantic models and their answers."""

    semantic_model: SemanticModel | None = root_one(
        "SemanticModel",
        SemanticModel,
        "The newest version of a project's semantic model; null where there is none.",
        arguments=PROJECT_ARGUMENT,
        required=False,
        named=_newest,
    )
    semantic_models: Connection[SemanticModel] = root_connection(
        "SemanticModel",
        "Versions of a project's semantic model, newest first; the last hundred are kept.",
        where=SemanticModelFilter,
        columns=MODEL_COLUMNS,
        order=SemanticModelOrder,
        default_order=[(t.semantic_models.c.version, True)],
        scope=in_project(t.semantic_models),
        extra=PROJECT_ARGUMENT,
    )
    semantic_queries: Connection[SemanticQuery] = root_connection(
        "SemanticQuery",
        "Queries of a project's data sources, last asked first.",
        where=SemanticQueryFilter,
        columns=QUERY_COLUMNS,
        order=SemanticQueryOrder,
        default_order=[(t.semantic_queries.c.asked_at, True)],
        scope=in_project(t.semantic_queries),
        extra=PROJECT_ARGUMENT,
    )

    @strawberry.field(
        description="What the semantic model offers the caller, as /v2/meta has it; needs the scope "
        "`meta`."
    )
    async def semantic_meta(
        self,
        info: Info,
        project: Lens = None,
        extended: Annotated[
            bool, strawberry.argument(description="With the SQL that its authors wrote.")
        ] = False,
    ) -> JSON:
        """Describe the model."""
        return cast(JSON, meta(await asker(info, project, "meta"), extended=extended))

    @strawberry.field(
        description="The answer to a query of the semantic model, as /v2/load has it; needs the scope "
        "`data`. What takes long is waited for only so long: ask again."
    )
    async def semantic_query(
        self,
        info: Info,
        query: Asked,
        query_type: QueryType = None,
        project: Lens = None,
        wait_s: Annotated[
            int | None,
            strawberry.argument(
                description="How many seconds to wait at most; as the installation says."
            ),
        ] = None,
    ) -> SemanticAnswer:
        """Ask."""
        who = await asker(info, project, "data")
        found = await load(who, query, query_type, _wait(info, wait_s))
        if found is None:
            return SemanticAnswer(is_waiting=True, result=None)
        info.context.holds = found.holds
        return SemanticAnswer(is_waiting=False, result=cast(JSON, found.json))

    @strawberry.field(
        description="The SQL that a query becomes, as /v2/sql has it; nothing is asked. Needs the scope "
        "`data`."
    )
    async def semantic_sql(self, info: Info, query: Asked, project: Lens = None) -> JSON:
        """Compile."""
        return cast(JSON, sql(await asker(info, project, "data"), query))

    @strawberry.field(
        description="What a query means, as /v2/dry-run has it; nothing is asked. Needs the scope `data`."
    )
    async def semantic_dry_run(self, info: Info, query: Asked, project: Lens = None) -> JSON:
        """Normalise."""
        return cast(JSON, dry_run(await asker(info, project, "data"), query))

    @strawberry.field(
        description=f"What is wrong with the files of a model, at most {MOST_FAULTS} faults; nothing is "
        "kept."
    )
    async def semantic_model_faults(
        self,
        info: Info,
        files: Annotated[JSON, strawberry.argument(description="Texts by path.")],
        project_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="For which project; that of the call if left out."),
        ] = None,
    ) -> list[SemanticModelFault]:
        """Check a model."""
        project = project_scope(info, project_id)
        require_writer(info.context.subject, project)
        try:
            await check_model(project, check_files(files))
        except ModelErrors as error:
            return [
                SemanticModelFault(file=e.file, line=e.line, path=e.path, message=e.message)
                for e in error.errors[:MOST_FAULTS]
            ]
        return []
