"""Answers to statements: kept ones while they are fresh, else one run that all askers share.

A row of `semantic_queries` is a statement. Whoever asks joins the run that is queued or goes on, or
queues one; the query lanes of workers do the runs. Who was told to come again gets the answer of
that run, though the refresh key may have moved on meanwhile.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from app.core import db, events
from app.core.errors import DomainError, RateLimited, Unavailable
from app.core.files import Storage, StorageError
from app.core.rules import SYSTEM
from app.settings import get_settings

T = TypeVar("T")
WAITED_S = 30
"""For so long after its end a run's answer is for those who were told to come again."""
GAP_S = 2
"""Between two calls of one who waits: a failure in it is told, and not tried again."""
MOST_WAITING = 1000
RETRY_S = 5
TRIES = 3
GOOD_S = 1.0
"""For so long an answer that was good is handed out without a look: others may renew it meanwhile."""
KEPT_BYTES = 64 * 1024**2


class QueryFailed(DomainError):
    """The data source refused the statement, or it took too long; the message says which."""

    code = "BAD_USER_INPUT"


@dataclass(frozen=True)
class Statement:
    """SQL and the values bound in it, for one data source of a project."""

    project_id: int
    data_source: str
    place: str
    dialect: str
    sql: str
    values: tuple[Any, ...] = ()

    @cached_property
    def key(self) -> str:
        """Its identity: who asks does not count."""
        parts = [self.project_id, self.data_source, self.place, self.sql, list(self.values)]
        return hashlib.sha256(orjson.dumps(parts, default=str)).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What a run gave: `content` is JSON, {"columns": [name], "rows": [[value]]}."""

    key: str
    run: int
    content: bytes
    refreshed_at: datetime

    def rows(self) -> list[list[Any]]:
        """The rows' values, in the order of the statement's columns."""
        found: list[list[Any]] = orjson.loads(self.content)["rows"]
        return found


class _Gone(Exception):
    """The answer of a run is not there any more."""

    def __init__(self, run: int) -> None:
        super().__init__()
        self.run = run


@dataclass(frozen=True)
class Wanted:
    """Which answers are good: of the same refresh key, and where `since_s` is given none older."""

    refresh_key: str
    since_s: float | None = None


@dataclass(frozen=True)
class Held:
    """An answer that was good for a refresh key."""

    answer: Answer
    refresh_key: str

    def holds(self) -> bool:
        """Whether who asks for it now gets it without a look."""
        return _kept.good(self.answer.key, self.refresh_key) is self.answer


_LOOK = f"""
SELECT id, state, run, finished_at, error, result_key,
  asked_at < now() - interval '1 minute' AS is_forgotten,
  (state = 'done' AND (
    (was_waited AND finished_at > now() - interval '{WAITED_S} s')
    OR (refresh_key = $2
      AND ($3::float8 IS NULL OR finished_at >= now() - make_interval(secs => $3)))
  )) AS is_fresh,
  (state = 'failed' AND was_waited AND finished_at > now() - interval '{GAP_S} s') AS is_told,
  CASE WHEN state <> 'done' OR finished_at = $4::timestamptz THEN NULL ELSE result END AS result
FROM semantic_queries WHERE key = $1"""

_INSERT = text("""
INSERT INTO semantic_queries (project_id, key, data_source, place, dialect, sql, values, refresh_key)
VALUES (:project_id, :key, :data_source, :place, :dialect, :sql, :values, :refresh_key)
ON CONFLICT (key) DO NOTHING RETURNING run
""").bindparams(bindparam("values", type_=JSONB))

_LOCK = text("""
SELECT run, state, state = 'done' AND refresh_key = :refresh_key
  AND (CAST(:since_s AS float8) IS NULL
    OR finished_at >= now() - make_interval(secs => CAST(:since_s AS float8))) AS is_fresh
FROM semantic_queries WHERE key = :key FOR UPDATE
""")

_QUEUE = text("""
UPDATE semantic_queries SET state = 'queued', run = run + 1, refresh_key = :refresh_key,
  asked_at = now(), queued_at = now(), started_at = NULL, finished_at = NULL, was_waited = false,
  error = NULL, worker = NULL, lease_until = NULL
