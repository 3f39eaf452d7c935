"""What a worker writes about the run it holds. Every write carries the fence of its claim.

Once another worker has claimed the run, or it has ended, each of these raises LeaseLost and
changes nothing. Each can be repeated when its caller cannot know whether it was committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, TextClause, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.types import DateTime

from app.core.db import Tx
from app.runs.record import Change, end_run, record, reset_steps
from app.runs.states import RunEnd, StepEnd, StepStatus, StepWait, step_sources
from app.runs.tables import run_logs, run_steps, runs


class LeaseLost(Exception):
    """The run is no longer this worker's: it must stop, and nothing that it writes counts."""


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log. Without `at` PostgreSQL's clock is used."""

    message: str
    level: str = "INFO"
    step: str | None = None
    step_id: int | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class NewStep:
    """A step that a run gets while it runs; `params` tell copies of one block apart."""

    name: str
    position: int
    upstream: Sequence[str]
    params: dict[str, Any]


def _move(assignments: str) -> TextClause:
    """One statement that moves a step of a run that is still held, and writes the event."""
    return text(f"""
WITH run AS (
    UPDATE runs SET version = version + 1, updated_at = now()
    WHERE id = :run_id AND fence = :fence AND status = 'running'
    RETURNING id, project_id, version
),
step AS (
    UPDATE run_steps SET status = :status, updated_at = now(), {assignments}
    FROM run WHERE run_id = run.id AND name = :name AND run_steps.status = ANY(:sources)
    RETURNING run_steps.id
),
event AS (
    INSERT INTO run_events (run_id, project_id, seq, kind, status, step, data)
    SELECT id, project_id, version, :kind, :status, :name, :data FROM run
)
SELECT project_id, (SELECT id FROM step) AS step_id FROM run
""").bindparams(bindparam("data", type_=JSONB(none_as_null=True)))


_QUEUE = _move("wait = :wait")
_START = _move(
    "started_at = coalesce(started_at, now()), attempt = attempt + 1, "
    "wait = NULL, available_at = NULL"
)
_WAIT = _move(
    "wait = :wait, available_at = now() + make_interval(secs => :delay_s), tries = :tries"
)
_FINISH = _move(
    "finished_at = now(), wait = NULL, available_at = NULL, outputs = :outputs, "
    "metrics = :metrics, reason = :reason, error = :error, traceback = :traceback"
).bindparams(
    bindparam("outputs", type_=JSONB), bindparam("metrics", type_=JSONB(none_as_null=True))
)


async def queue_step(tx: Tx, run_id: UUID, fence: int, name: str, wait: StepWait = "slot") -> None:
    """Note that a step could begin, but for a free `slot` or the run's own `limit`."""
    await _move_step(tx, _QUEUE, run_id, fence, name, "queued", {"wait": wait})


async def start_step(tx: Tx, run_id: UUID, fence: int, name: str) -> None:
    """Note that a step has begun; what it polled or tried before belongs to the same beginning."""
    await _move_step(tx, _START, run_id, fence, name, "running", {})


async def wait_step(
    tx: Tx, run_id: UUID, fence: int, name: str, wait: StepWait, delay_s: float, *, tries: int
) -> None:
    """Note that a running step goes on in `delay_s` seconds: its next `poll`, or its `retry`."""
    data = {"wait": wait, "delay_s": delay_s}
    values = {"wait": wait, "delay_s": float(delay_s), "tries": tries}
    await _move_step(tx, _WAIT, run_id, fence, name, "pending", values, data)


async def fan_out(
    tx: Tx, run_id: UUID, fence: int, copies: Sequence[NewStep], originals: Sequence[NewStep]
) -> dict[str, int]:
    """Give the run copies of steps; each original then only waits for its copies.

    Returns the ids of all steps by name.
    """
    run = await _raise_version(tx, run_id, fence)
    if copies:
        rows = [
            {**vars(step), "run_id": run_id, "project_id": run["project_id"]} for step in copies
        ]
        await tx.execute(insert_or_skip(run_steps).on_conflict_do_nothing(), rows)
    for step in originals:
        await tx.execute(
            update(run_steps)
            .where(run_steps.c.run_id == run_id, run_steps.c.name == step.name)
            .values(upstream=list(step.upstream), params=step.params)
        )
    names = [step.name for step in copies]
    await record(tx, run, Change("steps.added", "pending", data={"steps": names}))
    ids = select(run_steps.c.name, run_steps.c.id).where(run_steps.c.run_id == run_id)
    return {row["name"]: row["id"] for row in await tx.all(ids)}


