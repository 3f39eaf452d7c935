"""What is killed comes back with its data, and nothing is left running."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from app.embedded import EmbeddedError, EmbeddedServers
from app.embedded.valkey import Valkey
from tests.app.embedded.helpers import Launcher, eventually, gone, query

Launch = Callable[[Path, str | None], Launcher]


async def test_everything_killed_starts_again_with_its_data(
    user: str | None, user_home: Path, launch: Launch
) -> None:
    first = launch(user_home, user)
    await query(first.answer["database_url"], "CREATE TABLE kept AS SELECT 41 AS value")
    first.process.kill()
    for server in ("postgres", "valkey"):
        try:
            os.kill(first.answer[server], signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended with its launcher
    assert gone(first.answer["postgres"])
    assert gone(first.answer["valkey"])
    # As after a reboot: files left behind, and the id in one of them is another program's.
    data = user_home / "postgres" / "data"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")
    socket_lock = user_home / "postgres" / "run" / ".s.PGSQL.5432.lock"
    socket_lock.write_text(f"{os.getpid()}\n")

    second = launch(user_home, user)

    assert await query(second.answer["database_url"], "SELECT value FROM kept") == [41]
    assert second.stop() == 0
    assert gone(second.answer["postgres"])
    assert gone(second.answer["valkey"])


async def test_second_launcher_on_the_same_home_is_refused_in_one_line(
    user: str | None, user_home: Path, launch: Launch
) -> None:
    first = launch(user_home, user)

    second = launch(user_home, user)

    assert second.answer["error"] == (
        f"Another isthmus (process {first.process.pid}) is running on {user_home}. "
        "Stop it, or set ISTHMUS_HOME to another folder."
    )
    assert await query(first.answer["database_url"], "SELECT 1") == [1]


if sys.platform == "linux":

    def test_servers_end_when_their_launcher_is_killed(
        user: str | None, user_home: Path, launch: Launch
    ) -> None:
        launcher = launch(user_home, user)

        launcher.process.kill()

        assert gone(launcher.answer["postgres"])
        assert gone(launcher.answer["valkey"])
        log = (user_home / "logs" / "postgres.log").read_text()
        assert "database system is shut down" in log


async def test_committed_rows_survive_kill_of_postgres(folder: Path) -> None:
    with EmbeddedServers(folder / "home", valkey=False) as servers:
        url = servers.urls.database_url
        await query(url, "CREATE TABLE counted (number int)")
        committed: list[int] = []

        async def insert() -> None:
            connection = await asyncpg.connect(url.replace("+asyncpg", ""))
            for number in range(1_000_000):
                await connection.execute("INSERT INTO counted VALUES ($1)", number)
                committed.append(number)

        inserting = asyncio.create_task(insert())
        assert await asyncio.to_thread(eventually, lambda: len(committed) >= 50)
        servers.postgres.kill()
        (ending,) = await asyncio.gather(inserting, return_exceptions=True)
        assert isinstance(ending, Exception)
        servers.postgres.start()

        found = await query(url, "SELECT number FROM counted ORDER BY number")

    assert found[: len(committed)] == committed
    assert len(found) <= len(committed) + 1  # one may be committed and not yet confirmed


async def test_keys_survive_kill_of_valkey(folder: Path) -> None:
    with EmbeddedServers(folder / "home", postgres=False) as servers:
        client = Redis.from_url(servers.urls.redis_url)
        await client.set("hint", "41")
        await client.aclose()
        servers.valkey.kill()

        servers.valkey.start()

        assert await client.get("hint") == b"41"
        await client.aclose()


def test_server_without_launcher_is_ended_before_the_next_one_starts(folder: Path) -> None:
    with EmbeddedServers(folder / "home", postgres=False) as servers:
        abandoned = servers.valkey.pid
        successor = Valkey(servers.home, durable=True)

        successor.start()

        assert gone(abandoned)
        assert successor.running
        successor.stop()


def test_start_that_fails_gives_the_home_back(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "valkey").mkdir()
    (home / "valkey").chmod(0o777)
    with pytest.raises(EmbeddedError, match="must be a folder of user"):
        EmbeddedServers(home, postgres=False).start()
    (home / "valkey").chmod(0o700)

    with EmbeddedServers(home, postgres=False) as servers:
        assert servers.valkey.running
