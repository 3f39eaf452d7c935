"""Root fields to read runs of every kind, and steps."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import func

from app.core.errors import NotFound
from app.core.ids import parse_global_id
from app.graphql.compiler.declare import Scoped
from app.graphql.compiler.standins import derive
from app.graphql.connections import Connection
from app.graphql.fields import root_connection, root_list, root_one
from app.graphql.payloads import int_key
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
        if parsed is None or not parsed[0].endswith(("Run", "Task")):
            raise ValueError
        return UUID(parsed[1])
    except ValueError as error:
        raise NotFound("There is no such run.") from error


_ID: dict[str, tuple[Any, str]] = {"id": (strawberry.ID, "Which one.")}


def _run_named(given: Mapping[str, Any]) -> Scoped:
    return Scoped((t.runs.c.id == derive(run_key, given["id"], like=UUID(int=0)),))


def _step_named(given: Mapping[str, Any]) -> Scoped:
    key = derive(lambda text: int_key(text, "RunStep", "step"), given["id"], like=0)
    return Scoped((t.run_steps.c.id == key,))


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

    run: Run | None = root_one("Run", Run, "One run of any kind.", arguments=_ID, named=_run_named)
    run_step: RunStep | None = root_one(
        "RunStep", RunStep, "One step.", arguments=_ID, named=_step_named
    )
    workers: list[Worker] = root_list(
        "Worker",
        Worker,
        "Workers seen within the last 15 seconds; at most 200.",
        order=[t.workers.c.started_at],
        limit=200,
        where=[t.workers.c.seen_at > func.now() - waits.SEEN],
    )
