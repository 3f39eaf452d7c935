"""Tier 0: a read operation as one statement, whose answer is the text of the response."""

from typing import Any

import orjson
from graphql.execution.values import VariableValues
from strawberry import Schema

from app.core import db
from app.core.errors import DomainError
from app.graphql.compiler.cache import Plan, check_size
from app.graphql.compiler.pages import CURSORS
from app.graphql.compiler.standins import StepsAside
from app.graphql.context import Context
from app.graphql.documents import StoredOperation

__all__ = ["StepsAside", "read"]


async def read(
    schema: Schema, operation: StoredOperation, variables: VariableValues, context: Context
) -> tuple[str, int | None]:
    """The response `{"data":…}` of a query, and the version of what its caller may do.

    StepsAside where normal execution must give it.
    """
    if not context.subject.is_known:
        raise StepsAside("an anonymous caller")
    try:
        plan, bound = await _prepared(schema, operation, variables, context)
    except DomainError as error:
        # Worded by normal execution, with the place in the document.
        raise StepsAside(error.message) from error
    text, version = await db.fetch_text(plan.text, bound)
    check_size(text, context)
    return (_patched(text, plan, context) if plan.patches else text), version


async def _prepared(
    schema: Schema, operation: StoredOperation, variables: VariableValues, context: Context
) -> tuple[Plan, list[Any]]:
    values = variables.coerced
    plans = operation.plans
    plan = await plans.ready(schema, operation.document, operation.name, variables, {})
    if plan.cursors:
        opened = [cursor.open(values) for cursor in plan.cursors]
        nulls = {n: [v is None for v in one] for n, one in enumerate(opened) if None in one}
        values = {**values, CURSORS: opened}
        if nulls:
            plan = await plans.ready(schema, operation.document, operation.name, variables, nulls)
    return plan, plan.bind(values, context)


def _patched(text: str, plan: Plan, context: Context) -> str:
    answer = orjson.loads(text)
    for patch in plan.patches:
        patch.apply(answer["data"], context)
    return orjson.dumps(answer).decode()
