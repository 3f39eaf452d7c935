"""Take a run, keep it, and see to runs whose worker is gone.

The only code that moves a run to `running`. All times are PostgreSQL's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, func, select, text, update

from app.core.db import Tx, transaction
from app.core.rules import SYSTEM
from app.runs.fenced import LeaseLost
from app.runs.record import Change, end_run, record, reset_steps
from app.runs.tables import run_logs, runs

MAX_LOSSES = 3
"""A run that loses so many workers in a row is not given to a further one."""

_CLAIM = text("""
WITH busy AS MATERIALIZED (
    SELECT project_id, kind, subject_id, count(*) AS n
    FROM runs WHERE status = 'running' GROUP BY project_id, kind, subject_id
),
lanes AS MATERIALIZED (
    SELECT project_id, lane, count(*) AS n
    FROM runs WHERE status = 'running' AND lane IS NOT NULL GROUP BY project_id, lane
),
lost AS MATERIALIZED (
    SELECT id FROM runs
    WHERE status = 'running' AND lease_until < now() AND losses + 1 < :max_losses
      AND cancel_requested_at IS NULL AND kind = ANY(:kinds)
    ORDER BY lease_until
    LIMIT 1 FOR UPDATE SKIP LOCKED
),
-- The first few due runs of each project: more than one, as others may just be taking them.
offers AS MATERIALIZED (
    SELECT due.id, due.priority, due.available_at, running.n
    FROM projects
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(busy.n), 0) AS n FROM busy WHERE busy.project_id = projects.id
    ) AS running
    CROSS JOIN LATERAL (
        SELECT runs.id, runs.priority, runs.available_at
        FROM runs
        WHERE runs.project_id = projects.id AND runs.status = 'queued'
          AND runs.available_at <= now() AND runs.hold IS NULL AND runs.kind = ANY(:kinds)
          AND (runs.concurrency IS NULL OR runs.concurrency > (
              SELECT coalesce(sum(busy.n), 0) FROM busy
              WHERE busy.project_id = runs.project_id AND busy.kind = runs.kind
                AND busy.subject_id IS NOT DISTINCT FROM runs.subject_id
          ))
          AND (runs.lane IS NULL OR runs.lane_limit > (
              SELECT coalesce(sum(lanes.n), 0) FROM lanes
              WHERE lanes.project_id = runs.project_id AND lanes.lane = runs.lane
          ))
        ORDER BY runs.priority DESC, runs.available_at, runs.id
        LIMIT 20
    ) AS due
    WHERE running.n < :project_limit AND NOT EXISTS (SELECT FROM lost)
),
best AS MATERIALIZED (
    SELECT runs.id FROM offers JOIN runs USING (id)
    -- Asked again of the locked row: it may have been taken since.
    WHERE runs.status = 'queued'
    ORDER BY offers.n, offers.priority DESC, offers.available_at, offers.id
    LIMIT 1 FOR UPDATE OF runs SKIP LOCKED
)
UPDATE runs SET
    losses = CASE WHEN status = 'running' THEN losses + 1 ELSE losses END,
    status = 'running',
    lease_owner = :worker_id,
    lease_until = now() + make_interval(secs => :lease_s),
    fence = fence + 1,
    attempt = attempt + 1,
    started_at = coalesce(started_at, now()),
    updated_at = now(),
    hinted_at = NULL,
    hint_count = 0,
    version = version + 1
FROM (SELECT id FROM lost UNION ALL SELECT id FROM best) AS taken
WHERE runs.id = taken.id
RETURNING runs.*
""")

_STAMP = text("""
UPDATE runs SET hinted_at = now(), hint_count = hint_count + 1
WHERE id IN (
    SELECT id FROM runs
    WHERE (status = 'queued' AND available_at <= now() AND hold IS NULL OR status = 'running' AND lease_until < now())
      AND (hinted_at IS NULL
           OR hinted_at < now() - make_interval(secs => least(60, 5 * 2 ^ (least(hint_count, 5) - 1))))
    ORDER BY available_at
    LIMIT :room FOR UPDATE SKIP LOCKED
)
RETURNING id
""")


@dataclass(frozen=True)
class Claim:
    """A run that this worker holds until the lease ends; `run` is its row."""

    run: RowMapping
    last_log_seq: int

    @property
    def run_id(self) -> UUID:
        """The run's id."""
        run_id: UUID = self.run["id"]
        return run_id

    @property
    def fence(self) -> int:
        """What every write about the run must carry."""
        fence: int = self.run["fence"]
        return fence


