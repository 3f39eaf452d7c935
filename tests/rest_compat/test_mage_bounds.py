"""What must not get in: dates that break lists, and bodies that take the server's time."""

import httpx2
import pytest

from tests.rest_compat.conftest import Call


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The api_key alone suffices."""
    return False


@pytest.mark.parametrize("start", ["0001-01-01 00:00:00", "9999-12-31 23:59:59"])
async def test_start_time_out_of_range_is_refused_and_lists_go_on(call: Call, start: str) -> None:
    name = f"pipeline {start[:4]}"
    made = (await call("POST", "/api/pipelines", {"pipeline": {"name": name}})).json()["pipeline"]
    schedule = {"name": "x", "schedule_type": "time", "schedule_interval": "@daily"}
    path = f"/api/pipelines/{made['uuid']}/pipeline_schedules"
    body = {"pipeline_schedule": {**schedule, "start_time": start}}
    refused = (await call("POST", path, body)).json()
    assert refused["error"]["code"] == 400, refused
    listed = (await call("GET", "/api/pipeline_schedules")).json()
    assert listed["pipeline_schedules"] == []


async def test_large_body_needs_a_good_key_outside_of_it(
    client: httpx2.AsyncClient, api_key: str
) -> None:
    path = "/api/pipeline_schedules/1/pipeline_runs/wrong"
    large = {"pipeline_run": {"variables": {"x": "y" * 2_000_000}}}
    refused = await client.post(path, json=large)
    assert refused.status_code == 413
    refused = await client.post(path, json=large, headers={"X-API-KEY": "wrong"})
    assert refused.status_code == 413
    # With the key the body is read, and the answer is about what is in it.
    read = await client.post(path, json=large, headers={"X-API-KEY": api_key})
    assert read.status_code == 200 and "error" in read.json()
    many = b'{"a":[' + b"[]," * 1_100_000 + b"[]]}"
    refused = await client.post(path, content=many, headers={"X-API-KEY": api_key})
    assert refused.status_code == 413
