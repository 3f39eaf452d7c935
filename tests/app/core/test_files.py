"""Storage: keys stay inside, files appear whole, a run goes with all it left."""

import os
from pathlib import Path

import pytest

from app.core.files import Storage, StorageError


def test_written_file_is_read_back_under_its_key(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "new" / "storage")
    folder = storage.step_folder("run-1", 7, 3)
    key = storage.key(folder / "output_0.json")
    assert key == "runs/run-1/7/3/output_0.json"
    with storage.write(key) as file:
        file.write(b"content")
    assert storage.open(key).read() == b"content"
    assert storage.path(key) == folder / "output_0.json"


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    key = "runs/r/1/1/result"
    with pytest.raises(RuntimeError), storage.write(key) as file:
        file.write(b"half")
        assert not storage.path(key).exists()
        raise RuntimeError
    assert list(storage.path(key).parent.iterdir()) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "runs/../../x",
        "runs//x",
        "runs/./x",
        ".hidden",
        "a\x00b",
        "a\n",
        "a b",
    ],
)
def test_key_that_leads_elsewhere_is_refused(key: str, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with pytest.raises(StorageError):
        storage.path(key)
    with pytest.raises(StorageError):
        storage.open(key)


def test_step_or_run_with_a_path_in_it_is_refused(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with pytest.raises(StorageError):
        storage.step_folder("../other", 1, 1)
    with pytest.raises(StorageError):
        storage.delete_run("..")
    with pytest.raises(StorageError):
        storage.key(tmp_path.parent / "x")


def test_links_and_pipes_that_code_left_behind_are_not_followed(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage")
    folder = storage.step_folder("r", 1, 1)
    (tmp_path / "secret").write_text("canary")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    for name in ("link", "linked/secret", "pipe", "missing"):
        with pytest.raises(StorageError):
            storage.open(f"runs/r/1/1/{name}")


def test_deleting_a_run_leaves_other_runs(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for run in ("one", "two"):
        with storage.write(f"runs/{run}/1/1/output_0.json") as file:
            file.write(b"1")
    storage.delete_run("one")
    storage.delete_run("one")
    assert not storage.path("runs/one").exists()
    assert storage.open("runs/two/1/1/output_0.json").read() == b"1"
