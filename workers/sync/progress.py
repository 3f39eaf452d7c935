"""How far a stream has come: what is committed, and what of a load is on its way."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from workers.connectors.base import Written

TELL_S = 1.0
LOG_S = 10.0


@dataclass
class Progress:
    """Rows and bytes of one stream that are committed."""

    rows: int = 0
    bytes: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, written: Written) -> None:
        """Count a commit."""
        self.rows += written.rows
        self.bytes += written.bytes

    def figures(self, coming: Written | None = None) -> dict[str, Any]:
        """For the wire, with what is not committed yet; rows a second over the whole time."""
        rows = self.rows + (coming.rows if coming else 0)
        size = self.bytes + (coming.bytes if coming else 0)
        took = max(time.monotonic() - self.began, 1e-6)
        return {"rows": rows, "bytes": size, "rows_per_s": round(rows / took, 1)}


@contextmanager
def every(seconds: float, tell: Callable[[], None]) -> Iterator[None]:
    """Have another thread tell something from time to time."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(seconds):
            tell()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def percent(duck: duckdb.DuckDBPyConnection) -> int | None:
    """How much of its statement is read, as DuckDB estimates it; None where it cannot say."""
    known = duck.query_progress()
    return round(known) if 0 < known <= 100 else None


def sentence(stream: str, figures: dict[str, Any]) -> str:
    """A line for the log."""
    said = [f"{figures['percent']} % read"] if "percent" in figures else []
    if figures["rows"]:
        said.append(f"{figures['rows']} rows ({figures['rows_per_s']:.0f} rows/s)")
    said.append(f"{figures['bytes'] / 1e6:.1f} MB")
    return f"{stream}: {', '.join(said)} so far"
