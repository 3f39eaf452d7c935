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
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson

from workers.connectors import duck
from workers.connectors.base import Run, Session, SyncError, literal, quote
from workers.connectors.faults import told
from workers.connectors.mysql import ALIAS as MYSQL
from workers.connectors.mysql import Mysql
from workers.semantic.base import PIECE_ROWS, Packing, QueryError
from workers.semantic.duck_tables import Files, Found, IcebergTables, Name, ParquetTables, Tables
from workers.sync.child import _protect, _scratch

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT")


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
    """DuckDB with one place in it: a database that is attached, or tables of files as views."""

    def __init__(self, wire: Wire, scratch: Path, asked: Mapping[str, Any]) -> None:
        self.place = asked["place"]
        self.is_open = False
        self._limits = wire.limits
        self._scratch = scratch
        self.con = self._connected()
        self._views: dict[Name, str] = {}
        self._files: dict[Name, Files] = {}
        self._config: Mapping[str, Any] = asked["config"]
        self._session = Session(
            duck=self.con,
            run=Run(),
            data_root=Path(self._limits["data_root"]),
            scratch=scratch,
            log=lambda level, message: None,
            address=wire.address,
        )
        self._tables = self._tables_of(asked["type"])

    def open(self) -> None:
        """Get at the place, once."""
        if self._tables is not None and self._tables.door is not None:
            self._tables.door.refused = None
        if self.is_open:
            return
        if self._tables is None:
            self._attach_mysql()
        else:
            self._tables.open()
            self._reopen({})

    def fault(self, error: Exception) -> str:
        """What an error means to who asked; where the way out was closed, why."""
        tables = self._tables
        if tables is not None and tables.door is not None and tables.door.refused is not None:
            return str(tables.door.refused)
        if isinstance(error, duckdb.Error):
            return str(error).partition("\nLINE")[0].strip()
        if isinstance(error, QueryError):
            return str(error)
        return str(told(error) if tables is None else tables.fault(error))

    def refresh(self, sql: str, jobs: Collection[str]) -> None:
        """Make the views of the tables that the statement may name, as they are committed now."""
        if self._tables is None:
            return
        found = self._tables.named(sql, jobs)
        files = {name: one.files for name, one in found.items() if one.files is not None}
        if files != self._files:
            # What may be read is said once for each connection.
            self._reopen(files)
        for name, one in found.items():
            self._show(name, one)
        schemas = dict.fromkeys(["main", *(schema for schema, _ in self._views)])
        path = ",".join(quote(schema) for schema in schemas)
        self.con.execute(f"SET search_path = {literal(path)}")

    def close(self) -> None:
        """Let go of everything."""
        self.con.close()
        if self._tables is not None:
            self._tables.close()

    def _tables_of(self, type_: str) -> Tables | None:
        writer = self._config.get("writer") or self._config
        if type_ == "iceberg":
            return IcebergTables(self._session, writer)
        if type_ == "parquet":
            return ParquetTables(self._session, writer)
        if type_ != "mysql":
            raise SyncError(f"Data sources of type {type_} cannot be asked by a model.")
        return None

    def _attach_mysql(self) -> None:
        my = Mysql(self._session, self._config)
        my.open()
        my.close()
        self.con.execute(f"USE {MYSQL}.{quote(my.text('database'))}")
        self._confine(self.con, (), ())
        self.is_open = True

    def _connected(self) -> duckdb.DuckDBPyConnection:
        limits = self._limits
        return duck.connect(
            self._scratch, memory_mb=int(limits["memory_mb"]), threads=int(limits["threads"])
        )

    def _reopen(self, files: dict[Name, Files]) -> None:
        """Begin anew with these tables' files, and no other file of the machine."""
        assert self._tables is not None
        # Where this fails half way, nothing may be asked of what there is.
        self.is_open = False
        self.con.close()
        con, self._views, self._files = self._connected(), {}, files
        try:
            self._tables.prepare(con)
            self._confine(con, self._tables.reach, files.values())
        except Exception:
            con.close()
            raise
        self.con, self.is_open = con, True

    @staticmethod
    def _confine(
        con: duckdb.DuckDBPyConnection, reach: Iterable[str], tables: Iterable[Files]
    ) -> None:
        """Let no statement read files elsewhere; nothing can undo it."""
        paths = {path for files in tables for path in files.paths}
        folders = {*reach, *(folder for files in tables for folder in files.folders)}
        for setting, named in (("allowed_paths", paths), ("allowed_directories", folders)):
            con.execute(f"SET {setting} = [{', '.join(map(literal, sorted(named)))}]")
        con.execute("SET enable_external_access = false")

    def _show(self, name: Name, found: Found) -> None:
        if found.storage is not None:
            found.storage.attach(self.con)
        if self._views.get(name) != found.relation:
            schema, view = map(quote, name)
            self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            select = f"SELECT * FROM {found.relation}"
            self.con.execute(f"CREATE OR REPLACE VIEW {schema}.{view} AS {select}")
            self._views[name] = found.relation


def answer(wire: Wire, opened: Opened, asked: Mapping[str, Any]) -> None:
    """Run one query and send its rows."""
    opened.open()
    opened.refresh(asked["sql"], asked["jobs"])
    wire.interrupt = opened.con.interrupt
    try:
        found = opened.con.execute(asked["sql"], asked["values"])
        columns = [(str(column[0]), str(column[1])) for column in found.description or ()]
        makers = [_maker(type_) for _, type_ in columns]
        packing = Packing([name for name, _ in columns])
        while some := found.fetchmany(PIECE_ROWS):
            packing.add(
                [
                    [None if v is None else make(v) for make, v in zip(makers, row, strict=True)]
                    for row in some
                ]
            )
    finally:
        wire.interrupt = lambda: None
    made = packing.result()
    wire.tell({"rows": made.rows}, made.content)


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
