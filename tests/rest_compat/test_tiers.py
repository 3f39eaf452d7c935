"""Every read of the REST dialects is one statement, and none is executed field by field."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    type_from_ast,
)
from graphql.execution.values import VariableValues, get_variable_values
from starlette.applications import Starlette
from strawberry import Schema

import rest_compat
from app.access.identify import by_token
from app.graphql.context import STORED_MAX_PAGE, Context
from app.graphql.documents import StoredOperation, stored_operations
from app.graphql.execute import GraphQLSettings, execute
from app.graphql.schema import build_schema
from tests.graphql.compiler.counting import counting

ROOT = Path(rest_compat.__file__).parent
SCHEMA = build_schema()
PLAIN = {"Int": 5, "String": "x", "JSON": {}, "Boolean": True, "DateTime": "2026-01-01T00:00:00Z"}


def operations() -> Iterator[tuple[str, StoredOperation]]:
    """Every stored query."""
    for file in sorted(ROOT.glob("*/documents/*.graphql")):
        for name, operation in stored_operations(SCHEMA, file.read_text(), file.name).items():
            if not operation.is_mutation:
                yield f"{file.parts[-3]}/{name}", operation


COMPUTED = {
    "olake/ConnectorSpecOfCatalog",
    "olake/NameIsFree",
    "olake/StreamDifference",
    *(f"lens/{name}" for name in ("Meta", "Load", "Sql", "DryRun")),
}
"""What no rows answer: a narrowed schema, a name that is nobody's, two catalogs compared, a model."""
READS = {name: operation for name, operation in operations() if name not in COMPUTED}


def sample(type_: Any) -> Any:
    """Some value of an input type."""
    if isinstance(type_, GraphQLNonNull):
        return sample(type_.of_type)
    if isinstance(type_, GraphQLList):
        return None if isinstance(type_.of_type, GraphQLNonNull) else []
    if isinstance(type_, GraphQLInputObjectType):
        one_of = type_.extensions["strawberry-definition"].is_one_of
        return {"number": 5} if one_of else {}
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return PLAIN[type_.name]


def values_of(schema: Schema, operation: StoredOperation) -> dict[str, Any]:
    """Values of the types that an operation declares; of a cursor none."""
    return {
        declared.variable.name.value: sample(type_from_ast(schema._schema, declared.type))
        for declared in operation.variable_definitions
        if declared.variable.name.value != "after"
    }


def given(schema: Schema, operation: StoredOperation) -> VariableValues:
    """Variables of the types that an operation declares."""
    values = values_of(schema, operation)
    found = get_variable_values(schema._schema, operation.variable_definitions, values)
    assert isinstance(found, VariableValues), found
    return found


def test_there_are_reads() -> None:
    assert len(READS) > 25


OURS = GraphQLSettings(max_nodes=2**63)
"""Documents of our own are not held to the clients' limit."""


@pytest.mark.parametrize("name", READS)
def test_a_read_is_compiled_whole(name: str) -> None:
    operation = READS[name]
    variables = given(SCHEMA, operation)
    plan = operation.plans.find(SCHEMA, operation.document, operation.name, variables, {})
    assert plan.text.count(";") == 0
    again = operation.plans.find(SCHEMA, operation.document, operation.name, variables, {})
    assert again is plan


@pytest.mark.parametrize("name", READS)
async def test_a_read_is_one_statement_and_nothing_is_executed(
    name: str, app: Starlette, owner_token: str
) -> None:
    subject = await by_token(owner_token)
    operation, variables = READS[name], values_of(SCHEMA, READS[name])
    made = []
    for _ in range(2):
        context = Context(subject=subject, max_page=STORED_MAX_PAGE)
        with counting() as counted:
            result = await execute(SCHEMA, operation, variables, None, context, settings=OURS)
        assert result.text is not None and not result.errors, result
        assert len(counted.statements) == 1 and counted.fields == []
        made.append(counted.plans)
    assert made[1] == 0


async def test_how_reads_were_answered_is_counted(
    client: httpx2.AsyncClient, api_key: str, owner_token: str
) -> None:
    before = await compiled_reads(client)
    owner = {"X-API-KEY": api_key, "OAUTH-TOKEN": owner_token}
    assert "pipelines" in (await client.get("/api/pipelines", headers=owner)).json()
    assert await compiled_reads(client) == before + 1


async def compiled_reads(client: httpx2.AsyncClient) -> float:
    """What the server has counted."""
    name = 'isthmus_graphql_reads_total{tier="compiled"} '
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))
