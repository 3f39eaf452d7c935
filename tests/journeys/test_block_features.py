"""What users' blocks rely on beyond plain code, with a real worker."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.journeys.live import Live
from tests.journeys.pipelines import RUN, Graph

ONE = "@custom\ndef one(*args, **kwargs):\n    print('ran')\n    return 1\n"
PASS = "@custom\ndef go(data, *args, **kwargs):\n    print('got', data)\n    return data\n"
EVENTS = (
    """query($id: ID!) { run(id: $id) { events(first: 100) { nodes { kind step status } } } }"""
)


@pytest.fixture(scope="module")
def graph(live_server: Live) -> Any:
    """A caller with the api_key."""
    with live_server.client() as client:
        yield Graph(client)


def lines(run: Any, step: str | None = None) -> list[str]:
    """The run's log lines, or those of one step."""
    nodes = run["logs"]["nodes"]
    return [line["message"] for line in nodes if step in (None, line["step"])]


def statuses(run: Any) -> dict[str, str]:
    return {name: step["status"] for name, step in run["steps"].items()}


def wait_for(graph: Graph, run_id: str, seen: Callable[[Any], bool], within_s: float = 30) -> Any:
    """The run once `seen` holds of it."""
    deadline = time.monotonic() + within_s
    while True:
        run = graph(RUN, id=run_id)["run"]
        run["steps"] = {step["name"]: step for step in run["steps"]}
        if seen(run):
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.05)


def test_a_false_condition_leaves_out_its_block_and_all_behind_it(graph: Graph) -> None:
    uuid = graph.pipeline(
        "gated", {"load": (ONE, []), "export": (PASS, ["load"]), "after": (PASS, ["export"])}
    )
    gate = "@condition\ndef enough(data, *args, **kwargs):\n    return data >= kwargs['least']\n"
    graph.block(uuid, "gate", gate, ["export"], type="CONDITIONAL")
    left_out = graph.ended(graph.start(uuid, {"least": 2}))
    assert left_out["status"] == "SUCCEEDED"
    assert statuses(left_out) == {"load": "SUCCEEDED", "export": "SKIPPED", "after": "SKIPPED"}
    assert lines(left_out, "export") == [
        "Conditional block gate evaluated as False for block export"
    ]
    through = graph.ended(graph.start(uuid, {"least": 1}))
    assert set(statuses(through).values()) == {"SUCCEEDED"}
    assert "gate" not in through["steps"]


def test_a_condition_that_breaks_fails_its_block(graph: Graph) -> None:
    uuid = graph.pipeline("broken gate", {"export": (ONE, [])})
    graph.block(
        uuid, "gate", "@condition\ndef c(**k):\n    1 / 0\n", ["export"], type="CONDITIONAL"
    )
    run = graph.ended(graph.start(uuid))
    assert (run["status"], run["steps"]["export"]["error"]) == ("FAILED", "division by zero")


CALLBACKS = """
@callback('success')
def good(data, **kwargs):
    print('good', data, kwargs['parent_block_uuid'], kwargs['pipeline_run'].pipeline_uuid)

@on_failure
def bad(data, **kwargs):
    print('bad', kwargs['__error'])

@callback('cancelled')
def gone(data, **kwargs):
    print('gone')
"""


def test_callbacks_follow_success_failure_and_cancellation(graph: Graph) -> None:
    code = (
        "import time\n@custom\ndef f(*args, **kwargs):\n    print('begun')\n"
        "    if kwargs['mode'] == 'break':\n        raise ValueError('broke')\n"
        "    if kwargs['mode'] == 'sleep':\n        time.sleep(60)\n    return [1, 2]\n"
    )
    uuid = graph.pipeline("called back", {"work": (code, [])})
    graph.block(uuid, "tell", CALLBACKS, ["work"], type="CALLBACK")
    good = graph.ended(graph.start(uuid, {"mode": "fine"}))
    assert lines(good, "work")[-1] == "good [1, 2] work called_back"
    bad = graph.ended(graph.start(uuid, {"mode": "break"}))
    assert (bad["status"], lines(bad, "work")[-1]) == ("FAILED", "bad broke")
    sleeping = graph.start(uuid, {"mode": "sleep"})
    wait_for(graph, sleeping, lambda run: "begun" in lines(run))
    graph.cancel(sleeping)
    gone = graph.ended(sleeping)
    assert (gone["status"], lines(gone, "work")[-1]) == ("CANCELLED", "gone")
    assert "tell" not in gone["steps"]


