"""Live answers: a query that takes long is followed to its end."""

from collections.abc import AsyncGenerator
from typing import cast

import strawberry
from strawberry.scalars import JSON

from app.access.identify import renewed
from app.graphql.context import Info
from app.semantic.asker import asker
from app.semantic.load import load
from app.semantic.queries import Asked, Lens, QueryType
from app.semantic.types import SemanticAnswer

LOOK_S = 10.0
"""So often the caller's rights are looked at again."""


@strawberry.type
class SemanticSubscription:
    """Streams of answers."""

    @strawberry.subscription(
        description="The answer to a query of the semantic model, however long it takes: an event that it "
        "goes on, if it does, and one with the answer, which is the last."
    )
    async def semantic_query_answered(
        self, info: Info, query: Asked, query_type: QueryType = None, project: Lens = None
    ) -> AsyncGenerator[SemanticAnswer, None]:
        """Follow a query."""
        wait_s, told = 0.5, False
        while True:
            info.context.become(await renewed(info.context.subject))
            who = await asker(info, project, "data")
            found = await load(who, query, query_type, wait_s)
            if found is not None:
                yield SemanticAnswer(is_waiting=False, result=cast(JSON, found.json))
                return
            if not told:
                told, wait_s = True, LOOK_S
                yield SemanticAnswer(is_waiting=True, result=None)
