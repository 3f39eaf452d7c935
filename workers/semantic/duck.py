"""DuckDB as a data source: processes that stay, each with one place open, and queries in them."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from workers.pipelines import os_guards
from workers.semantic.base import QueryError, Result, late

ROOT = Path(__file__).resolve().parents[2]
LONGEST_LINE = 1024 * 1024
IDLE_S = 120.0
GRACE_S = 2.0
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from workers.semantic.duck_child import run; run()"
)

Address = Callable[[str, int], Awaitable[str]]
Jobs = Callable[[], Awaitable[list[str]]]
"""The jobs whose tables may be asked, by their ids: those of the data source's project."""


class DuckProcess:
    """One process; one query at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.place = ""
        self.used = 0.0

    @classmethod
    async def start(cls, limits: Mapping[str, Any]) -> "DuckProcess":
        """Start a process with nothing of our environment."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", _BOOT, str(ROOT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent"},
            cwd="/",
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        made = cls(process)
        await made._send(limits)
        return made

    async def ask(self, query: Mapping[str, Any], address: Address) -> Result:
        """The answer to one query; cancelled, the statement is interrupted or its process killed."""
        self.place = str(query["place"])
        try:
            await self._send({"query": query})
            return await self._answer(address)
        except asyncio.CancelledError:
            await self._interrupt(address)
            raise

    async def _answer(self, address: Address) -> Result:
        assert self._process.stdout is not None
        while text := await self._process.stdout.readline():
            line = orjson.loads(text)
            content = await self._process.stdout.readexactly(line["bytes"])
            if "address" in line:
                await self._send(await _checked(address, **line["address"]))
            elif "error" in line:
                raise QueryError(line["error"])
            else:
                return Result(content, line["rows"])
        raise QueryError("The process of the query ended. The machine may have run out of memory.")

    async def _interrupt(self, address: Address) -> None:
        """Get the process ready for another query, or end it."""
        try:
            async with asyncio.timeout(GRACE_S):
                await self._send({"interrupt": True})
                with contextlib.suppress(QueryError):
                    await self._answer(address)
        except (TimeoutError, asyncio.CancelledError, EOFError, OSError, ValueError):
            # What was half read cannot be told from the next answer.
            await self.end()

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None

    async def end(self) -> None:
        """Kill it."""
        os_guards.kill_group(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _send(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(line, default=str) + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()


async def _checked(address: Address, host: str, port: int) -> dict[str, Any]:
    try:
        return {"address": await address(host, port)}
    except QueryError as error:
        return {"refused": str(error)}


class DuckProcesses:
    """The processes of one worker; as many as its lane has slots."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        self._limits = limits
        self._free: list[DuckProcess] = []

    async def take(self, place: str) -> DuckProcess:
        """A process, if there is one that has the place open."""
        await self._drop_idle()
        fitting = [one for one in self._free if one.place == place] or self._free[:1]
        if fitting:
            self._free.remove(fitting[0])
            return fitting[0]
        return await DuckProcess.start(self._limits)

    def give(self, process: DuckProcess) -> None:
        """Take it back."""
        if process.lives:
            process.used = asyncio.get_running_loop().time()
            self._free.append(process)

    async def close(self) -> None:
        """End all that are free."""
        while self._free:
            await self._free.pop().end()

    async def _drop_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        idle = [one for one in self._free if not one.lives or now - one.used > IDLE_S]
        # At once, so that nobody takes one that is being ended.
        self._free = [one for one in self._free if one not in idle]
        for process in idle:
            await process.end()


async def no_jobs() -> list[str]:
    """Nothing that lies on this machine is to be asked."""
    return []


class DuckEngine:
    """Files that jobs have written, or a database that DuckDB attaches."""

    def __init__(
        self,
        processes: DuckProcesses,
        place: str,
        kind: str,
        type_: str,
        config: Mapping[str, Any],
        address: Address,
        jobs: Jobs = no_jobs,
    ) -> None:
        self._processes = processes
        self._about = {"place": place, "kind": kind, "type": type_, "config": config}
        self._address = address
        self._jobs = jobs

    async def run(self, sql: str, values: Sequence[Any], timeout_s: float) -> Result:
        """The answer of a SELECT."""
        query = {**self._about, "jobs": await self._jobs(), "sql": sql, "values": list(values)}
        process = await self._processes.take(str(self._about["place"]))
        try:
            async with asyncio.timeout(timeout_s):
                return await process.ask(query, self._address)
        except TimeoutError:
            raise late(timeout_s) from None
        except (OSError, EOFError, ValueError):
            await process.end()
            raise QueryError("The process of the query ended before it was done.") from None
        finally:
            self._processes.give(process)

    async def close(self) -> None:
        """The processes are the worker's."""
