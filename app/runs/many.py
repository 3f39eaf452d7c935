"""What `actions.py` does to one run, done to many at once: a few statements, however many runs."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, text

from app.core.db import Tx
from app.runs.actions import request_cancel, retry
from app.runs.states import STEPS_LEFT

HINTS = 20
"""So many are hinted at at once; the reconciler sees to the rest as there is room."""

_LIKE = text("""
WITH made AS (
    INSERT INTO runs (project_id, kind, subject_id, params, max_attempts, timeout_s,
                      concurrency, lane, lane_limit, hold, priority, created_by, version)
    SELECT project_id, kind, subject_id, params, max_attempts, timeout_s,
           concurrency, lane, lane_limit, hold, priority, created_by, 1
    FROM runs CROSS JOIN generate_series(1, :count) WHERE id = :run_id
    RETURNING id, project_id, hold
),
steps AS (
    INSERT INTO run_steps (run_id, project_id, position, name, upstream, params)
    SELECT made.id, step.project_id, step.position, step.name, step.upstream, step.params
    FROM made CROSS JOIN run_steps AS step WHERE step.run_id = :run_id
    ORDER BY made.id, step.position, step.id
),
events AS (
    INSERT INTO run_events (run_id, seq, project_id, kind, status)
    SELECT id, 1, project_id, 'run.queued', 'queued' FROM made
)
SELECT id, project_id, hold FROM made ORDER BY id
""")

_CANCEL = text("""
WITH chosen AS (
    SELECT id FROM runs WHERE id = ANY(:run_ids) AND status = 'queued' ORDER BY id FOR UPDATE
),
steps AS (
    UPDATE run_steps SET status = 'cancelled', finished_at = now(), updated_at = now(),
                         wait = NULL, available_at = NULL
    FROM chosen WHERE run_id = chosen.id AND status = ANY(:left)
    RETURNING run_id, name, position
),
counted AS (
    SELECT chosen.id, count(steps.run_id) AS n
    FROM chosen LEFT JOIN steps ON steps.run_id = chosen.id GROUP BY chosen.id
),
ended AS (
    UPDATE runs SET status = 'cancelled', finished_at = now(), updated_at = now(),
                    version = version + n + 1
    FROM counted WHERE runs.id = counted.id
    RETURNING runs.id, runs.project_id, runs.version, n
),
events AS (
    INSERT INTO run_events (run_id, seq, project_id, kind, step, status)
    SELECT ended.id, version - n - 1 + row_number() OVER (PARTITION BY ended.id ORDER BY position),
           project_id, 'step.finished', name, 'cancelled'
    FROM ended JOIN steps ON steps.run_id = ended.id
    UNION ALL
    SELECT id, version, project_id, 'run.finished', NULL, 'cancelled' FROM ended
)
SELECT id, project_id FROM ended ORDER BY id
""")

_RETRY = text("""
WITH chosen AS (
    SELECT id FROM runs WHERE id = ANY(:run_ids) AND status = 'cancelled' AND fence = 0
    ORDER BY id FOR UPDATE
),
steps AS (
    UPDATE run_steps SET status = 'pending', finished_at = NULL, updated_at = now(), reason = NULL
    FROM chosen WHERE run_id = chosen.id AND status <> 'pending'
    RETURNING run_id, name
),
named AS (SELECT run_id, jsonb_agg(name) AS names FROM steps GROUP BY run_id),
queued AS (
    UPDATE runs SET status = 'queued', available_at = now(), updated_at = now(),
                    finished_at = NULL, hinted_at = NULL, hint_count = 0, reason = NULL,
                    hold = NULL,
                    version = version + 1
    FROM chosen WHERE runs.id = chosen.id
    RETURNING runs.id, runs.project_id, runs.version
),
events AS (
    INSERT INTO run_events (run_id, seq, project_id, kind, status, data)
    SELECT id, version, project_id, 'run.queued', 'queued',
           jsonb_build_object('retry', true, 'steps', coalesce(names, '[]'))
    FROM queued LEFT JOIN named ON named.run_id = id
)
SELECT id, project_id FROM queued ORDER BY id
""")


async def accept_like(tx: Tx, run_id: UUID, count: int) -> list[UUID]:
    """Queue `count` more runs like one that has just been accepted; their ids, the oldest first."""
    made = await tx.all(_LIKE, {"run_id": run_id, "count": count})
    for run in made[:HINTS]:
        if run["hold"] is None:
            tx.hint(run["id"])
    _wake(tx, made)
    return [run["id"] for run in made]


async def cancel_many(tx: Tx, run_ids: Sequence[UUID]) -> None:
    """Cancel queued runs at once and ask the workers of running ones; ended ones stay."""
    ended = await tx.all(_CANCEL, {"run_ids": list(run_ids), "left": list(STEPS_LEFT)})
    _wake(tx, ended)
    for run_id in sorted(set(run_ids) - {run["id"] for run in ended}):
        await request_cancel(tx, run_id)


async def retry_many(tx: Tx, run_ids: Sequence[UUID]) -> None:
    """Queue failed and cancelled runs again; those that never began at once, the rest in turn."""
    queued = await tx.all(_RETRY, {"run_ids": list(run_ids)})
    for run in queued[:HINTS]:
        tx.hint(run["id"])
    _wake(tx, queued)
    for run_id in sorted(set(run_ids) - {run["id"] for run in queued}):
        await retry(tx, run_id)


def _wake(tx: Tx, found: Sequence[RowMapping]) -> None:
    """Those who follow the project; who follows one of the runs looks every few seconds anyway."""
    for run in found[:1]:
        tx.changed(run["id"], run["project_id"])
