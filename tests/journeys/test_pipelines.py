"""Pipelines of real blocks, started over GraphQL and executed by a real worker."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.live import Live
from tests.journeys.pipelines import Graph

LOAD = (
    "@custom\ndef load(*args, **kwargs):\n    print('loading', kwargs['ds'])\n    return {rows}\n"
)
PASS = "@custom\ndef go(data, *args, **kwargs):\n    return data\n"
SLEEP = (
    "import os, time\n@custom\ndef wait(*args, **kwargs):\n"
    "    print('pid', os.getpid())\n    time.sleep({seconds})\n    return 1\n"
)
BOOM = "@custom\ndef boom(*args, **kwargs):\n    raise ValueError('the block broke')\n"


@pytest.fixture(scope="module")
def graph(live_server: Live) -> Any:
    """A caller with the api_key."""
    with live_server.client() as client:
        yield Graph(client)


def test_blocks_run_in_order_and_hand_their_values_on(graph: Graph) -> None:
    code = (
        "import pandas as pd\n@custom\ndef load(*args, **kwargs):\n"
        "    return pd.DataFrame({'a': [1, 2, 3]})\n"
    )
    double = (
        "@custom\ndef double(frame, *args, **kwargs):\n"
        "    frame['b'] = frame['a'] * kwargs['factor']\n    return frame\n"
    )
    total = (
        "@custom\ndef total(first, second, *args, **kwargs):\n"
        "    return {'sum': int(second['b'].sum()), 'rows': len(first), 'env': kwargs['env']}\n"
    )
    uuid = graph.pipeline(
        "order", {"one": (code, []), "two": (double, ["one"]), "three": (total, ["one", "two"])}
    )
    run = graph.ended(graph.start(uuid, {"factor": 10, "env": "staging"}))
    assert run["status"] == "SUCCEEDED"
    assert {step["status"] for step in run["steps"].values()} == {"SUCCEEDED"}
    sample = run["steps"]["two"]["outputs"][0]["sample"]
    assert (sample["columns"], sample["rows"]) == (["a", "b"], [[1, 10], [2, 20], [3, 30]])
    last = run["steps"]["three"]["outputs"][0]["sample"]
    assert last["rows"] == [[60, 3, "staging"]]


def test_independent_blocks_run_side_by_side(graph: Graph) -> None:
    meet = (
        "import pathlib, time\n@custom\ndef meet(*args, **kwargs):\n"
        "    here = pathlib.Path('/tmp') / ('isthmus-' + kwargs['run_id'])\n"
        "    here.mkdir(exist_ok=True)\n"
        "    (here / '{own}').touch()\n"
        "    for _ in range(600):\n"
        "        if (here / '{other}').exists():\n            return 'met'\n"
        "        time.sleep(0.05)\n"
        "    raise TimeoutError('the other block never ran')\n"
    )
    uuid = graph.pipeline(
        "side by side",
        {
            "left": (meet.replace("{own}", "left").replace("{other}", "right"), []),
            "right": (meet.replace("{own}", "right").replace("{other}", "left"), []),
        },
    )
    assert graph.ended(graph.start(uuid))["status"] == "SUCCEEDED"


def test_failing_block_fails_the_run_with_its_traceback_in_the_log(graph: Graph) -> None:
    uuid = graph.pipeline(
        "failing",
        {
            "load": (LOAD.replace("{rows}", "[1]"), []),
            "boom": (BOOM, ["load"]),
            "after": (PASS, ["boom"]),
        },
    )
    run = graph.ended(graph.start(uuid))
    assert (run["status"], run["reason"]) == ("FAILED", "error")
    states = {name: step["status"] for name, step in run["steps"].items()}
    assert states == {"load": "SUCCEEDED", "boom": "FAILED", "after": "CANCELLED"}
    assert "the block broke" in run["steps"]["boom"]["error"]
    lines = [line["message"] for line in run["logs"]["nodes"] if line["step"] == "boom"]
    assert any("ValueError: the block broke" in line and "Traceback" in line for line in lines)
    assert not any("run_pipeline" in line or "block_host" in line for line in lines)


def test_retry_repeats_only_what_did_not_succeed(graph: Graph) -> None:
    count = "@custom\ndef count(*args, **kwargs):\n    print('counted')\n    return 1\n"
    uuid = graph.pipeline("retried", {"count": (count, []), "boom": (BOOM, ["count"])})
    run_id = graph.start(uuid)
    assert graph.ended(run_id)["status"] == "FAILED"
    mended = "@custom\ndef mended(*args, **kwargs):\n    return 2\n"
    graph(
        "mutation($p: String!, $c: String!) { blockUpdate(input: {by: {path: {pipeline: $p, "
        'block: "boom"}}, content: $c}) { errors { message } } }',
        p=uuid,
        c=mended,
    )
    retry = "mutation($id: ID!, $b: String) { pipelineRunRetry(input: {by: {id: $id}, fromBlock: $b}) { errors { message } } }"
    assert graph(retry, id=run_id)["pipelineRunRetry"]["errors"] == []
    run = graph.ended(run_id)
    assert run["status"] == "SUCCEEDED"
    counted = [line for line in run["logs"]["nodes"] if line["message"] == "counted"]
    assert len(counted) == 1
    assert graph(retry, id=run_id, b="count")["pipelineRunRetry"]["errors"] == []
    run = graph.ended(run_id)
    counted = [line for line in run["logs"]["nodes"] if line["message"] == "counted"]
    assert (run["status"], len(counted)) == ("SUCCEEDED", 2)


def test_cancelled_run_stops_and_its_later_blocks_never_start(graph: Graph) -> None:
    uuid = graph.pipeline(
        "cancelled", {"wait": (SLEEP.replace("{seconds}", "300"), []), "after": (PASS, ["wait"])}
    )
    run_id = graph.start(uuid)
    pid = _printed_pid(graph, run_id)
    graph(
        "mutation($id: ID!) { pipelineRunCancel(input: {by: {id: $id}}) { errors { message } } }",
        id=run_id,
    )
    run = graph.ended(run_id, 20)
    assert run["status"] == "CANCELLED"
    assert {step["status"] for step in run["steps"].values()} == {"CANCELLED"}
    assert run["steps"]["after"]["startedAt"] is None
    assert not _lives(pid)


def test_block_that_takes_too_long_is_killed_and_fails_with_reason_timeout(graph: Graph) -> None:
    busy = "@custom\ndef spin(*args, **kwargs):\n    while True:\n        pass\n"
    uuid = graph.pipeline("spinning", {"spin": (busy, [])})
    graph(
        "mutation($p: String!) { blockUpdate(input: {by: {path: {pipeline: $p, block: "
        '"spin"}}, timeoutS: 1}) { errors { message } } }',
        p=uuid,
    )
    run = graph.ended(graph.start(uuid), 30)
    assert (run["status"], run["steps"]["spin"]["reason"]) == ("FAILED", "timeout")
    lines = [line["message"] for line in run["logs"]["nodes"]]
    assert "Block spin timed out after 1 seconds" in lines


def test_run_of_a_deleted_pipeline_fails_and_stays_readable(graph: Graph) -> None:
    uuid = graph.pipeline("gone", {"wait": (SLEEP.replace("{seconds}", "0.1"), [])})
    run_id = graph.start(uuid)
    graph.ended(run_id)
    graph(
        "mutation($p: String!) { pipelineDelete(input: {by: {uuid: $p}}) { errors { message } } }",
        p=uuid,
    )
    run = graph.ended(run_id)
    assert (run["status"], run["pipelineUuid"]) == ("SUCCEEDED", "gone")


def test_blocks_do_not_see_our_secrets(graph: Graph, live_server: Live) -> None:
    look = (
        "import os, pathlib\n@custom\ndef look(*args, **kwargs):\n    seen = [str(dict(os.environ))]\n"
        "    for proc in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "        try:\n            if b'isthmus' in (proc / 'cmdline').read_bytes() or "
        "b'workers' in (proc / 'cmdline').read_bytes():\n"
        "                seen.append((proc / 'environ').read_text())\n"
        "        except OSError:\n            pass\n"
        "    return {'own': seen[0], 'all': ' '.join(seen)}\n"
    )
    uuid = graph.pipeline("curious", {"look": (look, [])})
    run = graph.ended(graph.start(uuid))
    assert run["status"] == "SUCCEEDED", run
    shown = str(run["steps"]["look"]["outputs"][0]["sample"])
    assert live_server.environ["ISTHMUS_SECRET_KEYS"] not in shown.split("'all'")[0]
    assert live_server.database_url not in shown


def _printed_pid(graph: Graph, run_id: str) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = graph("query($id: ID!) { run(id: $id) { logs { nodes { message } } } }", id=run_id)[
            "run"
        ]["logs"]["nodes"]
        for line in found:
            if line["message"].startswith("pid "):
                return int(line["message"].split()[1])
        time.sleep(0.05)
    raise AssertionError("the block never said its pid")


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_trigger_that_fires_once_runs_once_and_switches_itself_off(graph: Graph) -> None:
    uuid = graph.pipeline("only once", {"go": (LOAD.replace("{rows}", "[1]"), [])})
    made = graph(
        'mutation($p: String!) { triggerCreate(input: {pipeline: {uuid: $p}, name: "once", '
        'type: TIME, interval: "@once", status: ACTIVE}) { trigger { id } errors { message } } }',
        p=uuid,
    )["triggerCreate"]
    look = "query($id: ID!) { trigger(by: {id: $id}) { status runCount lastRunStatus nextFireAt } }"
    deadline = time.monotonic() + 30
    found: dict[str, Any] = {}
    while found.get("lastRunStatus") != "succeeded" or found["status"] == "ACTIVE":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
        found = graph(look, id=made["trigger"]["id"])["trigger"]
    assert (found["runCount"], found["nextFireAt"]) == (1, None)


def test_block_outlives_the_death_of_its_fork_server(graph: Graph) -> None:
    orphan = (
        "import os, signal\n@custom\ndef orphan(*args, **kwargs):\n"
        "    if kwargs['attempt'] > 1:\n        return 'done'\n"
        "    guardian = os.getppid()\n"
        "    status = open(f'/proc/{guardian}/status').read()\n"
        "    server = int(status.split('PPid:')[1].split()[0])\n"
        "    os.kill(server, signal.SIGKILL)\n    signal.pause()\n"
    )
    uuid = graph.pipeline("orphan", {"orphan": (orphan, [])})
    run = graph.ended(graph.start(uuid))
    assert (run["status"], run["attempt"]) == ("SUCCEEDED", 2), run
