"""The tables that a statement may name at a destination of files: how DuckDB reads each, and where.

All projects' files lie below one data root, and the settings of a destination name any folder there. So
of the files of this machine only those are shown that jobs of the asking project have written, as the
tables and the files' names say: one folder may lie in another, or be that of two catalogs. A bucket is opened by what the destination's owner was given for it.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from workers.connectors import duck, s3
from workers.connectors.base import Session, SyncError, literal
from workers.connectors.door import Door
from workers.connectors.faults import told
from workers.connectors.parquet import MANIFEST
from workers.connectors.parquet_stores import Bucket, Folder, Store

MOST_TABLES = 500
S3 = ("s3://", "s3a://")
Name = tuple[str, str]


@dataclass(frozen=True)
class Files:
    """What of this machine is a table's: files, and folders of such."""

    paths: frozenset[str]
    folders: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """A table: what stands for it in FROM, its files on this machine, or what opens its bucket."""

    relation: str
    files: Files | None = None
    storage: s3.S3 | None = None


class Tables(Protocol):
    """A destination's tables."""

    reach: tuple[str, ...]
    """Prefixes of what a statement may read beside the folders of the tables."""
    door: Door | None
    """The way out, where there is one."""

    def open(self) -> None:
        """Connect, where there is something to connect to."""

    def fault(self, error: Exception) -> Exception:
        """What an error that DuckDB has not told means to who asked."""

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Load what reading needs, before the way to other files is closed."""

    def named(self, sql: str, jobs: Collection[str]) -> dict[Name, Found]:
        """The tables whose names are in a statement, as they are committed now."""

    def close(self) -> None:
        """Close the way out."""


class ParquetTables:
    """Folders with manifests, of this machine or in a bucket."""

    def __init__(self, session: Session, writer: Mapping[str, Any]) -> None:
        self._session = session
        self._writer = writer
        self.door = Door(session.address) if writer.get("s3_bucket") else None
        self.reach: tuple[str, ...] = (f"s3://{self._key()}",) if self.door else ()

    def open(self) -> None:
        """Nothing to do."""

    def fault(self, error: Exception) -> Exception:
        """What the storage says."""
        return s3.fault(error) if self.door and isinstance(error, OSError) else told(error)

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Attach the bucket."""
        if self.door is not None:
            self._s3().attach(con)

    def named(self, sql: str, jobs: Collection[str]) -> dict[Name, Found]:
        """Tables by database and name."""
        found: dict[Name, Found] = {}
        for schema, name in self._names(sql):
            if len(found) < MOST_TABLES:
                store, root = self._store(schema, name)
                text = store.read(MANIFEST)
                manifest = {"files": []} if text is None else json.loads(text)
                paths = [f"{root}/{one['path']}" for one in manifest["files"]]
                if paths and (self.door or manifest["job"] in jobs):
                    listed = ", ".join(map(literal, paths))
                    relation = f"read_parquet([{listed}], union_by_name = true)"
                    files = None if self.door else Files(frozenset(paths))
                    found[schema, name] = Found(relation, files)
        return found

    def close(self) -> None:
        """Close the way to S3."""
        if self.door is not None:
            self.door.close()

    def _names(self, sql: str) -> Iterator[Name]:
        if self.door is None:
            for path in self._base().glob("*/*"):
                if path.name in sql and (path / MANIFEST).exists():
                    yield path.parent.name, path.name
            return
        from pyarrow.fs import FileSelector

        key = self._key()
        selector = FileSelector(key, recursive=True, allow_not_found=True)
        for info in self._s3().files().get_file_info(selector):
            parts = info.path.removeprefix(f"{key}/").split("/")
            if parts[-1] == MANIFEST and len(parts) == 3 and parts[1] in sql:
                yield parts[0], parts[1]

    def _store(self, schema: str, name: str) -> tuple[Store, str]:
        if self.door is not None:
            place, scratch = (schema, name), self._session.scratch
            bucket = Bucket.of(self._writer, self.door.url, place, scratch)
            return bucket, f"s3://{bucket.key}"
        folder = self._base() / schema / name
        return Folder(folder), str(folder)

    def _base(self) -> Path:
        root = self._session.data_root.resolve()
        base = (root / str(self._writer.get("local_path") or "parquet")).resolve()
        if not base.is_relative_to(root):
            raise SyncError("The folder must lie below the data folder.")
        return base

    def _key(self) -> str:
        parts = [str(self._writer["s3_bucket"]), *str(self._writer.get("s3_path") or "").split("/")]
        return "/".join(part for part in parts if part)

    def _s3(self) -> s3.S3:
        writer = self._writer
        return s3.S3(
            region=str(writer.get("s3_region") or "us-east-1"),
            access_key=str(writer.get("s3_access_key") or ""),
            secret_key=str(writer.get("s3_secret_key") or ""),
            endpoint=s3.endpoint_url(str(writer.get("s3_endpoint") or "")),
            path_style=bool(writer.get("s3_path_style", True)),
            proxy="" if self.door is None else self.door.url,
        )


