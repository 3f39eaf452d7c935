"""Reads of one statement: whole operations, whose answer is its text, and objects in others."""

from typing import Any

import orjson
from graphql.execution.values import VariableValues
from strawberry import Schema

from app.core import db
from app.core.errors import DomainError
from app.graphql.compiler.cache import Plan, Plans, check_size
from app.graphql.compiler.pages import CURSORS
from app.graphql.compiler.plan import KEY
from app.graphql.compiler.standins import StepsAside, Values
from app.graphql.context import Context
from app.graphql.documents import StoredOperation

__all__ = ["StepsAside", "read", "read_part"]


async def read(
    schema: Schema,
    operation: StoredOperation,
    variables: VariableValues,
    context: Context,
    timeout_s: float | None = None,
) -> tuple[str, int | None]:
    """The response `{"data":…}` of a query, and the version of what its caller may do.

    StepsAside where normal execution must give it; TimeoutError after `timeout_s`.
    """
    if not context.subject.is_known:
        raise StepsAside("an anonymous caller")
    try:
        plan, bound = await _prepared(schema, operation, operation.plans, variables, context, {})
    except DomainError as error:
        # Worded by normal execution, with the place in the document.
        raise StepsAside(error.message) from error
    text, version = await db.fetch_text(plan.text, bound, timeout_s)
    check_size(text, context)
    return (_patched(text, plan, context) if plan.patches else text), version


async def read_part(
    schema: Schema,
    operation: StoredOperation,
    plans: Plans,
    variables: VariableValues,
    key: Any,
    context: Context,
) -> Any:
    """Tier 1: what a part of an operation selects of the row with that key; None without one.

    For a part of many rows `key` is a list, and so is the answer, each object with its `ITS_ID`.
    StepsAside where normal execution must give it. The caller's rights are those of the context.
    """
    try:
        plan, bound = await _prepared(schema, operation, plans, variables, context, {KEY: key})
    except DomainError as error:
        raise StepsAside(error.message) from error
    text, _ = await db.fetch_text(plan.text, bound)
    check_size(text, context)
    context.in_parts += text.count("{")
    found = orjson.loads(text)
    for patch in plan.patches:
        patch.apply(found, context)
    return found


async def _prepared(
    schema: Schema,
    operation: StoredOperation,
    plans: Plans,
    variables: VariableValues,
    context: Context,
    more: Values,
) -> tuple[Plan, list[Any]]:
    values = {**variables.coerced, **more}
    plan = await plans.ready(schema, operation.document, operation.name, variables, {})
    if plan.cursors:
        opened = [cursor.open(values) for cursor in plan.cursors]
        nulls = {n: [v is None for v in one] for n, one in enumerate(opened) if None in one}
        values[CURSORS] = opened
        if nulls:
            plan = await plans.ready(schema, operation.document, operation.name, variables, nulls)
    return plan, plan.bind(values, context)


def _patched(text: str, plan: Plan, context: Context) -> str:
    answer = orjson.loads(text)
    for patch in plan.patches:
        patch.apply(answer["data"], context)
    return orjson.dumps(answer).decode()
