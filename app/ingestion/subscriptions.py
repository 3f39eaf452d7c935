"""Live tasks: how those of a job stand, and what they have moved."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.access.identify import renewed
from app.core import events
from app.core.errors import NotFound
from app.graphql.context import Info
from app.graphql.references import row
from app.graphql.rows import fetch, reader
from app.graphql.scalars import BigInt
from app.ingestion import tables as t
from app.ingestion.inputs import SyncJobBy
from app.ingestion.queries import job_key
from app.ingestion.types import SyncTask
from app.runs.inputs import RunStatus
from app.runs.tables import runs

NEWEST = 20
"""So many of a job's tasks are looked at; one at most goes on."""

Mark = tuple[int, datetime]


@strawberry.type(description="A change of a task, with the task as it is now.")
class SyncTaskEvent:
    """An event as subscribers see it."""

    seq: BigInt = strawberry.field(
        description="Number of the task's last event; progress in between does not raise it."
    )
    status: RunStatus = strawberry.field(description="Where it stands.")
    task: SyncTask | None = strawberry.field(description="The task as it is now.")


@strawberry.type
class SyncSubscription:
    """Streams of tasks."""

    @strawberry.subscription(
        description="Each change of any task of a job, and its progress. It opens with the newest "
        "task, if there is one, and ends when the job is gone."
    )
    async def sync_task_updated(
        self,
        info: Info,
        by: Annotated[SyncJobBy, strawberry.argument(description="Which job.")],
    ) -> AsyncGenerator[SyncTaskEvent, None]:
        """Follow a job."""
        info.context.subject.require_known()
        job_id = job_key(by)
        seen: dict[UUID, Mark] = {}
        with events.Waiter(f"project:{await _project_of(info, job_id)}") as waiter:
            while True:
                info.context.become(await renewed(info.context.subject))
                await _project_of(info, job_id)
                found = await _tasks(info, job_id)
                told = found if seen else found[-1:]
                for run_id, status, mark in told:
                    if seen.get(run_id) == mark:
                        continue
                    info.context.forget()
                    task = row("SyncTask", run_id)
                    yield SyncTaskEvent(seq=BigInt(mark[0]), status=RunStatus(status), task=task)
                seen = {run_id: mark for run_id, _, mark in found}
                await waiter.wait()


async def _project_of(info: Info, job_id: int) -> int:
    """The project of a job that the caller may read; NotFound for any other."""
    wanted = reader("SyncJob").sql.select([t.sync_jobs.c.project_id])
    found = await fetch(wanted.where(t.sync_jobs.c.id == job_id), info.context)
    if not found:
        raise NotFound("There is no such job.")
    return int(found[0]["project_id"])


async def _tasks(info: Info, job_id: int) -> list[tuple[UUID, str, Mark]]:
    """Key, status and version with time of change of a job's newest tasks, oldest first."""
    columns = [runs.c.id, runs.c.status, runs.c.version, runs.c.updated_at]
    wanted = reader("SyncTask").sql.select(columns).where(t.sync_tasks.c.job_id == job_id)
    newest = wanted.order_by(t.sync_tasks.c.number.desc()).limit(NEWEST)
    found = await fetch(newest, info.context)
    return [(row["id"], row["status"], (row["version"], row["updated_at"])) for row in found][::-1]
