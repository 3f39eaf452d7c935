"""Mage's answers say what a run and its block runs wait for: in `metrics.waiting`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.live import Live, live
from tests.journeys.mage_folder import ended, eventually, get, start
from tests.journeys.pipelines import Graph
from tests.servers import SessionServers

# Waits of more than three seconds: until then a worker keeps its run, which counts as running.
LOOK = (
    "import pathlib\n@sensor\ndef look(*args, **kwargs):\n"
    "    return pathlib.Path(kwargs['flag']).exists()\n"
)
FLAKY = (
    "@custom\ndef work(*args, **kwargs):\n"
    "    if kwargs['retry']['attempts'] < 2:\n        raise ValueError('later')\n"
)


@pytest.fixture
def installation(session_servers: SessionServers, tmp_path: Path) -> Iterator[Live]:
    """One of its own, whose worker is stopped."""
    with live(session_servers, tmp_path, authentication=False) as made:
        yield made


def waits(client: httpx2.Client, number: int) -> tuple[Any, dict[str, Any]]:
    """What a run waits for, and each of its block runs by name; null where it does not."""
    run = get(client, f"/api/pipeline_runs/{number}")
    steps = {row["block_uuid"]: _waiting(row) for row in run["block_runs"]}
    return _waiting(run), steps


def _waiting(row: Any) -> Any:
    return (row["metrics"] or {}).get("waiting")


@pytest.mark.long
def test_a_run_says_over_rest_what_it_waits_for(installation: Live, tmp_path: Path) -> None:
    with installation.client() as client:
        graph = Graph(client)
        uuid = graph.pipeline("waits", {})
        graph.block(uuid, "look", LOOK, [], type="SENSOR", configuration={"poll_interval": 4})
        graph.block(uuid, "work", FLAKY, ["look"], retryConfig={"retries": 1, "delay": 4})
        schedule = {"pipeline_schedule": {"name": "call", "schedule_type": "api"}}
        path = f"/api/pipelines/{uuid}/pipeline_schedules"
        trigger = client.post(path, json=schedule).json()["pipeline_schedule"]
        worker = installation.processes["worker"]
        worker.terminate()
        assert worker.wait(30) == 0

        flag = tmp_path / "flag"
        number = start(client, trigger, {"pipeline_run": {"variables": {"flag": str(flag)}}})
        first = get(client, f"/api/pipeline_runs/{number}")["block_runs"][0]
        assert get(client, f"/api/block_runs/{first['id']}") == first
        of_run = {"reason": "run", "until": None, "for": []}
        no_worker = {"reason": "no_worker", "until": None, "for": []}
        assert waits(client, number) == (no_worker, {"look": of_run, "work": of_run})

        installation.start("worker", "worker")

        def polls() -> Any:
            run, steps = waits(client, number)
            look = steps["look"]
            return (run, steps) if run and look and look["reason"] == "poll" else None

        run, steps = eventually(polls, "the sensor is to be asked again")
        assert (run["reason"], run["for"]) == ("poll", ["look"])
        assert run["until"] is not None and steps["look"]["until"] is not None
        assert steps["work"]["reason"] == "run"

        flag.touch()

        def tries_again() -> Any:
            run, steps = waits(client, number)
            work = steps["work"]
            return (run, steps) if run and work and work["reason"] == "retry" else None

        run, steps = eventually(tries_again, "the block is to be tried again")
        assert (run["reason"], run["for"]) == ("retry", ["work"])
        assert steps["work"]["until"] is not None
        assert steps["look"] is None

        done = ended(client, number)
        assert done["status"] == "completed"
        assert waits(client, number) == (None, {"look": None, "work": None})
        (row,) = [r for r in done["block_runs"] if r["block_uuid"] == "work"]
        assert get(client, f"/api/block_runs/{row['id']}") == row
