"""What the query lanes of workers read and write: claims, beats, ends.

A lane holds a query by its name and the run's number; who has lost it writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

from app.core import db
from app.core.rules import SYSTEM

FOLDER = "queries"
CLAIM_LOCK = 7_316_490
INLINE_BYTES = 1024 * 1024
"""Longer answers are files of the storage."""
KEPT_DAYS = 1
MOST_KEPT = 10_000
"""So many statements of a project are kept with their answers."""
BATCH = 200


@dataclass(frozen=True)
class Query:
    """A query in hand."""

    id: int
    run: int
    key: str
    project_id: int
    place: str
    dialect: str
    sql: str
    values: Sequence[Any]
    result_key: str | None
    """The file of the answer before this run's."""


_IS_DUE = """
SELECT 1 FROM semantic_queries
WHERE (state = 'queued' OR (state = 'running' AND lease_until <= now()))
  AND asked_at > now() - make_interval(secs => $1) LIMIT 1
"""


def file_name(query: Query, bytes_: int) -> str:
    """Where in the storage an answer's file is; its name says how long it is."""
    return f"{FOLDER}/{query.key}/{query.run}-{bytes_}"


_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_CLAIM = text("""
WITH busy AS (
  SELECT project_id, place, count(*) AS n FROM semantic_queries
  WHERE state = 'running' AND lease_until > now() GROUP BY 1, 2
), due AS (
  SELECT q.id FROM semantic_queries q LEFT JOIN busy b USING (project_id, place)
  WHERE (q.state = 'queued' OR (q.state = 'running' AND q.lease_until <= now()))
    AND q.asked_at > now() - make_interval(secs => :orphan_s)
    AND coalesce(b.n, 0) < :concurrency
  ORDER BY q.queued_at LIMIT 1 FOR UPDATE OF q SKIP LOCKED
)
UPDATE semantic_queries q SET state = 'running', started_at = now(), worker = :worker,
  lease_until = now() + make_interval(secs => :lease_s)
FROM due WHERE q.id = due.id
RETURNING q.id, q.run, q.key, q.project_id, q.place, q.dialect, q.sql, q.values, q.result_key
""")

_MINE = "id = :id AND run = :run AND state = 'running' AND worker = :worker"
_DONE = text(f"""
UPDATE semantic_queries SET state = 'done', finished_at = now(), lease_until = NULL, worker = NULL,
  result = :result, result_key = :result_key, rows = :rows, error = NULL
WHERE {_MINE} RETURNING id
""")
_FAILED = text(f"""
UPDATE semantic_queries SET state = 'failed', finished_at = now(), lease_until = NULL,
  worker = NULL, result = NULL, result_key = NULL, rows = NULL, error = :error
WHERE {_MINE} RETURNING id
""")
_BACK = text(f"""
UPDATE semantic_queries SET state = 'queued', worker = NULL, lease_until = NULL
WHERE {_MINE} RETURNING id
""")
_BEAT = text("""
UPDATE semantic_queries SET lease_until = now() + make_interval(secs => :lease_s)
WHERE id = ANY(:ids) AND worker = :worker AND state = 'running' RETURNING id
""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
_NAMED = text("SELECT result_key FROM semantic_queries WHERE result_key = ANY(:keys)").bindparams(
    bindparam("keys", type_=ARRAY(Text))
)
_OLD = text(f"""
DELETE FROM semantic_queries WHERE id IN (
  SELECT id FROM semantic_queries
  WHERE asked_at < now() - interval '{KEPT_DAYS} days' AND (state <> 'running' OR lease_until <= now())
  LIMIT {BATCH} FOR UPDATE SKIP LOCKED
) RETURNING result_key
""")


_TRIM = text(f"""
WITH kept AS (
  SELECT id, row_number() OVER latest AS n, sum(
    octet_length(sql) + pg_column_size(values)
    + coalesce(octet_length(result), nullif(split_part(result_key, '-', 2), '')::bigint, 0)
  ) OVER latest AS bytes
  FROM semantic_queries WHERE project_id = :project_id AND state IN ('done', 'failed')
  WINDOW latest AS (ORDER BY asked_at DESC, id DESC)
)
DELETE FROM semantic_queries WHERE id IN (
  SELECT id FROM semantic_queries
  WHERE id IN (SELECT id FROM kept WHERE n > :most OR bytes > :most_bytes)
    AND state IN ('done', 'failed')
  LIMIT {BATCH} FOR UPDATE SKIP LOCKED
) RETURNING result_key
""")


async def claim(worker: str, *, lease_s: float, orphan_s: float, concurrency: int) -> Query | None:
    """Take the query that waits longest and whose data source has room; None for none.

    Those that nobody asks for any more are passed over.
    """
    # Most looks find nothing: that takes one statement.
    if await db.fetch_row(_IS_DUE, orphan_s) is None:
        return None
    limits = {"lease_s": lease_s, "orphan_s": orphan_s, "concurrency": concurrency}
    async with db.transaction(SYSTEM) as tx:
        # Two claims at once would each see the room that is there for one.
        await tx.execute(_LOCK, {"lock": CLAIM_LOCK})
        row = await tx.one(_CLAIM, {"worker": worker, **limits})
    return None if row is None else _query(row)


def _query(row: RowMapping) -> Query:
    return Query(**row)


async def finish(
    worker: str, query: Query, *, rows: int, result: bytes | None, result_key: str | None
) -> bool:
    """Keep an answer, inline or as a file, and wake who waits; False where the query was lost."""
    values = {"rows": rows, "result": result, "result_key": result_key}
    return await _end(_DONE, worker, query, values)


async def fail(worker: str, query: Query, error: str) -> bool:
    """Say why there is no answer."""
    return await _end(_FAILED, worker, query, {"error": error})


async def give_back(worker: str, query: Query) -> bool:
    """Let another worker do it."""
    return await _end(_BACK, worker, query, {})


async def _end(statement: Any, worker: str, query: Query, values: Mapping[str, Any]) -> bool:
    async with db.transaction(SYSTEM) as tx:
        own = {"id": query.id, "run": query.run, "worker": worker}
        kept = await tx.one(statement, {**own, **values}) is not None
        tx.wake(f"query:{query.key}")
        tx.look()
    return kept


async def beat(worker: str, ids: Iterable[int], lease_s: float) -> set[int]:
    """Go on holding these; the ids of those that are still ours."""
    async with db.transaction(SYSTEM) as tx:
        rows = await tx.all(_BEAT, {"ids": list(ids), "worker": worker, "lease_s": lease_s})
    return {row["id"] for row in rows}


async def forget_old() -> tuple[list[str], bool]:
    """Delete a batch of what nobody has asked for since yesterday: files of answers, and is there more."""
    async with db.transaction(SYSTEM) as tx:
        rows = await tx.all(_OLD)
    found = [row["result_key"] for row in rows if row["result_key"] is not None]
    return found, len(rows) == BATCH


async def trim(project_id: int, most_bytes: int) -> tuple[list[str], bool]:
    """Delete a batch of what is too much of a project, asked longest ago first: files, and is there more."""
    limits = {"project_id": project_id, "most": MOST_KEPT, "most_bytes": most_bytes}
    async with db.transaction(SYSTEM) as tx:
        rows = await tx.all(_TRIM, limits)
    found = [row["result_key"] for row in rows if row["result_key"] is not None]
    return found, len(rows) == BATCH


async def named(keys: Iterable[str]) -> set[str]:
    """Those of these files that an answer is in."""
    async with db.reading() as connection:
        found = await connection.scalars(_NAMED, {"keys": list(keys)})
        return {key for key in found if key is not None}
