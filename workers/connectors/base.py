"""What a connector is: sources plan SELECTs, destinations commit them together with a position.

Source and destination meet in one DuckDB connection. A source attaches its database to it, or
registers Arrow data with it, and describes each portion of rows as a SELECT; a destination
executes that SELECT into its storage. So a full load is one parallel `COPY (SELECT ...) TO ...`,
and a batch of changes is a small Arrow table that SQL folds.

`docs/connectors.md` says how to write one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import duckdb

Config = Mapping[str, Any]
"""A connector's settings as its spec describes them, secrets in clear."""

Position = dict[str, Any]
"""How far a stream was read: JSON that only its source understands."""

Mode = Literal["full_refresh", "incremental", "cdc", "strict_cdc"]


class SyncError(Exception):
    """What the user reads: one sentence that says what is wrong and what to do, no secrets.

    With `retry` the same may succeed later (a server was away); otherwise it is final.
    """

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


@dataclass(frozen=True)
class Column:
    """A column: its name and its type as DuckDB writes it, such as `DECIMAL(10,2)`."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True)
class Found:
    """A stream that discovery has found."""

    namespace: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ("full_refresh", "incremental")
    cursors: tuple[str, ...] = ()
    """Columns that can be a cursor; the first is the default."""
    default_append: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else of OLake's `Stream` the source wants to say."""


OPERATORS = ("=", "!=", ">", "<", ">=", "<=")


@dataclass(frozen=True)
class Condition:
    """`column operator value`; the operator is one of `OPERATORS`, the value is text."""

    column: str
    operator: str
    value: str | None


@dataclass(frozen=True)
class Stream:
    """A stream as the job's catalog configures it."""

    namespace: str
    name: str
    mode: Mode = "full_refresh"
    key: tuple[str, ...] = ()
    cursor: str | None = None
    second_cursor: str | None = None
    """Compared where `cursor` is null."""
    columns: tuple[str, ...] | None = None
    """The selected columns; None means all."""
    known_columns: tuple[str, ...] = ()
    """Those that discovery had found; others are new."""
    new_columns: bool = True
    """Whether columns are read that are not in `known_columns`."""
    conditions: tuple[Condition, ...] = ()
    any_condition: bool = False
    """Whether one condition suffices (`or`)."""
    normalization: bool = True
    append: bool = False
    """Every event becomes a new row; otherwise rows are replaced by key, where that is possible."""
    partition: str = ""
    source_names: bool = False
    """Keep column names as they are instead of making them lower case with underscores."""
    database: str = ""
    table: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The stream's whole entry in the catalog, for what only its source knows."""

    @property
    def id(self) -> str:
        """`namespace.name`, unique in a job."""
        return f"{self.namespace}.{self.name}"

    def wants(self, column: str) -> bool:
        """Whether a column that the source has now is to be read."""
        if column in self.key or column in (self.cursor, self.second_cursor):
            return True
        if column in self.known_columns:
            return self.columns is None or column in self.columns
        return self.new_columns or (self.columns is not None and column in self.columns)


@dataclass(frozen=True)
class Part:
    """Rows of one stream that are committed together with the position behind them.

    `relation` is a SELECT for the session's connection, valid until the next part is asked for.
    Its columns are those of the source. A part of changes has, beside them, `_op_type` (c, u, d),
    `_cdc_timestamp`, columns of its own that begin with `_cdc_`, `_order` (BIGINT, the order in
    the log), and where values may be unknown `_absent` (VARCHAR[], names of columns that keep the
    value they have). A changed key comes as two rows: d of the old key, c of the new one.
    """

    stream: Stream
    relation: str
    position: Position
    op: Literal["r", "u"] | None = "r"
    """The `_op_type` of all rows; None where the relation has that column."""


@dataclass(frozen=True)
class Table:
    """Where a stream goes: names are ready for use, columns are what each row has.

    The first columns are the engine's. `_olake_id` (VARCHAR) identifies a row in an upsert.
    """

    stream: str
    database: str
    name: str
    columns: tuple[Column, ...]
    partition: str = ""


@dataclass(frozen=True)
class Load:
    """A part as a destination gets it: the relation has exactly the table's columns, in order.

    In an upsert each `_olake_id` occurs once. Only there can one more column follow, `_absent`
    (VARCHAR[]), where `has_absent`: columns named in it keep the value that the row has.
    """

    relation: str
    position: Position
    has_absent: bool = False


@dataclass(frozen=True)
class Written:
    """What a commit has added, or a load has written so far; rows are 0 where not known."""

    rows: int
    bytes: int = 0


