"""Who sees what of a model over GraphQL: the worked policies, held against plain SQL and against REST."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from structlog.testing import capture_logs

from app.access.actions import create_api_key
from app.core.rules import SYSTEM
from app.semantic.actions.models import push_model
from tests.app.semantic.conftest import lane, warehouse  # noqa: F401  (fixtures)
from tests.factories import rows
from tests.graphql.caller import PATH, Caller
from tests.semantic.guarded import guarded
from workers.semantic.lane import Lane

EVERYTHING = {"customers": "customers", "join": "LEFT JOIN"}
LYON = "(SELECT id, md5(name) AS name, city, vip, credit FROM customers WHERE city = 'Lyon')"
SEES = {"bob": EVERYTHING, "pia": {"customers": LYON, "join": "JOIN"}}
"""What stands for the table in SQL, and how orders are joined to it, for a caller of no policy and
for one of a mask and a row filter."""
CLOSED = ("rita", "ana", "mallory")
NO_GRAPHQL = "API scope is missing: graphql"
WORDS = ("customers", "Client book", "manager", "lyon_only", "md5")
"""What would tell of the model."""


@dataclass(frozen=True)
class Case:
    """A question in three languages: below `table`, to /v2/load, in SQL."""

    selected: str
    query: Mapping[str, Any]
    sql: str
    arguments: str = ""


def _equals(member: str, value: str) -> dict[str, Any]:
    return {"member": member, "operator": "equals", "values": [value]}


NAMES = {"dimensions": ["customers.name"]}
COUNT = {"measures": ["customers.count"]}
JOINED = "orders o {join} {customers} c ON o.customer_id = c.id"
CASES = {
    "a count": Case("customers { count }", COUNT, "SELECT count(*) FROM {customers} c"),
    "nothing joins": Case(
        "orders { count }", {"measures": ["orders.count"]}, "SELECT count(*) FROM orders"
    ),
    "a join": Case(
        "customers { city } orders { count }",
        {"measures": ["orders.count"], "dimensions": ["customers.city"]},
        f"SELECT c.city, count(*) FROM {JOINED} GROUP BY 1",
    ),
    "a join for a condition": Case(
        "orders { count }",
        {"measures": ["orders.count"], "filters": [_equals("customers.vip", "false")]},
        f"SELECT count(*) FROM {JOINED} WHERE NOT c.vip",
        '(where: {customers: {vip: {equals: "false"}}})',
    ),
    "a view": Case(
        "order_analysis { customer_name orders_count }",
        {"measures": ["order_analysis.orders_count"], "dimensions": ["order_analysis.customer_name"]},
        f"SELECT c.name, count(*) FROM {JOINED} GROUP BY 1",
    ),
    "parts": Case(
        "customers { total_credit } orders { shipping_total }",
        {"measures": ["customers.total_credit", "orders.shipping_total"]},
        f"SELECT (SELECT sum(credit) FROM {{customers}} x), sum(o.shipping) FROM {JOINED}",
    ),
    "months": Case(
        "orders { placed_at { month } count } customers(where: {vip: {set: true}}) { __typename }",
        {
            "measures": ["orders.count"],
            "timeDimensions": [{"dimension": "orders.placed_at", "granularity": "month"}],
            "filters": [{"member": "customers.vip", "operator": "set"}],
        },
        f"SELECT date_trunc('month', o.placed_at), count(*) FROM {JOINED} WHERE c.vip IS NOT NULL GROUP BY 1",
    ),
    "names": Case("customers { name }", NAMES, "SELECT name FROM {customers} c"),
    "the first name": Case(
        "customers(orderBy: {name: asc}) { name }",
        {**NAMES, "order": {"customers.name": "asc"}, "limit": 1},
        'SELECT name FROM {customers} c ORDER BY name COLLATE "C" LIMIT 1',
        "(limit: 1)",
    ),
    "a name": Case(
        'customers(where: {name: {equals: "Alma Reyes"}}) { name }',
        {**NAMES, "filters": [_equals("customers.name", "Alma Reyes")]},
        "SELECT name FROM {customers} c WHERE name = 'Alma Reyes'",
    ),
    "names by their beginning": Case(
        'customers(where: {name: {startsWith: "Al"}}) { count }',
        {
            **COUNT,
            "filters": [{"member": "customers.name", "operator": "startsWith", "values": ["Al"]}],
        },
        "SELECT count(*) FROM {customers} c WHERE name ILIKE 'al%'",
    ),
    "one or the other": Case(
        "customers { count }",
        {
            **COUNT,
            "filters": [
                {"or": [_equals("customers.name", "Chen Wei"), _equals("customers.vip", "true")]}
            ],
        },
        "SELECT count(*) FROM {customers} c WHERE name = 'Chen Wei' OR vip",
        '(where: {OR: [{customers: {name: {equals: "Chen Wei"}}}, {customers: {vip: {equals: "true"}}}]})',
    ),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def callers(app: Starlette, lane: Lane, client: httpx2.AsyncClient) -> dict[str, Caller]:  # noqa: F811
    """Viewers of the default project, whose model has policies, by their names."""
    await push_model(SYSTEM, 1, guarded())
    found = {}
    for name in ("rita", "ana", "bob", "mallory", "pia", "gus"):
        user = (await rows.row(rows.users, username=name, email=None, password_hash="x"))["id"]
        await rows.member(1, user, "viewer")
        found[name] = Caller(client, (await rows.api_key(user)).token)
    return found


@pytest_asyncio.fixture(scope="module")
async def data(warehouse: str) -> AsyncIterator[asyncpg.Connection]:  # noqa: F811
    """The data source itself."""
    connection = await asyncpg.connect(warehouse)
    yield connection
    await connection.close()


async def told(caller: Caller, document: str, **variables: Any) -> Any:
    """The data of an answer, waited for."""
    while "CONTINUE_WAIT" in (answer := await caller(document, variables)).codes:
        pass
    return answer.data


async def by_rest(caller: Caller, query: Mapping[str, Any], path: str = "/v2/load") -> Any:
    """The body of an answer over REST, waited for."""
    while True:
        headers = {"Authorization": str(caller.token)}
        answer = await caller.client.post(path, json={"query": query}, headers=headers)
        if answer.json() != {"error": "Continue wait"}:
            return answer.json()


async def followed(caller: Caller, query: Mapping[str, Any]) -> list[Any]:
    """The payloads of the subscription, all of them."""
    document = "subscription ($q: JSON!) { semanticQueryAnswered(query: $q) { isWaiting result } }"
    headers = {"Authorization": f"Bearer {caller.token}", "Accept": "text/event-stream"}
    body = {"query": document, "variables": {"q": query}}
    answer = await caller.client.post(PATH, json=body, headers=headers)
    lines = (line.removeprefix("data:").strip() for line in answer.text.splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


def leaves(value: Any) -> list[Any]:
    """The values in an answer's row, as they can be compared."""
    if isinstance(value, Mapping):
        return [leaf for key, one in value.items() if key != "__typename" for leaf in leaves(one)]
    return [plain(value)]


