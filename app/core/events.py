"""Wake-ups for those who follow runs. The events themselves are rows; a lost wake-up is only late.

Redis carries `{"run": id, "project": id}` or `{"topics": [text]}` on one channel; each process listens once and wakes the
waiters concerned. While Redis is away waiters fall back to looking every `POLL_S` seconds.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import orjson
import structlog
from redis.exceptions import RedisError

from app.core import outbox

log = structlog.get_logger()

CHANNEL = "isthmus:events"
CANCELS = "isthmus:cancels"
QUERIES = "isthmus:queries"
POLL_S = 2.0

_tasks: set[asyncio.Task[None]] = set()
_waiters: dict[str, set[asyncio.Event]] = {}


def publish(run_id: str, project_id: int) -> None:
    """Wake the followers of a run and of its project, in the background."""
    _send(CHANNEL, orjson.dumps({"run": run_id, "project": project_id}))


def publish_topics(topics: Iterable[str]) -> None:
    """Wake those who wait for one of these, in the background."""
    _send(CHANNEL, orjson.dumps({"topics": list(topics)}))


def publish_cancel(run_id: str) -> None:
    """Tell the worker that runs it to look for a cancel before its next beat."""
    _send(CANCELS, run_id.encode())


def publish_look() -> None:
    """Tell the query lanes of all workers to look for work."""
    _send(QUERIES, b"look")


def _send(channel: str, message: bytes) -> None:
    task = asyncio.get_running_loop().create_task(_publish(channel, message))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _publish(channel: str, message: bytes) -> None:
    with suppress(RedisError, OSError, RuntimeError):
        await outbox.redis().publish(channel, message)


class Waiter:
    """Woken by changes of one run (`run:<id>`), of one project (`project:<id>`), or by another topic."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._event = asyncio.Event()

    def __enter__(self) -> "Waiter":
        _waiters.setdefault(self._topic, set()).add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        waiters = _waiters.get(self._topic, set())
        waiters.discard(self._event)
        if not waiters:
            _waiters.pop(self._topic, None)

    async def wait(self, timeout_s: float = POLL_S) -> None:
        """Return at the next change, or after `timeout_s` seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_s)
        self._event.clear()


def _wake(message: bytes) -> None:
    data = orjson.loads(message)
    topics = data.get("topics") or (f"run:{data['run']}", f"project:{data['project']}")
    for topic in topics:
        for event in _waiters.get(topic, ()):
            event.set()


async def listen(channel: str = CHANNEL, handle: Callable[[bytes], None] = _wake) -> None:
    """Hand each message of a channel to `handle`, for as long as the task lives."""
    while True:
        try:
            async with outbox.redis().pubsub() as subscription:
                await subscription.subscribe(channel)
                async for message in subscription.listen():
                    if message["type"] == "message":
                        handle(message["data"])
        except (RedisError, OSError, orjson.JSONDecodeError, KeyError) as error:
            log.warning("events.away", channel=channel, error=type(error).__name__)
        await asyncio.sleep(1)
