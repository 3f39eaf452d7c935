"""A session on DuckDB for blocks, with the same verbs as the one on PostgreSQL."""

import json
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from workers.pipelines.sql import frames
from workers.pipelines.sql.errors import SqlFault, redact
from workers.pipelines.sql.names import Table, literal, quote, real_name
from workers.pipelines.sql.rules import RESULT, check_policy, check_single, drop_statement
from workers.pipelines.sql.targets import MEMORY, DuckTarget

T = TypeVar("T")
# Another block may have the file open: it takes one process at a time.
_WAIT_S = 300.0
_THREADS = 2
_MEMORY_SHARE = 0.5
_READING = ("SELECT", "EXPLAIN", "PRAGMA", "CALL", "EXECUTE", "RELATION")


class DuckSession:
    """One connection to a database file or to memory. Whatever fails is a SqlFault."""

    dialect = "duckdb"

    def __init__(
        self,
        target: DuckTarget,
        folders: Iterable[Path],
        memory_bytes: int,
        hidden: Iterable[str] = (),
    ) -> None:
        self.target = target
        self._hidden = tuple(hidden)
        self._open = False
        self._connection = _connect(target.path, memory_bytes)
        allowed = ", ".join(literal(str(folder)) for folder in folders)
        # No file outside these folders, no network, no extension, and no way to change that.
        self.execute(f"SET allowed_directories = [{allowed}]")
        self.execute("SET TimeZone = 'UTC'")
        self.execute("SET enable_external_access = false")
        self.execute("SET lock_configuration = true")

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        self._connection.close()

    def table(self, written: str, schema: str | None = None) -> Table:
        """The table of that name in a schema, by default the connection's."""
        return Table(real_name(schema) if schema else self.target.schema, real_name(written))

    def begin(self) -> None:
        """Begin a transaction unless one is open."""
        if not self._open:
            self._try(lambda: self._connection.execute("BEGIN"))
            self._open = True

    def end(self, *, commit: bool) -> None:
        """Commit or roll back what is open."""
        if self._open:
            self._open = False
            self._try(lambda: self._connection.execute("COMMIT" if commit else "ROLLBACK"))

    def query(self, text: str, limit: int | None = None) -> pd.DataFrame:
        """The rows of one query, or the first `limit` of them."""
        statements = self._parsed(text)
        check_single(len(statements))
        frame = self._try(lambda: self._run(statements[0], limit))
        if frame is None:
            raise SqlFault("The query returns no rows: it is a statement without a result.")
        return frame

    def execute(self, text: str) -> None:
        """Run one or several statements; their rows are dropped."""
        self._try(lambda: self._connection.execute(text))

    def run_script(self, text: str, limit: int | None = None) -> pd.DataFrame | None:
        """Run statements in one transaction; the rows of the last one, if it has any.

        A script with a BEGIN or COMMIT of its own is left to itself.
        """
        statements = self._parsed(text)
        own = len(statements) == 1 or any(s.type.name == "TRANSACTION" for s in statements)
        if not own:
            self.begin()
        result = None
        for number, statement in enumerate(statements, 1):
            label = f"in statement {number} of {len(statements)}" if len(statements) > 1 else ""
            result = self._try(lambda s=statement: self._run(s, limit), label)  # type: ignore[misc]
        if not own:
            self.end(commit=True)
        return result

    def save_query(
        self, text: str, table: Table, policy: str, limit: int | None = None
    ) -> pd.DataFrame:
        """Save the rows of one query in a table; they, or the first `limit` of them, as a frame."""
        statements = self._parsed(text)
        check_single(len(statements))
        self.begin()
        query = statements[0].query.strip().rstrip(";")
        self.execute(f"CREATE TEMPORARY TABLE {RESULT} AS\n{query}")
        self.place(RESULT, table, policy)
        frame = self.query(f"SELECT * FROM {RESULT}", limit)
        self.execute(f"DROP TABLE {RESULT}")
        self.end(commit=True)
        return frame

    def save_frame(self, frame: pd.DataFrame, table: Table, policy: str, **options: Any) -> None:
        """Write a frame into a table within the open transaction; options as for `place`."""
        self.begin()
        self.stage(frame, RESULT)
        self.place(RESULT, table, policy, **options)
        self._connection.unregister(RESULT)

    def stage(self, frame: pd.DataFrame, name: str) -> str:
        """Register a frame as a view of this session; its name for statements."""
        arrays = []
        for place in range(len(frame.columns)):
            series = frame.iloc[:, place]
            kind = frames.kind_of(series)
            arrays.append(_array(frames.values_of(series, kind), kind))
        table = pa.table(arrays, names=[str(column) for column in frame.columns])
        self._try(lambda: self._connection.register(name, table))
        return quote(name)

    def place(
        self,
        source: str,
        table: Table,
        policy: str,
        *,
        keep_definition: bool = False,
        cascade: bool = False,
        unique: tuple[str, ...] = (),
        on_conflict: str | None = None,
    ) -> None:
        """Move the rows of a table or view into `table`: append, replace, or fail if it is there.

        `replace` drops the table unless `keep_definition`.
        """
        if unique or on_conflict:
            raise SqlFault("unique_constraints are for PostgreSQL only.", "unsupported")
        there = self._exists(table)
        check_policy(policy, table, there=there)
        if there and policy == "replace":
            self.execute(drop_statement(table, keep_definition=keep_definition, cascade=cascade))
            there = keep_definition
        if there:
            self.execute(f"INSERT INTO {table.quoted} BY NAME SELECT * FROM {quote(source)}")
        else:
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
            self.execute(f"CREATE TABLE {table.quoted} AS SELECT * FROM {quote(source)}")

    def _exists(self, table: Table) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?",
            [table.schema, table.name],
        )
        return found.fetchone() is not None

    def _parsed(self, text: str) -> list[Any]:
        statements = self._try(lambda: self._connection.extract_statements(text))
        if not statements:
            raise SqlFault("The block holds no SQL statement.")
        return list(statements)

    def _run(self, statement: Any, limit: int | None) -> pd.DataFrame | None:
        found = self._connection.execute(statement)
        description = self._connection.description or []
        counts = [column[0] for column in description] in (["Count"], [])
        if statement.type.name not in _READING and counts:
            return None
        table = found.to_arrow_table()
        table = table if limit is None else table.slice(0, limit)
        kinds = [str(column[1]) for column in description]
        columns = [_column(values, kind) for values, kind in zip(table.columns, kinds, strict=True)]
        return frames.frame_of(table.column_names, columns, table.num_rows)

    def _try(self, work: Callable[[], T], label: str = "") -> T:
        import duckdb

        try:
            return work()
        except (duckdb.Error, pa.ArrowException) as error:
            message = f"{error}" if not label else f"{error}\n{label}"
        raise SqlFault(redact(message, self._hidden))


