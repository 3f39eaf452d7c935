"""`isthmus dev`: everything on one machine, under one supervisor."""

import http.client
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from app.access.installation import home_ring
from app.cli._supervise import Child, Kept, stop_children
from app.core.protection import protect_process
from app.embedded import EmbeddedError, EmbeddedServers

LOOK_S = 0.1
SLOW_START_S = 60.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
ISTHMUS = (sys.executable, "-m", "app.cli")

DEFAULTS = {
    "REQUIRE_USER_AUTHENTICATION": "false",
    "ISTHMUS_PLAYGROUND": "true",
    "ISTHMUS_INTROSPECTION": "open",
    "ISTHMUS_LOG_LEVEL": "warning",
    "ISTHMUS_SIGNUP": "open",
}
"""What `dev` sets unless its environment says otherwise: it listens on this machine only."""

Environment = Mapping[str, str]


class _Stopped(BaseException):
    """Raised in the main thread by the first signal that asks us to stop."""


class _Failed(Exception):
    """What ends the supervisor with exit status 1; the text is for the user."""


def run_dev(
    home: Path,
    *,
    host: str,
    ports: Sequence[int],
    environ: Environment,
    on_ready: Callable[[Environment], None] | None = None,
    say: Callable[[str], None] = partial(print, flush=True),
    command: Sequence[str] = ISTHMUS,
) -> int:
    """Run servers, migration, API and worker until a signal; returns the exit status.

    `environ` is what the commands inherit: a DATABASE_URL or REDIS_URL in it replaces the
    embedded server. `on_ready` is called once in a thread with the environment of the
    commands when the API answers; if it raises, everything stops with status 1. `command`
    is the program whose `migrate`, `serve` and `worker` are run.
    """
    protect_process()
    signals = _Signals()
    servers = EmbeddedServers(
        home, postgres=not environ.get("DATABASE_URL"), valkey=not environ.get("REDIS_URL")
    )
    with signals.handled():
        try:
            with servers:
                commands_environ = _commands_environ(servers, environ)
                for port in ports:
                    _refuse_used_port(host, port)
                _migrate([*command, "migrate"], commands_environ)
                listen = [word for port in ports for word in ("--port", str(port))]
                serve = [*command, "serve", "--host", host, *listen]
                api = Child("API", serve, commands_environ)
                worker = Child("Worker", [*command, "worker"], commands_environ)
                try:
                    api.start()
                    worker.start()
                    kept = [Kept(program) for program in (*servers.chosen, api, worker)]
                    _supervise(
                        kept, _Readiness(home, host, ports[0], commands_environ, on_ready), say
                    )
                finally:
                    signals.no_longer_raised()
                    stop_children([worker, api], hurry=lambda: signals.hurry)
        except _Stopped:
            return 0
        except (EmbeddedError, _Failed, OSError) as error:
            say(str(error))
            return 1


class _Signals:
    """The first signal stops what the main thread does; a second one makes stopping quick."""

    def __init__(self) -> None:
        self.hurry = False
        self._raise = True

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle SIGINT, SIGTERM and SIGHUP meanwhile."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def no_longer_raised(self) -> None:
        """From here on a signal only asks for hurry."""
        self._raise = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._raise:
            self._raise = False
            raise _Stopped
        self.hurry = True


class _Readiness:
    """Waits for the API's first answer, says so, and runs `on_ready` in a thread."""

    def __init__(
        self,
        home: Path,
        host: str,
        port: int,
        environ: Environment,
        on_ready: Callable[[Environment], None] | None,
    ) -> None:
        self._home = home
        self._address = (ANY_ADDRESS.get(host, host), port)
        self._environ = environ
        self._on_ready = on_ready
        self._began = time.monotonic()
        self._ready = False
        self._warned = False
        self._error: Exception | None = None

    def look(self, say: Callable[[str], None]) -> None:
        """Look once; raises when `on_ready` has failed."""
        if self._error:
            raise _Failed(f"Not everything could be set up: {self._error}") from self._error
        if self._ready:
            return
        if _answers(*self._address):
            self._ready = True
            say(self._announcement())
            if self._on_ready:
                threading.Thread(target=self._run, args=(self._on_ready,), daemon=True).start()
        elif not self._warned and time.monotonic() - self._began > SLOW_START_S:
            self._warned = True
            say(f"{_url(*self._address)}/readyz does not answer yet; see the output above.")

    def _run(self, on_ready: Callable[[Environment], None]) -> None:
        try:
            on_ready(self._environ)
        except Exception as error:
            self._error = error

    def _announcement(self) -> str:
        url = _url(*self._address)
        return (
            f"\nIsthmus is ready.\n"
            f"  Address  {url}\n"
            f"  GraphQL  {url}/v2/graphql\n"
            f"  Data     {self._home}\n"
            f"Stop it with Ctrl-C.\n"
        )


def _supervise(kept: Sequence[Kept], readiness: _Readiness, say: Callable[[str], None]) -> NoReturn:
    while True:
        for program in kept:
            program.tend(time.monotonic(), say)
        readiness.look(say)
        time.sleep(LOOK_S)


def _commands_environ(servers: EmbeddedServers, environ: Environment) -> Environment:
    """The caller's variables, and for each that is unset the embedded server's."""
    urls = servers.urls
    ours = {
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "ISTHMUS_WAREHOUSE_URL": urls.warehouse_url,
    }
    added = {name: url for name, url in ours.items() if url and not environ.get(name)}
    if not environ.get("ISTHMUS_SECRET_KEYS"):
        added["ISTHMUS_SECRET_KEYS"] = home_ring(servers.home)
    return {**DEFAULTS, **environ, **added, "ISTHMUS_HOME": str(servers.home)}


def _migrate(command: Sequence[str], environ: Environment) -> None:
    migration = Child("Migration", command, environ)
    try:
        migration.start()
        while migration.running:
            time.sleep(0.02)
    finally:
        migration.kill()
    if migration.returncode != 0:
        raise _Failed("The database could not be migrated; see the output above.")


def _refuse_used_port(host: str, port: int) -> None:
    """Say it now and once, instead of starting an API that dies again and again."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _Failed(
            f"Cannot listen on {host} port {port}: {error.strerror}. "
            "Choose others with --host and --port."
        ) from error


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
