"""Root fields to read runs of every kind, and steps."""

from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy import func

from app.core.errors import NotFound
from app.core.ids import parse_global_id
from app.graphql.connections import Connection
from app.graphql.context import Info
from app.graphql.payloads import int_key
from app.graphql.rows import fetch_list, fetch_one, root_connection
from app.projects.queries import PROJECT_ARGUMENT, in_project
from app.runs import tables as t
from app.runs import waits
from app.runs.inputs import (
    RUN_COLUMNS,
    STEP_COLUMNS,
    RunFilter,
    RunOrder,
    RunStepFilter,
    RunStepOrder,
)
from app.runs.types import Run, RunStep, Worker


def run_key(given: str) -> UUID:
    """The row key of a run's global id, whatever its kind."""
    parsed = parse_global_id(given)
    try:
        if parsed is None or not parsed[0].endswith("Run"):
            raise ValueError
        return UUID(parsed[1])
    except ValueError as error:
        raise NotFound("There is no such run.") from error


@strawberry.type
class RunQuery:
    """Runs and steps."""

    runs: Connection[Run] = root_connection(
        "Run",
        "Runs of every kind in a project, newest first.",
        where=RunFilter,
        columns=RUN_COLUMNS,
        order=RunOrder,
        default_order=[(t.runs.c.created_at, True)],
        scope=in_project(t.runs),
        extra=PROJECT_ARGUMENT,
    )
    run_steps: Connection[RunStep] = root_connection(
        "RunStep",
        "Steps of all runs in a project, last begun first.",
        where=RunStepFilter,
        columns=STEP_COLUMNS,
        order=RunStepOrder,
        default_order=[(t.run_steps.c.started_at, True)],
        scope=in_project(t.run_steps),
        extra=PROJECT_ARGUMENT,
    )

    @strawberry.field(description="One run of any kind.")
    async def run(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which run.")],
    ) -> Run | None:
        """One run, or null."""
        info.context.subject.require_known()
        found: Run | None = await fetch_one(info, "Run", t.runs.c.id == run_key(id))
        return found

    @strawberry.field(description="One step.")
    async def run_step(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which step.")],
    ) -> RunStep | None:
        """One step, or null."""
        info.context.subject.require_known()
        condition = t.run_steps.c.id == int_key(id, "RunStep", "step")
        found: RunStep | None = await fetch_one(info, "RunStep", condition)
        return found

    @strawberry.field(description="Workers seen within the last 15 seconds; at most 200.")
    async def workers(self, info: Info) -> list[Worker]:
        """Who does the work."""
        info.context.subject.require_known()
        seen = t.workers.c.seen_at > func.now() - waits.SEEN
        return await fetch_list(info, "Worker", [t.workers.c.started_at], seen, limit=200)