def _connect(path: str, memory_bytes: int) -> Any:
    # Imported by the few blocks that use it: it is large.
    import duckdb

    config = {
        "threads": _THREADS,
        "memory_limit": f"{int(memory_bytes * _MEMORY_SHARE / 1024**2)}MiB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if path != MEMORY:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            return duckdb.connect(path, config=config)  # type: ignore[arg-type]
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > until:
                told = (
                    "another process has it open" if "lock" in str(error) else "it is no database"
                )
                raise SqlFault(f"{Path(path).name} cannot be opened: {told}.") from None
            time.sleep(0.1)
        except duckdb.Error as error:
            raise SqlFault(f"{Path(path).name} cannot be opened: {error}") from None


def _column(values: pa.ChunkedArray, kind: str) -> pd.Series:
    if kind in ("HUGEINT", "UHUGEINT"):
        # What sum() of integers is; nearly always it fits.
        try:
            return frames.column(values.cast(pa.int64()))
        except pa.ArrowInvalid:
            return frames.column(values)
    if kind == "JSON":
        items = [None if text is None else json.loads(text) for text in values.to_pylist()]
        return pd.Series(items, dtype=object)
    if kind == "INTERVAL":
        spans = [None if item is None else _span(item) for item in values.to_pylist()]
        return frames.column(pa.array(spans, pa.duration("us")))
    return frames.column(values)


def _span(value: Any) -> timedelta:
    months, days, nanoseconds = value
    return timedelta(days=30 * months + days, microseconds=nanoseconds // 1000)


_ARROW = {
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "interval": pa.duration("us"),
}


def _array(values: list[Any], kind: str) -> pa.Array:
    if kind == "jsonb":
        texts = [None if value is None else json.dumps(value, default=str) for value in values]
        return pa.array(texts, pa.string())
    try:
        return pa.array(values, _ARROW.get(kind))
    except pa.ArrowException as error:
        raise SqlFault(f"A column cannot be handed to DuckDB: {error}") from None
