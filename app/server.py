"""The composition root: the ASGI application of GraphQL, the REST dialects and the pages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry import Schema

from app import __version__, health
from app.access import identify
from app.access.installation import load_ring, open_installation
from app.content import http as content_http
from app.core import db, events, outbox, telemetry
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.execute import GraphQLSettings
from app.graphql.http import GraphQLEndpoint
from app.graphql.schema import build_schema
from app.semantic import loaded
from app.semantic.served import served
from app.settings import Settings, get_settings
from app.ui import serve as ui
from rest_compat import kernel
from rest_compat.deep.routes import dialect as deep
from rest_compat.dialect import Dialect
from rest_compat.lens.routes import dialect as lens
from rest_compat.mage.routes import dialect as mage
from rest_compat.olake.routes import dialect as olake
from rest_compat.openapi import serve as docs
from rest_compat.openapi.document import document

log = structlog.get_logger()

GRAPHQL = "/v2/graphql"
GRAPHQL_OF_LENS = "/lens2/api/{lens}/v2/graphql"


class Isthmus(Starlette):
    """The application. What programs ask of GraphQL or REST goes past the router and its middleware.

    They cost as much as an answer from PostgreSQL. Requests of browsers (`Origin`) need them.
    """

    def __init__(
        self, endpoint: GraphQLEndpoint, dialects: Sequence[kernel.DialectRoute], **options: Any
    ) -> None:
        super().__init__(**options)
        # `/api/v1/users` and `/api/v1/users/` are calls of two systems.
        self.router.redirect_slashes = False
        self.endpoint = endpoint
        self._graphql = telemetry.RequestLog(endpoint)
        self._dialects = [
            (route.bound.dialect.owns, telemetry.RequestLog(route.handle)) for route in dialects
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one socket, or the lifespan."""
        straight = None
        if scope["type"] == "http" and not any(name == b"origin" for name, _ in scope["headers"]):
            straight = self._straight_to(scope["method"], scope["path"])
        await (straight or super().__call__)(scope, receive, send)

    def _straight_to(self, method: str, path: str) -> ASGIApp | None:
        if path == GRAPHQL:
            return self._graphql
        if path in docs.PATHS:
            return None
        return next((served for owns, served in self._dialects if owns(method, path)), None)


class Cors(CORSMiddleware):
    """CORS for the listed origins; others are answered as if there were no CORS at all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        known = origin is not None and self.is_allowed_origin(origin)
        await (super().__call__ if known else self.app)(scope, receive, send)


def create_app(settings: Settings | None = None) -> Isthmus:
    """The application. Databases are opened at its start, not before."""
    settings = settings or get_settings()
    schema = build_schema()
    redis = outbox.connect(settings.places.redis_url, die_before_push=settings.work.die_before_push)
    door = settings.door
    endpoint = GraphQLEndpoint(
        schema,
        identify_request=_identify,
        identify_init=identify.from_init_payload,
        make_context=_context,
        settings=GraphQLSettings(
            introspection=door.introspection,
            playground=door.playground,
            debug=door.debug,
            compile=door.compile,
            timeout_s=door.operation_timeout_s,
            allowed_origins=settings.access.allowed_origins,
        ),
        playground=ui.playground_response,
        redis=redis,
        served=served(schema),
    )
    dialects = kernel.mount(schema, settings, _dialects(settings))
    routes: list[BaseRoute] = [
        Route("/", _index(door.playground)),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", health.metrics),
        Mount("/assets", app=ui.assets_app()),
        Route("/v2/uploads", content_http.upload, methods=["POST"]),
        Route("/v2/files/{uuid}", content_http.download),
        Route(GRAPHQL, endpoint),
        WebSocketRoute(GRAPHQL, endpoint),
        Route(GRAPHQL_OF_LENS, endpoint),
        *docs.ApiDocs(partial(openapi, settings, schema)).routes(),
        *dialects,
    ]
    return Isthmus(
        endpoint,
        dialects,
        routes=routes,
        lifespan=_lifespan(settings),
        middleware=[
            Middleware(telemetry.RequestLog),
            Middleware(
                Cors,
                allow_origins=list(settings.access.allowed_origins),
                allow_credentials=True,
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
                allow_headers=[
                    "Origin",
                    "Content-Type",
                    "Accept",
                    "Authorization",
                    "OAUTH-TOKEN",
                    "X-API-KEY",
                    "Idempotency-Key",
                    "X-CSRFToken",
                    "X-Deep-Dialect",
                    "If-Match",
                    "apikey",
                ],
                expose_headers=["Content-Disposition"],
            ),
        ],
    )


def openapi(settings: Settings, schema: Schema | None = None) -> dict[str, Any]:
    """The OpenAPI document of the REST dialects."""
    return document(schema or build_schema(), _dialects(settings), __version__)


def _dialects(settings: Settings) -> list[Dialect]:
    """In the order in which they are asked whether a request is theirs."""
    return [deep(settings), olake(settings), lens(settings), mage(settings)]


async def _identify(connection: HTTPConnection, *, again: bool = True) -> Subject:
    """The caller, bound to the project that Lens's path names."""
    subject = await identify.from_request(connection, again=again)
    lens_named = connection.path_params.get("lens")
    if lens_named is None:
        return subject
    return await identify.within(subject, lens_named.rpartition(":")[2])


def _context(connection: HTTPConnection, subject: Subject, request_id: str) -> Context:
    return Context(
        subject=subject.at(address=identify.address_of(connection), request_id=request_id),
        request_id=request_id,
        identify=partial(_identify, connection),
    )


def _lifespan(settings: Settings) -> Any:
    ring = load_ring(settings.access)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        places = settings.places
        db.connect(places.database_url, places.database_pool, settings.door.operation_timeout_s)
        await db.wait_until_reachable(30)
        await open_installation(ring, settings.access)
        loaded.forget_all()
        listening = asyncio.gather(events.listen(), loaded.follow())
        log.info("server.started", version=__version__)
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await outbox.disconnect()
            await db.disconnect()
            log.info("server.stopped")

    return lifespan


def _index(playground: bool) -> Any:
    async def index(_: Request) -> Response:
        return ui.index_response(playground)

    return index
