"""Where files lie: a folder below the data root, or a bucket of an S3 service."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pyarrow.fs

from workers.connectors import duck
from workers.connectors.base import Config, Session, SyncError, literal


@dataclass(frozen=True)
class File:
    """A file as it was listed."""

    path: str
    """As DuckDB opens it."""
    name: str
    """Below the source's folder, with slashes; the first of its folders is the stream."""
    modified: datetime
    size: int


class Place(Protocol):
    """What the source needs of a place."""

    def open(self) -> None:
        """Prepare DuckDB for reading there; SyncError on settings that make no sense."""

    def files(self) -> Iterator[File]:
        """All files, hidden ones too."""

    def fetch(self, file: File, to: Path) -> None:
        """Copy a file to the local disk."""


class Disk:
    """A folder below the data root."""

    def __init__(self, session: Session, config: Config) -> None:
        self.root = session.data_root.resolve()
        self.given = str(config.get("path") or "")

    def open(self) -> None:
        """Nothing to prepare, but the folder must be inside and there."""
        if not self._base().is_dir():
            raise SyncError(f"There is no folder {self.given or '.'} below the data folder.")

    def files(self) -> Iterator[File]:
        """Links are followed only to files that lie below the data root themselves."""
        base = self._base()
        for folder, folders, names in os.walk(base):
            folders[:] = sorted(f for f in folders if not f.startswith((".", "_")))
            for name in sorted(names):
                path = Path(folder, name)
                if not path.resolve().is_relative_to(self.root):
                    raise SyncError(f"The file {path.relative_to(base)} is a link to elsewhere.")
                if path.is_file():
                    yield self._file(path, path.relative_to(base).as_posix())

    def fetch(self, file: File, to: Path) -> None:
        """Copy it."""
        shutil.copyfile(file.path, to)

    def _base(self) -> Path:
        base = (self.root / self.given).resolve()
        if not base.is_relative_to(self.root) or ".." in Path(self.given).parts:
            raise SyncError("The folder must lie below the data folder.")
        return base

    def _file(self, path: Path, name: str) -> File:
        stat = path.stat()
        modified = datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1e6, UTC)
        return File(str(path), name, modified, stat.st_size)


class Bucket:
    """What lies in a bucket below a prefix. Without keys it is read as anybody may."""

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.bucket = str(config.get("bucket_name") or "")
        self.prefix = str(config.get("path_prefix") or "").strip("/")
        self.region = str(config.get("region") or "us-east-1")
        self.endpoint = str(config.get("endpoint") or "")
        self.key = str(config.get("access_key_id") or "")
        self.secret = str(config.get("secret_access_key") or "")

    def open(self) -> None:
        """Give DuckDB the login, for this bucket only."""
        if not re.fullmatch(r"[A-Za-z0-9._-]{3,255}", self.bucket):
            raise SyncError("The setting bucket_name is no name of a bucket.")
        scheme, host = self._service()
        duck.load(self.session.duck, "httpfs")
        said = {"REGION": self.region, "SCOPE": f"s3://{self.bucket}"}
        if self.key:
            said |= {"KEY_ID": self.key, "SECRET": self.secret}
        if host:
            said |= {"ENDPOINT": host, "URL_STYLE": "path"}
        listed = ", ".join(f"{name} {literal(value)}" for name, value in said.items())
        self.session.duck.execute(
            "CREATE OR REPLACE TEMPORARY SECRET file_source "
            f"(TYPE s3, {listed}, USE_SSL {scheme == 'https'})"
        )
        self.storage = pyarrow.fs.S3FileSystem(
            access_key=self.key or None,
            secret_key=self.secret or None,
            anonymous=not self.key,
            region=self.region,
            scheme=scheme,
            endpoint_override=host or None,
            connect_timeout=10,
            request_timeout=60,
        )

    def files(self) -> Iterator[File]:
        """In the order of their names."""
        base = "/".join(part for part in (self.bucket, self.prefix) if part)
        selector = pyarrow.fs.FileSelector(base, recursive=True)
        try:
            found = self.storage.get_file_info(selector)
        except FileNotFoundError:
            raise SyncError(f"There is no bucket or folder {base}.") from None
        except OSError as error:
            raise _refusal(error, self.bucket) from None
        for info in sorted(found, key=lambda info: info.path):
            if info.type == pyarrow.fs.FileType.File:
                name = info.path.removeprefix(f"{base}/")
                yield File(f"s3://{info.path}", name, info.mtime, info.size)

    def fetch(self, file: File, to: Path) -> None:
        """Download it."""
        with (
            self.storage.open_input_stream(file.path.removeprefix("s3://")) as read,
            to.open("wb") as written,
        ):
            shutil.copyfileobj(read, written)

    def _service(self) -> tuple[str, str]:
        """Scheme and `host:port` of the service; the host is empty for AWS.

        Without TLS the checked address itself is called; with TLS the name, which the
        certificate vouches for.
        """
        if not self.endpoint:
            return "https", ""
        whole = self.endpoint if "://" in self.endpoint else f"https://{self.endpoint}"
        parts = urlsplit(whole)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise SyncError("The setting endpoint must be a URL such as https://host:9000.")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = self.session.address(parts.hostname, port)
        host = parts.hostname if parts.scheme == "https" else address
        return parts.scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refusal(error: OSError, bucket: str) -> SyncError:
    text = str(error).lower()
    if "access denied" in text or "access_denied" in text or "invalid_access_key" in text:
        return SyncError(f"The service refuses to list the bucket {bucket} with these keys.")
    if "no_such_bucket" in text:
        return SyncError(f"There is no bucket {bucket}.")
    return SyncError("The service cannot be reached, or went away.", retry=True)
