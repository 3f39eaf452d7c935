"""Who answers a path: of every dialect and of the server itself, past the router and through it."""

import re
from typing import Any

import httpx2
import pytest
import yaml
from starlette.applications import Starlette

from app.server import _dialects
from app.settings import get_settings
from rest_compat.openapi.serve import PATHS
from tests.rest_compat.conftest import Call

DIALECTS = _dialects(get_settings())
ROUTES = [(d.name, r.method, r.path) for d in DIALECTS for r in (*d.routes, *d.not_offered)]
OWN = {
    "/": "text/html",
    "/healthz": "application/json",
    "/readyz": "application/json",
    "/metrics": "text/plain",
    "/v2/graphql": "text/html",
    "/lens2/api/{lens}/v2/graphql": "text/html",
    "/v2/uploads": "text/plain",
    "/v2/files/{uuid}": "application/json",
    "/assets/nothing.js": "text/plain",
    "/api-docs": "",
    "/api-docs/": "text/html",
    "/api-docs.json": "application/json",
    "/api-docs.yaml": "application/yaml",
    "/api/v1/docs": "",
    "/api/v1/docs/": "text/html",
    "/api/v1/docs.json": "application/json",
    "/api/v1/docs.yaml": "application/yaml",
    "/redoc": "",
    "/redoc/": "",
}
"""What the server answers itself, and with what."""
REFUSED = {"/assets/nothing.js": 404, "/v2/uploads": 405, "/v2/files/{uuid}": 401}
"""Statuses of those that are not simply there: nothing such, POST only, for known callers only."""
METHODS = {"get", "post", "put", "patch", "delete"}
NOBODYS = (
    "/nothing",
    "/api",
    "/api/",
    "/api-docs/nothing",
    "/v2nothing",
    "/lens2",
    "/lens2/nothing",
    "/docs",
    "/auth/",
    "/health/",
)


def _owners(method: str, path: str) -> list[str]:
    return [d.name for d in DIALECTS if d.owns(method, path)]


@pytest.mark.parametrize(("name", "method", "path"), ROUTES, ids=lambda value: str(value))
def test_a_route_is_owned_by_its_dialect_first(name: str, method: str, path: str) -> None:
    assert _owners(method, re.sub(r"{\w+}", "1", path))[0] == name


def test_no_two_dialects_want_the_same_request() -> None:
    for _, method, path in ROUTES:
        assert len(_owners(method, re.sub(r"{\w+}", "1", path))) == 1, path


def test_paths_of_the_server_are_no_dialects() -> None:
    for path in OWN:
        assert not _owners("GET", path) or path in PATHS, path


def _told(answer: httpx2.Response) -> str:
    """Whose words an answer is in."""
    if not answer.headers["content-type"].startswith("application/json"):
        return "server"
    body: Any = answer.json()
    if isinstance(body, dict) and body.keys() == {"timestamp", "errorCode", "errors"}:
        return "deep"
    if "success" in body or body == {"status": "ok"}:
        return "olake"
    if body.keys() == {"error"} and isinstance(body["error"], str):
        return "lens"
    return "mage" if "metadata" in body or "error" in body or "pipeline_run" in body else "server"


@pytest.mark.parametrize("origin", [None, "http://elsewhere.example"])
async def test_every_route_is_answered_in_the_words_of_its_dialect(
    call: Call, origin: str | None
) -> None:
    """Requests with an Origin take the way through the router."""
    headers = {"Origin": origin} if origin else {}
    for name, method, path in ROUTES:
        body = {} if method in ("POST", "PUT") else None
        answer = await call(method, re.sub(r"{\w+}", "0", path), body, headers=headers)
        assert _told(answer) == name, (method, path, answer.text)


@pytest.mark.parametrize("origin", [None, "http://elsewhere.example"])
@pytest.mark.parametrize(("path", "media"), OWN.items())
async def test_the_server_answers_its_own_paths(
    client: httpx2.AsyncClient, path: str, media: str, origin: str | None
) -> None:
    headers = {"Accept": "text/html"} | ({"Origin": origin} if origin else {})
    answer = await client.get(path, headers=headers)
    assert answer.headers.get("content-type", "").partition(";")[0] == media
    if not media:
        place = "/api-docs/" if "redoc" in path else f"{path}/"
        assert (answer.status_code, answer.headers["location"]) == (308, place)
    elif path != "/readyz":
        assert answer.status_code == REFUSED.get(path, 200)


@pytest.mark.parametrize("path", NOBODYS)
async def test_nobody_answers_other_paths(client: httpx2.AsyncClient, path: str) -> None:
    assert not _owners("GET", path)
    assert (await client.get(path)).status_code == 404


def test_every_path_of_the_router_is_listed(app: Starlette) -> None:
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    assert paths == {path for path in OWN if not path.startswith("/assets")} | {"/assets"}


async def test_the_forms_of_the_document_are_one(client: httpx2.AsyncClient) -> None:
    first, second = [(await client.get(f"{p}.json")).json() for p in ("/api-docs", "/api/v1/docs")]
    assert first == second
    page = await client.get("/api-docs/")
    assert page.text == (await client.get("/api/v1/docs/")).text
    for path, item in first["paths"].items():
        assert (f"<code>{path}</code>" in page.text) == bool(METHODS & item.keys()), path
    assert yaml.safe_load((await client.get("/api-docs.yaml")).text) == first


async def test_the_page_asks_nobody_for_anything(client: httpx2.AsyncClient) -> None:
    page = await client.get("/api-docs/")
    assert not re.search(r"<(script|img|link|iframe)|\bsrc=|url\(|@import", page.text)
    addresses = set(re.findall(r'href="([^"#]*)', page.text)) - {""}
    assert addresses == {"/api-docs.json", "/api-docs.yaml"}
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
