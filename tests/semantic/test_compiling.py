"""Cases of compiling that the recordings do not have, run over the sample data."""

from typing import Any

import asyncpg
import duckdb
import pytest

from app.semantic.compile import Dialect, QueryError, compile_query, normalise, result
from app.semantic.model import Caller, Model, load
from tests.semantic.places import files, model
from tests.semantic.run import duck, on_duckdb, on_postgres, postgres  # noqa: F401
from tests.semantic.test_recordings import NOW


def _with(table: str, members: str, kind: str = "measures") -> Model:
    """The sample model with more members of one kind in one table."""
    path = f"tables/{table}.yml"
    head, _, rest = files()[path].partition(f"    {kind}:\n")
    return load({**files(), path: f"{head}    {kind}:\n{members}{rest}"})


async def _rows(
    connection: Any, query: dict[str, Any], of: Model | None = None, **options: Any
) -> list[tuple[Any, ...]]:
    asked = normalise(query, now=NOW)
    dialect: Dialect = "postgres" if isinstance(connection, asyncpg.Connection) else "duckdb"
    compiled = compile_query(of or model(), asked.queries[0], Caller(), dialect, **options)
    if dialect == "duckdb":
        rows, _ = on_duckdb(connection, compiled)
    else:
        rows, _ = await on_postgres(connection, compiled)
    return [tuple(row.values()) for row in result(asked, compiled, rows, refreshed_at=NOW)["data"]]


def _refused(query: dict[str, Any], of: Model | None = None) -> str:
    with pytest.raises(QueryError) as refused:
        compile_query(of or model(), normalise(query, now=NOW).queries[0], Caller())
    return refused.value.message


async def test_what_the_contract_works_out(postgres: asyncpg.Connection) -> None:  # noqa: F811
    by_status = {
        "measures": ["order_items.revenue", "refunds.total"],
        "dimensions": ["orders.status"],
        "order": {"orders.status": "asc"},
    }
    assert await _rows(postgres, by_status) == [
        ("cancelled", "60.00", "60.00"),
        ("completed", "828.15", "25.50"),
        ("processing", "72.00", None),
        ("shipped", "134.75", None),
    ]
    by_category = {
        "measures": ["orders.shipping_total"],
        "dimensions": ["products.category"],
        "order": {"products.category": "asc"},
    }
    assert await _rows(postgres, by_category) == [
        ("home", "36.40"),
        ("tools", "22.15"),
        ("wear", "15.90"),
        (None, "1.10"),
    ]
    basket = {"measures": ["orders.avg_basket"], "segments": ["orders.completed"]}
    assert round(float((await _rows(postgres, basket))[0][0]), 2) == 165.63
    running = {
        "measures": ["orders.running_count"],
        "timeDimensions": [
            {
                "dimension": "orders.placed_at",
                "granularity": "month",
                "dateRange": ["2024-03-01", "2024-05-31"],
            }
        ],
    }
    assert [row[2] for row in await _rows(postgres, running)] == ["945", "945", "1055"]
    assert await _rows(postgres, {"measures": ["orders.running_shipping"]}) == [("46.75",)]


