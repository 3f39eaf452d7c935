"""CPU time of processes as the scheduler counts it, in microseconds."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    try:
        root = psutil.Process(pid)
        return [pid, *(child.pid for child in root.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def spent(pids: Iterable[int]) -> dict[int, float]:
    """Microseconds that each process has had so far, over all its threads.

    From /proc/<pid>/task/*/schedstat, which counts nanoseconds; elsewhere from psutil, in ticks.
    """
    return {pid: _of_process(pid) for pid in pids}


def between(before: dict[int, float], after: dict[int, float]) -> float:
    """Microseconds between two readings; a process that is new counts in full."""
    return sum(value - before.get(pid, 0.0) for pid, value in after.items())


def pin(pids: Iterable[int], cores: list[int]) -> None:
    """Keep all threads of these processes on these cores."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):
                os.sched_setaffinity(int(task.name), cores)


def _of_process(pid: int) -> float:
    total = 0.0
    found = False
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[0]) / 1000
            found = True
        except (OSError, ValueError, IndexError):
            continue
    return total if found else _by_ticks(pid)


def _by_ticks(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return (times.user + times.system) * 1e6
