"""Answers that are taken away while somebody is about to read them are asked for anew."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete

from app.core import db
from app.core.errors import Unavailable
from app.core.files import Storage
from app.semantic import asking
from app.semantic.asking import answer
from app.semantic.tables import semantic_queries
from app.settings import get_settings
from tests.app.semantic.asked import KEY, asked, in_state, statement, stored, until
from tests.app.semantic.conftest import Gate, hold
from workers.semantic.lane import Lane

LONG = "SELECT repeat('{}', 1000) || n AS word FROM generate_series(1, 3000) AS n"


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_kept", asking._Kept(0))


def file_of(row: dict[str, Any]) -> Any:
    """Where an answer's file is."""
    return Storage(get_settings().places.storage_dir).path(row["result_key"])


async def test_a_file_that_is_gone_is_made_again(lane: Lane) -> None:
    long = statement(LONG.format("g"))
    first = await asked(long)
    file_of(await stored(long)).unlink()
    second = await asked(long)
    assert second.rows() == first.rows() and second.run == 2
    assert file_of(await stored(long)).exists()


async def test_a_file_that_is_replaced_on_the_way_is_read_from_the_new_one(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = statement(LONG.format("r"))
    await asked(long)
    reads = []

    def late(key: str) -> bytes | None:
        # Whoever reads has seen the row; the next run ends before they open the file.
        reads.append(key)
        if len(reads) == 1:
            file_of({"result_key": key}).unlink()
        return real(key)

    real = asking._read
    monkeypatch.setattr(asking, "_read", late)
    assert len((await asked(long)).rows()) == 3000
    assert len(reads) == 2 and reads[0] != reads[1]


async def test_a_file_that_never_stays_is_told(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    long = statement(LONG.format("n"))
    await asked(long)
    monkeypatch.setattr(asking, "_read", lambda key: None)
    with pytest.raises(Unavailable, match="each time"):
        await answer(long, KEY, 20)


async def test_a_statement_that_is_deleted_under_who_waits_is_asked_anew(
    lane: Lane, gate: Gate
) -> None:
    await gate.close(40)
    slow = statement(f"SELECT 'anew' AS word, {hold(40)}::text AS held")
    waiting = asyncio.create_task(answer(slow, KEY, 20))
    await until(lambda: _there(slow))
    await in_state(slow, "running")
    async with db.engine().begin() as connection:
        await connection.execute(delete(semantic_queries).where(semantic_queries.c.key == slow.key))
    await gate.open(40)
    found = await waiting
    assert found is not None and found.rows() == [["anew", ""]]


async def _there(of: asking.Statement) -> bool:
    async with db.reading() as connection:
        wanted = semantic_queries.select().where(semantic_queries.c.key == of.key)
        return (await connection.execute(wanted)).first() is not None
