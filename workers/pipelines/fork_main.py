"""The fork server's own process, and the guardians that it forks, one for each block that runs.

worker --exec--> fork server --fork--> guardian --fork--> block (leader of its own session)

The fork server holds no secret: it is a fresh interpreter with a scrubbed environment. For each
block it gets three descriptors, and passes them to a guardian: a lifeline, which the guardian
keeps, a channel and a pipe, which the block keeps. The lifeline carries the worker's orders one way
and the exit report the other; its end means that the worker is dead. Whatever ends, the guardian
leaves no process of the block behind, even such that detached themselves.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

# By import only: computing would start threads, which do not survive a fork.
import pandas
import pyarrow.ipc
import pyarrow.pandas_compat

from app.core.protection import protect_process
from workers.pipelines import block_host, os_guards
from workers.pipelines.calls import KILL, TERMINATE

PRELOADED = (pandas, pyarrow.ipc, pyarrow.pandas_compat)


def main() -> NoReturn:
    """Serve the worker at the other end of the socket named in argv until it goes away."""
    control = socket.socket(fileno=int(sys.argv[2]))
    protect_process()
    # Here and not in each block, which would take a fifth of its start.
    os_guards.drop_capabilities()
    block_host.remember_modules()
    os_guards.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wakeup = _wake_on_child_exit()
    # Guardians watch this pipe: it ends when the fork server does.
    alive_read, alive_write = os.pipe()
    gc.collect()
    gc.freeze()
    control.sendall(b"R")
    guardians = _Guardians(alive_read, ours=(control.fileno(), wakeup, alive_write))
    while True:
        ready, _, _ = select.select([control.fileno(), wakeup, *guardians.sockets], [], [])
        for descriptor in ready:
            if descriptor in guardians.sockets:
                guardians.hear(descriptor)
        if wakeup in ready:
            os.read(wakeup, 4096)
            guardians.reap()
        if control.fileno() in ready:
            try:
                message, descriptors, _, _ = socket.recv_fds(control, 1, 3)
            except OSError:
                message = b""
            if not message:
                os._exit(0)
            guardians.give(descriptors)
            for descriptor in descriptors:
                os.close(descriptor)


class _Guardians:
    """The guardians with a block, and some at rest, which take the next blocks.

    To fork so big a process is the dearest part of a small block: a guardian serves many blocks,
    one after the other. One that left something behind ends, and so do more at rest than eight.
    """

    def __init__(self, alive: int, ours: tuple[int, ...]) -> None:
        self.sockets: dict[int, socket.socket] = {}
        self._resting: list[int] = []
        self._pids: set[int] = set()
        self._alive = alive
        self._ours = ours

    def give(self, descriptors: list[int]) -> None:
        """Hand a block's descriptors to a guardian; without one the worker sees them closed."""
        while (descriptor := self._rested(descriptors)) is not None:
            try:
                socket.send_fds(self.sockets[descriptor], [b"B"], descriptors)
            except ConnectionError:
                self._forget(descriptor)
            else:
                return

    def hear(self, descriptor: int) -> None:
        """A guardian is free again, or gone."""
        try:
            free = self.sockets[descriptor].recv(1)
        except ConnectionError:
            free = b""
        if free and len(self._resting) < _MOST_RESTING:
            self._resting.append(descriptor)
        else:
            self._forget(descriptor)

    def reap(self) -> None:
        """Collect dead guardians, and kill what a killed one left to us."""
        reaped = os_guards.reap()[0]
        orderly = all(pid in self._pids and status == 0 for pid, status, _, _ in reaped)
        self._pids.difference_update(pid for pid, _, _, _ in reaped)
        if not orderly:
            os_guards.kill_children(keep=frozenset(self._pids))

    def _rested(self, descriptors: list[int]) -> int | None:
        return self._resting.pop() if self._resting else self._fork(descriptors)

    def _fork(self, foreign: list[int]) -> int | None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            print(f"fork server cannot fork: {error.strerror}", file=sys.stderr, flush=True)
            return None
        if pid == 0:
            for descriptor in (*self._ours, *self.sockets, *foreign, ours.detach()):
                os.close(descriptor)
            _run_guardian(theirs, self._alive)
        theirs.close()
        self._pids.add(pid)
        self.sockets[ours.fileno()] = ours
        return ours.fileno()

    def _forget(self, descriptor: int) -> None:
        self.sockets.pop(descriptor).close()
        if descriptor in self._resting:
            self._resting.remove(descriptor)


_MOST_RESTING = 8


