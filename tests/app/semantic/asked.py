"""Statements on the data source of a test, and how they stand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select

from app.core import db
from app.semantic.asking import Answer, Statement, Wanted, answer
from app.semantic.tables import semantic_queries

KEY = Wanted("one")
PROJECT = 1


def statement(sql: str, *values: Any) -> Statement:
    """A statement on the module's data source."""
    return Statement(PROJECT, "default", "warehouse", "postgres", sql, values)


async def stored(of: Statement) -> dict[str, Any]:
    """The statement's row."""
    async with db.reading() as connection:
        wanted = select(semantic_queries).where(semantic_queries.c.key == of.key)
        return dict((await connection.execute(wanted)).mappings().one())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once a condition holds."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def asked(of: Statement, wanted: Wanted = KEY, wait_s: float = 0.3) -> Answer:
    """Ask again and again, as a client does; the answer."""
    async with asyncio.timeout(20):
        while True:
            found = await answer(of, wanted, wait_s)
            if found is not None:
                return found


async def in_state(of: Statement, state: str) -> None:
    """Return once the statement's row is in a state."""

    async def holds() -> bool:
        return bool((await stored(of))["state"] == state)

    await until(holds)
