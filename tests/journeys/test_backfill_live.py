"""A backfill and an inactive trigger over Mage's paths, with blocks that a real worker runs."""

import time
from typing import Any

import pytest

from tests.journeys.live import Live
from tests.journeys.test_mage_live import Mage

CODE = (
    "@data_loader\ndef load(*args, **kwargs):\n"
    "    if kwargs['ds'] == kwargs.get('broken'):\n        raise ValueError('no bread')\n"
    "    return {'ds': kwargs['ds'], 'until': kwargs['interval_end_datetime'], 'x': kwargs['x']}\n"
)
DAYS = {
    "name": "days",
    "interval_type": "day",
    "interval_units": 1,
    "start_datetime": "2026-03-01 00:00:00",
    "end_datetime": "2026-03-03 00:00:00",
}


@pytest.fixture(scope="module")
def mage(live_server: Live) -> Any:
    """The API, with a pipeline of one block."""
    with live_server.client() as client:
        call = Mage(client)
        call("POST", "/api/pipelines", {"pipeline": {"name": "past"}})
        block = {"name": "load", "type": "data_loader", "content": CODE}
        call("POST", "/api/pipelines/past/blocks", {"block": block})
        yield call


def filled(mage: Mage, **variables: Any) -> dict[str, Any]:
    """A started backfill once all its runs have ended, within half a minute."""
    given = {"backfill": {**DAYS, "variables": variables}}
    number = mage("POST", "/api/pipelines/past/backfills", given)["backfill"]["id"]
    mage("PUT", f"/api/backfills/{number}", {"backfill": {"status": "initial"}})
    return until_ended(mage, number)


def until_ended(mage: Mage, number: int) -> dict[str, Any]:
    """The backfill when none of its runs goes on any more."""
    deadline = time.monotonic() + 30
    while True:
        backfill = dict(mage("GET", f"/api/backfills/{number}")["backfill"])
        if backfill["status"] not in ("initial", "running") or time.monotonic() > deadline:
            return backfill
        time.sleep(0.05)


def runs(mage: Mage, backfill: dict[str, Any]) -> list[Any]:
    """Its runs, of the oldest slot first."""
    found = mage("GET", "/api/pipeline_runs", backfill_id=backfill["id"])["pipeline_runs"]
    return sorted(found, key=lambda run: run["execution_date"])


def test_every_slot_is_run_with_its_dates_and_the_backfills_variables(mage: Mage) -> None:
    backfill = filled(mage, x=5)
    assert (backfill["status"], backfill["run_status_counts"]) == ("completed", {"completed": 3})
    assert backfill["completed_at"] is not None
    seen = []
    for run in runs(mage, backfill):
        (block_run,) = run["block_runs"]
        (output,) = mage("GET", f"/api/block_runs/{block_run['id']}/outputs")["outputs"]
        seen.append(output["sample_data"]["rows"][0])
    assert seen == [
        ["2026-03-01", "2026-03-02T00:00:00+00:00", 5],
        ["2026-03-02", "2026-03-03T00:00:00+00:00", 5],
        ["2026-03-03", None, 5],
    ]


def test_a_failed_slot_is_told_and_run_again(mage: Mage) -> None:
    backfill = filled(mage, x=1, broken="2026-03-02")
    assert (backfill["status"], backfill["run_status_counts"]) == (
        "failed",
        {"completed": 2, "failed": 1},
    )
    assert [run["status"] for run in runs(mage, backfill)] == ["completed", "failed", "completed"]
    repaired = {"name": "load", "content": CODE.replace("raise ValueError('no bread')", "pass")}
    mage("PUT", "/api/pipelines/past/blocks/load", {"block": repaired})
    mage("PUT", f"/api/backfills/{backfill['id']}", {"backfill": {"status": "initial"}})
    again = until_ended(mage, backfill["id"])
    assert (again["status"], again["run_status_counts"]) == ("completed", {"completed": 3})


def test_a_called_run_of_an_inactive_trigger_starts_when_it_is_switched_on(mage: Mage) -> None:
    schedule = {"name": "off", "schedule_type": "time", "schedule_interval": "@monthly"}
    path = "/api/pipelines/past/pipeline_schedules"
    trigger = mage("POST", path, {"pipeline_schedule": schedule})["pipeline_schedule"]
    called = {"pipeline_run": {"variables": {"x": 2}}}
    address = f"/api/pipeline_schedules/{trigger['id']}"
    run = mage("POST", f"{address}/pipeline_runs", called)["pipeline_run"]
    filled(mage, x=3)  # later runs have come and gone
    assert mage("GET", f"/api/pipeline_runs/{run['id']}")["pipeline_run"]["status"] == "initial"
    mage("PUT", address, {"pipeline_schedule": {"status": "active"}})
    assert mage.ended(run["id"])["status"] == "completed"
