"""Moves the rows of one job: each stream from its position on, position and rows committed together."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any

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
from workers.connectors.duck import transaction
from workers.connectors.faults import told
from workers.sync.catalog import plain_name
from workers.sync.progress import LOG_S, TELL_S, Progress, every, percent, sentence
from workers.sync.shape import Shape, shape

Tell = Callable[[dict[str, Any]], None]
"""Sends one line to whoever started the sync."""

RUN = "_run"
"""In a state: the run that told it. One without it was written by a person."""
SET = "_set"
"""In a state that a person has written: when. The first commit after it holds it as well."""
CDC = ("cdc", "strict_cdc")


class Sync:
    """One run of a job's streams, one after the other; a failed one does not stop the others."""

    def __init__(
        self,
        session: Session,
        source: Source,
        destination: Destination,
        tell: Tell,
        states: Mapping[str, Position] | None = None,
    ) -> None:
        """`states` are the job's, by stream; what a person wrote there overrules the destination."""
        self.session = session
        self.source = source
        self.destination = destination
        self.tell = tell
        self.states = states or {}
        self.progress: dict[str, Progress] = {}
        self.positions: dict[str, Position] = {}
        self.asked: set[str] = set()
        self.failed: list[SyncError] = []

    def run(self, streams: Sequence[Stream]) -> dict[str, Any]:
        """Sync all; raises the first SyncError when the others are done."""
        if not self.destination.upserts:
            streams = [replace(stream, append=True) for stream in streams]
        for stream in streams:
            self._attempt([stream], partial(self._read, stream))
        wanted = [s for s in streams if s.mode in CDC]
        logged = [s for s in wanted if s.id in self.progress]
        if logged:
            unknown = [s.id for s in wanted if s.id not in self.asked]
            self._attempt(logged, partial(self._changes, logged, unknown))
        self._tidy([stream for stream in streams if stream.id in self.progress])
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
            with transaction(self.session.duck):
                self.destination.clear(place(stream))
            self._end(stream, "succeeded")
            self.tell({"state": {stream.id: None}})
        return {"cleared": len(streams)}

    def _attempt(self, streams: Sequence[Stream], work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            # Whatever a connector does wrong: the other streams go on.
            said = told(error)
            self.failed.append(said)
            for stream in streams:
                self.session.log("error", f"{stream.id}: {said}")
                self._end(stream, "failed", str(said))
                self.progress.pop(stream.id, None)

    def _tidy(self, streams: Sequence[Stream]) -> None:
        """The destination's upkeep; the rows are safe by then, whatever comes of it."""
        tidy: Callable[[Table], None] = getattr(self.destination, "tidy", lambda table: None)
        for stream in streams:
            try:
                tidy(place(stream))
            except Exception as error:
                self.session.log("warning", f"{stream.id}: {told(error)}")

    def _read(self, stream: Stream) -> None:
        """A full refresh, what is behind the cursor, or the rows from which cdc starts."""
        self._begin(stream)
        position = self._position(stream)
        self.asked.add(stream.id)
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

    def _position(self, stream: Stream) -> Position | None:
        """Where to go on: as the destination says, unless somebody has set another position."""
        kept = self.destination.position(place(stream))
        state = self.states.get(stream.id)
        at = self._set_at(stream)
        if state is None or RUN in state or (at is not None and kept and kept.get("set") == at):
            return _going_on(stream, kept)
        self.session.log("info", f"{stream.id} goes on from the position that was set.")
        own = {name: value for name, value in state.items() if name != SET}
        # OLake keeps the cursor's greatest value under the cursor's name.
        return _taken_over(stream, own) if stream.cursor in own else own or None

    def _set_at(self, stream: Stream) -> str | None:
        """When a person has set the stream's state, if it is one that a person has set."""
        at: str | None = self.states.get(stream.id, {}).get(SET)
        return at

    def _kept(self, stream: Stream, position: Position) -> Position:
        """What the destination keeps: the position, and how it was reached."""
        how = {"mode": _family(stream), "cursor": _cursor(stream)}
        return {**how, "set": self._set_at(stream), "at": position}

    def _incremental(self, stream: Stream, position: Position | None) -> None:
        with _ended(self.source.read(stream, position)) as parts:
            with self._next(parts) as part:
                if part is None:
                    return
                if position is None:
                    made, load = self._load(part, upsert=False)
                    with self._watched(stream):
                        written = self.destination.replace(made.table, [load])
                else:
                    written = self._add(part)
            self._committed(part, written)
            self._drain(parts)

    def _replace(self, stream: Stream) -> None:
        with _ended(self.source.read(stream, None)) as parts, transaction(self.session.duck):
            first = next(parts)
            made, load = self._load(first, upsert=False)
            last = [first]

            def rest() -> Iterator[Load]:
                for part in parts:
                    last[0] = part
                    load = made.load(part, upsert=False)
                    yield replace(load, position=self._kept(stream, part.position))

            with self._watched(stream):
                written = self.destination.replace(made.table, chain([load], rest()))
        self._committed(last[0], written)

    def _changes(self, streams: Sequence[Stream], unknown: Sequence[str]) -> None:
        if unknown:
            # The source would forget what such a stream has not read.
            raise SyncError(
                f"The log waits for {unknown[0]}, whose position is unknown.", retry=True
            )
        known: Mapping[str, Position | None] = {s.id: self.positions.get(s.id) for s in streams}
        with _ended(self.source.changes(streams, known)) as parts:
            self._drain(parts)
        self.source.acknowledge({s.id: self.positions[s.id] for s in streams})
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
        with transaction(self.session.duck):
            yield next(parts, None)

    def _add(self, part: Part) -> Written:
        upsert = self.destination.upserts and not part.stream.append
        made, load = self._load(part, upsert=upsert)
        write = self.destination.upsert if upsert else self.destination.append
        with self._watched(part.stream):
            return write(made.table, load)

    def _load(self, part: Part, *, upsert: bool) -> tuple[Shape, Load]:
        stream = part.stream
        now = datetime.now(UTC)
        made = shape(self.session.duck, part, self.destination, now, place(stream))
        if made.conversions and self.progress[stream.id].rows == 0:
            listed = "; ".join(made.conversions)
            self.session.log("info", f"{stream.id} stores other types than its source: {listed}")
        load = made.load(part, upsert=upsert)
        return made, replace(load, position=self._kept(stream, part.position))

    def _begin(self, stream: Stream) -> None:
        self.progress[stream.id] = Progress()
        self.tell({"stream": stream.id, "status": "running"})

    @contextmanager
    def _watched(self, stream: Stream) -> Iterator[None]:
        """Tell how far a load has come while it is written."""
        under_way = getattr(self.destination, "under_way", lambda: Written(0))
        logged = time.monotonic()

        def tell() -> None:
            nonlocal logged
            figures = self.progress[stream.id].figures(under_way())
            read = percent(self.session.duck)
            figures |= {} if read is None else {"percent": read}
            self.tell({"stream": stream.id, "status": "running", **figures})
            if time.monotonic() - logged > LOG_S:
                logged = time.monotonic()
                self.session.log("info", sentence(stream.id, figures))

        with every(TELL_S, tell):
            yield

    def _committed(self, part: Part, written: Written) -> None:
        id_ = part.stream.id
        self.positions[id_] = part.position
        progress = self.progress[id_]
        progress.add(written)
        self.tell({"stream": id_, "status": "running", **progress.figures()})
        self.tell({"state": {id_: {**part.position, RUN: list(self.session.run.order)}}})

    def _end(self, stream: Stream, status: str, error: str | None = None) -> None:
        progress = self.progress.get(stream.id) or Progress()
        said = {} if error is None else {"error": error}
        self.tell({"stream": stream.id, "status": status, **progress.figures(), **said})


@contextmanager
def _ended(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """A source that is left in the middle lets go of what it holds, while its connections live."""
    try:
        yield parts
    finally:
        if isinstance(parts, Generator):
            parts.close()


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
