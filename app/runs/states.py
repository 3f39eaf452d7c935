"""The state machines of a run and of its steps, as tables. Drawn in docs/runs.md."""

from collections.abc import Mapping
from typing import Literal

RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
RunEnd = Literal["succeeded", "failed", "cancelled"]
StepStatus = Literal[
    "pending",
    "queued",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "upstream_failed",
    "skipped",
]
StepEnd = Literal["succeeded", "failed", "cancelled", "upstream_failed", "skipped"]
StepWait = Literal["poll", "retry", "slot", "limit"]
"""Why a step that could be at work is not: its next poll or try, a free slot, the run's limit."""

RUN_MOVES: Mapping[RunStatus, frozenset[RunStatus]] = {
    "queued": frozenset({"running", "cancelled"}),
    # To itself: taken over by another worker, with a new fence.
    "running": frozenset({"running", "queued", "succeeded", "failed", "cancelled"}),
    "succeeded": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}

STEP_MOVES: Mapping[StepStatus, frozenset[StepStatus]] = {
    "pending": frozenset({"queued", "running", "cancelled", "upstream_failed", "skipped"}),
    "queued": frozenset({"pending", "running", "cancelled", "upstream_failed", "skipped"}),
    "running": frozenset({"pending", "succeeded", "failed", "cancelled", "skipped"}),
    "succeeded": frozenset({"pending"}),
    "failed": frozenset({"pending"}),
    "cancelled": frozenset({"pending"}),
    "upstream_failed": frozenset({"pending"}),
    "skipped": frozenset({"pending"}),
}

RUN_ENDS: tuple[RunEnd, ...] = ("succeeded", "failed", "cancelled")
STEPS_LEFT: tuple[StepStatus, ...] = ("pending", "queued", "running")
"""Steps that have not ended."""

KILLED = ("timeout", "worker_lost")
"""Reasons of a failed run that its running steps share."""


def run_sources(target: RunStatus) -> tuple[RunStatus, ...]:
    """The states from which a run may become `target`."""
    return tuple(state for state, targets in RUN_MOVES.items() if target in targets)


def step_sources(target: StepStatus) -> tuple[StepStatus, ...]:
    """The states from which a step may become `target`."""
    return tuple(state for state, targets in STEP_MOVES.items() if target in targets)


def step_when_run_ends(step: StepStatus, run: RunEnd, reason: str | None) -> StepEnd:
    """What becomes of a step that its run leaves unfinished."""
    if run == "succeeded":
        return "skipped"
    if run == "failed" and step == "running" and reason in KILLED:
        return "failed"
    return "cancelled"
