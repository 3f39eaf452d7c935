"""The endpoint /v2/graphql: GraphQL over HTTP, server-sent events and the way to the socket."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import structlog
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema

from app.core.csrf import csrf_refusal, own_origin
from app.core.errors import DomainError, Forbidden
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.errors import (
    FORBIDDEN,
    INTERNAL,
    RATE_LIMITED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Refused,
    from_exception,
    retry_after,
)
from app.graphql.execute import Door, Result, Served, StoredOperation, execute, run
from app.graphql.limits import GraphQLSettings
from app.graphql.persisted import PersistedQueries, WrongHash
from app.graphql.request import (
    GRAPHQL_RESPONSE,
    JSON,
    PREFLIGHT_HEADERS,
    Accepted,
    GraphQLRequest,
    HttpRefusal,
    Incoming,
    ReadyAnswer,
    answer,
    common_headers,
    from_query,
    negotiate,
    parse_body,
    read_json,
    refusal_response,
    request_id,
)
from app.graphql.sse import EventStream
from app.graphql.ws import IdentifyInit, MakeContext, Socket, until_credential_ends

SHUTDOWN_WAIT_S = 5.0

log = structlog.get_logger("graphql")

IdentifyRequest = Callable[..., Awaitable[Subject]]
"""The caller of a connection; with `again=False` it may be a remembered one."""
Playground = Callable[[Request], Awaitable[Response]]


class GraphQLEndpoint:
    """ASGI application for HTTP and WebSocket; mount it on one path with both kinds of route."""

    def __init__(
        self,
        schema: Schema,
        *,
        identify_request: IdentifyRequest,
        identify_init: IdentifyInit,
        make_context: MakeContext,
        settings: GraphQLSettings,
        playground: Playground | None = None,
        redis: "Redis | None" = None,
        served: Served | None = None,
    ) -> None:
        self.door = Door(schema, settings, PersistedQueries(redis, settings), served)
        self.settings = settings
        self.identify_request = identify_request
        self.identify_init = identify_init
        self.make_context = make_context
        self.playground = playground if settings.playground else None
        self.stopping = asyncio.Event()
        self._live: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one socket."""
        if scope["type"] == "websocket":
            socket = Socket(
                WebSocket(scope, receive, send),
                self.door,
                self.identify_init,
                self.make_context,
                self.stopping,
            )
            await self._track(socket.run())
            return
        request = Incoming(scope, receive)
        rid = request_id(request)
        accepted = negotiate(request.headers.get("accept"))
        try:
            response = await self._respond(request, accepted, rid)
            if isinstance(response, _Events):
                await self._track(self._stream(response, request, receive, send))
                return
        except HttpRefusal as refusal:
            response = refusal_response(refusal, rid, accepted.error_type)
        except Exception as error:
            response = self._answer(_refused(error, rid), accepted.error_type, rid)
        await response(scope, receive, send)

    async def shutdown(self) -> None:
        """Close all sockets with 1001 and end all event streams.

        Call it before the server closes its connections (`uvicorn.Server.shutdown`).
        """
        self.stopping.set()
        if self._live:
            await asyncio.wait(self._live, timeout=SHUTDOWN_WAIT_S)

    async def _track(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._live.add(task)
        task.add_done_callback(self._live.discard)
        try:
            await task
        finally:
            task.cancel()

    async def _respond(
        self, request: Request, accepted: Accepted, rid: str
    ) -> "Response | ReadyAnswer | _Events":
        if request.method not in ("GET", "POST"):
            raise HttpRefusal(
                405, "METHOD_NOT_ALLOWED", "Use POST, or GET for queries.", {"Allow": "GET, POST"}
            )
        if request.method == "GET" and self.playground is not None and accepted.prefers_html:
            return await self.playground(request)
        if accepted.json is None and not accepted.event_stream:
            raise HttpRefusal(
                406, "NOT_ACCEPTABLE", f"Accept {GRAPHQL_RESPONSE}, {JSON} or text/event-stream."
            )
        if request.method == "GET":
            asked: GraphQLRequest | list[GraphQLRequest] = from_query(
                request.query_params, self.settings
            )
        else:
            asked = parse_body(await read_json(request, self.settings), self.settings)
        try:
            subject = await self.identify_request(request, again=False)
        except Exception as error:
            return self._answer(_refused(error, rid), accepted.error_type, rid)
        self._refuse_foreign_pages(request, subject)
        if isinstance(asked, list):
            return await self._batch(asked, request, subject, rid)
        return await self._one(asked, request, subject, accepted, rid)

    def _refuse_foreign_pages(self, request: Request, subject: Subject) -> None:
        if subject.by_cookie:
            reason = csrf_refusal(
                request.method,
                request.headers,
                self.settings.allowed_origins,
                own_origin(request),
            )
            if reason is not None:
                raise HttpRefusal(403, FORBIDDEN, reason)

    async def _one(
        self,
        asked: GraphQLRequest,
        request: Request,
        subject: Subject,
        accepted: Accepted,
        rid: str,
    ) -> "Response | ReadyAnswer | _Events":
        try:
            operation = await self.door.open(asked, subject)
        except Refused as refused:
            log.info("graphql.refused", request_id=rid, code=_code(refused))
            result = Result(None, refused.errors, executed=False)
            if accepted.prefers_events or accepted.json is None:
                return _Events(_just(result, rid), subject, rid)
            status = 400 if isinstance(refused, WrongHash) else None
            return self._answer(result, accepted.error_type, rid, status=status)
        except Forbidden as error:
            raise HttpRefusal(403, FORBIDDEN, error.message) from error
        if request.method == "GET":
            _check_get(request, operation)
        schema = operation.schema or self.door.schema
        context = self.make_context(request, subject, rid)
        if accepted.json is None or (
            accepted.event_stream and (operation.is_subscription or accepted.prefers_events)
        ):

            def new_context() -> Context:
                return self.make_context(request, subject, rid)

            results = run(schema, operation, asked.variables, new_context, self.settings)
            return _Events(_payloads(results, rid), subject, rid)
        if operation.is_subscription:
            raise HttpRefusal(
                406, "NOT_ACCEPTABLE", "A subscription needs Accept: text/event-stream or a socket."
            )
        result = await execute(
            schema, operation, asked.variables, None, context, settings=self.settings
        )
        if result.text is not None:
            tier = "0" if self.settings.debug else None
            return ReadyAnswer(result.text, rid, accepted.json, tier)
        return self._answer(result, accepted.json, rid)

    async def _batch(
        self, asked: list[GraphQLRequest], request: Request, subject: Subject, rid: str
    ) -> Response:
        payloads = []
        for one in asked:
            context = self.make_context(request, subject, rid)
            try:
                operation = await self.door.open(one, subject)
            except Refused as refused:
                result = Result(None, refused.errors, executed=False)
            except Forbidden as error:
                raise HttpRefusal(403, FORBIDDEN, error.message) from error
            else:
                schema = operation.schema or self.door.schema
                result = await execute(
                    schema, operation, one.variables, None, context, settings=self.settings
                )
            payloads.append(result.payload(requestId=rid))
        return answer(payloads, rid)

    def _answer(
        self,
        result: Result,
        media_type: str,
        rid: str,
        *,
        status: int | None = None,
    ) -> Response:
        status = status or status_of(result, media_type)
        headers: dict[str, str] = {}
        wait = retry_after(result.errors)
        if wait is not None:
            headers["Retry-After"] = str(wait)
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if result.has_parts and self.settings.debug:
            headers["X-Isthmus-Tier"] = "1"
        payload = result.payload(requestId=rid)
        return answer(payload, rid, status=status, media_type=media_type, headers=headers)

    async def _stream(
        self, events: "_Events", request: Request, receive: Receive, send: Send
    ) -> None:
        async def identify() -> Subject:
            return await self.identify_request(request)

        async def credential_ended() -> None:
            await until_credential_ends(identify, events.subject, self.settings.recheck_s)

        headers = [
            (name.lower().encode(), value.encode())
            for name, value in common_headers(events.request_id).items()
        ]
        stream = EventStream(
            receive,
            send,
            keep_alive_s=self.settings.keep_alive_s,
            send_timeout_s=self.settings.send_timeout_s,
        )
        async with aclosing(events.payloads):
            await stream.run(
                events.payloads,
                headers=headers,
                stopping=self.stopping,
                credential_ended=credential_ended,
            )


class _Events:
    """A response that is a stream of events."""

    def __init__(
        self, payloads: AsyncGenerator[dict[str, Any], None], subject: Subject, rid: str
    ) -> None:
        self.payloads = payloads
        self.subject = subject
        self.request_id = rid


def status_of(result: Result, media_type: str) -> int:
    """The HTTP status of a result; `application/json` says 200 to every well-formed request."""
    codes = result.codes
    if not result.executed or result.is_empty:
        if RATE_LIMITED in codes:
            return 429
        if UNAVAILABLE in codes:
            return 503
    if result.executed:
        return 200
    if INTERNAL in codes:
        return 500
    if media_type != GRAPHQL_RESPONSE:
        return 200
    if UNAUTHENTICATED in codes:
        return 401
    return 403 if FORBIDDEN in codes else 400


def _check_get(request: Request, operation: StoredOperation) -> None:
    if operation.is_mutation:
        raise HttpRefusal(405, "METHOD_NOT_ALLOWED", "Send mutations by POST.", {"Allow": "POST"})
    headers = request.headers
    if any(name in headers for name in PREFLIGHT_HEADERS):
        return
    if headers.get("content-type", "").split(";")[0].strip().lower() == JSON:
        return
    if headers.get("sec-fetch-site") in ("same-origin", "none"):
        return
    # Without one of these a page of any site could have sent the request, cookies included.
    raise HttpRefusal(
        403,
        FORBIDDEN,
        "A query by GET needs the header X-Requested-With or Apollo-Require-Preflight.",
    )


def _refused(error: Exception, rid: str) -> Result:
    """A whole request that failed before an operation was looked at."""
    if isinstance(error, DomainError):
        log.info("graphql.refused", request_id=rid, code=error.code)
    return Result(None, [from_exception(error, rid)], executed=False)


def _code(refused: Refused) -> str:
    return str(refused.errors[0]["extensions"]["code"])


async def _just(result: Result, rid: str) -> AsyncGenerator[dict[str, Any], None]:
    yield result.payload(requestId=rid)


async def _payloads(
    results: AsyncGenerator[Result, None], rid: str
) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(results):
        async for result in results:
            yield result.payload(requestId=rid)
