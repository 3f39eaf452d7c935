"""`workers.semantic.duck_child`: DuckDB for semantic queries, in a process of its own.

JSON lines come on stdin: first the limits, then queries, answers about addresses, and `interrupt`.
An answer is a line `{"rows": count}` and then, behind its own length, the content. One place is
open at a time: a database that is attached, or views over the files that jobs have written.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson

from workers.connectors import duck, s3
from workers.connectors.base import Run, Session, SyncError, literal, quote
from workers.connectors.door import Door
from workers.connectors.faults import told
from workers.connectors.mysql import ALIAS as MYSQL
from workers.connectors.mysql import Mysql
from workers.connectors.parquet import MANIFEST
from workers.connectors.parquet_stores import Bucket, Folder, Store
from workers.sync.child import _protect, _scratch

MOST_TABLES = 500
MOST_BYTES = 64 * 1024 * 1024
S3 = ("s3://", "s3a://")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT")


def iceberg_folders(writer: Mapping[str, Any], data_root: Path) -> list[str]:
    """Where the files of an Iceberg catalog can be; a REST catalog says so only table by table."""
    local = str(data_root.resolve())
    if writer.get("catalog_type") != "jdbc":
        return [*S3, local]
    path = str(writer.get("iceberg_s3_path") or "")
    return [*S3] if path.startswith(S3) else [local]


class Wire:
    """The lines between this process and its worker."""

    def __init__(self) -> None:
        self._in = sys.stdin
        # Libraries that print must not break the wire.
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.limits: dict[str, Any] = json.loads(self._in.readline())
        self.queries: queue.Queue[dict[str, Any]] = queue.Queue()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._asking = threading.Lock()
        self.interrupt: Callable[[], None] = lambda: None
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, line: Mapping[str, Any], content: bytes = b"") -> None:
        """Send a line, and the bytes that it speaks of."""
        self._out.write(orjson.dumps({**line, "bytes": len(content)}) + b"\n" + content)
        self._out.flush()

    def address(self, host: str, port: int) -> str:
        """Have the worker resolve and check a host; called by any thread."""
        with self._asking:
            self.tell({"address": {"host": host, "port": port}})
            answer = self._answers.get()
        if "refused" in answer:
            raise SyncError(str(answer["refused"]))
        return str(answer["address"])

    def _listen(self) -> None:
        for text in self._in:
            line = json.loads(text)
            if "query" in line:
                self.queries.put(line["query"])
            elif "interrupt" in line:
                self.interrupt()
            else:
                self._answers.put(line)
        os._exit(70)


class Opened:
    """DuckDB with one place in it."""

    def __init__(self, wire: Wire, scratch: Path, asked: Mapping[str, Any]) -> None:
        limits = wire.limits
        self.place = asked["place"]
        self.con = duck.connect(
            scratch, memory_mb=int(limits["memory_mb"]), threads=int(limits["threads"])
        )
        self._views: dict[tuple[str, str], str] = {}
        self._config: Mapping[str, Any] = asked["config"]
        self._writer: Mapping[str, Any] = self._config.get("writer") or self._config
        self._type = asked["type"]
        self._session = Session(
            duck=self.con,
            run=Run(),
            data_root=Path(limits["data_root"]),
            scratch=scratch,
            log=lambda level, message: None,
            address=wire.address,
        )
        self._door: Door | None = None
        self._catalog: Any = None
        self.is_open = False

    def open(self) -> None:
        """Get at the place, once."""
        if self._door is not None:
            self._door.refused = None
        if not self.is_open:
            self._open()
            self.is_open = True

    def fault(self, error: Exception) -> str:
        """What an error means to who asked; where the way out was closed, why."""
        if self._door is not None and self._door.refused is not None:
            return str(self._door.refused)
        if isinstance(error, duckdb.Error):
            return str(error).partition("\nLINE")[0].strip()
        if self._door is None:
            return str(told(error))
        if self._type == "iceberg":
            from workers.connectors import iceberg_catalog

            return str(iceberg_catalog.fault(error, self._door))
        return str(s3.fault(error) if isinstance(error, OSError) else told(error))

    def refresh(self, sql: str) -> None:
        """Make the views of the tables that the statement may name, as they are committed now."""
        if self._type == "parquet":
            tables = self._parquet_tables
        elif self._type == "iceberg":
            tables = self._iceberg_tables
        else:
            return
        for (schema, name), relation in tables(sql).items():
            if self._views.get((schema, name)) != relation:
                self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
                view = f"{quote(schema)}.{quote(name)}"
                self.con.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {relation}")
                self._views[schema, name] = relation
        schemas = dict.fromkeys(["main", *(schema for schema, _ in self._views)])
        path = ",".join(quote(schema) for schema in schemas)
        self.con.execute(f"SET search_path = {literal(path)}")

    def close(self) -> None:
        """Let go of everything."""
        self.con.close()
        if self._door is not None:
            self._door.close()

    def _open(self) -> None:
        if self._type == "mysql":
            my = Mysql(self._session, self._config)
            my.open()
            my.close()
            self.con.execute(f"USE {MYSQL}.{quote(my.text('database'))}")
            self._confine()
        elif self._type == "iceberg":
            from workers.connectors import iceberg_catalog

            self._door = Door(self._session.address)
            duck.load(self.con, "avro")
            duck.load(self.con, "iceberg")
            self._catalog = iceberg_catalog.connect(self._session, self._writer, self._door)
            folders = iceberg_folders(self._writer, self._session.data_root)
            if S3[0] in folders:
                duck.load(self.con, "httpfs")
                # A statement can name a host behind s3://, before any table has been opened.
                proxy = literal(self._door.url.removeprefix("http://"))
                self.con.execute(f"SET http_proxy = {proxy}")
            self._confine(*folders)
        elif self._type == "parquet":
            if self._writer.get("s3_bucket"):
                self._door = Door(self._session.address)
                self._s3().attach(self.con)
                self._confine(f"s3://{self._writer['s3_bucket']}")
            else:
                self._confine(str(self._base()))
        else:
            raise SyncError(f"Data sources of type {self._type} cannot be asked by a model.")

    def _confine(self, *folders: str) -> None:
        """Let no statement read files elsewhere; nothing can undo it."""
        listed = ", ".join(literal(folder) for folder in folders)
        self.con.execute(f"SET allowed_directories = [{listed}]")
        self.con.execute("SET enable_external_access = false")

    def _s3(self) -> s3.S3:
        writer = self._writer
        return s3.S3(
            region=str(writer.get("s3_region") or "us-east-1"),
            access_key=str(writer.get("s3_access_key") or ""),
            secret_key=str(writer.get("s3_secret_key") or ""),
            endpoint=s3.endpoint_url(str(writer.get("s3_endpoint") or "")),
            path_style=bool(writer.get("s3_path_style", True)),
            proxy="" if self._door is None else self._door.url,
        )

    def _parquet_tables(self, sql: str) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for schema, name in self._parquet_names():
            if name in sql and len(found) < MOST_TABLES:
                store, root = self._store(schema, name)
                text = store.read(MANIFEST)
                files = [] if text is None else json.loads(text)["files"]
                listed = ", ".join(literal(f"{root}/{file['path']}") for file in files)
                if listed:
                    found[schema, name] = f"read_parquet([{listed}], union_by_name = true)"
        return found

    def _parquet_names(self) -> list[tuple[str, str]]:
        if self._writer.get("s3_bucket"):
            from pyarrow.fs import FileSelector

            key = self._bucket_key()
            selector = FileSelector(key, recursive=True, allow_not_found=True)
            paths = [i.path for i in self._s3().files().get_file_info(selector)]
            named = [p.removeprefix(f"{key}/").split("/") for p in paths if p.endswith(MANIFEST)]
            return [(parts[0], parts[1]) for parts in named if len(parts) == 3]
        return [(p.parent.parent.name, p.parent.name) for p in self._base().glob(f"*/*/{MANIFEST}")]

    def _store(self, schema: str, name: str) -> tuple[Store, str]:
        if self._writer.get("s3_bucket"):
            scratch, door = self._session.scratch, self._door
            url = "" if door is None else door.url
            bucket = Bucket.of(self._writer, url, (schema, name), scratch)
            return bucket, f"s3://{bucket.key}"
        folder = self._base() / schema / name
        return Folder(folder), str(folder)

    def _base(self) -> Path:
        root = self._session.data_root.resolve()
        base = (root / str(self._writer.get("local_path") or "parquet")).resolve()
        if not base.is_relative_to(root):
            raise SyncError("The folder must lie below the data folder.")
        return base

    def _bucket_key(self) -> str:
        parts = [str(self._writer["s3_bucket"]), *str(self._writer.get("s3_path") or "").split("/")]
        return "/".join(part for part in parts if part)

    def _iceberg_tables(self, sql: str) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for namespace in self._catalog.list_namespaces():
            for identifier in self._catalog.list_tables(namespace):
                name = identifier[-1]
                if name in sql and len(found) < MOST_TABLES:
                    place = self._catalog.load_table(identifier)
                    if place.metadata_location.startswith("s3"):
                        place.io.storage().attach(self.con)
                    metadata = literal(place.metadata_location.removeprefix("file://"))
                    found[".".join(namespace), name] = f"iceberg_scan({metadata})"
        return found


def answer(wire: Wire, opened: Opened, asked: Mapping[str, Any]) -> None:
    """Run one query and send its rows."""
    opened.open()
    opened.refresh(asked["sql"])
    wire.interrupt = opened.con.interrupt
    try:
        found = opened.con.execute(asked["sql"], asked["values"])
        columns = [(str(column[0]), str(column[1])) for column in found.description or ()]
        makers = [_maker(type_) for _, type_ in columns]
        rows = [
            [None if v is None else make(v) for make, v in zip(makers, row, strict=True)]
            for row in found.fetchall()
        ]
    finally:
        wire.interrupt = lambda: None
    content = orjson.dumps({"columns": [name for name, _ in columns], "rows": rows}, default=str)
    if len(content) > MOST_BYTES:
        raise SyncError(f"The answer is larger than {MOST_BYTES // 1024**2} MiB. Ask for less.")
    wire.tell({"rows": len(rows)}, content)


def _maker(type_: str) -> Callable[[Any], Any]:
    """Numbers that JSON would round are texts, as PostgreSQL's are."""
    if type_ in _WHOLE or type_ in ("DOUBLE", "FLOAT", "BOOLEAN", "VARCHAR"):
        return lambda value: value
    return _plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.000"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, time | timedelta):
        return str(value)
    return value


def serve(wire: Wire, scratch: Path) -> None:
    """Answer queries until the worker goes away."""
    opened: Opened | None = None
    while True:
        asked = wire.queries.get()
        try:
            if opened is None or opened.place != asked["place"]:
                if opened is not None:
                    opened.close()
                opened = None
                opened = Opened(wire, scratch, asked)
            answer(wire, opened, asked)
        except duckdb.InterruptException:
            wire.tell({"error": "interrupted"})
        except Exception as error:
            wire.tell({"error": str(told(error)) if opened is None else opened.fault(error)})
        if opened is not None and not opened.is_open:
            opened.close()
            opened = None


def run() -> None:
    """The whole life of the process."""
    _protect()
    wire = Wire()
    with _scratch(Path(wire.limits["scratch"])) as scratch:
        serve(wire, scratch)
