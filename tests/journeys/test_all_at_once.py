"""One pipeline of a Mage folder with every block type and feature, seen from all sides."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.house.places import ROOT
from tests.journeys.live import Live, live
from tests.journeys.mage_folder import contents, ended, eventually, get, messages, start, told
from tests.journeys.pipelines import Graph
from tests.journeys.test_moving_in import command
from tests.journeys.warehouse import warehouse
from tests.servers import SessionServers, open_folder
from tests.workers.notify.sinks import HttpSink, http_sink

EVERYTHING = ROOT / "tests/data/mage/everything"
PIPELINE = "all_at_once"
BLOCKS = {
    "await_bell": "completed",
    "load_busy_calls": "completed",
    "containers_by_ship": "completed",
    "record_containers": "completed",
    "read_containers": "completed",
    "list_docks": "completed",
    "man_dock": "completed",
    "man_dock:north": "completed",
    "man_dock:south": "completed",
    "check_dock": "completed",
    "check_dock:0": "completed",
    "check_dock:1": "completed",
    "sum_up": "completed",
    "publish": "completed",
    "hoist_flags": "condition_failed",
    "lower_flags": "condition_failed",
    "jam": "failed",
    "behind_the_jam": "upstream_failed",
    "dawdle": "failed",
}
SHIPS = [["Aurora", 120, "Oslo"], ["Bering", 140, "Oslo"], ["Calypso", 200, "Oslo"]]
SUM = {
    "hands": 22,
    "containers": 460,
    "unit": "TEU",
    "harbour": "Oslo",
    "shift": "of the trigger",
    "crew": "of the run",
    "reason": "storm",
    "trigger": "all_at_once_by_call",
}
SAID = {
    "await_bell": ["Sensor await_bell asks again in 1 seconds."],
    "load_busy_calls": [
        "Block load_busy_calls failed on attempt 1 of 3: attempt 1 fails on purpose "
        "It is tried again in 1 s.",
        "5 calls at attempt 2",
        "2/2 tests passed.",
    ],
    "man_dock:north": ["dock 1"],
    "man_dock:south": ["dock 2"],
    "sum_up": [
        "summed up at Oslo",
        f"callback: sum_up succeeded with {SUM}",
        "old form: sum_up succeeded",
    ],
    "publish": ["460 TEU"],
    "hoist_flags": ["Conditional block is_festive evaluated as False for block hoist_flags"],
    "jam": ["callback: jam failed: jammed on purpose", "old form: jam failed"],
    "dawdle": ["Block dawdle timed out after 1 seconds"],
}
STEPS = """query($n: Int!) { pipelineRuns(where: {number: {eq: $n}}, first: 1) { nodes {
  status error variables eventVariables triggerName
  steps { number name status attempt error outputs { name kind sample } waitReason }
  logs(first: 100) { nodes { step level message } }
} } }"""
NOTIFICATIONS = """{ runs(where: {kind: {eq: NOTIFICATION}}, first: 100) {
  nodes { ... on NotificationRun { channel } }
} }"""
WORDS = {"SUCCEEDED": "completed", "FAILED": "failed", "SKIPPED": "condition_failed"}


@dataclass(frozen=True)
class Seen:
    """The run after its end, and what was seen of it on the way."""

    made: Live
    client: httpx2.Client
    hook: HttpSink
    waiting: Any
    run: Any

    @property
    def path(self) -> str:
        """The run's address."""
        return f"/api/pipeline_runs/{self.run['id']}"

    def block_run(self, name: str) -> Any:
        """One block run, as its run's detail has it."""
        return next(row for row in self.run["block_runs"] if row["block_uuid"] == name)

    def in_graph(self) -> Any:
        """The run as the graph has it."""
        found = Graph(self.client)(STEPS, n=self.run["id"])["pipelineRuns"]["nodes"]
        return found[0]


@pytest.fixture(scope="module")
def seen(session_servers: SessionServers) -> Iterator[Seen]:
    """The pipeline comes in by command, is called with variables, and waits for its bell."""
    with (
        open_folder() as folder,
        http_sink() as hook,
        warehouse(session_servers) as env,
        live(
            session_servers,
            folder,
            authentication=False,
            ISTHMUS_BLOCK_ENV=",".join([*env, "MAGE_SLACK_WEBHOOK_URL"]),
            MAGE_SLACK_WEBHOOK_URL=hook.url(),
            **env,
        ) as made,
        made.client() as client,
    ):
        status, said = command(made, "import", "mage", str(EVERYTHING), "--yes")
        assert status == 0 and said.endswith("Done."), said
        typed = "a key of the harbour\n"
        assert command(made, "secret", "set", "harbour_key", typed=typed)[0] == 0

        (trigger,) = get(client, f"/api/pipelines/{PIPELINE}/pipeline_schedules")
        bell = folder / "bell"
        variables = {"bell": str(bell), "crew": "of the run"}
        body = {"pipeline_run": {"variables": variables}, "reason": "storm"}
        number = start(client, trigger, body)

        def asked() -> Any:
            rows = get(client, f"/api/pipeline_runs/{number}")["block_runs"]
            metrics = next((r for r in rows if r["block_uuid"] == "await_bell"), rows[0])["metrics"]
            waiting = (metrics or {}).get("waiting")
            return waiting if waiting and waiting["reason"] == "poll" else None

        waiting = eventually(asked, "the sensor says no")
        bell.touch()
        yield Seen(made, client, hook, waiting, ended(client, number))


