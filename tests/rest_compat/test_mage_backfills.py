"""Backfills over Mage's paths: attributes, slots, starting, cancelling, errors."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core import db
from app.pipelines.tables import pipeline_runs
from app.runs.tables import runs
from tests.rest_compat.conftest import Call

ATTRIBUTES = {
    "block_uuid",
    "completed_at",
    "created_at",
    "end_datetime",
    "failed_at",
    "id",
    "interval_type",
    "interval_units",
    "metrics",
    "name",
    "pipeline_schedule_id",
    "pipeline_uuid",
    "run_status_counts",
    "settings",
    "start_datetime",
    "started_at",
    "status",
    "total_run_count",
    "updated_at",
    "variables",
}
HALF_DAYS = {
    "name": "sparkling glitter",
    "interval_type": "hour",
    "interval_units": 12,
    "start_datetime": "2026-03-01 00:00:00",
    "end_datetime": "2026-03-02T00:00:00+00:00",
}


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The key alone suffices."""
    return False


@pytest.fixture(scope="module")
async def path(call: Call) -> str:
    """Where backfills of a pipeline are made."""
    await call("POST", "/api/pipelines", {"pipeline": {"name": "past"}})
    block = {"name": "one", "type": "data_loader"}
    await call("POST", "/api/pipelines/past/blocks", {"block": block})
    return "/api/pipelines/past/backfills"


async def made(call: Call, path: str, **more: Any) -> dict[str, Any]:
    """A new backfill of three slots."""
    answer = await call("POST", path, {"backfill": {**HALF_DAYS, **more}})
    assert answer.json()["metadata"] is None, answer.json()
    return dict(answer.json()["backfill"])


