"""Verbs of pipeline runs: start, cancel, retry."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping, func, insert, select

from app.core import db
from app.core.changes import update_row
from app.core.errors import Invalid, NotFound, Unauthenticated
from app.core.rules import Subject
from app.pipelines import dag
from app.pipelines.actions._shared import blocks_of, check_variables, lock_row
from app.pipelines.actions.alerts import expect_ends
from app.pipelines.actions.triggers import HOLD, activation
from app.pipelines.kinds import RUNNABLE
from app.pipelines.limits import KIND, Limits, is_full, limits_of, renew
from app.pipelines.schedule import ONCE
from app.pipelines.tables import pipeline_runs, pipelines, triggers
from app.runs import actions as ledger
from app.runs.tables import run_steps, runs

KEY_LENGTH = 255


async def start_run(
    tx: db.Tx,
    pipeline: RowMapping,
    trigger: RowMapping | None,
    *,
    variables: Mapping[str, Any] | None = None,
    event_variables: Mapping[str, Any] | None = None,
    execution_date: datetime | None = None,
    fire_at: datetime | None = None,
    idempotency_key: str | None = None,
    hold: str | None = None,
    backfill_id: int | None = None,
    limits: Limits | None = None,
) -> ledger.Accepted:
    """Accept a run of a pipeline in the caller's transaction.

    Gives the first run where the key or `fire_at` has had one already. Runs that a schedule
    starts have the trigger's variables; others hold what was sent, with their execution partition.
    Beyond a limit whose runs shall not wait, it is cancelled at once, with the reason `limit`.
    """
    now = await tx.one(select(func.clock_timestamp().label("now")))
    assert now is not None
    date = execution_date or now["now"]
    settings = (trigger["settings"] if trigger else None) or {}
    body = orjson.dumps(
        [pipeline["id"], trigger["id"] if trigger else None, variables, event_variables],
        option=orjson.OPT_SORT_KEYS,
        default=str,
    )
    limits = limits or limits_of(pipeline, trigger, scheduled=fire_at is not None)
    full = hold is None and await is_full(tx, pipeline, limits)
    present = await blocks_of(tx, pipeline["id"])
    upstream = {b["uuid"]: b["upstream_blocks"] for b in present if b["type"] in RUNNABLE}
    accepted = await ledger.accept(
        tx,
        project_id=pipeline["project_id"],
        kind=KIND,
        subject_id=pipeline["id"],
        steps=list(upstream),
        upstream={uuid: [u for u in names if u in upstream] for uuid, names in upstream.items()},
        params=_params(settings),
        timeout_s=settings.get("timeout") or None,
        hold=hold,
        schedule_id=trigger["id"] if trigger and fire_at else None,
        fire_at=fire_at,
        idempotency_key=idempotency_key,
        idempotency_body=body if idempotency_key else None,
        created_by=tx.subject.user_id,
        **limits.columns,
    )
    if not accepted.created:
        return accepted
    kept = dict(variables) if variables is not None else None
    if fire_at is None:
        kept = {**(kept or {}), **partition(trigger, date)}
    await tx.execute(
        insert(pipeline_runs).values(
            run_id=accepted.run_id,
            project_id=pipeline["project_id"],
            pipeline_id=pipeline["id"],
            pipeline_uuid=pipeline["uuid"],
            trigger_id=trigger["id"] if trigger else None,
            trigger_name=trigger["name"] if trigger else None,
            execution_date=date,
            variables=kept,
            event_variables=event_variables,
            backfill_id=backfill_id,
        )
    )
    if full:
        await ledger.request_cancel(tx, accepted.run_id, reason="limit")
    return accepted


def partition(trigger: RowMapping | None, date: datetime) -> dict[str, str]:
    """The variable that tells runs apart which no schedule has started."""
    stamp = date.astimezone(UTC).strftime("%Y%m%dT%H%M%S_%f")
    return {"execution_partition": f"{trigger['id'] if trigger else 'manual'}/{stamp}"}


def _params(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the run itself must know of its trigger's settings."""
    status = settings.get("timeout_status")
    return {"timeout_status": status} if status else {}


async def start_scheduled(tx: db.Tx, trigger: RowMapping, fire_at: datetime) -> UUID | None:
    """Start a time trigger's run for a slot; None where the slot has had its run already."""
    pipeline = await _pipeline(tx, trigger["pipeline_id"])
    started = await start_run(
        tx,
        pipeline,
        trigger,
        variables=trigger["variables"],
        execution_date=fire_at,
        fire_at=fire_at,
    )
    return started.run_id if started.created else None


