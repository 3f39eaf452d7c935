"""Mage's project folders in a live installation: run over REST, compared after an export."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.app.cli.test_mage_project import files_below, taken

ENDED = ("completed", "failed", "cancelled")


def answered(response: httpx2.Response) -> Any:
    """The JSON of an answer that is no error."""
    assert response.status_code == 200, response.text
    found = response.json()
    assert "error" not in found, found
    return found


def get(client: httpx2.Client, path: str, **query: Any) -> Any:
    """What is under the one key of an answer that is not `metadata`."""
    found = answered(client.get(path, params=query))
    (key,) = found.keys() - {"metadata"}
    return found[key]


def api_trigger(client: httpx2.Client, pipeline: str) -> tuple[Any, bool]:
    """The pipeline's first API trigger, and whether it was made here since there was none."""
    path = f"/api/pipelines/{pipeline}/pipeline_schedules"
    there = [s for s in get(client, path) if s["schedule_type"] == "api"]
    if there:
        return there[0], False
    body = {"pipeline_schedule": {"name": f"call {pipeline}", "schedule_type": "api"}}
    return answered(client.post(path, json=body))["pipeline_schedule"], True


def start(client: httpx2.Client, trigger: Any, body: Mapping[str, Any] | None = None) -> int:
    """Call a trigger by its token; the run's number."""
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"
    return int(answered(client.post(path, json=body or {}))["pipeline_run"]["id"])


def ended(client: httpx2.Client, number: int, within_s: float = 60) -> Any:
    """The run's detail once it has ended."""
    deadline = time.monotonic() + within_s
    while (run := get(client, f"/api/pipeline_runs/{number}"))["status"] not in ENDED:
        assert time.monotonic() < deadline, f"not ended within {within_s} s: {run}"
        time.sleep(0.1)
    return run


def eventually(check: Callable[[], Any], what: str, within_s: float = 30) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + within_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)
    return found


def messages(client: httpx2.Client, path: str, **query: Any) -> dict[str, list[str]]:
    """The log that an address answers: name of the block run -> what its lines say."""
    (item,) = get(client, path, **query)
    return {log["name"].removesuffix(".log"): told(log) for log in item["block_run_logs"]}


def told(log: Mapping[str, Any]) -> list[str]:
    """What the lines of one log file say, without what stands before."""
    return [json.loads(line[20:])["message"] for line in log["content"].splitlines()]


def contents(folder: Path) -> dict[str, Any]:
    """Path -> what a folder holds, less what tells of runs and switches."""
    return {path: taken(path, content) for path, content in files_below(folder).items()}
