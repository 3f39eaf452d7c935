"""The PostgreSQL and Valkey that all contenders share, filled with the bench's data."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
from cpu import tree

from app.cli.migrate import migrate
from app.core import db
from app.core.crypto import KeyRing
from app.core.ids import token_hash
from app.embedded import EmbeddedServers
from app.embedded.home import password
from app.settings import get_settings

RUNS = 100_000
STEPS = 3
POOL = 6
API_KEY = "bench"
OF_ALL = {
    # A parallel worker ends before anybody could read how much CPU it took.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
"""Settings of the database, so of every contender."""


@dataclass(frozen=True)
class Place:
    """Running servers: how to reach them, who may call, and PostgreSQL's processes."""

    database_url: str
    redis_url: str
    sockets: str
    word: str
    ring: str
    home: Path
    postmaster: int
    owner: str
    reader: str

    @property
    def dsn(self) -> str:
        """For asyncpg."""
        return self.database_url.replace("+asyncpg", "")

    def environment(self) -> dict[str, str]:
        """For our server and for the peers, which read PG…"""
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "ISTHMUS_SECRET_KEYS": self.ring,
            "ISTHMUS_HOME": str(self.home),
            "ISTHMUS_API_KEY": API_KEY,
            "ISTHMUS_DATABASE_POOL": str(POOL),
            "ISTHMUS_LOG_LEVEL": "warning",
            "PGHOST": self.sockets,
            "PGPORT": "5432",
            "PGUSER": "isthmus",
            "PGDATABASE": "isthmus",
            "PGPASSWORD": self.word,
            "BENCH_DSN": self.dsn,
            "BENCH_POOL": str(POOL),
            "NODE_ENV": "production",
        }

    def backends(self) -> list[int]:
        """Processes that serve a connection."""
        found = []
        for pid in tree(self.postmaster):
            try:
                title = " ".join(psutil.Process(pid).cmdline())
            except psutil.Error:
                continue
            if title.startswith("postgres: isthmus"):
                found.append(pid)
        return found


@contextmanager
def place(runs: int = RUNS) -> Iterator[Place]:
    """Servers of their own in a temporary folder, with `runs` runs."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-bench-")).resolve()
    if os.geteuid() == 0:
        folder.chmod(0o711)
    try:
        with EmbeddedServers(folder / "home") as servers:
            home = folder / "home"
            made = Place(
                database_url=servers.urls.database_url,
                redis_url=servers.urls.redis_url,
                sockets=str(servers.postgres.socket_folder),
                word=password(home, "isthmus", create=False),
                ring=KeyRing.generate(),
                home=home,
                postmaster=servers.postgres.pid or 0,
                owner=secrets.token_urlsafe(32),
                reader=secrets.token_urlsafe(32),
            )
            asyncio.run(_prepare(made, runs))
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _prepare(made: Place, runs: int) -> None:
    os.environ |= {k: v for k, v in made.environment().items() if k.startswith(("DATA", "ISTH"))}
    get_settings.cache_clear()
    db.connect(made.database_url, 2)
    await migrate(KeyRing.parse(made.ring))
    await db.disconnect()
    connection = await asyncpg.connect(made.dsn)
    for name, value in OF_ALL.items():
        await connection.execute(f"ALTER DATABASE isthmus SET {name} = {value}")
    await fill(connection, 1, runs)
    for user, token in (("admin", made.owner), ("reader", made.reader)):
        await connection.execute(
            "INSERT INTO sessions (user_id, project_id, token_hash, expires_at) "
            "SELECT id, (SELECT min(id) FROM projects), $2, now() + interval '1 day' "
            "FROM users WHERE username = $1",
            user,
            token_hash(token),
        )
    await connection.close()


async def fill(connection: asyncpg.Connection, first: int, last: int) -> None:
    """Make the runs from `first` to `last`; with the first of all, everything else, too."""
    steps = STEPS if last <= RUNS else 0
    for name, value in (("from", first), ("to", last), ("steps", steps)):
        await connection.execute(f"SELECT set_config('bench.{name}', '{value}', false)")
    await connection.execute((Path(__file__).parent / "data.sql").read_text())
    await connection.execute("VACUUM ANALYZE")


def clear(made: Place) -> None:
    """Take away what operation M has made."""
    asyncio.run(_clear(made))


async def _clear(made: Place) -> None:
    connection = await asyncpg.connect(made.dsn)
    await connection.execute("DELETE FROM pipelines WHERE uuid LIKE 'bench\\_made%'")
    await connection.execute("VACUUM ANALYZE pipelines")
    await connection.close()