async def trigger_pipeline(
    subject: Subject,
    *,
    trigger_id: int | None = None,
    pipeline_id: int | None = None,
    variables: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> UUID:
    """Start a run by right of membership: of a trigger's pipeline, or of a pipeline itself.

    The run of an inactive trigger waits until that is switched on; `@once` is by the call.
    """
    check_variables(variables)
    _check_key(idempotency_key)
    async with db.transaction(subject) as tx:
        trigger = None
        if trigger_id is not None:
            trigger = await lock_row(tx, triggers, trigger_id, "pipeline.run")
            pipeline_id = trigger["pipeline_id"]
        if pipeline_id is None:
            raise Invalid("Name a trigger or a pipeline to run.")
        subject.require_known()
        pipeline = await _pipeline(tx, pipeline_id)
        if not subject.may("pipeline.read", pipeline["project_id"]):
            raise NotFound("The pipeline does not exist.")
        subject.require("pipeline.run", pipeline["project_id"])
        started = await start_run(
            tx,
            pipeline,
            trigger,
            variables=variables or {},
            idempotency_key=idempotency_key,
            hold=await _hold(tx, trigger) if trigger else None,
        )
        await tx.audit(
            "run.create", "PipelineRun", started.run_id, project_id=pipeline["project_id"]
        )
    return started.run_id


async def _hold(tx: db.Tx, trigger: RowMapping) -> str | None:
    """Why a called run must wait, if it must; a call of an inactive `@once` switches it on."""
    if trigger["status"] == "active":
        return None
    if trigger["type"] != "time" or trigger["interval"] != ONCE:
        return HOLD
    await update_row(tx, triggers, trigger, await activation(tx, trigger, "active"))
    return None


async def trigger_by_token(
    subject: Subject,
    trigger_id: int,
    token: str,
    *,
    variables: Mapping[str, Any] | None = None,
    event_variables: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> UUID:
    """Start a run by an API trigger's token, which is the only credential; activates the trigger.

    Raises NotFound for an unknown trigger, Invalid for one that no call may start, and
    Unauthenticated for a wrong token.
    """
    check_variables(variables)
    check_variables(event_variables)
    _check_key(idempotency_key)
    async with db.transaction(subject) as tx:
        trigger = await tx.one(
            select(triggers)
            .where(triggers.c.id == trigger_id)
            .with_for_update(read=True, key_share=True)
        )
        if trigger is None:
            raise NotFound("Record not found.")
        if trigger["type"] != "api":
            raise Invalid("This endpoint is only supported for API trigger.", "NOT_API_TRIGGER")
        if not hmac.compare_digest(trigger["token"].encode(), token.encode()):
            raise Unauthenticated(
                f"Invalid token for pipeline schedule ID {trigger_id}.", reason="trigger_token"
            )
        if trigger["status"] != "active":
            await update_row(tx, triggers, trigger, await activation(tx, trigger, "active"))
        pipeline = await _pipeline(tx, trigger["pipeline_id"])
        started = await start_run(
            tx,
            pipeline,
            trigger,
            variables=variables or {},
            event_variables=event_variables,
            idempotency_key=idempotency_key,
        )
        await tx.audit(
            "run.create", "PipelineRun", started.run_id, project_id=pipeline["project_id"]
        )
    return started.run_id


async def cancel_run(subject: Subject, run_id: UUID) -> UUID:
    """Cancel a run; a finished one stays as it is."""
    async with db.transaction(subject) as tx:
        row = await _lock_run(tx, run_id)
        await ledger.request_cancel(tx, run_id)
        await tx.audit("run.cancel", "PipelineRun", run_id, project_id=row["project_id"])
    return run_id


async def retry_run(subject: Subject, run_id: UUID, from_block: str | None = None) -> UUID:
    """Run again what did not succeed; with `from_block` that block and all that depend on it.

    A run that succeeded can only be retried from a block.
    """
    async with db.transaction(subject) as tx:
        row = await _lock_run(tx, run_id)
        if row["status"] in ("queued", "running"):
            raise Invalid(
                "The run has not ended yet. Wait for its end or cancel it, then retry.",
                "NOT_FINISHED",
            )
        if row["status"] == "succeeded" and from_block is None:
            raise Invalid("The run succeeded. Name a block to run again from.", "NOT_FAILED")
        again = await _steps_again(tx, row, from_block) if from_block is not None else {}
        await ledger.retry(tx, run_id, **again)
        await expect_ends(tx, [run_id])
        await renew(tx, run_id)
        await tx.audit("run.retry", "PipelineRun", run_id, project_id=row["project_id"])
    return run_id


async def _steps_again(tx: db.Tx, run: RowMapping, from_block: str) -> dict[str, Any]:
    """What `ledger.retry` is to do with the steps of a block and of all that depend on it.

    Copies of what is behind a dynamic block go if that block runs again: it may find other items.
    """
    present = await blocks_of(tx, run["subject_id"])
    graph = {block["uuid"]: block["upstream_blocks"] for block in present}
    first = from_block.partition(":")[0]
    if first not in graph:
        raise Invalid(f"Block {from_block} does not exist in the pipeline.", "BLOCK_UNKNOWN")
    again = {first} | dag.descendants(graph, first)
    names, drop, upstream = {first}, [], {}
    steps = select(run_steps.c.name, run_steps.c.params).where(run_steps.c.run_id == run["id"])
    for step in await tx.all(steps):
        params = step["params"] or {}
        stale = params.get("source") in again
        if stale and "item" in params:
            drop.append(step["name"])
            continue
        if stale:
            upstream[step["name"]] = params["upstream"]
        if step["name"].partition(":")[0] in again:
            names.add(step["name"])
    return {"step_names": names, "drop": drop, "upstream": upstream}


async def _lock_run(tx: db.Tx, run_id: UUID) -> RowMapping:
    tx.subject.require_known()
    row = await tx.one(
        select(runs).where(runs.c.id == run_id, runs.c.kind == KIND).with_for_update()
    )
    if row is None or not tx.subject.may("pipeline.read", row["project_id"]):
        raise NotFound("Record not found.")
    tx.subject.require("pipeline.run", row["project_id"])
    return row


async def _pipeline(tx: db.Tx, pipeline_id: int) -> RowMapping:
    row = await tx.one(select(pipelines).where(pipelines.c.id == pipeline_id))
    if row is None:
        raise NotFound("The pipeline does not exist.")
    return row


def _check_key(key: str | None) -> None:
    if key is not None and not 1 <= len(key) <= KEY_LENGTH:
        raise Invalid(
            f"An idempotency key has 1 to {KEY_LENGTH} characters.", path=("idempotencyKey",)
        )
