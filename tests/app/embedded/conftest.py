"""Folders, homes and launchers for the tests of the embedded servers."""

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.embedded.helpers import ROOT, Launcher
from tests.servers import open_folder

collect_ignore = [] if ROOT else ["test_embedded_as_root.py"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the test that every user can pass through."""
    with open_folder() as path:
        yield path


@pytest.fixture(scope="module", params=[None, "nobody"] if ROOT else [None])
def user(request: pytest.FixtureRequest) -> str | None:
    """Who starts the servers: the user of the tests, and an ordinary one where that is root."""
    name: str | None = request.param
    return name


@pytest.fixture(scope="module")
def user_home(user: str | None) -> Iterator[Path]:
    """A home that belongs to `user`; the tests of a module start their servers on the same."""
    with open_folder() as folder:
        home = folder / "home"
        home.mkdir()
        home.chmod(0o711 if ROOT and not user else 0o700)
        if user:
            entry = pwd.getpwnam(user)
            os.chown(home, entry.pw_uid, entry.pw_gid)
        yield home


@pytest.fixture
def launch() -> Iterator[Callable[[Path, str | None], Launcher]]:
    """Starts launchers and ends them with the test."""
    launchers: list[Launcher] = []

    def start(home: Path, user: str | None) -> Launcher:
        launchers.append(Launcher(home, user))
        return launchers[-1]

    yield start
    for launcher in launchers:
        launcher.stop()
