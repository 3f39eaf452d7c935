"""Answers to queries of the sample model, found another way than the compiler's.

Rows of all tables are joined first, by hand-written joins. Each measure has SQL of its own over them:
one row is kept for each of its table's primary keys, and aggregated. All else is done in Python.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Run = Callable[[str], list[tuple[Any, ...]]]
JOINS = {
    ("orders", "customers"): "orders.customer_id = customers.id",
    ("orders", "order_items"): "order_items.order_id = orders.id",
    ("orders", "refunds"): "refunds.order_id = orders.id",
    ("order_items", "products"): "products.sku = order_items.sku",
    ("customers", "regions"): "regions.region_id = customers.region_id",
}
COLUMNS = {
    "regions": "region_id name manager",
    "customers": "id name city region_id vip credit signed_up",
    "products": "sku title category price",
    "orders": "id customer_id status placed_at shipping note",
    "order_items": "id order_id sku quantity unit_price",
    "refunds": "id order_id amount refunded_at",
    "events": "id kind happened_at amount",
}
KEYS = dict.fromkeys(COLUMNS, "id") | {"regions": "region_id", "products": "sku"}
DIMENSIONS = {
    "regions.region_id": "regions_region_id",
    "regions.name": "regions_name",
    "customers.name": "customers_name",
    "customers.city": "customers_city",
    "customers.vip": "customers_vip",
    "customers.credit": "customers_credit",
    "customers.tier": "CASE WHEN customers_credit >= 500 THEN 'gold'"
    " WHEN customers_credit >= 50 THEN 'silver' ELSE 'basic' END",
    "products.sku": "products_sku",
    "products.title": "products_title",
    "products.category": "products_category",
    "orders.id": "orders_id",
    "orders.status": "orders_status",
    "orders.note": "orders_note",
    "orders.shipping": "orders_shipping",
    "orders.items_revenue": "(SELECT sum(i.quantity * i.unit_price) FROM order_items i"
    " WHERE i.order_id = orders_id)",
    "orders.size_band": "CASE WHEN orders_shipping >= 5 THEN 'big' ELSE 'small' END",
    "order_items.id": "order_items_id",
    "order_items.quantity": "order_items_quantity",
    "order_items.unit_price": "order_items_unit_price",
    "events.kind": "events_kind",
}
TEXTS = [
    "regions.name", "customers.name", "customers.city", "customers.tier", "products.title",
    "products.category", "orders.status", "orders.note", "orders.size_band", "events.kind",
]  # fmt: skip
NUMBERS = [
    "customers.credit", "orders.id", "orders.shipping", "orders.items_revenue",
    "order_items.quantity", "order_items.unit_price",
]  # fmt: skip
TIMES = {
    "orders.placed_at": "(orders_placed_at AT TIME ZONE 'UTC')",
    "customers.signed_up": "(customers_signed_up AT TIME ZONE 'UTC')",
    "refunds.refunded_at": "(refunds_refunded_at AT TIME ZONE 'UTC')",
    "events.happened_at": "events_happened_at",
}
SEGMENTS = {
    "customers.vips": "customers_vip",
    "customers.lyon_or_porto": "(customers_city = 'Lyon' OR customers_city = 'Porto')",
    "orders.completed": "orders_status = 'completed'",
    "orders.noted": "orders_note IS NOT NULL",
}
# Aggregate, and its value of one row of the table.
MEASURES = {
    "regions.count": ("count", "regions_region_id"),
    "customers.count": ("count", "customers_id"),
    "customers.vip_count": ("count", "CASE WHEN customers_vip THEN customers_id END"),
    "customers.total_credit": ("sum", "customers_credit"),
    "customers.avg_credit": ("avg", "customers_credit"),
    "customers.min_credit": ("min", "customers_credit"),
    "customers.max_credit": ("max", "customers_credit"),
    "customers.cities": ("distinct", "customers_city"),
    "products.count": ("count", "products_sku"),
    "products.avg_price": ("avg", "products_price"),
    "orders.count": ("count", "orders_id"),
    "orders.shipping_total": ("sum", "orders_shipping"),
    "orders.shipping_avg": ("avg", "orders_shipping"),
    "orders.completed_count": (
        "count",
        "CASE WHEN orders_status = 'completed' THEN orders_id END",
    ),
    "orders.avg_basket": ("avg", DIMENSIONS["orders.items_revenue"]),
    "orders.customer_count": ("distinct", "orders_customer_id"),
    "orders.customer_count_approx": ("distinct", "orders_customer_id"),
    "order_items.count": ("count", "order_items_id"),
    "order_items.units": ("sum", "order_items_quantity"),
    "order_items.revenue": ("sum", "order_items_quantity * order_items_unit_price"),
    "order_items.avg_unit_price": ("avg", "order_items_unit_price"),
    "refunds.count": ("count", "refunds_id"),
    "refunds.total": ("sum", "refunds_amount"),
    "events.count": ("count", "events_id"),
    "events.amount": ("sum", "events_amount"),
}
# What a measure of measures is made of, and how.
RATIOS: dict[str, tuple[str, str, int]] = {
    "customers.vip_share": ("customers.vip_count", "customers.count", 1),
    "orders.completion_rate": ("orders.completed_count", "orders.count", 100),
    "order_items.revenue_per_unit": ("order_items.revenue", "order_items.units", 1),
    "order_items.revenue_per_order": ("order_items.revenue", "orders.count", 1),
    "order_items.shipping_per_unit": ("orders.shipping_total", "order_items.units", 1),
}
# A rolling measure's value of one row, how far back it reaches, and from where.
ROLLING = {
    "orders.running_shipping": ("orders_shipping", None, "end"),
    "orders.running_count": ("orders_id", None, "end"),
    "orders.trailing_month_shipping": ("orders_shipping", 1, "end"),
    "orders.previous_month_shipping": ("orders_shipping", 1, "start"),
}
VIEW = {
    "order_analysis.orders_count": "orders.count",
    "order_analysis.orders_shipping_total": "orders.shipping_total",
    "order_analysis.units": "order_items.units",
    "order_analysis.orders_status": "orders.status",
    "order_analysis.city": "customers.city",
    "order_analysis.regions_name": "regions.name",
}


class NoPath(Exception):
    """No table of the query reaches all others."""


@dataclass
class Question:
    """What is asked, in the oracle's words; `where` is SQL over the joined rows."""

    measures: list[str] = field(default_factory=list)
    dimensions: list[str] = field(default_factory=list)
    buckets: list[tuple[str, str]] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    having: list[Callable[[dict[str, Any]], bool]] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    zone: str = "UTC"
    month_range: tuple[datetime, datetime] | None = None


