"""Inputs of mutations that are about many runs at once, or that end a run's record."""

import strawberry
from strawberry.scalars import JSON

from app.pipelines.inputs import PipelineBy, PipelineRunBy, TriggerBy


@strawberry.input(description="Which runs of a pipeline to cancel; all that go on if none is said.")
class PipelineRunsCancelInput:
    """A pipeline, and which of its runs."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline.")
    trigger: TriggerBy | None = strawberry.field(
        default=None, description="Only runs of this trigger."
    )
    numbers: list[int] | None = strawberry.field(
        default=None, description="Only runs with these numbers; at most 1000."
    )


@strawberry.input(description="A run to do again.")
class PipelineRunRepeatInput:
    """A run, and what its repetition starts with."""

    number: int = strawberry.field(description="The number of the run.")
    variables: JSON | None = strawberry.field(
        default=None, description="Variables of the new run; none where left out."
    )
    event_variables: JSON | None = strawberry.field(
        default=None, description="What its blocks see as `event`."
    )


@strawberry.input(description="Which runs of a pipeline to do again as new runs.")
class PipelineRunsRepeatInput:
    """A pipeline and some of its runs."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline.")
    runs: list[PipelineRunRepeatInput] = strawberry.field(description="The runs; at most 1000.")


@strawberry.input(description="The pipeline whose failed runs shall go on.")
class PipelineRunsRetryInput:
    """A pipeline."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline.")


@strawberry.input(description="Which run to delete.")
class PipelineRunDeleteInput:
    """A run."""

    by: PipelineRunBy = strawberry.field(description="The run.")


@strawberry.input(description="A variable of a pipeline and its value.")
class PipelineVariableSetInput:
    """A name and a value."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline.")
    name: str = strawberry.field(description="The variable's name.")
    value: JSON | None = strawberry.field(default=None, description="Its value, any JSON.")


@strawberry.input(description="A variable of a pipeline to take away.")
class PipelineVariableDeleteInput:
    """A name."""

    pipeline: PipelineBy = strawberry.field(description="The pipeline.")
    name: str = strawberry.field(description="The variable's name.")