def test_a_callback_that_breaks_is_told_and_changes_nothing(graph: Graph) -> None:
    uuid = graph.pipeline("bad callback", {"work": (ONE, [])})
    graph.block(uuid, "tell", "@callback\ndef c(d, **k):\n    1 / 0\n", ["work"], type="CALLBACK")
    run = graph.ended(graph.start(uuid))
    assert run["status"] == "SUCCEEDED"
    assert any(line.startswith("Callback tell failed:") for line in lines(run, "work"))


LOOK = (
    "import pathlib\n@sensor\ndef look(*args, **kwargs):\n"
    "    return pathlib.Path(kwargs['flag']).exists()\n"
)


def test_a_sensor_polls_without_a_worker_and_without_an_attempt(
    graph: Graph, tmp_path: Any
) -> None:
    uuid = graph.pipeline("sensing", {"beside": (ONE, [])})
    graph.block(uuid, "sensor", LOOK, [], type="SENSOR", configuration={"poll_interval": 4})
    graph.block(uuid, "then", PASS, ["sensor"])
    flag = tmp_path / "flag"
    run_id = graph.start(uuid, {"flag": str(flag)})
    parked = wait_for(
        graph,
        run_id,
        lambda r: r["status"] == "QUEUED" and r["steps"]["beside"]["status"] == "SUCCEEDED",
    )
    assert parked["steps"]["sensor"]["status"] == "PENDING"
    flag.touch()
    run = graph.ended(run_id)
    assert (run["status"], run["attempt"]) == ("SUCCEEDED", 1)
    assert lines(run, "then") == ["got []"]
    assert run["steps"]["beside"]["attempt"] == 1
    assert run["steps"]["sensor"]["attempt"] >= 2
    kinds = [e["kind"] for e in graph(EVENTS, id=run_id)["run"]["events"]["nodes"]]
    assert kinds.count("run.queued") >= 2


def test_a_parked_run_can_be_cancelled(graph: Graph) -> None:
    uuid = graph.pipeline("parked", {})
    graph.block(uuid, "never", "@sensor\ndef no(**k):\n    return False\n", [], type="SENSOR")
    run_id = graph.start(uuid)
    wait_for(
        graph, run_id, lambda r: r["steps"]["never"]["attempt"] == 1 and r["status"] == "QUEUED"
    )
    graph.cancel(run_id)
    run = graph.ended(run_id)
    assert (run["status"], statuses(run)) == ("CANCELLED", {"never": "CANCELLED"})


def test_a_sensor_gives_up_at_its_timeout(graph: Graph) -> None:
    uuid = graph.pipeline("impatient", {})
    no = "@sensor\ndef no(**k):\n    return False\n"
    graph.block(uuid, "never", no, [], type="SENSOR", timeoutS=1)
    run = graph.ended(graph.start(uuid))
    step = run["steps"]["never"]
    assert (run["status"], step["reason"]) == ("FAILED", "timeout")
    assert step["error"] == "Block never timed out after 1 seconds"


def test_a_failing_block_is_tried_again_as_its_retry_config_says(graph: Graph) -> None:
    code = (
        "@custom\ndef f(*args, **kwargs):\n    n = kwargs['retry']['attempts']\n"
        "    print('try', n)\n    if n < 3:\n        raise ValueError('not yet')\n    return n\n"
    )
    uuid = graph.pipeline("again", {"before": (ONE, [])})
    retry = {"retries": 3, "delay": 0.2, "exponential_backoff": True}
    graph.block(uuid, "flaky", code, ["before"], retryConfig=retry)
    run = graph.ended(graph.start(uuid))
    assert run["status"] == "SUCCEEDED"
    assert [line for line in lines(run, "flaky") if line.startswith("try")] == [
        "try 1",
        "try 2",
        "try 3",
    ]
    told = [line for line in lines(run, "flaky") if line.startswith("Block flaky failed")]
    assert told == [
        "Block flaky failed on attempt 1 of 4: not yet It is tried again in 0.2 s.",
        "Block flaky failed on attempt 2 of 4: not yet It is tried again in 0.4 s.",
    ]
    assert run["steps"]["before"]["attempt"] == 1


