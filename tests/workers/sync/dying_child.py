"""`python -m tests.workers.sync.dying_child`: a sync that kills itself at a named point.

DIE_AT is the point and how often it is passed before, such as `committed:1`:
read (changes are collected, nothing is written), write (the destination has rows that are not
committed), commit (all is ready), committed (rows and position are there, the slot has not moved),
acknowledge (all streams are committed, the slot is about to move), acknowledged.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workers.connectors import parquet, postgres_destination, postgres_log
from workers.connectors.base import Session
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


_changes = engine.Sync._changes
_transaction = engine.transaction
_add = engine.Sync._add
_advance = postgres_log.PostgresLog.advance
_keep = postgres_destination._Place.keep
_write = parquet._Commit.write


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


def advance(self: postgres_log.PostgresLog, to: int) -> None:
    passing("acknowledge")
    _advance(self, to)
    passing("acknowledged")


engine.Sync._changes = changes  # type: ignore[method-assign]
engine.transaction = transaction
engine.Sync._add = add  # type: ignore[method-assign]
postgres_destination._Place.keep = keep  # type: ignore[method-assign]
parquet._Commit.write = write  # type: ignore[method-assign]
postgres_log.PostgresLog.advance = advance  # type: ignore[method-assign]
child.run()
