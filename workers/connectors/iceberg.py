"""The destination `iceberg`: rows and position in one snapshot of a table.

DuckDB writes the data files; pyiceberg commits them. An upsert writes anew those files that hold the
keys (copy on write), so that any reader of Iceberg can read the tables.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import duckdb
import requests
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NoSuchTableError,
    RESTError,
    ValidationException,
)
from pyiceberg.manifest import DataFile
from sqlalchemy.exc import DBAPIError

from workers.connectors import (
    faults,
    iceberg_catalog,
    iceberg_files,
    iceberg_schema,
    iceberg_upkeep,
)
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
from workers.connectors.door import Door
from workers.connectors.iceberg_files import Writer
from workers.connectors.iceberg_io import inside
from workers.connectors.iceberg_table import Place, Target

TRIES = 5
WAIT_S = 0.2
_TOLD = (
    CommitStateUnknownException,
    DBAPIError,
    OSError,
    RESTError,
    ValidationException,
    requests.RequestException,
)


class IcebergDestination:
    """Writes Iceberg tables of a SQL or REST catalog, on S3 or below the data root."""

    upserts = True
    catalog: Catalog
    door: Door

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.writer = config.get("writer") or config

    def open(self) -> None:
        """Connect to the catalog."""
        self.door = Door(self.session.address)
        with self._told():
            self.catalog = iceberg_catalog.connect(self.session, self.writer, self.door)

    def stored(self, type: str) -> str:
        """Iceberg's own types; what it has not as text."""
        return iceberg_schema.stored(type)

    def check(self) -> None:
        """Make a table of one row, and drop it."""
        column = Column("_olake_id", "VARCHAR")
        table = Table("check", "test_olake", f"check_{self.session.run.number}", (column,))
        self.replace(table, [Load("SELECT 'check' AS _olake_id", {})])
        self.clear(table)
        with suppress(*_TOLD, Exception):
            self.catalog.drop_namespace(table.database)

    def position(self, table: Table) -> Position | None:
        """What the last snapshot of a sync holds."""
        with self._told():
            place = Place(self.session, self.catalog, table)
            place.refuse_deletes()
            return place.position()

    def replace(self, table: Table, loads: Iterable[Load]) -> Written:
        """One snapshot that has the new files instead of all old ones."""
        return self._once_written(table, loads, keep=False)

    def append(self, table: Table, load: Load) -> Written:
        """One snapshot more."""
        return self._once_written(table, [load], keep=True)

    def upsert(self, table: Table, load: Load) -> Written:
        """One snapshot that has the files which held the keys written anew."""
        changes = self.session.scratch / "changes.parquet"
        with self._told():
            rows = self._set_aside(load, str(changes))
        if not rows:
            return self.append(table, load_of_nothing(load, table))
        merge = Merge(table, f"read_parquet({literal(str(changes))})", load.has_absent)

        def attempt(place: Place) -> Written:
            target = self._target(place, table.columns, keep=True)
            writer, gone = self._writer(target), []
            try:
                gone = merge.write(self.session, place, target, writer)
                place.commit(target, writer.files, gone, load.position)
            except CommitFailedException:
                writer.discard()
                raise
            return Written(rows, sum(file.file_size_in_bytes for file in writer.files))

        try:
            return self._tried(table, attempt)
        finally:
            changes.unlink(missing_ok=True)

    def clear(self, table: Table) -> None:
        """Drop the table and its files."""
        with self._told():
            place = Place(self.session, self.catalog, table)
            if place.found is None:
                return
            place.guard()
            location = place.found.metadata.location
            with suppress(NoSuchTableError):
                iceberg_catalog.purge(self.catalog, place.id)
            own = f"{iceberg_catalog.warehouse(self.session, self.writer)}/{'/'.join(place.id)}"
            if location.startswith("file://") and location == own:
                # A catalog may have a table lie elsewhere, with what is not its own.
                shutil.rmtree(inside(self.session.data_root, location), ignore_errors=True)

    def tidy(self, table: Table, now: datetime | None = None) -> None:
        """Once a day: let old snapshots go, and remove files that nothing names."""
        days, now = iceberg_upkeep.expire_days(self.writer, self.catalog), now or datetime.now(UTC)
        with self._told():
            found = Place(self.session, self.catalog, table).found
            if not days or found is None or not iceberg_upkeep.is_due(found, now):
                return
            try:
                expired = iceberg_upkeep.expire(found, days, now)
            except CommitFailedException:
                return  # Others write: the next sync looks again.
            found = self.catalog.load_table(found.name())
            removed = iceberg_upkeep.sweep(found, now)
        if removed is None:
            self.session.log(
                "warning",
                f"Files of the Iceberg table {'.'.join(found.name())} are not where its snapshots "
                "name them, so that none is removed.",
            )
        elif expired or removed:
            said = f"{expired} old snapshots expired, {removed} files that nothing names removed"
            self.session.log("info", f"{'.'.join(found.name())}: {said}.")

    def close(self) -> None:
        """Close the way out."""
        if hasattr(self, "door"):
            self.door.close()

    def _once_written(self, table: Table, loads: Iterable[Load], *, keep: bool) -> Written:
        """Commit files that are written once, however often the commit is tried."""
        written: list[tuple[Target, Writer, Position]] = []

        def attempt(place: Place) -> Written:
            target = self._target(place, table.columns, keep=keep)
            if not written:
                writer, position = self._writer(target), Position()
                for load in loads:
                    writer.write(load.relation, [(c.name, c.type) for c in table.columns])
                    position = load.position
                written.append((target, writer, position))
            meant, writer, position = written[0]
            if place.found is not None and not target.fits(meant):
                writer.discard()
                raise SyncError("The table was changed by others meanwhile.", retry=True)
            if keep and not writer.files and position == place.position():
                return Written(0)
            removed = [] if keep else place.files()
            place.commit(target, writer.files, removed, position)
            self._say(table, writer)
            files = writer.files
            return Written(
                sum(f.record_count for f in files), sum(f.file_size_in_bytes for f in files)
            )

        return self._tried(table, attempt)

    def _tried(self, table: Table, attempt: Callable[[Place], Written]) -> Written:
        with self._told():
            for number in range(TRIES):
                place = Place(self.session, self.catalog, table)
                place.guard()
                place.refuse_deletes()
                try:
                    return attempt(place)
                except CommitFailedException:
                    time.sleep(WAIT_S * 2**number)
        raise SyncError("Others go on writing to the table: nothing was committed.", retry=True)

    def _target(self, place: Place, columns: Sequence[Column], *, keep: bool) -> Target:
        target = place.target(columns, keep=keep)
        if target.location.startswith("s3"):
            target.io.storage().attach(self.session.duck)
        else:
            inside(self.session.data_root, target.location)
            if not target.location.removeprefix("file://").startswith("/"):
                raise SyncError(
                    f"The catalog names {target.location} as the table's place: give the namespace "
                    "a location that begins with s3:// or file:///, or none."
                )
        return target

    def _writer(self, target: Target) -> Writer:
        return Writer(self.session, target.io, target.location, target.schema, target.spec)

    def _set_aside(self, load: Load, path: str) -> int:
        """Have the coming rows at hand: they are read more than once."""
        rows = self.session.duck.execute(
            f"COPY ({load.relation}) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()
        return int(rows[0][0])

    def _say(self, table: Table, writer: Writer) -> None:
        for name in sorted(writer.infinite):
            self.session.log(
                "warning",
                f"Column {name} of {table.name} holds infinite times, which only some readers "
                "understand: they are stored as the greatest or least time.",
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            refused, self.door.refused = self.door.refused, None
            raise refused or faults.fault(error) from None
        except _TOLD as error:
            raise iceberg_catalog.fault(error, self.door) from None


class Merge:
    """The rows of an upsert, and what they do to a table's files."""

    def __init__(self, table: Table, changes: str, has_absent: bool) -> None:
        self.table = table
        self.changes = changes
        self.has_absent = has_absent

    def write(
        self, session: Session, place: Place, target: Target, writer: Writer
    ) -> list[DataFile]:
        """Write the new files; the old ones that they replace."""
        files = {file.file_path: file for file in place.files()}
        for name in files:
            target.io.check(name)
        schema, name = target.schema, self.table.name
        held = iceberg_files.touched(session.duck, list(files), schema, name, self.changes)
        columns = [(c.name, c.type) for c in iceberg_schema.columns(schema, name)]
        old = iceberg_files.relation(sorted(held), schema, name) if held else ""
        writer.write(self._select(columns, old), columns)
        return [files[name] for name in held]

    def _select(self, columns: Sequence[tuple[str, str]], old: str) -> str:
        come = {column.name for column in self.table.columns}
        new = []
        for name, type_ in columns:
            value = f"CAST(c.{quote(name)} AS {type_})" if name in come else f"NULL::{type_}"
            if self.has_absent and old and name in come and not _is_ours(name):
                kept = f"list_contains(c._absent, {literal(name)})"
                value = f"CASE WHEN {kept} THEN o.{quote(name)} ELSE {value} END"
            new.append(f"{value} AS {quote(name)}")
        rows = f"SELECT {', '.join(new)} FROM {self.changes} AS c"
        if not old:
            return rows
        if self.has_absent:
            missing = f"SELECT _olake_id FROM {self.changes} WHERE len(_absent) > 0"
            rows += (
                f" LEFT JOIN (FROM ({old}) WHERE _olake_id IN ({missing}) "
                "QUALIFY row_number() OVER (PARTITION BY _olake_id) = 1) AS o "
                "ON o._olake_id = c._olake_id"
            )
        listed = ", ".join(quote(name) for name, _ in columns)
        return (
            f"{rows} UNION ALL SELECT {listed} FROM ({old}) "
            f"ANTI JOIN (SELECT _olake_id FROM {self.changes}) USING (_olake_id)"
        )


def load_of_nothing(load: Load, table: Table) -> Load:
    """A load without rows, for its position."""
    listed = ", ".join(f"NULL::{c.type} AS {quote(c.name)}" for c in table.columns)
    return Load(f"SELECT {listed} WHERE false", load.position)


def _is_ours(name: str) -> bool:
    return name.startswith(("_olake_", "_cdc_", "_op_type"))
