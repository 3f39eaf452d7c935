"""Requests that no client should send: each is refused with words, and nothing breaks."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from rest_compat.dialect import Answer, Call, Fault
from rest_compat.mage import faults
from tests.rest_compat.conftest import Call as Send


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The key alone suffices."""
    return False


@pytest.fixture(scope="module")
async def pipeline(call: Send) -> AsyncIterator[str]:
    """A pipeline with a block and a trigger."""
    await call("POST", "/api/pipelines", {"pipeline": {"name": "target"}})
    block = {"name": "one", "type": "data_loader"}
    await call("POST", "/api/pipelines/target/blocks", {"block": block})
    schedule = {"name": "called", "schedule_type": "api"}
    path = "/api/pipelines/target/pipeline_schedules"
    await call("POST", path, {"pipeline_schedule": schedule})
    yield "target"
    # Whatever was sent, it is all still there.
    read = (await call("GET", "/api/pipelines/target")).json()["pipeline"]
    assert [b["uuid"] for b in read["blocks"]] == ["one"]


def told(answer: httpx2.Response) -> dict[str, Any]:
    """The error of an answer that blames the caller and shows nothing of the server."""
    assert answer.status_code in (200, 400, 401, 403, 413), answer.text
    error = answer.json()["error"]
    assert error["code"] != 500, answer.text
    assert error["message"]
    assert "Traceback" not in answer.text
    assert "/site-packages/" not in answer.text
    return dict(error)


BODIES = [
    b"[]",
    b'"text"',
    b"5",
    b"null",
    b"true",
    b"{",
    b'{"pipeline": ',
    b"\xff\xfe\x00",
    b'{"pipeline": NaN}',
    b'{"pipeline": {"name": "\\ud800"}}',
    b'{"pipeline": {"name": "a\\u0000b"}}',
    b'{"a\\u0000": 1}',
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"a":' * 150 + b"1" + b"}" * 150,
    b"[" * 100_000,
    b"name=target&type=python",
]


@pytest.mark.parametrize("raw", BODIES, ids=lambda raw: repr(raw[:24]))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/pipelines"),
        ("PUT", "/api/pipelines/target"),
        ("PUT", "/api/pipeline_schedules/1"),
        ("POST", "/api/pipeline_schedules/1/pipeline_runs/x"),
        ("POST", "/api/sessions"),
    ],
)
async def test_body_that_is_no_json_object_is_refused(
    client: httpx2.AsyncClient, api_key: str, pipeline: str, method: str, path: str, raw: bytes
) -> None:
    answer = await client.request(method, path, content=raw, params={"api_key": api_key})
    error = told(answer)
    assert error["code"] == 400
    assert error["type"] == "record_invalid"
    assert error["exception"] == error["message"]


async def test_broken_json_is_told_in_the_words_of_the_real_server(
    client: httpx2.AsyncClient, api_key: str
) -> None:
    answer = await client.post(
        "/api/pipelines", content=b'{"pipeline": ', params={"api_key": api_key}
    )
    assert answer.json()["error"]["exception"] == "Expecting value: line 1 column 14 (char 13)"
    assert answer.json()["url_parameters"] == {"resource": "pipelines"}


WRONG: list[Any] = [5, True, "text", [], ["x"], {}, {"a": 1}, [[]], 2**70, -1, "x" * 300, "\u202e"]
ATTRIBUTES = {
    ("POST", "/api/pipelines", "pipeline"): (
        {"name": "again"},
        ("name", "type", "description", "tags", "variables", "clone_pipeline_uuid"),
    ),
    ("PUT", "/api/pipelines/target", "pipeline"): (
        {},
        ("tags", "settings", "retry_config", "executor_count", "status", "blocks"),
    ),
    ("POST", "/api/pipelines/target/blocks", "block"): (
        {"name": "one", "type": "custom"},
        ("type", "language", "content", "upstream_blocks", "configuration", "priority"),
    ),
    ("PUT", "/api/pipelines/target/blocks/one", "block"): (
        {},
        (
            "content",
            "upstream_blocks",
            "configuration",
            "timeout",
            "retry_config",
            "callback_blocks",
        ),
    ),
    ("POST", "/api/pipelines/target/pipeline_schedules", "pipeline_schedule"): (
        {"name": "again"},
        ("name", "schedule_type", "schedule_interval", "start_time", "status", "sla", "settings"),
    ),
    ("PUT", "/api/pipeline_schedules/1", "pipeline_schedule"): (
        {},
        ("variables", "tags", "event_matchers", "rotate_token", "description"),
    ),
    ("POST", "/api/pipeline_schedules/1/pipeline_runs", "pipeline_run"): ({}, ("variables",)),
    ("PUT", "/api/pipeline_runs/1", "pipeline_run"): (
        {"pipeline_run_action": "retry_blocks"},
        ("status", "pipeline_run_action", "from_block_uuid"),
    ),
    ("POST", "/api/sessions", "session"): ({"email": "a"}, ("email", "username", "password")),
}


@pytest.mark.parametrize("target", ATTRIBUTES, ids=lambda t: f"{t[0]} {t[1]}")
async def test_values_of_any_type_are_taken_or_refused_but_never_break_the_server(
    call: Send, pipeline: str, target: tuple[str, str, str]
) -> None:
    method, path, wrapper = target
    whole, names = ATTRIBUTES[target]
    bodies: list[Any] = [{wrapper: value} for value in WRONG]
    bodies += [{wrapper: {**whole, name: value}} for name in names for value in [*WRONG, None]]
    with capture_logs() as logged:
        for body in bodies:
            answer = await call(method, path, body, update_content="true")
            assert answer.status_code in (200, 409, 429), (body, answer.text)
            assert answer.json().get("error", {}).get("code") != 500, (body, answer.text)
    assert [line for line in logged if line["log_level"] == "error"] == []