Groups = dict[tuple[Any, ...], dict[str, Any]]


def answer(question: Question, run: Run) -> Groups:
    """Values of measures by the values of dimensions and buckets. Raises NoPath."""
    rows = _joined(_tables(question))
    keys = [_sql(VIEW.get(one, one)) for one in question.dimensions]
    keys += [
        f"date_trunc('{granularity}', {TIMES[one]} AT TIME ZONE '{question.zone}')"
        for one, granularity in question.buckets
    ]
    where = " AND ".join(question.where) or "TRUE"
    groups: Groups = {}
    if keys:
        found = run(f"SELECT DISTINCT {', '.join(keys)} FROM ({rows}) r WHERE {where}")
        groups = {tuple(one): {} for one in found}
    else:
        groups = {(): {}}
    for measure in _simple(question.measures):
        for *group, value in run(_measured(measure, rows, keys, where)):
            groups[tuple(group)][measure] = value
    return {key: shown for key, one in groups.items() if (shown := _shown(question, one))}


def _sql(dimension: str) -> str:
    return DIMENSIONS[dimension]


def _simple(measures: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for one in measures:
        name = VIEW.get(one, one)
        found |= dict.fromkeys(RATIOS[name][:2] if name in RATIOS else [name])
    return list(found)


def _measured(measure: str, rows: str, keys: list[str], where: str) -> str:
    kind, value = MEASURES[measure]
    table = measure.split(".")[0]
    call = {"distinct": "count(DISTINCT v)"}.get(kind, f"{kind}(v)")
    names = [f"k{number}" for number in range(len(keys))]
    shown = "".join(f"{sql} AS {name}, " for sql, name in zip(keys, names, strict=True))
    by = ", ".join([*names, "pk"])
    once = (
        f"SELECT {', '.join([*names, 'max(v) AS v'])} FROM (SELECT {shown}{table}_{KEYS[table]} AS pk,"
        f" {value} AS v FROM ({rows}) r WHERE {where}) one GROUP BY {by}"
    )
    group = f" GROUP BY {', '.join(names)}" if names else ""
    return f"SELECT {', '.join([*names, call])} FROM ({once}) s{group}"


def _shown(question: Question, values: dict[str, Any]) -> dict[str, Any] | None:
    """Each measure's value; None where a condition on results does not hold."""
    known = {name: values.get(name) for name in values}

    def value(measure: str) -> Any:
        name = VIEW.get(measure, measure)
        if name not in RATIOS:
            return known.get(name)
        over, under, factor = RATIOS[name]
        if known.get(over) is None or known.get(under) is None:
            return None
        if not known[under] and name == "orders.completion_rate":
            raise ZeroDivisionError
        return factor * Decimal(known[over]) / Decimal(known[under]) if known[under] else None

    shown = {one: value(one) for one in question.measures}
    return (shown or {"": None}) if all(test(shown) for test in question.having) else None


def _tables(question: Question) -> list[str]:
    """The joined tables, the root first: the one that is named and leads to all others."""
    named = dict.fromkeys(
        one.split(".")[0]
        for member in [
            *_with_parts(question.measures),
            *question.dimensions,
            *question.needed,
            *(one for one, _ in question.buckets),
        ]
        for one in ([VIEW[member], "orders.id"] if member in VIEW else [member])
    )
    # A view begins at its first table, wherever else its members are.
    viewed = any(
        one in VIEW for one in (*question.measures, *question.dimensions, *question.needed)
    )
    roots = [
        name for name in (["orders"] if viewed else named) if set(named) <= set(_reached(name))
    ]
    if not roots:
        raise NoPath
    return [one for one in _reached(roots[0]) if one == roots[0] or _between(one, roots[0], named)]


def _with_parts(measures: Iterable[str]) -> list[str]:
    return [part for one in measures for part in (one, *RATIOS.get(one, ())[:2]) if part]


def _reached(root: str) -> list[str]:
    found = [root]
    for name in found:
        found += [target for source, target in JOINS if source == name]
    return found


def _between(table: str, root: str, named: Iterable[str]) -> bool:
    """Whether a table is named or lies on the way to one that is."""
    return any(one in _reached(table) for one in named if one != root)


def _joined(tables: list[str]) -> str:
    columns = ", ".join(
        f"{table}.{column} AS {table}_{column}"
        for table in tables
        for column in COLUMNS[table].split()
    )
    joins = "".join(
        f" LEFT JOIN {target} ON {on}"
        for (source, target), on in JOINS.items()
        if source in tables and target in tables
    )
    return f"SELECT {columns} FROM {tables[0]}{joins}"


def rolled(question: Question, measure: str, run: Run) -> Groups:
    """A rolling measure by months of a range, and by dimensions; `where` without that range."""
    value, reach, offset = ROLLING[measure]
    assert question.month_range
    first, last = question.month_range
    rows = _joined(_tables(question))
    keys = [_sql(one) for one in question.dimensions]
    clock = f"({TIMES['orders.placed_at']} AT TIME ZONE '{question.zone}')"
    where = [*question.where, f"{clock} <= TIMESTAMP '{last}'"]
    if offset == "start":
        where[-1] = f"{clock} < TIMESTAMP '{last}'"
        where.append(f"{clock} >= TIMESTAMP '{_months_later(first, -1)}'")
    elif reach:
        where.append(f"{clock} > TIMESTAMP '{_months_later(first, -reach)}'")
    names = [f"k{number}" for number in range(len(keys))]
    shown = "".join(f"{sql} AS {name}, " for sql, name in zip(keys, names, strict=True))
    found = run(
        f"SELECT {', '.join([*names, 'm', 'sum(v)'])} FROM (SELECT DISTINCT {shown}"
        f"date_trunc('month', {clock}) AS m, orders_id, {value} AS v FROM ({rows}) r"
        f" WHERE {' AND '.join(where)}) s GROUP BY {', '.join([*names, 'm'])}"
    )
    groups: Groups = {}
    month = first
    while month <= last:
        near = [one for one in found if _within(one[-2], month, reach, offset)]
        for *group, _, amount in near:
            sums = groups.setdefault((*group, month), {measure: None})
            if amount is not None:
                sums[measure] = (sums[measure] or 0) + amount
        if not near:
            groups[(*[None] * len(keys), month)] = {measure: None}
        month = _months_later(month, 1)
    return groups


def _within(bucket: datetime | None, month: datetime, reach: int | None, offset: str) -> bool:
    if bucket is None:
        return False
    if offset == "start":
        return _months_later(month, -1) <= bucket < month
    end = _months_later(month, 1) - timedelta(milliseconds=1)
    return bucket <= end and (reach is None or bucket >= month)


def _months_later(moment: datetime, count: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    return moment.replace(year=year, month=month + 1)
