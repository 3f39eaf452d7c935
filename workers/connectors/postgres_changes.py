"""From messages of the log to parts: each stream's changes behind its own position.

A position holds `lsn`, the end of the last transaction that it covers, and `system`, the server.
After a full load also `snapshot`, in which the load saw the table, and `until`, where the log ended
then: up to there the snapshot tells which transactions the load holds already. So each change comes
once, also for streams that are appended to and for tables without a key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from workers.connectors.base import Part, Position, Session, Stream, SyncError, literal, quote
from workers.connectors.change_batch import ChangeBatch, Field
from workers.connectors.pgoutput import (
    ABSENT,
    Begin,
    Commit,
    Delete,
    Insert,
    Relation,
    RelationColumn,
    Row,
    Truncate,
    Update,
)
from workers.connectors.postgres_log import PostgresLog, Slot, lsn_number, lsn_text
from workers.connectors.postgres_text import array_json, from_text
from workers.connectors.postgres_types import PgColumn, duck_type

WINDOW = 200_000
"""So many messages are read before they are committed, and the rest of the last transaction."""
MEMORY_BYTES = 32 * 1024**2
OWING = 500
IDLE_BYTES = 16 * 1024**2
"""A stream without changes is committed anew when its position is so far behind."""
_TYPES = """
SELECT m.oid::bigint AS oid, m.modifier AS modifier, b.typtype::text AS kind,
  format_type(b.oid, coalesce(nullif(m.modifier, -1), t.typtypmod)) AS type,
  b.typelem <> 0 AND b.typlen = -1 AS listed
FROM (VALUES {pairs}) AS m(oid, modifier) JOIN pg_type t ON t.oid = m.oid::bigint::oid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
"""
_Typed = tuple[str, str, bool]


@dataclass
class Target:
    """A stream, its table as the catalogue has it now, and how far it is."""

    stream: Stream
    columns: Sequence[PgColumn]
    position: Position
    batch: ChangeBatch | None = None
    relation: Relation | None = None
    """Its table as the log had it last."""
    wanted: list[int] = field(default_factory=list)
    """Which of the relation's columns are read."""
    listed: dict[int, int] = field(default_factory=dict)
    """Dimensions of those that are arrays."""
    key: list[int] = field(default_factory=list)
    needed: set[int] = field(default_factory=set)
    """Columns without which a row cannot be judged: those of the filter."""
    owing: list[tuple[Any, ...]] = field(default_factory=list)
    """Changes whose absent values are still to be looked up."""

    @property
    def lsn(self) -> int:
        """The end of the last transaction that the position covers."""
        return lsn_number(self.position["lsn"])

    def verify(self, slot: Slot, system: str) -> None:
        """SyncError where the slot has not kept what follows the position."""
        again = f"Clear stream {self.stream.id} to load it anew."
        if self.position["system"] != system:
            raise SyncError(f"This is another server than the one that was read until now. {again}")
        if self.lsn < slot.confirmed:
            raise SyncError(
                f"The log is gone between {lsn_text(self.lsn)}, how far {self.stream.id} was read, "
                f"and {lsn_text(slot.confirmed)}, where its slot is: something else reads the slot, "
                f"or it was made anew. Each job needs a slot of its own. {again}"
            )

    def has(self, transaction: Begin) -> bool:
        """Whether the position covers a transaction."""
        if transaction.lsn < self.lsn:
            return True
        snapshot = self.position.get("snapshot")
        return snapshot is not None and is_visible(transaction.xid, snapshot)

    def moved(self, lsn: int) -> Position:
        """The position behind all transactions up to there."""
        position = {**self.position, "lsn": lsn_text(max(lsn, self.lsn))}
        if "until" in position and lsn >= lsn_number(position["until"]):
            del position["until"], position["snapshot"]
        return position


