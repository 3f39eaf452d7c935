"""Syncs that are killed: some time after they have begun, or by themselves at a named point."""

import asyncio
from dataclasses import dataclass

from tests.workers.sync.rig import Line, Rig, Told


@dataclass(frozen=True)
class Ended:
    """A sync that has ended; `killed` where it still worked when it was killed."""

    told: Told
    run: str
    killed: bool


async def kill_at(rig: Rig, destination: Line, streams: list[Line], point: str) -> Ended:
    """Killed by itself at a point of `dying_child`."""
    child = await rig.start(
        module="tests.workers.sync.dying_child",
        environ={"DIE_AT": point},
        do="sync",
        destination=destination,
        streams=streams,
    )
    run = f"run-{rig.number}"
    return Ended(await child.told(), run, child.process.returncode == -9)


async def kill_after(rig: Rig, destination: Line, streams: list[Line], wait_s: float) -> Ended:
    """Killed so many seconds after it has said that a stream is running: it reads and writes."""
    child = await rig.start(do="sync", destination=destination, streams=streams)
    run = f"run-{rig.number}"
    assert child.process.stdout
    assert b"running" in await child.process.stdout.readline()
    await asyncio.sleep(wait_s)
    running = child.process.returncode is None
    if running:
        child.process.kill()
    return Ended(await child.told(), run, running)