async def put(call: Call, backfill: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The answer to a change."""
    answer = await call("PUT", f"/api/backfills/{backfill['id']}", {"backfill": changes})
    return dict(answer.json())


async def test_a_backfill_has_the_documented_attributes(call: Call, path: str) -> None:
    backfill = await made(call, path)
    assert set(backfill) == ATTRIBUTES
    for name in ("name", "interval_type", "interval_units"):
        assert backfill[name] == HALF_DAYS[name]
    assert backfill["start_datetime"] == "2026-03-01 00:00:00"
    assert backfill["end_datetime"] == "2026-03-02 00:00:00"
    assert (backfill["pipeline_uuid"], backfill["total_run_count"]) == ("past", 3)
    unset = ("status", "started_at", "completed_at", "failed_at", "pipeline_schedule_id", "metrics")
    assert [backfill[name] for name in unset] == [None] * 6


async def test_slots_are_shown_when_asked_for(call: Call, path: str) -> None:
    backfill = await made(call, path)
    address = f"/api/backfills/{backfill['id']}"
    assert set((await call("GET", address)).json()["backfill"]) == ATTRIBUTES
    shown = (await call("GET", address, include_preview_runs="true")).json()["backfill"]
    assert shown["pipeline_run_dates"] == [
        {
            "ds": f"2026-03-{day}",
            "execution_date": f"2026-03-{day}T{hour}:00:00+00:00",
            "hr": hour,
            "interval_end_datetime": end and f"2026-03-{end}:00:00+00:00",
            "interval_seconds": 43200 if end else None,
            "interval_start_datetime": f"2026-03-{day}T{hour}:00:00+00:00",
        }
        for day, hour, end in (("01", "00", "01T12"), ("01", "12", "02T00"), ("02", "00", None))
    ]
    part = await call("GET", address, include_preview_runs="1", _limit="1", _offset="1")
    (one,) = part.json()["backfill"]["pipeline_run_dates"]
    assert one["hr"] == "12"


async def test_a_backfill_without_slots_shows_none(call: Call, path: str) -> None:
    made = (await call("POST", path, {"backfill": {"name": "not yet"}})).json()["backfill"]
    shown = await call("GET", f"/api/backfills/{made['id']}", include_preview_runs="true")
    assert shown.json()["backfill"]["pipeline_run_dates"] == []


async def test_initial_starts_it_and_cancelled_cancels_it(call: Call, path: str) -> None:
    backfill = await made(call, path, variables={"x": 1})
    started = (await put(call, backfill, status="initial", id=backfill["id"]))["backfill"]
    assert (started["status"], started["run_status_counts"]) == ("initial", {"initial": 3})
    assert started["started_at"] and started["pipeline_schedule_id"]
    listed = (await call("GET", "/api/pipeline_runs", backfill_id=backfill["id"])).json()
    assert listed["metadata"]["count"] == 3
    newest = listed["pipeline_runs"][0]
    assert newest["execution_date"] == "2026-03-02 00:00:00"
    assert newest["backfill_id"] == backfill["id"]
    assert newest["pipeline_schedule_id"] == started["pipeline_schedule_id"]
    assert newest["variables"]["x"] == 1
    cancelled = (await put(call, backfill, status="cancelled"))["backfill"]
    assert (cancelled["status"], cancelled["run_status_counts"]) == ("cancelled", {"cancelled": 3})
    again = (await put(call, backfill, status="initial"))["backfill"]
    assert again["run_status_counts"] == {"initial": 3}


async def test_a_change_is_kept_and_a_deleted_one_is_gone(call: Call, path: str) -> None:
    backfill = await made(call, path)
    changed = (await put(call, backfill, interval_units=24, name="days"))["backfill"]
    assert (changed["name"], changed["total_run_count"]) == ("days", 2)
    address = f"/api/backfills/{backfill['id']}"
    gone = (await call("DELETE", address)).json()
    assert gone["backfill"]["id"] == backfill["id"]
    assert (await call("GET", address)).json()["error"]["code"] == 404


async def test_lists_show_the_newest_first(call: Call, path: str) -> None:
    await call("POST", "/api/pipelines", {"pipeline": {"name": "other"}})
    ids = [(await made(call, path))["id"] for _ in range(2)]
    foreign = (await made(call, "/api/pipelines/other/backfills"))["id"]
    found = (await call("GET", path, _limit="2")).json()
    assert [b["id"] for b in found["backfills"]] == ids[::-1]
    assert found["metadata"]["count"] >= 2
    everywhere = (await call("GET", "/api/backfills")).json()["backfills"]
    assert everywhere[0]["id"] == foreign
    named = (await call("GET", "/api/backfills", pipeline_uuid="other")).json()["backfills"]
    assert [b["id"] for b in named] == [foreign]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"interval_type": "fortnight"}, "interval_type"),
        ({"interval_units": "many"}, "interval_units"),
        ({"start_datetime": "yesterday"}, "start_datetime 'yesterday' is no date and time."),
        ({"variables": [1]}, "variables must be an object."),
        ({"interval_type": "minute", "interval_units": 1}, "more than 1000 runs"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said(
    call: Call, path: str, wrong: dict[str, Any], text: str
) -> None:
    answer = await call("POST", path, {"backfill": {**HALF_DAYS, **wrong}})
    assert answer.status_code == 200
    error = answer.json()["error"]
    assert (error["code"], text in error["exception"]) == (400, True), error


async def test_unknown_ones_and_unknown_states_are_refused(call: Call, path: str) -> None:
    for address in ("/api/backfills/999999", "/api/backfills/x"):
        for method in ("GET", "PUT", "DELETE"):
            assert (await call(method, address, {})).json()["error"]["code"] == 404
    backfill = await made(call, path)
    for status in ("running", "nonsense", 5):
        assert (await put(call, backfill, status=status))["error"]["code"] == 400
    missing = await call("POST", "/api/pipelines/none/backfills", {"backfill": HALF_DAYS})
    assert missing.json()["error"]["exception"] == "Pipeline none does not exist."
    assert (await call("GET", "/api/pipelines/none/backfills")).json()["error"]["code"] == 404
    bare = await call("POST", "/api/backfills", {"backfill": HALF_DAYS})
    assert bare.json()["error"]["code"] == 403


@pytest.mark.parametrize(
    ("state", "name"), [("succeeded", "completed_at"), ("failed", "failed_at")]
)
async def test_an_ended_one_says_when(call: Call, path: str, state: str, name: str) -> None:
    backfill = await made(call, path, end_datetime="2026-03-01")
    await put(call, backfill, status="initial")
    ended = datetime(2026, 4, 1, tzinfo=UTC)
    mine = select(pipeline_runs.c.run_id).where(pipeline_runs.c.backfill_id == backfill["id"])
    async with db.engine().begin() as connection:
        changed = update(runs).where(runs.c.id.in_(mine))
        await connection.execute(changed.values(status=state, finished_at=ended))
    shown = (await call("GET", f"/api/backfills/{backfill['id']}")).json()["backfill"]
    assert shown[name] == "2026-04-01 00:00:00"