def _run_guardian(orders: socket.socket, alive: int) -> NoReturn:
    try:
        os_guards.adopt_orphans()
        wakeup = _wake_on_child_exit()
        while descriptors := _next_block(orders, alive):
            lifeline_fd, channel, output = descriptors
            with socket.socket(fileno=lifeline_fd) as lifeline:
                report = _guard(lifeline, channel, output, wakeup, alive)
                undying = os_guards.reap()[1]
                if not undying:
                    # Before the report, so that the worker's next block finds this guardian free.
                    with contextlib.suppress(ConnectionError):
                        orders.sendall(b"F")
                lifeline.sendall(json.dumps(report).encode() + b"\n")
            if undying:
                # The kernel does not let something die; the fork server tries on.
                os._exit(1)
    except ConnectionError:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _next_block(orders: socket.socket, alive: int) -> list[int]:
    ready, _, _ = select.select([orders.fileno(), alive], [], [])
    return [] if alive in ready else socket.recv_fds(orders, 1, 3)[1]


def _guard(
    lifeline: socket.socket, channel_fd: int, output_fd: int, wakeup: int, alive: int
) -> dict[str, Any]:
    started = time.monotonic()
    guardian = os.getpid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    block = os.fork()
    if block == 0:
        signal.set_wakeup_fd(-1)
        block_host.run_in_child(guardian, channel_fd, output_fd)
    try:
        # A machine that shuts down signals all processes; we end when our block has.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.close(channel_fd)
        os.close(output_fd)
        lifeline.sendall(json.dumps({"pid": block}).encode() + b"\n")
        return _Watch(block, started).until_gone(lifeline, wakeup, alive)
    except BaseException:
        os_guards.kill_tree(block)
        raise


class _Watch:
    """Follows one block to its end, by exit, order, time-out or death of those above."""

    def __init__(self, block: int, started: float) -> None:
        self.block = block
        self.started = started
        self.reason: str | None = None
        self.grace_s = 0.0
        self.timeout_at: float | None = None
        self.kill_at: float | None = None
        self.status: tuple[int, float, int] | None = None

    def until_gone(self, lifeline: socket.socket, wakeup: int, alive: int) -> dict[str, Any]:
        """Wait, kill what is to be killed, and tell how it ended."""
        orders = b""
        while self.status is None:
            ready, _, _ = select.select([lifeline.fileno(), wakeup, alive], [], [], self._wait_s())
            if wakeup in ready:
                os.read(wakeup, 4096)
                self._note(os_guards.reap()[0])
            if alive in ready:
                self.reason = "worker_lost"
                break
            if lifeline.fileno() in ready:
                received = _receive(lifeline)
                if not received:
                    break
                orders = self._obey(orders + received)
            now = time.monotonic()
            if self.kill_at is not None and now >= self.kill_at:
                break
            if self.timeout_at is not None and now >= self.timeout_at and self.reason is None:
                self._terminate("timeout")
        self._note(os_guards.kill_tree(self.block))
        status, cpu_s, max_rss = self.status or (signal.SIGKILL, 0.0, 0)
        return {
            "status": status,
            "reason": self.reason,
            "cpu_s": cpu_s,
            "max_rss_bytes": max_rss,
            "wall_s": time.monotonic() - self.started,
        }

    def _wait_s(self) -> float | None:
        at = self.kill_at if self.kill_at is not None else self.timeout_at
        return None if at is None else max(0.0, at - time.monotonic())

    def _obey(self, orders: bytes) -> bytes:
        *lines, rest = orders.split(b"\n")
        for line in lines:
            if line == TERMINATE:
                self._terminate("cancelled")
            elif line == KILL:
                self.reason = self.reason or "killed"
                self.kill_at = time.monotonic()
            else:
                limits = json.loads(line)
                self.grace_s = limits["grace_s"]
                if limits["timeout_s"] is not None:
                    self.timeout_at = self.started + limits["timeout_s"]
        return rest

    def _terminate(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
            self.kill_at = time.monotonic() + self.grace_s
            try:
                os.killpg(self.block, signal.SIGTERM)
            except ProcessLookupError:
                # Just forked: it does not lead its group yet.
                os_guards.kill(self.block, signal.SIGTERM)

    def _note(self, reaped: list[tuple[int, int, float, int]]) -> None:
        for pid, status, cpu_s, max_rss in reaped:
            if pid == self.block:
                self.status = (status, cpu_s, max_rss)


def _receive(lifeline: socket.socket) -> bytes:
    try:
        return lifeline.recv(4096)
    except ConnectionError:
        return b""


def _wake_on_child_exit() -> int:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return read
