"""The child that does a sync, as its worker sees it: a document down, lines up, killed when it must."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from workers.pipelines import os_guards

ROOT = Path(__file__).resolve().parents[2]
LONGEST_LINE = 64 * 1024 * 1024
"""A catalogue of thousands of wide tables is one line."""
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from workers.sync.child import run; run()"


class ChildProcess:
    """One process. `lines` is iterated once; `end` always follows."""

    def __init__(self, process: asyncio.subprocess.Process, errors: asyncio.Task[bytes]) -> None:
        self._process = process
        self._errors = errors

    @classmethod
    async def start(cls, document: Mapping[str, Any], environ: Mapping[str, str]) -> "ChildProcess":
        """Start a process with nothing of our environment and send it its document."""
        process = await asyncio.create_subprocess_exec(
            # Not from the working folder: it may hold modules of other names alike.
            *(sys.executable, "-P", "-c", _BOOT, str(ROOT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent", **environ},
            cwd="/",
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        assert process.stderr is not None
        child = cls(process, asyncio.create_task(_tail(process.stderr)))
        await child.send(document)
        return child

    async def send(self, line: Mapping[str, Any]) -> None:
        """Send one line; one that is gone already is found out by its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """What it says, until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            yield json.loads(line)

    async def status(self) -> tuple[int, str]:
        """Its exit status, negative for a signal, and the end of what it wrote to stderr."""
        status = await self._process.wait()
        return status, (await self._errors).decode("utf-8", "replace")

    async def end(self, grace_s: float) -> None:
        """Have it end, with all that it has started; a second cancellation takes its grace away."""
        try:
            if self._process.returncode is None and grace_s > 0:
                os_guards.kill_group(self._process.pid, signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace_s):
                        await self._process.wait()
        finally:
            os_guards.kill_group(self._process.pid, signal.SIGKILL)
            self._errors.cancel()
            if self._process.stdin is not None:
                self._process.stdin.close()
        await self._process.wait()


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The last bytes of a stream that is read to its end."""
    kept = b""
    while part := await stream.read(64 * 1024):
        kept = (kept + part)[-16 * 1024 :]
    return kept