def plain(value: Any) -> Any:
    """Numbers as numbers, times to the second, all else as it is."""
    if value is None:
        return None
    text = str(value).replace(" ", "T") if hasattr(value, "isoformat") else str(value)
    try:
        return float(text)
    except ValueError:
        return text[:19] if text[4:5] == "-" and text[10:11] == "T" else text


def in_order(found: Any) -> list[list[Any]]:
    """Rows by their texts: their order says nothing here."""
    return sorted((leaves(row) for row in found), key=str)


@pytest.mark.parametrize("name", SEES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_rows_are_those_of_plain_sql_at_every_door(
    case: Case, name: str, callers: dict[str, Caller], data: asyncpg.Connection
) -> None:
    caller = callers[name]
    expected = in_order(
        dict(enumerate(row)) for row in await data.fetch(case.sql.format(**SEES[name]))
    )
    document = f"{{ table{case.arguments} {{ {case.selected} }} cube{case.arguments} {{ {case.selected} }} }}"
    found = await told(caller, document)
    assert in_order(found["table"]) == in_order(found["cube"]) == expected
    rest = await by_rest(caller, case.query)
    once = [
        {key: one for key, one in row.items() if f"{key}.month" not in row} for row in rest["data"]
    ]
    assert in_order(once) == expected
    static = "query ($q: JSON!) { semanticQuery(query: $q) { isWaiting result } }"
    asked = (await told(caller, static, q=case.query))["semanticQuery"]
    assert asked == {
        "isWaiting": False,
        "result": {**rest, "lastRefreshTime": asked["result"]["lastRefreshTime"]},
    }
    last = (await followed(caller, case.query))[-1]["data"]["semanticQueryAnswered"]
    assert last["isWaiting"] is False and last["result"]["data"] == rest["data"]


async def test_policies_hold_behind_fragments_and_aliases(
    callers: dict[str, Caller], data: asyncpg.Connection
) -> None:
    document = """
    query ($name: String!) {
      all: table { ...Row }
      one: cube(where: {customers: {name: {equals: $name}}}) { who: customers { label: name } }
    }
    fragment Row on Result { people: customers(orderBy: {name: asc}) { ...Names } }
    fragment Names on CustomersMembers { alias: name ... on CustomersMembers { name } }
    """
    for name, sees in SEES.items():
        wanted = f'SELECT name FROM {sees["customers"]} c ORDER BY name COLLATE "C"'
        names = [row["name"] for row in await data.fetch(wanted)]
        with capture_logs() as logs:
            found = await told(callers[name], document, name=names[0])
        assert not [line for line in logs if line["log_level"] in ("warning", "error")]
        assert found["all"] == [{"people": {"alias": one, "name": one}} for one in names]
        assert found["one"] == [{"who": {"label": names[0]}}]


async def test_a_key_that_is_bound_to_a_group_is_under_its_policies(
    callers: dict[str, Caller], data: asyncpg.Connection
) -> None:
    """Though it belongs to an owner of the installation; and it sees nothing but the model."""
    scopes, groups = ["semantic.read"], ["partner"]
    made = await create_api_key(SYSTEM, name="bi", user_id=1, scopes=scopes, groups=groups)
    bound = callers["bob"].with_token(made[1])
    document = "{ table { customers { name } } semanticModel { id } pipelines { nodes { id } } }"
    found = await told(bound, document)
    assert in_order(found.pop("table")) == in_order(
        dict(row) for row in await data.fetch(f"SELECT name FROM {LYON} c")
    )
    assert found == {"semanticModel": None, "pipelines": {"nodes": []}}


async def test_the_sql_has_the_callers_policies_in_it(callers: dict[str, Caller]) -> None:
    document = "query ($q: JSON!) { semanticSql(query: $q) semanticDryRun(query: $q) }"
    query = {**NAMES, "filters": [_equals("customers.name", "Alma Reyes")]}
    found = {}
    for name in SEES:
        told_ = await told(callers[name], document, q=query)
        assert told_["semanticSql"] == await by_rest(callers[name], query, "/v2/sql")
        assert told_["semanticDryRun"] == await by_rest(callers[name], query, "/v2/dry-run")
        text, values = told_["semanticSql"]["sql"]["sql"]
        assert values == ["Alma Reyes"]
        found[name] = text.lower()
    assert "md5(" in found["pia"] and "'lyon'" in found["pia"]
    assert "md5(" not in found["bob"] and "lyon" not in found["bob"]


async def test_a_masked_number_or_time_has_no_place_in_its_type(callers: dict[str, Caller]) -> None:
    document = '{ table(limit: 1, where: {customers: {vip: {equals: "true"}, city: {equals: "Lyon"}}}) { customers { wealth since { value } } } }'
    (row,) = (await told(callers["pia"], document))["table"]
    assert row == {"customers": {"wealth": None, "since": None}}
    (row,) = (await told(callers["bob"], document))["table"]
    assert row["customers"] == {"wealth": 250.0, "since": {"value": "2023-11-05T09:00:00.000000Z"}}
    query = {"dimensions": ["customers.wealth", "customers.since"], "limit": 1}
    assert list((await by_rest(callers["pia"], query))["data"][0].values()) == ["--redact--"] * 2
    refused = await callers["pia"]("{ table { customers { since { month } count } } }")
    assert "2023" not in refused.text and "2024" not in refused.text


QUESTIONS = {
    "semanticMeta": "{ semanticMeta }",
    "semanticQuery": '{ semanticQuery(query: {measures: ["customers.count"]}) { result } }',
    "semanticSql": '{ semanticSql(query: {measures: ["customers.count"]}) }',
    "semanticDryRun": '{ semanticDryRun(query: {measures: ["customers.count"]}) }',
    "semanticModel": "{ semanticModel { files } }",
    "semanticModels": "{ semanticModels { nodes { files } } }",
    "semanticQueries": "{ semanticQueries { nodes { sql } } }",
    "table": "{ table { customers { count } } }",
    "cube": "{ me { id } ... on Query { c: cube { customers { count } } } }",
    "wrong": "{ table { custmers { cuont } } }",
    "wrong place": "{ table(where: {customers: {nmae: {equals: 1}}}) { customers { count } } }",
}


@pytest.mark.parametrize("name", CLOSED)
async def test_who_lacks_the_scope_is_told_nothing_of_the_model(
    name: str, callers: dict[str, Caller]
) -> None:
    caller = callers[name]
    for field, document in QUESTIONS.items():
        answer = await caller(document)
        assert answer.codes == ["FORBIDDEN"], (field, answer.text)
        assert answer.body["errors"][0]["message"] == NO_GRAPHQL
        assert not any(word in answer.text for word in WORDS), field
    refused = (await followed(caller, COUNT))[0]
    assert refused["errors"][0]["message"] == NO_GRAPHQL
    for document in (
        '{ __type(name: "CustomersMembers") { fields { name description } } }',
        '{ __type(name: "Query") { fields { name } } }',
        "{ __schema { types { name description fields { name description } } } }",
    ):
        answer = await caller(document)
        assert not any(
            word in answer.text for word in ("CustomersMembers", "Client book", '"cube"')
        )
    # Everything else is as open as before.
    text = '{ pipelines(where: {name: {eq: "table { cube }"}}) { nodes { id } } }'
    assert (await caller(text)).data == {"pipelines": {"nodes": []}}


async def test_who_has_graphql_and_no_data_gets_the_types_and_no_rows(
    callers: dict[str, Caller],
) -> None:
    needs = {
        "semanticMeta": "meta",
        "table": "data",
        "semanticQuery": "data",
        "semanticSql": "data",
    }
    for field, scope in needs.items():
        answer = await callers["gus"](QUESTIONS[field])
        assert answer.body["errors"][0]["message"] == f"API scope is missing: {scope}", field
    data = (await callers["gus"]('{ __type(name: "CustomersMembers") { name } }')).data
    assert data == {"__type": {"name": "CustomersMembers"}}


HIDDEN = {
    "selected": {"dimensions": ["regions.manager"]},
    "a key": {"dimensions": ["customers.id"]},
    "of a hidden table": {"measures": ["ledger.count"]},
    "of a hidden view": {"measures": ["backstage.count"]},
}


@pytest.mark.parametrize("query", HIDDEN.values(), ids=HIDDEN)
async def test_hidden_members_are_refused_in_a_query(
    query: dict[str, Any], callers: dict[str, Caller]
) -> None:
    for field in ("semanticQuery(query: $q) { result }", "semanticSql(query: $q)"):
        answer = await callers["bob"](f"query ($q: JSON!) {{ {field} }}", q=query)
        assert answer.codes == ["BAD_USER_INPUT"], answer.text
        assert "You requested hidden member" in answer.body["errors"][0]["message"]
    for path in ("/v2/load", "/v2/sql", "/v2/dry-run"):
        refused = await by_rest(callers["bob"], query, path)
        assert refused["error"].startswith("You requested hidden member"), path


async def test_conditions_may_name_hidden_members(callers: dict[str, Caller]) -> None:
    query = {"measures": ["customers.count"], "filters": [_equals("customers.id", "1")]}
    told = await by_rest(callers["bob"], query)
    assert told["data"] == [{"customers.count": "1"}]


async def test_an_order_by_a_hidden_member_is_none(callers: dict[str, Caller]) -> None:
    found = []
    for member in ("regions.manager", "regions.nothing"):
        query = {
            "dimensions": ["regions.name"],
            "order": [[member, "desc"], ["regions.name", "asc"]],
        }
        found.append((await by_rest(callers["bob"], query))["data"])
    assert found[0] == found[1] == sorted(found[0], key=str)


@pytest.mark.parametrize(
    "document",
    [
        "{ table { regions { manager } } }",
        "{ table { regions { managr } } }",
        '{ table { regions(where: {manager: {equals: "Ada"}}) { count } } }',
        '{ table(where: {regions: {manager: {equals: "Ada"}}}) { regions { count } } }',
        "{ table(orderBy: {regions: {manager: asc}}) { regions { count } } }",
        "{ table { ledger { count } } }",
        "{ table { backstage { count } } }",
    ],
)
async def test_hidden_members_are_unknown_to_the_roots(
    document: str, callers: dict[str, Caller]
) -> None:
    answer = await callers["bob"](document)
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"] and "Did you mean" not in answer.text
