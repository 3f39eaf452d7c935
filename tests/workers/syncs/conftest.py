"""Callers, and a worker of stand-in kinds in the test's own process."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import func
from starlette.applications import Starlette

from app.runs.claim import claim
from app.runs.tables import workers
from app.settings import get_settings
from tests.factories import rows
from tests.factories.team import Team, make_team
from tests.workers.syncs.kinds import KINDS
from workers.execute import Execution


@pytest.fixture(scope="module")
async def team(app: Starlette, client: httpx2.AsyncClient) -> Team:
    """A project of three."""
    return await make_team(client)


async def _serve(stop: asyncio.Event) -> None:
    while not stop.is_set():
        taken = await claim("stand-in", lease_s=30, kinds=list(KINDS), project_limit=100)
        if taken is None:
            await asyncio.sleep(0.02)
            continue
        execution = Execution(taken, get_settings().work, time.monotonic())
        await execution.hold(KINDS[taken.run["kind"]])


@pytest_asyncio.fixture(scope="module")
async def worker(app: Starlette) -> AsyncIterator[None]:
    """Takes checks, discoveries, syncs and clearings, and does them as the stand-ins do."""
    hour = func.now() + func.make_interval(0, 0, 0, 0, 1)
    await rows.row(workers, id="stand-in", host="h", slots=1, seen_at=hour, looked_at=hour)
    stop = asyncio.Event()
    serving = asyncio.create_task(_serve(stop))
    yield
    stop.set()
    await serving
