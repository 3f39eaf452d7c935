"""Mage's words, times and bodies from the graph's data, without a server."""

from typing import Any

import pytest
from starlette.datastructures import Headers, QueryParams

from app.core.errors import Invalid, NotFound
from rest_compat.dialect import Call
from rest_compat.kernel import find, parts_of, segments_of
from rest_compat.mage import (
    lists,
    moments,
    page,
    shape_access,
    shape_pipelines,
    shape_runs,
    shape_schedules,
    variables_pipelines,
    variables_runs,
    variables_schedules,
)
from rest_compat.mage.faults import plain

WHOLE = "2026-11-21T23:17:33.000000Z"
PART = "2026-11-21T23:17:33.012000Z"


def call(method: str = "GET", *segments: str, query: str = "", **fields: Any) -> Call:
    """A request as the kernel hands it on."""
    return Call(method, segments or ("x",), query=QueryParams(query), **fields)


def step(**changes: Any) -> dict[str, Any]:
    """A step as the stored operations select it."""
    return {
        "block_uuid": "load",
        "created_at": WHOLE,
        "error": None,
        "finished_at": PART,
        "id": 7,
        "metrics": None,
        "started_at": WHOLE,
        "status": "SUCCEEDED",
        "traceback": None,
        "updated_at": WHOLE,
        **changes,
    }


def test_moments_are_written_in_the_four_ways_of_the_real_server() -> None:
    assert moments.row_time(WHOLE) == "2026-11-21 23:17:33"
    assert moments.row_time(PART) == "2026-11-21 23:17:33.012000"
    assert moments.iso_time(PART) == "2026-11-21T23:17:33.012000"
    assert moments.zoned_time(WHOLE) == "2026-11-21 23:17:33+00:00"
    assert moments.full_time(WHOLE, " ") == "2026-11-21 23:17:33.000000+00:00"
    assert (moments.row_time(None), moments.zoned_time(None)) == (None, None)


@pytest.mark.parametrize(
    ("state", "word", "metrics"),
    [
        ("PENDING", "initial", None),
        ("QUEUED", "queued", None),
        ("RUNNING", "running", None),
        ("SUCCEEDED", "completed", {}),
        ("CANCELLED", "cancelled", None),
        ("UPSTREAM_FAILED", "upstream_failed", None),
        ("SKIPPED", "condition_failed", None),
    ],
)
def test_block_run_has_an_end_only_when_completed(state: str, word: str, metrics: Any) -> None:
    made = shape_runs.block_run(step(status=state), 3)
    assert (made["status"], made["metrics"], made["pipeline_run_id"]) == (word, metrics, 3)
    assert (made["completed_at"] is not None) == (word == "completed")


def test_failed_block_run_tells_the_error_and_the_users_own_traceback() -> None:
    failed = step(status="FAILED", error="no bread", traceback="File ...", metrics={"cpu_s": 1})
    error = {"error": "no bread", "errors": [], "message": "File ..."}
    assert shape_runs.block_run(failed, 3)["metrics"] == {"cpu_s": 1, "error": error}


def test_block_run_in_a_list_of_its_own_has_iso_times_and_no_metrics() -> None:
    owner = {"id": 3, "pipeline_schedule_id": 2, "trigger": None, "trigger_name": "gone"}
    made = shape_runs.listed_block_run(step(), owner)
    assert (made["started_at"], made["completed_at"]) == (
        "2026-11-21T23:17:33",
        "2026-11-21T23:17:33.012000",
    )
    assert "metrics" not in made
    assert made["pipeline_schedule_name"] == "gone"
    nested = shape_runs.listed_block_run(step(), owner, nested=True)
    assert (nested["pipeline_schedule_id"], nested["pipeline_schedule_name"]) == (None, None)


def test_schedule_that_never_ran_has_no_figures() -> None:
    row = {
        **dict.fromkeys(("created_at", "updated_at", "next_pipeline_run_date"), WHOLE),
        **dict.fromkeys(("last_enabled_at", "start_time", "last_pipeline_run_status")),
        "pipeline": {"uuid": "flow"},
        "schedule_type": "TIME",
        "status": "ACTIVE",
        "tags": ["b", "a"],
        "pipeline_in_progress_runs_count": 0,
        "pipeline_runs_count": 0,
    }
    made = shape_schedules.schedule(row)
    assert (made["pipeline_runs_count"], made["pipeline_in_progress_runs_count"]) == (None, None)
    assert (made["schedule_type"], made["status"], made["tags"]) == ("time", "active", ["a", "b"])
    assert made["next_pipeline_run_date"] == "2026-11-21 23:17:33+00:00"
    ran = {**row, "pipeline_runs_count": 2, "last_pipeline_run_status": "succeeded"}
    assert shape_schedules.schedule(ran)["last_pipeline_run_status"] == "completed"
    assert shape_schedules.schedule(ran)["pipeline_in_progress_runs_count"] == 0


def test_missing_rows_are_told_by_the_kind_of_their_resource() -> None:
    with pytest.raises(NotFound, match=r"Pipeline nope does not exist\."):
        shape_pipelines.read_pipeline({"pipeline": None}, call(path={"uuid": "nope"}))
    with pytest.raises(NotFound, match=r"Block b does not exist in pipeline p\."):
        named = call(path={"uuid": "p", "block_uuid": "b"})
        shape_pipelines.read_block({"pipeline": {"uuid": "p"}, "block": None}, named)
    with pytest.raises(NotFound, match=r"Record not found\."):
        shape_runs.read_run({"run": None}, call())


