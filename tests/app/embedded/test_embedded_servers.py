"""Who may do what on the embedded servers, and where they can be reached."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from app.embedded import EmbeddedError, EmbeddedServers, Urls
from app.embedded.binaries import find_postgres
from app.embedded.home import ROOT_HOME, default_home, password, private_folder
from tests.app.embedded.helpers import ROOT, query
from tests.servers import SessionServers, database_name, open_folder


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedServers]:
    """Servers as a user has them, but not safe at a crash."""
    with open_folder() as folder, EmbeddedServers(folder / "home", durable=False) as servers:
        yield servers


async def test_no_role_that_is_handed_out_is_superuser(running: EmbeddedServers) -> None:
    roles = await query(
        running.urls.database_url,
        "SELECT rolname || ' ' || rolsuper || ' ' || rolreplication || ' ' || rolcreatedb"
        " FROM pg_roles WHERE rolcanlogin ORDER BY rolname",
    )
    assert roles == [
        "isthmus false false false",
        "postgres true true true",
        "warehouse false true false",
    ]
    assert await query(running.urls.database_url, "SELECT current_user::text") == ["isthmus"]
    assert await query(running.urls.warehouse_url, "SELECT current_user::text") == ["warehouse"]


async def test_each_role_enters_its_own_database_only(running: EmbeddedServers) -> None:
    for role, database in (
        ("isthmus", "warehouse"),
        ("warehouse", "isthmus"),
        ("warehouse", "postgres"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await query(running.postgres.url(role, database), "SELECT 1")


async def test_the_warehouse_reads_its_log_and_nobody_copies_the_cluster(
    running: EmbeddedServers,
) -> None:
    url = running.urls.warehouse_url
    made = "SELECT slot_name::text FROM pg_create_logical_replication_slot('one', 'pgoutput')"
    assert await query(url, made) == ["one"]
    assert await query(url, "SELECT pg_drop_replication_slot('one')") == [None]
    assert await query(url, "SELECT current_setting('max_slot_wal_keep_size')") == ["4GB"]
    psql = await asyncio.to_thread(
        subprocess.run,
        [
            *(find_postgres().folder / "psql", "-XAtq", "-c", "BASE_BACKUP"),
            f"host={running.postgres.socket_folder} user=warehouse dbname=warehouse "
            "replication=database",
        ],
        env={"PGPASSWORD": password(running.home, "warehouse", create=False)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert psql.returncode != 0
    assert 'exceeds "max_wal_senders" (currently 0)' in psql.stderr


async def test_an_earlier_home_gets_the_right_to_read_its_log() -> None:
    asked = "SELECT rolreplication FROM pg_roles WHERE rolname = 'warehouse'"
    with open_folder() as folder:
        for _ in range(2):
            with EmbeddedServers(folder / "home", valkey=False, durable=False) as servers:
                assert await query(servers.urls.warehouse_url, asked) == [True]
                owner = SessionServers(servers)
                owner.superuser("ALTER ROLE warehouse NOREPLICATION")
                assert await query(servers.urls.warehouse_url, asked) == [False]


async def test_wrong_password_is_refused(running: EmbeddedServers) -> None:
    url = running.urls.database_url
    word = url.split(":")[2].split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(url.replace(word, "guess"), "SELECT 1")


async def test_role_isthmus_owns_its_database(running: EmbeddedServers) -> None:
    url = running.urls.database_url
    await query(url, "CREATE SCHEMA mine")
    await query(url, "CREATE TABLE public.mine AS SELECT 'ü' AS letter")
    assert await query(url, "SELECT upper(letter) FROM public.mine") == ["Ü"]
    assert await query(url, "SHOW wal_level") == ["logical"]


async def test_servers_are_told_no_tcp_port(running: EmbeddedServers) -> None:
    url = running.urls.database_url
    assert await query(url, "SELECT current_setting('listen_addresses')") == [""]
    client = Redis.from_url(running.urls.redis_url)
    assert await client.config_get("port") == {"port": "0"}
    await client.aclose()


def test_folders_and_passwords_are_closed_to_others(running: EmbeddedServers) -> None:
    home = running.home
    for name in ("logs", "passwords", "valkey", "valkey/run"):
        assert (home / name).stat().st_mode & 0o777 == 0o700, name
    for name in ("postgres", "postgres/run"):
        # Blocks of a worker that runs as root pass by root's group.
        assert (home / name).stat().st_mode & 0o777 == (0o710 if ROOT else 0o700), name
        assert (home / name).stat().st_gid == os.getegid(), name
    for path in (home / "passwords").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert home.stat().st_mode & 0o777 == (0o711 if ROOT else 0o700)
    for path in (home / "logs").iterdir():
        for secret in (home / "passwords").iterdir():
            assert secret.read_text().strip() not in path.read_text()


async def test_home_with_long_and_unusual_path_works(folder: Path) -> None:
    home = folder / "a b%20?&#ü" / ("long" * 25)
    with EmbeddedServers(home, durable=False) as servers:
        assert await query(servers.urls.database_url, "SELECT 1") == [1]
        client = Redis.from_url(servers.urls.redis_url)
        assert await client.ping()
        await client.aclose()
        folders = [servers.postgres.socket_folder, Path(servers.urls.redis_url[7:]).parent]
        assert all(path.stat().st_mode & 0o767 == 0o700 for path in folders)
    for path in folders:
        path.rmdir()


def test_chosen_servers_only_are_started(folder: Path) -> None:
    with EmbeddedServers(folder / "home", postgres=False) as servers:
        assert servers.urls == Urls("", "", servers.valkey.url)
        assert not servers.postgres.running


async def test_data_and_passwords_must_fit_this_installation(folder: Path) -> None:
    home = folder / "home"
    with EmbeddedServers(home, valkey=False, durable=False) as servers:
        word_file = home / "passwords" / "isthmus"
        word = word_file.read_text()
        word_file.unlink()
        with pytest.raises(EmbeddedError, match=r"passwords/isthmus is missing"):
            _ = servers.urls
    word_file.write_text(word)
    (home / "postgres" / "data" / "PG_VERSION").write_text("17\n")

    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 17, and .* brings 18\. Dump"):
        EmbeddedServers(home, valkey=False).start()


def test_folder_that_others_made_is_refused(folder: Path) -> None:
    (folder / "target").mkdir(mode=0o700)
    (folder / "link").symlink_to(folder / "target")
    (folder / "open").mkdir()
    (folder / "open").chmod(0o755)
    for name in ("link", "open"):
        with pytest.raises(EmbeddedError, match="Remove or repair it"):
            private_folder(folder / name)


def test_home_that_is_a_file_is_refused(folder: Path) -> None:
    (folder / "home").write_text("")
    with pytest.raises(EmbeddedError, match="is not a folder"):
        EmbeddedServers(folder / "home").start()


def test_default_home_belongs_to_the_user() -> None:
    expected = ROOT_HOME if ROOT else Path.home()
    assert default_home().is_relative_to(expected)


async def test_session_servers_make_databases_from_a_template(
    session_servers: SessionServers,
) -> None:
    template = session_servers.create_database()
    await query(template, "CREATE TABLE seed AS SELECT 7 AS value")

    copy = session_servers.create_database(database_name(template))

    assert await query(copy, "SELECT value FROM seed") == [7]
    await query(copy, "DROP TABLE seed")
    session_servers.drop_database(copy)
    session_servers.drop_database(template)


if sys.platform == "linux":

    def test_servers_listen_on_no_tcp_port(running: EmbeddedServers) -> None:
        for pid in (running.postgres.pid, running.valkey.pid):
            assert _sockets(pid) & _tcp_sockets() == set()

    def _sockets(pid: int) -> set[str]:
        links = [_target(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        return {link[8:-1] for link in links if link.startswith("socket:[")}

    def _tcp_sockets() -> set[str]:
        tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        lines = [line for table in tables if table.exists() for line in table.open()]
        return {line.split()[9] for line in lines if line.split()[3] == "0A"}

    def _target(link: Path) -> str:
        try:
            return str(link.readlink())
        except FileNotFoundError:
            return ""
