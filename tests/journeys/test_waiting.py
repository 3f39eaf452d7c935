"""Nothing is ever silently stuck: without workers, and with one that cannot look for work."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.journeys.live import Live, live
from tests.journeys.pipelines import Graph
from tests.servers import SessionServers

BLOCK = "@custom\ndef work(*args, **kwargs):\n    return 1\n"
WAITS = (
    "query($id: ID!) { run(id: $id) { status waitReason waitUntil waitFor steps { waitReason } } }"
)
WORKERS = "{ workers { name host slots running isDraining isStalled version } }"


@pytest.fixture
def quick(session_servers: SessionServers, tmp_path: Path) -> Iterator[Live]:
    """An installation whose workers look for work every second."""
    with live(session_servers, tmp_path, authentication=False, ISTHMUS_LOOK_S="1") as made:
        yield made


def eventually(check: Callable[[], Any], what: str, within_s: float = 30) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + within_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.1)
    return found


def ready(made: Live) -> dict[str, Any]:
    """What /readyz says; it answers 200 as long as PostgreSQL is there."""
    answer = httpx2.get(f"{made.url}/readyz", timeout=20)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def figures(made: Live) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    lines = httpx2.get(f"{made.url}/metrics", timeout=20).text.splitlines()
    return {n: float(v) for n, v in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


async def test_a_run_says_why_it_waits_from_no_worker_to_a_stalled_one(quick: Live) -> None:
    with quick.client() as client:
        graph = Graph(client)
        assert [w["isStalled"] for w in graph(WORKERS)["workers"]] == [False]
        pipeline = graph.pipeline("waits", {"one": (BLOCK, [])})
        quick.processes["worker"].terminate()
        assert quick.processes["worker"].wait(30) == 0

        run_id = graph.start(pipeline)
        run = graph(WAITS, id=run_id)["run"]
        assert (run["status"], run["waitReason"]) == ("QUEUED", "NO_WORKER")
        assert (run["waitUntil"], run["waitFor"]) == (None, [])
        assert run["steps"] == [{"waitReason": "RUN"}]
        assert eventually(lambda: ready(quick)["oldest_due_run_s"], "the run counts as due")
        found = ready(quick)
        assert (found["status"], found["workers"], found["workers_stalled"]) == ("degraded", 0, 0)
        assert figures(quick)['isthmus_runs_waiting{reason="no_worker"}'] == 1

        blocker = await asyncpg.connect(quick.database_url.replace("+asyncpg", ""))
        hold = blocker.transaction()
        await hold.start()
        # Reads go on; a claim waits for this transaction.
        await blocker.execute("LOCK TABLE runs IN EXCLUSIVE MODE")
        quick.start("worker", "worker")
        eventually(lambda: ready(quick)["workers_stalled"] == 1, "the worker counts as stalled")
        assert graph(WAITS, id=run_id)["run"]["waitReason"] == "WORKERS_STALLED"
        assert [w["isStalled"] for w in graph(WORKERS)["workers"]] == [True]
        assert figures(quick)["isthmus_workers_stalled"] == 1
        assert figures(quick)['isthmus_runs_waiting{reason="workers_stalled"}'] == 1
        eventually(lambda: "worker.stalled" in quick.log.read_text(), "the log says so")

        await hold.rollback()
        run = graph.ended(run_id)
        assert run["status"] == "SUCCEEDED"
        assert graph(WAITS, id=run_id)["run"]["waitReason"] is None
        eventually(lambda: ready(quick)["status"] == "ok", "all is well again")
        eventually(lambda: "worker.no_longer_stalled" in quick.log.read_text(), "the log says so")

    hold = blocker.transaction()
    await hold.start()
    # Nobody can even read runs; whoever asks how it is gets an answer all the same.
    await blocker.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
    eventually(lambda: ready(quick)["workers_stalled"] == 1, "the worker counts as stalled")
    found = ready(quick)
    assert (found["status"], found["oldest_due_run_s"]) == ("degraded", None)
    assert figures(quick)["isthmus_workers_stalled"] == 1
    await hold.rollback()
    await blocker.close()
    eventually(lambda: ready(quick)["status"] == "ok", "all is well again")
