"""From transactions of a binlog to parts: each stream's changes behind its own place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from workers.connectors.base import Part, Session, Stream, SyncError
from workers.connectors.binlog_events import Begin, Commit, Rows, Statement, Transactions, Undone
from workers.connectors.binlog_place import Place, first
from workers.connectors.binlog_stream import BinlogStream
from workers.connectors.binlog_tables import LogTable, Row, described
from workers.connectors.change_batch import ChangeBatch, Field
from workers.connectors.mysql_log import MysqlLog
from workers.connectors.mysql_statements import effect
from workers.connectors.mysql_types import MyColumn

WINDOW_ROWS = 200_000
WINDOW_BYTES = 256 * 1024**2
WINDOW_TRANSACTIONS = 50_000
"""Behind so much the changes are committed, and the rest of the last transaction with them."""
MEMORY_BYTES = 32 * 1024**2
IDLE_BYTES = 4 * 1024**2
"""A stream without changes is committed anew when it is so far behind, or in an older file."""
TABLES = 1_000
_EXTRA = {
    "_cdc_binlog_file_name": pa.string(),
    "_cdc_binlog_file_pos": pa.int64(),
    "_cdc_binlog_row": pa.int64(),
}
_ARROW = {
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}


@dataclass(eq=False)
class Target:
    """A stream, its table as the catalogue has it now, and how far it is."""

    stream: Stream
    columns: Sequence[MyColumn]
    place: Place
    batch: ChangeBatch | None = None
    table: LogTable | None = None
    """Its table as the log had it last."""
    wanted: list[int] = field(default_factory=list)
    """Which of its columns are read."""
    key: list[int] = field(default_factory=list)

    def reads(self, name: str) -> bool:
        """Whether a column of the log is read: none that is computed, or hidden behind an index."""
        computed = any(column.name == name and column.virtual for column in self.columns)
        return self.stream.wants(name) and not computed and not name.startswith("!hidden!")


class Changes:
    """Reads the log for all streams of a job, to where it ended at the start."""

    def __init__(
        self,
        session: Session,
        log: MysqlLog,
        stream: BinlogStream,
        targets: Sequence[Target],
        to: Place,
    ) -> None:
        self.session = session
        self.log = log
        self.to = to
        self.targets = {(t.stream.namespace, t.stream.name): t for t in targets}
        self._reached = first(t.place for t in targets)
        self._stream = stream
        self._messages = iter(Transactions(stream.events(), lambda *of: of in self.targets))
        self._tables: dict[bytes, LogTable] = {}
        self._begin: Begin | None = None
        self._new: list[Target] = []
        """Those that have not read the transaction yet."""
        self._touched: Target | None = None
        self._order = 0
        self._cut = False

    def parts(self, started: Iterable[Target]) -> Iterator[Part]:
        """Parts of each window of the log.

        Streams that have just `started` begin with a part without rows.
        """
        for target in started:
            yield from self._commit(target, target.place)
        more = True
        while more:
            more = self._window()
            for target in self.targets.values():
                if target.batch or self._is_far_behind(target):
                    yield from self._commit(target, target.place.behind(self._reached))

    def close(self) -> None:
        """Let go of what is not committed."""
        for target in self.targets.values():
            if target.batch is not None:
                target.batch.close()

    def _is_far_behind(self, target: Target) -> bool:
        place, reached = target.place, self._reached
        if reached.server != self.log.server:
            # Nothing of this server was read yet.
            return False
        if place.server == reached.server and place.order >= reached.order:
            return False
        return place.file != reached.file or reached.at - place.at > IDLE_BYTES

    def _commit(self, target: Target, place: Place) -> Iterator[Part]:
        if target.batch is None:
            self._open(target)
            assert target.batch is not None
            read = [column for column in target.columns if target.reads(column.name)]
            target.batch.layout([_field(column) for column in read])
        yield target.batch.part(place.position())
        target.batch.close()
        target.batch, target.table, target.place = None, None, place

    def _window(self) -> bool:
        """Collect the changes of the next transactions; whether more may follow."""
        rows = size = transactions = 0
        self._cut = False
        for message in self._messages:
            if isinstance(message, Rows):
                size += len(message.body)
                rows += self._rows(message)
            elif isinstance(message, Begin):
                self._meet(message)
            elif isinstance(message, Statement):
                self._state(message)
            elif isinstance(message, Undone):
                self._refuse(message)
            else:
                transactions += 1
                self._pass(message)
                if self._reached.order >= self.to.order:
                    return False
                full = rows >= WINDOW_ROWS or size >= WINDOW_BYTES
                if self._cut or full or transactions >= WINDOW_TRANSACTIONS:
                    return True
        if self._begin is not None:
            raise SyncError("The log ended inside a transaction.", retry=True)
        if self._stream.order >= self.to.order:
            self._reached = replace(self.to, gtids=self._reached.gtids)
        return False

    def _meet(self, message: Begin) -> None:
        if self._begin is not None:
            raise SyncError("A transaction in the binlog has no end.")
        self._begin = message
        self._touched = None
        self._new = [
            target
            for target in self.targets.values()
            if not target.place.has(message.gtid, self.log.server, message.file, message.at)
        ]

    def _pass(self, message: Commit) -> None:
        assert self._begin is not None
        known, gtid = self._reached.gtids, self._begin.gtid
        if known is not None and gtid is not None:
            known = known.then(gtid)
        self._reached = Place(self.log.server, message.file, message.end, known)
        self._begin = None

    def _state(self, message: Statement) -> None:
        """A statement that takes rows away without telling which ends the sync."""
        assert self._begin is not None
        where = f"{self._begin.file}:{self._begin.at}"
        for target in self._new:
            stream = target.stream
            done = effect(message.text, message.schema, stream.namespace, stream.name)
            again = "Clear the stream to load it anew."
            if done == "removed":
                raise SyncError(
                    f"Table {stream.id} was emptied, dropped or replaced, or a part of it (at "
                    f"{where}), and the binlog does not say which rows that were. {again}"
                )
            if done == "unknown":
                raise SyncError(
                    f"Table {stream.id} was changed by a statement that is logged as such (at "
                    f"{where}): set binlog_format = ROW for all sessions. {again}"
                )
            if done == "moved":
                text = (
                    f"Another table is {stream.id} since {where}. Its rows are taken to be those "
                    "of the one before; if they are not, clear the stream."
                )
                self.session.log("warning", text)
            self._cut |= done != "none"

    def _refuse(self, message: Undone) -> None:
        if self._touched is not None:
            raise SyncError(
                f"A transaction that changed {self._touched.stream.id} {message.why}. Clear the "
                "stream to load it anew."
            )

    def _rows(self, message: Rows) -> int:
        """Add the changes of one event; how many there were."""
        target = self.targets[message.schema, message.name]
        if target not in self._new:
            return 0
        assert self._begin is not None
        self._touched = target
        table = self._table(message.table, target)
        if target.batch is None or target.table is not table:
            self._lay_out(target, table)
        number = 0
        changes = table.rows(message.body, message.start, is_update=message.op == "u")
        for old, new, size in changes:
            is_moved = message.op == "u" and any(old[i] != new[i] for i in target.key)
            if is_moved:
                self._add(target, "d", message, number, old, size)
                number += 1
            self._add(target, "c" if is_moved else message.op, message, number, new, size)
            number += 1
        return number

    def _add(
        self, target: Target, op: str, message: Rows, number: int, row: Row, size: int
    ) -> None:
        assert target.batch is not None and self._begin is not None
        self._order += 1
        extra = (message.file, message.end, number)
        values = [row[i] for i in target.wanted]
        target.batch.add(op, self._order, self._begin.time_us, extra, values, (), size)

    def _table(self, body: bytes, target: Target) -> LogTable:
        """A table as the log describes it, which it does before each statement."""
        if (table := self._tables.get(body)) is None:
            if len(self._tables) >= TABLES:
                self._tables.clear()
            today: Mapping[str, MyColumn] = {column.name: column for column in target.columns}
            table = self._tables[body] = described(
                body, self.log.charset, today, is_mariadb=self.log.kind == "mariadb"
            )
        return table

    def _open(self, target: Target) -> None:
        memory = max(MEMORY_BYTES // len(self.targets), 256 * 1024)
        target.batch = ChangeBatch(self.session, target.stream, _EXTRA, memory_bytes=memory)

    def _lay_out(self, target: Target, table: LogTable) -> None:
        """Let the rows that follow have a table's columns."""
        if set(table.key) != set(target.stream.key):
            raise SyncError(
                f"The primary key of {target.stream.id} has changed. Discover its streams again, "
                "and clear this one to load it anew."
            )
        if target.batch is None:
            self._open(target)
        assert target.batch is not None
        columns = [column.column for column in table.columns]
        target.table = table
        target.wanted = [i for i, column in enumerate(columns) if target.reads(column.name)]
        target.key = [i for i, column in enumerate(columns) if column.name in target.stream.key]
        target.batch.layout([_field(columns[i]) for i in target.wanted])


def _field(column: MyColumn) -> Field:
    """How a column's values stand in Arrow: numbers as themselves, much else as text."""
    type_ = column.duck_type
    if (arrow := _ARROW.get(type_)) is not None:
        return Field(column.name, arrow)
    return Field(column.name, pa.string(), f"CAST({{}} AS {type_})".format)
