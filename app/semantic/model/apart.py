"""Models that take long to read are checked in a process of their own, which may only take so much.

What it has found good is read by all processes that serve it, in no more time.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from app.semantic.model.load import load
from app.semantic.model.nouns import ModelError, ModelErrors

MOST_FAULTS = 1000
SMALL = 32 * 1024
CPU_S = 15
WAIT_S = 120
MEMORY_BYTES = 2 * 1024**3
ROOT = Path(__file__).resolve().parents[3]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from app.semantic.model.apart import serve; serve()"
)
_turn = asyncio.Semaphore(1)


async def check(files: Mapping[str, str], dialects: Mapping[str, str]) -> None:
    """Raise ModelErrors where files are no model, or take too long to read."""
    if sum(map(len, files.values())) <= SMALL:
        await asyncio.to_thread(load, files, dialects)
        return
    async with _turn:
        told = await _told(json.dumps([dict(files), dict(dialects), CPU_S]).encode())
    if told is None:
        largest = max(files, key=lambda path: len(files[path]))
        words = f"the model takes more than {CPU_S} s to read, or too much memory: make it smaller"
        raise ModelErrors([ModelError(largest, 1, "", words)])
    if told:
        raise ModelErrors([ModelError(*one) for one in told])


async def _told(asked: bytes) -> list[tuple[str, int, str, str]] | None:
    """The faults of a model; None where its process ended before it was done."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _BOOT, str(ROOT)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        cwd="/",
    )
    try:
        async with asyncio.timeout(WAIT_S):
            told, _ = await process.communicate(asked)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found: list[tuple[str, int, str, str]] | None
    found = json.loads(told) if process.returncode == 0 else None
    return found


def serve() -> None:
    """The process's program."""
    files, dialects, cpu_s = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    faults: tuple[ModelError, ...] = ()
    try:
        load(files, dialects)
    except ModelErrors as error:
        faults = error.errors[:MOST_FAULTS]
    json.dump([[one.file, one.line, one.path, one.message] for one in faults], sys.stdout)
