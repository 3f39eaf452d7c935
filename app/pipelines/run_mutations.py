"""Root fields that change many runs at once, end a run's record, or set single variables."""

import strawberry

from app.graphql.context import Info
from app.graphql.fields import for_caller
from app.graphql.payloads import mutation
from app.graphql.references import row
from app.graphql.rows import fetch_one
from app.pipelines.actions import bulk
from app.pipelines.actions import variables as variable_verbs
from app.pipelines.inputs import PipelineError
from app.pipelines.mutations import ERRORS, PipelinePayload, pipeline_key, run_key
from app.pipelines.queries import run_named, trigger_key
from app.pipelines.run_inputs import (
    PipelineRunDeleteInput,
    PipelineRunsCancelInput,
    PipelineRunsRepeatInput,
    PipelineRunsRetryInput,
    PipelineVariableDeleteInput,
    PipelineVariableSetInput,
)
from app.pipelines.types import Pipeline, PipelineRun


@strawberry.type(description="Answer to the mutations of many runs of a pipeline.")
class PipelineRunsPayload:
    """The pipeline, and how many runs it was about."""

    pipeline: Pipeline | None = strawberry.field(default=None, description="The pipeline.")
    count: int | None = strawberry.field(
        default=None, description="How many runs were changed or made."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to pipelineRunDelete.")
class PipelineRunDeletePayload:
    """The run as it was."""

    run: PipelineRun | None = strawberry.field(default=None, description="The run as it was.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the run that is gone."
    )
    errors: list[PipelineError] = strawberry.field(default_factory=list, description=ERRORS)


def _answer(changed: bulk.Changed) -> PipelineRunsPayload:
    return PipelineRunsPayload(pipeline=row("Pipeline", changed.pipeline_id), count=changed.count)


@strawberry.type
class PipelineRunMutation:
    """Changes of many runs, and what is set one by one."""

    @mutation(PipelineRunsPayload, PipelineError, "Cancel runs of a pipeline that have not ended.")
    async def pipeline_runs_cancel(
        self, info: Info, input: PipelineRunsCancelInput
    ) -> PipelineRunsPayload:
        """Cancel runs."""
        changed = await bulk.cancel_runs(
            info.context.subject,
            trigger_id=trigger_key(input.trigger) if input.trigger else None,
            numbers=input.numbers,
            **pipeline_key(input.pipeline),
        )
        return _answer(changed)

    @mutation(
        PipelineRunsPayload,
        PipelineError,
        "Do runs of a pipeline again as new runs of the same trigger and execution date.",
    )
    async def pipeline_runs_repeat(
        self, info: Info, input: PipelineRunsRepeatInput
    ) -> PipelineRunsPayload:
        """Repeat runs."""
        repeats = [
            bulk.Repeat(r.number, r.variables, r.event_variables)  # type: ignore[arg-type]
            for r in input.runs
        ]
        changed = await bulk.repeat_runs(
            info.context.subject, repeats, **pipeline_key(input.pipeline)
        )
        return _answer(changed)

    @mutation(
        PipelineRunsPayload,
        PipelineError,
        "Let all failed runs of a pipeline go on with what did not succeed.",
    )
    async def pipeline_runs_retry(
        self, info: Info, input: PipelineRunsRetryInput
    ) -> PipelineRunsPayload:
        """Retry failed runs."""
        changed = await bulk.retry_runs(info.context.subject, **pipeline_key(input.pipeline))
        return _answer(changed)

    @mutation(
        PipelineRunDeletePayload,
        PipelineError,
        "Delete a run with all that it left; one that goes on is stopped.",
    )
    async def pipeline_run_delete(
        self, info: Info, input: PipelineRunDeleteInput
    ) -> PipelineRunDeletePayload:
        """Delete a run; the payload shows it as it was."""
        info.context.subject.require_known()
        was = await fetch_one(info, "PipelineRun", for_caller(info, run_named(input.by)), "run")
        await bulk.delete_run(info.context.subject, await run_key(info, input.by))
        return PipelineRunDeletePayload(run=was, deleted_id=was.id if was else None)

    @mutation(PipelinePayload, PipelineError, "Give one variable of a pipeline a value.")
    async def pipeline_variable_set(
        self, info: Info, input: PipelineVariableSetInput
    ) -> PipelinePayload:
        """Set a variable."""
        changed = await variable_verbs.set_variable(
            info.context.subject, input.name, input.value, **pipeline_key(input.pipeline)
        )
        return PipelinePayload(pipeline=row("Pipeline", changed))

    @mutation(PipelinePayload, PipelineError, "Take one variable of a pipeline away.")
    async def pipeline_variable_delete(
        self, info: Info, input: PipelineVariableDeleteInput
    ) -> PipelinePayload:
        """Delete a variable."""
        changed = await variable_verbs.delete_variable(
            info.context.subject, input.name, **pipeline_key(input.pipeline)
        )
        return PipelinePayload(pipeline=row("Pipeline", changed))
