"""Reading a collection by a cursor field: up to the value that was the greatest when it began.

What comes with a greater value meanwhile belongs to the next sync. Documents that have the greatest
value are known again by their hashes.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import bson
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession

from workers.connectors.base import Position, Session, Stream, SyncError
from workers.connectors.mongodb import Documents, Mongo

SEEN = 5_000
"""So many documents at a position are remembered, to know them again."""
_NUMBERS = (int, Int64, float, Decimal128)
_ORDERED = (*_NUMBERS, str, DatetimeMS, ObjectId, Timestamp)
_OPTIONS = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS
)


class MongoCursor:
    """The cursor of one stream; a second one counts where the first is null or missing."""

    def __init__(
        self, mongo: Mongo, session: Session, stream: Stream, documents: Documents
    ) -> None:
        self.mongo, self.session, self.stream, self.documents = mongo, session, stream, documents
        if not stream.cursor:
            raise SyncError(f"Stream {stream.id} is incremental and has no cursor field.")
        self.fields = [name for name in (stream.cursor, stream.second_cursor) if name]
        self._old: list[Any] = [None] * len(self.fields)
        self._known: set[str] = set()
        self._edge: list[str] = []

    def filter(self, position: Position | None, session: ClientSession) -> Mapping[str, Any]:
        """What lies behind a position, and not behind the values that are the greatest now.

        Whoever reads then must see what `session` has seen.
        """
        greatest = [self._greatest(i, session) for i in range(len(self.fields))]
        self.marks = greatest
        if position is None:
            return {"$nor": [self._at(i, self._above(top)) for i, top in enumerate(greatest)]}
        self._old, self._known = self._understood(position, greatest)
        found, self.marks = [], []
        for i, old in enumerate(self._old):
            top = self._greatest(i, session, old)
            self.marks.append(old if top is None else top)
            if top is not None:
                lower = {"$ne": None} if old is None else {"$gte": old}
                found.append(self._at(i, {**lower, "$lte": top}))
        return {"$or": found} if found else {"_id": {"$in": []}}

    def fresh(self, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that no earlier sync has read; called for all of them, in any order."""
        fresh = []
        for document in documents:
            if self._is_at(document, self.marks) or self._is_at(document, self._old):
                mark = hashlib.md5(bson.encode(document), usedforsecurity=False).hexdigest()
                if self._is_at(document, self.marks) and len(self._edge) <= SEEN:
                    self._edge.append(mark)
                if mark in self._known:
                    continue
            fresh.append(document)
        return fresh

    def position(self) -> Position:
        """Behind all that was read."""
        edge = self._edge
        if len(edge) > SEEN:
            text = (
                f"More than {SEEN} documents of {self.stream.id} are at the position that was "
                "reached: the next sync reads them again."
            )
            self.session.log("warning", text)
            edge = []
        return {"marks": [_written(mark) for mark in self.marks], "seen": edge}

    def _at(self, index: int, condition: Any) -> dict[str, Any]:
        """A condition of the field that counts."""
        first = {self.fields[0]: None} if index else {}
        return {**first, self.fields[index]: condition}

    def _above(self, top: Any) -> Any:
        return {"$ne": None} if top is None else {"$gt": top}

    def _is_at(self, document: Mapping[str, Any], marks: Sequence[Any]) -> bool:
        """Whether a document has the value of a mark where that counts."""
        for i, mark in enumerate(marks):
            value = document.get(self.fields[i])
            if value is not None:
                return mark is not None and bool(value == mark)
        return False

    def _greatest(self, index: int, session: ClientSession, at_least: Any = None) -> Any:
        """The greatest value that counts; None where there is none."""
        name = self.fields[index]
        asked = {"$ne": None} if at_least is None else {"$gte": at_least}
        with self.mongo.faults():
            found = self.documents.find_one(
                self._at(index, asked), {name: 1}, sort=[(name, -1)], session=session
            )
        if found is None:
            return None
        value = found[name]
        if type(value) not in _ORDERED:
            raise SyncError(
                f"The cursor {name} of {self.stream.id} has values that are neither numbers, texts, "
                "dates nor object ids: it cannot be one."
            )
        return value

    def _understood(
        self, position: Position, greatest: Sequence[Any]
    ) -> tuple[list[Any], set[str]]:
        """A position of ours, or one that was set by hand, such as {"updated_at": "2026-01-01"}."""
        marks = position.get("marks") or [position.get(name) for name in self.fields]
        fits = isinstance(marks, list) and len(marks) == len(self.fields)
        if not fits or ("marks" not in position and not any(marks)):
            raise SyncError(
                f"The state of {self.stream.id} cannot be read. Give the value of its cursor, as in "
                f'{{"{self.fields[0]}": …}}, or reset it.'
            )
        read = [self._read(mark, top) for mark, top in zip(marks, greatest, strict=True)]
        return read, {str(mark) for mark in position.get("seen") or []}

    def _read(self, mark: Any, top: Any) -> Any:
        """A mark as a value; a text that was set by hand becomes what the collection has."""
        value = json_util.loads(json.dumps(mark), json_options=_OPTIONS)
        if isinstance(value, str) and top is not None:
            value = _as(type(top), value)
        if value is not None and top is not None and _family(value) != _family(top):
            raise SyncError(
                f"The cursor of {self.stream.id} now has values of another type ({_family(top)}) than "
                f"at the last sync ({_family(value)}). Clear the stream to load it anew."
            )
        return value


def _written(mark: Any) -> Any:
    return json.loads(json_util.dumps(mark, json_options=_OPTIONS))


def _as(kind: type, text: str) -> Any:
    """A text as a value of a type, where it is one."""
    with suppress(ValueError, TypeError):
        if kind is DatetimeMS:
            when = datetime.fromisoformat(text)
            return DatetimeMS(when if when.tzinfo else when.replace(tzinfo=UTC))
        if kind is ObjectId and ObjectId.is_valid(text):
            return ObjectId(text)
        if kind is Decimal128:
            return Decimal128(text)
        if kind in (int, Int64, float):
            return float(text) if kind is float else Int64(text)
    return text


def _family(value: Any) -> str:
    """The types that MongoDB compares with one another."""
    return "number" if type(value) in _NUMBERS else type(value).__name__
