"""`isthmus logs`: how a run stands, why it waits, and what it wrote."""

from typing import Any

from app.cli._calls import Caller
from app.cli._client import Graph, Refused
from app.cli._feed import ENDED, LINES, Reader
from app.cli._screen import Screen
from app.cli._watch import Watch, fetch, line_of, named
from app.cli.run import follow_run

BY_NUMBER = "query($number: Int!) { pipelineRun(by: {number: $number}) { id } }"


def show_log(caller: Caller, run: str, *, follow: bool) -> int:
    """Show it, and with `follow` go on to the end; then the exit status is that of `run`."""
    screen = Screen()
    found = caller.call(lambda graph: _find(graph, run))
    screen.say(f"{named(found)} is {found['status'].lower()}.")
    watch = Watch(screen, found["id"], named(found), after=int(found["lastSeq"]))
    if found["status"] not in ENDED:
        watch.tell_waits(found)
    if not follow:
        caller.call(lambda graph: _print_lines(graph, screen, found["id"]))
        if found["error"]:
            screen.say(f"Error: {found['error']}")
        return 0
    return follow_run(caller, watch, screen, {"number": run, **found})


async def _find(graph: Graph, run: str) -> dict[str, Any]:
    run_id = run
    if run.isdecimal():
        by_number = await graph.ask(BY_NUMBER, number=min(int(run), 2**31 - 1))
        if by_number["pipelineRun"] is None:
            raise Refused(f"There is no run {run}.")
        run_id = by_number["pipelineRun"]["id"]
    return await fetch(graph, run_id)


async def _print_lines(graph: Graph, screen: Screen, run_id: str) -> None:
    async for line in Reader(LINES, run_id).read(graph):
        screen.say(line_of(line))
