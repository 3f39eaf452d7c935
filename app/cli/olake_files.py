"""`isthmus import olake`: a job of the files that OLake's command line is given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.cli._client import Graph, Refused
from app.core.errors import Invalid
from app.ingestion.specs import VERSION

CREATE = """mutation($i: SyncJobCreateInput!) { syncJobCreate(input: $i) {
  job { id number streams(first: 100) { totalCount } } errors { message } } }"""
STREAMS = """query($n: Int!, $after: String) { syncJob(by: {number: $n}) {
  streams(first: 100, after: $after) { nodes { id namespace name }
    pageInfo { hasNextPage endCursor } } } }"""
SET = """mutation($id: ID!, $state: JSON!) { syncStreamStateSet(input: {id: $id, state: $state}) {
  errors { message } } }"""
ACTIVATE = """mutation($n: Int!) {
  syncJobSetActive(input: {by: {number: $n}, isActive: true}) { errors { message } } }"""
DELETE = (
    """mutation($n: Int!) { syncJobDelete(input: {by: {number: $n}}) { errors { message } } }"""
)


@dataclass(frozen=True)
class Files:
    """What a folder holds: two settings, a catalog, and how far each stream has been read."""

    source: dict[str, Any]
    destination: dict[str, Any]
    streams: dict[str, Any]
    states: Mapping[tuple[str, str], dict[str, Any]]


def read_folder(folder: Path) -> Files:
    """Read source.json, destination.json, streams.json and, where it is there, state.json."""
    state = _read(folder / "state.json") if (folder / "state.json").exists() else {}
    return Files(
        _read(folder / "source.json"),
        _read(folder / "destination.json"),
        _read(folder / "streams.json"),
        dict(_states(state)),
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(file.read_bytes())
    except OSError as error:
        raise Invalid(f"{file.name} cannot be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{file.name} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise Invalid(f"{file.name} must hold an object.")
    return found


def _states(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """How far the streams are whose first load is done; others are read from their beginning."""
    shared = document.get("global") or {}
    position = (shared.get("state") or {}) if isinstance(shared, Mapping) else {}
    for name in shared.get("streams") or ():
        namespace, _, stream = str(name).partition(".")
        yield (namespace, stream), dict(position)
    for entry in document.get("streams") or ():
        state = entry.get("state") or {}
        if state and not state.get("chunks"):
            yield (entry.get("namespace") or "", entry["stream"]), dict(state)


async def take_over(graph: Graph, files: Files, type_: str, name: str, frequency: str) -> str:
    """Make the job with the states of its streams; without all of it there is no job."""
    target = str(files.destination.get("type") or "").lower()
    version = {"connectorVersion": VERSION}
    given = {
        "name": name,
        "source": {"name": f"{name}_source", "type": type_, "config": files.source, **version},
        "destination": {
            "name": f"{name}_destination",
            "type": target,
            "config": files.destination,
            **version,
        },
        "frequency": frequency,
        "streamsConfig": files.streams,
        # It must not start before it knows how far it is.
        "isActive": False,
    }
    made = _checked((await graph.ask(CREATE, i=given))["syncJobCreate"])["job"]
    try:
        known = await _set_states(graph, made["number"], files.states)
    except Refused:
        await graph.ask(DELETE, n=made["number"])
        raise
    _checked((await graph.ask(ACTIVATE, n=made["number"]))["syncJobSetActive"])
    count = made["streams"]["totalCount"]
    return f"Job {name} is there (number {made['number']}): {count} streams, {known} go on where they were."


async def _set_states(
    graph: Graph, job: int, states: Mapping[tuple[str, str], dict[str, Any]]
) -> int:
    known, after = 0, None
    while True:
        page = (await graph.ask(STREAMS, n=job, after=after))["syncJob"]["streams"]
        for stream in page["nodes"]:
            state = states.get((stream["namespace"], stream["name"]))
            if state is not None:
                answer = await graph.ask(SET, id=stream["id"], state=state)
                _checked(answer["syncStreamStateSet"])
                known += 1
        if not page["pageInfo"]["hasNextPage"]:
            return known
        after = page["pageInfo"]["endCursor"]


def _checked(payload: dict[str, Any]) -> dict[str, Any]:
    for error in payload["errors"]:
        raise Refused(error["message"])
    return payload