def test_a_pipelines_retry_config_serves_all_its_blocks_and_ends(graph: Graph) -> None:
    boom = "@custom\ndef boom(*args, **kwargs):\n    raise ValueError('no')\n"
    uuid = graph.pipeline("always", {"boom": (boom, [])})
    graph(
        "mutation($u: String!) { pipelineUpdate(input: {by: {uuid: $u}, retryConfig: "
        "{retries: 1, delay: 0}}) { errors { message } } }",
        u=uuid,
    )
    run = graph.ended(graph.start(uuid))
    assert (run["status"], run["steps"]["boom"]["attempt"]) == ("FAILED", 2)


FAN = {
    "load": (
        "@custom\ndef load(*args, **kwargs):\n"
        "    return [[1, 2, 3], [{'block_uuid': 'one'}, {'block_uuid': 'two'}, {'tag': 'x'}]]\n"
    ),
    "child": "@custom\ndef child(n, *args, **kwargs):\n    return n * 10\n",
    "after": "@custom\ndef after(n, *args, **kwargs):\n    return {'n': n + 1}\n",
    "total": "@custom\ndef total(rows, *args, **kwargs):\n    return sum(r['n'] for r in rows)\n",
}


def _fan(graph: Graph, name: str) -> str:
    uuid = graph.pipeline(name, {})
    graph.block(uuid, "load", FAN["load"], [], configuration={"dynamic": True})
    graph.block(uuid, "child", FAN["child"], ["load"])
    graph.block(uuid, "after", FAN["after"], ["child"], configuration={"reduce_output": True})
    graph.block(uuid, "total", FAN["total"], ["after"])
    return uuid


def test_a_dynamic_block_fans_out_and_is_reduced(graph: Graph) -> None:
    run = graph.ended(graph.start(_fan(graph, "fan")))
    assert run["status"] == "SUCCEEDED", run
    assert sorted(run["steps"]) == [
        "after",
        "after:0",
        "after:1",
        "after:2",
        "child",
        "child:2",
        "child:one",
        "child:two",
        "load",
        "total",
    ]
    assert set(statuses(run).values()) == {"SUCCEEDED"}
    assert run["steps"]["total"]["outputs"][0]["sample"]["text"] == "63"


def test_a_retry_from_a_dynamic_block_makes_its_copies_anew(graph: Graph) -> None:
    run_id = graph.start(_fan(graph, "fan again"))
    graph.ended(run_id)
    first = {step["name"]: step["number"] for step in graph(RUN, id=run_id)["run"]["steps"]}
    again = graph(
        'mutation($id: ID!) { pipelineRunRetry(input: {by: {id: $id}, fromBlock: "load"}) '
        "{ errors { message } } }",
        id=run_id,
    )["pipelineRunRetry"]
    assert again["errors"] == []
    run = graph.ended(run_id)
    assert run["status"] == "SUCCEEDED"
    second = {name: step["number"] for name, step in run["steps"].items()}
    assert first.keys() == second.keys()
    assert first["total"] == second["total"]
    assert first["child:one"] != second["child:one"]


def test_two_dynamic_blocks_in_a_row_fail_with_what_to_do(graph: Graph) -> None:
    uuid = graph.pipeline("twice", {})
    graph.block(uuid, "load", FAN["load"], [], configuration={"dynamic": True})
    graph.block(uuid, "child", FAN["child"], ["load"], configuration={"dynamic": True})
    run = graph.ended(graph.start(uuid))
    assert (run["status"], run["steps"]["load"]["reason"]) == ("FAILED", "unsupported")
    assert "reduce_output" in run["error"]


def test_a_limit_of_blocks_makes_others_wait(graph: Graph) -> None:
    alone = (
        "import os, pathlib, time\n@custom\ndef alone(*args, **kwargs):\n"
        "    mark = pathlib.Path(kwargs['mark'])\n"
        "    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))\n"
        "    time.sleep(0.2)\n    mark.unlink()\n"
    )
    uuid = graph.pipeline("one by one", {name: (alone, []) for name in ("a", "b", "c")})
    graph(
        "mutation($u: String!) { pipelineUpdate(input: {by: {uuid: $u}, concurrencyConfig: "
        "{block_run_limit: 1}}) { errors { message } } }",
        u=uuid,
    )
    run = graph.ended(graph.start(uuid, {"mark": f"/tmp/isthmus-mark-{time.time_ns()}"}))
    assert run["status"] == "SUCCEEDED", run


