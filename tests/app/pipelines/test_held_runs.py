"""Runs that a call made of an inactive trigger: they never outlive what could let them go."""

from uuid import UUID

import pytest

from app.core.rules import SYSTEM
from app.pipelines.actions.backfills import delete_backfill
from app.pipelines.actions.pipelines import delete_pipeline
from app.pipelines.actions.runs import trigger_pipeline
from app.pipelines.actions.triggers import HOLD, delete_trigger
from app.pipelines.actions.whole import Parts, WholePipeline, WholeProject, write_project
from app.runs.tables import runs
from tests.factories import rows
from tests.factories.team import Team


async def held_run(pipeline: int, trigger: int) -> UUID:
    """A run that a call made of an inactive trigger."""
    run_id = await trigger_pipeline(SYSTEM, trigger_id=trigger)
    assert (await rows.values_of(runs, run_id))["hold"] == HOLD
    return run_id


@pytest.mark.parametrize("what", ["trigger", "pipeline", "imported", "backfill"])
async def test_a_run_on_hold_ends_with_what_could_let_it_go(team: Team, what: str) -> None:
    name = f"held_{what}"
    pipeline = await rows.pipeline(team.project, name)
    trigger = (await rows.trigger(pipeline, "t", status="inactive"))["id"]
    run_id = await held_run(pipeline, trigger)
    if what == "trigger":
        await delete_trigger(SYSTEM, trigger)
    elif what == "pipeline":
        await delete_pipeline(SYSTEM, pipeline_id=pipeline)
    elif what == "imported":
        kept = WholePipeline({"name": name, "type": "python"}, {}, {})
        dropped = Parts(triggers=[(name, "t")])
        whole = WholeProject(pipelines={name: kept}, dropped=dropped)
        await write_project(SYSTEM, team.project, whole)
    else:
        backfill = await rows.backfill(pipeline, trigger_id=trigger)
        await delete_backfill(SYSTEM, backfill)
    assert (await rows.values_of(runs, run_id))["status"] == "cancelled"
