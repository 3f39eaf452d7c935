"""arq's part: take hints from Redis and tell the executor to look."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, cast

import structlog
from arq.worker import Worker, func
from redis.exceptions import RedisError

from app.core import outbox
from workers.executor import Executor

log = structlog.get_logger()

POLL_S = 0.5
BLOCK_S = 5
SOCKET_TIMEOUT_S = 10
LONGEST_DELAY_S = 2.0


class HandOff(Worker):
    """An arq worker that a token in the wake list wakes at once; its polls are only the net."""

    def __init__(self, redis_url: str, executor: Executor) -> None:
        self._executor = executor
        self._woken = asyncio.Event()
        self._found = False

        async def look(_: dict[str, Any], run_id: str) -> None:
            executor.look()

        super().__init__(
            functions=[func(cast(Any, look), name=outbox.LOOK)],
            redis_pool=outbox.new_client(redis_url, socket_timeout_s=SOCKET_TIMEOUT_S),
            queue_name=outbox.QUEUE,
            job_serializer=outbox.serialize,
            job_deserializer=outbox.deserialize,
            handle_signals=False,
            max_jobs=100,
            max_tries=1,
            retry_jobs=False,
            keep_result=0,
            # Also how long a dead worker's key keeps others from its hint, which is late then.
            job_timeout=5,
            poll_delay=POLL_S,
            health_check_interval=10,
            log_results=False,
        )

    async def main(self) -> None:
        """Serve until Redis goes away, which raises an exception group."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._poll())

    async def _poll(self) -> None:
        while True:
            self._woken.clear()
            # Hints for which there is no room are left to others.
            self.allow_pick_jobs = self._executor.room > 0
            self.max_jobs = min(100, self.job_counter + self._executor.room)
            self._found = False
            await self._poll_iteration()
            if not self._found:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._woken.wait()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start those that no other worker has; remembers whether there were any."""
        before = set(self.tasks)
        await super().start_jobs(job_ids)
        self._found = not before.issuperset(self.tasks)

    async def _listen(self) -> None:
        while True:
            if self._executor.room == 0:
                await asyncio.sleep(0.1)
            elif await cast(Awaitable[Any], self.pool.blpop([outbox.WAKE], timeout=BLOCK_S)):
                self._woken.set()

    async def close(self) -> None:
        """End tasks in hand and the connections."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        with suppress(RedisError, OSError):
            await self.pool.aclose(close_connection_pool=True)


async def serve(redis_url: str, executor: Executor) -> None:
    """Keep an arq worker going; it ends whenever Redis goes away, and is started again."""
    delay_s = 0.1
    away = False
    while True:
        started = asyncio.get_running_loop().time()
        # A task of its own: on early 3.11 a task group that failed leaves its task half
        # cancelled, and no time-out works in it any more.
        once = asyncio.create_task(_serve_once(redis_url, executor, was_away=away))
        try:
            await asyncio.wait({once})
        except asyncio.CancelledError:
            once.cancel()
            await asyncio.wait({once})
            raise
        error = None if once.cancelled() else once.exception()
        if asyncio.get_running_loop().time() - started > LONGEST_DELAY_S:
            # It had been there: what is told now is a new absence.
            delay_s, away = 0.1, False
        if _is_away(error):
            if not away:
                log.warning("redis.away", error=type(error).__name__)
            away = True
        else:
            log.error("hand_off.broke", exc_info=error)
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)


async def _serve_once(redis_url: str, executor: Executor, *, was_away: bool) -> None:
    worker = HandOff(redis_url, executor)
    try:
        await worker.pool.ping()
        if was_away:
            log.info("redis.returned")
        await worker.main()
    finally:
        await worker.close()


def _is_away(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_away, error.exceptions))
    return error is None or isinstance(error, RedisError | OSError)
