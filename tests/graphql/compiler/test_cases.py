"""The cases: ten hard operations, their SQL and their answers.

For each caller three things must be equal as JSON: what a statement written by hand returns, what the
server answers over HTTP, and the answer that is written down. Beside them stands the statement that
the compiler makes.
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from app.access.identify import by_token
from app.core import db
from app.core.rules import Subject
from app.graphql.schema import build_schema
from tests.graphql.compiler.harness import (
    CASES,
    Binding,
    Case,
    case_names,
    coerced,
    cursor_parts,
    run_statement,
    with_open_cursors,
)
from tests.graphql.compiler.write_cases import COMPILED, statement

CALLERS = ("owner", "viewer", "stranger")
PAGED = "runs_connection"
PRESENT = [name for name in case_names() if name != PAGED]


@pytest.fixture(scope="module")
def tokens(owner_token: str) -> dict[str, str]:
    """A session token of each caller."""
    return {"owner": owner_token, "viewer": "token-of-vera", "stranger": "token-of-stan"}


@pytest_asyncio.fixture(scope="module")
async def postgres(app: Starlette) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A plain connection to the application's database, which holds the cases' data."""
    async with db.reading() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.execute((CASES / "data.sql").read_text())
        yield raw


@pytest_asyncio.fixture(scope="module")
async def subjects(postgres: object, tokens: dict[str, str]) -> dict[str, Subject]:
    """Who the callers are."""
    return {caller: await by_token(token) for caller, token in tokens.items()}


async def _ask(
    client: httpx2.AsyncClient, token: str, case: Case, variables: dict[str, Any]
) -> dict[str, Any]:
    response = await client.post(
        "/v2/graphql",
        json={"query": case.text("graphql"), "variables": variables},
        headers={"Authorization": f"Bearer {token}"},
    )
    body: dict[str, Any] = response.json()
    assert "errors" not in body, body
    data: dict[str, Any] = body["data"]
    return data


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", PRESENT)
async def test_statement_and_executor_give_the_written_answer(
    name: str,
    caller: str,
    app: Starlette,
    client: httpx2.AsyncClient,
    postgres: "asyncpg.Connection[Any]",
    subjects: dict[str, Subject],
    tokens: dict[str, str],
) -> None:
    case = Case(name)
    variables = coerced(case, app.endpoint.door.schema._schema)
    compiled = await run_statement(postgres, case.text("sql"), Binding(variables, subjects[caller]))
    executed = await _ask(client, tokens[caller], case, case.variables)
    assert compiled["data"] == executed == case.answers[caller]
    assert json.dumps(compiled["data"]) == json.dumps(executed), "the order of keys differs"


@pytest.mark.parametrize("caller", CALLERS)
async def test_statement_and_executor_give_the_same_pages_behind_each_cursor(
    caller: str,
    app: Starlette,
    client: httpx2.AsyncClient,
    postgres: "asyncpg.Connection[Any]",
    subjects: dict[str, Subject],
    tokens: dict[str, str],
) -> None:
    case = Case(PAGED)
    variables = coerced(case, app.endpoint.door.schema._schema)
    page = (await _ask(client, tokens["owner"], case, case.variables))["pipelineRuns"]
    pages = []
    while page["pageInfo"]["hasNextPage"]:
        cursor = page["pageInfo"]["endCursor"]
        mark, started_at, run_id = cursor_parts(cursor)
        moment = None if started_at is None else datetime.fromisoformat(started_at)
        binding = Binding(variables, subjects[caller], mark=mark, after=(moment, UUID(run_id)))
        compiled = await run_statement(postgres, case.text("sql"), binding)
        asked = {**case.variables, "after": cursor}
        assert compiled["data"] == await _ask(client, tokens[caller], case, asked)
        pages.append(compiled["data"])
        page = (await _ask(client, tokens["owner"], case, asked))["pipelineRuns"]
    assert with_open_cursors(pages) == case.answers[caller]


@pytest.mark.parametrize("name", COMPILED)
def test_the_compiler_makes_the_statement_that_was_reviewed(name: str) -> None:
    """A change of it is a change to look at; then: python -m tests.graphql.compiler.write_cases"""
    assert statement(build_schema(), name) == Case(name).text("compiled.sql")


def test_every_case_has_its_statement_its_variables_and_its_answers() -> None:
    names = case_names()
    assert len(names) >= 10
    for name in names:
        case = Case(name)
        assert case.text("graphql").startswith("# "), f"{name}.graphql does not say who asks"
        assert set(case.answers) == set(CALLERS)
        assert case.text("sql").rstrip().startswith("--"), f"{name}.sql does not explain itself"
