"""Who moves `trips` out of PostgreSQL, and what that took."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from tables import fill

from workers.connectors import duck
from workers.connectors.base import literal
from workers.sync.catalog import selected_streams

DRAIN = "COPY trips TO STDOUT (FORMAT binary)"
DLT = Path(os.environ.get("ISTHMUS_BENCH_DLT", Path.home() / ".cache/isthmus-bench/dlt"))
PARQUET = {"type": "parquet", "config": {}}
_CATALOG = {"catalog_type": "jdbc", "jdbc_url": "jdbc:sqlite:catalog.db"}
ICEBERG = {"type": "iceberg", "config": {"writer": {**_CATALOG, "iceberg_s3_path": "lake"}}}
_SUMS = "count(*), sum(trip_id), sum(total_amount), count(note), max(updated_at)"


@dataclass(frozen=True)
class Figures:
    """Of one sync."""

    wall_s: float
    cpu_s: float
    peak_mb: int


class Bench:
    """A database with `trips`, and a folder to move them into."""

    def __init__(self, folder: Path, access: dict[str, Any]) -> None:
        self.folder = folder
        self.access = access
        self.rows = 0
        self.number = 0

    def make(self, rows: int) -> None:
        """Fill `trips`."""
        self.rows = rows
        with duck.connect(self.folder) as con:
            duck.load(con, "postgres_scanner")
            said = {
                "HOST": self.access["host"],
                "USER": self.access["username"],
                "PASSWORD": self.access["password"],
                "DATABASE": self.access["database"],
            }
            listed = ", ".join(f"{name} {literal(value)}" for name, value in said.items())
            con.execute(f"CREATE SECRET pg (TYPE postgres, {listed})")
            con.execute("ATTACH '' AS pg (TYPE postgres, SECRET pg)")
            fill(con, "pg", "trips", rows)

    def drain(self) -> Figures:
        """psql reads a binary COPY and throws it away."""
        return self._psql(f'psql -qc "{DRAIN}" > /dev/null')

    def piped(self) -> Figures:
        """psql copies into another table."""
        self._execute("DROP TABLE IF EXISTS copied; CREATE TABLE copied (LIKE trips)")
        figures = self._psql(
            f'psql -qc "{DRAIN}" | psql -qc "COPY copied FROM STDIN (FORMAT binary)"'
        )
        self._execute("DROP TABLE copied")
        return figures

    def dlt(self, backend: str) -> Figures:
        """dlt's pipeline into Parquet files."""
        shutil.rmtree(self.folder / "dlt", ignore_errors=True)
        script = Path(__file__).with_name("peer_dlt.py")
        figures = self._peer(str(DLT / "bin/python"), str(script), backend)
        self._verify(sorted((self.folder / "dlt/lake/lake/trips").glob("*.parquet")))
        return figures

    def parquet(self) -> Figures:
        """Our full refresh into Parquet files."""
        shutil.rmtree(self.folder / "job_public", ignore_errors=True)
        figures = self._sync(PARQUET)
        (manifest,) = self.folder.glob("**/trips/_manifest.json")
        named = json.loads(manifest.read_text())["files"]
        self._verify([manifest.parent / file["path"] for file in named])
        return figures

    def iceberg(self) -> Figures:
        """Our full refresh into an Iceberg table."""
        return self._sync(ICEBERG)

    def refresh(self) -> Figures:
        """Our full refresh into another schema."""
        self._execute("DROP SCHEMA IF EXISTS lake CASCADE")
        return self._sync(self._postgres())

    def append(self) -> Figures:
        """Ours: all rows into an empty table, which a first sync has made."""
        self._execute("DROP SCHEMA IF EXISTS lake CASCADE")
        self._execute("ALTER TABLE trips RENAME TO trips_full")
        self._execute("CREATE TABLE trips (LIKE trips_full INCLUDING ALL)")
        self._sync(self._postgres(), mode="incremental")
        self._execute("DROP TABLE trips")
        self._execute("ALTER TABLE trips_full RENAME TO trips")
        return self._sync(self._postgres(), mode="incremental")

    def _postgres(self) -> dict[str, Any]:
        return {"type": "postgres", "config": {"warehouse": self.access, "schema": "lake"}}

    def _verify(self, files: list[Path]) -> None:
        """Stop unless files hold what the table has."""
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            named = {"files": [str(file) for file in files]}
            there = con.execute(f"SELECT {_SUMS} FROM read_parquet($files)", named).fetchone()
            duck.load(con, "postgres_scanner")
            where = " ".join(
                f"{name}={self.access[key]}"
                for name, key in (("host", "host"), ("user", "username"), ("dbname", "database"))
            )
            con.execute(
                f"ATTACH '{where} password={self.access['password']}' AS pg (TYPE postgres, READ_ONLY)"
            )
            meant = con.execute(f"SELECT {_SUMS} FROM pg.public.trips").fetchone()
        if there is None or [_plain(value) for value in there] != [*(meant or ())]:
            sys.exit(f"The files hold {there}, and the table {meant}.")

    def _sync(self, destination: dict[str, Any], mode: str = "full_refresh") -> Figures:
        catalog = self._child(do="discover")[0]["catalog"]
        streams = [p for p in selected_streams(catalog) if p["stream"]["name"] == "trips"]
        for pair in streams:
            pair["stream"] |= {"sync_mode": mode, "cursor_field": "updated_at"}
            pair["selected"]["append_mode"] = True
        return self._child(do="sync", destination=destination, streams=streams)[1]

    def _child(self, **document: Any) -> tuple[dict[str, Any], Figures]:
        """Run a child and look at what it took."""
        self.number += 1
        whole = {
            "data_root": str(self.folder),
            "source": {
                "type": "postgres",
                "config": {"warehouse": self.access, "schemas": ["public"]},
            },
            "job": {"id": 1, "prefix": "job"},
            "run": {"id": "bench", "number": self.number, "fence": 1},
            **document,
        }
        done, figures = self._metered(
            *(sys.executable, "-m", "workers.sync.child"),
            cwd=Path(__file__).parents[2],
            given=json.dumps(whole) + "\n",
        )
        last = json.loads(done.splitlines()[-1])
        if "result" not in last:
            sys.exit(f"The sync failed: {last}")
        return last["result"], figures

    def _peer(self, *command: str) -> Figures:
        """Run another program, with the way to the database in its environment."""
        env = {
            "PGHOST": self.access["host"],
            "PGUSER": self.access["username"],
            "PGPASSWORD": self.access["password"],
            "PGDATABASE": self.access["database"],
            "PGOPTIONS": "-c client_min_messages=warning",
            "BENCH_FOLDER": str(self.folder),
        }
        return self._metered(*command, env=env)[1]

    def _metered(
        self,
        *command: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        given: str | None = None,
    ) -> tuple[str, Figures]:
        """What a program has said, and what it and those that it waited for took."""
        file = self.folder / "meter"
        meter = [sys.executable, "-I", "-S", str(Path(__file__).with_name("meter.py")), str(file)]
        # Its input stays open: without it a child believes that nobody waits any more.
        process = subprocess.Popen(
            [*meter, *command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin and process.stdout
        if given is not None:
            process.stdin.write(given)
            process.stdin.flush()
        said = process.stdout.read()
        process.wait()
        process.stdin.close()
        status, wall, cpu, peak = map(float, file.read_text().split())
        if status != 0:
            sys.exit(f"{shlex.join(command)} ended with status {status:.0f}: {said[-1000:]}")
        return said, Figures(wall, cpu, int(peak) // 1024)

    def _psql(self, script: str) -> Figures:
        return self._peer("sh", "-ec", script)

    def _execute(self, sql: str) -> None:
        self._psql(f"psql -qc {shlex.quote(sql)}")


def _plain(value: Any) -> Any:
    """Some movers write plain timestamps as those of UTC."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


@dataclass(frozen=True)
class Mover:
    """One line of the page."""

    name: str
    title: str
    move: Callable[[Bench], Figures]
    limit: str
    """Beside whose CPU and wall time it is put."""
    needs_dlt: bool = False


MOVERS = {
    mover.name: mover
    for mover in (
        Mover("drain", "limit: psql drains a binary COPY", Bench.drain, "drain"),
        Mover("parquet", "Isthmus to Parquet", Bench.parquet, "drain"),
        Mover("pyarrow", "dlt (pyarrow) to Parquet", lambda b: b.dlt("pyarrow"), "drain", True),
        Mover(
            "connectorx",
            "dlt (connectorx) to Parquet",
            lambda b: b.dlt("connectorx"),
            "drain",
            True,
        ),
        Mover("iceberg", "Isthmus to Iceberg", Bench.iceberg, "drain"),
        Mover("copy", "limit: COPY \\| COPY", Bench.piped, "copy"),
        Mover("append", "Isthmus to PostgreSQL, append", Bench.append, "copy"),
        Mover("refresh", "Isthmus to PostgreSQL, full refresh", Bench.refresh, "copy"),
    )
}
