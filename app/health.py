"""What monitors ask: does the process live, is it ready, and what waits for what."""

import asyncio
from typing import Any

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Gauge,
    generate_latest,
)
from redis.exceptions import RedisError
from sqlalchemy import func, select, text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import __version__
from app.core import db, outbox
from app.migrations import run as migrations
from app.runs.tables import runs, workers
from app.runs.waits import is_alive, is_stalled, run_reason

log = structlog.get_logger()

PATIENCE_S = 2.0
MOST_RUNS = 5000
_AWAY = {"status": "unavailable", "postgres": "away"}

_OLDEST_DUE = text(
    "SELECT extract(epoch FROM now() - min(available_at)) FROM runs "
    "WHERE status = 'queued' AND available_at <= now() AND hold IS NULL"
)


async def healthz(_: Request) -> Response:
    """The process lives."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(_: Request) -> Response:
    """PostgreSQL answers and has the right revision (else 503); how Redis and the workers are."""
    found: dict[str, Any] = {"status": "ok", "postgres": "ok", "redis": "ok"}
    try:
        revision, wanted = await migrations.current(), migrations.head()
        alive, stalled = await _workers()
    except Exception as error:
        log.warning("readyz.postgres_away", error=type(error).__name__)
        return JSONResponse(_AWAY, 503, {"Retry-After": "2"})
    oldest = await _oldest_due()
    if stalled or oldest is None or (oldest and not alive):
        found["status"] = "degraded"
    found |= {"oldest_due_run_s": oldest, "workers": alive, "workers_stalled": stalled}
    try:
        async with asyncio.timeout(PATIENCE_S):
            await outbox.redis().ping()
    except (RedisError, OSError, TimeoutError):
        found |= {"status": "degraded", "redis": "away"}
    if revision != wanted:
        found |= {"status": "unavailable", "postgres": f"at revision {revision}, not {wanted}"}
    ready = found["status"] != "unavailable"
    return JSONResponse(found, 200 if ready else 503)


async def metrics(_: Request) -> Response:
    """Figures in the text format of Prometheus, read when they are asked for."""
    try:
        alive, stalled = await _workers()
    except Exception as error:
        log.warning("metrics.postgres_away", error=type(error).__name__)
        return JSONResponse(_AWAY, 503, {"Retry-After": "2"})
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"isthmus_{name}", meaning, labels, registry=registry)

    gauge("workers", "Workers that live and take work.").set(alive)
    gauge("workers_stalled", "Of these, workers whose looks for work fail.").set(stalled)
    oldest = await _oldest_due()
    if oldest is not None:
        gauge("oldest_due_run_seconds", "How long the oldest due run has waited.").set(oldest)
    waiting = gauge("runs_waiting", f"Runs that wait; the {MOST_RUNS} oldest at most.", "reason")
    for reason, count in (await _waiting() or {}).items():
        waiting.labels(reason).set(count)
    own_process = generate_latest(REGISTRY)
    return Response(
        generate_latest(registry) + own_process, headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


async def _workers() -> tuple[int, int]:
    """How many workers take work, and how many of them have stalled."""
    w = workers.c
    statement = select(
        func.count().filter(is_alive(w)).label("alive"),
        func.count().filter(is_stalled(w)).label("stalled"),
    )
    async with db.reading() as connection:
        row = (await connection.execute(statement)).one()
    return row.alive, row.stalled


async def _oldest_due() -> float | None:
    """Seconds that the oldest due run has waited; None where the ledger cannot be read."""
    try:
        async with asyncio.timeout(PATIENCE_S), db.reading() as connection:
            return round(float(await connection.scalar(_OLDEST_DUE) or 0), 3)
    except Exception as error:
        log.warning("ledger.not_readable", error=type(error).__name__)
        return None


async def _waiting() -> dict[str, int] | None:
    """Runs that wait, by reason; None where the ledger cannot be read."""
    some = (
        select(*runs.c)
        .where(runs.c.status.in_(("queued", "running")))
        .order_by(runs.c.id)
        .limit(MOST_RUNS)
        .subquery()
    )
    reasons = select(run_reason(some.c).label("reason")).subquery()
    counted = select(reasons.c.reason, func.count().label("n")).where(reasons.c.reason.is_not(None))
    try:
        async with asyncio.timeout(PATIENCE_S), db.reading() as connection:
            rows = (await connection.execute(counted.group_by(reasons.c.reason))).all()
    except Exception as error:
        log.warning("ledger.not_readable", error=type(error).__name__)
        return None
    return {row.reason: row.n for row in rows}
