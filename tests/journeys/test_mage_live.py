"""Mage's paths around a run that workers really execute: block runs, outputs, logs, retry."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.live import Live

TABLE = (
    "import pandas as pd\n@data_loader\ndef load(*args, **kwargs):\n"
    "    print('schema is', kwargs['schema'])\n    return pd.DataFrame({'a': [1, 2, 3]})\n"
)
BOOM = (
    "@transformer\ndef change(data, *args, **kwargs):\n"
    "    if kwargs.get('boom'):\n        raise ValueError('no bread')\n    return {'rows': len(data)}\n"
)


class Mage:
    """A caller of Mage's API."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The body of an answer that is no error."""
        answer = self.client.request(method, path, json=body, params=query)
        assert answer.status_code == 200, answer.text
        assert "error" not in answer.json(), answer.text
        return answer.json()

    def ended(self, number: int) -> dict[str, Any]:
        """A run once it has ended, within half a minute."""
        deadline = time.monotonic() + 30
        while True:
            run = dict(self("GET", f"/api/pipeline_runs/{number}")["pipeline_run"])
            if run["status"] not in ("initial", "running") or time.monotonic() > deadline:
                return run
            time.sleep(0.05)


@pytest.fixture(scope="module")
def mage(live_server: Live) -> Any:
    """The API, with a pipeline of two blocks."""
    with live_server.client() as client:
        call = Mage(client)
        call("POST", "/api/pipelines", {"pipeline": {"name": "flow"}})
        blocks = "/api/pipelines/flow/blocks"
        load = {"name": "load", "type": "data_loader", "content": TABLE}
        change = {"name": "change", "type": "transformer", "content": BOOM}
        call("POST", blocks, {"block": load})
        call("POST", blocks, {"block": {**change, "upstream_blocks": ["load"]}})
        yield call


@pytest.fixture(scope="module")
def trigger(mage: Mage) -> dict[str, Any]:
    """An API trigger of the pipeline."""
    schedule = {"name": "called", "schedule_type": "api", "variables": {"schema": "from_trigger"}}
    path = "/api/pipelines/flow/pipeline_schedules"
    made = mage("POST", path, {"pipeline_schedule": schedule})
    return dict(made["pipeline_schedule"])


def start(mage: Mage, trigger: dict[str, Any], **variables: Any) -> dict[str, Any]:
    """Start a run by token and wait for its end."""
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"
    run = mage("POST", path, {"pipeline_run": {"variables": variables}})["pipeline_run"]
    return mage.ended(run["id"])


def test_completed_run_shows_its_block_runs_outputs_and_logs(
    mage: Mage, trigger: dict[str, Any]
) -> None:
    run = start(mage, trigger, schema="public")
    assert run["status"] == "completed"
    assert run["completed_at"] > run["started_at"]
    assert [(b["block_uuid"], b["status"]) for b in run["block_runs"]] == [
        ("load", "completed"),
        ("change", "completed"),
    ]
    load, change = (f"/api/block_runs/{b['id']}" for b in run["block_runs"])
    assert mage("GET", f"{load}/outputs") == {
        "outputs": [
            {
                "outputs": None,
                "sample_data": {"columns": ["a"], "rows": [[1], [2], [3]]},
                "shape": [3, 1],
                "text_data": None,
                "type": "table",
                "variable_uuid": "output_0",
            }
        ],
        "metadata": {},
    }
    (other,) = mage("GET", f"{change}/outputs")["outputs"]
    # A dict is shown as a table of one row.
    assert (other["type"], other["shape"], other["text_data"]) == ("table", [1, 1], None)
    assert other["sample_data"] == {"columns": ["rows"], "rows": [[3]]}

    (item,) = mage("GET", f"{load}/logs")["logs"]
    (file,) = item["block_run_logs"]
    lines = [json.loads(line.split(" ", 1)[1]) for line in file["content"].splitlines()]
    assert file["name"] == "load.log"
    assert item["pipeline_run_logs"] == []
    assert "schema is public" in [line["message"] for line in lines]
    assert {line["block_run_id"] for line in lines} == {run["block_runs"][0]["id"]}
    assert {line["block_type"] for line in lines} == {"data_loader"}

    logs = "/api/pipelines/flow/logs"
    (item,) = mage("GET", logs, **{"pipeline_run_id[]": run["id"]})["logs"]
    assert "load.log" in [one["name"] for one in item["block_run_logs"]]
    (item,) = mage("GET", logs, **{"block_uuid[]": "lo"})["logs"]
    assert {one["name"] for one in item["block_run_logs"]} == {"load.log"}
    (item,) = mage("GET", logs, start_timestamp="4102444800")["logs"]
    assert item["total_block_run_log_count"] == 0


