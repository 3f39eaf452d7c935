"""Who may ask what over Lens's paths: credentials, scopes, user groups, and their policies."""

import asyncio
import base64
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import ValidationError
from starlette.applications import Starlette

from app.access import issuers
from app.access.actions import create_api_key, revoke_api_key
from app.access.identify import by_token
from app.access.tables import api_keys
from app.core.rules import SYSTEM
from app.semantic.actions.models import push_model
from app.settings import Access, get_settings
from rest_compat.lens.routes import dialect
from tests.app.semantic.conftest import lane, warehouse  # noqa: F401  (fixtures)
from tests.factories import rows
from tests.rest_compat.lens_questions import JWT_KEY, signed
from tests.semantic.guarded import guarded
from workers.semantic.lane import Lane

AUDIENCE = "isthmus"
COUNT = {"query": {"measures": ["customers.count"]}}
ROUTES = {(r.method, r.path): r for r in dialect(get_settings()).routes}
QUESTIONS = [(method, path.format(lens="default")) for method, path in ROUTES]
NO_DATA, NO_META = (
    {"error": "API scope is missing: data"},
    {"error": "API scope is missing: meta"},
)


@pytest.fixture(scope="module", autouse=True)
def jwt_key(issuer: "Issuer") -> Iterator[None]:
    """JWTs of the operator's key, and of an issuer, are let in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISTHMUS_JWT_KEY", JWT_KEY)
        patch.setenv("ISTHMUS_OIDC_ISSUER", issuer.url)
        patch.setenv("ISTHMUS_OIDC_AUDIENCE", AUDIENCE)
        yield


class Issuer:
    """An OIDC issuer on this machine."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"})]
        self.reads = self.asked = 0
        self.is_away = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                if outer.is_away:
                    self.send_error(503)
                    return
                body: Any = {"jwks_uri": f"{outer.url}/keys"}
                if self.path == "/keys":
                    outer.reads += 1
                    body = {"keys": [key.as_dict(private=False) for key in outer.keys]}
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, **more: Any) -> str:
        """A JWT of the newest key."""
        now = int(time.time())
        claims = {"sub": "ana", "iss": self.url, "aud": AUDIENCE, "exp": now + 600, **more}
        key = self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()


@pytest_asyncio.fixture(scope="module")
async def peer(jwt_key: None, app: Starlette, lane: Lane) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: F811
    await push_model(SYSTEM, 1, guarded())
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def tokens(app: Starlette) -> dict[str, str]:
    """Keys of members of the default project by their names."""
    found = {}
    for name in ("rita", "ana", "bob", "mallory"):
        user = (await rows.row(rows.users, username=name, email=None, password_hash="x"))["id"]
        await rows.member(1, user, "viewer")
        found[name] = (await rows.api_key(user)).token
    return found


async def ask(
    peer: httpx2.AsyncClient,
    token: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    method: str = "",
) -> httpx2.Response:
    """An answer, waited for."""
    headers = {"Authorization": token} if token else {}
    method = method or ("GET" if path.endswith("/meta") else "POST")
    asked: dict[str, Any] = {"json": body}
    if method == "GET":
        asked = {"params": {n: json.dumps(v) for n, v in (body or {}).items()}}
    while True:
        answer = await peer.request(method, path, headers=headers, **asked)
        if "Continue wait" not in answer.text:
            return answer


async def values(peer: httpx2.AsyncClient, token: str, **query: Any) -> list[list[Any]]:
    """The rows' values."""
    answer = await ask(peer, token, "/v2/load", {"query": query})
    assert answer.status_code == 200, answer.text
    return [list(row.values()) for row in answer.json()["data"]]