async def claim(
    worker_id: str, *, lease_s: float, kinds: Sequence[str], project_limit: int
) -> Claim | None:
    """Take the best due run of these kinds, or None.

    First a run whose worker is gone; then of the project with the fewest running runs, below
    its limit, the one of highest priority, then the oldest. Claims at the same instant can
    overshoot `project_limit`; a run's own `concurrency` and `lane_limit` hold exactly.
    """
    parameters = {
        "worker_id": worker_id,
        "lease_s": lease_s,
        "kinds": list(kinds),
        "project_limit": project_limit,
        "max_losses": MAX_LOSSES,
    }
    while True:
        try:
            async with transaction(SYSTEM) as tx:
                run = await tx.one(_CLAIM, parameters)
                if run is None:
                    return None
                if run["losses"] == 0:
                    await _check_room(tx, run)
                return await _begin(tx, run)
        except _NoRoom:
            continue


class _NoRoom(Exception):
    """Another worker has just taken the last place of this subject or lane."""


async def _check_room(tx: Tx, run: RowMapping) -> None:
    """One claimer of a subject or lane at a time, each counting what the others committed."""
    if run["concurrency"] is not None:
        subject = (
            runs.c.kind == run["kind"],
            runs.c.subject_id.is_not_distinct_from(run["subject_id"]),
        )
        await _check_group(tx, run, f"{run['kind']}/{run['subject_id']}", subject, "concurrency")
    if run["lane"] is not None:
        lane = (runs.c.lane == run["lane"],)
        await _check_group(tx, run, f"lane/{run['lane']}", lane, "lane_limit")


async def _check_group(
    tx: Tx, run: RowMapping, group: str, same: tuple[ColumnElement[bool], ...], limit: str
) -> None:
    lock = func.hashtextextended(f"{run['project_id']}/{group}", 0)
    await tx.execute(select(func.pg_advisory_xact_lock(lock)))
    counted = await tx.one(
        select(func.count().label("n")).where(
            runs.c.status == "running", runs.c.project_id == run["project_id"], *same
        )
    )
    if counted is not None and counted["n"] > run[limit]:
        raise _NoRoom


async def _begin(tx: Tx, run: RowMapping) -> Claim:
    data: dict[str, Any] = {"attempt": run["attempt"], "worker": run["lease_owner"]}
    last_log_seq = 0
    if run["fence"] > 1:
        data["steps"] = await reset_steps(tx, run["id"])
        logged = select(func.max(run_logs.c.seq).label("seq")).where(run_logs.c.run_id == run["id"])
        last = await tx.one(logged)
        last_log_seq = (last["seq"] if last else None) or 0
    await record(tx, run, Change("run.running", "running", data=data))
    return Claim(run, last_log_seq)


async def beat(run_id: UUID, fence: int, lease_s: float) -> bool:
    """Keep the run for another lease; True if its cancel was asked for. Raises LeaseLost."""
    async with transaction(SYSTEM) as tx:
        kept = await tx.one(
            update(runs)
            .where(runs.c.id == run_id, runs.c.fence == fence, runs.c.status == "running")
            .values(lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, float(lease_s)))
            .returning(runs.c.cancel_requested_at)
        )
    if kept is None:
        raise LeaseLost(str(run_id))
    return kept["cancel_requested_at"] is not None


async def bury(tx: Tx) -> int:
    """End lost runs that shall not run again: to be cancelled, or having lost too many workers."""
    lost = await tx.all(
        select(runs.c.id, runs.c.cancel_requested_at)
        .where(
            runs.c.status == "running",
            runs.c.lease_until < func.now(),
            (runs.c.cancel_requested_at.is_not(None)) | (runs.c.losses + 1 >= MAX_LOSSES),
        )
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    for run in lost:
        if run["cancel_requested_at"] is not None:
            await end_run(tx, run["id"], "cancelled")
        else:
            error = f"The run lost its worker {MAX_LOSSES} times in a row."
            await end_run(tx, run["id"], "failed", reason="worker_lost", error=error)
    return len(lost)


async def stamp(tx: Tx, room: int) -> list[UUID]:
    """Choose at most `room` runs that wait, by no worker hinted at lately, to hint at now.

    A run is chosen again after 5 s, then after twice as long each time, up to 60 s.
    """
    return [row["id"] for row in await tx.all(_STAMP, {"room": room})]


async def unstamp(tx: Tx, run_ids: Sequence[UUID]) -> None:
    """Take the choice back, as no hint could be sent."""
    await tx.execute(
        update(runs)
        .where(runs.c.id.in_(list(run_ids)), runs.c.status.in_(("queued", "running")))
        .values(hinted_at=None, hint_count=func.greatest(runs.c.hint_count - 1, 0))
    )
