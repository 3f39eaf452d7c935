"""The roots that a model adds: their types, what is selected below them, and how models are swapped."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from graphql import lexicographic_sort_schema, print_type, validate_schema
from starlette.applications import Starlette
from structlog.testing import capture_logs

from app.cli._demo_model import _files
from app.core.ids import global_id
from app.core.rules import SYSTEM, Subject
from app.graphql.schema import build_schema
from app.semantic.actions.models import push_model
from app.semantic.loaded import Loaded, current
from app.semantic.model import load
from app.semantic.roots import with_roots
from app.semantic.served import served
from tests.app.semantic.conftest import (
    Gate,
    gate,  # noqa: F401
    hold,
    lane,  # noqa: F401
    warehouse,  # noqa: F401
)
from tests.factories import rows
from tests.graphql.caller import Caller
from tests.semantic.places import files
from workers.semantic.lane import Lane

GOLDEN = Path(__file__).parent / "semantic_roots.graphql"
MORE = """
tables:
  - name: {name}
    sql: select 1 as id, 'x' as word
    dimensions:
      - name: word
        sql: word
        type: string
    measures:
      - name: count
        type: count
"""


def generated(model_files: dict[str, str]) -> str:
    """The text of the types that a model adds, sorted."""
    base = build_schema()
    loaded = Loaded(1, 1, 1, "demo", None, load(model_files), {})
    made = with_roots(base, loaded)._schema
    made._validation_errors = None
    assert validate_schema(made) == []
    ordered = lexicographic_sort_schema(made)
    new = [name for name in ordered.type_map if name not in base._schema.type_map]
    roots = [f"  {n}: {ordered.query_type.fields[n].type}" for n in ("cube", "table")]  # type: ignore[union-attr]
    head = "extend type Query {\n" + "\n".join(roots) + "\n}"
    return "\n\n".join([head, *(print_type(ordered.type_map[name]) for name in new)]) + "\n"


def test_the_types_of_the_demos_model_are_the_committed_ones() -> None:
    assert resources.files("examples.demo").is_dir()
    assert GOLDEN.read_text() == generated(_files())


def test_everything_that_a_model_adds_has_a_description() -> None:
    base = build_schema()
    made = with_roots(base, Loaded(1, 1, 1, "demo", None, load(files()), {}))._schema
    for name, kind in made.type_map.items():
        if name not in base._schema.type_map:
            assert kind.description, name
            for field in getattr(kind, "fields", {}).values():
                assert field.description, (name, field)


def test_the_static_schema_has_no_roots() -> None:
    base = build_schema()
    with_roots(base, Loaded(1, 1, 1, "demo", None, load(files()), {}))
    assert not {"table", "cube"} & set(base._schema.query_type.fields)  # type: ignore[union-attr]


@pytest_asyncio.fixture(scope="module")
async def graph(app: Starlette, lane: Lane, owner: Caller) -> AsyncIterator[Caller]:  # noqa: F811
    """An owner of the project whose model is served."""
    await push_model(SYSTEM, 1, files())
    yield owner


async def answered(graph: Caller, document: str, **variables: Any) -> Any:
    """The data, waited for."""
    while True:
        answer = await graph(document, variables)
        if "CONTINUE_WAIT" not in answer.codes:
            return answer.data


async def test_fragments_aliases_and_type_names_are_followed(graph: Caller) -> None:
    document = """
    query ($city: String!, $deep: Boolean!) {
      first: table(where: {customers: {city: {equals: $city}}}) { ...Row __typename }
      second: cube(limit: 1, orderBy: {customers: {name: desc}}) {
        people: customers { who: name ... on CustomersMembers @include(if: $deep) { vip } }
      }
    }
    fragment Row on Result { customers { ...Members } }
    fragment Members on CustomersMembers { n: count city }
    """
    assert await answered(graph, document, city="Lyon", deep=True) == {
        "first": [{"customers": {"n": 2.0, "city": "Lyon"}, "__typename": "Result"}],
        "second": [{"people": {"who": "Farah_Khan", "vip": "false"}}],
    }


async def test_one_document_asks_the_model_and_the_rows_beside_it(graph: Caller) -> None:
    document = """
    { pipelines(first: 1) { pageInfo { hasPreviousPage } }
      table(where: {customers: {city: {equals: "Lyon"}}}) { customers { count } } }
    """
    with capture_logs() as logged:
        data = await answered(graph, document)
    assert data == {
        "pipelines": {"pageInfo": {"hasPreviousPage": False}},
        "table": [{"customers": {"count": 2.0}}],
    }
    assert "graphql.not_compiled" not in [line["event"] for line in logged]


async def test_a_project_is_named_by_number_too(graph: Caller) -> None:
    document = """query ($by: ProjectBy!) {
      semanticDryRun(query: {measures: ["customers.count"]}, project: $by)
    }"""
    assert (await graph(document, {"by": {"number": 1}})).data["semanticDryRun"]
    for nobody in ({"number": -1}, {"uuid": "nobody"}):
        assert (await graph(document, {"by": nobody})).codes == ["NOT_FOUND"]


async def test_conditions_of_the_root_and_of_tables_add_up(graph: Caller) -> None:
    document = """
    { table(where: {OR: [{customers: {city: {in: "Lyon"}}}, {customers: {city: {set: false}}}]}) {
        customers(where: {credit: {set: true}}, orderBy: {name: asc}) { name } } }
    """
    data = await answered(graph, document)
    assert [row["customers"]["name"] for row in data["table"]] == ["Alma Reyes", "Eli 50% Stone"]


async def test_a_time_itself_and_its_period(graph: Caller) -> None:
    document = """
    { table(limit: 1, timezone: "America/New_York") {
        orders(where: {placed_at: {inDateRange: "2024-01-31"}}) { id placed_at { value month } } } }
    """
    data = await answered(graph, document)
    assert data["table"][0]["orders"]["placed_at"] == {
        "value": "2024-01-31T23:59:59.000000Z",
        "month": "2024-01-01T05:00:00.000000Z",
    }


async def test_what_a_model_cannot_answer_is_said_with_its_place(graph: Caller) -> None:
    answer = await graph("{ table { orders { count } events { kind } } }")
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.body["errors"][0]["path"] == ["table"]
    answer = await graph("{ table { orders { id note nothing } } }")
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"]


@pytest.mark.parametrize(
    "document",
    [
        "{ table(orderBy: {orders: null}) { orders { count } } }",
        "{ table(where: {AND: [{orders: null}]}) { orders { count } } }",
        '{ semanticQuery(query: {measures: ["orders.count"], limit: 99999999999999999999}) { result } }',
    ],
)
async def test_odd_values_are_no_fault_of_ours(graph: Caller, document: str) -> None:
    while "CONTINUE_WAIT" in (answer := await graph(document)).codes:
        pass
    assert answer.codes in ([], ["BAD_USER_INPUT"])


@pytest.mark.parametrize("given", ['[""]', "[null]", "[]"])
async def test_a_range_that_is_none_is_refused(graph: Caller, given: str) -> None:
    where = f"{{placed_at: {{inDateRange: {given}}}}}"
    answer = await graph(f"{{ table {{ orders(where: {where}) {{ count }} }} }}")
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_who_waits_too_long_is_told_to_come_again(
    graph: Caller,
    gate: Gate,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = f"select 1 as id, {hold(70)}::text as word"
    text = MORE.format(name="slower").replace("select 1 as id, 'x' as word", slow)
    await push_model(SYSTEM, 1, {**files(), "tables/slower.yml": text})
    await until_served("slower")
    await gate.close(70)
    waiting = asyncio.create_task(graph("{ table { slower { word } } }"))
    answer = await waiting
    assert answer.codes == ["CONTINUE_WAIT"]
    assert answer.body["errors"][0]["message"] == "Continue wait"
    await gate.open(70)
    assert await answered(graph, "{ table { slower { word } } }") == {
        "table": [{"slower": {"word": ""}}]
    }


async def until_served(name: str) -> None:
    """Return once this process serves a model that has a table."""
    async with asyncio.timeout(10):
        while name not in (await current(1)).model.tables:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_new_version_is_served_and_a_faulty_one_is_not(graph: Caller) -> None:
    push = """mutation($f: JSON!) { semanticModelCreate(input: {files: $f}) {
      model { version } errors { code path } } }"""
    ask = "{ table { fresh { count } } }"
    assert (await graph(ask)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    text = MORE.format(name="fresh")
    made = (await graph(push, f={**files(), "tables/fresh.yml": text})).only
    assert made["errors"] == []
    await until_served("fresh")
    assert await answered(graph, ask) == {"table": [{"fresh": {"count": 1.0}}]}
    broken = text.replace("type: count", "type: counted")
    refused = (await graph(push, f={**files(), "tables/fresh.yml": broken})).only
    assert refused["model"] is None
    assert [(e["code"], e["path"][:2]) for e in refused["errors"]] == [
        ("MODEL_INVALID", ["tables/fresh.yml", "11"])
    ]
    assert await answered(graph, ask) == {"table": [{"fresh": {"count": 1.0}}]}
    same = (await graph(push, f={**files(), "tables/fresh.yml": text})).only
    assert same["model"] == made["model"]


async def test_each_project_has_the_roots_of_its_own_model(
    graph: Caller, client: httpx2.AsyncClient
) -> None:
    project = await rows.project()
    user = await rows.user()
    await rows.member(project, user, "editor")
    other = Caller(client, (await rows.session(user)).token)
    assert (await other("{ table { customers { count } } }")).codes == ["GRAPHQL_VALIDATION_FAILED"]
    await push_model(SYSTEM, project, {"a.yml": MORE.format(name="theirs")})
    async with asyncio.timeout(10):
        while (await current(project)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await answered(other, "{ table { theirs { word } } }") == {
        "table": [{"theirs": {"word": "x"}}]
    }
    assert (await other("{ table { customers { count } } }")).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert (await graph("{ table { theirs { word } } }")).codes == ["GRAPHQL_VALIDATION_FAILED"]
    asked = (
        "query($p: ID!) { semanticQuery(project: {id: $p}, query: {measures: []}) { isWaiting } }"
    )
    assert (await other(asked, p=global_id("Project", 1))).codes == ["NOT_FOUND"]


def test_names_that_become_the_same_are_kept_apart() -> None:
    texts = {f"{n}.yml": MORE.format(name=n) for n in ("order_items", "orderItems", "string")}
    hidden = MORE.format(name="hidden").replace("name: word", "name: AND\n        public: false")
    model = load(
        {**texts, "hidden.yml": hidden.replace("name: count", "public: false\n        name: count")}
    )
    made = with_roots(build_schema(), Loaded(1, 1, 1, "demo", None, model, {}))._schema
    assert {"OrderItemsMembers", "OrderItemsMembers_", "StringMembers"} <= set(made.type_map)
    assert "HiddenMembers" not in made.type_map
    empty = build_schema()
    assert (
        with_roots(empty, Loaded(1, 1, 1, "demo", None, load({"a.yml": "tables: []"}), {})) is empty
    )


async def test_introspection_shows_the_roots(graph: Caller) -> None:
    data = (
        await graph(
            '{ __schema { queryType { fields { name } } } __type(name: "Result") { name } }'
        )
    ).data
    assert {"table", "cube", "pipelines"} <= {
        field["name"] for field in data["__schema"]["queryType"]["fields"]
    }
    assert data["__type"] == {"name": "Result"}


async def test_a_bound_caller_is_served_nothing_while_its_model_cannot_be_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_: int) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("app.semantic.served.current", away)
    base = build_schema()
    of = served(base)
    user = Subject(kind="key", user_id=1, project_id=1)
    assert await of(user, "{ table { x } }") is base
    with pytest.raises(ConnectionRefusedError):
        await of(replace(user, groups=("reader",)), "{ pipelines { nodes { id } } }")
