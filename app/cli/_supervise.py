"""Keeps programs running: starts a dead one again, a little later each time."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from app.embedded import EmbeddedError
from app.embedded.process import die_with_parent

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_LIFE_S = 60.0
STOP_LIMIT_S = 30.0


class Program(Protocol):
    """Something that is started, may die, and is started again."""

    name: str

    @property
    def running(self) -> bool:
        """Whether it lives."""

    @property
    def returncode(self) -> int | None:
        """How it ended, as `subprocess` counts."""

    def start(self) -> None:
        """Start it; raises `EmbeddedError` or `OSError` when that fails."""


class Child:
    """One of our own commands as a process that dies with us."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = name
        self._command = list(command)
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How the process ended; None while it lives or before it was started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the process; it writes to our own output."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            # Its own session: Ctrl-C reaches only the supervisor, which stops things in order.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )

    def terminate(self) -> None:
        """Ask the process to stop."""
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and what it started in its session."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Kept:
    """A program under care, with the time of its next start when it is dead."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.started = time.monotonic()
        self._delay = FIRST_DELAY_S
        self._due: float | None = None

    def tend(self, now: float, say: Callable[[str], None]) -> None:
        """Notice a death and, when its delay is over, start the program again."""
        if self.program.running:
            return
        if self._due is None:
            how = _ending(self.program.returncode)
            self._postpone(now, f"{self.program.name} {how}", say)
        elif now >= self._due:
            self._due = None
            self.started = now
            try:
                self.program.start()
            except (EmbeddedError, OSError) as error:
                self._postpone(now, f"{self.program.name} did not start again: {error}", say)

    def _postpone(self, now: float, what: str, say: Callable[[str], None]) -> None:
        if now - self.started >= STEADY_LIFE_S:
            self._delay = FIRST_DELAY_S
        self._due = now + self._delay
        say(f"{what}. Starting it again in {self._delay:g} s.")
        self._delay = min(self._delay * 2, LONGEST_DELAY_S)


def stop_children(children: Sequence[Child], hurry: Callable[[], bool]) -> None:
    """Ask all to stop, wait up to 30 s (or until `hurry`), kill what is left."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + STOP_LIMIT_S
    while any(child.running for child in children):
        if hurry() or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for child in children:
        child.kill()


def _ending(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"was killed by signal {-returncode}"
    return f"ended with exit status {returncode}"
