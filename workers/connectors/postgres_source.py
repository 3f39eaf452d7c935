"""The source `postgres`: catalogue, parallel full reads, reading by cursor, and the log."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from workers.connectors import duck
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
    literal,
    quote,
)
from workers.connectors.conditions import where
from workers.connectors.postgres import Postgres
from workers.connectors.postgres_cursor import ROW, Cursor
from workers.connectors.postgres_log import Identity, PostgresLog, lsn_number, lsn_text
from workers.connectors.postgres_types import PgColumn, duck_type

ALIAS = "pg_source"
_TABLES = """
SELECT n.nspname, c.relname, json_agg(json_build_object(
         'name', a.attname, 'type', format_type(b.oid, coalesce(nullif(a.atttypmod, -1), t.typtypmod)),
         'kind', b.typtype, 'dimensions',
         CASE WHEN b.typelem <> 0 AND b.typlen = -1 THEN greatest(a.attndims, 1) ELSE 0 END, 'nullable', NOT a.attnotnull,
         'generated', a.attgenerated <> '')
         ORDER BY a.attnum)::text,
       coalesce((SELECT json_agg(k.attname ORDER BY array_position(i.indkey::int[], k.attnum::int))
         FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY(i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary), '[]')::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {which}
  AND has_table_privilege(c.oid, 'SELECT')
GROUP BY n.nspname, c.relname, c.oid ORDER BY 1, 2
"""


@dataclass(frozen=True)
class _Found:
    schema: str
    name: str
    columns: tuple[PgColumn, ...]
    key: tuple[str, ...]


class PostgresSource:
    """Reads a PostgreSQL database."""

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.config = config
        self.pg = Postgres(session, config, ALIAS)
        self._log: PostgresLog | None = None

    def open(self) -> None:
        """Attach the database, for reading only."""
        duck.at_most(self.session.duck, self.config.get("max_threads"))
        self.pg.attach(read_only=True)

    def check(self) -> None:
        """Whether the log can be read, where the settings name one."""
        if self._has_log():
            self._opened_log().check()

    def discover(self) -> Sequence[Found]:
        """Tables with the user's right to read them; no system schema."""
        which = self._schemas()
        identities = self._opened_log().identities(which) if self._has_log() else {}
        return [
            self._described(table, identities.get((table.schema, table.name)))
            for table in self._tables(self.pg, which)
        ]

    def read(self, stream: Stream, position: Position | None) -> Iterator[Part]:
        """All rows in one parallel scan, or by cursor in one query, each in one snapshot."""
        # The log is asked first: what the scan sees must not be older than the position.
        behind = self._load_position(stream) if stream.mode == "cdc" else {}
        table = self._table(self.pg, stream)
        columns = self._columns(stream, table)
        reading = _Reading(self.pg, self.session, stream, table, columns)
        if stream.mode == "incremental":
            yield reading.by_cursor(position, late=self.config.get("find_late_rows") is not False)
        else:
            check = self.config.get("check_nan") is not False
            yield Part(stream, reading.whole(check_nan=check), behind)

    def changes(
        self, streams: Sequence[Stream], positions: Mapping[str, Position | None]
    ) -> Iterator[Part]:
        """Changes from the slot on; the slot follows what all streams have committed."""
        # Arrow is large, and only the log needs it.
        from workers.connectors.postgres_changes import Changes, Target

        log = self._opened_log()
        tables = {stream.id: self._logged(stream) for stream in streams}
        columns = {(s.namespace, s.name): _names(self._columns(s, tables[s.id])) for s in streams}
        slot = log.prepare(columns, anew=not any(positions.values()))
        log.report(slot)
        system, now = log.system(), lsn_text(log.ends()[2])
        targets, started = [], []
        for stream in streams:
            position = positions[stream.id]
            listed = [column for column in tables[stream.id].columns if not column.generated]
            target = Target(stream, listed, position or {"lsn": now, "system": system})
            target.verify(slot, system)
            targets.append(target)
            if not position:
                started.append(target)
        with closing(Changes(self.session, log, targets)) as changes:
            yield from changes.parts(started)

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """The slot moves to the first of them."""
        self._opened_log().advance(min(lsn_number(p["lsn"]) for p in positions.values()))

    def slot(self, *, drop: bool) -> dict[str, Any]:
        """What the server keeps for the slot that the settings name; with `drop` it is dropped."""
        return self._opened_log().drop() if drop else self._opened_log().look()

    def close(self) -> None:
        """The connections end with the session's."""
        if self._log is not None:
            self._log.close()

    def _has_log(self) -> bool:
        return (self.config.get("update_method") or {}).get("type") == "CDC"

    def _opened_log(self) -> PostgresLog:
        if not self._has_log():
            raise SyncError("Change data capture is not configured for this source.")
        if self._log is None:
            self._log = PostgresLog(self.session, self.config)
            self._log.open()
        return self._log

    def _load_position(self, stream: Stream) -> Position:
        """The position of the log before a load, and the load's snapshot."""
        log = self._opened_log()
        table = self._logged(stream)
        names = _names(self._columns(stream, table))
        slot = log.prepare({(table.schema, table.name): names}, anew=True)
        log.wait_for_writers(f"{quote(table.schema)}.{quote(table.name)}")
        system = log.system()
        snapshot, until = self.pg.rows(
            "SELECT pg_current_snapshot()::text AS s, pg_current_wal_insert_lsn()::text AS u"
        )[0]
        lsn = lsn_text(slot.confirmed)
        return {"lsn": lsn, "system": system, "snapshot": snapshot, "until": until}

    def _logged(self, stream: Stream) -> "_Found":
        """The stream's table, whose log must tell which rows were changed."""
        log = self._opened_log()
        table = self._table(log.pg, stream)
        which = _named(stream)
        identity = log.identities(which)[table.schema, table.name]
        name = f"{quote(table.schema)}.{quote(table.name)}"
        if refusal := identity.refusal(name, stream.key):
            raise SyncError(refusal)
        where(stream, {column.name for column in table.columns})
        return table

    def _columns(self, stream: Stream, table: "_Found") -> list[PgColumn]:
        wanted = [column for column in table.columns if stream.wants(column.name)]
        if stream.mode in ("cdc", "strict_cdc"):
            computed = [column.name for column in wanted if column.generated]
            if computed:
                left = ", ".join(computed)
                text = f"{stream.id} comes without computed columns: the log lacks {left}."
                self.session.log("debug", text)
            wanted = [column for column in wanted if not column.generated]
        if not wanted:
            raise SyncError(f"Stream {stream.id} has no selected column.")
        return wanted

    def _schemas(self) -> str:
        wanted = [str(name) for name in self.config.get("schemas") or []]
        if wanted:
            return f"n.nspname IN ({', '.join(map(literal, wanted))})"
        return r"n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'"

    def _table(self, pg: Postgres, stream: Stream) -> "_Found":
        for table in self._tables(pg, _named(stream)):
            return table
        raise SyncError(f"There is no table {stream.id}, or its user may not read it.")

    def _tables(self, pg: Postgres, which: str) -> list["_Found"]:
        return [
            _Found(
                schema, name, tuple(PgColumn(**c) for c in json.loads(cols)), tuple(json.loads(key))
            )
            for schema, name, cols, key in pg.rows(_TABLES.format(which=which))
        ]

    def _described(self, table: "_Found", identity: Identity | None) -> Found:
        modes: tuple[Mode, ...] = ("full_refresh", "incremental")
        if identity is not None and not identity.refusal(table.name, table.key):
            modes = (*modes, "cdc", "strict_cdc")
        return Found(
            namespace=table.schema,
            name=table.name,
            columns=tuple(Column(c.name, duck_type(c), c.nullable) for c in table.columns),
            key=table.key,
            modes=modes,
            cursors=tuple(sorted(c.name for c in table.columns if c.is_ordered)),
        )


class _Reading:
    """One stream's rows as SQL."""

    def __init__(
        self,
        pg: Postgres,
        session: Session,
        stream: Stream,
        table: _Found,
        columns: Sequence[PgColumn],
    ) -> None:
        self.pg = pg
        self.session = session
        self.stream = stream
        self.table = table
        self.columns = columns
        self.name = f"{quote(table.schema)}.{quote(table.name)}"
        self.filter = where(stream, {column.name for column in table.columns})

    def whole(self, *, check_nan: bool) -> str:
        """All rows: by the parallel scan, unless it would change values or cannot filter."""
        nan = self._nan() if check_nan else ()
        if nan or self.filter or any(column.as_text for column in self.columns):
            return self._queried(self.filter, nan)
        scan = self.pg.table(self.table.schema, self.table.name)
        return f"SELECT {', '.join(c.scanned() for c in self.columns)} FROM {scan}"

    def by_cursor(self, position: Position | None, *, late: bool) -> Part:
        """Rows behind a position, in one query; without one all of them, by the parallel scan."""
        names = {column.name for column in self.table.columns}
        cursor = Cursor(self.pg, self.session, self.stream, self.name, names)
        new = cursor.now(late=late)
        if position is None:
            return Part(self.stream, self.whole(check_nan=True), new)
        behind = cursor.behind(position, late=late, system=new["system"])
        wanted = " AND ".join(f"({part})" for part in (behind, self.filter) if part)
        nan = tuple(column.name for column in self.columns if column.can_be_nan)
        return Part(self.stream, self._queried(wanted, nan), new, op="u")

    def _queried(self, wanted: str, nan: Sequence[str]) -> str:
        asked = ", ".join(column.selected(nan=column.name in nan) for column in self.columns)
        query = f"SELECT {asked} FROM {self.name} AS {ROW}" + (f" WHERE {wanted}" if wanted else "")
        got = ", ".join(column.received() for column in self.columns)
        return f"SELECT {got} FROM {self.pg.query(query)}"

    def _nan(self) -> tuple[str, ...]:
        """Columns that hold NaN, which the parallel scan would read as zero; said in the log."""
        numeric = [column.name for column in self.columns if column.can_be_nan]
        if not numeric:
            return ()
        counts = ", ".join(
            f"count(*) FILTER (WHERE {quote(n)} = 'NaN') AS {quote(n)}" for n in numeric
        )
        found = dict(
            zip(numeric, self.pg.rows(f"SELECT {counts} FROM {self.name}")[0], strict=True)
        )
        for name, count in found.items():
            if count:
                text = f"{count} values of {self.stream.id}.{name} are NaN and become null."
                self.session.log("warning", text)
        return tuple(name for name, count in found.items() if count)


def _named(stream: Stream) -> str:
    return f"n.nspname = {literal(stream.namespace)} AND c.relname = {literal(stream.name)}"


def _names(columns: Sequence[PgColumn]) -> list[str]:
    return [column.name for column in columns]
