"""A run whose worker dies goes on where it was: copies, what was left out, what waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.live import Live, live
from tests.journeys.pipelines import Graph
from tests.journeys.test_block_features import FAN, ONE, lines, statuses, wait_for
from tests.servers import SessionServers


@pytest.fixture(scope="module")
def short_lease(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installation that notices within seconds that a worker is gone."""
    folder = tmp_path_factory.mktemp("takeover")
    with live(session_servers, folder, authentication=False, ISTHMUS_LEASE_S="3") as made:
        yield made


@pytest.fixture(scope="module")
def graph(short_lease: Live) -> Any:
    """A caller with the api_key."""
    with short_lease.client() as client:
        yield Graph(client)


def replace_worker(server: Live) -> None:
    server.processes["worker"].kill()
    server.processes["worker"].wait()
    server.start("worker", "worker")


def test_copies_that_are_done_are_not_run_again(
    short_lease: Live, graph: Graph, tmp_path: Path
) -> None:
    child = (
        "import pathlib, time\n@custom\ndef child(n, *args, **kwargs):\n    print('copy', n)\n"
        "    go = pathlib.Path(kwargs['go'])\n"
        "    while n > 1 and not go.exists():\n        time.sleep(0.05)\n    return n * 10\n"
    )
    uuid = graph.pipeline("fan over", {})
    graph.block(uuid, "load", FAN["load"], [], configuration={"dynamic": True})
    graph.block(uuid, "child", child, ["load"], configuration={"reduce_output": True})
    graph.block(uuid, "total", "@custom\ndef total(rows, **k):\n    return sum(rows)\n", ["child"])
    go = tmp_path / "go"
    run_id = graph.start(uuid, {"go": str(go)})

    def half_way(run: Any) -> bool:
        done = run["steps"].get("child:one", {}).get("status") == "SUCCEEDED"
        return done and len([line for line in lines(run) if line.startswith("copy")]) > 1

    wait_for(graph, run_id, half_way)
    replace_worker(short_lease)
    go.touch()
    run = graph.ended(run_id)
    assert (run["status"], run["attempt"]) == ("SUCCEEDED", 2), run
    assert run["steps"]["total"]["outputs"][0]["sample"]["text"] == "60"
    assert run["steps"]["child:one"]["attempt"] == 1
    assert run["steps"]["load"]["attempt"] == 1


@pytest.mark.long
def test_a_poll_is_due_at_its_time_whoever_holds_the_run(
    short_lease: Live, graph: Graph, tmp_path: Path
) -> None:
    look = (
        "import pathlib\n@sensor\ndef look(**kwargs):\n"
        "    return pathlib.Path(kwargs['flag']).exists()\n"
    )
    skip = "@condition\ndef no(**k):\n    return False\n"
    uuid = graph.pipeline("poll over", {"left": (ONE, [])})
    graph.block(uuid, "gate", skip, ["left"], type="CONDITIONAL")
    graph.block(uuid, "sensor", look, [], type="SENSOR", configuration={"poll_interval": 6})
    flag = tmp_path / "flag"
    run_id = graph.start(uuid, {"flag": str(flag)})
    wait_for(graph, run_id, lambda r: r["status"] == "QUEUED" and statuses(r)["left"] == "SKIPPED")
    replace_worker(short_lease)
    flag.touch()
    run = graph.ended(run_id)
    assert (run["status"], run["attempt"]) == ("SUCCEEDED", 1)
    assert statuses(run) == {"left": "SKIPPED", "sensor": "SUCCEEDED"}
    assert run["steps"]["sensor"]["attempt"] == 2
    assert len([line for line in lines(run) if line.startswith("Conditional")]) == 1