@pytest.mark.parametrize(("method", "path"), QUESTIONS)
async def test_the_first_group_that_fits_decides(
    method: str, path: str, peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    of_meta = path.endswith("/meta")
    allowed = {"rita": of_meta, "ana": True, "bob": True, "mallory": False}
    for name, may in allowed.items():
        answer = await ask(peer, tokens[name], path, COUNT, method)
        assert answer.status_code == (200 if may else 403), (name, answer.text)
        if not may:
            assert answer.json() == (NO_META if of_meta else NO_DATA)


@pytest.mark.parametrize(("method", "path"), QUESTIONS)
async def test_without_a_good_credential_nothing_is_told(
    method: str, path: str, peer: httpx2.AsyncClient
) -> None:
    gone = await create_api_key(SYSTEM, name="gone", user_id=1)
    await revoke_api_key(SYSTEM, gone[0])
    bad = {
        "": "Authorization header isn't set",
        "abc": "Invalid token",
        "Bearer isk_unknown": "Invalid token",
        gone[1]: "Invalid token",
        signed("bob", [], lasts_s=-600): "Invalid token",
        signed("bob", [], key="another key of the same length as it"): "Invalid token",
        signed("", []): "Invalid token",
        "installation-key": "Invalid token",
        "a.b.c": "Invalid token",
    }
    for token, words in bad.items():
        answer = await ask(peer, token, path, COUNT, method)
        assert (answer.status_code, answer.json()) == (403, {"error": words}), token


async def test_a_credential_may_stand_in_three_places(
    peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    key = tokens["bob"]
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": key},
        {"Authorization": f"Token {key}"},
        {"apikey": key},
    ):
        assert (await peer.get("/v2/meta", headers=headers)).status_code == 200, headers
        query = {"query": "{ table { customers { count } } }"}
        graph = await peer.post("/v2/graphql", json=query, headers=headers)
        if not headers.get("Authorization", "").startswith("Token"):
            assert graph.json()["data"] == {"table": [{"customers": {"count": 6.0}}]}, headers


async def test_who_belongs_to_no_project_or_may_not_ask_is_refused(
    peer: httpx2.AsyncClient,
) -> None:
    stranger = (await rows.api_key(await rows.user("stranger"))).token
    sourcer = await rows.user("sourcer")
    await rows.member(1, sourcer, "sourcer")
    for token in (stranger, (await rows.api_key(sourcer)).token):
        answer = await ask(peer, token, "/v2/load", COUNT)
        assert answer.status_code == 403 and answer.json()["error"]


async def test_a_project_without_a_model_says_so(peer: httpx2.AsyncClient) -> None:
    user = await rows.user("newcomer")
    await rows.member(await rows.project(), user, "viewer")
    answer = await ask(peer, (await rows.api_key(user)).token, "/v2/load", COUNT)
    assert answer.status_code == 404 and "no semantic model yet" in answer.json()["error"]


async def test_the_lens_in_the_path_names_the_project(
    peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    for lens in ("default", "public:default"):
        answer = await ask(peer, tokens["bob"], f"/lens2/api/{lens}/v2/meta")
        assert answer.json()["name"] == "default"
        query = {"query": "{ table { customers { count } } }"}
        answer = await ask(peer, tokens["bob"], f"/lens2/api/{lens}/v2/graphql", query)
        assert answer.json()["data"] == {"table": [{"customers": {"count": 6.0}}]}
    answer = await ask(peer, tokens["bob"], "/lens2/api/nowhere/v2/meta")
    assert (answer.status_code, answer.json()) == (404, {"error": "There is no such project."})


async def test_paths_and_methods_that_are_not_there(
    peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    headers = {"Authorization": tokens["bob"]}
    assert (await peer.get("/v2/zzz", headers=headers)).status_code == 404
    assert (await peer.put("/v2/load", headers=headers)).status_code == 405
    assert (await peer.post("/v2/load", content=b"{nope", headers=headers)).status_code == 400
    assert (await peer.post("/v2/load", content=b"", headers=headers)).json() == {
        "error": "Query param is required"
    }


async def test_masks_and_row_filters_of_groups(
    peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    ana, bob = tokens["ana"], tokens["bob"]
    count, by_city = {"measures": ["customers.count"]}, {"dimensions": ["customers.city"]}
    assert await values(peer, bob, **count) == [["6"]]
    assert await values(peer, ana, **count) == [["2"]]
    orders = {"measures": ["orders.count"]}
    assert await values(peer, ana, **orders) == [["10"]]
    assert await values(peer, ana, **orders, **by_city) == [["Lyon", "3"]]
    names = {"dimensions": ["customers.name"]}
    masked = [value for (value,) in await values(peer, ana, **names)]
    assert len(masked) == 2 and all(len(value) == 32 for value in masked)
    alma = {"member": "customers.name", "operator": "equals", "values": ["Alma Reyes"]}
    assert await values(peer, ana, **names, filters=[alma]) == []
    assert len(await values(peer, bob, **names)) == 6
    assert len(await values(peer, bob, **names, filters=[alma])) == 1


async def test_policies_hold_for_graphql_too(
    peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    query = {"query": "{ table { customers { count } } }"}
    for name, words in (("rita", "graphql"), ("ana", "graphql"), ("mallory", "graphql")):
        answer = await ask(peer, tokens[name], "/v2/graphql", query)
        assert answer.json()["errors"][0]["message"] == f"API scope is missing: {words}", name
    answer = await ask(peer, tokens["bob"], "/v2/graphql", query)
    assert answer.json()["data"]["table"] == [{"customers": {"count": 6.0}}]
    static = {"query": '{ semanticQuery(query: {measures: ["customers.count"]}) { isWaiting } }'}
    answer = await ask(peer, tokens["ana"], "/v2/graphql", static)
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_key_that_is_bound_to_groups_is_a_member_of_just_these(
    peer: httpx2.AsyncClient,
) -> None:
    """Whoever it belongs to: here an owner of the installation."""
    _, key = await create_api_key(
        SYSTEM, name="bi", user_id=1, scopes=["semantic.read"], groups=["analyst"]
    )
    assert await values(peer, key, measures=["customers.count"]) == [["2"]]
    # The whole of GraphQL is closed to it, and so is everything but the model.
    answer = await ask(peer, key, "/v2/graphql", {"query": "{ me { username } }"})
    assert answer.status_code == 403 and "graphql" in answer.json()["errors"][0]["message"]
    listed = await peer.get("/api/pipelines", params={"api_key": key})
    assert listed.json()["pipelines"] == [] if "pipelines" in listed.json() else True
    _, reader = await create_api_key(SYSTEM, name="meta", user_id=1, groups=["reader"])
    assert (await ask(peer, reader, "/v2/load", COUNT)).json() == NO_DATA


async def test_a_key_that_is_bound_to_groups_and_says_no_scopes_asks_the_model_and_nothing_else(
    peer: httpx2.AsyncClient,
) -> None:
    number, key = await create_api_key(SYSTEM, name="few", user_id=1, groups=["default"])
    assert await values(peer, key, measures=["customers.count"]) == [["6"]]
    # One that was made before its scopes were written down means the same.
    for scopes in (["semantic.read"], []):
        await rows.change(api_keys, number, scopes=scopes)
        assert await values(peer, key, measures=["customers.count"]) == [["6"]]
        subject = await by_token(key)
        assert subject.is_limited and not subject.is_owner
        assert set(subject.grants.values()) == {frozenset({"semantic.read"})}
        query = 'mutation { pipelineCreate(input: {name: "x"}) { errors { message } } }'
        answer = await ask(peer, key, "/v2/graphql", {"query": query})
        assert "NOT_FOUND" in answer.text, answer.text
        query = "{ pipelines { nodes { id } } projects { nodes { id } } }"
        answer = await ask(peer, key, "/v2/graphql", {"query": query})
        assert answer.json()["data"]["pipelines"] == {"nodes": []}, answer.text
    _, more = await create_api_key(
        SYSTEM,
        name="more",
        user_id=1,
        groups=["default"],
        scopes=["semantic.read", "pipeline.read"],
    )
    assert (await by_token(more)).may("pipeline.read", 1)


async def test_only_an_owner_gives_groups_to_a_key(peer: httpx2.AsyncClient) -> None:
    user = await rows.user("member")
    await rows.member(1, user, "admin")
    session = await rows.session(user)
    query = 'mutation { apiKeyCreate(input: {name: "x", groups: ["default"]}) { token } }'
    headers = {"Authorization": f"Bearer {session.token}"}
    answer = await peer.post("/v2/graphql", json={"query": query}, headers=headers)
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_jwt_of_the_operator_names_user_and_groups(peer: httpx2.AsyncClient) -> None:
    assert await values(peer, signed("ana", []), measures=["customers.count"]) == [["2"]]
    assert await values(peer, signed("bob", []), measures=["customers.count"]) == [["6"]]
    grouped = signed("somebody", ["analyst"])
    assert await values(peer, grouped, measures=["customers.count"]) == [["2"]]
    assert (await ask(peer, signed("mallory", []), "/v2/load", COUNT)).json() == NO_DATA


async def test_a_jwt_opens_the_model_and_nothing_else(peer: httpx2.AsyncClient) -> None:
    token = signed("bob", [])
    listed = {"query": "{ pipelines { nodes { id } } users { nodes { id } } me { id } }"}
    answer = (await ask(peer, token, "/v2/graphql", listed)).json()
    assert answer["data"] == {"pipelines": {"nodes": []}, "users": {"nodes": []}, "me": None}
    files_of = {"query": "{ semanticModel { files } semanticQueries { nodes { sql } } }"}
    answer = (await ask(peer, token, "/v2/graphql", files_of)).json()
    assert answer["data"] == {"semanticModel": None, "semanticQueries": {"nodes": []}}
    made = {"query": 'mutation { pipelineCreate(input: {name: "x"}) { errors { code } } }'}
    answer = (await ask(peer, token, "/v2/graphql", made)).json()
    assert answer["errors"][0]["extensions"]["code"] in ("NOT_FOUND", "FORBIDDEN")


def encoded(part: bytes) -> str:
    """A part of a JWT."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def signed_of(key: OctKey, claims: Mapping[str, Any]) -> str:
    """A JWT of these claims."""
    return jwt.encode({"alg": "HS256"}, dict(claims), key)


async def test_a_jwt_that_is_not_what_it_seems_is_refused(
    peer: httpx2.AsyncClient, issuer: Issuer
) -> None:
    claims = {"sub": "bob", "groups": [], "exp": int(time.time()) + 600}
    key = OctKey.import_key(JWT_KEY)
    public = issuer.keys[0].as_pem(private=False)
    body = encoded(json.dumps(claims).encode())
    header = encoded(b'{"alg":"none"}')
    nested = b'{"alg":"HS256","x":' + b"[" * 990 + b"]" * 990 + b"}"
    confused = f"{encoded(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{body}"
    bad = {
        "no end": jwt.encode({"alg": "HS256"}, {**claims, "exp": None}, key),
        "no signature": f"{header}.{body}.",
        "the issuer's public key as a secret": f"{confused}.{encoded(hmac.digest(public, confused.encode(), 'sha256'))}",
        "groups that are no list": jwt.encode({"alg": "HS256"}, {**claims, "groups": "a"}, key),
        "another project": jwt.encode({"alg": "HS256"}, {**claims, "project": "nowhere"}, key),
        "a project that no table can hold": signed_of(key, {**claims, "project": "\0"}),
        "a head that is nested too deeply": f"{encoded(nested)}.{body}.x",
        "another audience": issuer.token(aud="somebody else"),
        "another issuer": issuer.token(iss="https://elsewhere.example"),
        "an end that has passed": issuer.token(exp=int(time.time()) - 600),
    }
    for why, token in bad.items():
        answer = await ask(peer, token, "/v2/load", COUNT)
        assert (answer.status_code, answer.json()) == (403, {"error": "Invalid token"}), why


async def test_a_jwt_of_an_issuer_is_verified_by_its_keys(
    peer: httpx2.AsyncClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await values(peer, issuer.token(), measures=["customers.count"]) == [["2"]]
    reads = issuer.reads
    assert await values(peer, issuer.token(sub="bob"), measures=["customers.count"]) == [["6"]]
    assert issuer.reads == reads, "its keys are kept"
    # A key that it has begun to use is found when the last look is old enough.
    issuer.keys.append(RSAKey.generate_key(2048, {"kid": f"key {len(issuer.keys)}"}))
    monkeypatch.setattr(issuers, "ASK_AGAIN_S", 0)
    assert await values(peer, issuer.token(), measures=["customers.count"]) == [["2"]]
    await asyncio.gather(*(ask(peer, issuer.token(), "/v2/load", COUNT) for _ in range(3)))
    assert issuer.reads == reads + 1


async def test_an_issuer_that_is_away_is_not_asked_by_every_caller(
    peer: httpx2.AsyncClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ask(peer, issuer.token(), "/v2/load", COUNT)).status_code == 200
    monkeypatch.setattr(issuers, "KEYS_LAST_S", -1.0)
    monkeypatch.setattr(issuers._issuer, "_asked", float("-inf"))
    monkeypatch.setattr(issuer, "is_away", True)
    asked = issuer.asked
    for _ in range(3):
        assert (await ask(peer, issuer.token(), "/v2/load", COUNT)).status_code == 200
    assert issuer.asked == asked + 1


NONSENSE: list[Any] = [
    *({}, [], 5, "x", None, True),
    *({"query": one} for one in ({}, [], 5, "", "x", "[", None, True, [[]], [5], {"measures": 5})),
    *({"query": {"measures": [one]}} for one in (5, None, "", "a", "a.b.c", "ä.b", [], "x" * 5000)),
    {"query": {"measures": ["orders.count"], "limit": -1}},
    {"query": {"measures": ["orders.count"], "limit": 10**30}},
    {"query": {"measures": ["orders.count"], "timezone": "../../etc"}},
    {"query": {"measures": ["orders.count"], "filters": [{"member": "orders.id"}]}},
    {"query": {"dimensions": ["orders.id"], "order": 5}, "queryType": 5},
    {"query": [{"measures": ["orders.count"]}] * 50, "queryType": "multi"},
    {
        "query": {
            "measures": ["orders.count"],
            "filters": [
                {"or": [{"member": "orders.id", "operator": "equals", "values": ["1"]}] * 2000}
            ],
        }
    },
    {"query": {"timeDimensions": [{"dimension": "orders.placed_at", "dateRange": "never"}]}},
]


@pytest.mark.parametrize("path", ["/v2/load", "/v2/sql", "/v2/dry-run"])
async def test_nonsense_is_refused_in_words(
    path: str, peer: httpx2.AsyncClient, tokens: dict[str, str]
) -> None:
    for body in NONSENSE:
        answer = await ask(peer, tokens["bob"], path, body, "POST")
        assert answer.status_code == 400, (body, answer.text)
        assert answer.json()["error"] and "Traceback" not in answer.text


def test_an_issuer_without_an_audience_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other clients' tokens would be good here."""
    monkeypatch.delenv("ISTHMUS_OIDC_AUDIENCE")
    with pytest.raises(ValidationError, match="needs ISTHMUS_OIDC_AUDIENCE"):
        Access()  # type: ignore[call-arg]
