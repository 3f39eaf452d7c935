"""Stand-ins: what they lead to in a statement, and what gives them away."""

import asyncio
import threading
from collections import OrderedDict
from traceback import walk_tb
from typing import Any

import pytest
from graphql.execution.values import VariableValues, get_variable_values
from sqlalchemy import Text, literal, select
from strawberry import Schema

from app.graphql.compiler import cache
from app.graphql.compiler.cache import Plans, _compiled
from app.graphql.compiler.plan import Planned
from app.graphql.compiler.standins import (
    Path,
    StepsAside,
    derive,
    source_of,
    stand_in,
)
from app.graphql.documents import stored_operations
from app.graphql.schema import build_schema

QUERY = """query Q($w: PipelineFilter, $o: [PipelineOrder!], $n: Int, $flag: Boolean = true) {
  pipelines(where: $w, orderBy: $o, first: $n) { nodes { uuid name @include(if: $flag) } }
}"""


fresh_operations = stored_operations.__wrapped__
"""As `stored_operations`, and new each time: what one test has planned is not there for the next."""


@pytest.fixture(scope="module")
def schema() -> Schema:
    """The schema, without databases."""
    return build_schema()


def variables(schema: Schema, **given: Any) -> VariableValues:
    operation = fresh_operations(schema, QUERY, "test")["Q"]
    found = get_variable_values(schema._schema, operation.variable_definitions, given)
    assert isinstance(found, VariableValues), found
    return found


def texts(schema: Schema, *requests: dict[str, Any]) -> list[str]:
    """The statements of one operation for these variables."""
    operation = fresh_operations(schema, QUERY, "test")["Q"]
    plans = Plans()
    document, name = operation.document, operation.name
    return [
        plans.find(schema, document, name, variables(schema, **given), {}).text
        for given in requests
    ]


def test_one_statement_serves_all_values_of_a_shape(schema: Schema) -> None:
    made = texts(
        schema,
        {"w": {"name": {"eq": "a"}, "tags": {"hasAny": ["x"]}}, "n": 1},
        {"w": {"name": {"eq": "b"}, "tags": {"hasAny": ["y", "z"]}}, "n": 100},
        {"w": {"name": {"eq": ""}, "tags": {"hasAny": []}}, "n": 50},
    )
    assert len(set(made)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"w": {"name": {"contains": "a"}}},
        {"w": {"uuid": {"eq": "a"}}},
        {"w": {"hasTriggers": True}},
        {"w": {"not": {"name": {"eq": "a"}}}},
        {"w": {"name": {"eq": "a"}}, "o": [{"field": "NAME", "direction": "DESC"}]},
        {"w": {"name": {"eq": "a"}}, "flag": False},
        {},
    ],
)
def test_what_shapes_a_statement_makes_another(schema: Schema, other: dict[str, Any]) -> None:
    first, second = texts(schema, {"w": {"name": {"eq": "a"}}}, other)
    assert first != second


def test_a_list_is_one_parameter_though_it_was_copied() -> None:
    made = stand_in(["a", "b"], Path(("w",)))
    copied = [*made]
    found = source_of(copied)
    assert found is not None and found({"w": ["c"]}) == ["c"]
    alone = source_of(copied[0])
    assert alone is not None
    with pytest.raises(StepsAside):
        alone({})


def test_what_is_derived_is_made_anew_for_each_request() -> None:
    made = derive(len, stand_in("abc", Path(("v",))), like=0)
    found = source_of(made)
    assert found is not None and found({"v": "four"}) == 4
    assert derive(len, "plain", like=0) == 5


def test_a_value_that_got_lost_on_its_way_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Any] = []
    for _ in range(2):
        lost = str.upper(stand_in("x", Path(("v",))))
        plans.append(_compiled(Planned(select(literal(lost, Text)))))
    first, second = ([p.constant for p in plan.parameters] for plan in plans)
    assert first != second


def test_no_more_plans_are_kept_than_a_bound(schema: Schema) -> None:
    operation = fresh_operations(schema, QUERY, "test")["Q"]
    plans = Plans()
    for count in range(1, 70):
        given = variables(schema, w={"or": [{"name": {"eq": "a"}}] * count})
        plans.find(schema, operation.document, operation.name, given, {})
    assert len(plans._plans) == 64


def test_all_operations_together_keep_no_more_plans_than_a_bound(
    schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_all", OrderedDict())
    monkeypatch.setattr(cache, "MAX_ALL_PLANS", 3)
    kept = []
    for count in range(1, 6):
        operation = fresh_operations(schema, QUERY, "test")["Q"]
        given = variables(schema, n=count)
        operation.plans.find(schema, operation.document, "Q", given, {})
        kept.append(operation.plans)
    assert [len(plans._plans) for plans in kept] == [0, 0, 1, 1, 1]


def test_variables_without_end_are_no_key_of_a_plan(schema: Schema) -> None:
    operation = fresh_operations(schema, QUERY, "test")["Q"]
    given = variables(schema, w={"or": [{"uuid": {}}] * 5000})
    with pytest.raises(StepsAside, match="too many parts"):
        operation.plans.find(schema, operation.document, "Q", given, {})
    assert not operation.plans._plans


def test_what_cannot_be_compiled_keeps_nothing_of_its_requests(schema: Schema) -> None:
    operation = fresh_operations(schema, 'query Q { node(id: "x") { id } }', "test")["Q"]
    found = []
    for _ in range(3):
        with pytest.raises(StepsAside) as caught:
            plans = operation.plans
            plans.find(schema, operation.document, "Q", VariableValues({}, {}), {})
        found.append(len(list(walk_tb(caught.value.__traceback__))))
    assert found[1] == found[2] and caught.value.__cause__ is None


async def test_a_plan_is_made_once_and_beside_the_event_loop(
    schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    build = Plans._build

    def noted(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return build(*arguments)

    monkeypatch.setattr(Plans, "_build", noted)
    operation = fresh_operations(schema, QUERY, "test")["Q"]
    asked = (schema, operation.document, "Q", variables(schema), {})
    first, second = await asyncio.gather(*(operation.plans.ready(*asked) for _ in range(2)))
    assert first is second is await operation.plans.ready(*asked)
    assert len(threads) == 1 and threads[0] != threading.get_ident()
