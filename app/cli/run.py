"""`isthmus run`: start a pipeline over the API, and follow its run."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import orjson

from app.cli._calls import LEFT, Caller
from app.cli._client import Graph, Refused, Unreachable
from app.cli._screen import Screen
from app.cli._watch import CANCEL, Watch
from app.core.ids import slug

TRIES = 5
START = """mutation($pipeline: String!, $variables: JSON, $key: String) {
  pipelineRunCreate(
    input: {of: {pipeline: {uuid: $pipeline}}, variables: $variables, idempotencyKey: $key}
  ) { run { id number } errors { message } }
}"""


class BadVariables(ValueError):
    """The variables cannot be read; the text says which."""


def variables(pairs: Sequence[str], text: str) -> dict[str, Any]:
    """Variables of `--vars-json`, and over them those of `--var`: JSON where they are, else text."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise BadVariables(f"--vars-json is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadVariables("--vars-json is not a JSON object.")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise BadVariables(f"--var {pair!r} is not of the form name=value.")
        try:
            found[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name] = value
    return found


def run_pipeline(caller: Caller, pipeline: str, given: dict[str, Any], *, follow: bool) -> int:
    """Start a run; returns the exit status: 0 succeeded or just started, 1 failed, 2 cancelled."""
    screen = Screen()
    key = secrets.token_hex(16)
    started = caller.call(lambda graph: _start(graph, slug(pipeline), given, key))
    name = f"Run {started['number']} of {slug(pipeline)}"
    if not follow:
        screen.say(f"{name} is queued. Follow it: isthmus logs {started['number']} --follow")
        return 0
    screen.say(f"{name} is queued.")
    # Its first event says the same.
    return follow_run(caller, Watch(screen, started["id"], name, after=1), screen, started)


def follow_run(caller: Caller, watch: Watch, screen: Screen, run: dict[str, Any]) -> int:
    """Follow to the end; Ctrl-C leaves the run alone, or cancels it where somebody says so."""
    while True:
        try:
            return caller.call(watch.to_end)
        except KeyboardInterrupt:
            screen.clear()
        if not _wants_cancel(screen):
            screen.say(f"The run goes on. Follow it: isthmus logs {run['number']} --follow")
            return LEFT
        caller.call(lambda graph: graph.ask(CANCEL, id=run["id"]))


def _wants_cancel(screen: Screen) -> bool:
    if not screen.asks:
        return False
    try:
        return input("\nCancel the run? Otherwise it goes on. [y/N] ").strip().lower() == "y"
    except (KeyboardInterrupt, EOFError):
        print()
        return False


async def _start(graph: Graph, pipeline: str, given: dict[str, Any], key: str) -> dict[str, Any]:
    """Ask until there is an answer: the key makes one run of all attempts."""
    for attempt in range(1, TRIES + 1):
        try:
            data = await graph.ask(START, pipeline=pipeline, variables=given, key=key)
            break
        except Unreachable:
            if attempt == TRIES:
                raise
            await asyncio.sleep(0.2 * attempt)
    made = data["pipelineRunCreate"]
    for error in made["errors"]:
        raise Refused(error["message"])
    run: dict[str, Any] = made["run"]
    return run