@dataclass(frozen=True)
class Run:
    """Which run writes. A destination refuses one that is older than the last that committed."""

    job: str = "job"
    id: str = "run"
    number: int = 1
    fence: int = 1

    @property
    def order(self) -> tuple[int, int]:
        """Later runs, and later holders of one run, compare greater."""
        return (self.number, self.fence)


@dataclass(frozen=True)
class Session:
    """What connectors share. `duck` is one connection, used by one thread."""

    duck: duckdb.DuckDBPyConnection
    run: Run
    data_root: Path
    """Files of local destinations and file sources lie below it."""
    scratch: Path
    """An empty folder that is removed when the session ends."""
    log: Callable[[str, str], None]
    """`log(level, message)`; the level is debug, info, warning or error."""
    address: Callable[[str, int], str]
    """The checked IP address of a host that a user has named: connect to it, not to the name.

    Raises SyncError where the program may not connect there, or the name has no address.
    """


class Source(Protocol):
    """Reads. Made as `cls(session, config)`, which neither connects nor fails on bad settings."""

    def open(self) -> None:
        """Connect; called first, once, and outside any transaction of DuckDB."""

    def check(self) -> None:
        """Verify what reading needs; SyncError says what is missing."""

    def discover(self) -> Sequence[Found]:
        """All streams that can be read, by catalogue alone: no data is touched."""

    def read(self, stream: Stream, position: Position | None) -> Iterator[Part]:
        """The rows behind a position; without one, all of them. Never fewer: rather twice.

        The next part is asked for, and written, inside one DuckDB transaction of its own
        (full refresh: one transaction for all parts). A cdc stream is read here once, without a
        position: its parts' position is that of the log before the reading began.
        """

    def changes(
        self, streams: Sequence[Stream], positions: Mapping[str, Position | None]
    ) -> Iterator[Part]:
        """Changes of the log for all cdc streams of a job, up to the log's end at the start.

        A transaction of the source is never split over two parts of one stream. A stream without
        a position (strict_cdc) begins now: one empty part holds its position. When a part is
        asked for, all earlier ones are committed.
        """

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """All streams are committed up to these positions: the log before them may go."""

    # A source whose server keeps a slot for it also has `slot(self, *, drop: bool) -> dict`: {"kept":
    # bytes or None, "warning": text or None}, or {"dropped": bool}.

    def close(self) -> None:
        """Let go of connections; called once, also after failures."""


class Destination(Protocol):
    """Writes. Made as `cls(session, config)`, which neither connects nor fails on bad settings.

    Each of `replace`, `append` and `upsert` is one atomic commit of rows and position, guarded by
    `session.run.order`, and creates or widens the table where needed (`evolve`). Commits that
    are a DuckDB transaction's own happen when the engine ends it.
    """

    upserts: bool
    """Whether it can replace rows; the engine appends otherwise."""

    def open(self) -> None:
        """Connect; called first, once, and outside any transaction of DuckDB."""

    def stored(self, type: str) -> str:
        """The DuckDB type in which it keeps values of a type: the same one, or what the engine
        shall cast them to (`types.plain` is a good start)."""

    def check(self) -> None:
        """Write something small, and remove it; SyncError says what is missing."""

    def position(self, table: Table) -> Position | None:
        """The position of the last commit; None where the table is not there."""

    def replace(self, table: Table, loads: Iterable[Load]) -> Written:
        """Make the table anew, aside, of all loads; the last one's position holds. Readers see
        the old rows or the new ones."""

    def append(self, table: Table, load: Load) -> Written:
        """Add rows."""

    def upsert(self, table: Table, load: Load) -> Written:
        """Add rows, each in place of the one with its `_olake_id`."""

    # A destination may also have `under_way(self) -> Written`: what of the load that is being
    # written is there so far. Another thread calls it, about once a second.
    #
    # And `tidy(self, table: Table) -> None`: upkeep that is due from time to time, called at the end
    # of a sync for each table that it has brought up to date. What it raises is logged, no more.

    def clear(self, table: Table) -> None:
        """Remove the table and its position; no error where it is not there."""

    def close(self) -> None:
        """Let go of connections; called once, also after failures."""


SourceType = Callable[[Session, Config], Source]
DestinationType = Callable[[Session, Config], Destination]


def quote(name: str) -> str:
    """A name as an SQL identifier, for DuckDB and PostgreSQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal, for DuckDB and, with standard_conforming_strings, PostgreSQL."""
    return "'" + value.replace("'", "''") + "'"
