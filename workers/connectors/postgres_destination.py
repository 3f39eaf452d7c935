"""The destination `postgres`: rows and position in one transaction of the server.

The positions of a schema's tables are in its table `_isthmus_positions`.

It has a DuckDB connection of its own, into which rows stream as Arrow batches: where source and
destination are in one plan, DuckDB's extension holds all rows in memory before it writes the first.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from workers.connectors import types
from workers.connectors.base import (
    Column,
    Config,
    Load,
    Position,
    Session,
    SyncError,
    Table,
    Written,
    literal,
    quote,
)
from workers.connectors.duck import transaction
from workers.connectors.faults import fault
from workers.connectors.postgres import Postgres

ALIAS = "pg_destination"
POSITIONS = "_isthmus_positions"
NAME_BYTES = 63
LOCK_LIMIT = "5min"
COMING = "_isthmus_coming"
BATCH_ROWS = 16_384
_TYPES = {
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "UUID": "uuid",
    "INTERVAL": "interval",
    "TIME WITH TIME ZONE": "time with time zone",
}
_BACK = {name: type_ for type_, name in _TYPES.items()}


class PostgresDestination:
    """Writes tables into a PostgreSQL database."""

    upserts = True

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        writer = config.get("writer") or config
        self.schema = str(writer.get("schema") or "")
        self.pg = Postgres(session, writer, ALIAS)
        self.place: _Place | None = None

    def open(self) -> None:
        """Attach the database, in a connection whose transactions are this destination's own."""
        self.pg.duck = self.session.duck.cursor()
        self.pg.duck.execute("SET TimeZone = 'UTC'")
        # Or UUIDs and times with zone would be others on their way.
        self.pg.duck.execute("SET GLOBAL arrow_lossless_conversion = true")
        self.pg.attach(read_only=False)

    def stored(self, type: str) -> str:
        """PostgreSQL also keeps intervals, times with zone, and arrays of them."""
        kept = type.rstrip("[]") in _TYPES
        return type if kept else types.plain(type)

    def check(self) -> None:
        """Make a table in a transaction that is rolled back."""
        self.pg.duck.execute("BEGIN")
        try:
            schema = self.schema or "isthmus_check"
            self.pg.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
            self.pg.execute(f"CREATE TABLE {quote(schema)}._isthmus_check (one integer)")
        finally:
            self.pg.duck.execute("ROLLBACK")

    def position(self, table: Table) -> Position | None:
        """What the positions' table has, if the table itself is still there."""
        place = _Place(self.pg, self._schema(table), table.name)
        state = place.state(self.session.run.job) if place.exists(place.name) else None
        return None if state is None else state[1]

    def replace(self, table: Table, loads: Iterable[Load]) -> Written:
        """Fill a new table and put it in the old one's place."""
        with self._commit(table) as place:
            place.make(place.aside, table.columns)
            position = Position()
            for load in loads:
                place.insert(place.aside, table.columns, load.relation)
                position = load.position
            place.swap(table.columns)
            place.keep(self.session, table.stream, position)
        return place.copied

    def append(self, table: Table, load: Load) -> Written:
        """Insert rows."""
        with self._commit(table) as place:
            place.fit(table.columns)
            place.insert(place.name, table.columns, load.relation)
            place.keep(self.session, table.stream, load.position)
        return place.copied

    def upsert(self, table: Table, load: Load) -> Written:
        """Insert rows beside the table, then delete those with their ids and move them in."""
        absent = (Column("_absent", "VARCHAR[]"),) if load.has_absent else ()
        with self._commit(table) as place:
            place.fit(table.columns)
            place.make(place.aside, (*table.columns, *absent))
            place.insert(place.aside, (*table.columns, *absent), load.relation)
            if place.copied.rows:
                place.merge(table.columns, has_absent=load.has_absent)
            self.pg.execute(f"DROP TABLE {place.at(place.aside)}")
            place.keep(self.session, table.stream, load.position)
        return place.copied

    def under_way(self) -> Written:
        """Rows and bytes of the load that is being written, handed to the server so far."""
        return Written(0) if self.place is None else self.place.copied

    def clear(self, table: Table) -> None:
        """Drop the table and forget its position."""
        with self._commit(table) as place:
            place.clear()

    def close(self) -> None:
        """The connections end with the session's."""

    def _schema(self, table: Table) -> str:
        return self.schema or table.database

    @contextmanager
    def _commit(self, table: Table) -> Iterator["_Place"]:
        """The transaction in which a table is written; a later run than this one keeps it."""
        self.place = place = _Place(self.pg, self._schema(table), table.name)
        try:
            with transaction(self.pg.duck):
                self.pg.execute(f"SET LOCAL lock_timeout = '{LOCK_LIMIT}'")
                place.prepare()
                state = place.state(self.session.run.job)
                if state is not None and state[0] > self.session.run.order:
                    raise SyncError("A later run has written to this table; this one has lost it.")
                yield place
        except duckdb.Error as error:
            raise fault(error) from None