async def finish_step(
    tx: Tx,
    run_id: UUID,
    fence: int,
    name: str,
    status: StepEnd,
    *,
    outputs: Sequence[dict[str, Any]] = (),
    metrics: dict[str, Any] | None = None,
    reason: str | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    """Note how a step has ended, and what it left behind."""
    values = {
        "outputs": storable(list(outputs)),
        "metrics": storable(metrics),
        "reason": reason,
        "error": storable(error),
        "traceback": storable(traceback),
    }
    await _move_step(tx, _FINISH, run_id, fence, name, status, values)


async def append_logs(
    tx: Tx, run_id: UUID, fence: int, after_seq: int, lines: Sequence[LogLine]
) -> int:
    """Write lines with the numbers after `after_seq`; returns the last one.

    Only the holder of the run numbers its lines, so that a repeated batch changes nothing.
    """
    held = await tx.one(
        select(runs.c.project_id)
        .where(runs.c.id == run_id, runs.c.fence == fence, runs.c.status == "running")
        .with_for_update(read=True)
    )
    if held is None:
        raise LeaseLost(str(run_id))
    rows = [
        {
            "run_id": run_id,
            "seq": seq,
            "project_id": held["project_id"],
            "line_at": line.at,
            "level": line.level,
            "step": line.step,
            "step_id": line.step_id,
            "message": storable(line.message),
        }
        for seq, line in enumerate(lines, after_seq + 1)
    ]
    if rows:
        at = func.coalesce(bindparam("line_at", type_=DateTime(timezone=True)), func.now())
        await tx.execute(
            insert_or_skip(run_logs).values(at=at).on_conflict_do_nothing(),
            rows,
        )
        tx.changed(run_id, held["project_id"])
    return after_seq + len(rows)


async def finish(
    tx: Tx,
    run_id: UUID,
    fence: int,
    status: RunEnd,
    *,
    result: dict[str, Any] | None = None,
    reason: str | None = None,
    error: str | None = None,
) -> None:
    """End the run. Steps that it leaves unfinished end with it."""
    ended = await end_run(
        tx,
        run_id,
        status,
        runs.c.fence == fence,
        runs.c.status == "running",
        result=storable(result),
        reason=reason,
        error=storable(error),
    )
    if not ended:
        row = await tx.one(select(runs.c.fence, runs.c.status).where(runs.c.id == run_id))
        if row is None or (row["fence"], row["status"]) != (fence, status):
            raise LeaseLost(str(run_id))


async def give_back(
    tx: Tx, run_id: UUID, fence: int, *, delay_s: float = 0, consume_attempt: bool
) -> None:
    """Queue the run again, for `delay_s` seconds later; a cancel that was asked for ends it.

    Unfinished steps become pending; where the attempt counts, those as well that failed.
    """
    if await _held(tx, run_id, fence):
        names = await reset_steps(tx, run_id, ended_too=consume_attempt)
        data = {"delay_s": delay_s, "attempt_consumed": consume_attempt, "steps": names}
        await _queue(tx, run_id, delay_s, data, attempts=0 if consume_attempt else 1)


async def park(tx: Tx, run_id: UUID, fence: int, delay_s: float) -> None:
    """Give the worker up until `delay_s` seconds have passed, since nothing in the run can go on.

    No attempt is used up, and steps keep the times at which they poll or are tried again.
    """
    if await _held(tx, run_id, fence):
        await _queue(tx, run_id, delay_s, {"parked": True, "delay_s": delay_s}, attempts=1)


async def _held(tx: Tx, run_id: UUID, fence: int) -> bool:
    """Lock the run; False where a cancel was asked for, which has ended it now."""
    held = await tx.one(
        select(runs.c.cancel_requested_at)
        .where(runs.c.id == run_id, runs.c.fence == fence, runs.c.status == "running")
        .with_for_update()
    )
    if held is None:
        raise LeaseLost(str(run_id))
    if held["cancel_requested_at"] is None:
        return True
    await end_run(tx, run_id, "cancelled")
    return False


async def _queue(
    tx: Tx, run_id: UUID, delay_s: float, data: dict[str, Any], *, attempts: int
) -> None:
    given = await tx.one(
        update(runs)
        .where(runs.c.id == run_id)
        .values(
            status="queued",
            available_at=_in_seconds(delay_s),
            updated_at=func.now(),
            lease_until=None,
            attempt=runs.c.attempt - attempts,
            losses=0,
            hinted_at=None if delay_s else func.now(),
            hint_count=0 if delay_s else 1,
            version=runs.c.version + 1,
        )
        .returning(runs.c.id, runs.c.project_id, runs.c.version)
    )
    assert given is not None
    await record(tx, given, Change("run.queued", "queued", data=data))
    if not delay_s:
        tx.hint(run_id)


def _in_seconds(delay_s: float) -> ColumnElement[Any]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, float(delay_s))


async def _move_step(
    tx: Tx,
    move: TextClause,
    run_id: UUID,
    fence: int,
    name: str,
    status: StepStatus,
    values: dict[str, Any],
    data: dict[str, Any] | None = None,
) -> None:
    told = {
        "run_id": run_id,
        "fence": fence,
        "name": name,
        "status": status,
        "sources": list(step_sources(status)),
        "kind": "step.finished" if move is _FINISH else f"step.{status}",
        "data": data,
    }
    moved = await tx.one(move, {**told, **values})
    if moved is None:
        raise LeaseLost(str(run_id))
    if moved["step_id"] is None:
        step = (run_steps.c.run_id == run_id, run_steps.c.name == name)
        found = await tx.one(select(run_steps.c.status).where(*step))
        # The same state: a repetition, whose event may be told twice.
        if found is None or found["status"] != status:
            was = found["status"] if found else "missing"
            raise ValueError(f"Step {name!r} is {was} and cannot become {status}.")
    tx.changed(run_id, moved["project_id"])


async def _raise_version(tx: Tx, run_id: UUID, fence: int) -> RowMapping:
    run = await tx.one(
        update(runs)
        .where(runs.c.id == run_id, runs.c.fence == fence, runs.c.status == "running")
        .values(version=runs.c.version + 1, updated_at=func.now())
        .returning(runs.c.id, runs.c.project_id, runs.c.version)
    )
    if run is None:
        raise LeaseLost(str(run_id))
    return run


def storable(value: Any) -> Any:
    """The same value without what PostgreSQL cannot hold: NUL characters, lone surrogates."""
    if isinstance(value, str):
        return (
            value.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
        )
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value
