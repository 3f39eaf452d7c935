"""What workers ask PostgreSQL every second reads what is due, however much there was before."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from app.core import db
from app.core.rules import SYSTEM
from app.pipelines.actions.runs import start_scheduled
from app.pipelines.schedule import fire_due
from app.runs.claim import bury, stamp
from tests.app.runs.conftest import Ledger

ENDED, QUEUED = 8_000, 1_000
HISTORY = f"""
WITH made AS (
    INSERT INTO runs (project_id, kind, subject_id, status, schedule_id, fire_at, finished_at)
    SELECT 1, 'pipeline', :pipeline, 'succeeded', :trigger,
           now() - make_interval(mins => n), now()
    FROM generate_series(60, {ENDED + 59}) AS n RETURNING id, fire_at
)
INSERT INTO pipeline_runs (run_id, project_id, pipeline_id, pipeline_uuid, trigger_id, execution_date)
SELECT id, 1, :pipeline, 'old', :trigger, fire_at FROM made
"""
WAITING = f"""
INSERT INTO runs (project_id, kind, subject_id, lane, lane_limit)
SELECT 1, 'noop', n % 50, 'lane', 1 FROM generate_series(1, {QUEUED}) AS n
"""
Statement = tuple[str, Sequence[Any]]


@pytest.fixture
async def history(ledger: Ledger) -> AsyncIterator[None]:
    """A trigger that is due and has run for two weeks each minute, and a long queue."""
    await ledger.put("DELETE FROM pipelines")
    await ledger.put("INSERT INTO pipelines (project_id, uuid, name) VALUES (1, 'old', 'old')")
    await ledger.put(
        "INSERT INTO triggers (project_id, pipeline_id, name, token, interval, status, catch_up,"
        " overlap, next_fire_at, last_enabled_at) SELECT 1, id, 't', 't', '* * * * *', 'active',"
        " 'all', 'skip', now(), now() - interval '30 days' FROM pipelines"
    )
    (owner,) = await ledger.rows("SELECT id, pipeline_id FROM triggers")
    await ledger.put(HISTORY, pipeline=owner["pipeline_id"], trigger=owner["id"])
    await ledger.put(WAITING)
    async with db.engine().connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    yield
    await ledger.put("DELETE FROM runs")
    await ledger.put("DELETE FROM pipelines")


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """What is sent to PostgreSQL meanwhile."""
    sent: list[Statement] = []

    def listen(_: Any, __: Any, text: str, parameters: Sequence[Any], *___: Any) -> None:
        if text.lstrip().startswith(("SELECT", "WITH", "UPDATE")):
            sent.append((text, parameters))

    engine = db.engine().sync_engine
    event.listen(engine, "before_cursor_execute", listen)
    yield sent
    event.remove(engine, "before_cursor_execute", listen)


async def rows_read(sent: Sequence[Statement]) -> int:
    """The most rows that the scans of any of these statements look at, done again and undone."""
    most = 0
    for text, parameters in sent:
        async with db.engine().connect() as connection:
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {text}"
            answer = await connection.exec_driver_sql(explain, parameters)  # type: ignore[arg-type]
            plan = answer.scalar_one()
            await connection.rollback()
        (told,) = json.loads(plan) if isinstance(plan, str) else plan
        most = max(most, _read(told["Plan"]))
    return most


def _read(plan: dict[str, Any]) -> int:
    kept = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    of_table = "Scan" in plan["Node Type"] and "Relation Name" in plan
    own = kept * plan["Actual Loops"] if of_table else 0
    return int(own) + sum(_read(below) for below in plan.get("Plans", ()))


async def test_a_claim_reads_no_history(ledger: Ledger, history: None) -> None:
    with statements() as sent:
        assert await ledger.claim() is not None
        assert await ledger.claim() is None, "the lane is full"
    assert len(sent) >= 2
    assert await rows_read(sent) < 3 * QUEUED


async def test_the_reconciler_reads_no_history(ledger: Ledger, history: None) -> None:
    with statements() as sent:
        async with db.transaction(SYSTEM) as tx:
            await bury(tx)
            assert len(await stamp(tx, 4)) == 4
    assert len(sent) == 2
    assert await rows_read(sent) < 3 * QUEUED


async def test_the_scheduler_reads_no_history(ledger: Ledger, history: None) -> None:
    with statements() as sent:
        async with db.transaction(SYSTEM) as tx:
            assert await fire_due(tx, start_scheduled, datetime.now(UTC)) == 1
    made = await ledger.rows("SELECT 1 FROM runs WHERE schedule_id > 0 AND status = 'queued'")
    assert 58 <= len(made) <= 61, "those of the last hour"
    assert await rows_read(sent) < QUEUED


async def test_an_always_on_trigger_reads_no_history(ledger: Ledger, history: None) -> None:
    await ledger.put("UPDATE triggers SET interval = '@always_on'")
    with statements() as sent:
        async with db.transaction(SYSTEM) as tx:
            assert await fire_due(tx, start_scheduled, datetime.now(UTC)) == 1
    assert await rows_read(sent) < 3 * QUEUED
