"""Change streams as parts: each stream's changes behind its own resume token.

A position holds `token`, and `types`, those of the fields until now. A transaction's changes have one
cluster time, so that a part never ends between two changes of one time.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bson
from bson import json_util
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.change_stream import CollectionChangeStream
from pymongo.client_session import ClientSession

from workers.connectors.base import Part, Position, Session, Stream, SyncError
from workers.connectors.change_batch import filtered
from workers.connectors.mongodb import CODEC, Mongo
from workers.connectors.mongodb_rows import Rows
from workers.connectors.mongodb_values import TZ

AWAIT_MS = 1_000
BEHIND_S = 120
"""So long a member may take to come to where the log ended when the sync began."""
IDLE_S = 3600
"""A stream without changes is committed anew when its position is so old."""
PART_ROWS = 100_000
PART_BYTES = 64 * 1024**2
PACK = 1_000
PACK_BYTES = 4 * 1024**2
_OWN = {
    "_op_type": "VARCHAR",
    "_order": "BIGINT",
    "_cdc_timestamp": TZ,
    "_cdc_resume_token": "VARCHAR",
}
_OPS = {"insert": "c", "update": "u", "replace": "u", "delete": "d"}
_ENDS = ("drop", "rename", "dropDatabase", "invalidate")
_RAW: CodecOptions[RawBSONDocument] = CODEC.with_options(document_class=RawBSONDocument)


class MongoChanges:
    """Reads the change streams of a cluster."""

    def __init__(self, mongo: Mongo, session: Session) -> None:
        self.mongo = mongo
        self.session = session

    def beginning(self, stream: Stream, session: ClientSession) -> dict[str, Any]:
        """The token of now; `session` has seen all that lies before it."""
        with self._watched(stream, None, session) as events:
            token = events.resume_token
        self.mongo.now(session)
        if token is None:
            raise SyncError("Change streams need MongoDB 4.2 or later.")
        return _plain(token)

    def parts(self, stream: Stream, position: Position | None, end: Timestamp) -> Iterator[Part]:
        """What has happened behind a position, up to the end of the log; from now on without one."""
        if position is None:
            with self.mongo.reading() as session:
                token = self.beginning(stream, session)
            yield from self._committed(_Collected(self.session, stream, {}), token)
            return
        types = position.get("types") or {}
        began = token = _token(stream, position)
        collected = _Collected(self.session, stream, types)
        with self.mongo.reading() as session, self._watched(stream, token, session) as events:
            for event, reached in self._events(events, end):
                if event is None:
                    # Nothing more: the server says how far it has looked.
                    token = reached or token
                    break
                if collected.is_full and event["clusterTime"] != collected.time:
                    yield from self._committed(collected, token)
                    collected = _Collected(self.session, stream, collected.rows.types)
                collected.take(event)
                token = _plain(event["_id"])
            if collected.has_changes or _age(began, token) > IDLE_S:
                yield from self._committed(collected, token)

    def _events(
        self, events: CollectionChangeStream[RawBSONDocument], end: Timestamp
    ) -> Iterator[tuple[RawBSONDocument | None, dict[str, Any] | None]]:
        """Events up to the end; then None, with the token up to which there is no other."""
        patience = time.monotonic() + BEHIND_S
        while True:
            with self.mongo.faults():
                event = events.try_next()
            if event is not None and event["clusterTime"] > end:
                yield None, None
                return
            if event is not None:
                yield event, None
                patience = time.monotonic() + BEHIND_S
                continue
            reached = _plain(events.resume_token) if events.resume_token else None
            at = token_time(reached)
            if at is None or at >= end:
                yield None, reached
                return
            if time.monotonic() > patience:
                raise SyncError("The member that answers lags behind the others' log.", retry=True)

    def _committed(self, collected: "_Collected", token: dict[str, Any]) -> Iterator[Part]:
        yield collected.part(token)
        collected.rows.close()

    @contextmanager
    def _watched(
        self, stream: Stream, token: Mapping[str, Any] | None, session: ClientSession
    ) -> Iterator[CollectionChangeStream[RawBSONDocument]]:
        documents = self.mongo.collection(stream.name).with_options(codec_options=_RAW)  # type: ignore[arg-type]
        with self.mongo.faults():
            events = documents.watch(
                full_document="updateLookup",
                resume_after=token and json_util.loads(json.dumps(token)),
                max_await_time_ms=AWAIT_MS,
                session=session,
            )
        try:
            yield events  # type: ignore[misc]
        finally:
            with self.mongo.faults():
                events.close()


class _Collected:
    """Changes of one part."""

    def __init__(self, session: Session, stream: Stream, types: Mapping[str, str]) -> None:
        self.stream = stream
        self.rows = Rows(session, stream, types, _OWN)
        self.time: Timestamp | None = None
        self._documents: list[Mapping[str, Any]] = []
        self._own: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._order = 0

    @property
    def is_full(self) -> bool:
        """Whether a part should end here."""
        return self._order >= PART_ROWS or self.rows.bytes >= PART_BYTES

    @property
    def has_changes(self) -> bool:
        """Whether anything was taken."""
        return self._order > 0

    def take(self, event: RawBSONDocument) -> None:
        """One event."""
        kind = event["operationType"]
        if kind in _ENDS:
            raise SyncError(
                f"The collection {self.stream.id} was dropped or renamed ({kind}), and its log does not "
                "say which documents that were. Clear the stream to load it anew."
            )
        self.time = event["clusterTime"]
        if (op := _OPS.get(kind)) is None:
            return
        whole = bson.decode(event.raw, CODEC)
        document = whole["documentKey"] if op == "d" else whole.get("fullDocument")
        if document is None:
            # It is gone by now; its deletion follows in the log.
            return
        if op == "d":
            # A sharded cluster tells the shard key as well, which may be a part of a field.
            document = {"_id": document["_id"]}
        when = whole.get("wallTime") or DatetimeMS(self.time.time * 1000)
        self._order += 1
        self._documents.append(document)
        self._own.append((op, self._order, when, whole["_id"]["_data"]))
        self._bytes += len(event.raw)
        if len(self._documents) >= PACK or self._bytes > PACK_BYTES:
            self._pack()

    def part(self, token: dict[str, Any]) -> Part:
        """All of them, and the position behind them."""
        self._pack()
        relation = filtered(self.stream, self.rows.relation())
        position = {"token": token, "types": self.rows.types}
        return Part(self.stream, relation, position, op=None)

    def _pack(self) -> None:
        if self._documents:
            self.rows.add(self._documents, list(zip(*self._own, strict=True)))
        self._documents, self._own, self._bytes = [], [], 0


def token_time(token: Mapping[str, Any] | None) -> Timestamp | None:
    """The cluster time that a resume token begins with; None where it has another form."""
    data = (token or {}).get("_data")
    if not isinstance(data, str) or not data.startswith("82") or len(data) < 18:
        return None
    try:
        return Timestamp(int(data[2:10], 16), int(data[10:18], 16))
    except ValueError:
        return None


def _age(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """Seconds between two tokens; without end where they do not tell."""
    before, after = token_time(old), token_time(new)
    if before is None or after is None:
        return 0 if dict(old) == dict(new) else float("inf")
    return after.time - before.time


def _token(stream: Stream, position: Position) -> dict[str, Any]:
    """The token of a position of ours, or of OLake's, which has it without a frame."""
    token = position.get("token", position)
    if not isinstance(token, dict) or not isinstance(token.get("_data"), str):
        raise SyncError(f"The state of {stream.id} cannot be read: it has no token. Reset it.")
    return token


def _plain(token: Mapping[str, Any]) -> dict[str, Any]:
    """A token as a position keeps it: JSON. It may have more than `_data`."""
    plain: dict[str, Any] = json.loads(json_util.dumps(dict(token)))
    if not isinstance(plain.get("_data"), str):
        raise SyncError("Change streams need MongoDB 4.2 or later.")
    return plain
