"""Figures of syncs from PostgreSQL: rows a second of the client's CPU, peak memory, wall time.

  python -m bench.sync.run [--rows 1000000 3000000] [--rounds 3] [--dlt PYTHON]

An embedded PostgreSQL is made for it and removed afterwards. CPU and memory are those of the process
that syncs, its start included, as the operating system reports them. Beside ours in the same round:
psql draining a binary COPY, psql piping one into another table, and dlt with its pyarrow backend
where `--dlt` names a Python that has it (`pip install "dlt[postgres,parquet]" "sqlalchemy<2.1"`).
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded import EmbeddedServers
from app.embedded.home import password
from bench.sync.tables import fill
from workers.connectors import duck
from workers.connectors.base import literal
from workers.sync.catalog import selected_streams

DRAIN = "COPY trips TO STDOUT (FORMAT binary)"


@dataclass
class Figures:
    """Of one sync."""

    rows: int
    wall_s: float
    cpu_s: float
    peak_mb: int


class Bench:
    """A database with `trips`, and syncs out of it."""

    def __init__(self, folder: Path, access: dict[str, Any]) -> None:
        self.folder = folder
        self.access = access
        self.number = 0

    def make(self, rows: int) -> None:
        """Fill `trips`."""
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

    def child(self, **document: Any) -> tuple[dict[str, Any], Figures]:
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
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.sync.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(whole) + "\n")
        process.stdin.flush()
        last = [json.loads(line) for line in process.stdout][-1]
        _, _, usage = os.wait4(process.pid, 0)
        result = last["result"]
        figures = Figures(
            result.get("rows", 0),
            time.monotonic() - began,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss // 1024,
        )
        return result, figures

    def peer(self, rows: int, *command: str) -> Figures:
        """Run another program, with the way to the database in its environment."""
        env = {
            **os.environ,
            "PGHOST": self.access["host"],
            "PGUSER": self.access["username"],
            "PGPASSWORD": self.access["password"],
            "PGDATABASE": self.access["database"],
            "BENCH_FOLDER": str(self.folder),
        }
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, command
        took, cpu = time.monotonic() - began, usage.ru_utime + usage.ru_stime
        return Figures(rows, took, cpu, usage.ru_maxrss // 1024)

    def psql(self, rows: int, script: str) -> Figures:
        """Run a shell script that calls psql."""
        return self.peer(rows, "sh", "-ec", script)

    def append(self, destination: dict[str, Any]) -> Figures:
        """All rows of `trips` into an empty table, which a first sync has made."""
        self.execute("DROP SCHEMA IF EXISTS lake CASCADE")
        self.execute("ALTER TABLE trips RENAME TO trips_full")
        self.execute("CREATE TABLE trips (LIKE trips_full INCLUDING ALL)")
        self.sync(destination, mode="incremental")
        self.execute("DROP TABLE trips")
        self.execute("ALTER TABLE trips_full RENAME TO trips")
        return self.sync(destination, mode="incremental")

    def execute(self, sql: str) -> None:
        """Run a statement."""
        self.psql(0, f"psql -qc {shlex.quote(sql)}")

    def sync(self, destination: dict[str, Any], mode: str = "full_refresh") -> Figures:
        """Sync `trips`, by appending where it is not a full refresh."""
        catalog = self.child(do="discover")[0]["catalog"]
        streams = [p for p in selected_streams(catalog) if p["stream"]["name"] == "trips"]
        for pair in streams:
            pair["stream"] |= {"sync_mode": mode, "cursor_field": "updated_at"}
            pair["selected"]["append_mode"] = True
        return self.child(do="sync", destination=destination, streams=streams)[1]


def main() -> None:
    """Print a line for each round."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dlt", help="a Python that has dlt")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedServers(folder / "home", durable=False) as servers:
            access = {
                "host": str(servers.postgres.socket_folder),
                "database": "postgres",
                "username": "postgres",
                "password": password(folder / "home", "postgres", create=False),
            }
            bench = Bench(folder, access)
            for rows in given.rows:
                bench.make(rows)
                for _ in range(given.rounds):
                    _round(bench, rows, given.dlt)


def _round(bench: Bench, rows: int, dlt: str | None) -> None:
    _report("drain", bench.psql(rows, f'psql -qc "{DRAIN}" > /dev/null'))
    _report("parquet", bench.sync({"type": "parquet", "config": {}}))
    if dlt is not None:
        script = Path(__file__).with_name("peer_dlt.py")
        _report("dlt", bench.peer(rows, dlt, str(script)))
    catalog = {"catalog_type": "jdbc", "jdbc_url": "jdbc:sqlite:catalog.db"}
    lake = {"writer": {**catalog, "iceberg_s3_path": "lake"}}
    _report("iceberg", bench.sync({"type": "iceberg", "config": lake}))
    bench.execute("DROP TABLE IF EXISTS copied; CREATE TABLE copied (LIKE trips)")
    piped = f'psql -qc "{DRAIN}" | psql -qc "COPY copied FROM STDIN (FORMAT binary)"'
    floor = bench.psql(rows, piped)
    _report("COPY", floor)
    bench.execute("DROP TABLE copied")
    to = {"type": "postgres", "config": {"warehouse": bench.access, "schema": "lake"}}
    for name, figures in (("refresh", bench.sync(to)), ("append", bench.append(to))):
        _report(name, figures)
        print(f"  PostgreSQL {name}: {figures.wall_s / floor.wall_s:.2f} x COPY | COPY", flush=True)


def _report(to: str, figures: Figures) -> None:
    speed = figures.rows / figures.cpu_s
    print(
        f"postgres -> {to:8} {figures.rows:>9,} rows  wall {figures.wall_s:5.1f} s  "
        f"CPU {figures.cpu_s:5.1f} s  {speed:9,.0f} rows per CPU second  peak {figures.peak_mb} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
