"""How much is kept of a project: answers, statements, and those that wait."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import db
from app.core.errors import RateLimited
from app.core.files import Storage
from app.semantic import asking
from app.semantic.actions import work
from app.semantic.asking import Statement, Wanted, answer
from app.semantic.tables import semantic_queries
from app.settings import get_settings
from tests.app.semantic.asked import KEY, PROJECT, asked, statement, stored, until
from tests.factories import rows
from workers.semantic import lane as lanes
from workers.semantic.lane import Lane

LONG = "SELECT repeat('{}', 1000) || n AS word FROM generate_series(1, 3000) AS n"


async def keys(project: int = PROJECT) -> list[str]:
    """The kept statements of a project, as they were made."""
    c = semantic_queries.c
    async with db.reading() as connection:
        wanted = select(c.key).where(c.project_id == project).order_by(c.id)
        return list(await connection.scalars(wanted))


async def queried(project: int, key: str, state: str, **more: Any) -> None:
    """A row of a statement."""
    place = {"data_source": "default", "place": "warehouse", "dialect": "postgres", "sql": "x"}
    own = {"project_id": project, "key": key, "state": state, "values": [], **place}
    await rows.row(semantic_queries, **own, **more)


async def older(of: Statement, hours: int) -> None:
    """As if a statement had been asked for so long ago."""
    ago = datetime.now(UTC) - timedelta(hours=hours)
    await rows.change(semantic_queries, (await stored(of))["id"], asked_at=ago)


async def test_of_a_projects_answers_the_oldest_go_first(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [statement(f"SELECT {n} AS kept") for n in range(4)]
    for one in made:
        await asked(one)
    for one, hours in zip(made, (1, 3, 4, 2), strict=True):
        await older(one, hours)
    other = await rows.project()
    await queried(other, "other", "done")
    monkeypatch.setattr(work, "MOST_KEPT", 3)
    monkeypatch.setattr(lanes, "TRIM_S", 0)
    last = statement("SELECT 'last' AS kept")
    await asked(last)

    async def three_left() -> bool:
        return await keys() == [made[0].key, made[3].key, last.key]

    await until(three_left)
    assert await keys(other) == ["other"]


async def test_a_project_keeps_only_so_many_bytes(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = lane._settings.model_copy(update={"query_kept_mb": 7})
    monkeypatch.setattr(lane, "_settings", settings)
    storage = Storage(get_settings().places.storage_dir)
    made = [statement(LONG.format(letter)) for letter in "abc"]
    small = statement("SELECT 'small' AS kept")
    await asked(small)
    files = []
    for one in made[:2]:
        await asked(one)
        files.append(storage.path((await stored(one))["result_key"]))
    await older(small, 3)
    await older(made[1], 2)
    await asked(made[2])

    async def gone() -> bool:
        return not files[1].exists()

    await until(gone)
    kept = set(await keys())
    assert {made[0].key, made[2].key} <= kept and not {made[1].key, small.key} & kept
    assert files[0].exists()


async def test_what_runs_or_waits_is_not_trimmed(app: object) -> None:
    project = await rows.project()
    for state in ("queued", "running", "done", "failed"):
        ago = datetime.now(UTC) - timedelta(hours=1)
        await queried(project, f"of {state}", state, asked_at=ago)
    assert await work.trim(project, 0) == ([], False)
    assert await keys(project) == ["of queued", "of running"]


async def test_those_that_nobody_waits_for_are_in_nobodys_way(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_WAITING", 1)
    ago = datetime.now(UTC) - timedelta(hours=1)
    for n in range(3):
        await queried(PROJECT, f"abandoned {n}", "queued", asked_at=ago)
    assert (await asked(statement("SELECT 'room' AS word"))).rows() == [["room"]]
    assert not [key for key in await keys() if key.startswith("abandoned")]


async def test_a_statement_that_is_run_again_waits_like_others(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = statement("SELECT 'again' AS word")
    first = await asked(again)
    monkeypatch.setattr(asking, "MOST_WAITING", 0)
    with pytest.raises(RateLimited, match="wait already"):
        await answer(again, Wanted("two"), 0)
    monkeypatch.setattr(asking, "GOOD_S", 0)
    assert (await asked(again, KEY)).run == first.run == (await stored(again))["run"]