class Changes:
    """Reads the log for all streams of a job, to where it ended at the start."""

    def __init__(self, session: Session, log: PostgresLog, targets: Sequence[Target]) -> None:
        self.session = session
        self.log = log
        self.targets = {(t.stream.namespace, t.stream.name): t for t in targets}
        self._relations: dict[int, Target] = {}
        self._names: dict[int, str] = {}
        self._types: dict[tuple[int, int], _Typed] = {}
        self._order = 0
        self._begin = Begin(0, 0, 0)

    def parts(self, started: Iterable[Target]) -> Iterator[Part]:
        """Parts of each window of the log; the slot follows when all streams are committed.

        Streams that have just `started` begin with a part without rows.
        """
        to, checkpoint, _ = self.log.ends()
        for target in started:
            yield from self._commit(target, target.lsn)
        while True:
            end, more = self._window(to)
            for target in self.targets.values():
                reached = max(end, checkpoint)
                if target.batch or more:
                    yield from self._commit(target, end if more else reached)
                elif reached - target.lsn > IDLE_BYTES:
                    yield from self._commit(target, reached)
            if not more:
                return
            self.log.advance(min(target.lsn for target in self.targets.values()))

    def close(self) -> None:
        """Let go of what is not committed."""
        for target in self.targets.values():
            if target.batch is not None:
                target.batch.close()

    def _commit(self, target: Target, end: int) -> Iterator[Part]:
        if target.batch is None:
            today = [RelationColumn(c.name, False, 0, 0) for c in target.columns]
            relation = Relation(0, target.stream.namespace, target.stream.name, "", tuple(today))
            self._lay_out(target, relation, target.columns)
        batch, position = target.batch, target.moved(end)
        assert batch is not None
        yield batch.part(position)
        batch.close()
        target.batch, target.relation, target.position = None, None, position

    def _window(self, to: int) -> tuple[int, bool]:
        """Collect the changes of the next transactions: where they end, and whether more follow."""
        end, count, whole = 0, 0, True
        skip: dict[int, bool] = {}
        for lsn, message, size in self.log.read(to, WINDOW):
            count += 1
            if message is None:
                continue
            if isinstance(message, Begin):
                self._begin, whole = message, False
                skip = {}
            elif isinstance(message, Commit):
                end, whole = message.end, True
            elif isinstance(message, Relation):
                self._meet(message)
            elif isinstance(message, Truncate):
                self._refuse_truncate(message, lsn)
            elif (target := self._relations.get(message.relation)) is not None:
                # One look for each transaction and table.
                if (known := skip.get(message.relation)) is None:
                    known = skip[message.relation] = target.has(self._begin)
                if not known:
                    self._change(target, message, lsn, size)
        if not whole:
            raise SyncError("The log ended inside a transaction.", retry=True)
        for target in self.targets.values():
            self._settle(target)
        return end, count >= WINDOW

    def _meet(self, relation: Relation) -> None:
        """A table, as it is from here on in the log."""
        self._relations.pop(relation.id, None)
        target = self.targets.get((relation.schema, relation.name))
        if target is None:
            return
        self._relations[relation.id] = target
        if target.batch is None or target.relation != relation:
            self._lay_out(target, relation, self._typed(relation.columns, target.columns))

    def _refuse_truncate(self, message: Truncate, lsn: int) -> None:
        for id_ in message.relations:
            target = self._relations.get(id_)
            if target is not None and not target.has(self._begin):
                raise SyncError(
                    f"Table {target.stream.id} was truncated (at {lsn_text(lsn)}), and the log "
                    "does not say which rows that were. Clear the stream to load it anew."
                )

    def _lay_out(self, target: Target, relation: Relation, typed: Sequence[PgColumn]) -> None:
        """Let the rows that follow have a relation's columns."""
        if target.batch is None:
            extra = {"_cdc_lsn": pa.string()}
            memory = max(MEMORY_BYTES // len(self.targets), 256 * 1024)
            target.batch = ChangeBatch(self.session, target.stream, extra, memory_bytes=memory)
        else:
            self._settle(target)
        stream, columns = target.stream, relation.columns
        target.relation = relation
        target.wanted = [i for i, c in enumerate(columns) if stream.wants(c.name)]
        target.key = [i for i, c in enumerate(columns) if c.name in stream.key]
        if len(target.key) < len(stream.key):
            raise SyncError(
                f"The key of {stream.id} has changed. Discover its streams again, and clear this "
                "one to load it anew."
            )
        filtered = {condition.column for condition in stream.conditions}
        target.needed = {i for i, c in enumerate(columns) if c.name in filtered}
        target.listed = {
            i: c.dimensions
            for i, c in enumerate(typed)
            if c.dimensions and duck_type(c).endswith("[]")
        }
        target.batch.layout([_field(typed[i]) for i in target.wanted])

    def _typed(self, columns: Sequence[RelationColumn], now: Sequence[PgColumn]) -> list[PgColumn]:
        """The columns with the names of their types. Dimensions are those of today's catalogue."""
        ask = {(c.type, c.modifier) for c in columns} - self._types.keys()
        if ask:
            pairs = ", ".join(f"({oid}, {modifier})" for oid, modifier in sorted(ask))
            for oid, modifier, kind, type_, listed in self.log.pg.rows(_TYPES.format(pairs=pairs)):
                self._types[oid, modifier] = (kind, type_, listed)
        declared = {column.name: column.dimensions for column in now}
        typed = []
        for column in columns:
            # A type that has been dropped since was one of the user's.
            kind, type_, listed = self._types.get((column.type, column.modifier), ("b", "?", False))
            dimensions = max(1, declared.get(column.name, 1)) if listed else 0
            typed.append(PgColumn(column.name, type_, kind, dimensions, True))
        return typed

    def _change(
        self, target: Target, change: Insert | Update | Delete, lsn: int, size: int
    ) -> None:
        if isinstance(change, Insert):
            self._add(target, "c", lsn, change.new, size)
        elif isinstance(change, Delete):
            self._delete(target, lsn, change.old, change.whole, size)
        else:
            self._update(target, lsn, change, size)

    def _update(self, target: Target, lsn: int, change: Update, size: int) -> None:
        old, new = change.old, change.new
        if old is not None:
            for i, value in enumerate(new):
                if value is ABSENT and (change.whole or i in target.key):
                    new[i] = old[i]
        key = target.key or target.wanted
        if old is None or all(old[i] == new[i] for i in key):
            self._add(target, "u", lsn, new, size)
            return
        self._delete(target, lsn, old, change.whole, size)
        # The destination has nothing under the new key that absent values could be taken from.
        self._add(target, "c", lsn, new, size, whole=True)

    def _delete(self, target: Target, lsn: int, old: Row, whole: bool, size: int) -> None:
        relation = target.relation
        assert relation is not None
        told = whole or (target.key and all(relation.columns[i].identifies for i in target.key))
        if not told:
            raise SyncError(
                f"The log does not tell which row of {target.stream.id} was changed: its replica "
                "identity does not hold the key. Mend it, and clear the stream to load it anew."
            )
        self._add(target, "d", lsn, old, size)

    def _add(
        self, target: Target, op: str, lsn: int, row: Row, size: int, *, whole: bool = False
    ) -> None:
        self._order += 1
        absent = [i for i in target.wanted if row[i] is ABSENT]
        whole = whole or target.stream.append or not target.stream.normalization
        if absent and (whole or not target.needed.isdisjoint(absent)):
            target.owing.append((op, self._order, self._begin.time_us, lsn, row, size))
            if len(target.owing) >= OWING:
                self._settle(target)
            return
        self._put(target, op, self._order, self._begin.time_us, lsn, row, size, absent)

    def _put(
        self,
        target: Target,
        op: str,
        order: int,
        time_us: int,
        lsn: int,
        row: Row,
        size: int,
        absent: Sequence[int] = (),
    ) -> None:
        assert target.batch is not None and target.relation is not None
        for i, depth in target.listed.items():
            value = row[i]
            if isinstance(value, bytes):
                row[i] = array_json(value, depth)
        values = [None if (value := row[i]) is ABSENT else value for i in target.wanted]
        names = [target.relation.columns[i].name for i in absent]
        target.batch.add(op, order, time_us, (lsn_text(lsn),), values, names, size)

    def _settle(self, target: Target) -> None:
        """Look up what the log left out and the destination cannot know.

        What the source has now is at least as new as the change: if it is newer, a change that
        follows in the log says so, too; and a row that is gone now, goes there as well.
        """
        owing, target.owing = target.owing, []
        if not owing:
            return
        relation = target.relation
        assert relation is not None
        there = {column.name for column in target.columns}
        columns = relation.columns
        absent = sorted({i for change in owing for i in target.wanted if change[4][i] is ABSENT})
        asked = [i for i in absent if columns[i].name in there]
        keys = {tuple(change[4][i] for i in target.key) for change in owing}
        found = self._look_up(target, keys, [columns[i].name for i in asked]) if asked else {}
        for op, order, time_us, lsn, row, size in owing:
            values = found.get(tuple(row[i] for i in target.key))
            for at, i in enumerate(asked):
                if row[i] is ABSENT:
                    row[i] = values[at] if values else None
            self._put(target, op, order, time_us, lsn, row, size)

    def _look_up(
        self, target: Target, keys: set[tuple[Any, ...]], names: Sequence[str]
    ) -> Mapping[tuple[Any, ...], Sequence[bytes | None]]:
        relation = target.relation
        assert relation is not None
        key = [quote(relation.columns[i].name) for i in target.key]
        listed = ", ".join(
            f"({', '.join(literal(value.decode()) for value in values)})" for values in keys
        )
        asked = [f"{column}::text AS k{i}" for i, column in enumerate(key)]
        asked += [f"{quote(name)}::text AS v{i}" for i, name in enumerate(names)]
        table = f"{quote(relation.schema)}.{quote(relation.name)}"
        rows = self.log.pg.rows(
            f"SELECT {', '.join(asked)} FROM {table} WHERE ({', '.join(key)}) IN ({listed})"
        )
        sent = [tuple(None if v is None else str(v).encode() for v in row) for row in rows]
        return {tuple(row[: len(key)]): row[len(key) :] for row in sent}


def is_visible(xid: int, snapshot: str) -> bool:
    """Whether a transaction, known by the low 32 bits of its number, was over in a snapshot as
    `pg_current_snapshot` writes it."""
    oldest, following, running = snapshot.split(":")
    low, high = int(oldest), int(following)
    # The number that lies nearest to the snapshot.
    whole = high + ((xid - high + 2**31) % 2**32) - 2**31
    if whole < low:
        return True
    return whole < high and str(whole) not in running.split(",")


def _field(column: PgColumn) -> Field:
    if column.type.startswith("character("):
        # Padding is no part of a value; a scan leaves it out, too.
        return Field(column.name, pa.string(), "rtrim({}, ' ')".format)
    return Field(column.name, pa.string(), partial(from_text, type_=duck_type(column)))
