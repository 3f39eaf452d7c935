"""How long runs take: from the call of the trigger to the time that the run says it completed.

The caller's clock and the server's are the same machine's, so polling adds nothing to the figures.
"""

import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from seed import STALLED_S, Trigger, wait_for_runs
from sides import Side

BURST_LIMIT_S = 240.0
OWN = re.compile(r"own work took ([0-9.]+) s")


@dataclass(frozen=True)
class Spent:
    """Seconds of one run: in all, and inside the functions of its blocks."""

    wall_s: float
    own_s: float


def one_by_one(side: Side, trigger: Trigger, count: int) -> list[float]:
    """Seconds of each of `count` runs; the seeding has warmed up what there is to warm up.

    A run that a server has left lying is told and left out, which flatters that server; at most
    two others take the place of such runs.
    """
    seconds: list[float] = []
    for _ in range(count + 2):
        if len(seconds) < count:
            with _telling_of_stalls():
                seconds.append(_one(side, trigger)[0])
    return seconds


def at_once(side: Side, trigger: Trigger, count: int) -> float:
    """Completed runs a minute when `count` are triggered together.

    Mage at times leaves a queued block until another run comes: then those runs count that have
    completed within the limit, over the time of the last of them.
    """
    began = time.time()
    with ThreadPoolExecutor(count) as pool:
        ids = list(pool.map(lambda _: trigger.fire(side), range(count)))
    with suppress(TimeoutError):
        wait_for_runs(side, ids, within_s=BURST_LIMIT_S)
    runs = [_run(side, run_id) for run_id in ids]
    ended = [_completed(run) for run in runs if run["status"] == "completed"]
    if len(ended) < count:
        print(f"{side.name}: {len(ended)} of {count} runs completed", file=sys.stderr)
    return 60 * len(ended) / (max(ended) - began)


def own_and_wall(side: Side, trigger: Trigger, count: int) -> Spent:
    """The run with the median overhead of `count`, after one that does not count."""
    _one(side, trigger)
    runs = [_spent(side, trigger) for _ in range(count)]
    return sorted(runs, key=lambda spent: spent.wall_s - spent.own_s)[len(runs) // 2]


def median(values: Sequence[float]) -> float:
    """The median, or zero of nothing."""
    return statistics.median(values) if values else 0.0


@contextmanager
def _telling_of_stalls() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        print(f"{error}: left out", file=sys.stderr)


def _spent(side: Side, trigger: Trigger) -> Spent:
    wall, run_id = _one(side, trigger)
    path = f"/pipelines/{trigger.pipeline}/logs?pipeline_run_id[]={run_id}"
    files = side.call("GET", path)["logs"][0]["block_run_logs"]
    own = [float(found[1]) for file in files if (found := OWN.search(file["content"]))]
    if len(own) != 3:
        raise RuntimeError(f"{len(own)} of 3 blocks have said how long their own work took")
    return Spent(wall, sum(own))


def _one(side: Side, trigger: Trigger) -> tuple[float, int]:
    began = time.time()
    run_id = trigger.fire(side)
    wait_for_runs(side, [run_id], within_s=STALLED_S)
    return _completed(_run(side, run_id)) - began, run_id


def _run(side: Side, run_id: int) -> Any:
    return side.call("GET", f"/pipeline_runs/{run_id}")["pipeline_run"]


def _completed(run: Any) -> float:
    """Unix seconds; the API's times are UTC without a zone."""
    return datetime.fromisoformat(run["completed_at"]).replace(tzinfo=UTC).timestamp()
