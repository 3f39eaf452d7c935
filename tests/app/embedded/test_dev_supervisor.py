"""`isthmus dev` as a process, over stand-ins for migration, API and worker."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli._supervise import Kept
from tests.app.embedded.helpers import HERE, alive, eventually, gone, query
from tests.servers import SessionServers, open_folder


class Dev:
    """A supervisor process on a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = _free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str, **environ: str) -> "Dev":
        """Start it; its output goes to a file."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL")
        }
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "supervisor.py", self.home, str(self.port), *arguments],
                env={**inherited, **environ},
                stdout=output,
                stderr=output,
                text=True,
            )
        return self

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        assert self.process
        return self.process.pid

    @property
    def output(self) -> str:
        """What it has said."""
        return self._output.read_text()

    def wait(self) -> int:
        """Wait for its end and return the exit status."""
        assert self.process
        return self.process.wait(20)

    def wait_ready(self) -> None:
        """Wait until it says that it is ready."""
        assert eventually(lambda: "Isthmus is ready." in self.output), self.output

    def note(self, command: str) -> dict[str, Any]:
        """What a stand-in has noted at its last start."""
        file = self.home / f"{command}.json"
        assert eventually(file.exists)
        note: dict[str, Any] = json.loads(file.read_text())
        return note

    def server_pid(self, server: str) -> int:
        """Process id of an embedded server."""
        return int((self.home / f"{server}.lock").read_text() or 0)  # empty before a start

    def pids(self) -> list[int]:
        """Process ids of all that the supervisor runs."""
        commands = [self.note(command)["pid"] for command in ("serve", "worker")]
        return [*commands, self.server_pid("postgres"), self.server_pid("valkey")]

    @property
    def _output(self) -> Path:
        return self.home.with_suffix(f".{self.port}.txt")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The home on which the tests start their supervisors, one after another."""
    with open_folder() as folder:
        yield folder / "home"


@pytest.fixture
def dev(home: Path) -> Iterator[Dev]:
    """A supervisor that is not started yet, and is gone after the test."""
    for note in (*home.glob("*.json"), *home.glob("*.stopped"), *home.glob("loaded")):
        note.unlink()
    dev = Dev(home)
    yield dev
    if dev.process:
        dev.process.terminate()
        dev.wait()


async def test_dev_runs_everything_and_stops_everything(dev: Dev) -> None:
    dev.start().wait_ready()

    assert dev.note("serve")["arguments"] == ["--host", "127.0.0.1", "--port", str(dev.port)]
    environ = dev.note("worker")["environ"]
    assert environ["ISTHMUS_HOME"] == str(dev.home)
    assert await query(environ["DATABASE_URL"], "SELECT current_user::text") == ["isthmus"]
    assert environ["REDIS_URL"].startswith("unix:///")
    assert dev.note("migrate")["environ"]["DATABASE_URL"] == environ["DATABASE_URL"]
    assert eventually((dev.home / "loaded").exists)
    assert f"http://127.0.0.1:{dev.port}/v2/graphql" in dev.output

    pids = dev.pids()
    os.kill(dev.pid, signal.SIGINT)

    assert dev.wait() == 0
    assert not any(alive(pid) for pid in pids)
    assert (dev.home / "serve.stopped").exists()
    assert (dev.home / "worker.stopped").exists()


async def test_dead_child_and_dead_servers_are_started_again(dev: Dev) -> None:
    dev.start().wait_ready()
    environ = dev.note("worker")["environ"]
    before = dev.pids()

    for pid in before:
        os.kill(pid, signal.SIGKILL)

    assert eventually(lambda: set(dev.pids()).isdisjoint(before))
    assert "Worker was killed by signal 9. Starting it again in 0.5 s." in dev.output
    assert eventually(lambda: all(alive(pid) for pid in dev.pids()))
    sockets = environ["DATABASE_URL"].split("host=")[1].split("&")[0]
    assert eventually((Path(sockets) / ".s.PGSQL.5432").exists)
    assert await query(environ["DATABASE_URL"], "SELECT 1") == [1]


async def test_killed_dev_leaves_nothing_running_and_starts_again(dev: Dev) -> None:
    dev.start().wait_ready()
    url = dev.note("worker")["environ"]["DATABASE_URL"]
    await query(url, "CREATE TABLE kept AS SELECT 41 AS value")

    other = Dev(dev.home).start()
    assert other.wait() == 1
    assert other.output == (
        f"Another isthmus (process {dev.pid}) is running on {dev.home}. "
        "Stop it, or set ISTHMUS_HOME to another folder.\n"
    )

    pids = dev.pids()
    os.kill(dev.pid, signal.SIGKILL)
    dev.wait()
    if sys.platform == "linux":
        assert all(gone(pid) for pid in pids)

    dev.start().wait_ready()
    assert await query(url, "SELECT value FROM kept") == [41]


def test_given_urls_replace_the_embedded_servers(
    dev: Dev, folder: Path, session_servers: SessionServers
) -> None:
    given = session_servers.urls
    dev.home = folder / "home"
    dev.start(DATABASE_URL=given.database_url, REDIS_URL=given.redis_url).wait_ready()

    environ = dev.note("worker")["environ"]

    assert environ["DATABASE_URL"] == given.database_url
    assert environ["REDIS_URL"] == given.redis_url
    assert not (dev.home / "postgres").exists()
    assert not (dev.home / "valkey").exists()


def test_what_cannot_start_is_said_in_one_line(dev: Dev, session_servers: SessionServers) -> None:
    given = session_servers.urls
    urls = {"DATABASE_URL": given.database_url, "REDIS_URL": given.redis_url}

    assert dev.start(MIGRATE_STATUS="3", **urls).wait() == 1
    assert dev.output == "The database could not be migrated; see the output above.\n"

    assert dev.start("fail", **urls).wait() == 1
    assert dev.output.endswith("Not everything could be set up: the demo project is broken\n")

    with socket.create_server(("127.0.0.1", dev.port)):
        assert dev.start(**urls).wait() == 1
    assert dev.output == (
        f"Cannot listen on 127.0.0.1 port {dev.port}: Address already in use. "
        "Choose others with --host and --port.\n"
    )


class Fragile:
    """A program that never lives long."""

    name = "Fragile"
    running = False
    returncode = 1

    def __init__(self) -> None:
        self.starts = 0

    def start(self) -> None:
        """Only counted."""
        self.starts += 1


def test_delay_doubles_to_thirty_seconds_and_is_forgotten_after_a_long_life() -> None:
    program = Fragile()
    kept = Kept(program)
    said: list[str] = []
    now = kept.started
    for _ in range(8):
        kept.tend(now, said.append)
        now += 30
        kept.tend(now, said.append)
    delays = [line.split(" in ")[1] for line in said]
    assert delays == [f"{s} s." for s in ("0.5", "1", "2", "4", "8", "16", "30", "30")]
    assert program.starts == 8

    kept.tend(now + 61, said.append)
    assert said[-1].endswith("in 0.5 s.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
