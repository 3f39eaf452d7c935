"""Moves the rows of one job: each stream from its position on, position and rows committed together."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any

import duckdb

from workers.connectors.base import (
    Destination,
    Load,
    Part,
    Position,
    Session,
    Source,
    Stream,
    SyncError,
    Table,
    Written,
)
from workers.connectors.faults import fault
from workers.sync.catalog import plain_name
from workers.sync.shape import Shape, shape

Tell = Callable[[dict[str, Any]], None]
"""Sends one line to whoever started the sync."""

CDC = ("cdc", "strict_cdc")


@dataclass
class Progress:
    """What of one stream is committed."""

    rows: int = 0
    bytes: int = 0
    began: float = field(default_factory=time.monotonic)

    def figures(self) -> dict[str, Any]:
        """For the wire; rows a second over the whole time."""
        took = max(time.monotonic() - self.began, 1e-6)
        return {"rows": self.rows, "bytes": self.bytes, "rows_per_s": round(self.rows / took, 1)}


class Sync:
    """One run of a job's streams, one after the other; a failed one does not stop the others."""

    def __init__(
        self,
        session: Session,
        source: Source,
        destination: Destination,
        tell: Tell,
        states: Mapping[str, Any] | None = None,
    ) -> None:
        """`states` count for streams that the destination knows nothing of, where another program
        has read them."""
        self.session = session
        self.states = states or {}
        self.source = source
        self.destination = destination
        self.tell = tell
        self.progress: dict[str, Progress] = {}
        self.positions: dict[str, Position] = {}
        self.failed: list[SyncError] = []

    def run(self, streams: Sequence[Stream]) -> dict[str, Any]:
        """Sync all; raises the first SyncError when the others are done."""
        for stream in streams:
            self._attempt([stream], partial(self._read, stream))
        logged = [s for s in streams if s.mode in CDC and s.id in self.progress]
        if logged:
            self._attempt(logged, partial(self._changes, logged))
        if self.failed:
            final = [error for error in self.failed if not error.retry]
            raise (final or self.failed)[0]
        rows = sum(p.rows for p in self.progress.values())
        size = sum(p.bytes for p in self.progress.values())
        self.session.log("info", f"Total records read: {rows} | Total bytes read: {size}")
        self.session.log("info", "Sync completed, wait 5 seconds cleanup in progress...")
        return {"rows": rows, "bytes": size}

    def clear(self, streams: Sequence[Stream]) -> dict[str, Any]:
        """Remove the streams' tables and positions."""
        for stream in streams:
            self._begin(stream)
            with transaction(self.session):
                self.destination.clear(place(stream))
            self._end(stream, "succeeded")
            self.tell({"state": {stream.id: None}})
        return {"cleared": len(streams)}

    def _attempt(self, streams: Sequence[Stream], work: Callable[[], None]) -> None:
        try:
            work()
        except (SyncError, duckdb.Error) as error:
            told = error if isinstance(error, SyncError) else fault(error)
            self.failed.append(told)
            for stream in streams:
                self.session.log("error", f"{stream.id}: {told}")
                self._end(stream, "failed", str(told))
                self.progress.pop(stream.id, None)

    def _read(self, stream: Stream) -> None:
        """A full refresh, what is behind the cursor, or the rows from which cdc starts."""
        self._begin(stream)
        kept = self.destination.position(place(stream))
        position = _going_on(stream, kept)
        if kept is None and stream.mode == "incremental":
            position = _taken_over(stream, self.states.get(stream.id) or {})
        if stream.mode == "full_refresh":
            self._replace(stream)
        elif stream.mode == "incremental":
            self._incremental(stream, position)
        elif position is None and stream.mode == "cdc":
            self._replace(stream)
        elif position is not None:
            self.positions[stream.id] = position
        if stream.mode not in CDC:
            self._end(stream, "succeeded")

    def _incremental(self, stream: Stream, position: Position | None) -> None:
        parts = self.source.read(stream, position)
        with self._next(parts) as part:
            if part is None:
                return
            if position is None:
                made, load = self._load(part, upsert=False)
                written = self.destination.replace(made.table, [load])
            else:
                written = self._add(part)
        self._committed(part, written)
        self._drain(parts)

    def _replace(self, stream: Stream) -> None:
        parts = self.source.read(stream, None)
        with transaction(self.session):
            first = next(parts)
            made, load = self._load(first, upsert=False)
            last = [first]

            def rest() -> Iterator[Load]:
                for part in parts:
                    last[0] = part
                    load = made.load(part, upsert=False)
                    yield replace(load, position=_kept(stream, part.position))

            written = self.destination.replace(made.table, chain([load], rest()))
        self._committed(last[0], written)

    def _changes(self, streams: Sequence[Stream]) -> None:
        known: Mapping[str, Position | None] = {s.id: self.positions.get(s.id) for s in streams}
        self._drain(self.source.changes(streams, known))
        self.source.acknowledge(self.positions)
        for stream in streams:
            self._end(stream, "succeeded")

    def _drain(self, parts: Iterator[Part]) -> None:
        while True:
            with self._next(parts) as part:
                if part is None:
                    return
                written = self._add(part)
            self._committed(part, written)

    @contextmanager
    def _next(self, parts: Iterator[Part]) -> Iterator[Part | None]:
        """The next part, in the transaction in which it is written."""
        with transaction(self.session):
            yield next(parts, None)

    def _add(self, part: Part) -> Written:
        upsert = self.destination.upserts and not part.stream.append
        made, load = self._load(part, upsert=upsert)
        write = self.destination.upsert if upsert else self.destination.append
        return write(made.table, load)

    def _load(self, part: Part, *, upsert: bool) -> tuple[Shape, Load]:
        stream = part.stream
        now = datetime.now(UTC)
        made = shape(self.session.duck, part, self.destination, now, place(stream))
        if made.conversions and self.progress[stream.id].rows == 0:
            listed = "; ".join(made.conversions)
            self.session.log("info", f"{stream.id} stores other types than its source: {listed}")
        load = made.load(part, upsert=upsert)
        return made, replace(load, position=_kept(stream, part.position))

    def _begin(self, stream: Stream) -> None:
        self.progress[stream.id] = Progress()
        self.tell({"stream": stream.id, "status": "running"})

    def _committed(self, part: Part, written: Written) -> None:
        id_ = part.stream.id
        self.positions[id_] = part.position
        progress = self.progress[id_]
        progress.rows += written.rows
        progress.bytes += written.bytes
        self.tell({"stream": id_, "status": "running", **progress.figures()})
        self.tell({"state": {id_: part.position}})

    def _end(self, stream: Stream, status: str, error: str | None = None) -> None:
        progress = self.progress.get(stream.id) or Progress()
        said = {} if error is None else {"error": error}
        self.tell({"stream": stream.id, "status": status, **progress.figures(), **said})


