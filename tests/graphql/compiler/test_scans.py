"""However long the ledger is, a page of a list reads about as many rows as it shows.

Each read is explained with a generic plan, as the pool for compiled reads has it, over a ledger of
many runs; what is counted are the rows that its scans looked at.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from graphql import get_named_type
from sqlalchemy import Table
from starlette.applications import Starlette
from strawberry import Schema

from app.access.identify import by_token
from app.core import db
from app.core.rules import Subject
from app.graphql.compiler import declare
from app.graphql.compiler.declare import RelationField, RootField
from app.graphql.context import STORED_MAX_PAGE, Context
from app.graphql.documents import StoredOperation, prepare
from app.graphql.limits import GraphQLSettings
from app.pipelines import tables as p
from app.runs import tables as r
from tests.rest_compat.test_tiers import READS, SCHEMA, given

RUNS = 20_000
MOST = 2_500
"""Rows that a page of 20 may look at: for each run there are steps, a trigger, a pipeline."""
UNSERVED = {
    "mage/StepList": "counts the steps of all runs of a project",
    **{
        f"{name} by {column} ASC": "an index has those without a value at its other end"
        for name, column in (
            ("pipelineRuns", "STARTED_AT"),
            ("pipelineRuns", "FINISHED_AT"),
            ("runs", "STARTED_AT"),
            ("runs", "FINISHED_AT"),
            ("runSteps", "STARTED_AT"),
        )
    },
    **{
        f"runSteps by {column} {way}": "an order for the steps of one run"
        for column in ("POSITION", "NAME", "CREATED_AT")
        for way in ("ASC", "DESC")
    },
}
"""Reads whose cost grows with the ledger. An index for each would slow down every step of a run."""
GROWING = {p.pipeline_runs, r.runs, r.run_steps, r.run_logs, r.run_events}
LEDGER = f"""
INSERT INTO projects (uuid, name) VALUES ('other', 'Other');
INSERT INTO pipelines (project_id, uuid, name)
  SELECT 1 + n % 2 * ((SELECT max(id) FROM projects) - 1), 'p' || n, 'P' FROM generate_series(1, 20) n;
INSERT INTO triggers (project_id, pipeline_id, name, token)
  SELECT project_id, id, 't', 't' || id FROM pipelines;
INSERT INTO blocks (project_id, pipeline_id, uuid, name, type)
  SELECT project_id, id, 'b' || n, 'b', 'custom' FROM pipelines, generate_series(1, 5) n;
INSERT INTO runs (project_id, kind, subject_id, status, created_at, updated_at, started_at, finished_at)
  SELECT p.project_id, 'pipeline', p.id, (ARRAY['succeeded', 'succeeded', 'failed', 'cancelled'])[1 + n % 4],
    at, at, at, at
  FROM generate_series(1, {RUNS}) n JOIN pipelines p ON p.uuid = 'p' || (1 + n * 7 % 20),
    LATERAL (SELECT timestamptz '2026-03-01 00:00:00+00' + n * 7919 % {RUNS} * interval '7 s' AS at) m;
INSERT INTO pipeline_runs (run_id, project_id, pipeline_id, pipeline_uuid, trigger_id, execution_date)
  SELECT r.id, r.project_id, r.subject_id, p.uuid, t.id, r.created_at
  FROM runs r JOIN pipelines p ON p.id = r.subject_id JOIN triggers t ON t.pipeline_id = p.id;
INSERT INTO run_steps (run_id, project_id, position, name, status, created_at, updated_at, started_at)
  SELECT id, project_id, n, 'b' || n, 'succeeded', created_at, created_at, created_at
  FROM runs, generate_series(1, 2) n;
INSERT INTO run_logs (run_id, project_id, seq, step_id, message)
  SELECT run_id, project_id, position, id, 'x' FROM run_steps;
INSERT INTO run_events (run_id, project_id, seq, kind, status)
  SELECT id, project_id, n, 'run.queued', 'queued' FROM runs, generate_series(1, 2) n
