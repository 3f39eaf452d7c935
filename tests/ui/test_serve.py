"""The pages and assets as an HTTP client sees them."""

import gzip
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from app.ui.serve import DIST, assets_app, index_response, playground_response

ASSETS = sorted(path.name for path in (DIST / "assets").iterdir())
BUILT_TEXT = [DIST / "playground.html", *(DIST / "assets").glob("*.css")]
OTHER_ORIGIN = re.compile(r"""(?:url\(|@import|src=|href=)\s*["']?\s*(?:https?:)?//""", re.I)


def client_of(dist: Path) -> TestClient:
    async def playground(request: Request) -> Response:
        return await playground_response(request, dist)

    async def index(request: Request) -> Response:
        return index_response()

    routes = [
        Route("/", index),
        Route("/v2/graphql", playground),
        Mount("/assets", assets_app(dist)),
    ]
    return TestClient(Starlette(routes=routes))


@pytest.fixture
def client() -> TestClient:
    return client_of(DIST)


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


def test_playground_names_only_assets_that_exist(client: TestClient) -> None:
    page = client.get("/v2/graphql")
    assert page.status_code == 200
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) >= 3
    assert {path: client.get(path).status_code for path in named} == dict.fromkeys(named, 200)


def test_every_built_script_and_style_is_served_with_its_type(client: TestClient) -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for name in ASSETS:
        response = client.get(f"/assets/{name}")
        assert response.status_code == 200, name
        assert response.headers["content-type"].split(";")[0] == types[Path(name).suffix]
        assert response.content == (DIST / "assets" / name).read_bytes()


def test_scripts_ask_only_for_chunks_that_exist() -> None:
    chunk = re.compile(r"""["'`](?:\./|/?assets/)([\w.-]+\.(?:js|css))["'`]""")
    named = {
        found
        for script in (DIST / "assets").glob("*.js")
        for found in chunk.findall(script.read_text("utf-8"))
    }
    assert named
    assert named <= set(ASSETS)


@pytest.mark.parametrize("path", BUILT_TEXT, ids=lambda path: path.name)
def test_nothing_built_loads_from_another_origin(path: Path) -> None:
    assert OTHER_ORIGIN.findall(path.read_text("utf-8")) == []


def test_scripts_never_compile_text() -> None:
    for script in (DIST / "assets").glob("*.js"):
        assert not re.search(r"\beval\(|new Function\(", script.read_text("utf-8")), script.name


def test_licences_of_the_bundled_code_ship_with_it() -> None:
    text = (DIST / "licenses.md").read_text("utf-8")
    for package in ("graphiql", "react", "react-dom", "graphql", "graphql-ws", "codemirror"):
        assert f"## {package} - " in text


def test_playground_policy_allows_scripts_of_its_own_origin_only(client: TestClient) -> None:
    response = client.get("/v2/graphql")
    policy = directives(response.headers["content-security-policy"])
    assert policy["default-src"] == policy["script-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert "unsafe-eval" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["vary"] == "Accept"


def test_assets_are_cached_for_ever_and_compressed_where_accepted(client: TestClient) -> None:
    name = max(ASSETS, key=lambda asset: (DIST / "assets" / asset).stat().st_size)
    content = (DIST / "assets" / name).read_bytes()
    plain = client.get(f"/assets/{name}", headers={"Accept-Encoding": "identity"})
    assert plain.content == content
    assert "content-encoding" not in plain.headers
    with client.stream("GET", f"/assets/{name}", headers={"Accept-Encoding": "br, gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == content
    assert len(raw) < len(content) / 2
    for response in (plain, packed):
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["vary"] == "Accept-Encoding"
        assert response.headers["x-content-type-options"] == "nosniff"


def test_client_that_refuses_gzip_gets_plain_bytes(client: TestClient) -> None:
    response = client.get(f"/assets/{ASSETS[0]}", headers={"Accept-Encoding": "gzip;q=0"})
    assert response.status_code == 200
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "",
        "absent-12345678.js",
        "%2e%2e/playground.html",
        "..%2fplayground.html",
        "..%2f..%2fserve.py",
        "%2fetc%2fpasswd",
        "..%5cplayground.html",
        "icon.svg%00.js",
        ".hidden.js",
        "nested/file.js",
    ],
)
def test_unknown_and_climbing_asset_paths_are_not_found(client: TestClient, path: str) -> None:
    response = client.get(f"/assets/{path}")
    assert response.status_code == 404
    assert response.text == "There is no such asset."
    assert response.headers["cache-control"] == "no-store"


def test_assets_answer_to_reading_only(client: TestClient) -> None:
    assert client.head(f"/assets/{ASSETS[0]}").status_code == 200
    assert client.post(f"/assets/{ASSETS[0]}").status_code == 405


def test_missing_bundle_is_explained_in_one_sentence(tmp_path: Path) -> None:
    client = client_of(tmp_path / "dist")
    page = client.get("/v2/graphql")
    assert page.status_code == 503
    assert page.text.startswith("The playground is not built: run `make ui`")
    assert page.text.count(".") == 1
    assert client.get("/assets/playground.js").status_code == 404
    assert client.get("/").status_code == 200


def test_start_page_says_what_this_is_and_links_to_the_playground(client: TestClient) -> None:
    page = client.get("/")
    assert "One GraphQL server behind Mage, OLake, Lens and DEEP" in page.text
    assert 'href="/v2/graphql"' in page.text
    assert directives(page.headers["content-security-policy"])["default-src"] == ["'none'"]
    assert "<script" not in page.text


def test_start_page_does_not_link_to_a_playground_that_is_off() -> None:
    text = bytes(index_response(playground=False).body).decode()
    assert "the playground is switched off" in text
    assert 'href="/v2/graphql"' not in text
