"""GraphQL over HTTP: negotiation, statuses, guards, cross-site rules, errors."""

import asyncio
import gzip
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.server import Toy, eventually, serving
from tests.graphql.protocol.toy import SECRET, SEEN

NEWER = "application/graphql-response+json"
JSON = "application/json"
PREFLIGHT = {"X-Requested-With": "test"}


def code(body: dict[str, Any]) -> str:
    """The code of the first error."""
    return str(body["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (NEWER, NEWER),
        (f"{NEWER}, {JSON}", NEWER),
        (f"{JSON}, {NEWER}", NEWER),
        (f"{NEWER};q=0.5, {JSON}", JSON),
        (f"{NEWER}, {JSON};q=0.9", NEWER),
        (f"text/html, {NEWER};q=0.9, */*;q=0.8", NEWER),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        ("text/html;q=x, */*", JSON),
    ],
)
async def test_media_type_of_the_answer_follows_accept(
    toy: Toy, accept: str | None, kind: str
) -> None:
    headers = {"accept": accept} if accept else {}
    request = toy.client.build_request("POST", toy.url, json={"query": "{ hello }"})
    request.headers.pop("accept")
    request.headers.update(headers)
    response = await toy.client.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"
    assert response.json()["data"] == {"hello": "hello world"}
    assert response.json()["extensions"]["requestId"] == response.headers["x-request-id"]
    assert response.headers["cache-control"] == "no-store"


async def test_accept_of_nothing_we_speak_is_406(toy: Toy) -> None:
    response = await toy.post({"query": "{ hello }"}, accept="image/png")
    assert (response.status_code, code(response.json())) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ helo }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "BAD_USER_INPUT"),
        ("query ($id: Int!) { numbers(values: [$id]) }", "BAD_USER_INPUT"),
    ],
)
@pytest.mark.parametrize(("accept", "status"), [(NEWER, 400), (JSON, 200)])
async def test_refused_document_has_no_data_and_400_only_in_the_newer_type(
    toy: Toy, query: str, expected: str, accept: str, status: int
) -> None:
    response = await toy.post({"query": query}, accept=accept)
    assert (response.status_code, code(response.json())) == (status, expected)
    assert "data" not in response.json()


@pytest.mark.parametrize("accept", [NEWER, JSON])
async def test_field_errors_after_execution_began_are_200(toy: Toy, accept: str) -> None:
    response = await toy.post({"query": "{ hello missing }"}, accept=accept)
    assert response.status_code == 200
    assert response.json()["data"] == {"hello": "hello world", "missing": None}
    assert response.json()["errors"] == [
        {
            "message": "There is no such thing.",
            "locations": [{"line": 1, "column": 9}],
            "path": ["missing"],
            "extensions": {"code": "NOT_FOUND", "inputPath": ["input", "id"]},
        }
    ]


async def test_unknown_operation_name_is_refused(toy: Toy) -> None:
    body = {"query": "query A { hello }", "operationName": "B"}
    response = await toy.post(body, accept=NEWER)
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")


async def test_operation_name_chooses_among_several(toy: Toy) -> None:
    body = {"query": "query A { hello } query B { bug }", "operationName": "A"}
    assert (await toy.post(body)).json()["data"] == {"hello": "hello world"}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_405_with_allow(toy: Toy, method: str) -> None:
    response = await toy.client.request(method, toy.url)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert code(response.json()) == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=latin-1",
        "application/jsonp",
    ],
)
async def test_other_content_types_are_415_and_run_nothing(toy: Toy, kind: str | None) -> None:
    before = SEEN.mutations
    response = await toy.client.post(
        toy.url,
        content=b'{"query": "mutation { count }"}',
        headers={"content-type": kind} if kind else {},
    )
    assert (response.status_code, code(response.json())) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert SEEN.mutations == before


