"""What blocks find around them: the project's files, the folder's name, secrets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from app.access.installation import keys
from app.core import db
from app.core.crypto import KeyRing
from app.core.rules import SYSTEM
from app.pipelines.actions.files import FileText, delete_file, set_file
from app.pipelines.actions.secrets import set_secret
from app.pipelines.tables import project_files
from app.projects.actions import update_project
from tests.conftest import RING
from tests.factories import rows
from workers.pipelines import layout
from workers.pipelines.layout import CannotLayOut, lay_out


@pytest.fixture
async def project(app: Starlette) -> int:
    """An empty project."""
    return await rows.project()


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    layout._known.clear()
    layout.use_keys(RING)
    yield
    layout.use_keys("")


async def write(project: int, path: str, content: str, *, secret: bool = False) -> int:
    """A project file."""
    return await set_file(SYSTEM, project, path, FileText(content, secret))


async def test_a_project_without_files_has_an_empty_folder_of_its_name(
    project: int, tmp_path: Path
) -> None:
    made = await lay_out(project, tmp_path / "run")
    uuid = (await rows.values_of(rows.projects, project))["uuid"]
    assert made.repo_path == tmp_path / "run" / uuid
    assert list(made.repo_path.iterdir()) == [] and made.secrets == {}
    await update_project(SYSTEM, project, {"folder": "team"}, None)
    assert (await lay_out(project, tmp_path / "next")).repo_path == tmp_path / "next" / "team"


async def test_files_and_secrets_are_opened_and_private(project: int, tmp_path: Path) -> None:
    await write(project, "utils/deep/words.py", "Grüße = 1\r\n")
    await write(project, "__init__.py", "")
    await write(project, "io_config.yaml", "password: canary", secret=True)
    await set_secret(SYSTEM, project, "token", "canary-token")
    made = await lay_out(project, tmp_path / "run")
    found = {p.relative_to(made.repo_path).as_posix(): p for p in made.repo_path.rglob("*")}
    assert set(found) == {"__init__.py", "io_config.yaml", *_parents("utils/deep/words.py")}
    assert found["utils/deep/words.py"].read_bytes() == "Grüße = 1\r\n".encode()
    assert found["io_config.yaml"].read_text() == "password: canary"
    for path in (made.repo_path, *found.values()):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert made.secrets == {"token": "canary-token"}
    assert "canary" not in repr(made) and "canary" not in repr(layout._known)


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}


async def test_each_run_has_its_own_files_as_they_are_then(project: int, tmp_path: Path) -> None:
    first = await write(project, "a.txt", "one")
    before = await lay_out(project, tmp_path / "1")
    (before.repo_path / "a.txt").write_text("changed by a block")
    (before.repo_path / "more.txt").write_text("made by a block")
    again = await lay_out(project, tmp_path / "2")
    assert [p.name for p in again.repo_path.iterdir()] == ["a.txt"]
    assert (again.repo_path / "a.txt").read_text() == "one"
    await write(project, "a.txt", "two")
    assert (await lay_out(project, tmp_path / "3")).repo_path.joinpath("a.txt").read_text() == "two"
    await delete_file(SYSTEM, first)
    assert list((await lay_out(project, tmp_path / "4")).repo_path.iterdir()) == []


async def test_what_has_not_changed_is_not_read_again(project: int, tmp_path: Path) -> None:
    made = await write(project, "a.txt", "one")
    await lay_out(project, tmp_path / "1")
    await rows.change(project_files, made, content="behind our back")
    known = await lay_out(project, tmp_path / "2")
    assert (known.repo_path / "a.txt").read_text() == "one"


async def test_what_is_kept_in_memory_is_bounded(
    project: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "KEPT_BYTES", 25)
    others = [project, await rows.project(), await rows.project()]
    for number, other in enumerate(others):
        await write(other, "a.txt", "ten bytes.")
        await lay_out(other, tmp_path / str(number))
    assert set(layout._known) == set(others[1:])
    await lay_out(others[1], tmp_path / "again")
    await write(project, "large.txt", "x" * 100)
    await lay_out(project, tmp_path / "large")
    assert set(layout._known) == {project}


async def test_a_worker_without_keys_says_what_it_needs(project: int, tmp_path: Path) -> None:
    layout.use_keys("")
    await write(project, "open.txt", "open")
    await lay_out(project, tmp_path / "1")
    await write(project, "sealed.txt", "canary", secret=True)
    with pytest.raises(CannotLayOut, match="no ISTHMUS_SECRET_KEYS"):
        await lay_out(project, tmp_path / "2")
    for wrong in (KeyRing.generate(), "nonsense"):
        layout.use_keys(wrong)
        with pytest.raises(CannotLayOut, match=r"project_files/\d+/sealed.txt does not open"):
            await lay_out(project, tmp_path / "3")


async def test_a_ciphertext_that_was_moved_does_not_open(project: int, tmp_path: Path) -> None:
    await write(project, "a.txt", "canary", secret=True)
    sealed = (await _file(project, "a.txt"))["sealed"]
    other = await write(project, "b.txt", "text", secret=True)
    await rows.change(project_files, other, sealed=sealed, version=7)
    with pytest.raises(CannotLayOut, match=r"b\.txt does not open"):
        await lay_out(project, tmp_path / "1")
    assert keys().ring.open(sealed, f"project_files/{project}/a.txt") == "canary"


async def _file(project: int, path: str) -> dict[str, object]:
    async with db.reading() as connection:
        found = await connection.execute(
            project_files.select().where(
                project_files.c.project_id == project, project_files.c.path == path
            )
        )
        return dict(found.mappings().one())


async def test_a_project_that_is_gone_is_told(app: Starlette, tmp_path: Path) -> None:
    with pytest.raises(CannotLayOut, match="deleted"):
        await lay_out(999_999, tmp_path / "1")
