"""Selects with names, for callers that are not GraphQL resolvers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, extract, func, select, true

from app.core.db import reading
from app.pipelines.tables import blocks, pipeline_runs, pipelines, triggers
from app.runs.tables import run_steps, runs


async def started_run(run_id: UUID) -> Mapping[str, Any]:
    """The facts that the holder of a trigger's token sees of its run."""
    facet = pipeline_runs.c
    statement = (
        select(
            facet.number,
            runs.c.status,
            facet.pipeline_uuid,
            facet.trigger_id.label("trigger_number"),
            facet.execution_date,
            facet.variables,
            facet.event_variables,
            runs.c.started_at,
            runs.c.finished_at,
            runs.c.created_at,
            runs.c.updated_at,
        )
        .join(runs, runs.c.id == facet.run_id)
        .where(facet.run_id == run_id)
    )
    async with reading() as connection:
        return dict((await connection.execute(statement)).mappings().one())


@dataclass(frozen=True)
class RunPlan:
    """What a worker needs to execute a pipeline run, as it is now.

    `steps` have two more columns: seconds until they may go on (`wait_s`) and since they first
    began (`since_s`), by PostgreSQL's clock.
    """

    facet: RowMapping
    pipeline: RowMapping
    trigger: RowMapping | None
    blocks: Mapping[str, RowMapping]
    steps: Sequence[RowMapping]

    @property
    def allows_failures(self) -> bool:
        """Whether blocks beside a failed one go on (trigger setting `allow_blocks_to_fail`)."""
        settings = (self.trigger["settings"] if self.trigger else None) or {}
        return bool(settings.get("allow_blocks_to_fail"))

    def attached(self, kind: str, name: str) -> list[RowMapping]:
        """The `conditional` or `callback` blocks of a block, in the pipeline's order."""
        found = (b for b in self.blocks.values() if b["type"] == kind)
        return [block for block in found if name in block["upstream_blocks"]]

    def upstream(self, step: RowMapping) -> list[str]:
        """The steps that a step needs, in its block's order."""
        if step["upstream"] is not None:
            return list(step["upstream"])
        # Accepted by a version that did not write them down.
        block = self.blocks.get(step["name"])
        names = {other["name"] for other in self.steps}
        return [u for u in block["upstream_blocks"] if u in names] if block else []


async def run_plan(run_id: UUID) -> RunPlan | None:
    """The plan of a pipeline run; None where its pipeline has been deleted since."""
    async with reading() as connection:

        async def rows(statement: Select[Any]) -> Sequence[RowMapping]:
            return list((await connection.execute(statement)).mappings())

        facets = await rows(select(pipeline_runs).where(pipeline_runs.c.run_id == run_id))
        if not facets or facets[0]["pipeline_id"] is None:
            return None
        facet = facets[0]
        owners = await rows(select(pipelines).where(pipelines.c.id == facet["pipeline_id"]))
        starters = await rows(select(triggers).where(triggers.c.id == facet["trigger_id"]))
        listed = await rows(
            select(blocks)
            .where(blocks.c.pipeline_id == facet["pipeline_id"])
            .order_by(blocks.c.position, blocks.c.id)
        )
        steps = await rows(
            select(
                run_steps,
                extract("epoch", run_steps.c.available_at - func.now()).label("wait_s"),
                extract("epoch", func.now() - run_steps.c.started_at).label("since_s"),
            )
            .where(run_steps.c.run_id == run_id)
            .order_by(run_steps.c.position, run_steps.c.id)
        )
    if not owners:
        return None
    by_uuid = {block["uuid"]: block for block in listed}
    return RunPlan(facet, owners[0], starters[0] if starters else None, by_uuid, steps)


async def notified_run(run_id: UUID) -> RowMapping | None:
    """What a message about a pipeline run can say, with its pipeline's `notification_config`."""
    broken = (
        select(run_steps.c.name, run_steps.c.error, run_steps.c.traceback)
        .where(run_steps.c.run_id == run_id, run_steps.c.status == "failed")
        .order_by(run_steps.c.finished_at, run_steps.c.id)
        .limit(1)
        .subquery()
    )
    facet = pipeline_runs.c
    statement = (
        select(
            *(facet.number, facet.pipeline_uuid, facet.trigger_id, facet.trigger_name),
            facet.execution_date,
            triggers.c.description.label("trigger_description"),
            triggers.c.sla,
            *(runs.c.status, runs.c.reason, runs.c.error),
            *(runs.c.created_at, runs.c.started_at, runs.c.finished_at),
            broken.c.name.label("step"),
            broken.c.error.label("step_error"),
            broken.c.traceback,
            pipelines.c.notification_config,
        )
        .join(runs, runs.c.id == facet.run_id)
        .join(pipelines, pipelines.c.id == facet.pipeline_id)
        .outerjoin(triggers, triggers.c.id == facet.trigger_id)
        .outerjoin(broken, true())
        .where(facet.run_id == run_id)
    )
    async with reading() as connection:
        return (await connection.execute(statement)).mappings().one_or_none()