async def test_compressed_body_is_415(toy: Toy) -> None:
    body = gzip.compress(b'{"query": "{ hello }"}')
    response = await toy.client.post(
        toy.url, content=body, headers={"content-type": JSON, "content-encoding": "gzip"}
    )
    assert response.status_code == 415
    # The same bytes without the header are just no JSON.
    response = await toy.client.post(toy.url, content=body, headers={"content-type": JSON})
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")


async def test_body_over_the_limit_is_413_with_and_without_a_length(toy: Toy) -> None:
    body = json.dumps({"query": "{ hello }", "variables": {"x": "a" * 1024 * 1024}}).encode()

    async def chunks() -> Any:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for content in (body, chunks()):
        response = await toy.client.post(toy.url, content=content, headers={"content-type": JSON})
        assert (response.status_code, code(response.json())) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"true",
        b"7",
        b'"{ hello }"',
        b"[]",
        b'[{"query": "{ hello }"}]',
        b"{}",
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": 1}',
        b'{"query": ["{ hello }"]}',
        b'{"query": "{ hello }", "variables": []}',
        b'{"query": "{ hello }", "variables": "{}"}',
        b'{"query": "{ hello }", "operationName": 5}',
        b'{"query": "{ hello }", "extensions": "x"}',
        b'{"query": "{ hello }", "extensions": {"persistedQuery": 3}}',
        b'{"query": "{ hello }"',
        b'{"query": "\xff\xfe"}',
        b'{"query": "\\ud800"}',
        b'{"query": NaN}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"query": "{ hello }", "variables": {"a": "\\u0000"}}',
        b'{"query": "{ hello }", "variables": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}",
    ],
)
@pytest.mark.parametrize("accept", [NEWER, JSON])
async def test_malformed_body_is_400_with_a_code(toy: Toy, body: bytes, accept: str) -> None:
    headers = {"content-type": JSON, "accept": accept}
    response = await toy.client.post(toy.url, content=body, headers=headers)
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")
    assert "data" not in response.json()


async def test_null_parameters_count_as_absent(toy: Toy) -> None:
    body = {"query": "{ hello }", "variables": None, "operationName": None, "extensions": None}
    assert (await toy.post(body)).json()["data"] == {"hello": "hello world"}


async def test_batches_are_bounded_where_they_are_on() -> None:
    async with serving(GraphQLSettings(max_batch=2)) as toy:
        one = {"query": "{ hello }"}
        response = await toy.post([one, {"query": "{"}])
        assert response.status_code == 200
        first, second = response.json()
        assert first["data"] == {"hello": "hello world"}
        assert code(second) == "GRAPHQL_PARSE_FAILED"
        assert (await toy.post([one] * 3)).status_code == 400
        assert (await toy.post([])).status_code == 400


