"""The graphql-transport-ws protocol: many operations over one socket."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import replace
from time import time
from typing import Any
from uuid import uuid4

import orjson
import structlog
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app.core.csrf import is_known_origin, own_origin
from app.core.errors import DomainError, Forbidden, Unauthenticated
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.errors import RATE_LIMITED, FormattedError, Refused, code_of, from_exception
from app.graphql.execute import Door, run
from app.graphql.request import (
    BadVariables,
    GraphQLRequest,
    HttpRefusal,
    from_object,
    refusal_response,
    to_json,
)

PROTOCOL = "graphql-transport-ws"
CLOSE_WAIT_S = 2.0

BAD_MESSAGE = 4400
NOT_ACKNOWLEDGED = 4401
FORBIDDEN = 4403
WRONG_PROTOCOL = 4406
INIT_TIMEOUT = 4408
DUPLICATE_ID = 4409
INIT_TWICE = 4429
GOING_AWAY = 1001
TOO_BIG = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN = 1013

log = structlog.get_logger("graphql")

MakeContext = Callable[[HTTPConnection, Subject, str], Context]
IdentifyInit = Callable[[HTTPConnection, dict[str, Any]], Awaitable[Subject]]


class Close(Exception):
    """The socket must be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:120].decode(errors="ignore")


async def until_credential_ends(
    identify: Callable[[], Awaitable[Subject]], subject: Subject, every_s: float
) -> None:
    """Return once the caller's session or key has expired or was revoked."""
    if not subject.is_known:
        await asyncio.Event().wait()
    while True:
        left = every_s if subject.expires_at is None else subject.expires_at - time()
        if left <= 0:
            return
        await asyncio.sleep(min(every_s, left))
        try:
            if not (await identify()).is_known:
                return
        except (Unauthenticated, Forbidden):
            return
        except Exception as error:
            log.warning("graphql.credential_not_checked", error=type(error).__name__)


