"""The log of a PostgreSQL server: its slot and its publication, and reading it by SQL.

The slot's functions are called over connections of their own, each call a transaction of its own:
what they wait for must not hang on what the sync has open.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from workers.connectors.base import Config, Session, SyncError, literal, quote
from workers.connectors.faults import fault
from workers.connectors.pgoutput import Message, decode
from workers.connectors.postgres import Postgres

ALIAS = "pg_log"
WAIT_S = 120
FETCHED = 2_000
WARN_BYTES = 1024**3
"""So much kept for a slot is worth a warning."""
_SESSION = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
_IDENTITIES = """
SELECT n.nspname AS schema, c.relname AS name, c.relreplident::text AS identity,
  c.relkind = 'p' AS parted,
  coalesce((SELECT json_agg(a.attname) FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
    WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'i' THEN i.indisreplident
      WHEN 'd' THEN i.indisprimary ELSE false END), '[]')::text AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {which}
"""
_WRITERS = """
SELECT DISTINCT virtualtransaction AS transaction FROM pg_locks
WHERE locktype = 'relation' AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock',
    'ExclusiveLock', 'AccessExclusiveLock') AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relation IN (SELECT relid FROM pg_partition_tree({table}) UNION SELECT {table})
"""


@dataclass(frozen=True)
class Identity:
    """How old rows of a table are told in the log."""

    kind: str
    """pg_class.relreplident: d(efault, the primary key), n(othing), f(ull), i(ndex)."""
    parted: bool
    columns: frozenset[str]

    def refusal(self, name: str, key: Sequence[str]) -> str:
        """Why changes cannot be told apart; empty where they can."""
        if self.kind == "f" or (key and self.columns.issuperset(key)):
            return ""
        if not key:
            return (
                f"Table {name} has no primary key, so that its log does not tell which row was "
                f"changed. Add one, or run ALTER TABLE {name} REPLICA IDENTITY FULL."
            )
        return (
            f"The replica identity of {name} leaves out its key: run "
            f"ALTER TABLE {name} REPLICA IDENTITY DEFAULT (or FULL)."
        )


@dataclass(frozen=True)
class Slot:
    """What the server says of the slot; positions are numbers of bytes."""

    confirmed: int
    kept: int
    """Bytes that the server keeps for it."""
    limit: int | None
    """Bytes beyond which it keeps no more and the slot is lost; None where nothing limits them."""


def lsn_number(text: str) -> int:
    """`16/B374D848` as a number."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def lsn_text(number: int) -> str:
    """A number as PostgreSQL writes it."""
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


