"""Random queries have the answers that the oracle finds."""

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg
import duckdb
import pytest

from app.semantic.compile import Compiled, QueryError, compile_query, normalise
from app.semantic.model import Caller
from tests.semantic.ask import Query, random_query
from tests.semantic.oracle import ROLLING, Groups, NoPath, Question, answer, rolled
from tests.semantic.places import model
from tests.semantic.run import Rows, duck, on_duckdb, on_postgres, postgres  # noqa: F401

SEEDS = range(60)
MORE = range(1000, 1500)
SEEDS_OF_DUCKDB = range(2000, 2020)
MORE_OF_DUCKDB = range(3000, 3100)


@pytest.mark.parametrize("seeds", [SEEDS, pytest.param(MORE, marks=pytest.mark.long)], ids=len)
async def test_postgres_answers_as_the_oracle(
    seeds: range,
    postgres: asyncpg.Connection,  # noqa: F811
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    answered = 0
    for seed in seeds:
        query, question = random_query(Random(seed))
        found = _expected(question, duck)
        if found is None:
            _expect_no_path(query)
            continue
        whole = _ordered(query, Random(seed))
        compiled = _compiled(whole, "postgres")
        if found == "division by zero":
            with pytest.raises(asyncpg.DivisionByZeroError):
                await on_postgres(postgres, compiled)
            continue
        rows, total = await on_postgres(postgres, compiled)
        _check(whole, compiled, rows, total, found, seed)
        first, last = _page(Random(seed))
        page = _compiled({**whole, "offset": first, "limit": last - first}, "postgres")
        assert (await on_postgres(postgres, page))[0] == rows[first:last], (seed, page)
        answered += 1
    assert answered > len(seeds) / 2


@pytest.mark.parametrize(
    "seeds", [SEEDS_OF_DUCKDB, pytest.param(MORE_OF_DUCKDB, marks=pytest.mark.long)], ids=len
)
def test_duckdb_answers_as_the_oracle(
    seeds: range,
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    answered = 0
    for seed in seeds:
        query, question = random_query(Random(seed))
        found = _expected(question, duck)
        if found is None:
            _expect_no_path(query)
        elif found != "division by zero":
            whole = _ordered(query, Random(seed))
            compiled = _compiled(whole, "duckdb")
            rows, total = on_duckdb(duck, compiled)
            _check(whole, compiled, rows, total, found, seed)
            first, last = _page(Random(seed))
            page = _compiled({**whole, "offset": first, "limit": last - first}, "duckdb")
            assert on_duckdb(duck, page)[0] == rows[first:last], (seed, page)
            answered += 1
    assert answered > len(seeds) / 2


def _expected(question: Question, duck: duckdb.DuckDBPyConnection) -> Groups | str | None:  # noqa: F811
    def run(sql: str) -> list[tuple[Any, ...]]:
        return duck.execute(sql).fetchall()

    try:
        if question.measures and question.measures[0] in ROLLING:
            return rolled(question, question.measures[0], run)
        return answer(question, run)
    except NoPath:
        return None
    except ZeroDivisionError:
        return "division by zero"


def _expect_no_path(query: Query) -> None:
    with pytest.raises(QueryError, match="Can't find join path"):
        _compiled(query, "postgres")


def _ordered(query: Query, random: Random) -> Query:
    """The query in an order without ties, and with its total."""
    names = [*query["dimensions"]]
    names += [one["dimension"] for one in query.get("timeDimensions", ()) if "granularity" in one]
    order = [[one, random.choice(("asc", "desc"))] for one in names]
    return {**query, "order": order, "total": True}


def _page(random: Random) -> tuple[int, int]:
    first = random.randint(0, 3)
    return first, first + random.randint(0, 4)


def _compiled(query: Query, dialect: Any) -> Compiled:
    return compile_query(model(), normalise(query).queries[0], Caller(), dialect)


def _check(
    query: Query, compiled: Compiled, rows: Rows, total: int | None, found: Any, seed: int
) -> None:
    told = (seed, query, compiled.sql, compiled.values)
    width = len(compiled.columns) - len(query["measures"])
    ours = {_plain(row[:width]): _plain(row[width:]) for row in rows}
    theirs = {
        _plain(key): _plain([values[name] for name in query["measures"]])
        for key, values in found.items()
    }
    assert len(ours) == len(rows) == total, told
    assert ours.keys() == theirs.keys(), told
    for key, values in ours.items():
        assert all(map(_close, values, theirs[key])), (key, values, theirs[key], told)


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def _plain(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(map(_one, values))


def _one(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Decimal | int | float):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return _number(value)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
