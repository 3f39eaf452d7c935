"""A real installation for a journey: `isthmus serve` and `worker` as processes on a migrated database."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx2

from app.core.crypto import KeyRing
from app.embedded.process import die_with_parent
from tests.servers import SessionServers, database_name

API_KEY = "journey-api-key"
PASSWORD = "journey-password"
ISTHMUS = (sys.executable, "-m", "app.cli")


@dataclass
class Live:
    """Addresses and credentials of a running installation, and its processes by name."""

    url: str
    database_url: str
    environ: Mapping[str, str]
    log: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    api_key: str = API_KEY
    username: str = "admin"
    password: str = PASSWORD

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the commands; it dies with the test."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [*ISTHMUS, *arguments],
                env=dict(self.environ),
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        self.processes[name] = process
        return process

    def wait_until_ready(self, within_s: float = 60) -> None:
        """Return once /readyz answers 200 and a worker has reported itself."""
        deadline = time.monotonic() + within_s
        with httpx2.Client(timeout=2) as client:
            while time.monotonic() < deadline:
                with suppress(httpx2.HTTPError):
                    answer = client.get(f"{self.url}/readyz")
                    if answer.status_code == 200 and answer.json()["workers"] >= 1:
                        return
                time.sleep(0.05)
        raise AssertionError(f"not ready within {within_s} s:\n{self.log.read_text()[-4000:]}")

    def client(self, **headers: str) -> httpx2.Client:
        """A client that sends the api_key and the given headers."""
        return httpx2.Client(
            base_url=self.url, headers={"X-API-KEY": self.api_key, **headers}, timeout=30
        )

    def stop(self) -> None:
        """End all processes."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environ(servers: SessionServers, database_url: str, ring: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "REDIS_URL": servers.hints_apart(),
        "ISTHMUS_SECRET_KEYS": ring,
        "ISTHMUS_API_KEY": API_KEY,
        "ISTHMUS_ADMIN_PASSWORD": PASSWORD,
    }


@cache
def _migrated(servers: SessionServers) -> tuple[str, str]:
    """The name of a database that `isthmus migrate` filled, to copy, and its key ring."""
    url, ring = servers.create_database(), KeyRing.generate()
    done = subprocess.run(
        [*ISTHMUS, "migrate"],
        env=_environ(servers, url, ring),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return database_name(url), ring


@contextmanager
def live(
    servers: SessionServers, folder: Path, *, authentication: bool, **environ: str
) -> Iterator[Live]:
    """Serve a migrated database of its own on a free port, with one worker."""
    port = free_port()
    template, ring = _migrated(servers)
    database_url = servers.create_database(template)
    given = {
        **_environ(servers, database_url, ring),
        "ISTHMUS_HOME": str(folder / "home"),
        "REQUIRE_USER_AUTHENTICATION": str(authentication).lower(),
        **environ,
    }
    made = Live(f"http://127.0.0.1:{port}", database_url, given, folder / "log")
    try:
        made.start("serve", "serve", "--port", str(port))
        made.start("worker", "worker")
        made.wait_until_ready()
        yield made
    finally:
        made.stop()
        servers.drop_database(database_url)
