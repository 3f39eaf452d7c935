"""The worker's side of block processes: start the warm fork server, run blocks, end them."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from workers.pipelines.calls import BlockCall, BlockResult, LogRecord
from workers.pipelines.running_block import RunningBlock
from workers.pipelines.values import UnsupportedValue

OnLog = Callable[[list[LogRecord]], Awaitable[None]]

# A fresh interpreter that imports our code from where this process has it.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from workers.pipelines.fork_main import main; del sys.path[0]; main()"
)
_ROOT = str(Path(__file__).resolve().parents[2])


class ForkServer:
    """Runs each block in a process of its own, forked from one that has pandas loaded.

    `grace_s` passes between SIGTERM and SIGKILL of a block that is cancelled or timed out.
    `base_env` is for what the interpreter itself needs to start (LD_LIBRARY_PATH); blocks do
    not get it. All processes end within moments of the death of the process that holds this.
    """

    def __init__(
        self,
        *,
        grace_s: float = 10.0,
        start_timeout_s: float = 60.0,
        base_env: Mapping[str, str] | None = None,
    ) -> None:
        self._grace_s = grace_s
        self._base_env = dict(base_env or {})
        self._start_timeout_s = start_timeout_s
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._running: set[RunningBlock] = set()

    async def start(self) -> None:
        """Start the process unless it lives; returns once it can fork. RuntimeError if it fails."""
        async with self._starting:
            if self._process is not None and self._process.returncode is None:
                return
            await self._stop_process()
            await self._start_process()

    async def run(self, call: BlockCall, on_log: OnLog) -> BlockResult:
        """Run one block to its end; log records are handed to `on_log` in order, in batches.

        While `on_log` waits, a chatty block waits. Cancelling this call, or an exception of
        `on_log`, ends the block's whole process tree before it is passed on.
        """
        try:
            content = call.to_json()
        except UnsupportedValue as error:
            return BlockResult(
                ok=False, error_type="BlockError", error=f"Variables: {error}", reason="unsupported"
            )
        await self.start()
        assert self._control is not None
        fork = asyncio.create_task(RunningBlock.fork(self._control, call, content, self._grace_s))
        cancelled = False
        while not fork.done():
            try:
                await asyncio.shield(fork)
            except asyncio.CancelledError:
                # What may be forked already is to be ended in order.
                cancelled = True
        block = fork.result()
        self._running.add(block)
        try:
            return await block.follow(on_log, cancelled=cancelled)
        finally:
            self._running.discard(block)
            block.close()

    def kill_all(self) -> None:
        """Have every running block's process tree killed at once; does not wait."""
        for block in tuple(self._running):
            block.kill()

    async def close(self) -> None:
        """Kill what runs and end the fork server."""
        self.kill_all()
        async with self._starting:
            await self._stop_process()

    async def _start_process(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    # Not from the working folder: it may hold modules of other names alike.
                    "-P",
                    "-c",
                    _BOOT,
                    _ROOT,
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                    cwd="/",
                    env={
                        "PATH": os.defpath,
                        "LANG": "C.UTF-8",
                        # For linear algebra: blocks share the cores among themselves.
                        "OPENBLAS_NUM_THREADS": "1",
                        **self._base_env,
                    },
                )
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self._start_timeout_s):
                ready = await loop.sock_recv(ours, 1)
            if not ready:
                raise RuntimeError("The fork server of blocks ended while it started; see stderr.")
        except TimeoutError:
            ours.close()
            raise RuntimeError(
                f"The fork server of blocks did not start within {self._start_timeout_s:g} s."
            ) from None
        except BaseException:
            ours.close()
            raise
        self._control = ours

    async def _stop_process(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            if self._process.returncode is None:
                # It exits when its socket ends; waiting for that must not take long.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            self._process = None
