"""A client of the graph for the shell: queries over HTTP, subscriptions as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import httpx2
import orjson

PATIENCE_S = 30.0
"""Longer than a stream is ever silent: the server sends a comment every 12 s."""
AWAY = ("UNAVAILABLE", "TIMEOUT", "RATE_LIMITED", "INTERNAL")


class Unreachable(Exception):
    """The server does not answer, or cannot now; the same may succeed later."""


class Refused(Exception):
    """The server says no; the text is its reason."""


class Graph:
    """A server and a caller of it."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        try:
            self._http = httpx2.AsyncClient(
                base_url=self._url, headers={"X-API-KEY": key}, timeout=PATIENCE_S
            )
            self._http.build_request("POST", "/v2/graphql")
        except (httpx2.InvalidURL, ValueError):
            raise Refused("The URL or the key cannot be used.") from None

    async def __aenter__(self) -> "Graph":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a query or mutation."""
        body = {"query": query, "variables": variables}
        try:
            response = await self._http.post("/v2/graphql", json=body)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        return self._data(response.content, response.status_code)

    async def stream(self, query: str, **variables: Any) -> AsyncIterator[dict[str, Any]]:
        """The data of each event of a subscription, until the server ends the stream."""
        body = {"query": query, "variables": variables}
        headers = {"Accept": "text/event-stream"}
        try:
            async with self._http.stream(
                "POST", "/v2/graphql", json=body, headers=headers
            ) as response:
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    self._data(await response.aread(), response.status_code)
                    raise Unreachable(f"{self._url} answers with no stream.")
                async for line in response.aiter_lines():
                    if line.startswith("data:") and len(line) > len("data: "):
                        yield self._data(line[len("data:") :].encode(), response.status_code)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx2.HTTPError) -> Unreachable:
        return Unreachable(f"{self._url} does not answer ({type(error).__name__}).")

    def _data(self, content: bytes, status: int) -> dict[str, Any]:
        try:
            answer = orjson.loads(content)
            data, errors = answer.get("data"), answer.get("errors") or []
        except (orjson.JSONDecodeError, AttributeError):
            if status >= 500:
                raise Unreachable(f"{self._url} answers with HTTP {status}.") from None
            raise Refused(f"{self._url} is no Isthmus (HTTP {status}).") from None
        for error in errors:
            code = (error.get("extensions") or {}).get("code")
            kind = Unreachable if code in AWAY else Refused
            raise kind(str(error.get("message")))
        if not isinstance(data, dict):
            raise Refused(f"{self._url} is no Isthmus (HTTP {status}).")
        return data


async def find_key() -> str:
    """The api_key of a running `isthmus dev` with this home, or of DATABASE_URL."""
    from app.access.installation import keys
    from app.cli import _session

    async def read() -> str:
        return keys().api_key

    try:
        key: str = await asyncio.wait_for(_session.with_database(read), 15)
    except (_session.NotReachable, RuntimeError, TimeoutError):
        raise Unreachable(
            "There is no key to call with. Start `isthmus dev`, or set ISTHMUS_CLIENT_KEY or --key."
        ) from None
    return key
