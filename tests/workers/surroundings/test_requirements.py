"""What projects require of a worker: told where it is missing, installed where that is asked."""

import asyncio
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from app.core import db
from app.core.rules import SYSTEM
from app.pipelines.actions.files import FileText, set_file
from app.pipelines.tables import project_files
from app.settings import get_settings
from tests.factories import rows
from workers.pipelines.requirements import missing, prepare

WHEEL = "isthmus_probe-1.2-py3-none-any.whl"


def make_wheel(folder: Path) -> None:
    """A package of one module, as a wheel."""
    info = "isthmus_probe-1.2.dist-info"
    parts = {
        "isthmus_probe.py": "NAME = 'probe'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: isthmus-probe\nVersion: 1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


async def require(text: str) -> str:
    """A project that requires this; its uuid."""
    project = await rows.project()
    await set_file(SYSTEM, project, "requirements.txt", FileText(text))
    return str((await rows.values_of(rows.projects, project))["uuid"])


def test_what_is_missing_is_found_by_name_and_version() -> None:
    text = """
        # comments, options and what pip alone can judge
        --extra-index-url https://example.org/simple
        -r more.txt
        ./a/folder
        git+https://example.org/x.git
        pandas>=2   # there
        PyYAML
        pandas<1
        no-such-package[extra]==1.0 --hash=sha256:00
        only-elsewhere; sys_platform == 'nowhere'
        uvicorn[standard]>=0.1
    """
    assert missing(text) == ["pandas<1", "no-such-package[extra]==1.0"]
    assert missing("") == []


async def test_a_warning_names_project_and_packages(app: Starlette) -> None:
    lacking = await require("pandas\nno-such-package>=3\n")
    await require("pandas\n")
    with capture_logs() as logs:
        assert await prepare(install=False, environ={})
    (told,) = [line for line in logs if line["event"] == "worker.requirements_missing"]
    assert (told["project"], told["packages"]) == (lacking, ["no-such-package>=3"])
    assert "isthmus worker --install" in told["hint"] and told["log_level"] == "warning"


async def test_requirements_of_all_projects_are_installed(app: Starlette, tmp_path: Path) -> None:
    await forget()
    make_wheel(tmp_path)
    await require(f"--no-index\n--find-links {tmp_path}\nisthmus-probe>=1\n")
    await require("isthmus_probe==1.2\n")
    target = tmp_path / "target"
    environ = {"PATH": os.environ["PATH"], "PIP_TARGET": str(target)}
    assert await prepare(install=True, environ=environ)
    assert (target / "isthmus_probe.py").read_text() == "NAME = 'probe'\n"


@pytest.mark.parametrize(
    "text", ["isthmus-probe==9\n", "pandas==0.1\n", "this is no requirement\n"], ids=str.strip
)
async def test_what_cannot_be_installed_is_told(app: Starlette, tmp_path: Path, text: str) -> None:
    await forget()
    make_wheel(tmp_path)
    await require(f"--no-index\n--find-links {tmp_path}\n{text}")
    environ = {"PATH": os.environ["PATH"], "PIP_TARGET": str(tmp_path / "target")}
    with capture_logs() as logs:
        assert not await prepare(install=True, environ=environ)
    assert logs[-1]["event"] == "worker.not_installed"
    assert not (tmp_path / "target").exists()


async def test_a_secret_requirements_file_is_no_matter_of_pip(app: Starlette) -> None:
    await forget()
    project = await rows.project()
    await set_file(SYSTEM, project, "requirements.txt", FileText("no-such-package", True))
    with capture_logs() as logs:
        assert await prepare(install=False, environ={})
    assert logs == []


async def forget() -> None:
    """No project requires anything."""
    async with db.engine().begin() as connection:
        await connection.execute(project_files.delete())


async def test_a_worker_whose_database_is_away_starts_all_the_same(app: Starlette) -> None:
    before = db.engine()
    db.connect("postgresql+asyncpg://nobody@127.0.0.1:1/none", 1)
    try:
        with capture_logs() as logs:
            assert await asyncio.wait_for(prepare(install=False, environ={}), 20)
    finally:
        await db.disconnect()
        db._engine = before
    assert logs[0]["event"] == "worker.requirements_unknown"


def test_pip_sees_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {
        "DATABASE_URL": "canary",
        "REDIS_URL": "canary",
        "ISTHMUS_SECRET_KEYS": "canary",
        "PIP_TARGET": "kept",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    environ = get_settings().work.pip_environment()
    assert "canary" not in environ.values() and environ["PIP_TARGET"] == "kept"
