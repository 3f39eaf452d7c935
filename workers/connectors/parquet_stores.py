"""Where the files of Parquet tables lie: a folder of the machine, or a part of a bucket."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from workers.connectors import s3
from workers.connectors.base import Config

ASIDE = "_new"


class Store(Protocol):
    """The files of one table, by their names in it. Errors are OSErrors."""

    aside: Path
    """A local folder in which files are made."""

    def locked(self, *, create: bool) -> Any:
        """A context in which no other process writes, where that can be had; False: not there."""

    def read(self, name: str) -> str | None:
        """A small file's text; None where there is none."""

    def write(self, name: str, text: str) -> None:
        """A small file, there at once with all that was taken before."""

    def take(self, made: Path, name: str) -> None:
        """A file that was made aside."""

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""

    def sweep(self, named: set[str]) -> None:
        """Remove Parquet files that nobody names: of a replaced table, or of a killed run."""

    def clear(self) -> None:
        """Remove everything."""


class Folder:
    """A folder; what is named is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aside = folder / ASIDE

    @contextmanager
    def locked(self, *, create: bool) -> Iterator[bool]:
        """Hold the folder against another process; False where there is none."""
        if create:
            self.folder.mkdir(parents=True, exist_ok=True)
        elif not self.folder.exists():
            yield False
            return
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield True
        finally:
            os.close(lock)

    def read(self, name: str) -> str | None:
        """A file's text."""
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """A file that replaces the old one by rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f"{name}.new"
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync(self.folder)
        new.replace(self.folder / name)
        _sync(self.folder)

    def take(self, made: Path, name: str) -> None:
        """Move a file in."""
        to = self.folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        _sync(made)
        made.replace(to)
        _sync(to.parent)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink(missing_ok=True)

    def sweep(self, named: set[str]) -> None:
        """Remove what is neither named nor aside."""
        for path in self.folder.rglob("*.parquet"):
            relative = path.relative_to(self.folder)
            if relative.parts[0] != ASIDE and relative.as_posix() not in named:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)


class Bucket:
    """A part of a bucket. It cannot be locked: two runs of a job at once are kept apart by the order
    in its manifest, which the later one of two that end in the same moment may not see."""

    def __init__(self, files: Any, key: str, aside: Path) -> None:
        self.files = files
        self.key = key
        self.aside = aside

    @classmethod
    def of(cls, writer: Config, proxy: str, place: tuple[str, str], scratch: Path) -> "Bucket":
        """From a destination's settings."""
        access = s3.S3(
            region=str(writer.get("s3_region") or "us-east-1"),
            access_key=str(writer.get("s3_access_key") or ""),
            secret_key=str(writer.get("s3_secret_key") or ""),
            endpoint=s3.endpoint_url(str(writer.get("s3_endpoint") or "")),
            path_style=bool(writer.get("s3_path_style", True)),
            proxy=proxy,
        )
        bucket = s3.bucket_name(str(writer["s3_bucket"]))
        parts = [bucket, *str(writer.get("s3_path") or "").split("/"), *place]
        return cls(access.files(), "/".join(part for part in parts if part), scratch / ASIDE)

    @contextmanager
    def locked(self, *, create: bool) -> Iterator[bool]:
        """Nothing to hold."""
        yield True

    def read(self, name: str) -> str | None:
        """A file's text."""
        try:
            with self.files.open_input_stream(f"{self.key}/{name}") as stream:
                return bytes(stream.read()).decode()
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """One PUT."""
        with self.files.open_output_stream(f"{self.key}/{name}") as stream:
            stream.write(text.encode())

    def take(self, made: Path, name: str) -> None:
        """Send a file."""
        with made.open("rb") as file, self.files.open_output_stream(f"{self.key}/{name}") as to:
            while piece := file.read(8 * 1024**2):
                to.write(piece)
        made.unlink()

    def remove(self, name: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            self.files.delete_file(f"{self.key}/{name}")

    def sweep(self, named: set[str]) -> None:
        """Remove what is not named."""
        for path in self._names():
            if path.endswith(".parquet") and path.removeprefix(f"{self.key}/") not in named:
                self.files.delete_file(path)

    def clear(self) -> None:
        """Remove all below the key."""
        for path in self._names():
            self.files.delete_file(path)

    def _names(self) -> list[str]:
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self.key, recursive=True, allow_not_found=True)
        found = self.files.get_file_info(selector)
        return [info.path for info in found if info.type == FileType.File]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
