"""`isthmus sync`: start a sync of a job over the API, and follow it with a bar."""

import asyncio
import secrets
from typing import Any

from app.cli._calls import Caller
from app.cli._client import Graph, Refused, Unreachable
from app.cli._feed import ENDED, LINES, Reader
from app.cli._screen import Screen
from app.cli._watch import STATUS

LOOK_S = 0.5
BAR = 24
FIND = """query($name: String!) {
  syncJobs(where: {name: {eq: $name}}, first: 1) { nodes { number name } } }"""
START = """mutation($job: Int!, $key: String) {
  syncJobStart(input: {by: {number: $job}, idempotencyKey: $key}) {
    task { id number } errors { message } } }"""
TASK = """query($number: Int!) { syncTask(by: {number: $number}) {
  status error rows bytes rowsPerSecond stepCount succeededStepCount
  steps { name status error } } }"""


def sync_job(caller: Caller, job: str, *, follow: bool) -> int:
    """Start a sync; returns the exit status: 0 succeeded or just started, 1 failed, 2 cancelled."""
    screen = Screen()
    key = secrets.token_hex(16)
    task = caller.call(lambda graph: _start(graph, job, key))
    screen.say(f"Task {task['number']} of job {job} is queued.")
    if not follow:
        return 0
    return caller.call(lambda graph: _follow(graph, screen, job, task))


async def _start(graph: Graph, job: str, key: str) -> dict[str, Any]:
    found = (await graph.ask(FIND, name=job))["syncJobs"]["nodes"]
    if not found:
        raise Refused(f"There is no job {job!r}.")
    made = (await graph.ask(START, job=found[0]["number"], key=key))["syncJobStart"]
    for error in made["errors"]:
        raise Refused(error["message"])
    task: dict[str, Any] = made["task"]
    return task


async def _follow(graph: Graph, screen: Screen, job: str, task: dict[str, Any]) -> int:
    looking = asyncio.create_task(_look(graph, screen, task["number"]))
    try:
        async for line in Reader(LINES, task["id"]).follow(graph):
            if line["level"] != "DEBUG":
                screen.say(f"{line['step'] or 'sync'} | {line['message']}")
    finally:
        looking.cancel()
        screen.clear()
    return _summary(screen, job, await _task(graph, task["number"]))


async def _task(graph: Graph, number: int) -> dict[str, Any]:
    found: dict[str, Any] | None = (await graph.ask(TASK, number=number))["syncTask"]
    if found is None:
        raise Refused("The task is gone.")
    return found


async def _look(graph: Graph, screen: Screen, number: int) -> None:
    while True:
        try:
            task = await _task(graph, number)
        except (Unreachable, Refused) as error:
            screen.show(str(error))
        else:
            if task["status"] not in ENDED:
                screen.show(progress(task))
        await asyncio.sleep(LOOK_S)


def progress(task: dict[str, Any]) -> str:
    """A bar of the streams that are done, and what has been moved."""
    done, of = task["succeededStepCount"], max(task["stepCount"], 1)
    full = BAR * done // of
    busy = ", ".join(step["name"] for step in task["steps"] if step["status"] == "RUNNING")
    speed = f"{task['rowsPerSecond']:,.0f} rows/s"
    return f"[{'#' * full}{'.' * (BAR - full)}] {done}/{of} streams  {moved(task)}  {speed}  {busy}"


def moved(task: dict[str, Any]) -> str:
    """Rows and bytes for people."""
    return f"{int(task['rows']):,} rows, {int(task['bytes']) / 1e6:,.1f} MB"


def _summary(screen: Screen, job: str, task: dict[str, Any]) -> int:
    for step in task["steps"]:
        if step["status"] == "FAILED" and step["error"]:
            screen.say(f"  {step['name']} failed: {step['error']}")
    why = f": {task['error']}" if task["error"] else ""
    verb = "been cancelled" if task["status"] == "CANCELLED" else task["status"].lower()
    screen.say(f"Job {job} has {verb}{why}  ({moved(task)})")
    return STATUS[task["status"]]
