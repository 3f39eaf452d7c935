"""Running installations for the journeys."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.live import Live, live
from tests.servers import SessionServers

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The locked clients of Node, installed once for a lock, by whoever comes first."""
    made, lock = NODE / "node_modules", NODE / "package-lock.json"
    installed = made / ".package-lock.json"
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            npm = shutil.which("npm")
            assert npm, "npm is needed: install Node.js 20 or newer."
            given = [npm, "ci", "--no-audit", "--no-fund"]
            subprocess.run(given, cwd=NODE, check=True, timeout=300)
    return made


@pytest.fixture(scope="session")
def live_server(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installation whose api_key alone suffices; modules share it and name what they make."""
    folder = tmp_path_factory.mktemp("live")
    shown = {"ISTHMUS_PLAYGROUND": "true", "ISTHMUS_INTROSPECTION": "open"}
    with live(session_servers, folder, authentication=False, **shown) as made:
        yield made


@pytest.fixture(scope="module")
def own_server(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """As `live_server`, for a module that stops processes or changes the default project."""
    with live(session_servers, tmp_path_factory.mktemp("own"), authentication=False) as made:
        yield made


@pytest.fixture(scope="session")
def live_server_with_users(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installation whose users must sign in."""
    folder = tmp_path_factory.mktemp("live-users")
    with live(session_servers, folder, authentication=True) as made:
        yield made
