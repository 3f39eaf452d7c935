"""What callers of a user group see: masked values, rows that segments leave over."""

import hashlib
from typing import Any

import asyncpg
import duckdb
import pytest

from app.semantic.compile import Dialect, QueryError, compile_query, normalise, result
from app.semantic.model import Caller, Model, load
from tests.semantic.places import files
from tests.semantic.run import duck, on_duckdb, on_postgres, postgres  # noqa: F401
from tests.semantic.test_recordings import NOW

SECURED = (
    "meta:\n          secure: {func: md5, user_groups: {includes: [analyst]}}\n          pii: true"
)
LYON = """
      - name: lyon_only
        sql: "{TABLE}.city = 'Lyon'"
        meta:
          secure: {user_groups: {includes: "*", excludes: [default]}}
"""
BOB, ANA, NOBODY = Caller("bob"), Caller("ana"), Caller("mallory")


def _model(**changed: str) -> Model:
    """The sample model with the policies of its contract."""
    texts = files()
    customers = texts["tables/customers.yml"].replace("meta:\n          pii: true", SECURED)
    texts["tables/customers.yml"] = customers.replace("    segments:", f"    segments:{LYON}", 1)
    return load({**texts, **changed})


MODEL = _model()


async def _rows(
    connection: Any, query: dict[str, Any], caller: Caller, model: Model = MODEL
) -> list[tuple[Any, ...]]:
    asked = normalise(query)
    dialect: Dialect = "postgres" if isinstance(connection, asyncpg.Connection) else "duckdb"
    compiled = compile_query(model, asked.queries[0], caller, dialect)
    if dialect == "duckdb":
        rows, _ = on_duckdb(connection, compiled)
    else:
        rows, _ = await on_postgres(connection, compiled)
    data = result(asked, compiled, rows, refreshed_at=NOW)["data"]
    return [tuple(str(value) for value in row.values()) for row in data]


