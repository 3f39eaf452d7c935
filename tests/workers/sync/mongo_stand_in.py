"""What stands in for a MongoDB server: real sockets, MongoDB's messages, collections in memory.

It knows what the connector asks for, and answers as MongoDB's documentation says: comparisons that
stay within one type, bounds of an index that do not, change streams with resume tokens, SCRAM.
Whatever else it is asked is an error.
"""

import secrets
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp

from tests.workers.sync.mongo_values import Doc, copy, matches, order
from tests.workers.sync.mongo_wire import Connection, Fault

_LAST = 0xFFFF


@dataclass
class Event:
    """An entry of the log."""

    at: tuple[int, int, int]
    """Time, increment, and place within a transaction."""
    namespace: tuple[str, str]
    told: Doc

    @property
    def token(self) -> str:
        return token(*self.at)


@dataclass
class _Cursor:
    namespace: tuple[str, str]
    rest: Iterator[Doc] = field(default_factory=lambda: iter(()))
    behind: tuple[int, int, int] | None = None
    """Of a change stream: what was told already."""
    looks_up: bool = False


def token(time: int, increment: int, place: int = _LAST) -> str:
    """A resume token; without a place it lies behind all changes of that time."""
    return f"82{time:08X}{increment:08X}2B{place:04X}"


def token_place(data: str) -> tuple[int, int, int]:
    return int(data[2:10], 16), int(data[10:18], 16), int(data[20:24], 16)


