"""A toy server in this process, reached over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute

from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.http import GraphQLEndpoint
from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.toy import SCHEMA, subject_of

PATH = "/v2/graphql"


async def identify_request(conn: HTTPConnection, *, again: bool = True) -> Subject:
    """A bearer token, else a cookie, else anonymous."""
    bearer = conn.headers.get("authorization", "").removeprefix("Bearer ")
    if bearer:
        return subject_of(bearer)
    cookie = conn.cookies.get("session")
    return subject_of(cookie, by_cookie=True) if cookie else Subject()


async def identify_init(conn: HTTPConnection, payload: dict[str, Any]) -> Subject:
    """The token of the payload, else as for a request."""
    token = payload.get("authorization")
    return subject_of(token) if token else await identify_request(conn)


def make_context(conn: HTTPConnection, subject: Subject, request_id: str) -> Context:
    """A context as the real server makes it."""
    return Context(subject=subject, request_id=request_id)


async def playground(request: Request) -> Response:
    """Stands for the explorer page."""
    return HTMLResponse("<title>Explorer</title>")


def make_endpoint(settings: GraphQLSettings, redis: Any = None) -> GraphQLEndpoint:
    """The endpoint over the toy schema."""
    return GraphQLEndpoint(
        SCHEMA,
        identify_request=identify_request,
        identify_init=identify_init,
        make_context=make_context,
        settings=settings,
        playground=playground,
        redis=redis,
    )


@dataclass
class Toy:
    """A running toy server."""

    port: int
    endpoint: GraphQLEndpoint
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{PATH}"

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """POST a body as JSON; `accept_` and the like become header names."""
        named = {name.strip("_").replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.url, json=body, headers=named)

    async def query(self, text: str, variables: Any = None, **headers: str) -> dict[str, Any]:
        """The decoded answer to a document."""
        response = await self.post({"query": text, "variables": variables}, **headers)
        body: dict[str, Any] = response.json()
        return body


class _Server(uvicorn.Server):
    """Tells when it listens, and ends sockets and streams before it stops."""

    def __init__(self, config: uvicorn.Config, endpoint: GraphQLEndpoint) -> None:
        super().__init__(config)
        self.endpoint = endpoint
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.endpoint.shutdown()
        await super().shutdown(sockets)


@asynccontextmanager
async def serving(settings: GraphQLSettings, redis: Any = None) -> AsyncIterator[Toy]:
    """Serve the toy schema on a free port of this machine."""
    endpoint = make_endpoint(settings, redis)
    app = Starlette(routes=[Route(PATH, endpoint), WebSocketRoute(PATH, endpoint)])
    # With the protocol named, asyncio sets TCP_NODELAY; without it each answer waits 40 ms.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=5)
    server = _Server(config, endpoint)
    # `serve` would take over the signals of the test runner.
    task = asyncio.create_task(server._serve([listener]))
    try:
        await server.ready.wait()
        async with httpx.AsyncClient(timeout=20) as client:
            yield Toy(listener.getsockname()[1], endpoint, client)
    finally:
        server.should_exit = True
        await task


async def eventually(condition: Any, seconds: float = 5) -> None:
    """Wait until a condition holds, at most so long."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (the condition belongs to the server)
            await asyncio.sleep(0.01)
