"""Events and lines of a run from where one left off: live while that goes, else by asking again."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from app.cli._client import Graph, Unreachable

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
PAGE = 100
POLL_S = 1.0
GIVE_UP_S = 60.0


@dataclass(frozen=True)
class Feed:
    """How a numbered list of a run is followed, and how it is read; both name it `items`."""

    live: str
    stored: str


EVENTS = Feed(
    live="subscription($id: ID!, $after: BigInt) { items: runUpdated(id: $id, after: $after) "
    "{ seq kind step status } }",
    stored="query($id: ID!, $first: Int!, $from: Int!) { run(id: $id) { status "
    "items: events(first: $first, where: {seq: {gte: $from}}) "
    "{ nodes { seq kind step status } } } }",
)
LINES = Feed(
    live="subscription($id: ID!, $after: BigInt) { items: runLogs(runId: $id, after: $after) "
    "{ seq level step message } }",
    stored="query($id: ID!, $first: Int!, $from: Int!) { run(id: $id) { status "
    "items: logs(first: $first, where: {seq: {gte: $from}}) "
    "{ nodes { seq level step message } } } }",
)


class Reader:
    """Reads one feed of one run; remembers how far it has come."""

    def __init__(self, feed: Feed, run_id: str, after: int = 0) -> None:
        self._feed = feed
        self._run_id = run_id
        self._seq = after

    async def follow(self, graph: Graph) -> AsyncIterator[dict[str, Any]]:
        """Each item once, until the run has ended; raises Unreachable after a minute of nothing."""
        heard = time.monotonic()
        while True:
            try:
                async for data in graph.stream(
                    self._feed.live, id=self._run_id, after=str(self._seq)
                ):
                    items = data["items"]
                    for item in self._new(items if isinstance(items, list) else [items]):
                        yield item
            except Unreachable:
                pass
            # A stream also ends where the server stops; the stored list knows if that was all.
            try:
                items, ended = await self._read(graph)
                heard = time.monotonic()
            except Unreachable:
                if time.monotonic() - heard > GIVE_UP_S:
                    raise
                await asyncio.sleep(POLL_S)
                continue
            for item in items:
                yield item
            if ended and not items:
                return
            if not items:
                await asyncio.sleep(POLL_S)

    async def read(self, graph: Graph) -> AsyncIterator[dict[str, Any]]:
        """Each item that there is now, once."""
        while True:
            items, _ = await self._read(graph)
            for item in items:
                yield item
            if not items:
                return

    async def _read(self, graph: Graph) -> tuple[list[dict[str, Any]], bool]:
        data = await graph.ask(
            self._feed.stored, **{"id": self._run_id, "first": PAGE, "from": self._seq + 1}
        )
        run = data["run"]
        if run is None:  # deleted meanwhile
            return [], True
        return list(self._new(run["items"]["nodes"])), run["status"] in ENDED

    def _new(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        fresh = [item for item in items if int(item["seq"]) > self._seq]
        if fresh:
            self._seq = int(fresh[-1]["seq"])
        return fresh