def test_text_blocks_never_run(graph: Graph) -> None:
    uuid = graph.pipeline("notes", {"work": (ONE, [])})
    graph.block(uuid, "note", "# Hello", [], type="MARKDOWN", language="MARKDOWN")
    graph.block(uuid, "scratch", "1 / 0", [], type="SCRATCHPAD")
    run = graph.ended(graph.start(uuid))
    assert (run["status"], list(run["steps"])) == ("SUCCEEDED", ["work"])


def test_absurdly_long_waits_are_waits_all_the_same(graph: Graph) -> None:
    uuid = graph.pipeline("far", {})
    boom = "@custom\ndef boom(**k):\n    raise ValueError('no')\n"
    far = {"retries": 1, "delay": 1e300, "max_delay": 1e300}
    graph.block(uuid, "boom", boom, [], retryConfig=far)
    no = "@sensor\ndef no(**k):\n    return False\n"
    graph.block(uuid, "never", no, [], type="SENSOR", configuration={"poll_interval": 1e300})
    run_id = graph.start(uuid)

    def parked(run: Any) -> bool:
        return run["status"] != "RUNNING" and any(s["attempt"] for s in run["steps"].values())

    run = wait_for(graph, run_id, parked)
    assert (run["status"], statuses(run)) == ("QUEUED", {"boom": "PENDING", "never": "PENDING"})
    graph.cancel(run_id)


def test_a_block_that_was_deleted_fails_by_name_behind_a_dynamic_one(graph: Graph) -> None:
    uuid = graph.pipeline("shrunk", {})
    code = (
        "@custom\ndef load(*args, **kwargs):\n"
        "    if kwargs['retry']['attempts'] < 2:\n        raise ValueError('not yet')\n"
        "    return [[1]]\n"
    )
    later = {"retries": 1, "delay": 4, "max_delay": 4}
    graph.block(uuid, "load", code, [], configuration={"dynamic": True}, retryConfig=later)
    graph.block(uuid, "child", FAN["child"], ["load"])
    run_id = graph.start(uuid)
    wait_for(graph, run_id, lambda r: r["status"] == "QUEUED" and r["steps"]["load"]["attempt"])
    path = '{path: {pipeline: $u, block: "child"}}'
    delete = f"mutation($u: String!) {{ blockDelete(input: {{by: {path}}}) {{ deletedId }} }}"
    graph(delete, u=uuid)
    run = graph.ended(run_id)
    assert run["error"] == "Block child:0 failed: The block was deleted."


TRIGGER = """mutation($i: TriggerCreateInput!) { triggerCreate(input: $i) {
  trigger { number } errors { message } } }"""
RUN_OF = """mutation($n: Int!) { pipelineRunCreate(input: {of: {trigger: {number: $n}}}) {
  run { id } errors { message } } }"""


def test_a_run_is_parked_no_longer_than_its_timeout_lets_it(graph: Graph) -> None:
    uuid = graph.pipeline("bounded", {})
    graph.block(uuid, "work", "import time\n@custom\ndef f(**k):\n    time.sleep(5)\n", [])
    no = "@sensor\ndef no(*args, **k):\n    return False\n"
    graph.block(uuid, "never", no, ["work"], type="SENSOR")
    given = {"pipeline": {"uuid": uuid}, "name": "t", "settings": {"timeout": 20}}
    made = graph(TRIGGER, i={**given, "type": "API", "status": "ACTIVE"})["triggerCreate"][
        "trigger"
    ]["number"]
    run_id = graph(RUN_OF, n=made)["pipelineRunCreate"]["run"]["id"]
    wait_for(graph, run_id, lambda r: r["steps"]["work"]["status"] == "SUCCEEDED")
    wait_for(graph, run_id, lambda r: r["status"] == "QUEUED")
    run = graph("query($i: ID!) { run(id: $i) { startedAt waitUntil } }", i=run_id)["run"]
    began, until = map(datetime.fromisoformat, (run["startedAt"], run["waitUntil"]))
    # The block's own five seconds are not given on top.
    assert (until - began).total_seconds() < 24
