"""The block's end of the line to its worker: prints, log records and the result as frames."""

import io
import logging
import os
import socket
import sys
import threading
import time
from typing import IO, Any, cast

from workers.pipelines.calls import FRAME, LINE_COST, MAX_LINE, frame

# Where subprocesses write; the worker reads it line by line.
_PIPE = 1


class Channel:
    """Sends frames; a full socket makes the block wait, so it cannot flood its worker."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._sender: int | None = None
        self._forked = False
        self._left: int | None = None
        # A process that the user's code forks shares the socket: its frames would mix with ours.
        os.register_at_fork(after_in_child=self._leave)

    def receive(self) -> bytes:
        """The content of the one frame that the worker sends: the call."""
        size = FRAME.unpack(self._exactly(FRAME.size))[0]
        return self._exactly(size)

    def limit_log(self, log_bytes: int) -> None:
        """Send no further log lines once so much of them was sent."""
        self._left = log_bytes

    def log(self, level: str, message: str) -> None:
        """Send one record, in pieces when it is very long."""
        for start in range(0, len(message) or 1, MAX_LINE):
            piece = message[start : start + MAX_LINE]
            if self._left is not None:
                if self._left < 0:
                    return
                self._left -= len(piece) + LINE_COST
            self.send({"log": [time.time(), level, piece]}, piece)

    def send(self, message: dict[str, Any], text: str = "") -> None:
        """Send a frame; `text` goes to the pipe where a frame cannot be sent."""
        if self._forked or self._sender == threading.get_ident():
            # The second case is a signal handler that prints while a frame is half sent.
            os.write(_PIPE, f"{text}\n".encode("utf-8", "replace"))
            return
        content = frame(message)
        with self._lock:
            self._sender = threading.get_ident()
            try:
                self._connection.sendall(content)
            finally:
                self._sender = None

    def _leave(self) -> None:
        self._forked = True

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._connection.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise EOFError("The worker has gone away.")
            parts += part
        return bytes(parts)


class LineStream(io.RawIOBase):
    """What `sys.stdout.buffer` is in a block: each line becomes a log record."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._rest = b""

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The pipe, for subprocesses that are given our stream."""
        return _PIPE

    def write(self, content: Any) -> int:
        """Take bytes; send the lines that they complete."""
        taken = bytes(content)
        *lines, self._rest = (self._rest + taken).split(b"\n")
        for line in lines:
            self._send(line)
        if len(self._rest) > MAX_LINE:
            self.finish()
        return len(taken)

    def finish(self) -> None:
        """Send what no line end has followed."""
        rest, self._rest = self._rest, b""
        if rest:
            self._send(rest)

    def _send(self, line: bytes) -> None:
        # Of a progress bar, which overwrites its line, the last state is of interest.
        text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
        self._channel.log("INFO", text)


class LogHandler(logging.Handler):
    """Sends what user code logs, by `kwargs['logger']` or any logger of its own."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record with its traceback, if it has one."""
        try:
            self._channel.log(record.levelname, self.format(record))
        except Exception:
            self.handleError(record)


def capture_output(channel: Channel) -> list[LineStream]:
    """Make print, sys.stderr and logging go to the channel; the streams are to be finished."""
    streams = [LineStream(channel), LineStream(channel)]
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            cast(IO[bytes], stream),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
            write_through=True,
        )
        for stream in streams
    )
    root = logging.getLogger()
    root.handlers[:] = [LogHandler(channel)]
    root.setLevel(logging.INFO)
    return streams
