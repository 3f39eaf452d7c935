"""After commit, hint a worker. The arq client lives here and nowhere else.

A hint means "look": a lost one is only late (the reconciler pushes again), a doubled one is
harmless (the second look finds nothing to claim). Every push uses a fresh arq job id, because a
dead worker's in-progress key would block a reused one.
"""

import asyncio
import os
import signal
from typing import Any

import orjson
import structlog
from arq.connections import ArqRedis
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError

log = structlog.get_logger()

LOOK = "look"
"""The one arq task: claim the best due run."""
QUEUE = "isthmus:queue"
WAKE = "isthmus:wake"
"""A list that sleeping workers block on, so that a hint is seen within milliseconds."""
WAKE_LENGTH = 16
HINT_TIMEOUT_S = 5.0

_redis: ArqRedis | None = None
_pushes: set[asyncio.Task[None]] = set()
_die_before_push = False


def serialize(value: Any) -> bytes:
    """arq's job payload as JSON: a queue that could carry pickles would run its writers' code."""
    return orjson.dumps(value, default=str)


def deserialize(data: bytes) -> Any:
    """The reverse; anything but JSON is refused unopened."""
    return orjson.loads(data)


def new_client(url: str, connections: int = 20, socket_timeout_s: float | None = None) -> ArqRedis:
    """A client with short time-outs, so that an absent Redis never holds a caller up."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=2,
        socket_connect_timeout=1,
        socket_timeout=socket_timeout_s,
    )
    return ArqRedis(
        pool_or_conn=pool,
        job_serializer=serialize,
        job_deserializer=deserialize,
        default_queue_name=QUEUE,
    )


def connect(url: str, *, die_before_push: bool = False) -> ArqRedis:
    """Open this process's client. `die_before_push` is the fault that the crash tests inject."""
    global _redis, _die_before_push
    _redis = new_client(url)
    _die_before_push = die_before_push
    return _redis


async def disconnect() -> None:
    """Finish pushes in hand and close the client."""
    global _redis
    if _pushes:
        await asyncio.wait(_pushes, timeout=2)
    if _redis is not None:
        await _redis.aclose(close_connection_pool=True)
    _redis = None


def redis() -> ArqRedis:
    """This process's client."""
    if _redis is None:
        raise RuntimeError("Redis is not connected.")
    return _redis


def push(run_ids: list[str]) -> None:
    """Push hints in the background and forget failures."""
    if _die_before_push:
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    task = asyncio.get_running_loop().create_task(_push(run_ids))
    _pushes.add(task)
    task.add_done_callback(_pushes.discard)


async def _push(run_ids: list[str]) -> None:
    try:
        await hint(run_ids)
    except (RedisError, OSError) as error:
        log.warning("hint.lost", runs=len(run_ids), error=type(error).__name__)


async def hint(run_ids: list[str]) -> None:
    """Push one hint per run, then wake a sleeping worker. A frozen Redis is a TimeoutError."""
    client = redis()
    async with asyncio.timeout(HINT_TIMEOUT_S):
        for run_id in run_ids:
            await client.enqueue_job(LOOK, run_id)
        async with client.pipeline(transaction=False) as pipe:
            pipe.rpush(WAKE, *run_ids)
            pipe.ltrim(WAKE, -WAKE_LENGTH, -1)
            await pipe.execute()