def test_failed_run_tells_the_error_and_can_be_retried_from_a_block(
    mage: Mage, trigger: dict[str, Any]
) -> None:
    run = start(mage, trigger, boom=True)
    assert (run["status"], run["completed_at"]) == ("failed", None)
    load, change = run["block_runs"]
    assert (load["status"], change["status"]) == ("completed", "failed")
    error = change["metrics"]["error"]
    assert "no bread" in error["error"]
    assert "ValueError" in error["message"]
    assert "site-packages" not in error["message"]
    path = f"/api/pipeline_runs/{run['id']}"
    action = {"pipeline_run_action": "retry_blocks", "from_block_uuid": "load"}
    mage("PUT", path, {"pipeline_run": action})
    again = mage.ended(run["id"])
    assert again["status"] == "failed"
    assert again["block_runs"][0]["started_at"] > load["started_at"]


def sleeper(mage: Mage, name: str, folder: Path) -> dict[str, Any]:
    """A trigger of a pipeline whose only block writes its process id and sleeps."""
    sleep = (
        "import os, pathlib, time\n@custom\ndef wait(*args, **kwargs):\n"
        f"    pathlib.Path({str(folder / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(600)\n"
    )
    mage("POST", "/api/pipelines", {"pipeline": {"name": name}})
    block = {"name": "wait", "type": "custom", "content": sleep}
    mage("POST", f"/api/pipelines/{name}/blocks", {"block": block})
    schedule = {"name": "called", "schedule_type": "api", "status": "active"}
    path = f"/api/pipelines/{name}/pipeline_schedules"
    return dict(mage("POST", path, {"pipeline_schedule": schedule})["pipeline_schedule"])


def within(seconds: float, happened: Callable[[], bool]) -> bool:
    """Whether something happens in time."""
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.05)
    return happened()


def test_deleted_run_leaves_nothing_running(mage: Mage, tmp_path: Path) -> None:
    trigger = sleeper(mage, "deleted", tmp_path)
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs"
    number = mage("POST", path, {"pipeline_run": {}})["pipeline_run"]["id"]
    pid = tmp_path / "pid"
    assert within(30, lambda: pid.exists() and pid.read_text() != "")
    block = Path("/proc") / pid.read_text()
    assert block.exists()
    # A run that goes on is not retried.
    action = {"pipeline_run": {"pipeline_run_action": "retry_blocks"}}
    refused = mage.client.put(f"/api/pipeline_runs/{number}", json=action).json()["error"]
    assert "has not ended yet" in refused["message"]
    mage("DELETE", f"/api/pipeline_runs/{number}")
    assert within(30, lambda: not block.exists())
    gone = mage.client.get(f"/api/pipeline_runs/{number}").json()
    assert gone["error"]["type"] == "record_not_found"
    assert [row["id"] for row in mage("GET", path)["pipeline_runs"]] == []


def test_pipelines_update_cancels_running_blocks_and_retries_failed_ones(
    mage: Mage, trigger: dict[str, Any], tmp_path: Path
) -> None:
    slow = sleeper(mage, "bulk", tmp_path)
    path = f"/api/pipeline_schedules/{slow['id']}/pipeline_runs"
    number = mage("POST", path, {"pipeline_run": {}})["pipeline_run"]["id"]
    pid = tmp_path / "pid"
    assert within(30, lambda: pid.exists() and pid.read_text() != "")
    mage("PUT", "/api/pipelines/bulk", {"pipeline": {"status": "cancelled"}})
    assert mage.ended(number)["status"] == "cancelled"
    assert within(30, lambda: not (Path("/proc") / pid.read_text()).exists())

    failed = start(mage, trigger, boom=True)
    calm = {"id": failed["id"], "variables": {"schema": "calm"}}
    change = {"status": "retry", "pipeline_runs": [calm]}
    mage("PUT", "/api/pipelines/flow", {"pipeline": change})
    newest = mage("GET", "/api/pipeline_runs", pipeline_uuid="flow", _limit=1)["pipeline_runs"]
    again = mage.ended(max(row["id"] for row in newest))
    assert (again["status"], again["execution_date"]) == ("completed", failed["execution_date"])
    assert mage("GET", f"/api/pipeline_runs/{failed['id']}")["pipeline_run"]["status"] == "failed"


def test_cancelled_run_stays_cancelled(mage: Mage, trigger: dict[str, Any]) -> None:
    sleep = "import time\n@custom\ndef wait(*args, **kwargs):\n    time.sleep(600)\n"
    mage("POST", "/api/pipelines", {"pipeline": {"name": "slow"}})
    block = {"name": "wait", "type": "custom", "content": sleep}
    mage("POST", "/api/pipelines/slow/blocks", {"block": block})
    schedule = {"name": "called", "schedule_type": "api", "status": "active"}
    made = mage("POST", "/api/pipelines/slow/pipeline_schedules", {"pipeline_schedule": schedule})
    path = f"/api/pipeline_schedules/{made['pipeline_schedule']['id']}/pipeline_runs"
    number = mage("POST", path, {"pipeline_run": {}})["pipeline_run"]["id"]
    mage("PUT", f"/api/pipeline_runs/{number}", {"pipeline_run": {"status": "cancelled"}})
    run = mage.ended(number)
    assert (run["status"], run["completed_at"]) == ("cancelled", None)
    assert [b["status"] for b in run["block_runs"]] == ["cancelled"]
