"""Verbs on many runs of a pipeline at once, and the end of a single run's record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, select

from app.core import db
from app.core.errors import Invalid, NotFound
from app.core.rules import Subject
from app.pipelines.actions._shared import check_variables, lock_pipeline
from app.pipelines.actions.alerts import expect_ends
from app.pipelines.actions.runs import start_run
from app.pipelines.limits import KIND, renew
from app.pipelines.tables import pipeline_runs, triggers
from app.runs import actions as ledger
from app.runs.tables import runs

MOST = 1000


@dataclass(frozen=True)
class Repeat:
    """A run to do again; variables only where they are sent along."""

    number: int
    variables: Mapping[str, Any] | None = None
    event_variables: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Changed:
    """The pipeline, and how many of its runs were changed or made."""

    pipeline_id: int
    count: int


async def cancel_runs(
    subject: Subject,
    *,
    pipeline_id: int | None = None,
    uuid: str = "",
    trigger_id: int | None = None,
    numbers: Sequence[int] | None = None,
) -> Changed:
    """Cancel the pipeline's runs that have not ended: all, a trigger's, or those numbered."""
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(tx, "pipeline.run", pipeline_id=pipeline_id, uuid=uuid)
        conditions: list[ColumnElement[bool]] = []
        if trigger_id is not None:
            conditions.append(pipeline_runs.c.trigger_id == trigger_id)
        if numbers is not None:
            await _numbered(tx, pipeline, numbers)
            conditions.append(pipeline_runs.c.number.in_(numbers))
        found = await _runs(tx, pipeline, ("queued", "running"), *conditions)
        for run in found:
            await ledger.request_cancel(tx, run["run_id"])
        await _audit(tx, "run.cancel", pipeline)
    return Changed(pipeline["id"], len(found))


async def repeat_runs(
    subject: Subject,
    repeats: Sequence[Repeat],
    *,
    pipeline_id: int | None = None,
    uuid: str = "",
) -> Changed:
    """Make a new run for each that is named, of the same trigger and execution date."""
    for repeat in repeats:
        check_variables(repeat.variables)
        check_variables(repeat.event_variables)
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(tx, "pipeline.run", pipeline_id=pipeline_id, uuid=uuid)
        first = await _numbered(tx, pipeline, [repeat.number for repeat in repeats])
        for repeat in repeats:
            run = first[repeat.number]
            trigger = select(triggers).where(triggers.c.id == run["trigger_id"])
            await start_run(
                tx,
                pipeline,
                await tx.one(trigger),
                variables=repeat.variables or {},
                event_variables=repeat.event_variables or {},
                execution_date=run["execution_date"],
            )
        await _audit(tx, "run.create", pipeline)
    return Changed(pipeline["id"], len(repeats))


async def retry_runs(
    subject: Subject, *, pipeline_id: int | None = None, uuid: str = ""
) -> Changed:
    """Let all failed runs of the pipeline go on with what did not succeed."""
    async with db.transaction(subject) as tx:
        pipeline = await lock_pipeline(tx, "pipeline.run", pipeline_id=pipeline_id, uuid=uuid)
        found = await _runs(tx, pipeline, ("failed",))
        for run in found:
            await ledger.retry(tx, run["run_id"])
            await renew(tx, run["run_id"])
        await expect_ends(tx, [run["run_id"] for run in found])
        await _audit(tx, "run.retry", pipeline)
    return Changed(pipeline["id"], len(found))


async def delete_run(subject: Subject, run_id: UUID) -> UUID:
    """Delete a run with its steps, outputs, logs and events; one that goes on is stopped first."""
    subject.require_known()
    async with db.transaction(subject) as tx:
        wanted = select(runs).where(runs.c.id == run_id, runs.c.kind == KIND)
        row = await tx.one(wanted.with_for_update())
        if row is None or not subject.may("pipeline.read", row["project_id"]):
            raise NotFound("Record not found.")
        subject.require("pipeline.run", row["project_id"])
        await ledger.delete(tx, run_id)
        await tx.audit("run.delete", "PipelineRun", run_id, project_id=row["project_id"])
    return run_id


async def _runs(
    tx: db.Tx, pipeline: RowMapping, statuses: Sequence[str], *where: ColumnElement[bool]
) -> Sequence[RowMapping]:
    """Runs of the pipeline, oldest first; Invalid where they are too many for one call."""
    owned = select(pipeline_runs.c.run_id).join(runs, runs.c.id == pipeline_runs.c.run_id)
    owned = owned.where(
        pipeline_runs.c.pipeline_id == pipeline["id"], runs.c.status.in_(statuses), *where
    )
    found = await tx.all(owned.order_by(pipeline_runs.c.number).limit(MOST + 1))
    if len(found) > MOST:
        raise Invalid(f"More than {MOST} runs are meant. Name a trigger or some of the runs.")
    return found


async def _numbered(
    tx: db.Tx, pipeline: RowMapping, numbers: Sequence[int]
) -> Mapping[int, RowMapping]:
    """Runs of the pipeline by number; Invalid where one is not its run."""
    if len(numbers) > MOST:
        raise Invalid(f"At most {MOST} runs can be named at once.")
    owned = select(pipeline_runs).where(
        pipeline_runs.c.pipeline_id == pipeline["id"], pipeline_runs.c.number.in_(numbers)
    )
    found = {row["number"]: row for row in await tx.all(owned)}
    for number in numbers:
        if number not in found:
            raise Invalid(f"Pipeline {pipeline['uuid']} has no run {number}.")
    return found


async def _audit(tx: db.Tx, action: str, pipeline: RowMapping) -> None:
    await tx.audit(
        action, "Pipeline", pipeline["id"], project_id=pipeline["project_id"], fields=["runs"]
    )
