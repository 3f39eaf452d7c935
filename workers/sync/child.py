"""`python -m workers.sync.child`: one sync, clear, check, discovery or look at a slot.

It is a process of its own. One JSON document comes on stdin, JSON lines go to stdout; a lookup of an address is a line out and
an answer in. When stdin ends, whoever started this is gone, and the process ends at once.
"""

import ctypes
import fcntl
import json
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from workers.connectors import duck, registry
from workers.connectors.base import Run, Session, SyncError
from workers.connectors.faults import told
from workers.sync.catalog import catalog, configured
from workers.sync.engine import Sync

_PR_SET_DUMPABLE = 4


class Wire:
    """The lines between this process and the one that started it."""

    def __init__(self, lines_in: TextIO, lines_out: TextIO) -> None:
        self._out = lines_out
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.document: dict[str, Any] = json.loads(lines_in.readline())
        threading.Thread(target=self._listen, args=(lines_in,), daemon=True).start()

    def tell(self, line: dict[str, Any]) -> None:
        """Send one line."""
        with self._lock:
            self._out.write(json.dumps(line, default=str) + "\n")
            self._out.flush()

    def log(self, level: str, message: str) -> None:
        """Send a line for the run's log."""
        self.tell({"log": {"level": level, "message": message}})

    def address(self, host: str, port: int) -> str:
        """Have the other side resolve and check a host; called by any thread."""
        with self._asking:
            self.tell({"address": {"host": host, "port": port}})
            answer = self._answers.get()
        if "refused" in answer:
            raise SyncError(str(answer["refused"]), retry=bool(answer.get("retry")))
        return str(answer["address"])

    def _listen(self, lines_in: TextIO) -> None:
        for line in lines_in:
            self._answers.put(json.loads(line))
        os._exit(70)


@contextmanager
def open_session(document: dict[str, Any], wire: Wire) -> Iterator[Session]:
    """DuckDB and what connectors share, for as long as the work takes."""
    limits = document.get("limits") or {}
    root = Path(document["data_root"])
    with _scratch(Path(document.get("scratch") or root / ".scratch")) as scratch:
        con = duck.connect(
            scratch,
            memory_mb=int(limits.get("memory_mb") or 200),
            threads=int(limits.get("threads") or 2),
        )
        run = document.get("run") or {}
        try:
            yield Session(
                duck=con,
                run=Run(
                    job=str((document.get("job") or {}).get("id", "")),
                    id=str(run.get("id", "")),
                    number=int(run.get("number", 0)),
                    fence=int(run.get("fence", 0)),
                ),
                data_root=root,
                scratch=scratch,
                log=wire.log,
                address=wire.address,
            )
        finally:
            con.close()


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder of our own; those of processes that were killed go with it."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        with _lock(left) as free:
            # A young one may not have been locked yet.
            if free and time.time() - left.stat().st_mtime > 60:
                shutil.rmtree(left, ignore_errors=True)
    made = tempfile.TemporaryDirectory(dir=root, prefix="sync-", ignore_cleanup_errors=True)
    with made as name, _lock(Path(name)):
        yield Path(name)


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Hold a folder for as long as this process lives; False where another does."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def work(document: dict[str, Any], session: Session, wire: Wire) -> dict[str, Any]:
    """Do what the document asks for; SyncError where that fails."""
    what = document["do"]
    if what == "check":
        return _check(document, session)
    if what == "discover":
        return _discover(document, session)
    if what == "slot":
        with _opened("source", document["source"], session) as source:
            found: dict[str, Any] = source.slot(drop=document["drop"])
            return found
    streams = [configured(pair["stream"], pair["selected"]) for pair in document["streams"]]
    if not streams and what == "sync":
        raise SyncError("The job has no selected stream.")
    with _opened("destination", document["destination"], session) as destination:
        if what == "clear":
            return Sync(session, _NoSource(), destination, wire.tell).clear(streams)
        with _opened("source", document["source"], session) as source:
            states = document.get("state")
            return Sync(session, source, destination, wire.tell, states).run(streams)


def _check(document: dict[str, Any], session: Session) -> dict[str, Any]:
    for kind in ("source", "destination"):
        if given := document.get(kind):
            with _opened(kind, given, session) as connector:
                connector.check()
    return {"status": "SUCCEEDED", "message": ""}


def _discover(document: dict[str, Any], session: Session) -> dict[str, Any]:
    given = document["source"]
    with _opened("source", given, session) as source:
        found = source.discover()
    if not found:
        raise SyncError("The source has no stream that its user may read.")
    prefix = (document.get("job") or {}).get("prefix") or given["type"]
    return {"catalog": catalog(found, prefix, str(given["config"].get("database") or ""))}


@contextmanager
def _opened(kind: str, given: dict[str, Any], session: Session) -> Iterator[Any]:
    make = registry.source if kind == "source" else registry.destination
    connector = make(given["type"], session, given["config"])
    try:
        connector.open()
        yield connector
    finally:
        connector.close()


class _NoSource:
    """Clearing reads nothing."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def answer(wire: Wire) -> int:
    """Do what the wire's document asks for and tell the result, or the failure; the exit status."""
    try:
        with open_session(wire.document, wire) as session:
            result = work(wire.document, session, wire)
    except Exception as error:
        said = told(error)
        wire.tell({"error": {"message": str(said), "retry": said.retry}})
        return 1
    wire.tell({"result": result})
    return 0


def main() -> int:
    """Exit status 0 once the result is told; 1 after a failure, which is told as well."""
    # Libraries that print must not break the wire.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answer(Wire(sys.stdin, out))


def run() -> None:
    """The whole life of the process."""
    _protect()
    status = main()
    sys.stdout.flush()
    # Threads of libraries may be in the middle of something; all that counts is committed.
    os._exit(status)


def _protect() -> None:
    """Keep other processes of the same user out of this one's memory: it holds secrets."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    run()
