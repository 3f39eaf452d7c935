"""The kept count of a project's pipeline runs is what counting them gives, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from sqlalchemy import text
from starlette.applications import Starlette

from app.core import db
from workers.loops.tallies import fold

SUM = "SELECT coalesce(sum(runs), 0) FROM pipeline_run_tallies WHERE project_id = :p"
COUNT = "SELECT count(*) FROM pipeline_runs WHERE project_id = :p"
START = """
WITH made AS (
    INSERT INTO runs (project_id, kind) SELECT :p, 'pipeline' FROM generate_series(1, :n)
    RETURNING id
) INSERT INTO pipeline_runs (run_id, project_id, pipeline_uuid) SELECT id, :p, 'u' FROM made
"""


async def put(statement: str, **values: Any) -> Any:
    async with db.engine().begin() as connection:
        result = await connection.execute(text(statement), values)
        return result.scalar_one() if result.returns_rows else None


async def agree(project: int) -> int:
    """Both counts, which must be one."""
    found: int = await put(COUNT, p=project)
    assert found == await put(SUM, p=project)
    return found


@pytest_asyncio.fixture
async def project(app: Starlette) -> AsyncIterator[int]:
    """A project of its own."""
    key = await put("INSERT INTO projects (uuid, name) VALUES ('tallied', 't') RETURNING id")
    yield key
    await put("DELETE FROM projects WHERE id = :p", p=key)


async def test_it_follows_what_is_made_and_deleted(project: int) -> None:
    assert await agree(project) == 0
    await put(START, p=project, n=1)
    await put(START, p=project, n=10)
    assert await agree(project) == 11
    await put("DELETE FROM pipeline_runs WHERE project_id = :p AND number % 2 = 0", p=project)
    before = await agree(project)
    assert 0 < before < 11
    await put("DELETE FROM runs WHERE project_id = :p", p=project)
    assert await agree(project) == 0


async def test_it_follows_a_pipeline_that_is_renamed(project: int) -> None:
    await put(START, p=project, n=6)
    for statement in (
        "pipeline_uuid = 'v'",
        "pipeline_uuid = 'v'",
        "trigger_id = 7",
        "number = 0 - number",
    ):
        await put(f"UPDATE pipeline_runs SET {statement} WHERE project_id = :p", p=project)
        assert await agree(project) == 6
    of = " AND pipeline_uuid = 'v' AND trigger_id = 7"
    assert await put(SUM + of, p=project) == await put(COUNT + of, p=project) == 6
    await put("UPDATE pipeline_runs SET trigger_id = NULL WHERE project_id = :p", p=project)
    assert await put(SUM + of, p=project) == 0


async def test_what_is_rolled_back_is_not_counted(project: int) -> None:
    async with db.engine().connect() as connection:
        await connection.execute(text(START), {"p": project, "n": 5})
        await connection.rollback()
    assert await agree(project) == 0


async def test_a_project_goes_with_its_runs(project: int) -> None:
    await put(START, p=project, n=4)
    await put("DELETE FROM projects WHERE id = :p", p=project)
    assert await agree(project) == 0
    await fold()
    rows = await put("SELECT count(*) FROM pipeline_run_tallies WHERE project_id = :p", p=project)
    assert rows == 0


async def test_folding_while_others_start_runs_loses_none(project: int) -> None:
    async def starts() -> None:
        for _ in range(20):
            await put(START, p=project, n=2)

    async def folds() -> None:
        for _ in range(20):
            await fold()

    await asyncio.gather(starts(), folds(), starts(), folds())
    assert await agree(project) == 80
    await fold()
    assert await agree(project) == 80
    rows = await put("SELECT count(*) FROM pipeline_run_tallies WHERE project_id = :p", p=project)
    assert rows == 1