class PostgresLog:
    """The slot that the source's settings name."""

    def __init__(self, session: Session, config: Config) -> None:
        self.log = session.log
        settings: Mapping[str, Any] = config.get("update_method") or {}
        self.slot = str(settings.get("replication_slot") or "")
        self.publication = str(settings.get("publication") or "")
        self.create = bool(settings.get("create_missing"))
        self.wait_s = int(settings.get("initial_wait_time") or WAIT_S)
        if not self.slot or not self.publication:
            raise SyncError("The settings replication_slot and publication are missing.")
        self._duck = session.duck.cursor()
        self.pg = Postgres(replace(session, duck=self._duck), config, ALIAS)

    def open(self) -> None:
        """Connect."""
        wait = {"lock_timeout": f"{self.wait_s}s"}
        self.pg.attach(read_only=not self.create, settings={**_SESSION, **wait})

    def close(self) -> None:
        """Let go of the connection."""
        self._duck.close()

    def check(self) -> None:
        """Whether the slot can be read; SyncError says what is missing."""
        slot = self._verified()
        if slot is None:
            self._may_create(f"There is no replication slot {self.slot}.")
            return
        if not self._has_publication():
            self._may_create(f"There is no publication {self.publication}.")
            return
        self.report(slot)
        if not self._is_active():
            # Whether the user has the right is known only by reading.
            list(self.read(slot.confirmed, 1))

    def identities(self, which: str) -> dict[tuple[str, str], Identity]:
        """The replica identities of tables by schema and name; `which` is SQL over c and n."""
        rows = self.pg.rows(_IDENTITIES.format(which=which))
        return {(r[0], r[1]): Identity(r[2], r[3], frozenset(json.loads(r[4]))) for r in rows}

    def prepare(self, tables: Mapping[tuple[str, str], Sequence[str]], *, anew: bool) -> Slot:
        """The slot, once it and the publication are there and cover these tables and columns.

        What is missing is made where the settings ask for it, a slot only if a stream is read
        `anew`: others need the one that has kept their changes.
        """
        self._publish(tables)
        slot = self._verified()
        if slot is None and not anew:
            raise SyncError(
                f"The replication slot {self.slot} is gone, and with it the changes since the "
                "last sync. Clear the streams to load them anew."
            )
        if slot is None:
            self._may_create(f"There is no replication slot {self.slot}.")
            self._create_slot()
            slot = self._verified()
            assert slot is not None
        return slot

    def wait_for_writers(self, table: str) -> None:
        """Wait until those have ended who write to a table now.

        What they have written may be in the log before our position, and is not yet to be seen.
        """
        query = _WRITERS.format(table=f"{literal(table)}::regclass")
        waiting = {row[0] for row in self.pg.rows(query)}
        end = time.monotonic() + self.wait_s
        while waiting:
            if time.monotonic() > end:
                raise SyncError(
                    f"A transaction that writes to {table} has been open for {self.wait_s} "
                    "seconds: it must end before the table is read.",
                    retry=True,
                )
            time.sleep(0.05)
            waiting &= {row[0] for row in self.pg.rows(query)}

    def ends(self) -> tuple[int, int, int]:
        """Where the flushed log ends, the last checkpoint before that, where writing goes on.

        The first may lie inside a record: it bounds reading, and is no position. The others are.
        """
        row = self.pg.rows(
            "SELECT (SELECT checkpoint_lsn::text FROM pg_control_checkpoint()) AS a, "
            "pg_current_wal_flush_lsn()::text AS b, pg_current_wal_insert_lsn()::text AS c"
        )[0]
        checkpoint, flushed, inserted = map(lsn_number, row)
        return flushed, checkpoint if checkpoint <= flushed else 0, inserted

    def system(self) -> str:
        """Which server this is."""
        return str(
            self.pg.rows("SELECT system_identifier::text AS s FROM pg_control_system()")[0][0]
        )

    def read(self, to: int, most: int) -> Iterator[tuple[int, Message | None, int]]:
        """Messages of whole transactions from the slot's position on, with their places and sizes.

        No transaction begins behind `to`, or after `most` messages. The slot does not move.
        """
        names = "'proto_version', '1', 'publication_names', " + literal(quote(self.publication))
        query = (
            f"SELECT lsn::text AS lsn, data FROM pg_logical_slot_peek_binary_changes("
            f"{literal(self.slot)}, {literal(lsn_text(to))}, {most}, {names})"
        )
        # A cursor of its own: what is asked for meanwhile must not end this result.
        with self._duck.cursor() as cursor:
            self._unless_busy(cursor, f"SELECT * FROM {self.pg.query(query)}")
            while rows := cursor.fetchmany(FETCHED):
                for lsn, data in rows:
                    yield lsn_number(lsn), decode(data), len(data)

    def advance(self, to: int) -> None:
        """Let the server forget what lies before a position that is committed everywhere."""
        slot = self._verified()
        if slot is None or to <= slot.confirmed or to > self.ends()[0]:
            return
        query = (
            f"SELECT end_lsn::text AS e FROM pg_replication_slot_advance("
            f"{literal(self.slot)}, {literal(lsn_text(to))})"
        )
        self._unless_busy(self._duck, f"SELECT * FROM {self.pg.query(query)}")
        self._duck.fetchall()

    def look(self) -> dict[str, Any]:
        """Bytes that the server `kept` for the slot, null without one; and a `warning` or null."""
        slot = self._verified()
        if slot is None:
            return {"kept": None, "warning": None}
        much, said = self._judged(slot)
        return {"kept": slot.kept, "warning": said if much else None}

    def drop(self) -> dict[str, Any]:
        """Drop the slot, if it is one of this database; whether it was `dropped`."""
        rows = self.pg.rows(
            "SELECT pg_drop_replication_slot(slot_name)::text AS d FROM pg_replication_slots "
            f"WHERE slot_name = {literal(self.slot)} AND plugin = 'pgoutput' "
            "AND database = current_database()"
        )
        return {"dropped": bool(rows)}

    def report(self, slot: Slot) -> None:
        """Say how much the server keeps for us."""
        much, said = self._judged(slot)
        self.log("warning" if much else "info", said)

    def _judged(self, slot: Slot) -> tuple[bool, str]:
        """Whether it is much that the server keeps, and how much it is."""
        much = slot.kept > (WARN_BYTES if slot.limit is None else slot.limit / 2)
        said = f"The server keeps {slot.kept / 1024**2:.0f} MB of its log for slot {self.slot}"
        if slot.limit is None:
            said += (
                ", and nothing limits that (max_slot_wal_keep_size is -1): a slot that is not read "
                "fills the server's disk. Set a limit, and drop the slot when its job is given up."
            )
        else:
            said += f"; beyond {slot.limit / 1024**2:.0f} MB the slot is lost. Sync often enough."
        return much, said

    def _unless_busy(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Run a query that needs the slot; that of a sync that was killed may still hold it."""
        end = time.monotonic() + self.wait_s
        while True:
            try:
                cursor.execute(sql)
                return
            except duckdb.Error as error:
                if "is active for PID" not in str(error):
                    raise fault(error) from None
            if time.monotonic() > end:
                raise SyncError(
                    f"Another process reads the replication slot {self.slot}.", retry=True
                )
            time.sleep(0.1)

    def _verified(self) -> Slot | None:
        """The slot, if there is one; SyncError where it is of no use."""
        level = self.pg.rows("SELECT current_setting('wal_level') AS level")[0][0]
        if level != "logical":
            raise SyncError(
                f"The server's wal_level is {level}: set it to logical, and restart the server."
            )
        rows = self.pg.rows(
            "SELECT plugin::text AS p, database = current_database() AS here, "
            "coalesce(wal_status, '') AS status, confirmed_flush_lsn::text AS c, "
            "(pg_current_wal_flush_lsn() - restart_lsn)::bigint AS kept, "
            "safe_wal_size AS safe "
            f"FROM pg_replication_slots WHERE slot_name = {literal(self.slot)}"
        )
        if not rows:
            return None
        plugin, here, status, confirmed, kept, safe = rows[0]
        if plugin != "pgoutput" or not here:
            raise SyncError(
                f"The replication slot {self.slot} must be a logical one of this database, with "
                "the plug-in pgoutput."
            )
        if status == "lost" or confirmed is None or kept is None:
            raise SyncError(
                f"The server has thrown away what slot {self.slot} had not read "
                "(max_slot_wal_keep_size). Drop the slot, make it again, and clear the streams to "
                "load them anew; sync more often, or raise the limit."
            )
        kept = max(0, kept)
        return Slot(lsn_number(confirmed), kept, None if safe is None else kept + safe)

    def _is_active(self) -> bool:
        query = f"SELECT active FROM pg_replication_slots WHERE slot_name = {literal(self.slot)}"
        return bool(self.pg.rows(query)[0][0])

    def _has_publication(self) -> bool:
        name = literal(self.publication)
        return bool(self.pg.rows(f"SELECT 1 AS one FROM pg_publication WHERE pubname = {name}"))

    def _may_create(self, what: str) -> None:
        if not self.create:
            raise SyncError(f"{what} Create it, or set create_missing.")

    def _create_slot(self) -> None:
        try:
            self.pg.rows(
                "SELECT lsn::text AS lsn FROM "
                f"pg_create_logical_replication_slot({literal(self.slot)}, 'pgoutput')"
            )
        except SyncError as error:
            if "lock timeout" not in str(error):
                raise
            raise SyncError(
                f"The slot cannot begin while older transactions are open, and one has been for "
                f"{self.wait_s} seconds.",
                retry=True,
            ) from None
        self.log("info", f"Replication slot {self.slot} was created.")

    def _publish(self, tables: Mapping[tuple[str, str], Sequence[str]]) -> None:
        """See that the publication holds all that is wanted."""
        name = quote(self.publication)
        if not self._has_publication():
            self._may_create(f"There is no publication {self.publication}.")
            self.pg.execute(
                f"CREATE PUBLICATION {name} FOR TABLE {_listed(tables)} "
                "WITH (publish_via_partition_root = true)"
            )
        missing = tables.keys() - self._published().keys()
        if missing and self.create:
            self.pg.execute(f"ALTER PUBLICATION {name} ADD TABLE {_listed(sorted(missing))}")
        elif missing:
            raise SyncError(
                f"The publication {self.publication} does not hold {_listed(sorted(missing))}: run "
                f"ALTER PUBLICATION {name} ADD TABLE …, or set create_missing."
            )
        self._check_publication(tables)

    def _published(self) -> dict[tuple[str, str], Sequence[str] | None]:
        """Its tables, and which of their columns, where the server knows of that."""
        rows = self.pg.rows(
            "SELECT schemaname::text AS s, tablename::text AS t, to_jsonb(p)::text AS p "
            f"FROM pg_publication_tables p WHERE pubname = {literal(self.publication)}"
        )
        return {(row[0], row[1]): json.loads(row[2]).get("attnames") for row in rows}

    def _check_publication(self, tables: Mapping[tuple[str, str], Sequence[str]]) -> None:
        rows = self.pg.rows(
            "SELECT pubinsert AND pubupdate AND pubdelete AS whole FROM pg_publication "
            f"WHERE pubname = {literal(self.publication)}"
        )
        if not rows[0][0]:
            raise SyncError(
                f"The publication {self.publication} must publish inserts, updates and deletes."
            )
        published = self._published()
        for table, columns in tables.items():
            listed = published.get(table)
            left_out = set(columns) - set(columns if listed is None else listed)
            if left_out:
                raise SyncError(
                    f"The publication {self.publication} leaves out columns of {'.'.join(table)}: "
                    f"{', '.join(sorted(left_out))}. Publish them, or do not select them."
                )


def _listed(tables: Sequence[tuple[str, str]] | Mapping[tuple[str, str], Any]) -> str:
    return ", ".join(f"{quote(schema)}.{quote(name)}" for schema, name in tables)
