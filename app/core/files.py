"""What runs leave behind, as files below one folder that all processes share.

A file is addressed by a key, `runs/<run>/<step>/<fence>/<name>`. The database row that names the
key is the commit: what a stale fence wrote is never named, and goes when its run is deleted.
"""

import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=-]{0,199}")


class StorageError(Exception):
    """A key that is malformed or leads out of the storage, or a file that is not there."""


class Storage:
    """Files below `root` (made on first use, open to our own user only)."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def step_folder(self, run_id: str, step: str | int, fence: int) -> Path:
        """The folder of one attempt at one step; made when it is missing."""
        key = _checked(f"runs/{run_id}/{step}/{fence}")
        folder = self.root / key
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def key(self, path: Path) -> str:
        """The key of a path below the root."""
        try:
            return _checked(path.resolve().relative_to(self.root).as_posix())
        except ValueError as error:
            raise StorageError("This path is outside the storage.") from error

    def path(self, key: str) -> Path:
        """Where the file of `key` lies, whether or not it is there."""
        return self.root / _checked(key)

    @contextmanager
    def write(self, key: str) -> Iterator[BinaryIO]:
        """Write a file whole: it appears under its key, on disk, once the block ends."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with write_aside(path) as file:
            yield file

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading; links that user code may have left there are not followed."""
        path = self.path(key)
        try:
            if path.parent.resolve() != path.parent:
                raise StorageError(f"{key} does not lie in the storage.")
            # O_NONBLOCK: a named pipe in the file's place must not hang the reader.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise StorageError(f"{key} cannot be opened: {error.strerror}.") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StorageError(f"{key} is not a regular file.")
        return os.fdopen(descriptor, "rb")

    def old_runs(self, age_s: float) -> list[UUID]:
        """Runs whose folder has not changed for so long."""
        found = []
        oldest = time.time() - age_s
        for folder in (self.root / "runs").glob("*"):
            with suppress(ValueError, FileNotFoundError):
                if folder.stat().st_mtime < oldest:
                    found.append(UUID(folder.name))
        return found

    def delete_run(self, run_id: str) -> None:
        """Remove all that a run left behind; nothing to remove is no error."""
        folder = self.path(f"runs/{run_id}")
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageError(f"{folder.name} cannot be deleted: {error.strerror}.") from error


@contextmanager
def write_aside(path: Path) -> Iterator[BinaryIO]:
    """Write `path` under another name, then fsync and rename: readers see all of it or nothing."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the disk know which files a folder has."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checked(key: str) -> str:
    parts = key.split("/")
    if len(key) > 1000 or not all(_PART.fullmatch(part) for part in parts):
        raise StorageError(f"{key[:200]!r} is no storage key.")
    return key
