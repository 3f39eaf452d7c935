"""The playground in a real browser, against a small schema at the real address."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import strawberry
import uvicorn
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL

from app.ui.serve import assets_app, index_response, playground_response
from tests.ui.browser import Page, chromium_page

pytestmark = pytest.mark.chromium

SCHEMA_FILE = Path(__file__).parents[2] / "schema.graphql"
KEY = "key+with/marks="
RESPONSE = "document.querySelector('.graphiql-response .CodeMirror')?.CodeMirror.getValue()"
QUERY_EDITOR = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror"
HEADERS_EDITOR = "document.querySelectorAll('.graphiql-editor-tool .CodeMirror')[1].CodeMirror"
RUN = "document.querySelector('.graphiql-execute-button').click()"


@strawberry.type
class User:
    username: str


@strawberry.type
class Pipeline:
    uuid: str
    name: str


@strawberry.type
class PipelineConnection:
    nodes: list[Pipeline]


@strawberry.type
class Query:
    @strawberry.field(description="Who calls: here, the key that came with the request.")
    def me(self, info: strawberry.Info) -> User:
        return User(username=f"bearer of {info.context['request'].headers.get('x-api-key')}")

    @strawberry.field
    def pipelines(self, first: int) -> PipelineConnection:
        return PipelineConnection(nodes=[Pipeline(uuid="harbour", name=f"first {first}")])


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: strawberry.Info) -> AsyncIterator[str]:
        for number in range(1, 4):
            yield f"tick {number} for {info.context['connection_params']}"


class Door:
    """GraphQL and its page at one address, as the server has them; notes the origins it saw."""

    def __init__(self) -> None:
        self.origins: set[str | None] = set()
        self._graphql: GraphQL[None, None] = GraphQL(
            strawberry.Schema(Query, subscription=Subscription)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                await (await playground_response(request))(scope, receive, send)
                return
            self.origins.add(request.headers.get("origin"))
        await self._graphql(scope, receive, send)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def origin(door: Door) -> AsyncIterator[str]:
    """Address of a running server, `http://127.0.0.1:<port>`."""

    async def index(request: Request) -> Response:
        return index_response()

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/v2/graphql", door),
            WebSocketRoute("/v2/graphql", door),
            Mount("/assets", assets_app()),
        ]
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    server.force_exit = True
    await serving


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with chromium_page(tmp_path / "profile") as page:
        yield page


async def open_playground(page: Page, url: str) -> None:
    """Open the page and wait until its editors stand and know the schema."""
    await page.goto(url)
    await page.until(f"{RESPONSE} !== undefined && {QUERY_EDITOR}?.options.lint?.schema")


def typed(editor: str, text: str) -> str:
    return f"{editor}.setValue({json.dumps(text)})"


def press(label: str) -> str:
    return f"document.querySelector('button[aria-label=\"{label}\"]').click()"


def assert_calm(page: Page, origin: str) -> None:
    """No fault in the console, and nothing asked of anybody but the server."""
    assert page.faults == []
    hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith("data:")}
    assert hosts == {urlsplit(origin).netloc}


async def test_first_query_runs_with_the_key_from_the_address(
    page: Page, door: Door, origin: str
) -> None:
    await open_playground(page, f"{origin}/v2/graphql#key={KEY}")
    assert await page.evaluate("document.title") == "Isthmus playground"
    assert await page.evaluate("location.href") == f"{origin}/v2/graphql"

    await page.evaluate(RUN)
    await page.until(f"{RESPONSE}.includes('first 10')")
    assert json.loads(await page.evaluate(RESPONSE))["data"] == {
        "me": {"username": f"bearer of {KEY}"},
        "pipelines": {"nodes": [{"uuid": "harbour", "name": "first 10"}]},
    }
    assert door.origins == {origin}
    assert_calm(page, origin)


async def test_first_query_is_valid_for_the_served_schema(page: Page, origin: str) -> None:
    await open_playground(page, f"{origin}/v2/graphql")
    query = await page.evaluate(f"{QUERY_EDITOR}.getValue()")
    assert validate(build_schema(SCHEMA_FILE.read_text("utf-8")), parse(query)) == []


async def test_key_survives_a_reload_and_yields_to_the_headers_editor(
    page: Page, origin: str
) -> None:
    await open_playground(page, f"{origin}/v2/graphql#key={KEY}")
    await open_playground(page, f"{origin}/v2/graphql?again")
    await page.evaluate(RUN)
    await page.until(f"{RESPONSE}.includes('bearer of {KEY}')")

    await page.evaluate(typed(HEADERS_EDITOR, '{"x-api-key": "typed"}'))
    await page.evaluate(RUN)
    await page.until(f"{RESPONSE}.includes('bearer of typed')")
    assert_calm(page, origin)


async def test_subscription_runs_over_a_socket_that_carries_the_key(
    page: Page, origin: str
) -> None:
    await open_playground(page, f"{origin}/v2/graphql#key={KEY}")
    await page.evaluate(typed(QUERY_EDITOR, "subscription { ticks }"))
    await page.evaluate(RUN)
    await page.until(f"{RESPONSE}.includes('tick 3')")
    ticks = json.loads(await page.evaluate(RESPONSE))["data"]["ticks"]
    assert ticks == f"tick 3 for { ({'apiKey': KEY}) }"
    assert f"ws://{urlsplit(origin).netloc}/v2/graphql" in page.requests
    assert_calm(page, origin)


async def test_docs_and_dialogs_open_under_the_security_policy(page: Page, origin: str) -> None:
    await open_playground(page, f"{origin}/v2/graphql#key={KEY}")
    await page.evaluate(press("Show Documentation Explorer"))
    await page.until("document.body.innerText.includes('All Schema Types')")
    await page.evaluate(press("Open settings dialog"))
    await page.until("document.querySelector('[role=dialog]')")
    assert_calm(page, origin)


async def test_start_page_leads_to_the_playground(page: Page, origin: str) -> None:
    await page.goto(origin)
    await page.until("document.querySelector('a[href=\"/v2/graphql\"]')")
    await page.evaluate("document.querySelector('a[href=\"/v2/graphql\"]').click()")
    await page.until("document.querySelector('.graphiql-execute-button')")
    assert_calm(page, origin)
