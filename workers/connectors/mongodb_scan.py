"""Reading a collection: whole, in ranges of `_id` side by side, or what a filter finds.

Threads only fetch batches; whoever asks for documents decodes them. A range that breaks off goes on
behind its last `_id`. Bounds are those of the index, which knows an order of all types: `$gt` would
pass over values of another type.
"""

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import bson
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, CursorNotFound

from workers.connectors.mongodb import CODEC, Documents, Mongo, decoded

BATCH = 2_000
RANGE_DOCUMENTS = 50_000
"""Smaller collections are one range."""
RANGES = 4
"""For each thread."""
SAMPLED = 20
"""Ids for each range."""
PIECE_BYTES = 2 * 1024**2
Filter = Mapping[str, Any]
_Range = tuple[bytes | None, bytes | None]
"""Its first document's id, and that of the following range, each as a document `{_id: …}`."""


class Scan:
    """Reads one collection, as far as `since` has seen it at least."""

    def __init__(self, mongo: Mongo, documents: Documents, since: ClientSession) -> None:
        self.mongo = mongo
        self.documents = documents
        self.since = since
        self.threads = max(1, int(mongo.config.get("max_threads") or 3))
        retries = mongo.config.get("backoff_retry_count")
        self.retries = 3 if retries is None else int(retries)

    def found(self, filter_: Filter) -> Iterator[list[dict[str, Any]]]:
        """The documents that a filter finds, by whichever index the server chooses."""
        with self.mongo.faults(), self.mongo.reading(self.since) as session:
            cursor = self.documents.find_raw_batches(filter_, batch_size=BATCH, session=session)
            for raw in cursor:
                yield from map(decoded, pieces(raw))  # type: ignore[arg-type]

    def whole(self, filter_: Filter) -> Iterator[list[dict[str, Any]]]:
        """All documents that a filter leaves, in no order."""
        with self.mongo.faults():
            ranges = self._ranges()
            for raw in self._side_by_side(ranges, filter_):
                yield from map(decoded, pieces(raw))

    def _ranges(self) -> list[_Range]:
        """Ranges of about the same size, by a sample of the ids."""
        count = self.documents.estimated_document_count()
        if self.threads < 2 or count < RANGE_DOCUMENTS:
            return [(None, None)]
        # A sample of more than a twentieth would be sorted, with all that its documents hold.
        size = min(self.threads * RANGES * SAMPLED, count // 50)
        steps = [{"$sample": {"size": size}}, {"$project": {"_id": 1}}, {"$sort": {"_id": 1}}]
        with self.mongo.reading(self.since) as session:
            ids = [
                bson.encode({"_id": one["_id"]})
                for one in self.documents.aggregate(steps, session=session)
            ]
        bounds: Sequence[bytes] = list(dict.fromkeys(ids[SAMPLED::SAMPLED]))
        return list(zip([None, *bounds], [*bounds, None], strict=True))

    def _side_by_side(self, ranges: Sequence[_Range], filter_: Filter) -> Iterator[bytes]:
        batches: queue.Queue[bytes | Exception | None] = queue.Queue(1)
        ended = threading.Event()

        def put(item: bytes | Exception | None) -> None:
            waits = True
            while waits and not ended.is_set():
                with suppress(queue.Full):
                    batches.put(item, timeout=0.2)
                    waits = False

        def pull(one: _Range) -> None:
            try:
                for raw in self._range(one, filter_):
                    put(raw)
                    if ended.is_set():
                        return
                put(None)
            except Exception as error:
                put(error)

        with ThreadPoolExecutor(self.threads) as pool:
            for one in ranges:
                pool.submit(pull, one)
            try:
                left = len(ranges)
                while left:
                    item = batches.get()
                    if isinstance(item, Exception):
                        raise item
                    if item is None:
                        left -= 1
                    else:
                        yield item
            finally:
                ended.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _range(self, one: _Range, filter_: Filter) -> Iterator[bytes]:
        """Batches of a range; a connection that breaks is made anew behind the last of them."""
        lower, upper = one
        behind: bytes | None = None
        tries = 0
        while True:
            try:
                for raw in self._cursor(behind or lower, upper, filter_):
                    batch = without(raw, behind)
                    if batch:
                        behind, tries = last_id(batch), 0
                        yield batch
                return
            except (AutoReconnect, CursorNotFound):
                tries += 1
                if tries > self.retries:
                    raise
                time.sleep(min(2**tries / 4, 10))

    def _cursor(self, lower: bytes | None, upper: bytes | None, filter_: Filter) -> Iterator[bytes]:
        with self.mongo.reading(self.since) as session:
            cursor = self.documents.find_raw_batches(
                filter_, batch_size=BATCH, hint=[("_id", 1)], sort=[("_id", 1)], session=session
            )
            if lower is not None:
                cursor.min([("_id", bson.decode(lower, CODEC)["_id"])])
            if upper is not None:
                cursor.max([("_id", bson.decode(upper, CODEC)["_id"])])
            yield from cursor  # type: ignore[misc]


def pieces(raw: bytes) -> Iterator[bytes]:
    """A batch in pieces of about PIECE_BYTES: decoded, it would take a multiple of its size."""
    begin = at = 0
    while at < len(raw):
        at += int.from_bytes(raw[at : at + 4], "little")
        if at - begin >= PIECE_BYTES or at >= len(raw):
            yield raw[begin:at]
            begin = at


def without(raw: bytes, behind: bytes | None) -> bytes:
    """A batch without its first document, where that has been read already."""
    if behind is None or not raw:
        return raw
    size = int.from_bytes(raw[:4], "little")
    return raw[size:] if _id_of(raw[:size]) == behind else raw


def last_id(raw: bytes) -> bytes:
    """The id of a batch's last document."""
    at = 0
    while (end := at + int.from_bytes(raw[at : at + 4], "little")) < len(raw):
        at = end
    return _id_of(raw[at:])


def _id_of(document: bytes) -> bytes:
    return bson.encode({"_id": bson.decode(document, CODEC)["_id"]})