class _Place:
    """One table of the destination, and what is done to it in the current transaction."""

    def __init__(self, pg: Postgres, schema: str, name: str) -> None:
        self.pg = pg
        self.schema = _fit(schema)
        self.name = _fit(name)
        self.aside = _fit(f"_new_{name}")
        self.copied = Written(0)
        """Rows that came in, and their size on their way, as Arrow."""

    def at(self, name: str) -> str:
        """A table of the schema."""
        return f"{quote(self.schema)}.{quote(name)}"

    def exists(self, name: str) -> bool:
        """Whether the schema has that table."""
        return bool(self.pg.rows(f"SELECT 1 AS one WHERE {self._oid(name)} IS NOT NULL"))

    def prepare(self) -> None:
        """Make the schema and its table of positions."""
        if self.exists(POSITIONS):
            return
        self.pg.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(self.schema)}")
        self.pg.execute(
            f"CREATE TABLE IF NOT EXISTS {self.at(POSITIONS)} (table_name text PRIMARY KEY, "
            "stream text NOT NULL, job text NOT NULL, run text NOT NULL, number bigint NOT NULL, "
            "fence bigint NOT NULL, position jsonb NOT NULL, written_at timestamptz NOT NULL)"
        )

    def state(self, job: str) -> tuple[tuple[int, int], Position] | None:
        """Order of the job's last run that committed, and its position.

        A table that another job has made is not gone on with: its position means nothing to us.
        """
        if not self.exists(POSITIONS):
            return None
        rows = self.pg.rows(
            f"SELECT number, fence, position::text AS position FROM {self.at(POSITIONS)} "
            f"WHERE table_name = {literal(self.name)} AND job = {literal(job)}"
        )
        return ((rows[0][0], rows[0][1]), json.loads(rows[0][2])) if rows else None

    def keep(self, session: Session, stream: str, position: Position) -> None:
        """Write the position; a run that wrote meanwhile makes this transaction fail."""
        run = session.run
        values = [self.name, stream, run.job, run.id, json.dumps(position)]
        name, stream, job, run_id, text = map(literal, values)
        self.pg.execute(
            f"INSERT INTO {self.at(POSITIONS)} VALUES ({name}, {stream}, {job}, {run_id}, "
            f"{run.number}, {run.fence}, {text}, now()) ON CONFLICT (table_name) DO UPDATE SET "
            "stream = excluded.stream, job = excluded.job, run = excluded.run, "
            "number = excluded.number, fence = excluded.fence, position = excluded.position, "
            "written_at = excluded.written_at"
        )

    def make(self, name: str, columns: Sequence[Column]) -> None:
        """Make a table anew."""
        listed = ", ".join(f"{quote(c.name)} {_type(c.type)}" for c in columns)
        self.pg.execute(f"DROP TABLE IF EXISTS {self.at(name)}")
        self.pg.execute(f"CREATE TABLE {self.at(name)} ({listed})")
        self._look_again()

    def insert(self, name: str, columns: Sequence[Column], relation: str) -> None:
        """Copy a relation's rows into a table."""
        listed = ", ".join(quote(column.name) for column in columns)
        to, duck = self.pg.table(self.schema, name), self.pg.duck
        read = self.pg.session.duck.execute(f"SELECT {listed} FROM ({relation})")
        coming = read.to_arrow_reader(BATCH_ROWS)
        counted = pa.RecordBatchReader.from_batches(coming.schema, self._counted(coming))
        duck.register(COMING, counted)
        as_text = any(_overflows(column.type) for column in columns)
        duck.execute(f"SET pg_use_binary_copy = {str(not as_text).lower()}")
        try:
            duck.execute(f"INSERT INTO {to} ({listed}) SELECT {listed} FROM {COMING}")
        finally:
            duck.unregister(COMING)

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            done = self.copied
            self.copied = Written(done.rows + batch.num_rows, done.bytes + batch.nbytes)
            yield batch

    def fit(self, columns: Sequence[Column]) -> None:
        """Make the table, add columns or widen them, so that it takes the coming rows."""
        if not self.exists(self.name):
            self.make(self.name, columns)
            return
        have = self._columns()
        old = {column.name: column.type for column in have}
        changes = []
        for column in types.evolve(self.name, have, columns):
            if column.name not in old:
                changes.append(f"ADD COLUMN {quote(column.name)} {_type(column.type)}")
            elif column.type != old[column.name]:
                changes.append(f"ALTER COLUMN {quote(column.name)} TYPE {_type(column.type)}")
        if changes:
            self.pg.execute(f"ALTER TABLE {self.at(self.name)} {', '.join(changes)}")
            self._look_again()

    def merge(self, columns: Sequence[Column], *, has_absent: bool) -> None:
        """Move rows from aside into the table, each in place of the one with its id."""
        table, aside = self.at(self.name), self.at(self.aside)
        index = quote(_fit(f"{self.name}_olake_id"))
        self.pg.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} (_olake_id)")
        self.pg.execute(f"ANALYZE {aside}")
        if has_absent:
            kept = ", ".join(
                f"{quote(c.name)} = CASE WHEN {literal(c.name)} = ANY(a._absent) "
                f"THEN t.{quote(c.name)} ELSE a.{quote(c.name)} END"
                for c in columns
                if not c.name.startswith(("_olake_", "_cdc_", "_op_type"))
            )
            self.pg.execute(
                f"UPDATE {aside} AS a SET {kept} FROM {table} AS t "
                "WHERE t._olake_id = a._olake_id AND cardinality(a._absent) > 0"
            )
        listed = ", ".join(quote(column.name) for column in columns)
        self.pg.execute(
            f"DELETE FROM {table} AS t USING {aside} AS a WHERE t._olake_id = a._olake_id"
        )
        self.pg.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {aside}")

    def swap(self, columns: Sequence[Column]) -> None:
        """Let the table aside take the place of the old one.

        Where others depend on the old one, by a view or a grant, its rows are changed instead:
        that costs more, and they lose nothing.
        """
        table, aside = self.at(self.name), self.at(self.aside)
        if self.exists(self.name) and self._is_used():
            self.fit(columns)
            listed = ", ".join(quote(column.name) for column in columns)
            self.pg.execute(f"DELETE FROM {table}")
            self.pg.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {aside}")
            self.pg.execute(f"DROP TABLE {aside}")
            return
        self.pg.execute(f"DROP TABLE IF EXISTS {table}")
        self.pg.execute(f"ALTER TABLE {aside} RENAME TO {quote(self.name)}")
        self._look_again()

    def clear(self) -> None:
        """Drop the table and forget its position."""
        self.pg.execute(f"DROP TABLE IF EXISTS {self.at(self.name)}")
        self.pg.execute(f"DELETE FROM {self.at(POSITIONS)} WHERE table_name = {literal(self.name)}")

    def _is_used(self) -> bool:
        """Whether grants, views, policies, triggers, publications or indexes of others hang on it."""
        ours = literal(_fit(f"{self.name}_olake_id"))
        return bool(
            self.pg.rows(
                f"""SELECT 1 AS one FROM pg_class c WHERE c.oid = {self._oid(self.name)} AND (
                c.relacl IS NOT NULL OR c.relrowsecurity OR c.relhastriggers
                OR EXISTS (SELECT FROM pg_publication_rel p WHERE p.prrelid = c.oid)
                OR EXISTS (SELECT FROM pg_depend d
                  WHERE d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass)
                OR EXISTS (SELECT FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid
                  WHERE i.indrelid = c.oid AND n.relname <> {ours}))"""
            )
        )

    def _columns(self) -> list[Column]:
        rows: list[tuple[Any, ...]] = self.pg.rows(
            "SELECT attname, format_type(atttypid, atttypmod) AS t FROM pg_attribute "
            f"WHERE attrelid = {self._oid(self.name)} AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum"
        )
        return [Column(name, _duck_type(type_)) for name, type_ in rows]

    def _oid(self, name: str) -> str:
        return f"to_regclass({literal(self.at(name))})"

    def _look_again(self) -> None:
        """DuckDB remembers tables; it does not see what was made past it."""
        self.pg.duck.execute("CALL pg_clear_cache()")


