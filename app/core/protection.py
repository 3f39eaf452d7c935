"""Keeps the secrets in our processes from other processes of the same user (Linux)."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def prctl(option: int, value: int) -> None:
    """One call of prctl(2); nothing happens elsewhere than on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def protect_process() -> None:
    """Deny our environment and memory to processes of the same user (see /proc/<pid>/environ)."""
    prctl(_PR_SET_DUMPABLE, 0)


def open_process() -> None:
    """Undo `protect_process` in a child, which could not read its own /proc/self otherwise."""
    prctl(_PR_SET_DUMPABLE, 1)
