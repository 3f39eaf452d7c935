"""Equal data on both sides, made by the same requests."""

import itertools
import json
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sides import Refused, Side

PIPELINES = 50
RUNS = 300
FIVE = ("data_loader", "transformer", "custom", "transformer", "data_exporter")
THREE = ("data_loader", "transformer", "data_exporter")
TRIVIAL = '''
@{type}
def {function}(*args, **kwargs):
    """Gives back a small number."""
    return {number}
'''
STALLED_S = 90.0
ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Trigger:
    """An API trigger: what is needed to start a run."""

    pipeline: str
    id: int
    token: str

    def fire(self, side: Side) -> int:
        """Start a run; answers its id."""
        path = f"/pipeline_schedules/{self.id}/pipeline_runs/{self.token}"
        return int(side.call("POST", path, {})["pipeline_run"]["id"])


@dataclass(frozen=True)
class Data:
    """What was made."""

    trivial: Trigger


def fill(side: Side, *, runs: bool) -> Data:
    """50 pipelines, one of 3 blocks and the others of 5; if asked for, 300 runs of the one."""
    if side.is_mage:
        side.call("DELETE", "/pipelines/example_pipeline")
    for number in range(PIPELINES - 1):
        _pipeline(side, f"wide_{number:02}", _trivial_blocks(f"wide_{number:02}", FIVE))
    _pipeline(side, "trivial", _trivial_blocks("trivial", THREE))
    _check(side)
    trivial = _trigger(side, "trivial")
    run_id = _first_run(side, trivial)
    if runs and side.database:
        _copy_run(side.database, run_id, RUNS - 1)
    elif runs:
        wait_for_runs(side, _fire(side, trivial, RUNS - 1), within_s=900)
    return Data(trivial)


def make_data_pipeline(side: Side) -> Trigger:
    """Three blocks that hand a table of 100,000 rows and 12 columns on."""
    folder = Path(__file__).parent / "blocks"
    sources = [(kind, f"table_{kind}", (folder / f"{kind}.py").read_text()) for kind in THREE]
    _pipeline(side, "table", sources)
    return _trigger(side, "table")


def wait_for_runs(side: Side, ids: Sequence[int], *, within_s: float) -> None:
    """Return once all runs have completed; anything else is an error."""
    deadline = time.monotonic() + within_s
    for run_id in ids:
        while (status := _status(side, run_id)) not in ENDED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{side.name}: run {run_id} is {status} after {within_s} s")
            time.sleep(0.5)
        if status != "completed":
            raise Refused(f"{side.name}: run {run_id} is {status}")


def _first_run(side: Side, trigger: Trigger) -> int:
    """A completed run. Mage at times leaves a queued block until the next run comes: try again."""
    for _ in range(3):
        run_id = trigger.fire(side)
        with suppress(TimeoutError):
            wait_for_runs(side, [run_id], within_s=STALLED_S)
            return run_id
    raise TimeoutError(f"{side.name} completes no run")


def _check(side: Side) -> None:
    """Both sides must have the same to list."""
    counts = [len(found["blocks"]) for found in side.call("GET", "/pipelines")["pipelines"]]
    if sorted(counts) != [len(THREE)] + [len(FIVE)] * (PIPELINES - 1):
        raise Refused(f"{side.name} lists pipelines with these numbers of blocks: {counts}")


def _status(side: Side, run_id: int) -> str:
    return str(side.call("GET", f"/pipeline_runs/{run_id}")["pipeline_run"]["status"])


def _fire(side: Side, trigger: Trigger, count: int) -> list[int]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: trigger.fire(side), range(count)))


def _trivial_blocks(pipeline: str, kinds: Sequence[str]) -> list[tuple[str, str, str]]:
    functions = {"data_loader": "load_data", "data_exporter": "export_data"}
    return [
        (
            kind,
            f"{pipeline}_{number}",
            TRIVIAL.format(type=kind, function=functions.get(kind, "transform"), number=number),
        )
        for number, kind in enumerate(kinds)
    ]


def _pipeline(side: Side, name: str, blocks: Sequence[tuple[str, str, str]]) -> None:
    """A pipeline whose blocks, each (type, name, code), follow one another."""
    side.call("POST", "/pipelines", {"pipeline": {"name": name, "type": "python"}})
    for before, (kind, block, content) in zip(
        [None, *(b[1] for b in blocks)], blocks, strict=False
    ):
        body = {
            "name": block,
            "type": kind,
            "language": "python",
            "content": content,
            "upstream_blocks": [before] if before else [],
        }
        side.call("POST", f"/pipelines/{name}/blocks", {"block": body})
    # Mage's list shows what it knew when the pipeline itself was last saved.
    side.call("PUT", f"/pipelines/{name}", {"pipeline": {"description": "for the bench"}})


def _trigger(side: Side, pipeline: str) -> Trigger:
    body = {"pipeline_schedule": {"name": "bench", "schedule_type": "api"}}
    made = side.call("POST", f"/pipelines/{pipeline}/pipeline_schedules", body)["pipeline_schedule"]
    change = {"pipeline_schedule": {"status": "active"}}
    side.call("PUT", f"/pipeline_schedules/{made['id']}", change)
    return Trigger(pipeline, made["id"], made["token"])


def _copy_run(database: Path, run_id: int, count: int) -> None:
    """Insert copies of a run and its block runs into Mage's SQLite, a minute apart each.

    Mage would need minutes to make them; its list reads rows and does not know the difference.
    """
    with sqlite3.connect(database, timeout=30) as connection:
        connection.row_factory = sqlite3.Row
        (run,) = _rows(connection, "pipeline_run", "id", run_id)
        steps = _rows(connection, "block_run", "pipeline_run_id", run_id)
        for number in range(1, count + 1):
            when = datetime.fromisoformat(run["execution_date"]) - timedelta(minutes=number)
            partition = f"{run['pipeline_schedule_id']}/{when:%Y%m%dT%H%M%S_%f}"
            copy = _insert(
                connection,
                "pipeline_run",
                run | {"execution_date": when.isoformat(" ")} | _variables(run, partition),
            )
            for step in steps:
                _insert(connection, "block_run", step | {"pipeline_run_id": copy})


def _variables(run: dict[str, Any], partition: str) -> dict[str, str]:
    return {
        "variables": json.dumps(json.loads(run["variables"]) | {"execution_partition": partition})
    }


def _rows(
    connection: sqlite3.Connection, table: str, column: str, value: int
) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT * FROM {table} WHERE {column} = ? ORDER BY id", (value,))
    return [dict(row) for row in found]


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    names = [name for name in row if name != "id"]
    marks = ", ".join(itertools.repeat("?", len(names)))
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    return int(connection.execute(statement, [row[name] for name in names]).lastrowid or 0)