class IcebergTables:
    """Tables of a catalog."""

    def __init__(self, session: Session, writer: Mapping[str, Any]) -> None:
        self._session = session
        self._writer = writer
        self._catalog: Any = None
        self._way = Door(session.address)
        self.door: Door | None = self._way
        self.reach = buckets(writer)

    def open(self) -> None:
        """Connect to the catalog."""
        from workers.connectors import iceberg_catalog

        self._catalog = iceberg_catalog.connect(self._session, self._writer, self._way)

    def fault(self, error: Exception) -> Exception:
        """What the catalog says."""
        from workers.connectors import iceberg_catalog

        return iceberg_catalog.fault(error, self._way)

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Load Iceberg, and S3 where the catalog can name it."""
        duck.load(con, "avro")
        duck.load(con, "iceberg")
        if self.reach:
            duck.load(con, "httpfs")
            # A statement can name a host behind s3://, before any table has been opened.
            con.execute(f"SET http_proxy = {literal(self._way.url.removeprefix('http://'))}")

    def named(self, sql: str, jobs: Collection[str]) -> dict[Name, Found]:
        """Tables by namespace and name."""
        found: dict[Name, Found] = {}
        for namespace in self._catalog.list_namespaces():
            for identifier in self._catalog.list_tables(namespace):
                if identifier[-1] in sql and len(found) < MOST_TABLES:
                    one = self._found(self._catalog.load_table(identifier), jobs)
                    if one is not None:
                        found[".".join(namespace), identifier[-1]] = one
        return found

    def close(self) -> None:
        """Close the way out."""
        self._way.close()

    def _found(self, table: Any, jobs: Collection[str]) -> Found | None:
        at: str = table.metadata_location.removeprefix("file://")
        relation = f"iceberg_scan({literal(at)})"
        if at.startswith(S3):
            return Found(relation, storage=table.io.storage())
        return self._of_this_machine(table, at, relation, jobs)

    def _of_this_machine(
        self, table: Any, at: str, relation: str, jobs: Collection[str]
    ) -> Found | None:
        from pyiceberg.serializers import FromInputFile

        # What the file says, whatever a catalog says of it: only syncs write below the data root.
        metadata = FromInputFile.table_metadata(table.io.new_input(table.metadata_location))
        if _writer(metadata) not in jobs:
            return None
        folder = self._folder(*table.name())
        if Path(metadata.location.removeprefix("file://")) != folder:
            raise SyncError(
                f"The catalog has the table {'.'.join(table.name())} in another folder than the "
                "destination's own, where no model reads it: clear it, and sync it anew into a "
                "namespace that has no location."
            )
        snapshot = metadata.current_snapshot()
        named = [at]
        if snapshot is not None:
            named += [snapshot.manifest_list]
            named += [one.manifest_path for one in snapshot.manifests(table.io)]
        return Found(relation, _files(folder, named, jobs))

    def _folder(self, *name: str) -> Path:
        """Where the destination's settings have a table lie."""
        from workers.connectors import iceberg_catalog

        root = iceberg_catalog.warehouse(self._session, self._writer).removeprefix("file://")
        return Path(root, ".".join(name[:-1]), name[-1])


def _files(folder: Path, named: Iterable[str], jobs: Collection[str]) -> Files:
    """What metadata name in a table's folder, and what these jobs have written beside it."""
    from workers.connectors.iceberg_files import file_prefix

    paths = [Path(one.removeprefix("file://")) for one in named]
    own = tuple(map(file_prefix, jobs))
    data = folder / "data"
    return Files(
        frozenset(
            str(path)
            for path in paths
            if path.parent == folder / "metadata"
            and path.name.endswith((".avro", ".metadata.json"))
        ),
        frozenset(str(path) for path in data.glob("isthmus-*") if path.name.startswith(own)),
    )


def buckets(writer: Mapping[str, Any]) -> tuple[str, ...]:
    """What of S3 an Iceberg catalog can name; a REST catalog says so only table by table."""
    if writer.get("catalog_type") != "jdbc":
        return S3
    return S3 if str(writer.get("iceberg_s3_path") or "").startswith(S3) else ()


def _writer(metadata: Any) -> str | None:
    """The job whose sync is the last one in a table's history."""
    from workers.connectors.iceberg_table import JOB

    snapshot = metadata.current_snapshot()
    while snapshot is not None:
        said = snapshot.summary.additional_properties if snapshot.summary else {}
        if JOB in said:
            return str(said[JOB])
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else metadata.snapshot_by_id(parent)
    return None
