"""Whatever is asked or written, it is answered, compiled, or refused with what is wrong."""

import copy
from random import Random
from typing import Any

import pytest

from app.semantic.compile import (
    DIALECTS,
    QueryError,
    compile_query,
    dry_run_answer,
    normalise,
    sql_answer,
)
from app.semantic.model import Caller, ModelErrors, load
from tests.semantic.ask import random_query
from tests.semantic.places import files, model, recordings

JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 2**70, "", "x", "a.b", "orders.count", "orders.placed_at.month", "\n", "🙂",
    [], [[]], {}, {"a": []}, ["orders.count"], {"and": []}, {"or": [{}]}, [None], "2024-02-30", "now",
    "last 0 days", "orders.placed_at", ["2024-01-01", "9999-12-31"], "0001-01-01", "second",
]  # fmt: skip
LINES = [
    "",
    "  - name: x",
    "    - 1",
    "sql: '('",
    "        type: sum",
    "  joins: 1",
    "%",
    "\t",
    "{{",
]


def _queries() -> list[Any]:
    bodies = (one["request"].get("body") for one in recordings("/v2/load"))
    return [body["query"] for body in bodies if isinstance(body, dict) and "query" in body]


def _spoilt(query: Any, random: Random) -> Any:
    """The query with one of its values, at any depth, in place of another."""
    whole = [copy.deepcopy(query)]
    inner: Any = whole
    while True:
        places = list(inner.keys() if isinstance(inner, dict) else range(len(inner)))
        place = random.choice(places)
        deeper = inner[place]
        if not isinstance(deeper, dict | list) or not deeper or random.random() < 0.3:
            inner[place] = random.choice(JUNK)
            return whole[0]
        inner = deeper


@pytest.mark.parametrize("kind", ["recorded", "random"])
def test_spoilt_queries_are_refused_in_words_or_answered(kind: str) -> None:
    random, refused, answered = Random(kind), 0, 0
    recorded = _queries()
    for _ in range(400):
        query = random.choice(recorded) if kind == "recorded" else random_query(random)[0]
        spoilt = _spoilt(query, random)
        try:
            if isinstance(spoilt, dict):
                spoilt["timezone"] = random.choice(("UTC", "America/New_York", "Asia/Tokyo"))
            asked = normalise(spoilt, multi=True)
            compiled = [
                compile_query(model(), one, Caller(), random.choice(DIALECTS))
                for one in asked.queries
            ]
            sql_answer(model(), asked, compiled)
            dry_run_answer(model(), asked, compiled)
            answered += 1
        except QueryError as error:
            assert error.message
            refused += 1
    assert refused > 50
    assert answered > 5


def test_spoilt_models_are_refused_with_places_or_load() -> None:
    random, refused, loaded = Random(6), 0, 0
    whole = files()
    for _ in range(60):
        path = random.choice(list(whole))
        lines = whole[path].splitlines()
        place = random.randrange(len(lines))
        kind = random.randrange(4)
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.insert(place, random.choice(LINES))
        elif kind == 2:
            lines[place] = lines[place][: random.randint(0, len(lines[place]))]
        else:
            lines[place] = (
                lines[place].partition(":")[0] + f": {random.choice(['[]', '{}', '1', 'x', '*'])}"
            )
        try:
            load({**whole, path: "\n".join(lines)})
            loaded += 1
        except ModelErrors as error:
            assert all(one.line >= 1 and one.message for one in error.errors)
            refused += 1
    assert refused > 10
    assert loaded > 2
