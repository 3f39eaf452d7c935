"""One embedded PostgreSQL and Valkey for a whole pytest session, unsafe at a crash and fast."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from app.embedded import EmbeddedServers, Urls
from app.embedded.binaries import find_postgres
from app.embedded.home import password


class SessionServers:
    """The servers of this session, and databases on them."""

    def __init__(self, servers: EmbeddedServers) -> None:
        self._servers = servers
        self.urls: Urls = servers.urls
        self._installations = count()

    def hints_apart(self) -> str:
        """The URL of a Valkey database for one more installation: two on one take each other's hints.

        There are sixteen; the first is that of tests in this process, the others come again.
        """
        return f"{self.urls.redis_url}?db={1 + next(self._installations) % 15}"

    def create_database(self, template: str | None = None) -> str:
        """Create a database of role isthmus, empty or a copy of a template; returns its URL.

        Nobody may be connected to the template meanwhile.
        """
        name = f"test_{secrets.token_hex(6)}"
        copy = f" TEMPLATE {template}" if template else ""
        self.superuser(f"CREATE DATABASE {name} OWNER isthmus{copy} STRATEGY = FILE_COPY")
        return self._servers.postgres.url("isthmus", name)

    def drop_database(self, url: str) -> None:
        """Drop a database by its URL, with the connections to it."""
        self.superuser(f"DROP DATABASE {database_name(url)} WITH (FORCE)")

    def superuser(self, statement: str) -> str:
        """Run one statement as superuser and return its output as unaligned text."""
        psql = find_postgres().folder / "psql"
        sockets = str(self._servers.postgres.socket_folder)
        result = subprocess.run(
            [psql, "-XAtq", "-h", sockets, "-U", "postgres", "-d", "postgres", "-c", statement],
            env={"PGPASSWORD": password(self._servers.home, "postgres", create=False)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


def database_name(url: str) -> str:
    """The database in a URL of the embedded PostgreSQL."""
    return url.split("@/", 1)[1].split("?", 1)[0]


@pytest.fixture(scope="session")
def session_servers() -> Iterator[SessionServers]:
    """PostgreSQL and Valkey, started once."""
    with open_folder() as folder, EmbeddedServers(folder / "home", durable=False) as servers:
        yield SessionServers(servers)


@pytest.fixture(scope="session")
def urls(session_servers: SessionServers) -> Urls:
    """Where the session's servers answer."""
    return session_servers.urls


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users can pass through, as PostgreSQL needs under root."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-test-")).resolve()
    if os.geteuid() == 0:
        folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
