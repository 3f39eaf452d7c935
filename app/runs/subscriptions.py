"""Live runs: what happened since a sequence number, then what happens.

Rows are the source and wake-ups only make it quick, so that nothing is lost while Redis is away.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import func, select

from app.access.identify import renewed
from app.core import events
from app.core.errors import NotFound
from app.graphql.context import Info
from app.graphql.references import row
from app.graphql.rows import fetch, reader, requested
from app.graphql.scalars import BigInt
from app.projects.queries import project_scope
from app.runs import tables as t
from app.runs.queries import run_key
from app.runs.types import LogLine, Run

BATCH = 500
GATHER_S = 0.06
LATE = timedelta(seconds=10)
MOST = 5000


@strawberry.type(description="A change of a run, with the run as it is now.")
class RunEvent:
    """An event as subscribers see it."""

    seq: BigInt = strawberry.field(description="Its number in the run; pass it as `after`.")
    kind: str = strawberry.field(
        description="Such as run.running or step.finished; run.state opens a stream."
    )
    step: str | None = strawberry.field(description="The step concerned; null for the run itself.")
    status: str = strawberry.field(description="The new status of run or step.")
    run: Run | None = strawberry.field(description="The run as it is now.")


async def _renew(info: Info) -> None:
    """Before more is told: the caller's role may have changed, its session may have ended."""
    info.context.become(await renewed(info.context.subject))


async def _events_after(info: Info, run_id: UUID, seq: int) -> Any:
    read = reader("RunEventRecord")
    columns = [t.run_events.c[n] for n in ("seq", "kind", "step", "status")]
    statement = read.sql.select(columns).where(
        t.run_events.c.run_id == run_id, t.run_events.c.seq > seq
    )
    return await fetch(statement.order_by(t.run_events.c.seq).limit(BATCH), info.context)


