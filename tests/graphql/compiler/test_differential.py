"""Generated operations, asked by every kind of caller: each tier gives the same answer.

A case that once differed is kept in `DIFFERED`, by the seed that makes it.
"""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from strawberry import Schema

from app.access.identify import by_token
from app.core import db
from app.core.rules import Subject
from app.graphql.context import Context
from app.graphql.documents import Document, prepare
from app.graphql.execute import GraphQLSettings, Refused, Result, execute
from tests.graphql.compiler.harness import CASES
from tests.graphql.compiler.operations import Operation, Writer

ROUNDS = [*range(2), *(pytest.param(more, marks=pytest.mark.long) for more in range(2, 60))]
CASES_PER_ROUND = 60
DIFFERED = (26, 995)
COMPILED = GraphQLSettings(max_nodes=10**9, max_aliases=10**6, max_depth=100)
EXECUTED = replace(COMPILED, compile=False)

_taken: Counter[str] = Counter()


@pytest_asyncio.fixture(scope="module")
async def subjects(app: Starlette, owner_token: str) -> AsyncIterator[list[Subject]]:
    """An owner, a viewer, a stranger, and the same data for all of them."""
    async with db.reading() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, asyncpg.Connection)
        await raw.execute((CASES / "data.sql").read_text())
    yield [await by_token(t) for t in (owner_token, "token-of-vera", "token-of-stan")]


@pytest.fixture(scope="module")
def schema(app: Starlette) -> Schema:
    """The served schema."""
    found: Schema = app.endpoint.door.schema
    return found


@lru_cache(maxsize=8)
def prepared(schema: Schema, text: str) -> Document:
    """The document as the server keeps it: for all callers."""
    try:
        return prepare(schema, text, COMPILED)
    except Refused as refused:
        raise AssertionError(f"{text}: {refused}") from refused


async def ask(
    schema: Schema, operation: Operation, subject: Subject, settings: GraphQLSettings
) -> Result:
    document = prepared(schema, operation.text)
    context = Context(subject=subject, request_id="test")
    return await execute(schema, document, operation.variables, None, context, settings=settings)


def shown(result: Result) -> str:
    """What a client gets, the order of keys included; floats and errors as they are."""
    return json.dumps({"data": _plain(result.data), "errors": result.errors})


def _plain(value: Any) -> Any:
    """1.0 and 1 are the same number in JSON."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def both(schema: Schema, operation: Operation, subject: Subject) -> tuple[Result, Result]:
    """Compiled and executed; once more compiled where a second may have passed between them."""
    compiled = await ask(schema, operation, subject, COMPILED)
    executed = await ask(schema, operation, subject, EXECUTED)
    if shown(compiled) != shown(executed) and "runtimeS" in operation.text:
        compiled = await ask(schema, operation, subject, COMPILED)
    return compiled, executed


async def compare(schema: Schema, seed: int, subjects: list[Subject]) -> None:
    operation = Writer(schema._schema, random.Random(seed)).operation()
    for number, subject in enumerate(subjects):
        compiled, executed = await both(schema, operation, subject)
        _taken["compiled" if compiled.text is not None else "executed"] += 1
        assert shown(compiled) == shown(executed), (seed, number, operation)


@pytest.mark.parametrize("number", ROUNDS)
async def test_tiers_agree(schema: Schema, subjects: list[Subject], number: int) -> None:
    for seed in range(number * CASES_PER_ROUND, (number + 1) * CASES_PER_ROUND):
        await compare(schema, seed, subjects)


@pytest.mark.parametrize("seed", DIFFERED)
async def test_what_once_differed_agrees(
    schema: Schema, subjects: list[Subject], seed: int
) -> None:
    await compare(schema, seed, subjects)


async def test_most_of_it_was_compiled(schema: Schema, subjects: list[Subject]) -> None:
    """Else the comparison would have compared normal execution with itself."""
    if not _taken:
        for seed in range(CASES_PER_ROUND):
            await compare(schema, seed, subjects)
    assert _taken["compiled"] > _taken["executed"], _taken