async def get(toy: Toy, parameters: dict[str, str], **headers: str) -> Any:
    """A GET with these parameters and headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await toy.client.get(f"{toy.url}?{urlencode(parameters)}", headers=named)


@pytest.mark.parametrize(
    "proof",
    [
        {"x_requested_with": "XMLHttpRequest"},
        {"apollo_require_preflight": "true"},
        {"x_apollo_operation_name": "A"},
        {"content_type": "application/json"},
        {"sec_fetch_site": "same-origin"},
    ],
)
async def test_query_by_get_runs_with_a_sign_that_no_foreign_page_sent_it(
    toy: Toy, proof: dict[str, str]
) -> None:
    parameters = {"query": "query ($n: String!) { hello(name: $n) }", "variables": '{"n": "ada"}'}
    response = await get(toy, parameters, **proof)
    assert response.json()["data"] == {"hello": "hello ada"}


@pytest.mark.parametrize("headers", [{}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}])
async def test_query_by_get_that_any_page_could_send_is_refused(
    toy: Toy, headers: dict[str, str]
) -> None:
    response = await get(toy, {"query": "{ hello }"}, **headers)
    assert (response.status_code, code(response.json())) == (403, "FORBIDDEN")


async def test_mutation_by_get_is_405_and_does_not_run(toy: Toy) -> None:
    before = SEEN.mutations
    for headers in ({}, {"x_requested_with": "x"}):
        response = await get(toy, {"query": "mutation { count }"}, **headers)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert SEEN.mutations == before


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"query": ""},
        {"query": "{ hello }", "variables": "[]"},
        {"query": "{ hello }", "variables": "{"},
        {"query": "{ hello }", "extensions": "1"},
    ],
)
async def test_malformed_get_is_400(toy: Toy, parameters: dict[str, str]) -> None:
    response = await get(toy, parameters, x_requested_with="x")
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")


async def test_browser_gets_the_playground_only_where_it_is_on(toy: Toy) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = await get(toy, {}, accept=browser)
    assert response.headers["content-type"].startswith("text/html")
    async with serving(GraphQLSettings()) as closed:
        response = await get(closed, {}, accept=browser)
        assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8000"}, 200),
        ({"origin": "OWN"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://localhost:8000", "sec_fetch_site": "cross-site"}, 200),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:8000.evil.test"}, 403),
        ({"origin": "http://localhost:8001"}, 403),
        ({"origin": "https://localhost:8000"}, 403),
        ({"origin": "http://evil.test", "sec_fetch_site": "same-origin"}, 403),
    ],
)
async def test_cookie_counts_only_from_our_own_pages(
    toy: Toy, headers: dict[str, str], status: int
) -> None:
    if headers.get("origin") == "OWN":
        headers = {"origin": f"http://127.0.0.1:{toy.port}"}
    before = SEEN.mutations
    response = await toy.post({"query": "mutation { count }"}, cookie="session=ada", **headers)
    assert response.status_code == status
    assert SEEN.mutations == before + (status == 200)


async def test_token_in_a_header_needs_no_origin(toy: Toy) -> None:
    body = await toy.query("{ who }", authorization="Bearer ada", origin="http://evil.test")
    assert body["data"] == {"who": "ada"}


@pytest.mark.parametrize(
    ("token", "newer", "older", "expected"),
    [
        ("wrong", 401, 200, "UNAUTHENTICATED"),
        ("limited", 429, 429, "RATE_LIMITED"),
        ("away", 503, 503, "UNAVAILABLE"),
        ("bug", 500, 500, "INTERNAL"),
    ],
)
async def test_refusal_of_the_caller_has_its_status(
    toy: Toy, token: str, newer: int, older: int, expected: str
) -> None:
    for accept, status in ((NEWER, newer), (JSON, older)):
        response = await toy.post(
            {"query": "{ hello }"}, accept=accept, authorization=f"Bearer {token}"
        )
        assert (response.status_code, code(response.json())) == (status, expected)
        assert "data" not in response.json()
        assert ("retry-after" in response.headers) == (status in (429, 503))
        assert ("www-authenticate" in response.headers) == (status == 401)
        assert SECRET not in response.text


@pytest.mark.parametrize("field", ["bug", "nullBug", "badNumber", "person { broken }"])
async def test_unexpected_failure_is_masked_and_logged_once_without_the_document(
    toy: Toy, field: str
) -> None:
    with capture_logs() as logs:
        response = await toy.post({"query": f"{{ {field} }} # a remark"})
    error = response.json()["errors"][0]
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["requestId"] == response.json()["extensions"]["requestId"]
    assert SECRET not in response.text
    assert [entry["event"] for entry in logs] == ["graphql.failed"]
    assert logs[0]["request_id"] == error["extensions"]["requestId"]
    assert "a remark" not in str(logs)


async def test_same_failure_in_each_row_is_logged_once(toy: Toy) -> None:
    with capture_logs() as logs:
        body = await toy.query("{ people(first: 50) { friends(first: 1) { nodes { broken } } } }")
    assert code(body) == "INTERNAL"
    assert len(logs) == 1


async def test_refused_document_is_one_log_line_without_an_excerpt(toy: Toy) -> None:
    with capture_logs() as logs:
        await toy.query('{ helo(name: "canary") }')
    assert [entry["event"] for entry in logs] == ["graphql.refused"]
    assert "canary" not in str(logs)


async def test_nothing_is_printed_for_a_failure(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs():
        await toy.query("{ bug nullBug missing helo }")
        await toy.query("{ bug missing }")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("field", "status", "wait"),
    [("limited", 429, "42"), ("away", 503, "5"), ("refusedConnection", 503, "5")],
)
@pytest.mark.parametrize("accept", [NEWER, JSON])
async def test_whole_failure_for_lack_of_budget_or_database_is_429_or_503(
    toy: Toy, field: str, status: int, wait: str, accept: str
) -> None:
    response = await toy.post({"query": f"{{ {field} }}"}, accept=accept)
    assert (response.status_code, response.headers["retry-after"]) == (status, wait)
    partly = await toy.post({"query": f"{{ hello {field} }}"}, accept=accept)
    assert (partly.status_code, partly.headers["retry-after"]) == (200, wait)
    assert partly.json()["data"]["hello"] == "hello world"


async def test_conflict_keeps_its_own_extensions(toy: Toy) -> None:
    body = await toy.query("{ conflict }")
    assert body["errors"][0]["extensions"] == {"code": "CONFLICT", "version": 7}


async def test_slow_operation_is_cancelled_and_told() -> None:
    async with serving(GraphQLSettings(timeout_s=0.2)) as toy:
        before = SEEN.cancelled
        response = await toy.post({"query": "{ hello slow }"})
        assert (response.status_code, code(response.json())) == (200, "TIMEOUT")
        assert response.json()["data"] is None
        await eventually(lambda: SEEN.cancelled == before + 1)


async def test_suggestions_appear_only_in_debug_mode(toy: Toy) -> None:
    probes = ["{ helo }", "{ person { frends } }", "{ colour(value: REDD) }", "{ ...F } fragment F on Persn { name }",
              "{ hello(nam: 1) }"]  # fmt: skip
    for text in probes:
        assert "Did you mean" not in str(await toy.query(text))
    variables = {"query": "query ($v: Colour!) { colour(value: $v) }", "variables": {"v": "REDD"}}
    assert "Did you mean" not in (await toy.post(variables)).text
    wish = "query ($w: Wish!) { wished(wish: $w) }"
    assert "Did you mean" not in str(await toy.query(wish, {"w": {"nam": "x"}}))
    async with serving(GraphQLSettings(debug=True)) as debug:
        assert "Did you mean" in str(await debug.query("{ helo }"))


INTROSPECTION = ["{ __schema { queryType { name } } }", '{ __type(name: "Person") { name } }',
                 "{ ...F } fragment F on Query { a: __schema { description } }"]  # fmt: skip


@pytest.mark.parametrize("text", INTROSPECTION)
async def test_introspection_follows_its_policy(toy: Toy, text: str) -> None:
    assert "data" in await toy.query(text)
    async with serving(GraphQLSettings(introspection="authenticated")) as closed:
        response = await closed.post({"query": text}, accept=NEWER)
        assert (response.status_code, code(response.json())) == (401, "UNAUTHENTICATED")
        assert "data" in await closed.query(text, authorization="Bearer ada")
        assert (await closed.query("{ __typename }"))["data"] == {"__typename": "Query"}
    async with serving(GraphQLSettings(introspection="off")) as off:
        response = await off.post({"query": text}, accept=NEWER, authorization="Bearer ada")
        assert (response.status_code, code(response.json())) == (403, "FORBIDDEN")


async def test_request_id_of_the_caller_is_kept_if_it_is_harmless(toy: Toy) -> None:
    response = await toy.post({"query": "{ hello }"}, x_request_id="abc-123")
    assert response.headers["x-request-id"] == "abc-123"
    response = await toy.post({"query": "{ hello }"}, x_request_id="a b<script>")
    assert response.headers["x-request-id"] != "a b<script>"


async def test_requests_run_side_by_side(toy: Toy) -> None:
    slow = asyncio.create_task(toy.query("{ slow(seconds: 1) }"))
    assert (await toy.query("{ hello }"))["data"] == {"hello": "hello world"}
    assert not slow.done()
    assert (await slow)["data"] == {"slow": "done"}
