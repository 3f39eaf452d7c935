"""The destination `parquet`: a folder for each table, whose manifest says which files count.

`<base>/<database>/<table>/_manifest.json` is replaced by rename, after its files are on the disk:
that is the commit, position included. Files that no manifest names are leftovers of a run that was
killed; the next run removes them.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

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
from workers.connectors.faults import fault
from workers.connectors.partitions import partition_columns

MANIFEST = "_manifest.json"
ASIDE = "_new"
LARGEST_MB = 512


class ParquetDestination:
    """Writes Parquet files below the data root."""

    upserts = False

    def __init__(self, session: Session, config: Config) -> None:
        self.session = session
        self.writer = config.get("writer") or config
        self.commit: _Commit | None = None

    def open(self) -> None:
        """There is nothing to connect to."""

    def stored(self, type: str) -> str:
        """Parquet's own types; times with zone, intervals and structures as text."""
        return types.plain(type)

    def check(self) -> None:
        """Write a file and remove it."""
        try:
            self._base().mkdir(parents=True, exist_ok=True)
            probe = self._base() / f"_check_{self.session.run.id}"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise SyncError(f"The folder cannot be written: {error.strerror}.") from None

    def position(self, table: Table) -> Position | None:
        """What the manifest holds."""
        manifest = _read(self._folder(table))
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
        with self._locked(self._folder(table), create=False) as there:
            if there:
                (self._folder(table) / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(self._folder(table))

    def close(self) -> None:
        """Nothing is open."""

    def _base(self) -> Path:
        if self.writer.get("s3_bucket"):
            raise SyncError("This Parquet destination writes to local folders only.")
        root = self.session.data_root.resolve()
        base = (root / str(self.writer.get("local_path") or "parquet")).resolve()
        if not base.is_relative_to(root):
            raise SyncError("The folder must lie below the data folder.")
        return base

    def _folder(self, table: Table) -> Path:
        return self._base() / table.database / table.name

    @contextmanager
    def _commit(self, table: Table) -> Iterator["_Commit"]:
        folder = self._folder(table)
        with self._locked(folder, create=True):
            manifest = _read(folder)
            run = self.session.run
            if manifest and manifest["job"] == run.job and tuple(manifest["order"]) > run.order:
                raise SyncError("A later run has written to this table; this one has lost it.")
            size_mb = int(self.writer.get("max_file_size_mb") or LARGEST_MB)
            self.commit = commit = _Commit(self.session, folder, manifest, size_mb)
            try:
                yield commit
            except duckdb.Error as error:
                raise fault(error) from None
            except OSError as error:
                raise SyncError(f"Files cannot be written: {error.strerror}.") from None
            finally:
                shutil.rmtree(folder / ASIDE, ignore_errors=True)

    @contextmanager
    def _locked(self, folder: Path, *, create: bool) -> Iterator[bool]:
        """Hold a table's folder against another process; False where there is none."""
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.exists():
            yield False
            return
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield True
        finally:
            os.close(lock)


class _Commit:
    """Files on their way into a table."""

    def __init__(
        self, session: Session, folder: Path, manifest: dict[str, Any] | None, size_mb: int
    ) -> None:
        self.session = session
        self.folder = folder
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
        _sync(self.folder)
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
        _replace(self.folder / MANIFEST, text)
        self._sweep({str(file["path"]) for file in files})
        for name in sorted(self.infinite):
            self.session.log(
                "warning",
                f"Column {name} of {self.folder.name} holds infinite times, which only some "
                "readers of Parquet understand: they are stored as the greatest or least time.",
            )
        return self._finished()

    def so_far(self) -> Written:
        """What is written; called by another thread while files come and go."""
        done, size = self._finished(), 0
        for path in (self.folder / ASIDE).glob("*/**/*.parquet"):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return Written(done.rows, done.bytes + size)

    def _finished(self) -> Written:
        new = list(self.new)
        return Written(sum(f["rows"] for f in new), sum(f["bytes"] for f in new))

    def _aside(self) -> Path:
        aside = self.folder / ASIDE / str(len(self.new))
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
        to = self.folder / folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        _sync(Path(path))
        Path(path).replace(to)
        _sync(to.parent)
        relative = to.relative_to(self.folder).as_posix()
        self.new.append({"path": relative, "rows": rows, "bytes": size})

    def _sweep(self, named: set[str]) -> None:
        """Remove files that nobody names: of the table that was replaced, or of a killed run."""
        for path in self.folder.rglob("*.parquet"):
            relative = path.relative_to(self.folder)
            if relative.parts[0] != ASIDE and relative.as_posix() not in named:
                path.unlink(missing_ok=True)


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        read: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    return read


def _widened(come: Iterable[Column], have: Iterable[Column]) -> list[Column]:
    """The coming columns in the types that the table has for them."""
    known = {column.name: column for column in have}
    return [known[column.name] for column in come]


def _segment(value: str | None) -> str:
    """A partition's value as a folder's name: no separators, nothing hidden."""
    text = "".join("_" if sign in '/\\\0"*:<>?|' or sign < " " else sign for sign in value or "")
    return text.lstrip(".")[:200] or "_"


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
