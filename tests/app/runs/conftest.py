"""An empty ledger for each test, and a way to put a run into any state."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import db, outbox
from app.core.rules import SYSTEM
from app.embedded import Urls
from app.runs.actions import accept
from app.runs.claim import Claim, claim
from tests.journeys.chaos.harness import create_schema
from tests.servers import SessionServers


class Ledger:
    """Short words for what the tests do."""

    async def accept(self, kind: str = "noop", project_id: int = 1, **more: Any) -> UUID:
        """Queue a run."""
        async with db.transaction(SYSTEM) as tx:
            return (await accept(tx, project_id=project_id, kind=kind, **more)).run_id

    async def claim(
        self, worker: str = "w", lease_s: float = 60, project_limit: int = 100
    ) -> Claim | None:
        """Take the best due run of the kinds that the tests use."""
        return await claim(
            worker, lease_s=lease_s, kinds=["noop", "other"], project_limit=project_limit
        )

    async def claimed(self, **more: Any) -> Claim:
        """Queue a run and take it."""
        await self.accept(**more)
        taken = await self.claim()
        assert taken is not None
        return taken

    async def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query."""
        async with db.reading() as connection:
            found = await connection.execute(text(statement), parameters)
            return [dict(row) for row in found.mappings()]

    async def run(self, run_id: UUID) -> dict[str, Any]:
        """A run's row."""
        (row,) = await self.rows("SELECT * FROM runs WHERE id = :id", id=run_id)
        return row

    async def steps(self, run_id: UUID) -> list[dict[str, Any]]:
        """A run's steps in order."""
        return await self.rows(
            "SELECT * FROM run_steps WHERE run_id = :id ORDER BY position", id=run_id
        )

    async def events(self, run_id: UUID) -> list[tuple[int, str, str | None, str]]:
        """A run's events: seq, kind, step, status."""
        rows = await self.rows(
            "SELECT seq, kind, step, status FROM run_events WHERE run_id = :id ORDER BY seq",
            id=run_id,
        )
        return [(row["seq"], row["kind"], row["step"], row["status"]) for row in rows]

    async def put(self, statement: str, **parameters: Any) -> None:
        """Change rows behind the ledger's back."""
        async with db.transaction(SYSTEM) as tx:
            await tx.execute(text(statement), parameters)

    async def expire(self, run_id: UUID) -> None:
        """End a run's lease, as the passing of time does."""
        await self.put(
            "UPDATE runs SET lease_until = now() - interval '1 second' WHERE id = :id", id=run_id
        )


@pytest.fixture(scope="session")
def ledger_url(session_servers: SessionServers) -> str:
    """A database with all tables."""
    url = session_servers.create_database()
    create_schema(url)
    return url


@pytest.fixture
async def ledger(ledger_url: str, urls: Urls) -> AsyncIterator[Ledger]:
    """An empty ledger with projects 1 and 2, and no worker."""
    db.connect(ledger_url)
    outbox.connect(urls.redis_url)
    await outbox.redis().flushall()
    ledger = Ledger()
    await ledger.put("DELETE FROM runs")
    yield ledger
    await outbox.disconnect()
    await db.disconnect()
