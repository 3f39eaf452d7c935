"""The source `mongodb`: collections of one database, whole, by a cursor field, or by change streams."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pymongo.client_session import ClientSession

from workers.connectors.base import (
    Column,
    Config,
    Found,
    Mode,
    Part,
    Position,
    Session,
    Stream,
    SyncError,
)
from workers.connectors.conditions import where
from workers.connectors.mongodb import Documents, Mongo, decoded
from workers.connectors.mongodb_changes import MongoChanges
from workers.connectors.mongodb_cursor import MongoCursor
from workers.connectors.mongodb_rows import Rows
from workers.connectors.mongodb_scan import Scan
from workers.connectors.mongodb_values import join, kind_of

SAMPLE = 1_000
"""So many documents of either end of a collection are looked at for its fields."""
SAMPLE_BYTES = 16 * 1024**2
LOG_S = 10
_NO_CURSOR = ("BOOLEAN", "BLOB", "JSON", "UUID")
_Batches = Iterable[list[dict[str, Any]]]


class MongoSource:
    """Reads one database of a MongoDB server, replica set or sharded cluster."""

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.config = config
        self.mongo = Mongo(session, config)

    def open(self) -> None:
        """Connect."""
        self.mongo.open()

    def check(self) -> None:
        """Whether the user may list the collections."""
        if not self.mongo.names():
            raise SyncError(
                f"The database {self.mongo.database} has no collection that the user may read."
            )
        if not self.mongo.has_log:
            text = "The server is no replica set: full_refresh and incremental work, cdc does not."
            self.session.log("warning", text)

    def discover(self) -> Sequence[Found]:
        """The collections, with the fields of a sample of each."""
        return [self._described(name) for name in self.mongo.names()]

    def read(self, stream: Stream, position: Position | None) -> Iterator[Part]:
        """All documents, or those behind the cursor, in one part."""
        documents = self._collection(stream)
        with self.mongo.faults(), self.mongo.reading() as seen:
            if stream.mode == "incremental":
                yield from self._behind(stream, documents, position, seen)
            elif stream.mode == "full_refresh":
                yield from self._whole(stream, documents, seen, {})
            else:
                token = MongoChanges(self.mongo, self.session).beginning(stream, seen)
                yield from self._whole(stream, documents, seen, {"token": token})

    def changes(
        self, streams: Sequence[Stream], positions: Mapping[str, Position | None]
    ) -> Iterator[Part]:
        """Each collection's change stream, up to where the cluster's log ends now."""
        changes = MongoChanges(self.mongo, self.session)
        with self.mongo.reading() as session:
            end = self.mongo.now(session)
        for stream in streams:
            self._collection(stream)
            yield from changes.parts(stream, positions[stream.id], end)

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """The server's log waits for nobody."""

    def close(self) -> None:
        """Close the connections."""
        self.mongo.close()

    def _collection(self, stream: Stream) -> Documents:
        if stream.name not in self.mongo.names():
            raise SyncError(f"There is no collection {stream.id}, or its user may not read it.")
        return self.mongo.collection(stream.name)

    def _described(self, name: str) -> Found:
        types: dict[str, str | None] = {"_id": None}
        documents = self.mongo.collection(name)
        for direction in (1, -1):
            sample = self._sample(documents, direction)
            for field in dict.fromkeys(f for document in sample for f in document):
                found = kind_of([document.get(field) for document in sample])
                types[field] = join(types.get(field), found)
        if types["_id"] not in ("BIGINT", "UUID"):
            types["_id"] = "VARCHAR"
        listed = {field: kind or "VARCHAR" for field, kind in types.items() if field}
        modes: tuple[Mode, ...] = ("full_refresh", "incremental")
        return Found(
            namespace=self.mongo.database,
            name=name,
            columns=tuple(Column(f, k, nullable=f != "_id") for f, k in listed.items()),
            key=("_id",),
            modes=(*modes, "cdc", "strict_cdc") if self.mongo.has_log else modes,
            cursors=tuple(sorted(f for f, k in listed.items() if k not in _NO_CURSOR)),
        )

    def _sample(self, documents: Documents, direction: int) -> list[dict[str, Any]]:
        sample: list[dict[str, Any]] = []
        size = 0
        order = [("$natural", direction)]
        with self.mongo.faults():
            for raw in documents.find_raw_batches(sort=order, limit=SAMPLE, batch_size=100):
                sample += decoded(raw)
                size += len(raw)
                if size > SAMPLE_BYTES:
                    break
        return sample

    def _whole(
        self, stream: Stream, documents: Documents, seen: ClientSession, position: Position
    ) -> Iterator[Part]:
        rows = Rows(self.session, stream, {})
        self._collect(rows, Scan(self.mongo, documents, seen).whole({}))
        yield Part(stream, _kept(rows), {**position, "types": rows.types})
        rows.close()

    def _behind(
        self,
        stream: Stream,
        documents: Documents,
        position: Position | None,
        seen: ClientSession,
    ) -> Iterator[Part]:
        cursor = MongoCursor(self.mongo, self.session, stream, documents)
        chosen = cursor.filter(position, seen)
        scan = Scan(self.mongo, documents, seen)
        batches = scan.whole(chosen) if position is None else scan.found(chosen)
        rows = Rows(self.session, stream, (position or {}).get("types") or {})
        self._collect(rows, map(cursor.fresh, batches))
        behind = {**cursor.position(), "types": rows.types}
        yield Part(stream, _kept(rows), behind, "r" if position is None else "u")
        rows.close()

    def _collect(self, rows: Rows, batches: _Batches) -> None:
        """Take in all documents, and say from time to time how many."""
        logged = time.monotonic()
        for batch in batches:
            if batch:
                rows.add(batch)
            if time.monotonic() - logged > LOG_S:
                logged = time.monotonic()
                self.session.log("info", f"{rows.rows} documents of {rows.stream.id} are read.")


def _kept(rows: Rows) -> str:
    """The rows that the stream's filter leaves."""
    relation = rows.relation()
    condition = where(rows.stream, rows.names())
    return f"SELECT * FROM ({relation}) WHERE {condition}" if condition else relation
