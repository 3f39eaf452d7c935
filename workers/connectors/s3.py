"""S3 as destinations use it: DuckDB for data files, Arrow's file system for all else.

An endpoint that a user has named is called through the session's `Door`, which checks addresses.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import duckdb

from workers.connectors import duck
from workers.connectors.base import SyncError, literal

SECRET = "isthmus_s3"
CONNECT_S = 10
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,40}")


@dataclass(frozen=True)
class S3:
    """How to get at buckets. `proxy` is `http://127.0.0.1:port` of a door, or empty for Amazon's."""

    region: str
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    endpoint: str = ""
    path_style: bool = True
    proxy: str = ""

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region):
            raise SyncError("The S3 region must be a name such as eu-central-1.")
        if self.endpoint and not urlsplit(self.endpoint).hostname:
            raise SyncError("The S3 endpoint must be a URL such as https://minio.example.com:9000.")

    def files(self) -> Any:
        """Arrow's file system."""
        from pyarrow.fs import S3FileSystem

        # Small files are one PUT each, so there at once or not at all.
        more: dict[str, Any] = {"allow_delayed_open": True}
        if self.endpoint:
            parts = urlsplit(self.endpoint)
            more["endpoint_override"], more["scheme"] = parts.netloc, parts.scheme
            more["force_virtual_addressing"] = not self.path_style
        if self.proxy:
            more["proxy_options"] = self.proxy
        if self.access_key:
            more["access_key"], more["secret_key"] = self.access_key, self.secret_key
            more["session_token"] = self.session_token or None
        else:
            # Never what the machine itself may do.
            more["anonymous"] = True
        return S3FileSystem(
            region=self.region, connect_timeout=CONNECT_S, request_timeout=60, **more
        )

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Let DuckDB read and write s3:// paths."""
        duck.load(con, "httpfs")
        said = {"KEY_ID": self.access_key, "SECRET": self.secret_key, "REGION": self.region}
        if self.session_token:
            said["SESSION_TOKEN"] = self.session_token
        if self.endpoint:
            parts = urlsplit(self.endpoint)
            said["ENDPOINT"] = parts.netloc
            said["USE_SSL"] = str(parts.scheme == "https").lower()
            said["URL_STYLE"] = "path" if self.path_style else "vhost"
        listed = ", ".join(f"{name} {literal(value)}" for name, value in said.items())
        con.execute(f"CREATE OR REPLACE TEMPORARY SECRET {SECRET} (TYPE s3, {listed})")
        con.execute(f"SET http_proxy = {literal(self.proxy.removeprefix('http://'))}")
        # Its parts are buffers beside DuckDB's memory limit: small ones.
        con.execute("SET s3_uploader_max_filesize = '50GB'")
        con.execute(f"SET http_timeout = {60}")


def listed(files: Any, folder: str) -> Iterator[tuple[str, datetime]]:
    """All objects below a folder, and when each was last written."""
    from pyarrow.fs import FileSelector

    selector = FileSelector(folder, allow_not_found=True, recursive=True)
    for info in files.get_file_info(selector):
        if info.is_file:
            yield f"s3://{info.path}", info.mtime


def fault(error: Exception) -> SyncError:
    """What an error of S3 means to its user."""
    text = str(error)
    if any(sign in text for sign in ("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "403")):
        return SyncError("S3 refuses the keys, or does not allow this with them.")
    if "NO_SUCH_BUCKET" in text or "NoSuchBucket" in text:
        return SyncError("There is no such S3 bucket.")
    return SyncError("S3 cannot be reached, or went away.", retry=True)


def endpoint_url(endpoint: str, *, ssl: bool = True) -> str:
    """An endpoint with its scheme, as some settings leave it out."""
    if not endpoint or "://" in endpoint:
        return endpoint
    return f"{'https' if ssl else 'http'}://{endpoint}"


def bucket_name(name: str) -> str:
    """The name, or SyncError where it is none."""
    if not _BUCKET.fullmatch(name):
        raise SyncError("The S3 bucket must be the name of a bucket, nothing else.")
    return name


def of_properties(properties: Mapping[str, Any], proxy: str) -> S3:
    """From what an Iceberg catalog says of its storage."""

    def get(*names: str) -> str:
        return next((str(properties[n]) for n in names if properties.get(n)), "")

    return S3(
        region=get("s3.region", "client.region") or "us-east-1",
        access_key=get("s3.access-key-id", "client.access-key-id"),
        secret_key=get("s3.secret-access-key", "client.secret-access-key"),
        session_token=get("s3.session-token", "client.session-token"),
        endpoint=endpoint_url(get("s3.endpoint")),
        path_style=get("s3.path-style-access").lower() != "false",
        proxy=proxy,
    )
