"""OLake's documented API row by row, as a program calls it: objects as settings, a bearer token."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.settings import get_settings
from tests.conftest import ADMIN_PASSWORD
from tests.factories import rows

Send = Callable[..., Awaitable[httpx2.Response]]
P = "/api/v1/project/olake"
POSTGRES = {"host": "db", "port": 5432, "database": "d", "username": "u", "password": "canary-pw"}
PARQUET = {"type": "PARQUET", "writer": {"local_path": "lake"}}
CATALOG = rows.CATALOG


@pytest.fixture(scope="module")
def send(client: httpx2.AsyncClient, owner_token: str) -> Send:
    """Call as the first owner."""

    async def call(method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        given = {"Authorization": f"Bearer {owner_token}", **headers}
        return await client.request(method, path, json=body, headers=given)

    return call


def good(answer: httpx2.Response) -> Any:
    """The data of a good answer."""
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert set(body) == {"success", "message", "data"} and body["success"] is True
    assert isinstance(body["message"], str)
    return body["data"]


def bad(answer: httpx2.Response, status: int, words: str) -> str:
    """The message of a bad answer."""
    body = answer.json()
    assert answer.status_code == status, answer.text
    assert set(body) == {"success", "message"} and body["success"] is False
    assert body["message"] == words or body["message"].startswith(f"{words}: "), body
    return str(body["message"])


def source(**values: Any) -> dict[str, Any]:
    """A new source."""
    made = {"name": rows.unique("src"), "type": "postgres", "version": "v0.9.4"}
    return {**made, "config": POSTGRES, **values}


def destination(**values: Any) -> dict[str, Any]:
    """A new destination."""
    made = {"name": rows.unique("dst"), "type": "parquet", "config": PARQUET}
    return {**made, "version": "v0.9.4", **values}


def job(**values: Any) -> dict[str, Any]:
    """A new job with new ends."""
    ends = {"source": source(), "destination": destination()}
    made = {"name": rows.unique("job"), **ends, "frequency": "2-hours", "streams_config": CATALOG}
    return {**made, **values}


async def made(send: Send, kind: str, body: dict[str, Any]) -> int:
    """The id of something new."""
    answer = await send("POST", f"{P}/{kind}", body)
    assert good(answer) == body
    number = answer.headers["x-resource-id"]
    assert answer.headers["location"] == f"{P}/{kind}/{number}"
    return int(number)


async def one(send: Send, kind: str, number: int) -> Any:
    """One thing as a list shows it; the single one says the same."""
    (found,) = [i for i in good(await send("GET", f"{P}/{kind}")) if i["id"] == number]
    assert good(await send("GET", f"{P}/{kind}/{number}")) == found
    return found


async def test_signing_in(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/login", json={"username": "admin", "password": ADMIN_PASSWORD})
    told = good(answer)
    assert told["username"] == "admin" and told["token_type"] == "bearer"
    assert 0 < told["expires_in"] <= 30 * 86400
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("olake-session=") and "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie and "Path=/" in cookie and "Secure" not in cookie
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    assert good(await client.get("/auth", headers=bearer)) == {"username": "admin"}
    assert good(await client.get("/auth/check", headers=bearer)) == {"username": "admin"}
    client.cookies.clear()


async def test_a_cookie_over_tls_is_secure(client: httpx2.AsyncClient) -> None:
    sent = {"username": "admin", "password": ADMIN_PASSWORD}
    answer = await client.post("/login", json=sent, headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["set-cookie"].endswith("; Secure")
    client.cookies.clear()


@pytest.mark.parametrize("name", ["admin", "nobody"])
async def test_wrong_credentials_look_alike(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.post("/login", json={"username": name, "password": "wrong"})
    assert bad(answer, 401, "Authentication required").endswith(": Invalid credentials")


async def test_missing_fields_are_named(client: httpx2.AsyncClient, send: Send) -> None:
    answer = await client.post("/login", json={"username": "admin"})
    assert "password" in bad(answer, 400, "Bad request")
    for name in ("name", "type", "version", "config"):
        sent = {n: v for n, v in source().items() if n != name}
        assert name in bad(await send("POST", f"{P}/sources", sent), 400, "Bad request")
    for name in ("email", "username", "password"):
        sent = {"email": "x@example.org", "username": "x", "password": "secret-of-x"}
        del sent[name]
        assert name in bad(await client.post("/signup", json=sent), 400, "Bad request")


async def test_signing_up(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, app: Any
) -> None:
    sent = {"email": "eve@example.org", "username": "eve", "password": "secret-of-eve"}
    with monkeypatch.context() as patch:
        patch.setattr(get_settings().access, "signup", "closed")
        bad(await client.post("/signup", json=sent), 403, "Insufficient permissions")
    answer = await client.post("/signup", json=sent)
    assert good(answer) == {"email": "eve@example.org", "username": "eve"}
    assert "set-cookie" not in answer.headers
    bad(await client.post("/signup", json={**sent, "email": "f@example.org"}), 409, "Conflict")
    bad(await client.post("/signup", json={**sent, "username": "fay"}), 409, "Conflict")
    bad(await client.post("/signup", json={**sent, "email": "no"}), 400, "Bad request")
    login = {"username": "eve", "password": "secret-of-eve"}
    token = good(await client.post("/login", json=login))["access_token"]
    client.cookies.clear()
    # She is an editor of the default project at once.
    headers = {"Authorization": f"Bearer {token}"}
    good(await client.post(f"{P}/sources", json=source(), headers=headers))


@pytest.mark.parametrize("kind", ["sources", "destinations"])
async def test_an_end_lives(send: Send, kind: str) -> None:
    new = source() if kind == "sources" else destination()
    number = await made(send, kind, new)
    found = await one(send, kind, number)
    assert (found["name"], found["type"], found["version"]) == (
        new["name"],
        new["type"],
        new["version"],
    )
    assert found["jobs"] == [] and found["created_by"] == "admin" == found["updated_by"]
    assert len(found["created_at"]) == len("2026-01-19T13:45:09Z")
    assert "canary-pw" not in str(found)
    changed = {**new, "name": rows.unique("renamed")}
    assert good(await send("PUT", f"{P}/{kind}/{number}", changed)) == changed
    again = await send("POST", f"{P}/{kind}", changed)
    assert "not unique" in bad(again, 409, "Conflict") or "in use" in again.text
    assert good(await send("DELETE", f"{P}/{kind}/{number}")) == {"name": changed["name"]}
    bad(await send("GET", f"{P}/{kind}/{number}"), 404, "Resource not found")
    bad(await send("DELETE", f"{P}/{kind}/{number}"), 404, "Resource not found")
    await made(send, kind, changed)


async def test_a_job_lives(send: Send) -> None:
    new = job()
    number = await made(send, "jobs", new)
    found = await one(send, "jobs", number)
    assert found["streams_config"] == CATALOG and found["frequency"] == "2-hours"
    assert found["activate"] is True and found["last_run_state"] == "" == found["last_run_time"]
    for end in ("source", "destination"):
        assert found[end]["name"] == new[end]["name"] and isinstance(found[end]["id"], int)
    shown = await one(send, "sources", found["source"]["id"])
    assert shown["jobs"] == [
        {
            "id": number,
            "name": new["name"],
            "activate": True,
            "last_run_time": "",
            "last_run_state": "",
            "dest_name": new["destination"]["name"],
            "destination_name": new["destination"]["name"],
            "destination_type": "parquet",
        }
    ]
    shown = await one(send, "destinations", found["destination"]["id"])
    (its,) = shown["jobs"]
    assert (its["source_name"], its["source_type"]) == (new["source"]["name"], "postgres")
    bad(await send("DELETE", f"{P}/sources/{found['source']['id']}"), 409, "Conflict")
    change = {**new, "name": rows.unique("renamed"), "activate": False}
    told = good(await send("PUT", f"{P}/jobs/{number}", change))
    assert told == change
    for active in (True, True, False):
        answer = await send("POST", f"{P}/jobs/{number}/activate", {"activate": active})
        assert good(answer) == {"activate": active}
    bad(await send("POST", f"{P}/jobs/{number}/activate", {}), 400, "Bad request")
    bad(await send("POST", f"{P}/jobs/{number}/activate", {"activate": "no"}), 400, "Bad request")
    paused = await send("POST", f"{P}/jobs/{number}/sync")
    assert bad(paused, 409, "Conflict") == "Conflict: job is paused, please unpause to run sync"
    assert good(await send("GET", f"{P}/jobs/{number}/tasks")) == []
    assert good(await send("DELETE", f"{P}/jobs/{number}")) == {"name": change["name"]}
    bad(await send("GET", f"{P}/jobs/{number}"), 404, "Resource not found")


async def test_a_job_finds_its_ends(send: Send) -> None:
    first = job()
    number = await made(send, "jobs", first)
    found = good(await send("GET", f"{P}/jobs/{number}"))
    by_id = {"source": {"id": found["source"]["id"]}, "destination": first["destination"]}
    other = good(await send("GET", f"{P}/jobs/{await made(send, 'jobs', {**job(), **by_id})}"))
    for end in ("source", "destination"):
        assert other[end]["id"] == found[end]["id"]
    clash = {**first["source"], "type": "mysql", "config": {**POSTGRES, "hosts": "db"}}
    bad(await send("POST", f"{P}/jobs", {**job(), "source": clash}), 409, "Conflict")
    gone = {**job(), "source": {"id": 2_000_000}}
    bad(await send("POST", f"{P}/jobs", gone), 404, "Resource not found")
    half = {**job(), "destination": {"name": "half"}}
    assert "destination.type" in bad(await send("POST", f"{P}/jobs", half), 400, "Bad request")
    # The source of the job that failed was not left behind.
    names = [s["name"] for s in good(await send("GET", f"{P}/sources"))]
    assert half["source"]["name"] not in names


async def test_filters_agree(send: Send) -> None:
    number = await made(send, "jobs", job())
    found = good(await send("GET", f"{P}/jobs/{number}"))
    source_id, dest_id = found["source"]["id"], found["destination"]["id"]
    for path in (
        f'jobs/source_id="{source_id}"',
        f"jobs/source_id=%22{source_id}%22",
        f"jobs/source_id={source_id}",
        f'jobs/dest_id="{dest_id}"',
        f"jobs?dest_id={dest_id}",
        f"jobs?destination_id={dest_id}&source_id={source_id}&active=true",
        f"jobs?name={found['name']}",
    ):
        assert [j["id"] for j in good(await send("GET", f"{P}/{path}"))] == [number], path
    for path in ('jobs/dest_id="x"', "jobs?source_id=2000000", "jobs?state=failed"):
        assert good(await send("GET", f"{P}/{path}")) == []
    bad(await send("GET", f"{P}/jobs?state=odd"), 400, "Bad request")


async def test_a_light_list_leaves_out_settings_and_catalogs(send: Send) -> None:
    number = await made(send, "jobs", job())
    (found,) = [j for j in good(await send("GET", f"{P}/jobs")) if j["id"] == number]
    heavy = {**found, "source": dict(found["source"]), "destination": dict(found["destination"])}
    for part, name in (
        (heavy, "streams_config"),
        *((heavy[e], "config") for e in ("source", "destination")),
    ):
        assert part.pop(name)
    light = good(await send("GET", f"{P}/jobs?view=light&name={found['name']}"))
    assert light == [heavy]


@pytest.mark.parametrize("path", ["sources/spec", "destinations/spec"])
async def test_spec_by_body_query_and_post(send: Send, path: str) -> None:
    type_ = "postgres" if path.startswith("sources") else "iceberg"
    sent = {"type": type_, "version": "v0.9.4"}
    told = good(await send("GET", f"{P}/{path}", sent))
    assert set(told) == {"type", "version", "spec"} and told["type"] == type_
    assert isinstance(told["spec"]["jsonschema"], dict)
    assert isinstance(told["spec"]["uischema"], str)
    assert good(await send("POST", f"{P}/{path}", sent)) == told
    assert good(await send("GET", f"{P}/{path}?type={type_}&version=v0.9.4")) == told
    # The body goes before the query, and a version that nobody has gives the newest.
    assert good(await send("GET", f"{P}/{path}?type=odd", {**sent, "version": "v9.9.9"})) == told
    assert "type" in bad(await send("GET", f"{P}/{path}"), 400, "Bad request")
    bad(await send("GET", f"{P}/{path}?type=odd"), 400, "Bad request")


async def test_spec_of_one_catalog(send: Send) -> None:
    told = good(await send("GET", f"{P}/destinations/spec", {"type": "iceberg", "catalog": "rest"}))
    assert told["catalog"] == "rest"
    writer = told["spec"]["jsonschema"]["properties"]["writer"]
    assert writer["properties"]["catalog_type"]["enum"] == ["rest"]
    odd = {"type": "iceberg", "catalog": "odd"}
    bad(await send("GET", f"{P}/destinations/spec", odd), 400, "Bad request")


@pytest.mark.parametrize(
    "path",
    ["sources/spec?type=" + t for t in ("mysql", "postgres", "oracle", "mongodb", "kafka", "s3")]
    + ["sources/spec?type=db2", "sources/spec?type=mssql"]
    + ["destinations/spec?type=parquet", "destinations/spec?type=iceberg"],
)
async def test_every_listed_type_has_spec_and_versions(send: Send, path: str) -> None:
    good(await send("GET", f"{P}/{path}"))
    (version, *_) = good(await send("GET", f"{P}/{path.replace('spec', 'versions')}"))["version"]
    assert version == "v0.9.4"


async def test_versions_need_a_type(send: Send) -> None:
    bad(await send("GET", f"{P}/sources/versions"), 400, "Bad request")


async def test_config_comes_as_it_was_written(send: Send, owner_token: str) -> None:
    text = '{"host":"db","database":"d","username":"u","password":"p-w-1"}'
    as_text = await made(send, "sources", source(config=text))
    as_object = await made(send, "sources", source())
    found = await one(send, "sources", as_text)
    assert isinstance(found["config"], str) and "p-w-1" not in found["config"]
    assert isinstance((await one(send, "sources", as_object))["config"], dict)
    sent = source(name=found["name"], config=POSTGRES)
    good(await send("PUT", f"{P}/sources/{as_text}", sent))
    assert isinstance((await one(send, "sources", as_text))["config"], dict)
    stock = {"Authorization": "Bearer authenticated", "Cookie": f"olake-session={owner_token}"}
    listed = good(await send("GET", f"{P}/sources", **stock))
    assert all(isinstance(item["config"], str) for item in listed)
    for odd in ("[1]", "{", "5", 5, [1]):
        answer = await send("POST", f"{P}/sources", source(config=odd))
        assert "config" in bad(answer, 400, "Bad request")
    answer = await send("POST", f"{P}/sources", source(config={"host": 5}))
    assert "config." in bad(answer, 400, "Bad request")


async def test_handles_of_secrets_come_back_in(send: Send) -> None:
    number = await made(send, "sources", source())
    handle = (await one(send, "sources", number))["config"]["password"]
    assert handle.startswith("secret:source:")
    await made(send, "sources", source(config={**POSTGRES, "password": handle}))
    forged = {**POSTGRES, "password": handle[:-3] + "abc"}
    bad(await send("POST", f"{P}/sources", source(config=forged)), 403, "Insufficient permissions")


async def test_tests_of_what_cannot_run_say_why(send: Send) -> None:
    config = {"host": "h", "port": 1, "database": "d", "username": "u", "password": "p"}
    sent = {"type": "db2", "version": "v0.9.4", "config": {**config, "ssl": {"mode": "disable"}}}
    told = good(await send("POST", f"{P}/sources/test", sent))
    assert {n: told[n] for n in sent} == sent and told["logs"] == []
    assert told["connection_result"]["status"] == "FAILED"
    assert told["connection_result"]["message"]
    answer = await send("GET", f"{P}/source/streams", sent)
    assert len(bad(answer, 500, "Internal server error")) > len("Internal server error: ")
    bad(await send("POST", f"{P}/sources/test", {"type": "db2"}), 400, "Bad request")


async def test_names_may_be_asked_for(send: Send) -> None:
    new = source()
    await made(send, "sources", new)
    ask = {"name": new["name"], "entity_type": "source"}
    taken = await send("POST", f"{P}/check-unique", ask)
    told = bad(taken, 409, "Conflict")
    assert told == f"Conflict: source name '{new['name']}' is not unique"
    ask["entity_type"] = "destination"
    assert good(await send("POST", f"{P}/check-unique", ask)) == {"unique": True}
    ask["entity_type"] = "boat"
    bad(await send("POST", f"{P}/check-unique", ask), 400, "Bad request")


async def test_settings(send: Send) -> None:
    url = "https://hooks.example.org/T0/x"
    body = {"project_id": "olake", "webhook_alert_url": url}
    told = good(await send("PUT", f"{P}/settings", body))
    assert told == {"id": told["id"], **body}
    assert good(await send("GET", f"{P}/settings")) == told
    at_123 = good(await send("GET", "/api/v1/project/123/settings"))
    assert at_123 == {**told, "project_id": "123"}
    bad(await send("PUT", f"{P}/settings", {**body, "project_id": "x"}), 400, "Bad request")
    bad(await send("PUT", f"{P}/settings", {"webhook_alert_url": "ftp://x"}), 400, "Bad request")


async def test_differences_of_streams(send: Send) -> None:
    number = await made(send, "jobs", job())
    for path in ("stream-difference", "difference-streams"):
        for same in (CATALOG, httpx2.Response(200, json=CATALOG).text):
            answer = await send(
                "POST", f"{P}/jobs/{number}/{path}", {"updated_streams_config": same}
            )
            assert good(answer) == {"difference_streams": {}}
    (first, *others) = CATALOG["streams"]
    moved = {**first, "stream": {**first["stream"], "destination_table": "elsewhere"}}
    changed = {**CATALOG, "streams": [moved, *others]}
    answer = await send(
        "POST", f"{P}/jobs/{number}/stream-difference", {"updated_streams_config": changed}
    )
    (entry,) = good(answer)["difference_streams"]["streams"]
    assert entry["stream"]["name"] == first["stream"]["name"]


async def test_users(send: Send) -> None:
    name = rows.unique("user")
    sent = {"username": name, "email": f"{name}@example.org"}
    made = good(await send("POST", "/api/v1/users", {**sent, "password": "long-enough"}))
    assert made == {"id": made["id"], **sent}
    assert made in good(await send("GET", "/api/v1/users"))
    path = f"/api/v1/users/{made['id']}"
    assert good(await send("PUT", path, {**sent, "username": f"{name}2"}))["username"] == f"{name}2"
    assert good(await send("DELETE", path)) is None
    bad(await send("DELETE", path), 404, "Resource not found")


async def test_what_anybody_may_ask(client: httpx2.AsyncClient, send: Send) -> None:
    assert (await client.get("/health")).json() == {"status": "ok"}
    assert good(await client.get("/telemetry-id"))["user_id"] == ""
    bad(await client.get("/api/v1/platform/releases"), 401, "Authentication required")
    found = good(await send("GET", "/api/v1/platform/releases?limit=3"))
    assert set(found) == {"olake_ui_worker", "olake_helm", "olake", "features"}
    assert good(await send("GET", "/api/v1/platform/opt/status")) == {"enabled": False}


async def test_ids_and_projects(send: Send) -> None:
    bad(await send("GET", f"{P}/jobs/abc"), 400, "Bad request")
    bad(await send("GET", f"{P}/jobs/2000000000"), 404, "Resource not found")
    bad(await send("GET", f"{P}/jobs/99999999999999"), 404, "Resource not found")
    for project in ("nowhere", "999999", "0", "olake2"):
        for method, path in (("GET", "sources"), ("GET", "jobs/1"), ("PUT", "sources/1")):
            answer = await send(method, f"/api/v1/project/{project}/{path}", {})
            bad(answer, 404, "Resource not found")
        answer = await send("POST", f"/api/v1/project/{project}/sources", source())
        bad(answer, 404, "Resource not found")


async def test_rows_of_other_projects_are_not_below_this_one(send: Send) -> None:
    other = await rows.project()
    foreign = await rows.sync_job(other)
    bad(await send("GET", f"{P}/jobs/{foreign}"), 404, "Resource not found")
    bad(await send("POST", f"{P}/jobs/{foreign}/sync"), 404, "Resource not found")
    bad(await send("DELETE", f"{P}/jobs/{foreign}"), 404, "Resource not found")
    assert good(await send("GET", f"/api/v1/project/{other}/jobs/{foreign}"))["id"] == foreign
    assert foreign not in [j["id"] for j in good(await send("GET", f"{P}/jobs"))]


async def test_a_bad_bearer_never_vetoes_a_good_cookie(
    client: httpx2.AsyncClient, owner_token: str
) -> None:
    cookie = {"Cookie": f"olake-session={owner_token}"}
    stock = {**cookie, "Authorization": "Bearer authenticated"}
    assert good(await client.get("/auth", headers=stock)) == {"username": "admin"}
    good(await client.get("/api/v1/project/123/jobs", headers=stock))
    good(await client.get("/auth", headers=cookie))
    only_bearer = {"Authorization": f"Bearer {owner_token}", "Cookie": "olake-session=old"}
    good(await client.get("/auth", headers=only_bearer))
    neither = {"Authorization": "Bearer authenticated", "Cookie": "olake-session=old"}
    bad(await client.get("/auth", headers=neither), 401, "Authentication required")
    bad(await client.get("/auth"), 401, "Authentication required")


async def test_foreign_pages_cannot_use_the_cookie(
    client: httpx2.AsyncClient, owner_token: str
) -> None:
    headers = {"Cookie": f"olake-session={owner_token}", "Origin": "https://evil.example"}
    answer = await client.post(f"{P}/sources", json=source(), headers=headers)
    bad(answer, 403, "Insufficient permissions")
    # A GET that changes something is no better.
    bad(await client.get(f"{P}/jobs/1/cancel", headers=headers), 403, "Insufficient permissions")
    assert "access-control-allow-origin" not in answer.headers
    headers["Origin"] = "http://localhost:8000"
    answer = await client.post(f"{P}/sources", json=source(), headers=headers)
    good(answer)
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8000"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-expose-headers"] == "Content-Disposition"


async def test_preflights(client: httpx2.AsyncClient) -> None:
    ask = {"Origin": "http://localhost:8000", "Access-Control-Request-Method": "PUT"}
    ask["Access-Control-Request-Headers"] = "origin, content-type, accept, authorization"
    answer = await client.options(f"{P}/sources/1", headers=ask)
    assert answer.status_code == 200
    assert (
        answer.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, OPTIONS"
    )
    foreign = await client.options(
        f"{P}/sources/1", headers={**ask, "Origin": "https://evil.example"}
    )
    assert not [name for name in foreign.headers if name.startswith("access-control")]
    assert (await client.options(f"{P}/sources/1")).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("POST", "/login", "olake"),
        ("GET", "/login", "nobody"),
        ("GET", "/signup", "nobody"),
        ("GET", "/auth", "olake"),
        ("GET", "/api/v1/users", "olake"),
        ("GET", "/api/v1/users/", "deep"),
        ("POST", "/api/v1/project/7/leads/bulk-delete", "redirect"),
        ("POST", "/api/v1/project/7/leads/bulk-delete/", "deep"),
        ("GET", "/api/v1/project/7/jobs", "olake"),
        ("GET", "/api/v1/project/7/jobs/", "deep"),
        ("GET", "/api/v1/leads", "redirect"),
        ("GET", "/private-file/x", "deep"),
        ("GET", "/api/v1/project/olake/unknown", "olake"),
        ("GET", "/api/v1/project/olake", "olake"),
        ("PATCH", "/api/v1/project/olake/jobs", "olake"),
        ("GET", "/api/v1/unknown", "olake"),
        ("GET", "/api/v2/x", "nobody"),
        ("GET", "/api/opt/v1/x", "nobody"),
        ("PUT", "/internal/project/olake/jobs/1/statefile", "nobody"),
        ("GET", "/api/pipelines", "mage"),
        ("GET", "/api/users", "mage"),
        ("GET", "/api/unknown", "mage"),
    ],
)
async def test_who_answers_which_path(
    client: httpx2.AsyncClient, method: str, path: str, who: str
) -> None:
    answer = await client.request(method, path)
    if who == "nobody":
        assert answer.status_code == 404
        assert not answer.headers["content-type"].startswith("application/json")
    elif who == "redirect":
        assert answer.headers["location"] == f"{path}/"
    elif who == "deep":
        assert set(answer.json()) == {"timestamp", "errorCode", "errors"}
    elif who == "olake":
        assert answer.json()["success"] is False
    else:
        assert "error" in answer.json()


async def test_unknown_paths_have_the_envelope(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/project/olake/unknown")
    bad(answer, 404, "Resource not found")
    answer = await client.get("/api/v1/unknown")
    assert (answer.status_code, answer.json()) == (404, {"success": False, "message": "not found"})


async def test_malformed_bodies(client: httpx2.AsyncClient, owner_token: str) -> None:
    headers = {"Authorization": f"Bearer {owner_token}"}
    for content in (b"{", b"[]", b'{"name": "\\u0000"}', b"[" * 200):
        answer = await client.post(f"{P}/sources", content=content, headers=headers)
        bad(answer, 400, "Bad request")
    large = await client.post("/login", content=b" " * (2 * 1024 * 1024))
    bad(large, 413, "Payload too large")
