"""What a wheel holds: all that an installation needs, and no tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.places import PACKAGES, ROOT


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of all files of a freshly built wheel."""
    folder: Path = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("isthmus-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _files(*patterns: str) -> set[str]:
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_every_module_of_the_packages(names: set[str]) -> None:
    wanted = _files(*(f"{package}/**/*.py" for package in PACKAGES))
    assert wanted and wanted <= names


def test_wheel_can_migrate_serve_the_playground_and_load_the_demo(names: set[str]) -> None:
    for wanted in (
        _files("app/migrations/versions/*.py") | {"app/migrations/script.py.mako"},
        _files("app/ui/dist/**/*"),
        _files("rest_compat/**/*.graphql"),
        _files("examples/**/*.py"),
    ):
        assert wanted and wanted <= names


def test_wheel_holds_nothing_but_the_packages_the_examples_and_its_metadata(
    names: set[str],
) -> None:
    tops = {name.split("/")[0] for name in names}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert len(metadata) == 1
    assert tops - metadata == {*PACKAGES, "examples"}
    folders = {part for name in names for part in name.split("/")[:-1]}
    assert not folders & {"tests", "node_modules", "__pycache__"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
