"""The fork server's own process, and the guardian that it forks for each block.

worker --exec--> fork server --fork--> guardian --fork--> block (leader of its own session)

The fork server holds no secret: it is a fresh interpreter with a scrubbed environment. For each
block it gets three descriptors: a lifeline, which the guardian keeps, a channel and a pipe,
which the block keeps. The lifeline carries the worker's orders one way and the exit report the
other; its end means that the worker is dead. Whatever ends, the guardian leaves no process of
the block behind, even such that detached themselves.
"""

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
    guardians: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
            reaped = os_guards.reap()[0]
            orderly = all(pid in guardians and status == 0 for pid, status, _, _ in reaped)
            guardians.difference_update(pid for pid, _, _, _ in reaped)
            if not orderly:
                # Strangers among our children are what a killed guardian left to us.
                os_guards.kill_children(keep=frozenset(guardians))
        if control.fileno() in ready:
            try:
                message, descriptors, _, _ = socket.recv_fds(control, 1, 3)
            except OSError:
                message = b""
            if not message:
                os._exit(0)
            pid = _fork()
            if pid == 0:
                control.close()
                os.close(wakeup)
                os.close(alive_write)
                lifeline, channel, output = descriptors
                _run_guardian(lifeline, channel, output, alive_read)
            if pid > 0:
                guardians.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:
        # The descriptors are closed, which the worker sees as a block that never began.
        print(f"fork server cannot fork: {error.strerror}", file=sys.stderr, flush=True)
        return -1


def _run_guardian(lifeline_fd: int, channel_fd: int, output_fd: int, alive: int) -> NoReturn:
    try:
        _guard(socket.socket(fileno=lifeline_fd), channel_fd, output_fd, alive)
    except ConnectionError:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _guard(lifeline: socket.socket, channel_fd: int, output_fd: int, alive: int) -> None:
    os_guards.adopt_orphans()
    wakeup = _wake_on_child_exit()
    started = time.monotonic()
    guardian = os.getpid()
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
        report = _Watch(block, started).until_gone(lifeline, wakeup, alive)
    except BaseException:
        os_guards.kill_tree(block)
        raise
    lifeline.sendall(json.dumps(report).encode() + b"\n")


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