def test_run_has_the_statuses_of_mage(seen: Seen) -> None:
    assert {row["block_uuid"]: row["status"] for row in seen.run["block_runs"]} == BLOCKS
    assert seen.run["status"] == "failed"
    assert seen.run["variables"]["crew"] == "of the run"
    assert seen.run["event_variables"] == {"reason": "storm"}
    assert seen.block_run("jam")["metrics"]["error"]["error"] == "jammed on purpose"
    too_slow = seen.block_run("dawdle")["metrics"]["error"]["error"]
    assert too_slow == "Block dawdle timed out after 1 seconds"
    assert (seen.waiting["until"] is not None, seen.waiting["for"]) == (True, [])


def test_lists_and_graph_agree_with_the_run(seen: Seen) -> None:
    listed = get(seen.client, f"{seen.path}/block_runs", _limit=100)
    assert {row["id"]: (row["block_uuid"], row["status"]) for row in listed} == {
        row["id"]: (row["block_uuid"], row["status"]) for row in seen.run["block_runs"]
    }
    for row in seen.run["block_runs"]:
        assert get(seen.client, f"/api/block_runs/{row['id']}") == row
    graph = seen.in_graph()
    assert (graph["status"], graph["triggerName"]) == ("FAILED", "all_at_once_by_call")
    assert graph["variables"] == seen.run["variables"]
    assert graph["eventVariables"] == seen.run["event_variables"]
    steps = {step["number"]: step for step in graph["steps"]}
    for row in seen.run["block_runs"]:
        step = steps.pop(row["id"])
        word = WORDS.get(step["status"], step["status"].lower())
        assert (step["name"], word, step["waitReason"]) == (row["block_uuid"], row["status"], None)
        error = (row["metrics"] or {}).get("error", {}).get("error")
        assert error == (step["error"] if row["status"] == "failed" else None)
    assert steps == {}
    again = {step["name"]: step["attempt"] for step in graph["steps"] if step["attempt"] > 1}
    # A sensor begins anew each time that it asks.
    assert again.pop("await_bell") >= 2
    assert again == {"load_busy_calls": 2}


def test_outputs_are_the_same_over_rest_and_graph(seen: Seen) -> None:
    samples = {}
    for step in seen.in_graph()["steps"]:
        shown = get(seen.client, f"/api/block_runs/{step['number']}/outputs")
        assert [o["variable_uuid"] for o in shown] == [o["name"] for o in step["outputs"]]
        for output, known in zip(shown, step["outputs"], strict=True):
            if output["type"] == "table":
                names = ("columns", "rows")
                assert output["sample_data"] == {n: known["sample"][n] for n in names}
                samples[step["name"]] = output["sample_data"]
    for name in ("containers_by_ship", "read_containers"):
        assert samples[name]["columns"] == ["ship", "containers", "harbour"]
        assert sorted(samples[name]["rows"]) == SHIPS
    assert dict(zip(samples["sum_up"]["columns"], samples["sum_up"]["rows"][0], strict=True)) == SUM
    docks = {name: rows["rows"] for name, rows in samples.items() if "_dock:" in name}
    assert docks == {
        "man_dock:north": [[1, 8]],
        "man_dock:south": [[2, 12]],
        "check_dock:0": [[1, 9]],
        "check_dock:1": [[2, 13]],
    }


def test_logs_are_the_same_wherever_they_are_read(seen: Seen) -> None:
    of_run = messages(seen.client, f"{seen.path}/logs")
    of_pipeline = messages(seen.client, f"/api/pipelines/{PIPELINE}/logs")
    in_graph: dict[str, list[str]] = {}
    for line in seen.in_graph()["logs"]["nodes"]:
        in_graph.setdefault(line["step"], []).append(line["message"])
    in_graph.pop(None, None)  # type: ignore[call-overload]
    assert of_run == of_pipeline == in_graph
    for row in seen.run["block_runs"]:
        (item,) = get(seen.client, f"/api/block_runs/{row['id']}/logs")
        own = [line for log in item["block_run_logs"] for line in told(log)]
        assert own == of_run.get(row["block_uuid"], [])
    for block, lines in SAID.items():
        assert list(dict.fromkeys(line for line in of_run[block] if line in lines)) == lines
    assert "jammed on purpose" in "".join(of_run["jam"])
    whole = json.dumps(of_run) + seen.made.log.read_text()
    assert "a key of the harbour" not in whole
    assert seen.made.environ["WAREHOUSE_PASSWORD"] not in whole


def test_the_failure_was_told(seen: Seen) -> None:
    def told_of() -> list[Any]:
        return [post.body["text"] for post in seen.hook.posted]

    (text,) = eventually(told_of, "the hook is called")
    assert text.startswith(f"*Pipeline {PIPELINE} has failed*\nRun {seen.run['id']}")
    # The project names Teams as well, by a variable that is not there.
    queued = Graph(seen.client)(NOTIFICATIONS)["runs"]["nodes"]
    assert [note["channel"] for note in queued] == ["SLACK"]


def test_markdown_and_scratchpad_are_kept_and_did_not_run(seen: Seen) -> None:
    blocks = {b["uuid"]: b for b in get(seen.client, f"/api/pipelines/{PIPELINE}")["blocks"]}
    for uuid, folder in (("about_all_at_once", "markdowns"), ("try_all_at_once", "scratchpads")):
        assert uuid not in BLOCKS
        (file,) = (EVERYTHING / folder).glob(f"{uuid}.*")
        path = f"/api/pipelines/{PIPELINE}/blocks/{uuid}"
        assert get(seen.client, path)["content"] == file.read_text()
        assert blocks[uuid]["status"] != "executed"


def test_the_folder_goes_home_as_it_came(seen: Seen, tmp_path: Path) -> None:
    home = tmp_path / "everything"
    status, said = command(seen.made, "export", "mage", str(home))
    assert status == 0 and said.endswith("Done."), said
    assert contents(home) == contents(EVERYTHING)
