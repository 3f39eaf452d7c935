"""The operations of the benchmark: one statement each, no field executed, a plan made once."""

from pathlib import Path

import pytest
from strawberry import Schema

from app.core.rules import Subject
from app.graphql.context import STORED_MAX_PAGE, Context
from app.graphql.documents import StoredOperation, stored_operations
from app.graphql.execute import execute
from tests.graphql.compiler.counting import counting
from tests.graphql.compiler.test_differential import schema, subjects  # noqa: F401  (fixtures)

OPERATIONS = Path(__file__).parents[3] / "bench/graphql/operations/isthmus"
VARIABLES = {"S": {"uuid": "celeborn"}, "N": {}, "L": {}, "P": {"pipeline": "arwen_starlight"}}


def named(schema: Schema, name: str) -> StoredOperation:  # noqa: F811
    """One of the operations, as the benchmark sends it."""
    file = OPERATIONS / f"{name}.graphql"
    return stored_operations(schema, file.read_text(), file.name)[name]


@pytest.mark.parametrize("name", VARIABLES)
async def test_it_is_one_statement_and_nothing_is_executed(
    schema: Schema,  # noqa: F811
    subjects: list[Subject],  # noqa: F811
    name: str,
) -> None:
    operation = named(schema, name)
    plans = []
    for _ in range(2):
        context = Context(subject=subjects[0], max_page=STORED_MAX_PAGE)
        with counting() as counted:
            result = await execute(schema, operation, VARIABLES[name], None, context)
        assert result.text is not None and result.data and not result.errors
        assert len(counted.statements) == 1 and counted.fields == []
        plans.append(counted.plans)
    assert plans == [1, 0]