@pytest.mark.parametrize(
    ("roles", "owner", "access", "shown"),
    [
        (["owner"], True, 1, "Owner"),
        (["editor", "viewer"], False, 12, "Editor"),
        (["sourcer"], False, 8, "Sourcer"),
        ([], True, 1, "Owner"),
        ([], False, 0, None),
    ],
)
def test_roles_become_access_bits(
    roles: list[str], owner: bool, access: int, shown: str | None
) -> None:
    memberships = [
        {"role": {"id": i, "name": n, "title": n.title(), "created_at": PART, "updated_at": PART}}
        for i, n in enumerate(roles)
    ]
    row = {"first_name": None, "last_name": None, "id": 1, "username": "a", "isOwner": owner}
    made = shape_access.user({**row, "memberships": [*memberships, *memberships]})
    assert (made["project_access"], made["roles_display"]) == (access, shown)
    assert len(made["roles_new"]) == len(roles)


def test_list_parameters_are_split_at_commas_and_collected() -> None:
    given = call(query="status[]=failed,initial&status[]=running,&status=completed")
    assert page.values(given, "status", "status[]") == [
        "completed",
        "failed",
        "initial",
        "running",
    ]
    assert page.flag(call(query="x=anything"), "x")
    assert not page.flag(call(query="x=false"), "x")
    assert page.row_number("7") == 7
    assert [page.row_number(text) for text in ("", "x", "-1", "9" * 12, "٣", "3000000000")] == [
        0
    ] * 6


def test_pages_are_bounded_and_orders_are_checked() -> None:
    assert page.page(call()) == {"limit": 40, "offset": 0}
    assert page.page(call(query="_limit=99999&_offset=3")) == {"limit": 10_000, "offset": 3}
    assert lists.pipelines(call())["limit"] == 10_000
    with pytest.raises(Invalid, match="Pipelines cannot be ordered by 'taste'"):
        lists.pipelines(call(query="_order_by[]=taste"))
    rows = list(range(5))
    assert page.part(rows, call(query="_limit=2&_offset=1")) == [1, 2]
    assert page.counts(rows, call(query="_limit=2&_offset=3")) == {"count": 5, "next": False}


def test_start_time_without_a_zone_is_utc() -> None:
    def start(text: str) -> Any:
        body = {"pipeline_schedule": {"name": "a", "start_time": text}}
        made = variables_schedules.new_schedule(call("POST", path={"uuid": "p"}, body=body))
        return made["input"]["startAt"]

    assert start("2026-01-01 00:00:00") == "2026-01-01T00:00:00+00:00"
    assert start("2026-01-01T02:00:00+02:00") == "2026-01-01T00:00:00+00:00"
    assert start("") is None
    with pytest.raises(Invalid, match="start_time"):
        start("soon")


def test_only_sent_attributes_are_changed_and_unknown_ones_are_left_behind() -> None:
    path = {"uuid": "p", "block_uuid": "b"}
    body = {"block": {"content": "x", "color": None, "bogus": 1}}
    made = variables_pipelines.block_changes(call("PUT", path=path, body=body))["input"]
    by = {"path": {"pipeline": "p", "block": "b"}}
    assert made == {"by": by, "content": "x", "color": None}


def test_trigger_token_comes_from_the_path_or_the_bearer() -> None:
    headers = Headers({"Authorization": "bearer  abc ", "Idempotency-Key": "k"})
    made = variables_runs.token_run(call("POST", path={"id": "3"}, headers=headers))["input"]
    assert (made["triggerNumber"], made["token"], made["idempotencyKey"]) == (3, "abc", "k")
    in_path = variables_runs.token_run(
        call("POST", path={"id": "3", "token": "t"}, headers=headers)
    )
    assert in_path["input"]["token"] == "t"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Variable '$input' has invalid value at .timeoutS: not an Int", "timeout_s: not an Int"),
        ("Variable '$login' has invalid value: not a String", "login: not a String"),
        (
            "Variable '$input' has invalid value: Expected value of type 'BlockCreateInput' to "
            "include required field 'type', found: {'secret': 1}.",
            "type is required.",
        ),
        ("Something else.", "Something else."),
    ],
)
def test_messages_about_variables_become_messages_about_attributes(message: str, told: str) -> None:
    assert plain(message) == told


def test_path_is_split_before_it_is_decoded_and_literals_win() -> None:
    scope = {"raw_path": b"/api/blocks/data_loader%2Fload.py?x=1", "path": "unused"}
    assert segments_of(scope, "/api") == ("blocks", "data_loader/load.py")
    assert segments_of({"path": "/api/a%2Fb/"}, "/api") == ("a%2Fb",)
    paths = ("/api/things/{id}", "/api/things/all", "/api/things/{id}/parts")
    templates = [(path, parts_of(path, "/api")) for path in paths]
    assert find(templates, ("things", "all")) == ("/api/things/all", {})
    assert find(templates, ("things", "7")) == ("/api/things/{id}", {"id": "7"})
    assert find(templates, ("things", "")) == (None, {})
    assert find(templates, ("others", "7")) == (None, {})