"""


def root_lists() -> Iterator[tuple[str, str]]:
    """A page of each root list by each of its orderings."""
    for name, field in SCHEMA._schema.query_type.fields.items():  # type: ignore[union-attr]
        own = field.extensions["strawberry-definition"]
        declared = own.metadata.get(declare.DECLARATION)
        if not isinstance(declared, RootField):
            continue
        if declare.types()[declared.target].table not in GROWING:
            continue
        order: Any = get_named_type(field.args["orderBy"].type)
        for word in order.fields["field"].type.of_type.values:
            for way in ("ASC", "DESC"):
                by = f"orderBy: [{{field: {word}, direction: {way}}}]"
                yield f"{name} by {word} {way}", f"{{ {name}({by}) {{ nodes {{ id }} }} }}"


ORDERINGS = dict(root_lists())


@pytest_asyncio.fixture(scope="module")
async def ledger(app: Starlette, owner_token: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A plain connection to a database with a long ledger."""
    async with db.reading() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.execute(LEDGER)
        await raw.execute("VACUUM ANALYZE")
        await raw.execute("SET plan_cache_mode = force_generic_plan; SET jit = off")
        yield raw
        await raw.execute("RESET ALL")


@pytest_asyncio.fixture(scope="module")
async def owner(ledger: object, owner_token: str) -> Subject:
    """Who asks."""
    return await by_token(owner_token)


def literal(value: Any) -> str:
    """A parameter as EXECUTE wants it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list):
        return f"'{{{','.join(json.dumps(one) for one in value)}}}'"
    assert isinstance(value, str | datetime | timedelta | UUID), value
    return "'" + str(value).replace("'", "''") + "'"


async def rows_read(
    ledger: "asyncpg.Connection[Any]", schema: Schema, operation: StoredOperation, owner: Subject
) -> int:
    """How many rows the scans of growing tables look at."""
    variables = given(schema, operation)
    plan = operation.plans.find(schema, operation.document, operation.name, variables, {})
    context = Context(subject=owner, request_id="test", max_page=STORED_MAX_PAGE)
    bound = ",".join(literal(one) for one in plan.bind(variables.coerced, context))
    await ledger.execute(f"PREPARE asked AS {plan.text}")
    try:
        call = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked{f'({bound})' if bound else ''}"
        (told,) = await ledger.fetchval(call)
    finally:
        await ledger.execute("DEALLOCATE asked")
    return looked_at(told["Plan"])


def looked_at(node: dict[str, Any]) -> int:
    own = 0
    if node.get("Relation Name") in {table.name for table in GROWING}:
        kept = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        own = round((kept + node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"])
    return own + sum(looked_at(below) for below in node.get("Plans", ()))


@pytest.mark.parametrize("name", READS)
async def test_a_stored_read_looks_at_few_rows(
    ledger: "asyncpg.Connection[Any]", owner: Subject, name: str
) -> None:
    found = await rows_read(ledger, SCHEMA, READS[name], owner)
    assert (found < MOST) is (name not in UNSERVED), found


@pytest.mark.parametrize("which", ORDERINGS)
async def test_a_page_looks_at_few_rows_in_any_order(
    ledger: "asyncpg.Connection[Any]", owner: Subject, which: str
) -> None:
    operation = prepare(SCHEMA, ORDERINGS[which], GraphQLSettings()).operation(None)
    found = await rows_read(ledger, SCHEMA, operation, owner)
    assert (found < MOST) is (which not in UNSERVED), found


async def test_the_measure_sees_a_scan(ledger: "asyncpg.Connection[Any]", owner: Subject) -> None:
    text = "{ runSteps(where: {status: {eq: FAILED}}, first: 1) { totalCount } }"
    operation = prepare(SCHEMA, text, GraphQLSettings()).operation(None)
    assert await rows_read(ledger, SCHEMA, operation, owner) >= RUNS


def indexed(table: Table) -> set[str]:
    """Columns that some index of a table begins with."""
    ways = [list(table.primary_key.columns), *(list(i.columns) for i in table.indexes)]
    ways += [list(c.columns) for c in table.constraints if type(c).__name__ == "UniqueConstraint"]
    return {way[0].name for way in ways if way}


def test_every_relation_has_an_index() -> None:
    seen = 0
    for of_type in declare.types().values():
        for name, declared in of_type.fields.items():
            if isinstance(declared, RelationField):
                seen += 1
                table = declared.far.table
                assert isinstance(table, Table)
                assert declared.far.name in indexed(table), f"{of_type.name}.{name}"
    assert seen > 20
