"""Verbs on runs for those who start, cancel and retry them. What a worker writes is in fenced.py."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Update,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import delete as delete_rows
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from app.core.db import Tx
from app.core.errors import Conflict, Invalid, NotFound
from app.runs.record import Change, end_run, record, reset_steps
from app.runs.states import RUN_ENDS
from app.runs.tables import run_steps, runs

KEY_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class Accepted:
    """The run that a request made, or the one that an equal request made before."""

    run_id: UUID
    created: bool


async def accept(
    tx: Tx,
    *,
    project_id: int,
    kind: str,
    steps: Sequence[str] = (),
    upstream: Mapping[str, Sequence[str]] = MappingProxyType({}),
    subject_id: int | None = None,
    params: dict[str, Any] | None = None,
    max_attempts: int = 3,
    timeout_s: int | None = None,
    concurrency: int | None = None,
    lane: str | None = None,
    lane_limit: int | None = None,
    hold: str | None = None,
    available_at: datetime | None = None,
    schedule_id: int | None = None,
    fire_at: datetime | None = None,
    idempotency_key: str | None = None,
    idempotency_body: bytes | None = None,
    created_by: int | None = None,
    priority: int = 0,
) -> Accepted:
    """Queue a run with its steps, and for each the steps that it needs; workers are told later.

    The same idempotency key with the same kind, subject and body within 24 h gives the first
    run, with anything else a Conflict, and so does a second sync of one job. The same schedule and fire time gives the first run.
    `concurrency`: at most so many runs of this kind and subject run at a time; `lane_limit`: of this
    project and lane. A run on `hold` waits until `release` ends it.
    """
    digest = _digest(kind, subject_id, idempotency_body) if idempotency_key is not None else None
    values: dict[str, Any] = {
        "project_id": project_id,
        "kind": kind,
        "subject_id": subject_id,
        "params": params or {},
        "max_attempts": max_attempts,
        "timeout_s": timeout_s,
        "concurrency": concurrency,
        "lane": lane,
        "lane_limit": lane_limit,
        "hold": hold,
        "schedule_id": schedule_id,
        "fire_at": fire_at,
        "idempotency_key": idempotency_key,
        "idempotency_hash": digest,
        "created_by": created_by,
        "priority": priority,
        "version": 1,
    }
    if available_at is None and hold is None:
        # The hint after commit counts as the first; the reconciler pushes the second.
        values |= {"hinted_at": func.now(), "hint_count": 1}
    if available_at is not None:
        values["available_at"] = available_at
    insertion = (
        insert_or_skip(runs)
        .values(**values)
        .on_conflict_do_nothing()
        .returning(runs.c.id, runs.c.project_id, runs.c.version)
    )
    while (run := await tx.one(insertion)) is None:
        first = await _first(tx, project_id, idempotency_key, schedule_id, fire_at)
        if first is None and await _is_active(tx, kind, subject_id):
            raise Conflict("Another run of the same job goes on.", reason="ACTIVE")
        if first is None or await _release_old_key(tx, first):
            continue
        if digest is not None and first["idempotency_hash"] != digest:
            raise Conflict("This idempotency key was used for another request within a day.")
        return Accepted(first["id"], created=False)
    if steps:
        await tx.execute(
            insert(run_steps),
            [
                {
                    "run_id": run["id"],
                    "project_id": project_id,
                    "position": position,
                    "name": name,
                    "upstream": list(upstream.get(name, ())),
                }
                for position, name in enumerate(steps)
            ],
        )
    await record(tx, run, Change("run.queued", "queued"))
    if available_at is None and hold is None:
        tx.hint(run["id"])
    return Accepted(run["id"], created=True)


def _digest(kind: str, subject_id: int | None, body: bytes | None) -> str:
    return hashlib.sha256(f"{kind}\n{subject_id}\n".encode() + (body or b"")).hexdigest()


async def _first(
    tx: Tx,
    project_id: int,
    key: str | None,
    schedule_id: int | None,
    fire_at: datetime | None,
) -> RowMapping | None:
    same: list[ColumnElement[bool]] = []
    if key is not None:
        same.append(and_(runs.c.project_id == project_id, runs.c.idempotency_key == key))
    if schedule_id is not None and fire_at is not None:
        same.append(and_(runs.c.schedule_id == schedule_id, runs.c.fire_at == fire_at))
    if not same:
        return None
    return await tx.one(
        select(
            runs.c.id,
            runs.c.idempotency_key,
            runs.c.idempotency_hash,
            (runs.c.created_at < func.now() - KEY_LIFE).label("old"),
        ).where(or_(*same))
    )


async def _is_active(tx: Tx, kind: str, subject_id: int | None) -> bool:
    """Whether a run goes on beside which no other of its job may."""
    alone = ("sync", "clear")
    same = (runs.c.kind.in_(alone), runs.c.subject_id == subject_id)
    going = select(runs.c.id).where(*same, runs.c.status.in_(("queued", "running")))
    return kind in alone and await tx.one(going) is not None


async def _release_old_key(tx: Tx, run: RowMapping) -> bool:
    if run["idempotency_key"] is None or not run["old"]:
        return False
    await tx.execute(
        update(runs)
        .where(runs.c.id == run["id"], runs.c.idempotency_key == run["idempotency_key"])
        .values(idempotency_key=None, idempotency_hash=None)
    )
    return True


async def request_cancel(tx: Tx, run_id: UUID, *, reason: str | None = None) -> bool:
    """Cancel a queued run at once, ask the worker of a running one; False if it has ended.

    A queued one keeps the reason, as a word.
    """
    run = await _lock(tx, run_id)
    if run["status"] == "queued":
        return await end_run(tx, run_id, "cancelled", reason=reason)
    if run["status"] != "running":
        return False
    if run["cancel_requested_at"] is None:
        asked = await tx.one(
            update(runs)
            .where(runs.c.id == run_id)
            .values(
                cancel_requested_at=func.now(),
                updated_at=func.now(),
                version=runs.c.version + 1,
            )
            .returning(runs.c.id, runs.c.project_id, runs.c.version)
        )
        assert asked is not None
        await record(tx, asked, Change("run.cancel_requested", "running"))
    tx.cancel(run_id)
    return True


async def release(tx: Tx, *where: ColumnElement[bool]) -> list[UUID]:
    """Let go of the queued runs on hold that `where` names; workers are told after commit."""
    freed = await tx.all(
        update(runs)
        .where(runs.c.status == "queued", runs.c.hold.is_not(None), *where)
        .values(
            hold=None,
            available_at=func.greatest(runs.c.available_at, func.now()),
            updated_at=func.now(),
            version=runs.c.version + 1,
        )
        .returning(runs.c.id, runs.c.project_id, runs.c.version)
    )
    for run in freed:
        await record(tx, run, Change("run.queued", "queued", data={"released": True}))
        tx.hint(run["id"])
    return [run["id"] for run in freed]


async def retry(
    tx: Tx,
    run_id: UUID,
    *,
    step_names: Collection[str] | None = None,
    drop: Collection[str] = (),
    upstream: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> bool:
    """Queue an ended run again, for its steps that have not succeeded and for those named.

    Steps in `drop` are forgotten; those in `upstream` need the steps given there from now on.
    False, and nothing changes, for a run that has not ended, and for one that has succeeded
    when no step is named.
    """
    run = await _lock(tx, run_id)
    if run["status"] not in RUN_ENDS or (run["status"] == "succeeded" and not step_names):
        return False
    known = select(run_steps.c.name).where(run_steps.c.run_id == run_id)
    unknown = set(step_names or ()) - {row["name"] for row in await tx.all(known)}
    if unknown:
        raise Invalid(f"The run has no step {min(unknown)!r}.", "UNKNOWN_STEP")
    for name, needed in upstream.items():
        await tx.execute(_step(run_id, name).values(upstream=list(needed), params=None))
    gone = (run_steps.c.run_id == run_id, run_steps.c.name.in_(list(drop)))
    await tx.execute(delete_rows(run_steps).where(*gone))
    names = await reset_steps(tx, run_id, step_names or (), ended_too=True)
    await tx.execute(update(run_steps).where(run_steps.c.run_id == run_id).values(tries=0))
    again = await tx.one(
        update(runs)
        .where(runs.c.id == run_id)
        .values(
            status="queued",
            available_at=func.now(),
            updated_at=func.now(),
            started_at=None,
            finished_at=None,
            attempt=0,
            losses=0,
            hinted_at=func.now(),
            hint_count=1,
            cancel_requested_at=None,
            hold=None,
            result=None,
            reason=None,
            error=None,
            version=runs.c.version + 1,
        )
        .returning(runs.c.id, runs.c.project_id, runs.c.version)
    )
    assert again is not None
    await record(tx, again, Change("run.queued", "queued", data={"retry": True, "steps": names}))
    tx.hint(run_id)
    return True


def _step(run_id: UUID, name: str) -> Update:
    return update(run_steps).where(run_steps.c.run_id == run_id, run_steps.c.name == name)


async def delete(tx: Tx, run_id: UUID) -> None:
    """Delete a run with its steps, logs and events; one that has not ended is cancelled first.

    The worker that holds it finds nothing to hold any more and stops its blocks.
    """
    run = await _lock(tx, run_id)
    if run["status"] not in RUN_ENDS:
        await end_run(tx, run_id, "cancelled")
        tx.cancel(run_id)
    await tx.execute(delete_rows(runs).where(runs.c.id == run_id))


async def _lock(tx: Tx, run_id: UUID) -> RowMapping:
    run = await tx.one(
        select(runs.c.id, runs.c.status, runs.c.cancel_requested_at)
        .where(runs.c.id == run_id)
        .with_for_update()
    )
    if run is None:
        raise NotFound("There is no such run.")
    return run
