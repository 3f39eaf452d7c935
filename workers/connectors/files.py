"""The sources `file` and `s3`: CSV, JSON and Parquet files, one stream per folder."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from workers.connectors import duck
from workers.connectors.base import (
    Column,
    Config,
    Found,
    Part,
    Position,
    Session,
    Stream,
    SyncError,
    quote,
)
from workers.connectors.conditions import where
from workers.connectors.faults import fault
from workers.connectors.file_formats import Format
from workers.connectors.file_places import Bucket, Disk, File, Place

MODIFIED = "_last_modified_time"
NEWEST = 2000
"""So many of the newest files are known one by one; older ones are taken as read."""
PART_BYTES = 256 * 2**20
MOST_FILES = 100_000


def on_disk(session: Session, config: Config) -> "FileSource":
    """The source `file`."""
    return FileSource(session, config, "file", Disk(session, config))


def on_s3(session: Session, config: Config) -> "FileSource":
    """The source `s3`."""
    return FileSource(session, config, "s3", Bucket(session, config))


class FileSource:
    """Reads files; the first folder in a file's name is its stream."""

    def __init__(self, session: Session, config: Config, namespace: str, place: Place) -> None:
        self.session = session
        self.namespace = namespace
        self.place = place
        self.format = Format(session, config, place)
        self.pattern = str(config.get("file_pattern") or "")

    def open(self) -> None:
        """Find the place."""
        self.format.verify()
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise SyncError(f"The file pattern is no regular expression: {error}.") from None
        self.place.open()

    def check(self) -> None:
        """List the files."""
        self._streams()

    def discover(self) -> Sequence[Found]:
        """A stream for each folder; types are those of the beginning of each file."""
        return [self._found(name, files) for name, files in sorted(self._streams().items())]

    def read(self, stream: Stream, position: Position | None) -> Iterator[Part]:
        """Files that were not read, oldest first; many are several parts."""
        files = self._streams().get(stream.name, [])
        if position is None and not files:
            raise SyncError(f"There is no file in the folder of {stream.id}.")
        done = [file for file in files if position and _is_known(file, position)]
        ahead = [file for file in files if file not in set(done)]
        parts = _parts(ahead) if stream.mode == "incremental" else [ahead]
        op: Any = "r" if position is None else "u"
        for number, part in enumerate(parts):
            ahead = ahead[len(part) :]
            done += part
            yield Part(stream, self._selected(stream, part, number), _position(done, ahead), op)

    def changes(
        self, streams: Sequence[Stream], positions: Mapping[str, Position | None]
    ) -> Iterator[Part]:
        """Files have no log."""
        raise SyncError("Files have no log of changes: read them incrementally.")

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """Nobody waits for it."""

    def close(self) -> None:
        """Nothing is open."""

    def _streams(self) -> dict[str, list[File]]:
        """Files by stream, oldest first."""
        streams: dict[str, list[File]] = defaultdict(list)
        outside, count = 0, 0
        for file in self.place.files():
            if not self._is_meant(file.name):
                continue
            folder, slash, _ = file.name.partition("/")
            if not slash:
                outside += 1
                continue
            count += 1
            if count > MOST_FILES:
                raise SyncError(
                    f"There are more than {MOST_FILES} files: set a path that has less."
                )
            streams[folder].append(file)
        if outside:
            text = f"{outside} files lie in no folder, and so in no stream: they are not read."
            self.session.log("warning", text)
        return {name: sorted(files, key=_age) for name, files in streams.items()}

    def _is_meant(self, name: str) -> bool:
        """Names that begin with a dot or an underscore are of files still being written."""
        if any(part.startswith((".", "_")) for part in name.split("/")):
            return False
        if self.pattern:
            return re.search(self.pattern, name) is not None
        return self.format.fits(name)

    def _found(self, name: str, files: Sequence[File]) -> Found:
        try:
            relation = self.format.relation(files, all_rows=False)
            columns = duck.columns(self.session.duck, relation)
        except duckdb.Error as error:
            raise _about(name, fault(error)) from None
        listed = [Column(n, t) for n, t in columns if n not in (Format.FILE, MODIFIED)]
        stamp = Column(MODIFIED, "TIMESTAMP WITH TIME ZONE", nullable=False)
        return Found(self.namespace, name, (*listed, stamp), cursors=(MODIFIED,))

    def _selected(self, stream: Stream, files: Sequence[File], number: int) -> str:
        if stream.mode == "incremental" and stream.cursor not in (None, MODIFIED):
            raise SyncError(f"The cursor of {stream.id} must be {MODIFIED}.")
        self.session.duck.register(
            "read_files",
            pa.table(
                {
                    "path": pa.array([self.format.opened(f) for f in files], pa.string()),
                    "modified": pa.array([f.modified for f in files], pa.timestamp("us", "UTC")),
                }
            ),
        )
        try:
            relation = self.format.relation(files, all_rows=True)
            columns = duck.columns(self.session.duck, relation)
        except duckdb.Error as error:
            raise _about(stream.id, fault(error)) from None
        names = [n for n, _ in columns if n not in (Format.FILE, MODIFIED) and stream.wants(n)]
        listed = ", ".join([*map(quote, names), f"modified AS {MODIFIED}"])
        found = f"SELECT * EXCLUDE (path, {Format.FILE}) RENAME (modified AS {MODIFIED}) FROM"
        condition = where(stream, {n for n, _ in columns} | {MODIFIED})
        listed = ", ".join([*map(quote, names), MODIFIED])
        rows = f"{found} ({relation}) JOIN read_files ON path = {Format.FILE}"
        return f"SELECT {listed} FROM ({rows})" + (f" WHERE {condition}" if condition else "")


def _about(stream: str, error: SyncError) -> SyncError:
    return SyncError(f"The files of {stream} cannot be read. {error}", retry=error.retry)


def _age(file: File) -> tuple[datetime, str]:
    return (file.modified, file.name)


def _parts(files: Sequence[File]) -> list[list[File]]:
    """Portions of about PART_BYTES, each committed by itself."""
    parts: list[list[File]] = []
    room = 0
    for file in files:
        if file.size > room:
            parts.append([])
            room = PART_BYTES
        parts[-1].append(file)
        room -= file.size
    return parts


def _position(done: Sequence[File], ahead: Sequence[File]) -> Position:
    """Which files are read: all older than `floor`, and those in `seen`."""
    newest = sorted(done, key=_age)
    floor = newest[-NEWEST].modified if len(newest) > NEWEST else None
    if floor is not None and ahead:
        floor = min(floor, ahead[0].modified)
    return {
        "floor": floor.isoformat() if floor else None,
        "seen": [_mark(f) for f in newest if floor is None or f.modified >= floor],
    }


def _is_known(file: File, position: Position) -> bool:
    floor = position["floor"]
    if floor is not None and file.modified < datetime.fromisoformat(floor):
        return True
    return _mark(file) in position["seen"]


def _mark(file: File) -> str:
    """A file that was written anew is another one."""
    text = f"{file.name}|{file.modified.isoformat()}|{file.size}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