WHERE key = :key RETURNING run
""")

_WAITING = text("""
SELECT count(*) AS n FROM semantic_queries
WHERE project_id = :project_id AND state IN ('queued', 'running')
""")

_ABANDONED = text("""
DELETE FROM semantic_queries WHERE project_id = :project_id AND state = 'queued'
  AND asked_at <= now() - make_interval(secs => :orphan_s)
""")

_GONE = text("""
UPDATE semantic_queries SET refresh_key = '', was_waited = false, result_key = NULL
WHERE key = :key AND run = :run AND state = 'done'
""")

_ASK = text("UPDATE semantic_queries SET asked_at = now() WHERE key = :key")

_WAITED = text("""
UPDATE semantic_queries SET asked_at = now(), was_waited = was_waited OR run = :run
WHERE key = :key
""")


async def together(works: Sequence[Awaitable[T]]) -> list[T]:
    """What all give, done side by side; one alone without a task of its own."""
    if len(works) == 1:
        return [await works[0]]
    return list(await asyncio.gather(*works))


async def answer(statement: Statement, wanted: Wanted, wait_s: float) -> Answer | None:
    """A good answer, after at most `wait_s` seconds; None where its asker must come again.

    Raises QueryFailed where the run that was waited for has failed.
    """
    until = time.monotonic() + wait_s
    for _ in range(TRIES):
        try:
            return await _answer(statement, wanted, max(0.0, until - time.monotonic()))
        except _Gone as gone:
            # Replaced, trimmed, or lost with a disk: whatever it was, a run brings another.
            await _note(_GONE, key=statement.key, run=gone.run)
    raise Unavailable("The answer went away each time before it was read. Ask again.")


async def _answer(statement: Statement, wanted: Wanted, wait_s: float) -> Answer | None:
    if wanted.since_s is None and (kept := _kept.good(statement.key, wanted.refresh_key)):
        return kept
    found = await _look(statement, wanted)
    if found is not None and found["is_fresh"]:
        if found["is_forgotten"]:
            await _note(_ASK, key=statement.key)
        return await _content(statement, found, wanted)
    if found is not None and found["is_told"]:
        raise QueryFailed(found["error"])
    with events.Waiter(f"query:{statement.key}") as waiter:
        run = await _join(statement, wanted)
        return await _follow(statement, wanted, run, wait_s, waiter)


async def _follow(
    statement: Statement, wanted: Wanted, run: int, wait_s: float, waiter: events.Waiter
) -> Answer | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    # So often that nobody takes who waits here for one who has gone.
    touch_s = get_settings().semantic.query_orphan_s / 3
    asked = loop.time()
    is_last = False
    while True:
        found = await _look(statement, wanted)
        if found is None:
            raise _Gone(run)
        if found["state"] == "done" and found["run"] >= run:
            return await _content(statement, found)
        if found["state"] == "failed" and found["run"] >= run:
            raise QueryFailed(found["error"])
        left_s = deadline - loop.time()
        if is_last:
            return None
        if left_s <= 0:
            # It may have ended since the look: one more follows the note.
            is_last = True
            await _note(_WAITED, key=statement.key, run=found["run"])
            continue
        if loop.time() - asked > touch_s:
            asked = loop.time()
            await _note(_ASK, key=statement.key)
        await waiter.wait(min(left_s, touch_s, events.POLL_S))


async def _look(
    statement: Statement, wanted: Wanted, whole: bool = False
) -> Mapping[str, Any] | None:
    """The row of a statement; without the answer that is kept here, unless it is to be `whole`."""
    known = None if whole else _kept.end(statement.key)
    return await db.fetch_row(_LOOK, statement.key, wanted.refresh_key, wanted.since_s, known)


async def _join(statement: Statement, wanted: Wanted) -> int:
    """Ask for the run that is queued or goes on, or queue one; its number.

    RateLimited where too many of the project wait already.
    """
    own = {
        "key": statement.key,
        "refresh_key": wanted.refresh_key,
        "since_s": wanted.since_s,
    }
    whole = {name: value for name, value in vars(statement).items() if name != "key"}
    async with db.transaction(SYSTEM) as tx:
        made = await tx.one(_INSERT, {**whole, **own, "values": list(statement.values)})
        if made is not None:
            await _refuse_more(tx, statement.project_id)
            tx.look()
            return int(made["run"])
        present = await tx.one(_LOCK, own)
        assert present is not None
        if present["state"] in ("done", "failed") and not present["is_fresh"]:
            tx.look()
            present = await tx.one(_QUEUE, own)
            assert present is not None
            await _refuse_more(tx, statement.project_id)
        else:
            if present["state"] == "queued":
                # The first hint may have been lost.
                tx.look()
            await tx.execute(_ASK, own)
        return int(present["run"])


async def _refuse_more(tx: db.Tx, project_id: int) -> None:
    own = {"project_id": project_id, "orphan_s": get_settings().semantic.query_orphan_s}
    if (await tx.all(_WAITING, own))[0]["n"] <= MOST_WAITING:
        return
    # Those that nobody waits for any more would be in the way of those that somebody does.
    await tx.execute(_ABANDONED, own)
    if (await tx.all(_WAITING, own))[0]["n"] > MOST_WAITING:
        text = f"{MOST_WAITING} queries of this project wait already. Come again later."
        raise RateLimited(text, RETRY_S)


async def _note(statement: Any, **values: Any) -> None:
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(statement, values)


async def _content(
    statement: Statement, found: Mapping[str, Any], wanted: Wanted | None = None
) -> Answer:
    """The answer of a row; where it is good for `wanted`, that is remembered for a moment."""
    made = _kept.get(statement.key, found["finished_at"]) or await _read_content(statement, found)
    if wanted is not None:
        _kept.note_good(statement.key, wanted.refresh_key)
    return made


async def _read_content(statement: Statement, found: Mapping[str, Any]) -> Answer:
    if found["result"] is None and found["result_key"] is None:
        # It was kept a moment ago.
        fresh = await _look(statement, Wanted(""), whole=True)
        found = found if fresh is None else fresh
    content = found["result"]
    if found["result_key"] is not None:
        content = await asyncio.to_thread(_read, found["result_key"])
    if content is None:
        raise _Gone(found["run"])
    made = Answer(statement.key, found["run"], content, found["finished_at"])
    _kept.put(made)
    return made


def _read(key: str) -> bytes | None:
    try:
        with Storage(get_settings().places.storage_dir).open(key) as file:
            return file.read()
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise Unavailable("The answer's file cannot be read. Ask again with renewQuery.") from error


class _Kept:
    """Answers that this process has read lately, the oldest first.

    They are known by when their runs ended: a row that is deleted and comes back counts its runs anew.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._good: dict[str, tuple[str, float]] = {}

    def end(self, key: str) -> datetime | None:
        """When the run ended whose answer is kept."""
        found = self._answers.get(key)
        return None if found is None else found.refreshed_at

    def good(self, key: str, refresh_key: str) -> Answer | None:
        """The answer that was good for this refresh key a moment ago."""
        noted = self._good.get(key)
        if noted is None or noted[0] != refresh_key or time.monotonic() > noted[1]:
            return None
        return self._answers.get(key)

    def note_good(self, key: str, refresh_key: str) -> None:
        """The answer was good for this refresh key when the database was asked just now."""
        if key in self._answers:
            self._good[key] = refresh_key, time.monotonic() + GOOD_S

    def get(self, key: str, end: datetime) -> Answer | None:
        """The answer of the run that ended then."""
        found = self._answers.get(key)
        if found is None or found.refreshed_at != end:
            return None
        self._answers.move_to_end(key)
        return found

    def put(self, answer: Answer) -> None:
        """Keep one, in place of an older one of the same statement."""
        self._drop(answer.key)
        self._answers[answer.key] = answer
        self._bytes += len(answer.content)
        while self._bytes > self._most and self._answers:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: str) -> None:
        self._good.pop(key, None)
        old = self._answers.pop(key, None)
        self._bytes -= 0 if old is None else len(old.content)


_kept = _Kept(KEPT_BYTES)
