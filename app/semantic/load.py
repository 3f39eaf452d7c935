"""Questions to a model from their JSON to their answers, in the words of Cube's REST API."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import orjson

from app.core.errors import Invalid
from app.semantic import compile as compiler
from app.semantic import model as models
from app.semantic.asker import Asker
from app.semantic.asking import WAITED_S, Answer, Held, Statement, Wanted, answer, together
from app.semantic.compile import Asked, Compiled, Normal, QueryError
from app.semantic.loaded import Loaded, is_current
from app.semantic.model import Model
from app.semantic.refresh import Key, Value, bounded, value_of
from app.semantic.sources import DataSource, unknown
from app.settings import get_settings

Json = dict[str, Any]
T = TypeVar("T")

KEPT_S = 1.0
"""How long a compiled query is kept: words such as `today` mean another time a moment later."""
MOST_KEPT = 200
LONGEST_KEPT = 128 * 1024
SHAPED_BYTES = 32 * 1024**2
USER_ERROR = "USER_ERROR"
_NO_TEXTS = ("number", "time")


@dataclass(frozen=True)
class Ready:
    """A compiled query and its answers; `total` is the number of its rows without a limit."""

    compiled: Compiled
    answer: Answer
    total: Answer | None
    refresh: Value

    @property
    def answers(self) -> list[Answer]:
        """Both, or the one."""
        return [one for one in (self.answer, self.total) if one is not None]

    @property
    def runs(self) -> list[tuple[str, datetime]]:
        """Which runs the answers are of, by their ends."""
        return [(one.key, one.refreshed_at) for one in self.answers]

    @property
    def held(self) -> list[Held]:
        """All answers that it rests on, those to refresh keys included."""
        return [*self.refresh.held, *(Held(one, self.refresh.text) for one in self.answers)]


@dataclass
class Question:
    """What a request asks of a model, compiled, and its answer by the runs that it is made of."""

    model: Model
    asked: Asked
    compiled: list[Compiled]
    until: float
    answer: tuple[Any, bytes] | None = None


@dataclass(frozen=True)
class Told:
    """An answer of /v2/load, as JSON, and what it rests on."""

    text: bytes
    question: Question
    loaded: Loaded
    ready: list[Ready]

    @cached_property
    def holds(self) -> Callable[[], bool]:
        """Says whether who asks the same gets the same, without a look at anything."""
        held = [one for ready in self.ready for one in ready.held]
        keys_until = min((ready.refresh.until for ready in self.ready), default=0.0)
        # Who waits for the same question may have put its end off.
        until = min(self.question.until, time.monotonic() + KEPT_S)
        loaded = self.loaded
        renews = any(ready.compiled.normal.renew for ready in self.ready)

        def holds() -> bool:
            if renews or time.monotonic() >= until or time.time() >= keys_until:
                return False
            for one in held:
                if not one.holds():
                    return False
            return is_current(loaded)

        return holds

    @property
    def json(self) -> orjson.Fragment:
        """The answer for a place in an answer."""
        return orjson.Fragment(self.text)


async def load(who: Asker, query: Any, query_type: str | None, wait_s: float) -> Told | None:
    """The answer of /v2/load; None where the asker must come again."""
    is_multi = query_type == "multi"
    question = _question(who, query, is_multi)
    ready = await _waited(who, question, wait_s)
    if ready is None:
        return None
    runs = tuple(run for one in ready for run in one.runs)
    if question.answer is not None and question.answer[0] == runs:
        return Told(question.answer[1], question, who.loaded, ready)

    def written() -> bytes:
        results = [_result(who, question.asked, one) for one in ready]
        return orjson.dumps(compiler.load_answer(question.asked, results, multi=is_multi))

    text = await _made(ready, written)
    if len(text) <= LONGEST_KEPT:
        question.answer = runs, text
    return Told(text, question, who.loaded, ready)


async def load_rows(who: Asker, query: Json, wait_s: float) -> list[Json] | None:
    """The rows of one query by members; None where the asker must come again.

    Masked numbers and times are null: what stands in their place is a text.
    """
    ready = await _waited(who, _question(who, query, False), wait_s)
    if ready is None:
        return None
    compiled, found = ready[0].compiled, ready[0].answer
    # A time and its periods have keys of their own here; in other answers they share one.
    names = [column.keys[0] for column in compiled.columns]
    masked = compiled.secured.get("meta", {}).get("secured", {}).get("dimensions", ())
    untold = [one for one in compiled.columns if one.member in masked and one.type in _NO_TEXTS]
    gone = {one.keys[0]: None for one in untold}
    return await _made(
        ready, lambda: [dict(zip(names, row, strict=True), **gone) for row in found.rows()]
    )


def sql(who: Asker, query: Any) -> Any:
    """The answer of /v2/sql: a list for a list."""
    question = _question(who, query, True)
    return compiler.sql_answer(who.loaded.model, question.asked, question.compiled)


def dry_run(who: Asker, query: Any) -> Json:
    """The answer of /v2/dry-run."""
    question = _question(who, query, True)
    told: Json = compiler.dry_run_answer(who.loaded.model, question.asked, question.compiled)
    return told


def meta(who: Asker, *, extended: bool) -> Json:
    """The answer of /v2/meta."""
    loaded = who.loaded
    named = {table.data_source for table in loaded.model.tables.values()}
    name = next(iter(sorted(named)), "default")
    source = loaded.sources.get(name)
    return models.meta(
        loaded.model,
        who.caller,
        name=loaded.lens,
        description=loaded.description or "",
        source_type="postgres" if source is None else source.dialect,
        source_name=name,
        extended=extended,
    )


async def _made(ready: list[Ready], make: Callable[[], T]) -> T:
    """What is made of answers: beside the loop where they are long."""
    if sum(len(one.answer.content) for one in ready) <= LONGEST_KEPT:
        return make()
    return await asyncio.to_thread(make)


async def _waited(who: Asker, question: Question, wait_s: float) -> list[Ready] | None:
    """The answers, or None: then the question stays as it is for who comes again for them.

    Else words that mean another time by then, such as `last 30 seconds`, would be another query.
    """
    try:
        ready = await _ready(who, question.compiled, wait_s)
    except Exception:
        question.until = 0.0
        raise
    if ready is None:
        question.until = time.monotonic() + WAITED_S
    elif question.until > time.monotonic() + KEPT_S:
        question.until = time.monotonic() + KEPT_S
    return ready


async def _ready(who: Asker, compiled: list[Compiled], wait_s: float) -> list[Ready] | None:
    """The answers to all, asked for side by side."""
    found = await together([_answered(who, one, wait_s) for one in compiled])
    ready = [one for one in found if one is not None]
    return ready if len(ready) == len(found) else None


async def _answered(who: Asker, compiled: Compiled, wait_s: float) -> Ready | None:
    deadline = time.monotonic() + wait_s
    source = _source(who, compiled)
    keys = [
        Key(key, None if key.sql is None else _statement(who, source, bounded(key.sql), []))
        for key in dict.fromkeys(compiled.refresh_keys)
    ]
    refresh = await value_of(keys, renew=compiled.normal.renew, wait_s=wait_s)
    if refresh is None:
        return None
    wanted = Wanted(refresh.text)
    texts = [(compiled.sql, compiled.values), (compiled.total_sql, compiled.total_values)]
    asked = [_statement(who, source, sql, values) for sql, values in texts if sql is not None]
    left_s = max(0.0, deadline - time.monotonic())
    found = await together([answer(one, wanted, left_s) for one in asked])
    ready = [one for one in found if one is not None]
    if len(ready) < len(found):
        return None
    return Ready(compiled, ready[0], ready[1] if len(ready) > 1 else None, refresh)


def _statement(who: Asker, source: DataSource, sql: str, values: list[Any]) -> Statement:
    project = who.loaded.project_id
    return Statement(project, source.name, source.place, source.dialect, sql, tuple(values))


def _source(who: Asker, compiled: Compiled) -> DataSource:
    found = who.loaded.sources.get(compiled.data_source)
    if found is None:
        raise unknown(compiled.data_source)
    return found


def _result(who: Asker, asked: Asked, ready: Ready) -> Json:
    """One result; its rows are written once for all who ask for them in this shape."""
    compiled, answered = ready.compiled, ready.answer
    total = None if ready.total is None else int(ready.total.rows()[0][0])

    def told(rows: list[list[Any]]) -> Json:
        return compiler.result(
            asked,
            compiled,
            rows,
            total=total,
            refreshed_at=answered.refreshed_at,
            db_type=_source(who, compiled).dialect,
        )

    # Ranges that are the same moments have other words in another zone.
    words = tuple(compiler.extra_keys(asked, compiled.normal).items())
    names = tuple(column.keys for column in compiled.columns)
    key = (answered.key, answered.refreshed_at, compiled.normal.compact, names, words)
    data = _shaped.get(key, lambda: told(answered.rows())["data"])
    return {**told([]), "data": data}


def _question(who: Asker, query: Any, is_multi: bool) -> "Question":
    """The queries as SQL; Invalid, in the words that clients know, for those that cannot be."""
    loaded = who.loaded
    try:
        text = orjson.dumps(query)
    except TypeError as error:
        # Literals of GraphQL can hold what JSON cannot.
        raise Invalid(f"This is no query: {error}", "INVALID") from None
    key = (loaded.id, id(loaded.model), who.caller, is_multi, text)
    found = _kept.get(key)
    if found is not None and time.monotonic() < found.until:
        return found
    try:
        asked, compiled = _compile(who, query, is_multi)
    except QueryError as error:
        raise Invalid(error.message, USER_ERROR if error.type else "INVALID") from error
    made = _kept[key] = Question(loaded.model, asked, compiled, time.monotonic() + KEPT_S)
    _kept.move_to_end(key)
    if len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return made


def _compile(who: Asker, query: Any, is_multi: bool) -> tuple[Asked, list[Compiled]]:
    loaded = who.loaded
    asked = compiler.normalise(query, multi=is_multi)
    found = []
    for normal in asked.queries:
        found.append(
            compiler.compile_query(
                loaded.model,
                normal,
                who.caller,
                _dialect(who, normal),
                ungrouped_without_keys=get_settings().semantic.ungrouped_without_key,
            )
        )
    return asked, found


def _dialect(who: Asker, normal: Normal) -> Any:
    """How SQL is written for the data source of the query's first member."""
    times = (one.dimension for one in normal.time_dimensions)
    for name in (*normal.measures, *normal.dimensions, *times):
        entry = who.loaded.model.entries.get(name.partition(".")[0])
        members: Json = {} if entry is None else {**entry.measures, **entry.dimensions}
        if (field := members.get(name.partition(".")[2])) is not None:
            table = who.loaded.model.tables[field.member.table]
            source = who.loaded.sources.get(table.data_source)
            return "postgres" if source is None else source.dialect
    return "postgres"


_kept: OrderedDict[Any, Question] = OrderedDict()


class _Shaped:
    """Rows as JSON texts, the oldest first."""

    def __init__(self) -> None:
        self._texts: OrderedDict[Any, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Any, make: Any) -> orjson.Fragment:
        """The text of a key, made where it is not there."""
        with self._lock:
            text = self._texts.pop(key, None)
            if text is not None:
                self._texts[key] = text
        return orjson.Fragment(self._put(key, orjson.dumps(make())) if text is None else text)

    def _put(self, key: Any, text: bytes) -> bytes:
        with self._lock:
            self._bytes += len(text) - len(self._texts.pop(key, b""))
            self._texts[key] = text
            while self._bytes > SHAPED_BYTES and len(self._texts) > 1:
                _, old = self._texts.popitem(last=False)
                self._bytes -= len(old)
        return text


_shaped = _Shaped()