async def test_an_average_rolls_over_rows_and_not_over_averages(
    postgres: asyncpg.Connection,  # noqa: F811
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    rolling = _with(
        "orders",
        "      - {name: avg_so_far, sql: shipping, type: avg, rolling_window: {trailing: unbounded}}\n"
        "      - {name: buyers, sql: customer_id, type: count_distinct,"
        " rolling_window: {trailing: 1 month, leading: 1 month}}\n"
        "      - {name: of_all, sql: shipping, type: max,"
        " rolling_window: {trailing: unbounded, leading: unbounded}}\n",
    )
    query = {
        "measures": ["orders.avg_so_far", "orders.buyers", "orders.of_all"],
        "timeDimensions": [
            {
                "dimension": "orders.placed_at",
                "granularity": "month",
                "dateRange": ["2024-01-01", "2024-03-31"],
            }
        ],
    }
    for connection in (postgres, duck):
        rows = await _rows(connection, query, rolling)
        assert [row[4] for row in rows] == ["9.90"] * 3
        found = [(float(row[2]), int(row[3])) for row in rows]
        assert [(round(avg, 4), buyers) for avg, buyers in found] == [
            (6.25, 4),
            (5.28, 4),
            (round(38.75 / 9, 4), 3),
        ]


async def test_an_aggregate_of_the_author_is_right_under_joins_that_repeat_rows(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    own = _with(
        "orders",
        '      - {name: per_order, sql: "sum({TABLE}.shipping) / count({TABLE}.id)", type: number}\n'
        '      - {name: latest, sql: "max({placed_at})", type: time}\n',
    )
    query = {"measures": ["orders.per_order", "order_items.units", "orders.latest"]}
    assert await _rows(postgres, query, own) == [
        ("4.6750000000000000", "135", "2024-05-15T15:15:15.000")
    ]


def test_a_measure_of_measures_and_columns_is_refused_where_it_would_be_wrong() -> None:
    mixed = _with(
        "orders", '      - {name: mixed, sql: "{count} + sum({TABLE}.shipping)", type: number}\n'
    )
    said = _refused({"measures": ["orders.mixed", "order_items.units"]}, mixed)
    assert said.startswith("'orders.mixed' mixes measures with columns")
    compile_query(mixed, normalise({"measures": ["orders.mixed"]}).queries[0], Caller())


async def test_a_key_of_several_columns_counts_and_keeps_rows_apart(
    postgres: asyncpg.Connection,  # noqa: F811
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    lines = """
tables:
  - name: lines
    sql: select order_id, sku, sum(quantity) as q from order_items group by 1, 2
    joins:
      - {name: parts, relationship: one_to_many, sql: "{TABLE}.sku = {parts}.sku"}
    dimensions:
      - {name: order_id, sql: order_id, type: number, primary_key: true}
      - {name: sku, sql: sku, type: string, primary_key: true}
    measures:
      - {name: count, type: count}
      - {name: q, sql: q, type: sum}
      - {name: q_of_some, sql: q, type: sum, filters: [{sql: "{TABLE}.q > 1"}, {sql: "{sku} <> 'A-1'"}]}
  - name: parts
    sql: select sku, n from products, (values (1), (2)) as v(n)
    dimensions:
      - {name: sku, sql: sku, type: string}
    measures:
      - {name: count, type: count}
"""
    composite = load({"a.yml": lines})
    query = {"measures": ["lines.count", "lines.q", "lines.q_of_some", "parts.count"]}
    for connection in (postgres, duck):
        rows = await _rows(connection, query, composite)
        assert [int(value) for value in rows[0]] == [14, 135, 128, 28]


def test_rows_that_repeat_need_a_key_to_be_counted() -> None:
    text = files()["tables/refunds.yml"].replace("        primary_key: true\n", "")
    keyless = load({**files(), "tables/refunds.yml": text})
    for measure in ("refunds.total", "refunds.count"):
        query = {"measures": [measure], "dimensions": ["products.category", "orders.status"]}
        said = _refused(query, keyless)
        assert "'refunds' needs a dimension with primary_key: true" in said


async def test_columns_without_a_table_are_those_of_the_authors_own(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    own = _with(
        "products",
        '      - {name: worth, sql: "price * 2", type: sum}\n'
        '      - {name: known, sql: "{TABLE.title}", type: count_distinct}\n'
        "      - {name: today, sql: \"case when current_date > date '2000-01-01' then 1 end\", type: max}\n",
    )
    query = {
        "measures": ["products.worth", "products.known", "products.today", "order_items.count"]
    }
    assert await _rows(postgres, query, own) == [("219.10", "5", 1, "15")]


async def test_filters_go_into_a_sub_query_only_when_it_says_so(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    counted = (
        '      - {{name: peers, sql: "{{orders.count}}", type: number, sub_query: true{more}}}\n'
    )
    join = (
        "      - {name: orders, relationship: one_to_many,"
        ' sql: "{TABLE}.region_id = {orders}.customer_id"}\n'
    )
    path = "tables/regions.yml"
    text = files()[path].replace("    dimensions:\n", f"    joins:\n{join}    dimensions:\n")
    query = {
        "dimensions": ["regions.name", "regions.peers"],
        "filters": [{"member": "regions.name", "operator": "equals", "values": ["North"]}],
    }
    for more, shared in (("", False), (", propagate_filters_to_sub_query: true", True)):
        members = f"    dimensions:\n{counted.format(more=more)}"
        changed = load({**files(), path: text.replace("    dimensions:\n", members)})
        compiled = compile_query(changed, normalise(query).queries[0], Caller())
        assert await _rows(postgres, query, changed) == [("North", "2")]
        assert compiled.sql.count('"regions".name = $') == 1 + shared


async def test_a_reference_keeps_its_meaning_beside_what_binds_stronger(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    near = (
        "      - {name: near, sql: \"{TABLE}.city = 'Lyon' or {TABLE}.city = 'Porto'\", type: boolean}\n"
        '      - {name: rest, sql: "{TABLE}.credit - 10", type: number}\n'
        '      - {name: twice, sql: "100 - {rest}", type: number}\n'
        "      - {name: later, sql: \"{TABLE}.signed_up + interval '1 day'\", type: time}\n"
    )
    text = files()["tables/customers.yml"].replace("    dimensions:\n", f"    dimensions:\n{near}")
    far = '    segments:\n      - {name: far, sql: "not {near}"}\n'
    changed = load({**files(), "tables/customers.yml": text.replace("    segments:\n", far)})
    count = {"measures": ["customers.count"]}
    assert await _rows(postgres, {**count, "segments": ["customers.far"]}, changed) == [("1",)]
    is_near = {"member": "customers.near", "operator": "equals", "values": ["true"]}
    vip = {"member": "customers.vip", "operator": "equals", "values": ["true"]}
    assert await _rows(postgres, {**count, "filters": [is_near, vip]}, changed) == [("1",)]
    rich = {"member": "customers.twice", "operator": "lt", "values": ["0"]}
    assert await _rows(postgres, {**count, "filters": [rich]}, changed) == [("2",)]
    day = {"dimension": "customers.later", "dateRange": "2024-01-16"}
    assert await _rows(postgres, {**count, "timeDimensions": [day]}, changed) == [("1",)]


async def test_one_day_as_a_range_is_that_day(postgres: asyncpg.Connection) -> None:  # noqa: F811
    for operator in ("inDateRange", "onTheDate"):
        one_day = {"member": "orders.placed_at", "operator": operator, "values": ["2024-03-10"]}
        query = {"dimensions": ["orders.id"], "filters": [one_day]}
        assert await _rows(postgres, query) == [(107,), (108,)]


@pytest.mark.parametrize(
    ("operator", "ids"),
    [
        ("inDateRange", {107, 108}),
        ("afterDate", {107, 108, 109, 110}),
        ("beforeDate", {101, 102, 103, 104, 105, 106}),
    ],
)
async def test_words_in_filters_are_dates(
    operator: str,
    ids: set[int],
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    said = {"member": "orders.placed_at", "operator": operator, "values": ["March 10, 2024"]}
    query = {"dimensions": ["orders.id"], "filters": [said]}
    assert {row[0] for row in await _rows(postgres, query)} == ids


async def test_a_range_of_moments_with_offsets_is_followed(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    reach = ["2024-03-10T08:59:59+02:00", "2024-03-10T02:00:00-05:00"]
    query = {
        "measures": ["orders.count"],
        "timeDimensions": [{"dimension": "orders.placed_at", "dateRange": reach}],
        "timezone": "Asia/Tokyo",
    }
    assert await _rows(postgres, query) == [("2",)]


async def test_nulls_come_as_in_postgres(
    postgres: asyncpg.Connection,  # noqa: F811
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    for direction in ("asc", "desc"):
        query = {"dimensions": ["customers.city"], "order": {"customers.city": direction}}
        assert await _rows(duck, query) == await _rows(postgres, query)


async def test_values_are_bound_and_never_written(postgres: asyncpg.Connection) -> None:  # noqa: F811
    evil = "'; DROP TABLE orders; --"
    query = {
        "dimensions": ["orders.id"],
        "filters": [
            {"member": "orders.note", "operator": "contains", "values": [evil, "\ue0000\ue001"]}
        ],
    }
    compiled = compile_query(model(), normalise(query).queries[0], Caller())
    assert "DROP" not in compiled.sql
    assert compiled.values == [f"%{evil}%", "%\ue0000\ue001%"]
    assert await _rows(postgres, query) == []
    assert len(await _rows(postgres, {"dimensions": ["orders.id"]})) == 10


async def test_ungrouped_rows_can_be_asked_for_without_keys_where_that_is_allowed(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    query = {"dimensions": ["orders.status"], "ungrouped": True, "order": {"orders.status": "asc"}}
    assert "'orders.id'" in _refused(query)
    rows = await _rows(postgres, query, ungrouped_without_keys=True)
    assert [row[0] for row in rows].count("completed") == 6


async def test_sql_is_read_in_the_dialect_of_its_data_source(
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    text = """
tables:
  - name: items
    sql: from order_items select * exclude (sku)
    dimensions:
      - {name: dozens, sql: "{TABLE}.quantity // 12", type: number}
    measures:
      - {name: most, sql: "list_max([{TABLE}.quantity, 7])", type: max}
"""
    own = load({"a.yml": text}, {"default": "duckdb"})
    query = {"dimensions": ["items.dozens"], "measures": ["items.most"]}
    assert await _rows(duck, query, own) == [(8, 100), (0, 10)]


async def test_a_moment_and_its_bucket_have_keys_of_their_own(
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    query = {
        "dimensions": ["orders.placed_at"],
        "timeDimensions": [{"dimension": "orders.placed_at", "granularity": "month"}],
        "limit": 1,
    }
    asked = normalise(query)
    compiled = compile_query(model(), asked.queries[0], Caller())
    rows, _ = await on_postgres(postgres, compiled)
    assert result(asked, compiled, rows, refreshed_at=NOW)["data"] == [
        {
            "orders.placed_at": "2024-01-01T00:30:00.000",
            "orders.placed_at.month": "2024-01-01T00:00:00.000",
        }
    ]


def test_long_names_stay_apart() -> None:
    long = "a" * 70
    text = files()["tables/refunds.yml"] + "".join(
        f"      - {{name: {long}{end}, sql: amount, type: sum}}\n" for end in "bc"
    )
    named = load({**files(), "tables/refunds.yml": text})
    query = {"measures": [f"refunds.{long}b", f"refunds.{long}c"]}
    compiled = compile_query(named, normalise(query).queries[0], Caller())
    first, second = (column.alias for column in compiled.columns)
    assert first != second
    assert len(first) <= 63


def test_tables_of_two_data_sources_are_not_joined() -> None:
    text = files()["tables/customers.yml"].replace(
        "name: customers", "name: customers\n    data_source: crm", 1
    )
    apart = load({**files(), "tables/customers.yml": text})
    said = _refused({"measures": ["orders.count"], "dimensions": ["customers.city"]}, apart)
    assert (
        said
        == "A query can ask for tables of one data source only: 'orders' is in default, 'customers' is in crm"
    )
    own = compile_query(apart, normalise({"measures": ["customers.count"]}).queries[0], Caller())
    assert own.data_source == "crm"


def test_the_refresh_keys_of_all_tables_that_are_read_count() -> None:
    text = files()["tables/order_items.yml"].replace(
        "    joins:", "    refresh_key: {every: 1 hour}\n    joins:", 1
    )
    kept = load({**files(), "tables/order_items.yml": text})
    asked = normalise({"dimensions": ["orders.id", "orders.items_revenue"]}).queries[0]
    compiled = compile_query(kept, asked, Caller())
    assert set(compiled.tables) == {"orders", "order_items"}
    assert {key.every for key in compiled.refresh_keys} == {10, 3600}


@pytest.mark.parametrize("order", [{}, [], {"orders.status": "asc"}], ids=str)
async def test_no_order_is_no_order(order: Any, postgres: asyncpg.Connection) -> None:  # noqa: F811
    """An empty one, or one by what is not selected."""
    query = {"dimensions": ["orders.id"], "order": order}
    compiled = compile_query(model(), normalise(query).queries[0], Caller())
    assert "ORDER BY" not in compiled.sql
    assert len(await _rows(postgres, query)) == 10


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a hidden dimension": (
        {"dimensions": ["regions.manager"]},
        "You requested hidden member: 'regions__manager'.",
    ),
    "dimensions with measures": (
        {
            "measures": ["orders.count"],
            "filters": [
                {
                    "or": [
                        {"member": "orders.count", "operator": "gt", "values": ["1"]},
                        {"member": "orders.status", "operator": "set"},
                    ]
                }
            ],
        },
        "You cannot use dimension and measure in same condition: {",
    ),
    "a filter on nothing": (
        {"measures": ["orders.count"], "filters": [{"member": "orders.zzz", "operator": "set"}]},
        "'zzz' not found for path 'orders.zzz'",
    ),
    "buckets of no range": (
        {
            "measures": ["orders.running_shipping"],
            "timeDimensions": [{"dimension": "orders.placed_at", "granularity": "month"}],
        },
        "Time series queries without dateRange aren't supported",
    ),
    "too many buckets": (
        {
            "measures": ["orders.running_shipping"],
            "timeDimensions": [
                {
                    "dimension": "orders.placed_at",
                    "granularity": "second",
                    "dateRange": ["2024-01-01", "2024-12-31"],
                }
            ],
        },
        "A range of more than 50000 buckets cannot be unfolded",
    ),
    "only a null to compare with": (
        {
            "measures": ["orders.count"],
            "filters": [{"member": "orders.shipping", "operator": "gt", "values": [None]}],
        },
        "Values required for filter: {",
    ),
    "no day": (
        {
            "measures": ["orders.count"],
            "filters": [
                {"member": "orders.placed_at", "operator": "afterDate", "values": ["soon"]}
            ],
        },
        "Can't parse date: 'soon'",
    ),
    "no root": (
        {
            "measures": ["customers.count", "order_items.count", "refunds.count"],
        },
        "Can't find join path to join 'customers', 'order_items', 'refunds'",
    ),
}


@pytest.mark.parametrize(("query", "said"), REFUSED.values(), ids=REFUSED)
def test_a_query_without_an_answer_is_refused(query: dict[str, Any], said: str) -> None:
    assert _refused(query).startswith(said)
