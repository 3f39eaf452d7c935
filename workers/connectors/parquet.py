"""The destination `parquet`: a folder for each table, whose manifest says which files count.

`<base>/<database>/<table>/_manifest.json` is replaced by rename, on S3 by one PUT, after its files are
on the disk: that is the commit, position included. Files that no manifest names are leftovers of a run that was
killed; the next run removes them.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from workers.connectors import s3, types
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
from workers.connectors.faults import fault
from workers.connectors.parquet_stores import Bucket, Folder, Store
from workers.connectors.partitions import partition_columns

MANIFEST = "_manifest.json"
LARGEST_MB = 512


class ParquetDestination:
    """Writes Parquet files below the data root or into a bucket."""

    upserts = False

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.writer = config.get("writer") or config
        self._door: Door | None = None
        self.commit: _Commit | None = None

    def open(self) -> None:
        """There is nothing to connect to."""

    def stored(self, type: str) -> str:
        """Parquet's own types; times with zone, intervals and structures as text."""
        return types.plain(type)

    def check(self) -> None:
        """Write a file and remove it."""
        with self._told():
            store = self._store("", "")
            name = f"_check_{self.session.run.id}"
            store.write(name, "")
            store.remove(name)

    def position(self, table: Table) -> Position | None:
        """What the manifest holds."""
        with self._told():
            manifest = _read(self._store(table.database, table.name))
        ours = manifest is not None and manifest["job"] == self.session.run.job
        return manifest["position"] if manifest and ours else None

    def replace(self, table: Table, loads: Iterable[Load]) -> Written:
        """Write all files, then let the manifest name them and only them."""
        with self._commit(table) as commit:
            for load in loads:
                commit.write(load, table.columns, table.partition)
            commit.columns, commit.files = table.columns, []
            return commit.end()

    def append(self, table: Table, load: Load) -> Written:
        """Write files, then let the manifest name them too."""
        with self._commit(table) as commit:
            columns = types.evolve(table.name, commit.columns, table.columns)
            commit.write(load, _widened(table.columns, columns), table.partition)
            commit.columns = columns
            return commit.end()

    def upsert(self, table: Table, load: Load) -> Written:
        """Not possible in plain files."""
        raise SyncError("A Parquet folder can only be appended to.")

    def under_way(self) -> Written:
        """Rows of the files that are finished, and bytes of these and of those being written."""
        return Written(0) if self.commit is None else self.commit.so_far()

    def clear(self, table: Table) -> None:
        """Remove the table's folder; readers lose it at once."""
        with self._told():
            store = self._store(table.database, table.name)
            with store.locked(create=False) as there:
                if there:
                    store.remove(MANIFEST)
                    store.clear()

    def close(self) -> None:
        """Close the way out to S3."""
        if self._door is not None:
            self._door.close()

    def _store(self, database: str, table: str) -> Store:
        if self.writer.get("s3_bucket"):
            if self._door is None:
                self._door = Door(self.session.address)
            return Bucket.of(self.writer, self._door.url, (database, table), self.session.scratch)
        root = self.session.data_root.resolve()
        base = (root / str(self.writer.get("local_path") or "parquet")).resolve()
        if not base.is_relative_to(root):
            raise SyncError("The folder must lie below the data folder.")
        return Folder(base / database / table)

    @contextmanager
    def _commit(self, table: Table) -> Iterator["_Commit"]:
        store = self._store(table.database, table.name)
        with self._told(), store.locked(create=True):
            manifest = _read(store)
            run = self.session.run
            if manifest and manifest["job"] == run.job and tuple(manifest["order"]) > run.order:
                raise SyncError("A later run has written to this table; this one has lost it.")
            size_mb = int(self.writer.get("max_file_size_mb") or LARGEST_MB)
            self.commit = commit = _Commit(self.session, store, table.name, manifest, size_mb)
            try:
                yield commit
            finally:
                shutil.rmtree(store.aside, ignore_errors=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise fault(error) from None
        except OSError as error:
            if self._door is not None:
                raise self._door.refused or s3.fault(error) from None
            raise SyncError(f"Files cannot be written: {error.strerror}.") from None


class _Commit:
    """Files on their way into a table."""

    def __init__(
        self,
        session: Session,
        store: Store,
        name: str,
        manifest: dict[str, Any] | None,
        size_mb: int,
    ) -> None:
        self.session = session
        self.store = store
        self.name = name
        self.size_mb = size_mb
        old = manifest or {"columns": [], "files": []}
        self.columns: tuple[Column, ...] = tuple(Column(*column) for column in old["columns"])
        self.files: list[dict[str, Any]] = old["files"]
        self.new: list[dict[str, Any]] = []
        self.position: Position = {}
        self.infinite: set[str] = set()

    def write(self, load: Load, columns: Iterable[Column], partition: str) -> None:
        """Write a load's rows into files aside."""
        self.position = load.position
        parts = partition_columns(partition)
        listed = [f"CAST({quote(c.name)} AS {c.type}) AS {quote(c.name)}" for c in columns]
        listed += [f"{sql} AS {quote(f'_part{i}')}" for i, sql in enumerate(parts)]
        aside = self._aside()
        select = f"SELECT {', '.join(listed)} FROM ({load.relation})"
        named = ", ".join(quote(f"_part{i}") for i in range(len(parts)))
        how = f"PARTITION_BY ({named})" if parts else f"FILE_SIZE_BYTES '{self.size_mb}MB'"
        for path, rows, size, keys in self._copy(select, aside, how):
            folder = "/".join(_segment(keys[f"_part{i}"]) for i in range(len(parts)))
            if parts and size > self.size_mb * 1024**2:
                again = f"SELECT * FROM read_parquet({literal(path)})"
                how_again = f"FILE_SIZE_BYTES '{self.size_mb}MB'"
                for smaller, some, bytes_, _ in self._copy(again, self._aside(), how_again):
                    self._move(smaller, folder, some, bytes_)
            elif rows:
                self._move(path, folder, rows, size)

    def end(self) -> Written:
        """Switch the manifest, and remove what it names no more."""
        run = self.session.run
        files = self.files + self.new
        text = json.dumps(
            {
                "version": 1,
                "job": run.job,
                "run": run.id,
                "order": run.order,
                "position": self.position,
                "columns": [(column.name, column.type) for column in self.columns],
                "files": files,
            }
        )
        self.store.write(MANIFEST, text)
        self.store.sweep({str(file["path"]) for file in files})
        for name in sorted(self.infinite):
            self.session.log(
                "warning",
                f"Column {name} of {self.name} holds infinite times, which only some "
                "readers of Parquet understand: they are stored as the greatest or least time.",
            )
        return self._finished()

    def so_far(self) -> Written:
        """What is written; called by another thread while files come and go."""
        done, size = self._finished(), 0
        for path in self.store.aside.glob("*/**/*.parquet"):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return Written(done.rows, done.bytes + size)

    def _finished(self) -> Written:
        new = list(self.new)
        return Written(sum(f["rows"] for f in new), sum(f["bytes"] for f in new))

    def _aside(self) -> Path:
        aside = self.store.aside / str(len(self.new))
        while aside.exists():
            aside = aside.with_name(aside.name + "x")
        aside.mkdir(parents=True)
        return aside

    def _copy(self, select: str, to: Path, how: str) -> list[tuple[str, int, int, dict[str, str]]]:
        rows = self.session.duck.execute(
            f"COPY ({select}) TO {literal(str(to))} "
            f"(FORMAT parquet, COMPRESSION zstd, {how}, OVERWRITE_OR_IGNORE, RETURN_STATS)"
        ).fetchall()
        for row in rows:
            for name, figures in (row[4] or {}).items():
                if {"infinity", "-infinity"} & {figures.get("max"), figures.get("min")}:
                    self.infinite.add(name.strip('"'))
        return [(row[0], row[1], row[2], row[5] or {}) for row in rows]

    def _move(self, path: str, folder: str, rows: int, size: int) -> None:
        run = self.session.run
        name = f"{run.number:08}-{run.fence}-{len(self.files)}-{len(self.new)}.parquet"
        relative = f"{folder}/{name}" if folder else name
        self.store.take(Path(path), relative)
        self.new.append({"path": relative, "rows": rows, "bytes": size})


def _read(store: Store) -> dict[str, Any] | None:
    text = store.read(MANIFEST)
    return None if text is None else json.loads(text)


def _widened(come: Iterable[Column], have: Iterable[Column]) -> list[Column]:
    """The coming columns in the types that the table has for them."""
    known = {column.name: column for column in have}
    return [known[column.name] for column in come]


def _segment(value: str | None) -> str:
    """A partition's value as a folder's name: no separators, nothing hidden."""
    text = "".join("_" if sign in '/\\\0"*:<>?|' or sign < " " else sign for sign in value or "")
    return text.lstrip(".")[:200] or "_"
