"""What `run` and `logs` share: whom they call, and what becomes of faults."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from app.cli._client import Graph, Refused, Unreachable, find_key
from app.settings import get_settings

T = TypeVar("T")

NOT_DONE = 3
LEFT = 130
HERE = ("127.0.0.1", "localhost", "::1")


class Caller:
    """A server's address and a key; the key of a running `dev` is found for this machine only."""

    def __init__(self, url: str, key: str) -> None:
        client = get_settings().client
        self._url = url or client.url
        self._key = key or client.client_key

    def call(self, work: Callable[[Graph], Awaitable[T]]) -> T:
        """Run some work with the graph; a fault ends the program with status 3."""
        try:
            return asyncio.run(self._with_graph(work))
        except (Refused, Unreachable) as error:
            print(f"isthmus: {error}", file=sys.stderr, flush=True)
            raise SystemExit(NOT_DONE) from None

    async def _with_graph(self, work: Callable[[Graph], Awaitable[T]]) -> T:
        if not self._key:
            if urlsplit(self._url).hostname not in HERE:
                raise Refused("Give the key of that server: ISTHMUS_CLIENT_KEY or --key.")
            self._key = await find_key()
        async with Graph(self._url, self._key) as graph:
            return await work(graph)