class Socket:
    """One client's connection."""

    def __init__(
        self,
        websocket: WebSocket,
        door: Door,
        identify: IdentifyInit,
        make_context: MakeContext,
        stopping: asyncio.Event,
    ) -> None:
        self.websocket = websocket
        self.door = door
        self.settings = door.settings
        self.identify = identify
        self.make_context = make_context
        self.stopping = stopping
        self.subject: Subject | None = None
        self._identify: Callable[[], Awaitable[Subject]] | None = None
        self.init_received = False
        self.operations: dict[str, asyncio.Task[None]] = {}
        self._duties: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Serve the socket until either side closes it."""
        if not await self._accept():
            return
        for duty in (self._read(), self._limit_init(), self._stop_with_server()):
            self._start(duty)
        try:
            close = await self._closing
        finally:
            tasks = [*self._duties, *self.operations.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.websocket.client_state is WebSocketState.CONNECTED:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_WAIT_S):
                    await self.websocket.close(close.code, close.reason)

    async def _accept(self) -> bool:
        origin = self.websocket.headers.get("origin")
        if origin is not None and not is_known_origin(
            origin, self.settings.allowed_origins, own_origin(self.websocket)
        ):
            await self.websocket.send_denial_response(
                refusal_response(
                    HttpRefusal(403, "FORBIDDEN", "This origin may not open a socket."), uuid4().hex
                )
            )
            return False
        if PROTOCOL in self.websocket.scope.get("subprotocols", ()):
            await self.websocket.accept(PROTOCOL)
            return True
        await self.websocket.accept()
        await self.websocket.close(WRONG_PROTOCOL, f"Only {PROTOCOL} is spoken here")
        return False

    def _start(self, duty: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(duty)
        self._duties.add(task)
        task.add_done_callback(self._duty_done)

    def _duty_done(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Close):
            self._close(error)
        elif isinstance(error, WebSocketDisconnect):
            self._close(Close(1000, ""))
        elif error is not None:
            log.error("graphql.socket_failed", exc_info=error)
            self._close(Close(INTERNAL_ERROR, "Internal error"))

    def _close(self, close: Close) -> None:
        if not self._closing.done():
            self._closing.set_result(close)

    async def _limit_init(self) -> None:
        await asyncio.sleep(self.settings.init_timeout_s)
        if not self.init_received:
            raise Close(INIT_TIMEOUT, "Connection initialisation timeout")

    async def _stop_with_server(self) -> None:
        await self.stopping.wait()
        raise Close(GOING_AWAY, "The server is stopping")

    async def _read(self) -> None:
        while True:
            frame = await self.websocket.receive()
            if frame["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(frame.get("code", 1005))
            text = frame.get("text")
            if text is None:
                raise Close(BAD_MESSAGE, "Messages must be text frames")
            raw = text.encode(errors="replace")
            if len(raw) > self.settings.max_body:
                raise Close(TOO_BIG, "Message too big")
            try:
                message = orjson.loads(raw)
            except orjson.JSONDecodeError:
                raise Close(BAD_MESSAGE, "Messages must be JSON") from None
            if not isinstance(message, dict):
                raise Close(BAD_MESSAGE, "Messages must be JSON objects")
            await self._handle(message, raw)

    async def _handle(self, message: dict[str, Any], raw: bytes) -> None:
        kind = message.get("type")
        payload = message.get("payload")
        if kind in ("connection_init", "ping", "pong"):
            if payload is not None and not isinstance(payload, dict):
                raise Close(BAD_MESSAGE, f"The payload of {kind} must be an object")
            if kind == "connection_init":
                await self._initialise(payload or {})
            elif kind == "ping":
                await self._send({"type": "pong", **({"payload": payload} if payload else {})})
            return
        operation_id = message.get("id")
        if kind not in ("subscribe", "complete"):
            raise Close(BAD_MESSAGE, "Unknown message type")
        if not isinstance(operation_id, str) or not operation_id:
            raise Close(BAD_MESSAGE, f"{kind} needs an id")
        if kind == "complete":
            task = self.operations.pop(operation_id, None)
            if task is not None:
                task.cancel()
                self._duties.add(task)
                task.add_done_callback(self._duties.discard)
            return
        await self._subscribe(operation_id, payload, raw)

    async def _initialise(self, payload: dict[str, Any]) -> None:
        if self.init_received:
            raise Close(INIT_TWICE, "Too many initialisation requests")
        self.init_received = True

        async def identify() -> Subject:
            return await self.identify(self.websocket, payload)

        try:
            self.subject = await identify()
            self._identify = identify
        except (Unauthenticated, Forbidden) as error:
            raise Close(FORBIDDEN, error.message) from None
        except DomainError as error:
            raise Close(TRY_AGAIN, error.message) from None
        except Exception as error:
            if code_of(error) == "UNAVAILABLE":
                raise Close(TRY_AGAIN, "The database is away") from None
            raise
        await self._send({"type": "connection_ack"})
        self._start(self._watch(identify, self.subject))

    async def _watch(self, identify: Callable[[], Awaitable[Subject]], subject: Subject) -> None:
        await until_credential_ends(identify, subject, self.settings.recheck_s)
        raise Close(FORBIDDEN, "The session or key has ended")

    async def _subscribe(self, operation_id: str, payload: object, raw: bytes) -> None:
        if self.subject is None:
            raise Close(NOT_ACKNOWLEDGED, "Unauthorized")
        if operation_id in self.operations:
            raise Close(DUPLICATE_ID, f"Subscriber for {operation_id} already exists")
        try:
            request = from_object(payload, raw, self.settings)
        except BadVariables as refusal:
            error = {"message": refusal.message, "extensions": {"code": refusal.code}}
            await self._send_errors(operation_id, [error])
            return
        except HttpRefusal as refusal:
            raise Close(BAD_MESSAGE, refusal.message) from None
        if len(self.operations) >= self.settings.max_socket_operations:
            refused = Refused.because(
                f"At most {self.settings.max_socket_operations} operations may run on one socket.",
                RATE_LIMITED,
            )
            await self._send_errors(operation_id, refused.errors)
            return
        task = asyncio.create_task(self._operate(operation_id, request, self.subject))
        self.operations[operation_id] = task
        task.add_done_callback(self._duty_done)

    async def _operate(self, operation_id: str, request: GraphQLRequest, subject: Subject) -> None:
        request_id = uuid4().hex

        def new_context() -> Context:
            # The socket may be open for days: each operation sees that its caller may still do it.
            caller = replace(subject, is_remembered=subject.version is not None)
            context = self.make_context(self.websocket, caller, request_id)
            context.identify = self._identify
            return context

        try:
            operation = await self.door.open(request, subject)
            schema = operation.schema or self.door.schema
            results = run(schema, operation, request.variables, new_context, self.settings)
            async with aclosing(results):
                async for result in results:
                    if not result.executed:
                        raise Refused(result.errors)
                    payload = result.payload(requestId=request_id)
                    await self._send({"id": operation_id, "type": "next", "payload": payload})
        except (Close, WebSocketDisconnect):
            raise
        except Refused as refused:
            self._forget(operation_id)
            await self._send_errors(operation_id, refused.errors)
            return
        except Exception as error:
            self._forget(operation_id)
            await self._send_errors(operation_id, [from_exception(error, request_id)])
            return
        # Forgotten first: the client may use the id again as soon as it reads `complete`.
        self._forget(operation_id)
        await self._send({"id": operation_id, "type": "complete"})

    def _forget(self, operation_id: str) -> None:
        if self.operations.get(operation_id) is asyncio.current_task():
            del self.operations[operation_id]

    async def _send_errors(self, operation_id: str, errors: list[FormattedError]) -> None:
        await self._send({"id": operation_id, "type": "error", "payload": errors})

    async def _send(self, message: dict[str, Any]) -> None:
        text = to_json(message).decode()
        try:
            # A reader that does not read is dropped: nothing is buffered for it.
            async with self._lock, asyncio.timeout(self.settings.send_timeout_s):
                await self.websocket.send_text(text)
        except TimeoutError:
            raise Close(TRY_AGAIN, "Messages are not being read") from None