def _kept(stream: Stream, position: Position) -> Position:
    """What the destination keeps: the position, and how it was reached."""
    return {"mode": _family(stream), "cursor": _cursor(stream), "at": position}


def _going_on(stream: Stream, kept: Position | None) -> Position | None:
    """The position to go on from: none where the stream was read in another way until now."""
    if kept is None or kept.get("mode") != _family(stream) or kept.get("cursor") != _cursor(stream):
        return None
    at: Position = kept["at"]
    return at


def _taken_over(stream: Stream, state: Mapping[str, Any]) -> Position | None:
    """The position that OLake's state of a stream means: the greatest value of its cursor."""
    if state.get("chunks") or not stream.cursor or state.get(stream.cursor) is None:
        return None
    columns = [c for c in (stream.cursor, stream.second_cursor) if c]
    marks = [None if state.get(c) is None else str(state[c]) for c in columns]
    return {"marks": marks, "system": "", "oldest": None, "seen": []}


def _family(stream: Stream) -> str:
    return "cdc" if stream.mode in CDC else stream.mode


def _cursor(stream: Stream) -> str | None:
    return f"{stream.cursor}:{stream.second_cursor}" if stream.mode == "incremental" else None


def place(stream: Stream) -> Table:
    """Where a stream goes; the `:` of OLake's database names becomes an underscore."""
    return Table(
        stream.id,
        "_".join(plain_name(part) for part in stream.database.split(":")),
        plain_name(stream.table),
        (),
        stream.partition,
    )


@contextmanager
def transaction(session: Session) -> Iterator[None]:
    """One transaction of DuckDB, and so of the databases attached to it."""
    session.duck.execute("BEGIN")
    try:
        yield
        session.duck.execute("COMMIT")
    except BaseException:
        try:
            session.duck.execute("ROLLBACK")
        except duckdb.Error:
            # A failed commit has ended the transaction already.
            session.log("debug", "There was nothing to roll back.")
        raise
