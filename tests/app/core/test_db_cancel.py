"""A cancelled transaction ends as cancelled, wherever it was, and gives its connection up."""

import asyncio

import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from app.core import db
from app.core.db import transaction
from app.core.rules import SYSTEM


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(60)", None])
async def test_cancelled_work_is_cancelled(app: Starlette, statement: str | None) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with transaction(SYSTEM) as tx:
            await tx.execute(text("SELECT 1"))
            begun.set()
            await (tx.execute(text(statement)) if statement else asyncio.sleep(60))

    for _ in range(12):  # more than the pool has
        begun.clear()
        task = asyncio.create_task(work())
        await begun.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with db.reading() as connection:
        assert await connection.scalar(text("SELECT 2")) == 2
