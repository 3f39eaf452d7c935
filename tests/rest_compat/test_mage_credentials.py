"""Mage's two credentials in every documented place, on every method."""

import base64
import itertools
import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.conftest import ADMIN_PASSWORD

REQUESTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/api/pipelines", None),
    ("POST", "/api/pipelines/kept/blocks", {"block": {"name": "again", "type": "custom"}}),
    ("PUT", "/api/pipelines/kept", {"pipeline": {"description": "changed"}}),
    ("DELETE", "/api/pipelines/kept/blocks/again", None),
]
KEY_PLACES = ("query", "body", "header")
TOKEN_PLACES = ("OAUTH-TOKEN", "Authorization", "cookie")
FORMS = ("raw", "decoded")


@dataclass(frozen=True)
class Tokens:
    """A session's token in its two forms."""

    raw: str
    decoded: str


async def sign_in(client: httpx2.AsyncClient, api_key: str) -> Tokens:
    """A new session of the first owner."""
    session = {"username": "admin", "password": ADMIN_PASSWORD}
    answer = await client.post("/api/sessions", json={"api_key": api_key, "session": session})
    raw = answer.json()["session"]["token"]
    claims = json.loads(base64.urlsafe_b64decode(raw.split(".")[1] + "=="))
    return Tokens(raw, claims["token"])


@pytest.fixture(scope="module")
async def tokens(client: httpx2.AsyncClient, api_key: str) -> Tokens:
    """A session, and a pipeline to work on."""
    made = await sign_in(client, api_key)
    headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": made.decoded}
    await client.post("/api/pipelines", json={"pipeline": {"name": "kept"}}, headers=headers)
    return made


async def request(
    client: httpx2.AsyncClient,
    method: str,
    path: str,
    body: Any,
    *,
    key: tuple[str, str] | None = None,
    token: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    """A request with the key and the token at the named places."""
    sent = dict(headers or {})
    query = {}
    if key is not None:
        place, value = key
        if place == "query":
            query["api_key"] = value
        elif place == "header":
            sent["X-API-KEY"] = value
        else:
            body = {**(body or {}), "api_key": value}
    if token is not None:
        place, value = token
        written = {"cookie": f"oauth_token={value}", "Authorization": f"Bearer {value}"}
        sent["Cookie" if place == "cookie" else place] = written.get(place, value)
    return await client.request(method, path, json=body, params=query, headers=sent)


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=lambda v: str(v)[:6])
async def test_key_and_token_count_wherever_they_are_documented(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens, method: str, path: str, body: Any
) -> None:
    for key, token, form in itertools.product(KEY_PLACES, TOKEN_PLACES, FORMS):
        value = getattr(tokens, form)
        answer = await request(client, method, path, body, key=(key, api_key), token=(token, value))
        assert answer.status_code == 200, (key, token, form)
        error = answer.json().get("error", {})
        # The second time the block is there already, or gone: past the gate in any case.
        assert error.get("code") in (None, 400), (key, token, form, answer.text)


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=lambda v: str(v)[:6])
async def test_key_is_checked_first_and_a_token_alone_is_not_enough(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens, method: str, path: str, body: Any
) -> None:
    good = ("OAUTH-TOKEN", tokens.decoded)
    for key in (None, ("query", "wrong"), ("body", "wrong"), ("header", "wrong")):
        answer = await request(client, method, path, body, key=key, token=good)
        assert answer.status_code == 401
        assert answer.json() == {
            "error": {"code": 401, "message": "Invalid API key.", "type": "invalid_api_key"},
            "status": 200,
        }
    for place in TOKEN_PLACES:
        for value in ("nonsense", "a.b.c", forged(tokens.raw), "x" * 5000):
            answer = await request(
                client, method, path, body, key=("header", api_key), token=(place, value)
            )
            assert answer.status_code == 401
            assert answer.json()["error"]["type"] == "invalid_oauth_token"


