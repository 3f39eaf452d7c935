"""Launchers, queries and bounded waits for the tests of the embedded servers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

ROOT = os.geteuid() == 0
HERE = Path(__file__).parent


class Launcher:
    """A process that runs embedded servers, as its `answer` tells."""

    def __init__(self, home: Path, user: str | None) -> None:
        command = [sys.executable, str(HERE / "launcher.py"), str(home)]
        if user:
            command.append(user)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.answer: dict[str, Any] = json.loads(self.process.stdout.readline())

    def stop(self) -> int:
        """Let it stop its servers and end; returns its exit status."""
        self.process.communicate()
        return self.process.returncode


async def query(url: str, statement: str, *values: object) -> list[Any]:
    """Run one statement in a database and return the values of the first column."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [row[0] for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


def eventually(check: Callable[[], object], within_s: float = 20) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + within_s
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """Whether a process ends in time."""
    return eventually(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether a process lives; one that waits to be reaped does not."""
    if sys.platform == "linux":
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
    else:
        listing = ["ps", "-o", "stat=", "-p", str(pid)]
        state = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
