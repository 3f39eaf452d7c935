"""The small files of Iceberg tables: below the data root, durable, or on S3. Loaded by pyiceberg.

pyiceberg's own would write without fsync, follow a catalog to any file of the machine, and cost a
third of a second for what it imports.
"""

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from workers.connectors import s3
from workers.connectors.base import SyncError

IMPLEMENTATION = f"{__name__}.Files"
ROOT, PROXY = "isthmus.root", "isthmus.proxy"


class Files(FileIO):
    """Whole files, read and written at once."""

    def __init__(self, properties: dict[str, Any]) -> None:
        super().__init__(properties)
        self._s3: Any = None

    def new_input(self, location: str) -> InputFile:
        """A file to read."""
        return _Input(location, self)

    def new_output(self, location: str) -> OutputFile:
        """A file to write."""
        return _Output(location, self)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove a file."""
        name = location if isinstance(location, str) else location.location
        if _is_s3(name):
            self._files().delete_file(_key(name))
        else:
            self._path(name).unlink()

    def read(self, location: str) -> bytes:
        """All of a file."""
        if _is_s3(location):
            with self._files().open_input_stream(_key(location)) as stream:
                found: bytes = stream.read()
                return found
        return self._path(location).read_bytes()

    def write(self, location: str, content: bytes) -> None:
        """All of a file; it is on the disk, or in the bucket, afterwards."""
        if _is_s3(location):
            with self._files().open_output_stream(_key(location)) as stream:
                stream.write(content)
            return
        path = self._path(location)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def size(self, location: str) -> int:
        """Bytes; FileNotFoundError where there is none."""
        if _is_s3(location):
            info = self._files().get_file_info(_key(location))
            if info.size is None:
                raise FileNotFoundError(location)
            return int(info.size)
        return self._path(location).stat().st_size

    def under(self, location: str) -> Iterator[tuple[str, datetime]]:
        """All files below a folder, and when each was last written; links are none of them."""
        if _is_s3(location):
            yield from s3.listed(self._files(), _key(location))
            return
        for path in self._path(location).rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield f"file://{path}", datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def check(self, location: str) -> None:
        """SyncError for a file that no sync may read."""
        if not _is_s3(location):
            self._path(location)

    def storage(self) -> s3.S3:
        """What the catalog says of S3, credentials that it lends included."""
        return s3.of_properties(self.properties, str(self.properties.get(PROXY) or ""))

    def _files(self) -> Any:
        if self._s3 is None:
            self._s3 = self.storage().files()
        return self._s3

    def _path(self, location: str) -> Path:
        return inside(Path(str(self.properties[ROOT])), location)


def inside(root: Path, location: str) -> Path:
    """A local file's path; SyncError where it is not below the root."""
    scheme = urlsplit(location).scheme
    if scheme not in ("", "file"):
        raise SyncError(f"Tables on {scheme}:// cannot be written: use s3:// or the data folder.")
    path = (root / location.removeprefix("file://")).resolve()
    if not path.is_relative_to(root.resolve()):
        raise SyncError("The catalog names files that are not below the data folder.")
    return path


class _Input(InputFile):
    def __init__(self, location: str, files: Files) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        return self._files.size(self.location)

    def exists(self) -> bool:
        try:
            return self._files.size(self.location) >= 0
        except FileNotFoundError:
            return False

    def open(self, seekable: bool = True) -> InputStream:
        stream: Any = io.BytesIO(self._files.read(self.location))
        return stream  # type: ignore[no-any-return]


class _Output(OutputFile):
    def __init__(self, location: str, files: Files) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        return self._files.size(self.location)

    def exists(self) -> bool:
        return self.to_input_file().exists()

    def to_input_file(self) -> InputFile:
        return _Input(self.location, self._files)

    def create(self, overwrite: bool = False) -> OutputStream:
        if not overwrite and self.exists():
            raise FileExistsError(self.location)
        stream: Any = _Stream(self.location, self._files)
        return stream  # type: ignore[no-any-return]


class _Stream(io.BytesIO):
    def __init__(self, location: str, files: Files) -> None:
        super().__init__()
        self._location, self._files = location, files

    def close(self) -> None:
        if not self.closed:
            self._files.write(self._location, self.getvalue())
        super().close()


def _is_s3(location: str) -> bool:
    return location.startswith(("s3://", "s3a://", "s3n://"))


def _key(location: str) -> str:
    return location.partition("://")[2]