@strawberry.type
class RunSubscription:
    """Streams of runs of every kind."""

    @strawberry.subscription(
        description="Each change of one run. Without `after` it opens with the present state; "
        "with it, with what was missed. It ends after the run's last change."
    )
    async def run_updated(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which run.")],
        after: Annotated[
            BigInt | None, strawberry.argument(description="The `seq` of the last event seen.")
        ] = None,
    ) -> AsyncGenerator[RunEvent, None]:
        """Follow one run."""
        info.context.subject.require_known()
        run_id = run_key(id)
        with events.Waiter(f"run:{run_id}") as waiter:
            run, version, ended = await _present(info, run_id)
            seq = int(after) if after is not None else version
            if after is None:
                yield RunEvent(
                    seq=BigInt(version), kind="run.state", step=None, status=run.status, run=run
                )
            while True:
                await _renew(info)
                run, version, ended = await _present(info, run_id)
                rows = await _events_after(info, run_id, seq)
                if rows:
                    run, version, ended = await _present(info, run_id)
                for row in rows:
                    seq = row["seq"]
                    yield RunEvent(
                        seq=BigInt(seq),
                        kind=row["kind"],
                        step=row["step"],
                        status=row["status"],
                        run=run,
                    )
                if ended and not rows and seq < version:
                    # Its events have gone by age; what is left to tell is how it stands.
                    seq = version
                    yield RunEvent(
                        seq=BigInt(version), kind="run.state", step=None, status=run.status, run=run
                    )
                if ended and seq >= version:
                    return
                if not rows:
                    await waiter.wait()

    @strawberry.subscription(
        description="Each change of any run in a project, from now on or behind `after`, the "
        "`updatedAt` of the last run seen. Quick changes of one run may come as one, and after a "
        "reconnect some of the last ten seconds come again: a known `seq` tells."
    )
    async def runs_updated(
        self,
        info: Info,
        project_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="In which project; that of the call if left out."),
        ] = None,
        after: Annotated[
            datetime | None,
            strawberry.argument(description="The `updatedAt` of the last run seen."),
        ] = None,
    ) -> AsyncGenerator[RunEvent, None]:
        """Follow a project."""
        subject = info.context.subject
        subject.require_known()
        project = project_scope(info, project_id)
        if not subject.may("pipeline.read", project):
            raise NotFound("There is no such project.")
        with events.Waiter(f"project:{project}") as waiter:
            since = after or await _now(info)
            seen = {} if after else await _changed(info, project, since)
            while True:
                await _renew(info)
                if not info.context.subject.may("pipeline.read", project):
                    raise NotFound("There is no such project.")
                fresh = await _changed(info, project, since)
                for run_id, (version, status, updated_at) in fresh.items():
                    known = seen.get(run_id)
                    if known and known[0] >= version:
                        continue
                    since = max(since, updated_at)
                    info.context.forget()
                    run = row("Run", run_id)
                    yield RunEvent(
                        seq=BigInt(version), kind="run.state", step=None, status=status, run=run
                    )
                seen = fresh
                await waiter.wait()

    @strawberry.subscription(
        description="A run's log lines, at most 500 at once, from the first or behind `after`. "
        "It ends when the run has ended and all its lines were sent."
    )
    async def run_logs(
        self,
        info: Info,
        run_id: Annotated[strawberry.ID, strawberry.argument(description="Which run.")],
        after: Annotated[
            BigInt | None, strawberry.argument(description="The `seq` of the last line seen.")
        ] = None,
    ) -> AsyncGenerator[list[LogLine], None]:
        """Follow a log."""
        info.context.subject.require_known()
        key = run_key(run_id)
        seq = int(after) if after is not None else -1
        names = requested(info)
        read = reader("LogLine")
        with events.Waiter(f"run:{key}") as waiter:
            while True:
                await _renew(info)
                _, _, ended = await _present(info, key)
                columns = [*read.columns(names), t.run_logs.c.seq.label("_seq")]
                statement = read.sql.select(columns).where(
                    t.run_logs.c.run_id == key, t.run_logs.c.seq > seq
                )
                rows = await fetch(statement.order_by(t.run_logs.c.seq).limit(BATCH), info.context)
                if rows:
                    seq = rows[-1]["_seq"]
                    yield [read.build(row) for row in rows]
                elif ended:
                    return
                if len(rows) < BATCH and not ended:
                    await waiter.wait()
                    await asyncio.sleep(GATHER_S)


async def _present(info: Info, run_id: UUID) -> tuple[Any, int, bool]:
    """The run with its selected fields, its version, and whether it has ended."""
    info.context.forget()
    read = reader("Run")
    extra = [t.runs.c.version.label("_version"), t.runs.c.status.label("_status")]
    columns = [*read.columns(requested(info, "run")), *extra]
    rows = await fetch(read.sql.select(columns).where(t.runs.c.id == run_id), info.context)
    if not rows:
        raise NotFound("There is no such run.")
    row = rows[0]
    run = read.build(row)
    run.status = row["_status"]
    return run, row["_version"], row["_status"] in ("succeeded", "failed", "cancelled")


async def _now(info: Info) -> datetime:
    rows = await fetch(select(func.now().label("now")), info.context)
    now: datetime = rows[0]["now"]
    return now


async def _changed(
    info: Info, project: int, since: datetime
) -> dict[UUID, tuple[int, str, datetime]]:
    """Version, status and time of change of the runs that changed lately, by id.

    A change is stamped when its transaction begins and seen when it commits; looking back a
    little further than the newest stamp finds those that committed late.
    """
    columns = [t.runs.c.id, t.runs.c.version, t.runs.c.status, t.runs.c.updated_at]
    statement = (
        reader("Run")
        .sql.select(columns)
        .where(t.runs.c.project_id == project, t.runs.c.updated_at >= since - LATE)
    )
    rows = await fetch(statement.order_by(t.runs.c.updated_at).limit(MOST), info.context)
    return {row["id"]: (row["version"], row["status"], row["updated_at"]) for row in rows}