def forged(raw: str) -> str:
    """The same claims, not signed by us."""
    return ".".join([*raw.split(".")[:2], "A" * 43])


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "/api/pipelines", "list"),
        ("GET", "/api/pipelines/kept", "detail"),
        ("GET", "/api/pipelines/kept/blocks", "list"),
        ("POST", "/api/pipelines", "create"),
        ("PUT", "/api/pipelines/kept", "update"),
        ("DELETE", "/api/pipelines/kept", "delete"),
        ("PUT", "/api/sessions/1", "update"),
        ("GET", "/api/users", "list"),
    ],
)
async def test_key_without_a_token_is_told_which_action_is_private(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens, method: str, path: str, action: str
) -> None:
    answer = await request(client, method, path, {}, key=("query", api_key))
    assert answer.status_code == 200
    assert answer.json()["error"] == {
        "code": 403,
        "message": f"Private access for {action} only, invalid scope.",
        "type": "unauthorized_access",
    }


async def test_header_goes_before_the_cookie(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens
) -> None:
    headers = {"X-API-KEY": api_key, "Cookie": f"oauth_token={tokens.raw}"}
    wrong = await client.get("/api/pipelines", headers={**headers, "OAUTH-TOKEN": "nonsense"})
    assert wrong.status_code == 401
    headers["Cookie"] = "oauth_token=nonsense"
    right = await client.get("/api/pipelines", headers={**headers, "OAUTH-TOKEN": tokens.raw})
    assert "pipelines" in right.json()


async def test_session_needs_the_key_and_minds_no_stale_token(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens
) -> None:
    session = {"session": {"username": "admin", "password": ADMIN_PASSWORD}}
    without = await client.post("/api/sessions", json=session)
    assert (without.status_code, without.json()["error"]["type"]) == (401, "invalid_api_key")
    headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": "stale"}
    assert "session" in (await client.post("/api/sessions", json=session, headers=headers)).json()


async def test_token_is_dead_after_logout_in_both_forms(
    client: httpx2.AsyncClient, api_key: str
) -> None:
    made = await sign_in(client, api_key)
    headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": made.decoded}
    ended = await client.put("/api/sessions/0", json={"session": {}}, headers=headers)
    assert ended.json()["session"]["user"]["username"] == "admin"
    for value in (made.raw, made.decoded):
        answer = await client.get("/api/pipelines", headers={**headers, "OAUTH-TOKEN": value})
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "expired_oauth_token"


async def test_cookie_from_a_foreign_page_changes_nothing(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens
) -> None:
    cookie = {"key": ("query", api_key), "token": ("cookie", tokens.raw)}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        for method, path, body in REQUESTS[1:]:
            answer = await request(client, method, path, body, headers=headers, **cookie)
            assert answer.status_code == 403
            assert answer.json()["error"]["type"] == "unauthorized_access"
        read = await request(client, *REQUESTS[0], headers=headers, **cookie)
        assert read.status_code == 200
        by_header = {**cookie, "token": ("OAUTH-TOKEN", tokens.raw)}
        free = await request(client, *REQUESTS[2], headers=headers, **by_header)
        assert "pipeline" in free.json()
    own = await request(client, *REQUESTS[2], headers={"Origin": "http://testserver"}, **cookie)
    assert "pipeline" in own.json()


async def test_cross_origin_reads_are_for_listed_origins_only(
    client: httpx2.AsyncClient, api_key: str, tokens: Tokens
) -> None:
    headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": tokens.raw}
    listed = {"Origin": "http://localhost:8000", **headers}
    answer = await client.get("/api/pipelines", headers=listed)
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8000"
    for path in ("/api/pipelines", "/api/status"):
        foreign = await client.get(path, headers={"Origin": "https://evil.example", **headers})
        assert "access-control-allow-origin" not in foreign.headers
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    preflight = await client.options("/api/pipelines/kept", headers=asked)
    assert "access-control-allow-origin" not in preflight.headers


async def test_fifth_wrong_password_makes_the_account_wait(
    client: httpx2.AsyncClient, api_key: str
) -> None:
    session = {"session": {"username": "somebody", "password": "wrong"}}
    headers = {"X-API-KEY": api_key}
    answers = [await client.post("/api/sessions", json=session, headers=headers) for _ in range(6)]
    told = [answer.json()["error"]["message"] for answer in answers[:5]]
    assert set(told) == {"Email/username and/or password invalid."}
    assert answers[5].status_code == 429
    assert int(answers[5].headers["Retry-After"]) > 0
    assert answers[5].json()["error"]["code"] == 429
