"""`python -m tests.workers.sync.dying_child`: a sync that kills itself at a named point.

DIE_AT is the point and how often it is passed before, such as `committed:1`; the load of a stream
that follows a log passes none:
read (changes are collected, nothing is written), write (the destination has rows that are not
committed), commit (all is ready), committed (rows and position are there, nobody was told),
acknowledge (all streams are committed, the slot is about to move), acknowledged.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workers.connectors import iceberg_table, parquet, postgres_destination, postgres_log
from workers.connectors.base import Session, Stream
from workers.sync import child, engine

point, _, times = os.environ["DIE_AT"].partition(":")
left = int(times or 0)
changing = False


def passing(name: str) -> None:
    """Die here, if this is the point and the time."""
    global left
    if name != point or not changing:
        return
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1


_read = engine.Sync._read
_changes = engine.Sync._changes
_transaction = engine.transaction
_add = engine.Sync._add
_advance = postgres_log.PostgresLog.advance
_keep = postgres_destination._Place.keep
_write = parquet._Commit.write
_commit = iceberg_table.Place.commit


def read(self: engine.Sync, stream: Stream) -> None:
    global changing
    changing = stream.mode not in engine.CDC
    _read(self, stream)


def changes(self: engine.Sync, *given: Any) -> None:
    global changing
    changing = True
    _changes(self, *given)


@contextmanager
def transaction(session: Session) -> Iterator[None]:
    with _transaction(session):
        yield
        passing("commit")
    passing("committed")


def add(self: engine.Sync, part: Any) -> Any:
    passing("read")
    return _add(self, part)


def keep(self: Any, *given: Any) -> None:
    passing("write")
    _keep(self, *given)


def write(self: Any, *given: Any) -> None:
    _write(self, *given)
    passing("write")


def commit(self: iceberg_table.Place, *given: Any) -> None:
    passing("write")
    _commit(self, *given)


def advance(self: postgres_log.PostgresLog, to: int) -> None:
    passing("acknowledge")
    _advance(self, to)
    passing("acknowledged")


engine.Sync._read = read  # type: ignore[method-assign]
engine.Sync._changes = changes  # type: ignore[method-assign]
engine.transaction = transaction
engine.Sync._add = add  # type: ignore[method-assign]
postgres_destination._Place.keep = keep  # type: ignore[method-assign]
parquet._Commit.write = write  # type: ignore[method-assign]
iceberg_table.Place.commit = commit  # type: ignore[method-assign]
postgres_log.PostgresLog.advance = advance  # type: ignore[method-assign]
child.run()
