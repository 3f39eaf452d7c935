"""The first five minutes: `isthmus dev --demo` starts everything, and does the main jobs."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.embedded.process import die_with_parent
from tests.journeys.live import ISTHMUS, free_port

WITHIN_S = 120
LAST_WORDS = "  api_key "


@contextmanager
def demo(home: Path) -> Iterator[list[str]]:
    """What the demo says until all of it is done; it runs until the block ends."""
    environ = {n: v for n, v in os.environ.items() if n not in ("DATABASE_URL", "REDIS_URL")}
    process = subprocess.Popen(
        [*ISTHMUS, "dev", "--demo", "--port", str(free_port())],
        env={**environ, "ISTHMUS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    stop = threading.Timer(WITHIN_S, process.kill)
    stop.start()
    said: list[str] = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            said.append(line.rstrip())
            if LAST_WORDS in line:
                break
        yield said
    finally:
        stop.cancel()
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(60) == 0


def asked_by_cube(said: list[str], node_modules: Path) -> dict[str, Any]:
    """What the demo's model answers to Cube's own client."""
    words = dict(
        line.split(maxsplit=1) for line in said if line.count(" ") and line.startswith("  ")
    )
    done = subprocess.run(
        ["node", node_modules.parent / "cube.mjs", words["Address"], words["api_key"]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.node
def test_the_demo_runs_a_pipeline_moves_a_shop_and_answers(
    tmp_path: Path, node_modules: Path
) -> None:
    home = tmp_path / "home"
    with demo(home) as said:
        text = "\n".join(said)
        assert LAST_WORDS in said[-1], text
        assert "Run 1 is completed" in text
        assert "Sync 1 of job shop_to_parquet succeeded" in text
        assert "The semantic model of the shop has version 1." in text
        assert "  job orders_to_reports: table orders, 20000 rows" in said
        assert "  pipeline orders_report: run 3 succeeded" in said
        assert "  model: 20000 orders, revenue 5051680.00" in said
        assert "Made 30 leads in the group Harbour news." in text
        assert "  leads of the same project about storms: 6, Storm warning for Piraeus" in said
        assert sum("orders" in line and line.startswith("  ") for line in said) >= 5, text
        orders = next((home / "data").glob("**/orders/*.parquet"))
        counted = duckdb.sql(
            f"SELECT count(*), count(DISTINCT id), sum(amount) FROM read_parquet('{orders}')"
        ).fetchone()
        assert counted is not None and counted[:2] == (20_000, 20_000)
        assert f"{counted[2]:.2f}" == "5051680.00"
        told = asked_by_cube(said, node_modules)
        assert [(row["customers.city"], row["orders.count"]) for row in told["table"]] == [
            (city, "4000") for city in ("Balboa", "Colón", "Cristóbal", "Gamboa", "Panamá")
        ]
        assert told["series"] == ["Orders Revenue", "Orders Count"]
        assert told["cubes"] == ["customers", "orders", "reported", "sales"]
        assert told["kind"] == "regularQuery" and "GROUP BY" in told["sql"]
        assert "'nothing' not found" in told["broken"]
    with demo(home) as again:
        text = "\n".join(again)
        assert "Job shop_to_parquet is there already." in text
        assert "The leads are there already." in text
        assert "Sync 3 of job shop_to_parquet succeeded" in text
