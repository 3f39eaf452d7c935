"""The two servers: started in a folder of their own, stopped with all their processes."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

MAGE_ENVIRONMENT = Path(
    os.environ.get("ISTHMUS_BENCH_MAGE", Path.home() / ".cache/isthmus-bench/mage")
)
ROOT = Path(__file__).parent.parent
KEY = "bench"
START_LIMIT_S = 120.0
HEADERS = {"Content-Type": "application/json", "X-API-KEY": KEY}


class Refused(Exception):
    """An answer that carries an error; the text is the server's."""


@dataclass(frozen=True)
class Side:
    """A running server that speaks Mage's API without authentication."""

    name: str
    versions: str
    port: int
    root: psutil.Process
    database: Path | None = None

    @property
    def is_mage(self) -> bool:
        """Whether this is the peer."""
        return self.name == "Mage"

    def connect(self) -> HTTPConnection:
        """A connection that is kept alive."""
        return HTTPConnection("127.0.0.1", self.port, timeout=120)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that a request answers; raises `Refused`."""
        connection = self.connect()
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/api{path}", text, HEADERS)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise Refused(f"{method} {path}: {str(answer['error'])[-2000:]}")
        return answer

    def cpu(self) -> float:
        """CPU seconds so far of all processes of this side, with those that have ended."""
        total = 0.0
        for process in processes(self.root):
            try:
                total += sum(process.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
        return total


def processes(root: psutil.Process) -> list[psutil.Process]:
    """The root and everything below it."""
    return [root, *root.children(recursive=True)]


@contextmanager
def mage(folder: Path, port: int, environment: Path) -> Iterator[Side]:
    """The real Mage with a fresh project: SQLite, its default, and no statistics sent."""
    program = environment / "bin" / "mage"
    if not program.exists():
        sys.exit(f"There is no Mage in {environment}. Run bench/peers/mage/setup.sh first.")
    environ = {
        **os.environ,
        "HOME": str(folder),
        "MAGE_DATA_DIR": str(folder / "data"),
        "REQUIRE_USER_AUTHENTICATION": "false",
    }
    subprocess.run(
        [program, "init", "bench"], cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL
    )
    settings = folder / "bench" / "metadata.yaml"
    settings.write_text(settings.read_text().replace("help_improve_mage: true", ""))
    command = [program, "start", "bench", "--host", "127.0.0.1", "--port", str(port)]
    with _running(command, folder, environ, port) as root:
        database = folder / "data" / "bench" / "mage-ai.db"
        yield Side("Mage", "Mage 0.9.80, SQLite", port, root, database)


@contextmanager
def isthmus(folder: Path, port: int, _: Path) -> Iterator[Side]:
    """`isthmus dev` with a home of its own: embedded PostgreSQL and Valkey, one worker."""
    environ = {name: value for name, value in os.environ.items() if not _sets_isthmus(name)}
    environ |= {"ISTHMUS_HOME": str(folder / "home"), "ISTHMUS_API_KEY": KEY}
    command = [sys.executable, "-m", "app.cli", "dev", "--port", str(port)]
    with _running(command, ROOT, environ, port) as root:
        _wait_for_worker(port)
        yield Side("Isthmus", f"Isthmus {_commit()}, embedded PostgreSQL and Valkey", port, root)


@contextmanager
def _running(
    command: list[Any], folder: Path, environ: Mapping[str, str], port: int
) -> Iterator[psutil.Process]:
    """A server until the block ends; what it says goes nowhere."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=quiet, stderr=quiet)
    root = psutil.Process(process.pid)
    try:
        _until(lambda: _get(port, "/api/status") is not None, process)
        yield root
    finally:
        _stop(root)
        process.wait()


def _stop(root: psutil.Process) -> None:
    """Ask the root to stop, then end whatever of its tree is left."""
    tree = processes(root)
    root.terminate()
    _, left = psutil.wait_procs(tree, timeout=20)
    for process in left:
        process.kill()


def _wait_for_worker(port: int) -> None:
    _until(lambda: json.loads(_get(port, "/readyz") or "{}").get("workers", 0) >= 1, None)


def _until(condition: Any, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not condition():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            sys.exit("A server did not start. Run it by hand to see why.")
        time.sleep(0.2)


def _get(port: int, path: str) -> bytes | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _sets_isthmus(name: str) -> bool:
    return name.startswith("ISTHMUS_") or name in ("DATABASE_URL", "REDIS_URL")


def _commit() -> str:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return f"{version[1] if version else ''} ({done.stdout.strip() or 'no commit'})"
