"""Figures of full refreshes from PostgreSQL: rows a second of the client's CPU, peak memory.

  python -m bench.sync.run [--rows 1000000 3000000] [--rounds 3]

An embedded PostgreSQL is made for it and removed afterwards. CPU and memory are those of the process
that syncs, its start included, as the operating system reports them.
"""

import argparse
import json
import os
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

    def sync(self, destination: dict[str, Any]) -> Figures:
        """A full refresh of `trips`."""
        catalog = self.child(do="discover")[0]["catalog"]
        streams = [p for p in selected_streams(catalog) if p["stream"]["name"] == "trips"]
        for pair in streams:
            pair["stream"]["sync_mode"] = "full_refresh"
        return self.child(do="sync", destination=destination, streams=streams)[1]


def main() -> None:
    """Print a line for each round."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--rounds", type=int, default=3)
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
                    _report("parquet", bench.sync({"type": "parquet", "config": {}}))
                catalog = {"catalog_type": "jdbc", "jdbc_url": "jdbc:sqlite:catalog.db"}
                lake = {"writer": {**catalog, "iceberg_s3_path": "lake"}}
                for _ in range(given.rounds):
                    _report("iceberg", bench.sync({"type": "iceberg", "config": lake}))
                to = {"type": "postgres", "config": {"warehouse": access, "schema": "lake"}}
                _report("postgres", bench.sync(to))


def _report(to: str, figures: Figures) -> None:
    speed = figures.rows / figures.cpu_s
    print(
        f"postgres -> {to:8} {figures.rows:>9,} rows  wall {figures.wall_s:5.1f} s  "
        f"CPU {figures.cpu_s:5.1f} s  {speed:9,.0f} rows per CPU second  peak {figures.peak_mb} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
