"""Starts server programs so that they die with us and are found again if they do not."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from app.embedded.errors import EmbeddedError
from app.embedded.home import Account

PR_SET_PDEATHSIG = 1
LEFTOVER_PATIENCE_S = 20.0
LEFTOVER_LIMIT_S = 30.0
STOP_LIMIT_S = 30.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_libc = ctypes.CDLL(None)


class UserArguments(TypedDict, total=False):
    """The arguments of `subprocess` that choose another user."""

    user: int
    group: int
    extra_groups: list[int]


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` after which the child gets this signal when its parent dies.

    Linux only, elsewhere it does nothing. The kernel counts the death of the *thread* that
    started the child, so start children in the main thread or in one that lives as long.
    """
    if sys.platform != "linux":
        return lambda: None
    parent = os.getpid()

    def ask_kernel() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_kernel


class ServerProcess:
    """One running server program, and the lock file that tells whether any of it still lives.

    The program and its children inherit the locked file, so the kernel frees the lock when
    the last of them is gone. Unlike a pid file this is never stale.
    """

    def __init__(self, name: str, home: Path, file_name: str, stop_signal: signal.Signals) -> None:
        self.name = name
        self.log = home / "logs" / f"{file_name}.log"
        self._lock_path = home / f"{file_name}.lock"
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise EmbeddedError(f"{self.name} was not started.")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How the server ended, as `subprocess` counts; None while it runs or before."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        """Whether the server has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def claim(self) -> int:
        """Wait until nothing of an earlier server lives, and return the open lock.

        A server whose launcher was killed is told to stop first.
        """
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        began = time.monotonic()
        signals = [(0.0, self._stop_signal), (LEFTOVER_PATIENCE_S, signal.SIGKILL)]
        try:
            while not _locked(lock):
                waited = time.monotonic() - began
                if waited > LEFTOVER_LIMIT_S:
                    raise EmbeddedError(
                        f"Processes of an earlier {self.name} do not end; they hold "
                        f"{self._lock_path}. End them, then start again."
                    )
                if signals and waited >= signals[0][0]:
                    self._signal_leftover(lock, signals.pop(0)[1])
                time.sleep(0.02)
        except BaseException:
            os.close(lock)
            raise
        os.ftruncate(lock, 0)
        return lock

    def spawn(self, command: Sequence[str | Path], lock: int, account: Account | None) -> None:
        """Start the server as the holder of the lock; the caller then closes its own copy."""
        die = die_with_parent(self._stop_signal)

        def prepare() -> None:
            die()
            os.pwrite(lock, str(os.getpid()).encode(), 0)

        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with os.fdopen(
            os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb"
        ) as log:
            self._process = subprocess.Popen(
                command,
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                # Its own session: Ctrl-C in the terminal must not stop it before its clients.
                start_new_session=True,
                preexec_fn=prepare,
                umask=0o077,
                **switch_user(account),
            )

    def wait_until(self, ready: Callable[[], bool], limit_s: float) -> None:
        """Wait for the server to be ready; a server that ends or takes too long is an error."""
        began = time.monotonic()
        while not ready():
            late = time.monotonic() - began > limit_s
            if late or not self.running:
                self.kill()
                end = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
                raise EmbeddedError(f"{self.name} did not start. The end of {self.log}:\n{end}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask the server to stop and wait for it; after 30 s it is killed."""
        if not self.running or self._process is None:
            return
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal_leftover(self, lock: int, number: signal.Signals) -> None:
        text = os.pread(lock, 32, 0).decode()
        # Without a pid the launcher died while starting it; the kernel has told it to stop.
        if text and _command_names(int(text), self._lock_path.stem):
            os.kill(int(text), number)


def switch_user(account: Account | None) -> UserArguments:
    """Arguments of `subprocess` that start a program as the account, with no further groups."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _command_names(pid: int, program: str) -> bool:
    """Whether the process with this id is the program: ids are used again by others."""
    try:
        if sys.platform == "linux":
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        else:
            listing = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
            command = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return program in command