IDS = ["abc", "0", "-1", "1e3", "99999", "9" * 30, "1.0", "٣", "%FF", "1%00", "' OR 1=1 --", "%2e"]


@pytest.mark.parametrize("given", IDS)
@pytest.mark.parametrize(
    "path",
    [
        "/api/pipeline_runs/{}",
        "/api/pipeline_runs/{}/block_runs",
        "/api/pipeline_runs/{}/blocks",
        "/api/pipeline_runs/{}/logs",
        "/api/pipeline_schedules/{}",
        "/api/pipeline_schedules/{}/pipeline_runs",
        "/api/block_runs/{}/outputs",
        "/api/block_runs/{}/logs",
        "/api/users/{}",
    ],
)
async def test_id_that_names_nothing_is_not_found(call: Send, path: str, given: str) -> None:
    error = told(await call("GET", path.format(given)))
    assert error["code"] == (400 if "%00" in given else 404)


@pytest.mark.parametrize("given", ["99999", "abc", "9" * 30])
@pytest.mark.parametrize("end", ["pipeline_runs/token", "api_trigger"])
async def test_call_of_an_unknown_trigger_is_not_found(
    client: httpx2.AsyncClient, given: str, end: str
) -> None:
    answer = await client.post(f"/api/pipeline_schedules/{given}/{end}", json={})
    error = told(answer)
    assert error["code"] == 404
    assert "'code': 404" in error["exception"]
    assert answer.json()["url_parameters"]["pipeline_schedule_id"] == given


QUERIES = [
    {"_limit": "x"},
    {"_limit": "-1"},
    {"_limit": "9" * 30},
    {"_offset": "x"},
    {"_limit": "1\x00"},
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize(
    "path", ["/api/pipelines", "/api/pipeline_schedules", "/api/pipeline_runs", "/api/block_runs"]
)
async def test_page_that_makes_no_sense_is_refused(
    call: Send, path: str, query: dict[str, str]
) -> None:
    assert told(await call("GET", path, **query))["code"] == 400


async def test_limit_that_is_no_number_is_told_in_the_words_of_the_real_server(call: Send) -> None:
    answer = await call("GET", "/api/pipeline_runs", _limit="x")
    assert told(answer)["exception"] == "invalid literal for int() with base 10: 'x'"


@pytest.mark.parametrize(
    "path",
    [
        "/api/pipelines/..%2F..%2Fetc",
        "/api/pipelines/%2e%2e",
        "/api/pipelines/target/blocks/..%2Fx",
        "/api/..%2F..%2Fetc%2Fpasswd",
    ],
)
async def test_path_that_climbs_is_refused_in_plain_text(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "Error: Invalid path (path traversal detected)"


async def test_methods_that_a_path_lacks_get_405_and_no_body(client: httpx2.AsyncClient) -> None:
    for method, path in (
        ("POST", "/api/pipelines/target"),
        ("PATCH", "/api/pipelines/target"),
        ("PATCH", "/api/pipelines"),
        ("PUT", "/api/pipelines"),
        ("GET", "/api/pipeline_schedules/1/api_trigger"),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.content) == (405, b"")
        assert "OPTIONS" in answer.headers["allow"]


async def test_options_tells_the_methods_and_opens_nothing_to_other_origins(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.options("/api/pipelines/target")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, PUT, DELETE, OPTIONS"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/elves", "/api/elves/1/rings", "/api/pipelines/a/b/c/d"])
async def test_unknown_resource_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.json() == {
        "error": {"code": 404, "message": "Record not found.", "type": "record_not_found"},
        "status": 200,
    }


async def test_declared_error_becomes_the_http_status_where_asked(call: Send) -> None:
    plain = await call("GET", "/api/pipeline_schedules/99999")
    assert (plain.status_code, plain.json()["status"]) == (200, 200)
    asked = await call("GET", "/api/pipeline_schedules/99999", _http_error_codes="true")
    assert (asked.status_code, asked.json()["status"]) == (404, 404)
    undeclared = await call("GET", "/api/pipelines/nope", _http_error_codes="true")
    assert (undeclared.status_code, undeclared.json()["error"]["code"]) == (200, 404)


async def test_body_above_the_limit_is_refused(client: httpx2.AsyncClient, api_key: str) -> None:
    headers = {"Content-Length": str(10**9), "X-API-KEY": api_key}
    answer = await client.post("/api/pipelines", content=b"{}", headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "payload_too_large"


@pytest.mark.parametrize(
    ("fault", "status", "wait"),
    [
        (Fault("UNAVAILABLE", "The database is away.", None, 5), 503, "5"),
        (Fault("RATE_LIMITED", "Too many.", None, 60), 429, "60"),
        (Fault("CONFLICT", "Another body."), 409, None),
        (Fault("TIMEOUT", "Too slow."), 504, None),
    ],
)
def test_faults_that_mage_does_not_know_have_a_status_of_their_own(
    fault: Fault, status: int, wait: str | None
) -> None:
    answer: Answer = faults.answer(fault, Call("GET", ("pipelines",)))
    assert answer.status == status
    assert answer.headers.get("Retry-After") == wait
    assert json.loads(answer.content)["error"]["code"] == status


def test_fault_of_ours_shows_nothing_but_its_words() -> None:
    call = Call("PUT", ("pipelines", "target", "blocks", "one"))
    answer = faults.answer(Fault("INTERNAL", "Internal error. Report it with id 7."), call)
    body = json.loads(answer.content)
    assert (answer.status, body["error"]["code"], body["error"]["errors"]) == (200, 500, [])
    parts = {"resource": "pipelines", "pk": "target", "child": "blocks", "child_pk": "one"}
    assert body["url_parameters"] == parts
