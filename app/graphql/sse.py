"""Results as server-sent events: the distinct-connections mode of the GraphQL over SSE protocol."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from starlette.types import Receive, Send

from app.graphql.errors import UNAUTHENTICATED, Refused
from app.graphql.request import EVENT_STREAM, to_json

COMPLETE = b"event: complete\ndata: \n\n"
COMMENT = b":\n\n"


class EventStream:
    """One response: events until the operation, the credential, the client or the server ends."""

    def __init__(
        self, receive: Receive, send: Send, *, keep_alive_s: float, send_timeout_s: float
    ) -> None:
        self._receive = receive
        self._send = send
        self._keep_alive_s = keep_alive_s
        self._send_timeout_s = send_timeout_s
        self._lock = asyncio.Lock()

    async def run(
        self,
        payloads: AsyncIterator[dict[str, Any]],
        *,
        headers: list[tuple[bytes, bytes]],
        stopping: asyncio.Event,
        credential_ended: Callable[[], Awaitable[None]],
    ) -> None:
        """Send every payload as a `next` event and `complete` at the end."""
        kind = f"{EVENT_STREAM}; charset=utf-8".encode()
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", kind), (b"x-accel-buffering", b"no"), *headers],
            }
        )
        pump = _task(self._pump(payloads))
        gone = _task(self._wait_for_disconnect())
        ended = _task(_wait(credential_ended()))
        others = [_task(self._keep_alive()), _task(_wait(stopping.wait()))]
        tasks = [pump, gone, ended, *others]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if _finished(gone) or any(_failed(task) for task in tasks):
            return
        if _finished(ended):
            refused = Refused.because("The session or key has ended.", UNAUTHENTICATED)
            await self._write(_next({"errors": refused.errors}))
        await self._write(COMPLETE, more=False)

    async def _pump(self, payloads: AsyncIterator[dict[str, Any]]) -> None:
        async for payload in payloads:
            await self._write(_next(payload))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_s)
            await self._write(COMMENT)

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        # A reader that does not read is dropped: nothing is buffered for it beyond the socket.
        async with self._lock, asyncio.timeout(self._send_timeout_s):
            await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _next(payload: dict[str, Any]) -> bytes:
    return b"event: next\ndata: " + to_json(payload) + b"\n\n"


async def _wait(awaitable: Awaitable[object]) -> None:
    await awaitable


def _task(coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    return asyncio.create_task(coroutine)


def _finished(task: "asyncio.Task[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None