def _type(type_: str) -> str:
    if type_.endswith("[]"):
        return _type(type_[:-2]) + "[]"
    return _TYPES.get(type_) or type_.replace("DECIMAL", "numeric")


def _overflows(type_: str) -> bool:
    """Whether DuckDB's binary writer overflows: it counts the digits behind the point in fours.

    A decimal of up to 9, 18 or 38 digits is an integer of 32, 64 or 128 bits to it.
    """
    found = re.search(r"DECIMAL\((\d+),\s*(\d+)\)", type_)
    if found is None:
        return False
    precision, scale = int(found[1]), int(found[2])
    holds = next(digits for digits in (4, 9, 18, 38) if precision <= digits)
    return -(-scale // 4) * 4 > holds


def _duck_type(type_: str) -> str:
    if type_.endswith("[]"):
        return _duck_type(type_[:-2]) + "[]"
    return _BACK.get(type_) or re.sub(r"^numeric(?=\()", "DECIMAL", type_)


def _fit(name: str) -> str:
    """A name that PostgreSQL does not cut off."""
    if len(name.encode()) <= NAME_BYTES:
        return name
    short = name.encode()[: NAME_BYTES - 9].decode("utf-8", "ignore")
    return f"{short}_{hashlib.md5(name.encode()).hexdigest()[:8]}"
