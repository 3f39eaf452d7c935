"""Repeats a duty, and survives whatever it raises."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from app.core.db import is_transient

log = structlog.get_logger()

LIMIT_S = 60.0
LONGEST_DELAY_S = 3.0


async def every(interval_s: float, duty: Callable[[], Awaitable[object]], name: str) -> None:
    """Do a duty soon, and then every `interval_s` seconds, a quarter more or less.

    While it fails the pause doubles, up to the longer of 3 s and the interval; the first failure
    and the recovery are logged, not each try.
    """
    failures = 0
    await asyncio.sleep(min(interval_s, 0.5) * random.random())
    while True:
        try:
            async with asyncio.timeout(LIMIT_S):
                await duty()
        except Exception as error:
            if failures == 0:
                _report(name, error)
            failures = min(failures + 1, 10)
        else:
            if failures:
                log.info("loop.recovered", loop=name)
            failures = 0
        pause_s = min(interval_s * 2**failures, max(LONGEST_DELAY_S, interval_s))
        await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))


def _report(name: str, error: Exception) -> None:
    if is_transient(error):
        log.warning("loop.waits", loop=name, error=type(error).__name__)
    else:
        log.error("loop.broke", loop=name, exc_info=error)
