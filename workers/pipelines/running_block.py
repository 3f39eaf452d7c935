"""One block's process as its worker sees it: orders go down, logs and the result come up."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Self

from workers.pipelines import os_guards
from workers.pipelines.calls import (
    FRAME,
    KILL,
    LINE_COST,
    MAX_FRAME,
    MAX_LINE,
    TERMINATE,
    BlockCall,
    BlockMetrics,
    BlockResult,
    LogRecord,
    Output,
    clean_text,
)

_QUEUED = 256
# All writers are dead when a block has ended, but a descriptor may have been passed elsewhere.
_QUIET_S = 2.0
_GIVE_UP_S = 15.0
_FILE = re.compile(r"(output_[0-9]{1,7})\.(?:arrow|json)")

_KEY = re.compile(r"\w{1,255}")

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Pipe = tuple[asyncio.StreamReader, asyncio.ReadTransport]


class RunningBlock:
    """A forked block. `follow` is called once, then `close`."""

    def __init__(
        self, call: BlockCall, grace_s: float, lifeline: socket.socket, channel: Stream, pipe: Pipe
    ) -> None:
        self._call = call
        self._grace_s = grace_s
        self._lifeline = lifeline
        self._channel, self._channel_out = channel
        self._pipe, self._pipe_transport = pipe
        self._records: asyncio.Queue[LogRecord | None] = asyncio.Queue(_QUEUED)
        self._log_left = call.log_bytes
        self._reads = 0
        self._discard = False
        self._result: dict[str, Any] | None = None

    @classmethod
    async def fork(
        cls, control: socket.socket, call: BlockCall, content: bytes, grace_s: float
    ) -> Self:
        """Have the fork server fork a process and send it the call, whose JSON is `content`."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            lifeline, their_lifeline = socket.socketpair()
            ours.enter_context(lifeline)
            theirs.enter_context(their_lifeline)
            lifeline.setblocking(False)
            channel, their_channel = socket.socketpair()
            ours.enter_context(channel)
            theirs.enter_context(their_channel)
            read, write = os.pipe()
            pipe = ours.enter_context(os.fdopen(read, "rb", buffering=0))
            theirs.callback(os.close, write)
            given = [their_lifeline.fileno(), their_channel.fileno(), write]
            reader = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            ours.callback(transport.close)
            stream = await asyncio.open_unix_connection(sock=channel)
            ours.callback(stream[1].close)
            await _send_descriptors(control, given)
            ours.pop_all()
        block = cls(call, grace_s, lifeline, stream, (reader, transport))
        limits = {"timeout_s": call.timeout_s, "grace_s": grace_s}
        block._order(json.dumps(limits).encode())
        stream[1].write(FRAME.pack(len(content)) + content)
        return block

    async def follow(
        self, on_log: Callable[[list[LogRecord]], Awaitable[None]], *, cancelled: bool = False
    ) -> BlockResult:
        """Hand on the logs and wait for the end; when this is cancelled, end it first."""
        end = asyncio.create_task(self._read_lifeline())
        readers = {
            asyncio.create_task(self._read_channel()),
            asyncio.create_task(self._read_pipe()),
        }
        delivery = asyncio.create_task(self._deliver(on_log))
        try:
            if cancelled:
                raise asyncio.CancelledError
            await asyncio.wait({end, delivery}, return_when=asyncio.FIRST_COMPLETED)
            if not delivery.done():
                await self._drain(readers)
                await self._records.put(None)
            await delivery
            return self._conclude(await end)
        except BaseException:
            await self._end(end)
            raise
        finally:
            tasks = {end, delivery, *readers}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def kill(self) -> None:
        """Have the process tree killed at once; does not wait. Any thread may call it."""
        self._order(KILL)

    def close(self) -> None:
        """Let go of all descriptors; a guardian that is still there kills its block then."""
        self._lifeline.close()
        self._channel_out.close()
        self._pipe_transport.close()

    def _order(self, line: bytes) -> None:
        # Straight to the socket, not through the loop: `kill` must work while the loop hangs.
        with contextlib.suppress(OSError):
            self._lifeline.send(line + b"\n")

    async def _end(self, end: asyncio.Task[dict[str, Any]]) -> None:
        self._order(TERMINATE)
        # Bounded, though the guardian itself gives up on what the kernel does not let die.
        until = time.monotonic() + self._grace_s + _GIVE_UP_S
        while not end.done() and (left := until - time.monotonic()) > 0:
            try:
                await asyncio.wait({end}, timeout=left)
            except asyncio.CancelledError:
                # Cancelled again: no more grace.
                self.kill()

    async def _read_lifeline(self) -> dict[str, Any]:
        """What the guardian told: `pid` first, the exit report unless the guardian was killed."""
        loop = asyncio.get_running_loop()
        received = b""
        with contextlib.suppress(ConnectionError):
            while part := await loop.sock_recv(self._lifeline, 4096):
                received += part
        told: dict[str, Any] = {}
        for line in received.splitlines():
            told.update(json.loads(line))
        if "status" not in told and "pid" in told:
            # Linux has killed the block along with its guardian; elsewhere it falls to us.
            os_guards.kill_group(told["pid"], signal.SIGKILL)
        return told

    async def _read_channel(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self._result is None:
                size = FRAME.unpack(await self._channel.readexactly(FRAME.size))[0]
                if size > MAX_FRAME:
                    # Not ours: the user's code has written to our descriptor.
                    self.kill()
                    return
                content = await self._channel.readexactly(size)
                self._reads += 1
                with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
                    message = json.loads(content)
                    if "result" in message:
                        self._result = dict(message["result"])
                    else:
                        at, level, text = message["log"]
                        await self._put(datetime.fromtimestamp(at, UTC), level, text)

    async def _read_pipe(self) -> None:
        rest = b""
        while part := await self._pipe.read(64 * 1024):
            self._reads += 1
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > MAX_LINE:
                lines.append(rest)
                rest = b""
            for line in lines:
                await self._put_bytes(line)
        if rest:
            await self._put_bytes(rest)

    async def _put_bytes(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
        for start in range(0, len(text) or 1, MAX_LINE):
            await self._put(datetime.now(UTC), "INFO", text[start : start + MAX_LINE])

    async def _put(self, at: datetime, level: str, text: str) -> None:
        if self._log_left < 0 or self._discard:
            return
        self._log_left -= len(text) + LINE_COST
        record = LogRecord(at, clean_text(level)[:20], clean_text(text)[:MAX_LINE])
        await self._records.put(record)
        if self._log_left < 0:
            limit = f"{self._call.log_bytes / 1024**2:g} MiB"
            marker = f"The log of this block has reached {limit}; what follows is dropped."
            await self._records.put(LogRecord(at, "WARNING", marker))

    async def _deliver(self, on_log: Callable[[list[LogRecord]], Awaitable[None]]) -> None:
        ended = False
        try:
            while not ended:
                batch = [await self._records.get()]
                while not self._records.empty():
                    batch.append(self._records.get_nowait())
                ended = batch[-1] is None
                records = [record for record in batch if record is not None]
                if records:
                    await on_log(records)
        except BaseException:
            self._discard = True
            while not self._records.empty():
                self._records.get_nowait()
            raise

    async def _drain(self, readers: set[asyncio.Task[None]]) -> None:
        """Wait until all that the dead block wrote is read; slow delivery takes its time."""
        pending = readers
        while pending:
            before = self._reads
            _, pending = await asyncio.wait(pending, timeout=_QUIET_S)
            if self._reads == before and not self._records.full():
                return

    def _conclude(self, told: dict[str, Any]) -> BlockResult:
        uuid = self._call.block_uuid
        if "status" not in told:
            return _failed("worker_lost", f"The process that watches block {uuid} was lost.")
        metrics = BlockMetrics(told["cpu_s"], told["wall_s"], told["max_rss_bytes"])
        reason, status = told["reason"], told["status"]
        if reason == "timeout":
            error = f"Block {uuid} timed out after {self._call.timeout_s:g} seconds"
        elif reason == "worker_lost":
            error = f"The fork server of block {uuid} was lost."
        elif reason is not None:
            error = f"Block {uuid} was killed by its worker."
        elif self._result is not None:
            return self._finished(self._result, metrics)
        elif os.WIFSIGNALED(status):
            reason = "killed"
            name = signal.Signals(os.WTERMSIG(status)).name
            error = f"The process of block {uuid} was killed by {name}."
            if name == "SIGKILL":
                error += " The machine may have run out of memory."
        else:
            reason = "exited"
            code = os.waitstatus_to_exitcode(status)
            error = f"The process of block {uuid} exited with status {code} before it was done."
        return _failed(reason, error, metrics)

    def _finished(self, result: dict[str, Any], metrics: BlockMetrics) -> BlockResult:
        texts = {
            name: clean_text(str(result[name])) if result.get(name) is not None else None
            for name in ("error_type", "error", "traceback", "reason")
        }
        try:
            outputs = tuple(self._output(output) for output in result["outputs"])
            items = None if result.get("items") is None else _item_keys(result["items"])
        except (KeyError, TypeError, ValueError):
            return _failed("exited", "The block's report cannot be read.", metrics)
        return BlockResult(
            ok=result.get("ok") is True and texts["error"] is None,
            outputs=outputs,
            items=items,
            verdict=None if result.get("verdict") is None else result["verdict"] is True,
            metrics=metrics,
            **texts,
        )

    def _output(self, told: dict[str, Any]) -> Output:
        """An output as reported; the user's code could forge it, so it may name only our folder."""
        output = Output(**told)
        folder = self._call.output_dir.relative_to(self._call.storage).as_posix()
        before, _, name = output.path.rpartition("/")
        match = _FILE.fullmatch(name)
        numbers = (output.bytes, output.rows or 0, output.columns or 0)
        if (
            before != folder
            or match is None
            or match[1] != output.name
            or output.kind not in ("table", "json", "text")
            or not all(isinstance(number, int) for number in numbers)
        ):
            raise ValueError(output)
        return output


def _item_keys(told: list[str]) -> tuple[str, ...]:
    """Keys of a dynamic block's items as reported; they become parts of names of steps."""
    if len(set(told)) < len(told) or not all(_KEY.fullmatch(key) for key in told):
        raise ValueError(told)
    return tuple(told)


def _failed(reason: str, error: str, metrics: BlockMetrics | None = None) -> BlockResult:
    return BlockResult(
        ok=False,
        error_type="BlockError",
        error=error,
        reason=reason,
        metrics=metrics or BlockMetrics(),
    )


async def _send_descriptors(control: socket.socket, descriptors: list[int]) -> None:
    while True:
        try:
            socket.send_fds(control, [b"F"], descriptors)
        except BlockingIOError:
            # Hundreds of blocks are waiting to be forked.
            await asyncio.sleep(0.01)
        except OSError:
            # The fork server is gone: both ends close, which reads as a block that was lost.
            return
        else:
            return