def _md5(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()


COUNT = {"measures": ["customers.count"]}
NAMES = {"dimensions": ["customers.name"], "order": {"customers.name": "asc"}}
CASES: dict[str, tuple[Caller, dict[str, Any], set[tuple[str, ...]]]] = {
    "bob counts all": (BOB, COUNT, {("6",)}),
    "the segment is added": (ANA, COUNT, {("2",)}),
    "a caller of no group is not let off": (NOBODY, COUNT, {("2",)}),
    "nothing joins": (ANA, {"measures": ["orders.count"]}, {("10",)}),
    "it comes with a join": (
        ANA,
        {"measures": ["orders.count"], "dimensions": ["customers.city"]},
        {("Lyon", "3")},
    ),
    "and with a filter's join": (
        ANA,
        {
            "measures": ["orders.count"],
            "filters": [{"member": "customers.vip", "operator": "equals", "values": ["false"]}],
        },
        {("1",)},
    ),
    "and with a join on the way": (
        ANA,
        {"measures": ["orders.count"], "dimensions": ["regions.name"]},
        {("North", "3")},
    ),
    "and through a view": (
        ANA,
        {"measures": ["order_analysis.orders_count"], "dimensions": ["order_analysis.city"]},
        {("Lyon", "3")},
    ),
    "and in each part": (
        ANA,
        {"measures": ["customers.total_credit", "orders.shipping_total"]},
        {("250.00", "12.50")},
    ),
    "names are masked": (ANA, NAMES, {(_md5("Alma Reyes"),), (_md5("Chen Wei"),)}),
    "and in a view": (
        ANA,
        {"dimensions": ["order_analysis.customer_name"]},
        {(_md5("Alma Reyes"),), (_md5("Chen Wei"),)},
    ),
    "the mask is in the filter": (
        ANA,
        {
            **NAMES,
            "filters": [
                {"member": "customers.name", "operator": "equals", "values": ["Alma Reyes"]}
            ],
        },
        set(),
    ),
    "a masked value can be named": (
        ANA,
        {
            **COUNT,
            "filters": [
                {"member": "customers.name", "operator": "equals", "values": [_md5("Alma Reyes")]}
            ],
        },
        {("1",)},
    ),
    "bob sees names": (
        BOB,
        {**NAMES, "limit": 2},
        {("Alma Reyes",), ("Bruno Diaz",)},
    ),
}


@pytest.mark.parametrize(("caller", "query", "expected"), CASES.values(), ids=CASES)
async def test_callers_see_what_is_theirs_in_postgres(
    caller: Caller,
    query: dict[str, Any],
    expected: set[tuple[str, ...]],
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    assert set(await _rows(postgres, query, caller)) == expected


@pytest.mark.parametrize(("caller", "query", "expected"), CASES.values(), ids=CASES)
async def test_callers_see_what_is_theirs_in_duckdb(
    caller: Caller,
    query: dict[str, Any],
    expected: set[tuple[str, ...]],
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    assert set(await _rows(duck, query, caller)) == expected


async def test_a_masked_key_still_joins_and_counts(postgres: asyncpg.Connection) -> None:  # noqa: F811
    text = files()["tables/customers.yml"].replace(
        "primary_key: true", 'primary_key: true\n        meta: {secure: {func: redact, user_groups: "*"}}'
    )  # fmt: skip
    model = load({**files(), "tables/customers.yml": text})
    query = {
        "measures": ["customers.count", "orders.count"],
        "dimensions": ["customers.city"],
        "order": {"customers.city": "asc"},
    }
    assert await _rows(postgres, query, BOB, model) == [
        ("Leeds", "1", "2"),
        ("Lyon", "2", "3"),
        ("Porto", "2", "3"),
        ("None", "1", "2"),
    ]


async def test_a_redacted_value_is_one_constant_and_null_stays_null(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    text = files()["tables/customers.yml"].replace(
        "description: Home town", "meta: {secure: {func: redact, user_groups: [default]}}"
    )
    model = load({**files(), "tables/customers.yml": text})
    query = {"dimensions": ["customers.city"], "measures": ["customers.count"]}
    assert await _rows(postgres, query, BOB, model) == [("--redact--", "5"), ("None", "1")]
    assert ("Lyon", "2") in await _rows(postgres, query, ANA, model)


async def test_a_dimension_made_of_a_masked_one_is_masked_with_it(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    texts = files()
    made = """
      - name: greeting
        sql: "'Dear ' || {name}"
        type: string
"""
    customers = texts["tables/customers.yml"].replace("meta:\n          pii: true", SECURED)
    customers = customers.replace("    dimensions:\n", f"    dimensions:{made}")
    model = load({**texts, "tables/customers.yml": customers})
    query = {"dimensions": ["customers.greeting"], "limit": 1, "segments": ["customers.vips"]}
    query["filters"] = [{"member": "customers.city", "operator": "equals", "values": ["Lyon"]}]
    assert await _rows(postgres, query, BOB, model) == [("Dear Alma Reyes",)]
    assert await _rows(postgres, query, ANA, model) == [(f"Dear {_md5('Alma Reyes')}",)]


async def test_a_policy_holds_inside_a_sub_query(postgres: asyncpg.Connection) -> None:  # noqa: F811
    small = """
    segments:
      - name: small
        sql: "{TABLE}.quantity < 5"
        meta: {secure: {user_groups: [analyst]}}
"""
    text = files()["tables/order_items.yml"] + small.strip("\n") + "\n"
    model = load({**files(), "tables/order_items.yml": text})
    query = {"dimensions": ["orders.id", "orders.items_revenue"], "limit": 1}
    assert await _rows(postgres, query, BOB, model) == [("101", "119.00")]
    assert await _rows(postgres, query, ANA, model) == [("101", "64.00")]


def test_the_echo_and_the_annotation_tell_what_policies_did() -> None:
    query = normalise({**NAMES, **COUNT}).queries[0]
    ana = compile_query(MODEL, query, ANA)
    assert ana.query["meta"] == {
        "secured": {"segments": ["customers.lyon_only"], "dimensions": ["customers.name"]}
    }
    told = ana.annotation["dimensions"]["customers.name"]["meta"]
    assert told == {"pii": True, "secured": True, "__secured": True}
    bob = compile_query(MODEL, query, BOB)
    assert bob.query["meta"] == {"secured": {"segments": [], "dimensions": []}}
    assert bob.annotation["dimensions"]["customers.name"]["meta"]["secured"] is False
    # What is cached for one must not be found by the other.
    assert bob.sql != ana.sql


def test_what_is_remembered_is_no_others() -> None:
    """Equal queries of callers of one group are compiled once, and echoed as each worded its own."""
    first = normalise(COUNT).queries[0]
    again = normalise({**COUNT, "total": False}).queries[0]
    bob, other = (compile_query(MODEL, one, BOB) for one in (first, again))
    assert bob.sql is other.sql
    assert "total" in other.query
    assert "total" not in bob.query
    assert compile_query(MODEL, first, ANA).sql != bob.sql
    assert compile_query(_model(), first, BOB).sql is not bob.sql
    for limit in range(600):
        compile_query(MODEL, normalise({**COUNT, "limit": limit}).queries[0], BOB)
    assert len(MODEL.memo) <= 500
    many = {
        "member": "customers.name",
        "operator": "equals",
        "values": [str(n) for n in range(200)],
    }
    asked = normalise({**COUNT, "filters": [many]}).queries[0]
    assert compile_query(MODEL, asked, BOB).sql is not compile_query(MODEL, asked, BOB).sql


def test_a_policy_on_rows_that_cannot_be_reached_refuses_the_query() -> None:
    text = files()["tables/refunds.yml"] + (
        "    segments:\n      - name: near\n        sql: \"{customers.city} = 'Lyon'\"\n"
        "        meta: {secure: {user_groups: [analyst]}}\n"
    )
    model = load({**files(), "tables/refunds.yml": text})
    query = normalise({"measures": ["refunds.total"]}).queries[0]
    with pytest.raises(QueryError, match="Can't find join path to join 'refunds', 'customers'"):
        compile_query(model, query, ANA)
