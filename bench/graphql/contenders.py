"""The servers: how each is started, in whose words it is asked, and by what rights."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil
from cpu import tree
from operations import Operation
from place import API_KEY, Place

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = HERE.parent / "peers"
START_LIMIT_S = 90.0


@dataclass(frozen=True)
class Contender:
    """A server to measure. `dialect`: isthmus, graphile or limit."""

    name: str
    title: str
    dialect: str
    program: str
    path: str
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def is_node(self) -> bool:
        """Whether it runs on Node."""
        return self.program.endswith(".js")

    @property
    def is_ours(self) -> bool:
        """Whether it checks tokens."""
        return self.program == "ours.py"

    def answers(self, operation: Operation) -> bool:
        """Whether it has the operation."""
        return operation.peers or not self.is_node

    def headers(self, operation: Operation, place: Place) -> dict[str, str]:
        """Its credential."""
        if not self.is_ours:
            return {}
        token = place.reader if operation.by_reader else place.owner
        if operation.rest:
            return {"X-API-KEY": API_KEY, "OAUTH-TOKEN": token}
        return {"Authorization": f"Bearer {token}"}

    def command(self) -> list[str]:
        """How it is started, but for the port."""
        if self.is_node:
            return [node(), str(PEERS / self.program)]
        return [sys.executable, str(HERE / self.program)]


CONTENDERS = {
    one.name: one
    for one in (
        Contender("limit", "limit (Starlette, asyncpg, SQL by hand)", "limit", "limit.py", ""),
        Contender(
            "compiled",
            "Isthmus, compiled reads",
            "isthmus",
            "ours.py",
            "/v2/graphql",
            (("ISTHMUS_COMPILE", "true"),),
        ),
        Contender(
            "executed",
            "Isthmus, ISTHMUS_COMPILE=off",
            "isthmus",
            "ours.py",
            "/v2/graphql",
            (("ISTHMUS_COMPILE", "false"),),
        ),
        Contender(
            "mercurius",
            "Mercurius (JIT, loaders, pg)",
            "isthmus",
            "mercurius/server.js",
            "/graphql",
        ),
        Contender(
            "postgraphile", "PostGraphile v5", "graphile", "postgraphile/server.js", "/graphql"
        ),
        Contender("apollo", "Apollo Server 5 (dataloader, pg)", "isthmus", "apollo/server.js", "/"),
    )
}


def node() -> str:
    """The Node that the peers come with, else that of the machine."""
    own = PEERS / "postgraphile" / "node_modules" / "node" / "bin" / "node"
    return str(own) if own.exists() else "node"


def installed(contender: Contender) -> bool:
    """Whether `npm ci` was run for a peer; true for all that is not one."""
    folder = (PEERS / contender.program).parent
    return not contender.is_node or (folder / "node_modules").exists()


@dataclass
class Running:
    """A started server."""

    contender: Contender
    port: int
    pid: int

    def processes(self) -> list[int]:
        """It and its children."""
        return tree(self.pid)


@contextmanager
def running(contender: Contender, place: Place, port: int) -> Iterator[Running]:
    """A server until the block ends."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")
    }
    environment |= place.environment() | dict(contender.environment)
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [*contender.command(), str(port)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        _wait(process, port)
        yield Running(contender, port, process.pid)
    finally:
        _stop(process)


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    sys.exit(f"{process.args} did not start.")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    children = [psutil.Process(pid) for pid in tree(process.pid)[1:] if psutil.pid_exists(pid)]
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    if process.poll() is None:
        process.kill()
        process.wait()
    for child in children:
        with suppress(psutil.Error):
            child.kill()
