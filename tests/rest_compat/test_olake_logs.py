"""Pages of a task's log: nothing is missing and nothing comes twice while lines are appended."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import rows

APPEND = text("""
INSERT INTO run_logs (run_id, project_id, seq, at, level, message)
SELECT :run, :project, n, now(), CASE WHEN n % 10 = 0 THEN 'DEBUG' ELSE 'INFO' END, 'line ' || n
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
""")


class Log:
    """The log of a task, and a caller who pages through it."""

    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}
        self.lines = 0

    async def make(self) -> None:
        """A job with a task."""
        self.project = await rows.project()
        self.job = await rows.sync_job(self.project)
        self.run = await rows.sync_task(self.job, "running")
        self.path = f"/api/v1/project/{self.project}/jobs/{self.job}"
        tasks = await self.client.get(f"{self.path}/tasks", headers=self.headers)
        self.task = tasks.json()["data"][0]["id"]

    async def append(self, count: int) -> None:
        """More lines; each tenth is for nobody."""
        async with db.engine().begin() as connection:
            first, last = self.lines + 1, self.lines + count
            given = {"run": self.run, "project": self.project, "first": first, "last": last}
            await connection.execute(APPEND, given)
        self.lines += count

    async def page(self, **query: Any) -> dict[str, Any]:
        """One page as the web UI asks for it."""
        url, body = f"{self.path}/tasks/1/logs", {"file_path": self.task}
        answer = await self.client.post(url, json=body, params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])


@pytest.fixture
async def log(client: httpx2.AsyncClient, owner_token: str) -> Log:
    made = Log(client, owner_token)
    await made.make()
    return made


def shown(first: int, last: int) -> list[str]:
    """The lines that are there for callers."""
    return [f"line {n}" for n in range(first, last + 1) if n % 10]


@pytest.mark.parametrize(
    ("count", "limit"), [(2_500, 500), pytest.param(100_000, 1000, marks=pytest.mark.long)]
)
async def test_older_and_newer_pages_meet_without_a_gap(log: Log, count: int, limit: int) -> None:
    await log.append(count)
    tail = await log.page(cursor=-1, limit=limit, direction="older")
    assert tail["has_more_newer"] is False and len(tail["logs"]) == limit
    older = [tail["logs"]]
    page = tail
    while page["has_more_older"]:
        await log.append(7)
        page = await log.page(cursor=page["older_cursor"], limit=limit, direction="older")
        older.insert(0, page["logs"])
    assert page["older_cursor"] == 0
    found = [line["message"] for lines in older for line in lines]
    assert found == shown(1, count)
    await log.append(limit * 2)
    page, newer = tail, []
    while True:
        page = await log.page(cursor=page["newer_cursor"], limit=limit, direction="newer")
        newer += [line["message"] for line in page["logs"]]
        if not page["has_more_newer"]:
            break
    assert newer == shown(count + 1, log.lines)
    again = await log.page(cursor=page["newer_cursor"], direction="newer")
    assert again["logs"] == [] and again["newer_cursor"] == page["newer_cursor"]


async def test_cursors_beyond_the_end_and_odd_ones(log: Log) -> None:
    empty = await log.page()
    assert empty == {
        "logs": [],
        "older_cursor": 0,
        "newer_cursor": 0,
        "has_more_older": False,
        "has_more_newer": False,
    }
    await log.append(5)
    beyond = await log.page(cursor=10**15, direction="newer")
    assert beyond["logs"] == [] and beyond["newer_cursor"] == 6
    assert len((await log.page(cursor=10**15))["logs"]) == 5
    for odd in ({"cursor": "x"}, {"limit": "0"}, {"limit": "1e9"}, {"direction": "up"}):
        url, body = f"{log.path}/tasks/1/logs", {"file_path": log.task}
        answer = await log.client.post(url, json=body, params=odd, headers=log.headers)
        assert answer.status_code == 400, odd
