"""DuckDB as the engine uses it: bounded, offline, with extensions from installed packages only."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import duckdb

from workers.connectors.base import SyncError, literal


def connect(scratch: Path, *, memory_mb: int = 256, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A database in memory that spills into `scratch`."""
    con = duckdb.connect(
        config={
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(scratch),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    con.execute("SET TimeZone = 'UTC'")
    # Else the first secret looks for others in the home folder, which may be closed by then.
    con.execute("SET allow_persistent_secrets = false")
    # Not shown, but kept for `query_progress`.
    con.execute("SET enable_progress_bar_print = false")
    con.execute("SET enable_progress_bar = true")
    return con


def load(duck: duckdb.DuckDBPyConnection, extension: str) -> None:
    """Load an extension, such as `postgres_scanner`, from the package that brings it."""
    spec = find_spec(f"duckdb_extension_{extension}")
    if spec is None or not spec.submodule_search_locations:
        raise SyncError(f"The package duckdb-extension-{extension} is not installed.")
    folder = Path(spec.submodule_search_locations[0]) / "extensions" / f"v{duckdb.__version__}"
    duck.execute(f"LOAD {literal(str(folder / f'{extension}.duckdb_extension'))}")


def at_most(duck: duckdb.DuckDBPyConnection, threads: object) -> None:
    """Let it use no more threads than a connector's settings say, nor than it has already."""
    (has,) = duck.execute("SELECT current_setting('threads')").fetchall()[0]
    try:
        asked = int(str(threads or has))
    except ValueError:
        raise SyncError("The setting max_threads must be a number.") from None
    if 0 < asked < has:
        duck.execute(f"SET GLOBAL threads = {asked}")


def columns(duck: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """Names and types of a relation's columns; nothing is read."""
    return [(row[0], row[1]) for row in duck.execute(f"DESCRIBE {relation}").fetchall()]


@contextmanager
def transaction(duck: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction of DuckDB, and so of the databases attached to it."""
    duck.execute("BEGIN")
    try:
        yield
        duck.execute("COMMIT")
    except BaseException:
        # A failed commit has ended the transaction already.
        with suppress(duckdb.Error):
            duck.execute("ROLLBACK")
        raise
