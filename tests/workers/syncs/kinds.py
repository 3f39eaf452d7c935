"""Kinds that move nothing and write about it all that a real engine would."""

from collections.abc import Mapping
from typing import Any

from app.ingestion.actions import work
from app.runs.fenced import LogLine
from workers.execute import Kind, Outcome, RunContext

OPENED: dict[Any, work.Task] = {}
"""What the tasks were opened as, by their run."""


async def check(context: RunContext) -> Outcome:
    """A host `away` does not answer, one that is `broken` breaks the engine."""
    probe = await context.write(lambda tx: work.open_probe(tx, context.run_id))
    host = probe.settings.config.get("host")
    if host == "broken":
        return Outcome("failed", reason="error", error="The driver gave up.")
    good = host != "away"
    message = "" if good else "away does not answer on port 5432. Is it running?"
    return Outcome("succeeded", {"status": "SUCCEEDED" if good else "FAILED", "message": message})


async def discover(context: RunContext) -> Outcome:
    """Two tables, one with a new column."""
    probe = await context.write(lambda tx: work.open_probe(tx, context.run_id))
    prefix = probe.more["prefix"] or probe.settings.type
    streams = [
        {
            "stream": {
                "namespace": "public",
                "name": name,
                "sync_mode": "cdc",
                "type_schema": {"properties": {"id": {}, "new": {}}},
                "destination_database": f"{prefix}:public",
                "destination_table": name,
            }
        }
        for name in ("calls", "berths")
    ]
    selected = {"public": [{"stream_name": s["stream"]["name"]} for s in streams]}
    return Outcome("succeeded", {"catalog": {"selected_streams": selected, "streams": streams}})


async def sync(context: RunContext) -> Outcome:
    """Ten rows of each stream."""
    task = await context.write(lambda tx: work.open_task(tx, context.run_id))
    OPENED[context.run_id] = task
    moved: dict[str, tuple[int, int]] = {}
    for stream in task.streams:
        name = f"{stream['namespace']}.{stream['name']}"
        await context.start_step(name)
        await context.log([LogLine(f"reading {name}", step=name)])
        moved[name] = (10, 1000)
        await _note(context, name, len(moved))
        await context.finish_step(name, "succeeded", metrics={"rows": 10, "bytes": 1000})
    await context.write(lambda tx: work.note_moved(tx, context.run_id, context.fence, moved))
    return Outcome("succeeded")


async def _note(context: RunContext, name: str, streams: int) -> None:
    run = (context.run_id, context.fence)
    state = {name: {"chunks": [], "id": 10, "_run": [1, 1]}}
    told: Mapping[str, Any] = {name: {"status": "running", "rows": 10, "bytes": 1000}}
    await context.write(lambda tx: work.save_stream_states(tx, *run, state))
    await context.write(
        lambda tx: work.save_progress(
            tx, *run, rows=10 * streams, bytes=1000 * streams, rows_per_s=5.5, streams=told
        )
    )


async def clear(context: RunContext) -> Outcome:
    """Forget the streams."""
    task = await context.write(lambda tx: work.open_task(tx, context.run_id))
    OPENED[context.run_id] = task
    names = [f"{s['namespace']}.{s['name']}" for s in task.streams]
    await context.write(lambda tx: work.note_cleared(tx, context.run_id, context.fence, names))
    return Outcome("succeeded")


KINDS: dict[str, Kind] = {"check": check, "discover": discover, "sync": sync, "clear": clear}
