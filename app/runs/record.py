"""What every change of the ledger shares: its event, the end of a run, the reset of its steps."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, case, func, insert, or_, update

from app.core.db import Tx
from app.runs.states import STEPS_LEFT, RunEnd, run_sources, step_when_run_ends
from app.runs.tables import run_events, run_steps, runs


@dataclass(frozen=True)
class Change:
    """One row of `run_events` to be."""

    kind: str
    status: str
    step: str | None = None
    data: dict[str, Any] | None = None


async def record(tx: Tx, run: RowMapping, *changes: Change) -> None:
    """Write events whose last `seq` is the run's version, and wake its followers on commit.

    `run` is what an UPDATE returned that raised the version by one for each change, so that the
    row's lock orders the events of all writers.
    """
    first = run["version"] - len(changes) + 1
    rows = [
        {
            "run_id": run["id"],
            "project_id": run["project_id"],
            "seq": seq,
            "kind": change.kind,
            "status": change.status,
            "step": change.step,
            "data": change.data,
        }
        for seq, change in enumerate(changes, first)
    ]
    await tx.execute(insert(run_events), rows)
    tx.changed(run["id"], run["project_id"])


async def end_run(
    tx: Tx,
    run_id: UUID,
    status: RunEnd,
    *guard: ColumnElement[bool],
    result: dict[str, Any] | None = None,
    reason: str | None = None,
    error: str | None = None,
) -> bool:
    """Bring a run and its unfinished steps to their end; False if the guard did not hold."""
    ended = await tx.one(
        update(runs)
        .where(runs.c.id == run_id, runs.c.status.in_(run_sources(status)), *guard)
        .values(
            status=status,
            finished_at=func.now(),
            updated_at=func.now(),
            lease_until=None,
            result=result,
            reason=reason,
            error=error,
            version=runs.c.version + 1,
        )
        .returning(runs.c.id, runs.c.project_id, runs.c.version)
    )
    if ended is None:
        return False
    left = await tx.all(
        update(run_steps)
        .where(run_steps.c.run_id == run_id, run_steps.c.status.in_(STEPS_LEFT))
        .values(
            status=case(
                *(
                    (run_steps.c.status == step, step_when_run_ends(step, status, reason))
                    for step in STEPS_LEFT
                )
            ),
            reason=reason,
            wait=None,
            available_at=None,
            finished_at=func.now(),
            updated_at=func.now(),
        )
        .returning(run_steps.c.name, run_steps.c.status)
    )
    if left:
        raised = await tx.one(
            update(runs)
            .where(runs.c.id == run_id)
            .values(version=runs.c.version + len(left))
            .returning(runs.c.id, runs.c.project_id, runs.c.version)
        )
        assert raised is not None
        ended = raised
    steps = [Change("step.finished", step["status"], step["name"]) for step in left]
    data = {"reason": reason} if reason else None
    await record(tx, ended, *steps, Change("run.finished", status, data=data))
    return True


async def reset_steps(
    tx: Tx, run_id: UUID, names: Collection[str] = (), *, ended_too: bool = False
) -> list[str]:
    """Make unfinished steps, and those named, pending again; returns the names of what changed.

    `ended_too`: those as well that have ended without success.
    """
    left = run_steps.c.status.in_(("queued", "running"))
    again = run_steps.c.status.not_in(("pending", "succeeded")) if ended_too else left
    rows = await tx.all(
        update(run_steps)
        .where(run_steps.c.run_id == run_id, or_(again, run_steps.c.name.in_(list(names))))
        .values(
            status="pending",
            wait=None,
            available_at=None,
            started_at=None,
            finished_at=None,
            updated_at=func.now(),
            outputs=[],
            metrics=None,
            reason=None,
            error=None,
            traceback=None,
        )
        .returning(run_steps.c.name)
    )
    return [row["name"] for row in rows]
