"""The source `mysql`, for MySQL and MariaDB: catalogue, full reads, reading by cursor, binlog."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

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
from workers.connectors.binlog_place import Place, first
from workers.connectors.conditions import where
from workers.connectors.mysql import Mysql, my_literal, my_number, my_quote
from workers.connectors.mysql_cursor import MyCursor
from workers.connectors.mysql_log import MysqlLog
from workers.connectors.mysql_types import DATES, MyColumn

_COLUMNS = """
SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, c.NUMERIC_PRECISION,
  c.NUMERIC_SCALE, c.EXTRA, c.IS_NULLABLE
FROM information_schema.COLUMNS c
JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = {schema} AND t.TABLE_TYPE LIKE '%TABLE%' {which}
ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""
_KEYS = """
SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = {schema} AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX
"""


@dataclass
class MyTable:
    """A table as the catalogue has it."""

    name: str
    columns: list[MyColumn] = field(default_factory=list)
    key: list[str] = field(default_factory=list)


class MysqlSource:
    """Reads one database of a MySQL or MariaDB server."""

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.config = config
        self.my = Mysql(session, config)
        self._log: MysqlLog | None = None

    def open(self) -> None:
        """Connect, for reading only."""
        self.my.open()

    def check(self) -> None:
        """Whether the binlog can be read, where the settings ask for that."""
        if self._has_log():
            self._opened_log().check()

    def discover(self) -> Sequence[Found]:
        """The tables of the database that the user may read."""
        return [self._described(table) for table in self.tables().values()]

    def read(self, stream: Stream, position: Position | None) -> Iterator[Part]:
        """All rows, or those behind the cursor, in one query."""
        # The log is asked first: what the query sees must not be older than the position.
        behind = self._load_position(stream) if stream.mode == "cdc" else {}
        table = self.table(stream)
        columns = self._columns(stream, table)
        name = f"{my_quote(stream.namespace)}.{my_quote(stream.name)}"
        chosen = self._filter(stream, table)
        if stream.mode == "incremental":
            cursor = MyCursor(self.my, self.session, stream, name, table.columns)
            new = cursor.now()
            chosen = " AND ".join(part for part in (cursor.between(position, new), chosen) if part)
            relation = self._relation(stream, columns, name, chosen)
            yield Part(stream, relation, new, "r" if position is None else "u")
        else:
            yield Part(stream, self._relation(stream, columns, name, chosen), behind)

    def changes(
        self, streams: Sequence[Stream], positions: Mapping[str, Position | None]
    ) -> Iterator[Part]:
        """Changes from the binlog, behind the place that each stream has reached."""
        # Arrow is large, and only the log needs it.
        from workers.connectors.mysql_changes import Changes, Target

        log = self._opened_log()
        log.check_settings()
        now = None if all(positions.values()) else log.now()
        to = log.end()
        targets, started = [], []
        for stream in streams:
            position = positions[stream.id]
            place = Place.read(position) if position else now
            assert place is not None
            target = Target(stream, self._logged(stream).columns, place)
            targets.append(target)
            if not position:
                started.append(target)
        log.verify(target.place for target in targets)
        with (
            closing(log.stream(first(target.place for target in targets))) as events,
            closing(Changes(self.session, log, events, targets, to)) as changes,
        ):
            yield from changes.parts(started)

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """Nothing to do: the server keeps its binlogs for as long as it is told to."""

    def close(self) -> None:
        """Close the connections."""
        self.my.close()

    def table(self, stream: Stream) -> MyTable:
        """A stream's table as it is now."""
        which = f"AND c.TABLE_NAME = {my_literal(stream.name)}"
        if stream.namespace == self.my.text("database"):
            found = self.tables(which)
            if stream.name in found:
                return found[stream.name]
        raise SyncError(f"There is no table {stream.id}, or its user may not read it.")

    def tables(self, which: str = "") -> dict[str, MyTable]:
        """Tables by name."""
        schema = my_literal(self.my.text("database"))
        tables: dict[str, MyTable] = {}
        for name, *column, nullable in self.my.rows(_COLUMNS.format(schema=schema, which=which)):
            title, type_, full, precision, scale, extra = column
            if type_ == "bit":
                precision = precision or 1
            made = MyColumn(
                title, type_.lower(), full.lower() if type_ not in ("enum", "set") else full,
                int(precision or 0), int(scale or 0), nullable == "YES",
                "VIRTUAL" in str(extra).upper(),
            )  # fmt: skip
            tables.setdefault(name, MyTable(name)).columns.append(made)
        keys: dict[str, list[str]] = defaultdict(list)
        for name, column_name in self.my.rows(_KEYS.format(schema=schema)):
            keys[name].append(column_name)
        for table in tables.values():
            table.key = keys[table.name]
        return tables

    def _has_log(self) -> bool:
        return (self.config.get("update_method") or {}).get("type") == "CDC"

    def _opened_log(self) -> MysqlLog:
        if not self._has_log():
            raise SyncError("Change data capture is not configured for this source.")
        if self._log is None:
            self._log = MysqlLog(self.my, self.session)
        return self._log

    def _load_position(self, stream: Stream) -> Position:
        """The position of the log before a load."""
        log = self._opened_log()
        log.check_settings()
        self._logged(stream)
        return log.before_load().position()

    def _logged(self, stream: Stream) -> MyTable:
        """The stream's table, whose rows must have a key."""
        table = self.table(stream)
        name = f"{my_quote(stream.namespace)}.{my_quote(stream.name)}"
        if not table.key:
            raise SyncError(
                f"Table {name} has no primary key, by which its changes could be applied: add one."
            )
        if set(table.key) != set(stream.key):
            raise SyncError(
                f"The primary key of {stream.id} has changed. Discover its streams again, and clear "
                "this one to load it anew."
            )
        where(stream, {column.name for column in table.columns})
        self._opened_log().warn_of_cascades(stream.name)
        return table

    def _columns(self, stream: Stream, table: MyTable) -> list[MyColumn]:
        wanted = [column for column in table.columns if stream.wants(column.name)]
        if stream.mode in ("cdc", "strict_cdc"):
            computed = [column.name for column in wanted if column.virtual]
            if computed:
                text = f"{stream.id} comes without the virtual columns {', '.join(computed)}."
                self.session.log("debug", text)
            wanted = [column for column in wanted if not column.virtual]
        if not wanted:
            raise SyncError(f"Stream {stream.id} has no selected column.")
        return wanted

    def _described(self, table: MyTable) -> Found:
        modes: tuple[Mode, ...] = ("full_refresh", "incremental")
        if self._has_log() and table.key:
            modes = (*modes, "cdc", "strict_cdc")
        return Found(
            namespace=self.my.text("database"),
            name=table.name,
            columns=tuple(Column(c.name, c.duck_type, c.nullable) for c in table.columns),
            key=tuple(table.key),
            modes=modes,
            cursors=tuple(sorted(c.name for c in table.columns if c.is_ordered)),
        )

    def _filter(self, stream: Stream, table: MyTable) -> str:
        numbers = {column.name for column in table.columns if column.is_number}

        def value(column: str, text: str) -> str:
            return my_number(text) if column in numbers else my_literal(text)

        names = {column.name for column in table.columns}
        return where(stream, names, quote=my_quote, value=value)

    def _relation(self, stream: Stream, columns: Sequence[MyColumn], name: str, chosen: str) -> str:
        ending = f"FROM {name}" + (f" WHERE {chosen}" if chosen else "")
        if self.config.get("check_dates") is not False:
            self._count_zero_dates(stream, columns, ending)
        asked = ", ".join(column.selected() for column in columns)
        got = ", ".join(column.received() for column in columns)
        return f"SELECT {got} FROM {self.my.query(f'SELECT {asked} {ending}')}"

    def _count_zero_dates(self, stream: Stream, columns: Sequence[MyColumn], ending: str) -> None:
        """Dates without a month or a day become null; said in the log."""
        dates = [column.name for column in columns if column.type in DATES]
        if not dates:
            return
        counts = ", ".join(
            f"SUM(MONTH({n}) = 0 OR DAYOFMONTH({n}) = 0)" for n in map(my_quote, dates)
        )
        for name, count in zip(dates, self.my.rows(f"SELECT {counts} {ending}")[0], strict=True):
            if count:
                text = f"{count} values of {stream.id}.{name} are no dates and become null."
                self.session.log("warning", text)
