"""What the operating system does for us: dumpability, death of parents, capabilities, orphans.

Linux has all of it. Elsewhere these calls do nothing: there the watched pipes of the fork server
and the process groups of blocks remain.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from app.core.protection import prctl

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63


def die_with_parent(parent: int) -> None:
    """Have this process killed when `parent` dies; at once if it is dead already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if _LINUX and os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of all orphaned descendants, however they detached themselves."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def drop_capabilities() -> None:
    """As root: keep the user id (files, imports), lose its power over other processes and files.

    The kernel then also refuses /proc/<pid>/environ of processes that have more capabilities.
    """
    if not _LINUX or os.geteuid() != 0:
        return
    for capability in range(_LAST_CAPABILITY + 1):
        prctl(_PR_CAPBSET_DROP, capability)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Three words each (effective, permitted, inheritable) for the low and the high 32 bits.
    data = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def children_of(parent: int) -> list[int]:
    """Process ids of the direct children of `parent`, zombies included; Linux only, else none."""
    found: list[int] = []
    if not _LINUX:
        return found
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue
            # The name in parentheses may itself hold spaces and parentheses.
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
    return found


def kill_children(keep: frozenset[int] = frozenset()) -> None:
    """SIGKILL every direct child of this process but those in `keep`."""
    for pid in children_of(os.getpid()):
        if pid not in keep:
            kill(pid, signal.SIGKILL)


def kill(pid: int, number: int) -> None:
    """Signal a process; one that is gone, or not ours, is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_group(group: int, number: int) -> None:
    """Signal a process group; one that is gone, or not ours, is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill_tree(group: int, within_s: float = 10.0) -> list[tuple[int, int, float, int]]:
    """SIGKILL a process group and all children of this process until none is left.

    Returns (pid, wait status, CPU seconds, largest resident set in bytes) of each that was
    reaped. Gives up after `within_s` on processes that the kernel does not let die.
    """
    reaped: list[tuple[int, int, float, int]] = []
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        kill_group(group, signal.SIGKILL)
        found, some_left = reap()
        reaped.extend(found)
        if not some_left:
            break
        # Killed parents leave their own children to us: look again until there are none.
        kill_children()
        time.sleep(0.002)
    return reaped


def reap() -> tuple[list[tuple[int, int, float, int]], bool]:
    """Collect dead children, as `kill_tree` returns them, and whether living ones are left."""
    reaped: list[tuple[int, int, float, int]] = []
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return reaped, False
        if pid == 0:
            return reaped, True
        rss = usage.ru_maxrss * (1024 if _LINUX else 1)
        reaped.append((pid, status, usage.ru_utime + usage.ru_stime, rss))
