"""What is kept and for how long; a worker's own row; loops that fail."""

import asyncio
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

from sqlalchemy import text

from app.core import outbox
from app.core.db import transaction
from app.core.files import Storage
from app.core.rules import SYSTEM
from tests.journeys.chaos.harness import Cluster, until
from workers.loops import retention
from workers.loops.every import every

OLD_RUN = """
INSERT INTO runs (id, project_id, kind, status, created_at, finished_at, idempotency_key)
VALUES (
    uuidv7(make_interval(days => -CAST(:days AS integer))), 1, 'noop',
    CASE WHEN :ended THEN 'succeeded' ELSE 'queued' END,
    now() - make_interval(days => CAST(:days AS integer)),
    CASE WHEN :ended THEN now() - make_interval(days => CAST(:days AS integer)) END,
    gen_random_uuid()::text
)
RETURNING id
"""


async def old_run(days: int, *, ended: bool = True) -> str:
    """A run of some days ago with an event."""
    async with transaction(SYSTEM) as tx:
        row = await tx.one(text(OLD_RUN), {"days": days, "ended": ended})
        assert row is not None
        await tx.execute(
            text(
                "INSERT INTO run_events (run_id, seq, project_id, kind, status, at)"
                " SELECT id, 1, 1, 'run.queued', 'queued', created_at FROM runs WHERE id = :id"
            ),
            {"id": row["id"]},
        )
    return str(row["id"])


async def test_old_runs_go_with_their_files_and_younger_ones_stay(
    cluster: Cluster, tmp_path: Path
) -> None:
    storage = Storage(tmp_path / "storage")
    gone, young, waiting = await old_run(91), await old_run(89), await old_run(91, ended=False)
    for run_id in (gone, young, waiting):
        storage.step_folder(run_id, "a", 1)
    for _ in range(retention.BATCH + 5):
        await old_run(120)
    await retention.forget(storage, 90)
    left = {str(row["id"]) for row in await cluster.rows("SELECT id FROM runs")}
    assert left == {young, waiting}
    assert {path.name for path in (tmp_path / "storage" / "runs").iterdir()} == {young, waiting}


async def test_old_events_keys_attempts_and_workers_go(cluster: Cluster, tmp_path: Path) -> None:
    await old_run(31)
    recent = await old_run(0)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            text(
                "INSERT INTO login_attempts (account, at) VALUES"
                " ('old', now() - interval '25 hours'), ('new', now())"
            )
        )
        await tx.execute(
            text(
                "INSERT INTO workers (id, host, pid, slots, running, version, seen_at) VALUES"
                " ('old', '', 1, 1, 0, '', now() - interval '25 hours'),"
                " ('new', '', 2, 1, 0, '', now())"
            )
        )
    await retention.forget(Storage(tmp_path / "storage"), 90)
    assert [str(row["run_id"]) for row in await cluster.rows("SELECT run_id FROM run_events")] == [
        recent
    ]
    kept = await cluster.rows("SELECT id FROM runs WHERE idempotency_key IS NOT NULL")
    assert [str(row["id"]) for row in kept] == [recent]
    assert await cluster.rows("SELECT account FROM login_attempts") == [{"account": "new"}]
    assert await cluster.rows("SELECT id FROM workers") == [{"id": "new"}]


async def test_worker_reports_itself_and_leaves(cluster: Cluster) -> None:
    worker = await cluster.ready_worker(ISTHMUS_RUN_SLOTS="3")
    row = await cluster.row("SELECT pid, slots, running FROM workers")
    assert row == {"pid": worker.pid, "slots": 3, "running": 0}
    worker.send(signal.SIGTERM)
    assert await worker.wait(15) == 0
    assert not await cluster.rows("SELECT 1 FROM workers")


async def test_loop_goes_on_after_failures() -> None:
    calls = 0
    done = asyncio.Event()

    async def duty() -> None:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise (ValueError, ConnectionRefusedError, TimeoutError)[calls - 1]
        done.set()

    loop = asyncio.create_task(every(0.01, duty, "test"))
    async with asyncio.timeout(10):
        await done.wait()
    loop.cancel()
    await asyncio.wait([loop])


async def test_garbage_in_the_queue_is_refused_unopened_and_hurts_nobody(
    cluster: Cluster, tmp_path: Path
) -> None:
    worker = await cluster.ready_worker()
    trap = tmp_path / "trap"
    pickled = b"cos\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR."
    redis = outbox.redis()
    for name, payload in (("p", pickled), ("j", b"[1, 2]"), ("n", b"null")):
        await redis.set(f"arq:job:{name}", payload)
        await redis.zadd(outbox.QUEUE, {name: 1})
    await cast(Awaitable[int], redis.rpush(outbox.WAKE, "x"))

    async def taken() -> bool:
        return not await redis.zcard(outbox.QUEUE)

    await until(taken, 10, "the garbage is taken out of the queue")
    run_id = await cluster.submit("noop")
    await cluster.status_is(run_id, "succeeded", 10)
    assert not trap.exists() and worker.returncode is None
