"""Every root field x every kind of caller: the outcomes are the table in authorisation.md.

A root field, or a type that `node` can return, without a row fails. A new row needs an operation
in cases.py and a line in the table; a wrong line's failure shows the right one.
"""

import asyncio
from contextlib import aclosing
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from app.access import identify
from app.core import events
from app.core.errors import Unauthenticated
from app.core.rules import Subject
from app.graphql.compiler import declare
from app.graphql.context import Context
from app.graphql.execute import subscribe
from app.graphql.node import Node
from app.graphql.schema import build_schema
from app.runs.tables import runs
from tests.factories import rows
from tests.graphql.caller import Answer, Caller
from tests.graphql.cases import CASES, Case
from tests.graphql.world import CALLERS, World, make_world

TABLE = Path(__file__).parent / "authorisation.md"
SCHEMA = build_schema()._schema


def expected() -> dict[str, dict[str, str]]:
    """Row name -> caller -> outcome, from the table."""
    found = {}
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] != "field" and set(cells[0]) != {"-"}:
            found[cells[0]] = dict(zip(CALLERS, cells[1:], strict=True))
    return found


@pytest.fixture(scope="module")
async def world(app: Starlette) -> World:
    """The callers."""
    return await make_world()


def test_every_root_field_has_a_row() -> None:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    fields = {name for root in roots if root is not None for name in root.fields}
    assert {case.field for case in CASES} == fields


def test_every_type_with_an_id_has_a_row() -> None:
    fetched = {
        name
        for name, sql in declare.types().items()
        if Node in sql.cls.__mro__ and sql.discriminator is None
    }
    assert {case.variant for case in CASES if case.field == "node"} == fetched


def test_the_table_has_the_rows_of_the_cases() -> None:
    assert list(expected()) == [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_outcomes_are_those_of_the_table(
    case: Case, world: World, app: Starlette, client: httpx2.AsyncClient
) -> None:
    found = {caller: await outcome(case, caller, world, app, client) for caller in CALLERS}
    line = f"| {case.name} | {' | '.join(found.values())} |"
    assert found == expected()[case.name], line


async def outcome(
    case: Case, caller: str, world: World, app: Starlette, client: httpx2.AsyncClient
) -> str:
    """What a caller gets: allowed, null, empty, fault, or the code of the error."""
    variables, wanted = await case.make(world, caller)
    if SCHEMA.subscription_type is not None and case.field in SCHEMA.subscription_type.fields:
        return await _followed(case, dict(variables), wanted, world.tokens[caller], app)
    asked = Caller(client, world.tokens[caller])
    if caller == "installation key":
        asked = Caller(_WithKey(client))  # type: ignore[arg-type]
    answer = await asked(case.document, variables)
    if answer.codes:
        assert len(set(answer.codes)) == 1, answer.body
        return answer.codes[0]
    return _judged(answer, wanted)


class _WithKey:
    """The client of a machine that has the installation's api_key and no session."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def post(self, path: str, **how: object) -> httpx2.Response:
        headers = {"X-API-Key": "installation-key"}
        return await self._client.post(path, **{**how, "headers": headers})  # type: ignore[arg-type]


def _judged(answer: Answer, wanted: str) -> str:
    value = answer.only
    if value is None or value == [None]:
        return "null"
    if wanted:
        return "allowed" if wanted in answer.text else "empty"
    return "fault" if value["errors"] else "allowed"


async def _followed(
    case: Case, variables: dict[str, object], wanted: str, token: str | None, app: Starlette
) -> str:
    """What the first event says; runs of the project change until there is one."""
    try:
        subject = Subject() if token is None else await identify.by_token(token)
    except Unauthenticated as refused:
        return refused.code
    stream = subscribe(
        app.endpoint.door.schema, case.document, variables, None, lambda: Context(subject)
    )
    async with aclosing(stream) as results:
        stop = asyncio.Event()
        stirring = asyncio.create_task(_stir(wanted, stop)) if case.field == "runsUpdated" else None
        async with asyncio.timeout(10):
            result = await anext(results)
        # Not cancelled: that could hit it in the middle of a transaction.
        stop.set()
        if stirring is not None:
            await stirring
    if result.codes:
        return result.codes.pop()
    return "allowed" if wanted in str(result.data) else "empty"


async def _stir(global_id: str, stop: asyncio.Event) -> None:
    """Change a run again and again."""
    parsed = rows.run_key(global_id)
    while not stop.is_set():
        stored = await rows.values_of(runs, parsed)
        now = stored["updated_at"].now(stored["updated_at"].tzinfo)
        await rows.change(runs, parsed, version=stored["version"] + 1, updated_at=now)
        events.publish(str(parsed), stored["project_id"])
        await asyncio.sleep(0.02)
