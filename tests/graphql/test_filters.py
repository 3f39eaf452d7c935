"""Filters and orderings of every list, root and nested, as the schema has them."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from app.graphql.filters import MAX_CONDITIONS, MAX_LIST
from app.graphql.schema import build_schema
from tests.factories import rows
from tests.factories.team import Team, make_team

SCHEMA = build_schema()._schema
SAMPLES = {
    "String": "tagged",
    "Int": 3,
    "Boolean": True,
    "DateTime": "2030-01-01T00:00:00Z",
    "Date": "2030-01-01",
    "ID": "x",
}


def lists() -> Iterator[tuple[str, str, GraphQLInputObjectType, GraphQLInputObjectType]]:
    """Every list: its name, a document with $w and $o, and its filter and ordering types."""
    assert isinstance(SCHEMA.query_type, GraphQLObjectType)
    for name, field in SCHEMA.query_type.fields.items():
        if "where" in field.args:
            where, order = (get_named_type(field.args[n].type) for n in ("where", "orderBy"))
            yield (
                name,
                f"{name}(where: $w, orderBy: $o) {{ totalCount nodes {{ __typename }} }}",
                where,
                order,
            )  # type: ignore[misc]
    for type_name, root in (("Pipeline", "pipelines"), ("PipelineRun", "pipelineRuns")):
        owner = SCHEMA.type_map[type_name]
        assert isinstance(owner, GraphQLObjectType)
        for name, field in owner.fields.items():
            if "where" in field.args:
                where, order = (get_named_type(field.args[n].type) for n in ("where", "orderBy"))
                inner = f"{name}(where: $w, orderBy: $o) {{ totalCount nodes {{ __typename }} }}"
                yield f"{type_name}.{name}", f"{root} {{ nodes {{ {inner} }} }}", where, order  # type: ignore[misc]


LISTS = {name: (selection, where, order) for name, selection, where, order in lists()}


def document(selection: str, where: GraphQLInputObjectType, order: GraphQLInputObjectType) -> str:
    """The operation of one list."""
    return f"query($w: {where.name}, $o: [{order.name}!]) {{ {selection} }}"


def sample(of: Any) -> Any:
    """A value of an input type."""
    plain = get_nullable_type(of)
    if isinstance(plain, GraphQLList):
        return [sample(plain.of_type)]
    if isinstance(plain, GraphQLEnumType):
        return next(iter(plain.values))
    if isinstance(plain, GraphQLInputObjectType):
        name, field = next(iter(plain.fields.items()))
        return {name: sample(field.type)}
    return SAMPLES[plain.name]


def conditions(of: GraphQLInputObjectType) -> Iterator[dict[str, Any]]:
    """A filter for each operator of each field."""
    for name, field in of.fields.items():
        plain = get_nullable_type(field.type)
        if not isinstance(plain, GraphQLInputObjectType) or plain is of:
            yield {name: sample(field.type)}
            continue
        for operator, operand in plain.fields.items():
            yield {name: {operator: sample(operand.type)}}


def nulls(of: GraphQLInputObjectType) -> Iterator[dict[str, Any]]:
    """The filters that have a null in one place."""
    for name, field in of.fields.items():
        yield {name: None}
        plain = get_nullable_type(field.type)
        operators = plain.fields if isinstance(plain, GraphQLInputObjectType) else {}
        for operator, operand in operators.items():
            yield {name: {operator: None}}
            if isinstance(get_nullable_type(operand.type), GraphQLList):
                yield {name: {operator: [None]}}


@pytest.fixture(scope="module")
async def team(app: Starlette, client: httpx2.AsyncClient) -> Team:
    """A project with a little of everything."""
    made = await make_team(client)
    for number in range(8):
        tags = [["tagged"], ["tagged", "50%"], [], ["under_score"]][number % 4]
        pipeline = await rows.pipeline(
            made.project,
            ["tagged", "Tagged too", "50% off", "under_score", "underXscore", "back\\slash"][
                number % 6
            ]
            + f" {number}",
            tags=tags,
            type=["python", "streaming"][number % 2],
        )
        if number % 3:
            kind = ("api", "time")[number % 2]
            trigger = await rows.trigger(pipeline, f"tagged {number}", type=kind)
            await rows.run(pipeline, trigger_id=trigger["id"], steps={"a": "pending"}, log=["x"])
    return made


@pytest.mark.parametrize("name", LISTS)
async def test_every_operator_of_every_field_works(team: Team, name: str) -> None:
    selection, where, order = LISTS[name]
    for condition in conditions(where):
        answer = await team.owner(document(selection, where, order), w=condition)
        assert answer.codes == [], (condition, answer.body)


@pytest.mark.parametrize("name", LISTS)
async def test_every_ordering_works(team: Team, name: str) -> None:
    selection, where, order = LISTS[name]
    values = get_named_type(order.fields["field"].type)
    assert isinstance(values, GraphQLEnumType)
    for value in values.values:
        for more in ({}, {"direction": "DESC", "nulls": "FIRST"}):
            answer = await team.owner(
                document(selection, where, order), o=[{"field": value, **more}]
            )
            assert answer.codes == [], (value, answer.body)


@pytest.mark.parametrize("name", LISTS)
async def test_a_null_operand_is_refused(team: Team, name: str) -> None:
    selection, where, order = LISTS[name]
    for condition in nulls(where):
        answer = await team.owner(document(selection, where, order), w=condition)
        assert set(answer.codes) == {"BAD_USER_INPUT"}, (condition, answer.body)


@pytest.mark.parametrize("name", [name for name in LISTS if "." not in name])
async def test_an_empty_list_of_operands_matches_nothing(team: Team, name: str) -> None:
    selection, where, order = LISTS[name]
    for field, of in where.fields.items():
        plain = get_nullable_type(of.type)
        if isinstance(plain, GraphQLInputObjectType):
            for operator in ("in", "hasAny"):
                if operator in plain.fields:
                    condition = {field: {operator: []}}
                    answer = await team.owner(document(selection, where, order), w=condition)
                    assert answer.only["totalCount"] == 0, condition


async def names(team: Team, where: dict[str, Any]) -> set[str]:
    """Names of the pipelines that a filter matches."""
    query = "query($w: PipelineFilter) { pipelines(where: $w, first: 100) { nodes { name } } }"
    return {node["name"] for node in (await team.viewer(query, w=where)).only["nodes"]}


ALL = {
    "tagged 0",
    "Tagged too 1",
    "50% off 2",
    "under_score 3",
    "underXscore 4",
    "back\\slash 5",
    "tagged 6",
    "Tagged too 7",
}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, ALL),
        ({"name": {}}, ALL),
        ({"name": {"eq": "tagged 0"}}, {"tagged 0"}),
        ({"name": {"eq": "Tagged 0"}}, set()),
        ({"name": {"contains": "TAGGED"}}, {n for n in ALL if "agged" in n}),
        ({"name": {"contains": "50%"}}, {"50% off 2"}),
        ({"name": {"contains": "r_s"}}, {"under_score 3"}),
        ({"name": {"contains": "k\\s"}}, {"back\\slash 5"}),
        ({"name": {"startsWith": "tagged"}}, {"tagged 0", "tagged 6"}),
        ({"name": {"startsWith": "%"}}, set()),
        ({"name": {"in": ["tagged 0", "50% off 2", "no"]}}, {"tagged 0", "50% off 2"}),
        ({"name": {"contains": "tagged", "startsWith": "T"}}, {"Tagged too 1", "Tagged too 7"}),
        ({"type": {"eq": "STREAMING"}}, {n for n in ALL if int(n[-1]) % 2}),
        ({"tags": {"has": "50%"}}, {"Tagged too 1", "back\\slash 5"}),
        ({"tags": {"hasAny": ["50%", "under_score"]}}, {n for n in ALL if int(n[-1]) % 2}),
        ({"hasTriggers": False}, {n for n in ALL if int(n[-1]) % 3 == 0}),
        ({"not": {"hasTriggers": False}}, {n for n in ALL if int(n[-1]) % 3}),
        ({"triggers": {"type": {"eq": "API"}}}, {n for n in ALL if n[-1] in "24"}),
        ({"and": []}, ALL),
        ({"or": []}, set()),
        ({"not": {}}, set()),
        ({"not": {"or": []}}, ALL),
        ({"not": {"not": {"name": {"eq": "tagged 0"}}}}, {"tagged 0"}),
        (
            {
                "or": [
                    {"and": [{"name": {"contains": "tagged"}}, {"hasTriggers": True}]},
                    {"tags": {"has": "under_score"}, "not": {"type": {"eq": "PYTHON"}}},
                ]
            },
            {"Tagged too 1", "Tagged too 7", "under_score 3"},
        ),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
async def test_filters_mean_what_they_say(
    team: Team, where: dict[str, Any], expected: set[str]
) -> None:
    assert await names(team, where) == expected


def atoms() -> st.SearchStrategy[dict[str, Any]]:
    """Conditions on single fields."""
    text = st.sampled_from(["tagged", "T", "50%", "_", "\\", "score", "o", " 3", "", "'", '"', "é"])
    return st.one_of(
        text.map(lambda t: {"name": {"contains": t}}),
        text.map(lambda t: {"name": {"startsWith": t}}),
        st.lists(st.sampled_from(sorted(ALL)), max_size=3).map(lambda ns: {"name": {"in": ns}}),
        st.booleans().map(lambda b: {"hasTriggers": b}),
    )


FILTERS = st.recursive(
    atoms(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda fs: {"and": fs}),
        st.lists(inner, max_size=3).map(lambda fs: {"or": fs}),
        inner.map(lambda f: {"not": f}),
        st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
    ),
    max_leaves=8,
)


def matches(where: dict[str, Any], name: str) -> bool:
    """What a filter means, said again."""
    for key, value in where.items():
        if key == "and" and not all(matches(w, name) for w in value):
            return False
        if key == "or" and not any(matches(w, name) for w in value):
            return False
        if key == "not" and matches(value, name):
            return False
        if key == "hasTriggers" and bool(int(name[-1]) % 3) is not value:
            return False
        if key == "name":
            ((operator, operand),) = value.items()
            if operator == "contains" and operand.lower() not in name.lower():
                return False
            if operator == "startsWith" and not name.startswith(operand):
                return False
            if operator == "in" and name not in operand:
                return False
    return True


@settings(max_examples=60, deadline=None, derandomize=True)
@given(where=FILTERS)
async def test_nested_filters_agree_with_logic(team: Team, where: dict[str, Any]) -> None:
    assert await names(team, where) == {name for name in ALL if matches(where, name)}


async def test_a_filter_has_a_bounded_size(team: Team) -> None:
    query = "query($w: PipelineFilter) { pipelines(where: $w) { totalCount } }"
    one = {"name": {"eq": "x"}}
    trigger = {"triggers": {"or": [{"name": {"eq": "x"}}] * 20}}
    too_much = [
        {"or": [one] * MAX_CONDITIONS},
        {"or": [trigger] * 10},
        {"name": {"in": ["x"] * (MAX_LIST + 1)}},
        {"or": [{"name": {"in": ["x"] * MAX_LIST}}] * 6},
    ]
    for where in too_much:
        answer = await team.viewer(query, w=where)
        assert answer.codes == ["BAD_USER_INPUT"], answer.body
    fits = [{"name": {"in": ["x"] * MAX_LIST}}, {"or": [{"name": {"in": ["x"] * 900}}] * 5}]
    for where in fits:
        assert (await team.viewer(query, w=where)).codes == []
    deep: dict[str, Any] = one
    for _ in range(55):
        deep = {"not": deep}
    assert (await team.viewer(query, w=deep)).codes == []