class StandIn:
    """A server, started with `start`; tests write into it by its methods."""

    def __init__(
        self,
        *,
        replica_set: str | None = "rs0",
        users: dict[str, str] | None = None,
        tls: Path | None = None,
        member: str = "db.example",
    ) -> None:
        self.replica_set, self.users, self.member = replica_set, users, member
        self.databases: dict[str, dict[str, list[Doc]]] = {}
        self.kinds: dict[tuple[str, str], str] = {}
        self.log: list[Event] = []
        self.log_begins = (0, 0, 0)
        self.clock = (1_760_000_000, 1)
        self.lags = 0
        """So many times a change stream still knows of nothing new."""
        self.commands: list[Doc] = []
        self.before: Callable[[Doc], None] = lambda command: None
        """Called for every command, before it is done; may raise Fault or ConnectionError."""
        self._cursors: dict[int, _Cursor] = {}
        self._ids = count(1000)
        self._lock = threading.RLock()
        stand_in = self

        class Handler(socketserver.BaseRequestHandler):
            def setup(self) -> None:
                if tls is not None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(tls)
                    self.request = context.wrap_socket(self.request, server_side=True)

            def handle(self) -> None:
                Connection(stand_in.answer, stand_in.users, self.request).serve()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that went away is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # What tests write.

    def insert(self, collection: str, *documents: Doc, database: str = "shop") -> None:
        for document in documents:
            with self._lock:
                self._rows(database, collection).append(copy(document))
                self._tell(database, collection, "insert", document)

    def update(self, collection: str, id_: Any, change: Doc, database: str = "shop") -> None:
        with self._lock:
            document = self._one(database, collection, id_)
            document.update(copy(change))
            self._tell(database, collection, "update", document)

    def replace(self, collection: str, document: Doc, database: str = "shop") -> None:
        with self._lock:
            old = self._one(database, collection, document["_id"])
            old.clear()
            old.update(copy(document))
            self._tell(database, collection, "replace", document)

    def delete(self, collection: str, id_: Any, database: str = "shop") -> None:
        with self._lock:
            document = self._one(database, collection, id_)
            self._rows(database, collection).remove(document)
            self._tell(database, collection, "delete", document)

    def drop(self, collection: str, database: str = "shop") -> None:
        with self._lock:
            del self.databases[database][collection]
            self._tell(database, collection, "drop", {})
            self._tell(database, collection, "invalidate", {})

    def transaction(self, collection: str, *documents: Doc, database: str = "shop") -> None:
        """Documents inserted at one time of the cluster."""
        with self._lock:
            self.tick()
            for place, document in enumerate(documents):
                self._rows(database, collection).append(copy(document))
                self._tell(database, collection, "insert", document, place=place)

    def forget(self) -> None:
        """Let the log begin now."""
        with self._lock:
            self.tick()
            self.log, self.log_begins = [], (*self.clock, 0)

    def tick(self, seconds: int = 0) -> None:
        self.clock = (self.clock[0] + seconds, self.clock[1] + 1)

    def asked(self, name: str) -> list[Doc]:
        """The commands of that name so far."""
        return [command for command in self.commands if name in command]

    def _tell(
        self, database: str, collection: str, kind: str, document: Doc, place: int | None = None
    ) -> None:
        if place is None:
            self.tick()
        told: Doc = {
            "operationType": kind,
            "clusterTime": Timestamp(*self.clock),
            "wallTime": DatetimeMS(self.clock[0] * 1000 + self.clock[1]),
            "ns": {"db": database, "coll": collection},
        }
        if document:
            told["documentKey"] = {"_id": document["_id"]}
        if kind in ("insert", "replace"):
            told["fullDocument"] = copy(document)
        self.log.append(Event((*self.clock, place or 0), (database, collection), told))

    def _rows(self, database: str, collection: str) -> list[Doc]:
        return self.databases.setdefault(database, {}).setdefault(collection, [])

    def _one(self, database: str, collection: str, id_: Any) -> Doc:
        return next(d for d in self._rows(database, collection) if d["_id"] == id_)

    # What clients ask.

    def answer(self, command: Doc) -> Doc:
        name = next(iter(command))
        with self._lock:
            self.commands.append(command)
        self.before(command)
        if self.replica_set is None and command.get("readConcern"):
            raise Fault(123, "node needs to be a replica set member to use read concern")
        with self._lock:
            do = getattr(self, f"_do_{name.lower()}", None)
            if do is None:
                raise Fault(59, f"no such command: '{name}'")
            return {**do(command), **self._times(), "ok": 1.0}

    def _times(self) -> Doc:
        if self.replica_set is None:
            return {}
        now = Timestamp(*self.clock)
        signature = {"hash": b"\0" * 20, "keyId": 0}
        return {"operationTime": now, "$clusterTime": {"clusterTime": now, "signature": signature}}

    def _do_hello(self, command: Doc) -> Doc:
        me = f"{self.member}:{self.port}"
        member = {
            "setName": self.replica_set,
            "hosts": [me],
            "me": me,
            "primary": me,
            "setVersion": 1,
        }
        mechanisms = {"saslSupportedMechs": ["SCRAM-SHA-256"]} if self.users is not None else {}
        return {
            "helloOk": True,
            "ismaster": True,
            "isWritablePrimary": True,
            "readOnly": False,
            "maxBsonObjectSize": 2**24,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "logicalSessionTimeoutMinutes": 30,
            **mechanisms,
            **(member if self.replica_set is not None else {}),
        }

    _do_ismaster = _do_hello

    def _do_ping(self, command: Doc) -> Doc:
        return {}

    _do_endsessions = _do_ping

    def _do_killcursors(self, command: Doc) -> Doc:
        for id_ in command["cursors"]:
            self._cursors.pop(id_, None)
        return {"cursorsKilled": command["cursors"]}

    def _do_listcollections(self, command: Doc) -> Doc:
        database = command["$db"]
        found = [
            {"name": name, "type": self.kinds.get((database, name), "collection"), "options": {}}
            for name in self.databases.get(database, {})
        ]
        return self._opened(_Cursor((database, "$cmd.listCollections"), iter(found)), 1000)

    def _do_count(self, command: Doc) -> Doc:
        return {"n": len(self._stored(command["$db"], command["count"]))}

    def _do_find(self, command: Doc) -> Doc:
        name = (command["$db"], command["find"])
        rows = [d for d in self._stored(*name) if matches(d, command.get("filter") or {})]
        if "min" in command or "max" in command:
            assert command["hint"] == {"_id": 1}
        lower, upper = command.get("min"), command.get("max")
        if lower:
            rows = [d for d in rows if order(d["_id"]) >= order(lower["_id"])]
        if upper:
            rows = [d for d in rows if order(d["_id"]) < order(upper["_id"])]
        for by, direction in reversed(list((command.get("sort") or {}).items())):
            if by == "$natural":
                rows = rows[::direction]
            else:
                rows.sort(key=lambda d: order(d.get(by)), reverse=direction < 0)
        rows = rows[: command.get("limit") or None]
        if shown := command.get("projection"):
            rows = [{k: v for k, v in d.items() if k == "_id" or k in shown} for d in rows]
        return self._opened(
            _Cursor(name, iter(copy(d) for d in rows)), command.get("batchSize", 101)
        )

    def _do_aggregate(self, command: Doc) -> Doc:
        name, pipeline = (command["$db"], command["aggregate"]), command["pipeline"]
        if "$changeStream" in pipeline[0]:
            return self._watched(name, pipeline[0]["$changeStream"])
        (sample, shown, by) = pipeline
        assert (shown, by) == ({"$project": {"_id": 1}}, {"$sort": {"_id": 1}})
        rows = list(self._stored(*name))
        secrets.SystemRandom().shuffle(rows)
        ids = sorted((d["_id"] for d in rows[: sample["$sample"]["size"]]), key=order)
        return self._opened(_Cursor(name, iter({"_id": i} for i in ids)), 101)

    def _watched(self, name: tuple[str, str], options: Doc) -> Doc:
        if self.replica_set is None:
            raise Fault(40573, "The $changeStream stage is only supported on replica sets")
        behind = (*self.clock, _LAST)
        if "resumeAfter" in options:
            behind = token_place(options["resumeAfter"]["_data"])
            if behind < self.log_begins:
                raise Fault(286, "Resume of change stream was not possible")
        cursor = _Cursor(
            name, behind=behind, looks_up=options.get("fullDocument") == "updateLookup"
        )
        return self._opened(cursor, 0)

    def _do_getmore(self, command: Doc) -> Doc:
        cursor = self._cursors.get(command["getMore"])
        if cursor is None:
            raise Fault(43, "cursor id not found")
        return self._batch(command["getMore"], cursor, "nextBatch", command.get("batchSize", 1000))

    def _opened(self, cursor: _Cursor, size: int) -> Doc:
        id_ = next(self._ids)
        self._cursors[id_] = cursor
        return self._batch(id_, cursor, "firstBatch", size)

    def _batch(self, id_: int, cursor: _Cursor, name: str, size: int) -> Doc:
        more: Doc
        if cursor.behind is not None and name == "nextBatch" and self.lags:
            self.lags -= 1
            told, more = [], {"postBatchResumeToken": {"_data": token(*cursor.behind)}}
        elif cursor.behind is not None:
            told = self._events(cursor, size)
            seen = {"_data": token(*(cursor.behind if told else (*self.clock, _LAST)))}
            more = {"postBatchResumeToken": seen}
        else:
            told = list(islice(cursor.rest, size))
            following = next(cursor.rest, None)
            if following is None:
                id_ = self._cursors.pop(id_) and 0
            else:
                rest = cursor.rest
                cursor.rest = (d for part in ((following,), rest) for d in part)
            more = {}
        return {"cursor": {name: told, "id": id_, "ns": ".".join(cursor.namespace), **more}}

    def _events(self, cursor: _Cursor, size: int) -> list[Doc]:
        told = []
        for event in self.log:
            if (
                event.at > (cursor.behind or ())
                and event.namespace == cursor.namespace
                and len(told) < size
            ):
                one = {"_id": {"_data": event.token}, **event.told}
                if event.told["operationType"] == "update" and cursor.looks_up:
                    found = [
                        d
                        for d in self._stored(*cursor.namespace)
                        if d["_id"] == one["documentKey"]["_id"]
                    ]
                    one["fullDocument"] = copy(found[0]) if found else None
                told.append(one)
                cursor.behind = event.at
        return told

    def _stored(self, database: str, collection: str) -> list[Doc]:
        return self.databases.get(database, {}).get(collection, [])
