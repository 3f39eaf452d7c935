"""A shop in a stand-in of MongoDB, and syncs from it in this process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from tests.workers.sync.mongo_stand_in import StandIn
from tests.workers.sync.rig import Line
from workers.connectors import duck
from workers.connectors.base import Run, Session, SyncError
from workers.connectors.mongodb_source import MongoSource
from workers.connectors.registry import destination
from workers.sync.catalog import catalog, configured, selected_streams
from workers.sync.engine import Sync

LOCAL = {"address": "127.0.0.1"}
PARQUET: Line = {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "lake"}}}
_CATALOG = {"catalog_type": "jdbc", "jdbc_url": "jdbc:sqlite:catalog.db", "catalog_name": "lake"}
ICEBERG: Line = {
    "type": "iceberg",
    "config": {"type": "ICEBERG", "writer": {**_CATALOG, "iceberg_s3_path": "ice"}},
}


@dataclass
class Shop:
    """A stand-in, and syncs from it."""

    server: StandIn
    root: Path
    config: dict[str, Any] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    called: list[tuple[str, int]] = field(default_factory=list)
    number: int = 0
    states: dict[str, Any] = field(default_factory=dict)

    def source(self, **config: Any) -> Line:
        given = {
            "hosts": [f"db.example:{self.server.port}"],
            "database": "shop",
            "replica_set": "rs0",
        }
        return {"type": "mongodb", "config": {**given, **self.config, **config}}

    def address(self, host: str, port: int) -> str:
        self.called.append((host, port))
        if not host.endswith("db.example"):
            raise SyncError(f"{host} may not be called.")
        return "127.0.0.1"

    @contextmanager
    def session(self) -> Iterator[Session]:
        self.number += 1
        scratch = self.root / f"scratch-{self.number}"
        scratch.mkdir(parents=True)
        run = Run("1", f"run-{self.number}", self.number)
        with duck.connect(scratch) as con:
            log = lambda level, text: self.logs.append(text)  # noqa: E731
            yield Session(con, run, self.root, scratch, log, self.address)

    @contextmanager
    def opened(self, session: Session, **config: Any) -> Iterator[MongoSource]:
        source = MongoSource(session, self.source(**config)["config"])
        try:
            source.open()
            yield source
        finally:
            source.close()

    def streams(self, mode: str, cursor: str | None = None, **selected: Any) -> list[Line]:
        with self.session() as session, self.opened(session) as source:
            found = catalog(source.discover(), "job", "shop")
        return configured_as(found, mode, cursor, **selected)

    def sync(self, to: Line, streams: list[Line], **config: Any) -> int:
        """The number of rows that a sync has moved."""
        self.logs.clear()
        with self.session() as session, self.opened(session, **config) as source:
            end = destination(to["type"], session, to["config"])
            end.open()
            try:
                sync = Sync(session, source, end, lambda line: None, self.states)
                moved: int = sync.run([configured(s["stream"], s["selected"]) for s in streams])[
                    "rows"
                ]
            finally:
                end.close()
        return moved

    def rows(self, select: str, table: str = "one", rest: str = "") -> list[tuple[Any, ...]]:
        """Of a Parquet table."""
        folder = self.root / "lake" / "job_shop_shop" / table
        named = [
            str(folder / f["path"])
            for f in json.loads((folder / "_manifest.json").read_text())["files"]
        ]
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            sql = f"SELECT {select} FROM read_parquet($files, union_by_name = true) {rest}"
            return con.execute(sql, {"files": named}).fetchall()

    def iceberg_rows(self) -> list[dict[str, Any]]:
        found = SqlCatalog("lake", uri=f"sqlite:///{self.root / 'catalog.db'}")
        rows: list[dict[str, Any]] = (
            found.load_table(("job_shop_shop", "one")).scan().to_arrow().to_pylist()
        )
        return rows


def configured_as(
    found: dict[str, Any], mode: str, cursor: str | None = None, **selected: Any
) -> list[Line]:
    pairs = selected_streams(found)
    for pair in pairs:
        pair["stream"] = {**pair["stream"], "sync_mode": mode, "cursor_field": cursor}
        pair["selected"] = {**pair["selected"], **selected}
    return pairs
