"""Follows one run on the screen to its end."""

import asyncio
from typing import Any

from app.cli._client import Graph, Refused, Unreachable
from app.cli._feed import ENDED, EVENTS, LINES, Reader
from app.cli._screen import Screen, why

STATUS = {"SUCCEEDED": 0, "FAILED": 1, "CANCELLED": 2}
"""How a run ended -> exit status."""
LOOK_S = 1.0

RUN = """query($id: ID!) { run(id: $id) {
  id status waitReason waitUntil waitFor reason error createdAt startedAt finishedAt lastSeq
  ... on PipelineRun { number pipelineUuid }
  steps { name status waitReason waitUntil waitFor error startedAt finishedAt }
} }"""
CANCEL = """mutation($id: ID!) {
  pipelineRunCancel(input: {by: {id: $id}}) { errors { message } }
}"""


async def fetch(graph: Graph, run_id: str) -> dict[str, Any]:
    """The run as it is now."""
    run: dict[str, Any] | None = (await graph.ask(RUN, id=run_id))["run"]
    if run is None:
        raise Refused("There is no such run.")
    return run


def named(run: dict[str, Any]) -> str:
    """What to call a run."""
    if "number" in run:
        return f"Run {run['number']} of {run['pipelineUuid']}"
    return f"Run {run['id']}"


def line_of(item: dict[str, Any]) -> str:
    """A line of the log as it is shown."""
    level = "" if item["level"] in ("INFO", "DEBUG") else f"{item['level']} "
    return f"{item['step'] or 'run'} | {level}{item['message']}"


class Watch:
    """What has been told of a run; goes on there when it is followed again."""

    def __init__(self, screen: Screen, run_id: str, name: str, after: int = 0) -> None:
        self._screen = screen
        self._run_id = run_id
        self._name = name
        self._events = Reader(EVENTS, run_id, after)
        self._lines = Reader(LINES, run_id)
        self._told: dict[str, str | None] = {}

    async def to_end(self, graph: Graph) -> int:
        """Tell everything until the run has ended; returns the exit status."""
        looking = asyncio.create_task(self._look(graph))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_events(graph))
                group.create_task(self._tell_lines(graph))
        except BaseExceptionGroup as group_error:
            known = group_error.subgroup((Unreachable, Refused))
            if known is None:
                raise
            raise _first(known) from None
        finally:
            looking.cancel()
            self._screen.clear()
        return self._summary(await fetch(graph, self._run_id))

    async def _tell_events(self, graph: Graph) -> None:
        async for event in self._events.follow(graph):
            if event["step"]:
                self._screen.say(f"  {event['step']}: {event['status'].lower()}")
            elif event["kind"] in ("run.queued", "run.running", "run.cancel_requested"):
                word = (
                    "is to be cancelled" if "cancel" in event["kind"] else f"is {event['status']}"
                )
                self._screen.say(f"{self._name} {word}.")

    async def _tell_lines(self, graph: Graph) -> None:
        async for line in self._lines.follow(graph):
            self._screen.say(line_of(line))

    async def _look(self, graph: Graph) -> None:
        """Tell why it waits, and how far it has come."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                run = await fetch(graph, self._run_id)
            except (Unreachable, Refused) as error:
                self._screen.show(str(error))
                continue
            if run["status"] not in ENDED:
                self.tell_waits(run)
                self._show(run)

    def tell_waits(self, run: dict[str, Any]) -> None:
        """Each reason to wait when it is new, of steps only those that are not before them."""
        waits = {"": why(run)}
        for step in run["steps"]:
            waits[step["name"]] = None if step["waitReason"] == "UPSTREAM" else why(step)
        for name, reason in waits.items():
            if reason and self._told.get(name) != reason:
                place = f"  {name}" if name else self._name
                self._screen.say(f"{place} waits: {reason}.")
        self._told = waits

    def _show(self, run: dict[str, Any]) -> None:
        steps = run["steps"]
        done = sum(step["status"] not in ("PENDING", "QUEUED", "RUNNING") for step in steps)
        busy = ", ".join(step["name"] for step in steps if step["status"] == "RUNNING")
        text = f"{run['status'].lower()}  {done}/{len(steps)} blocks  {busy}"
        self._screen.show(text)

    def _summary(self, run: dict[str, Any]) -> int:
        for step in run["steps"]:
            if step["status"] == "FAILED" and step["error"]:
                self._screen.say(f"  {step['name']} failed: {step['error']}")
        why_failed = f": {run['error']}" if run["error"] else ""
        self._screen.say(f"{self._name} has {_past(run['status'])}{why_failed}")
        return STATUS[run["status"]]


def _past(status: str) -> str:
    return "been cancelled" if status == "CANCELLED" else status.lower()


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
