"""The columns of a query's select, and in which order its rows come."""

from dataclasses import dataclass

from sqlglot import exp

from app.semantic.compile.asked import Normal
from app.semantic.compile.scope import alias
from app.semantic.compile.selection import Selection

Order = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class OutputColumn:
    """A column of the answer: its alias in the SQL, and the keys of a row that take its value.

    `type` is that of the member: for a dimension string, number, boolean, time or geo.
    """

    alias: str
    member: str
    keys: tuple[str, ...]
    type: str


def columns(chosen: Selection) -> tuple[OutputColumn, ...]:
    """Dimensions, then buckets of time, then measures, as they are selected."""
    dimensions = [
        OutputColumn(alias(name), name, (name,), field.member.type)
        for name, field in chosen.dimensions.items()
    ]
    buckets = [
        OutputColumn(alias(f"{name}_{granularity}"), name, _keys(chosen, name, granularity), "time")
        for name, granularity in chosen.buckets
    ]
    measures = [
        OutputColumn(alias(name), name, (name,), field.member.type)
        for name, field in chosen.measures.items()
    ]
    return (*dimensions, *buckets, *measures)


def _keys(chosen: Selection, name: str, granularity: str) -> tuple[str, ...]:
    """A bucket also goes by the name of its dimension, unless that is selected itself."""
    with_granularity = f"{name}.{granularity}"
    return (with_granularity,) if name in chosen.dimensions else (with_granularity, name)


def order(query: Normal, chosen: Selection) -> Order:
    """What the rows are ordered by, each with whether it descends."""
    if query.order is not None:
        return query.order
    if chosen.buckets:
        return ((next(iter(chosen.buckets))[0], False),)
    if chosen.measures:
        return ((next(iter(chosen.measures)), True),)
    return ((next(iter(chosen.dimensions)), False),)


def page(select: exp.Select, query: Normal, chosen: Selection) -> exp.Select:
    """The rows in their order, from an offset up to a limit.

    What is not selected orders nothing. NULLs come last, and first in descending order.
    """
    if chosen.dimensions or chosen.buckets or query.ungrouped:
        places: dict[str, int] = {}
        for number, one in enumerate(columns(chosen)):
            for key in one.keys:
                places.setdefault(key, number + 1)
        found = dict.fromkeys(
            (places[name], desc) for name, desc in order(query, chosen) if name in places
        )
        keys = [
            exp.Ordered(this=exp.Literal.number(place), desc=desc, nulls_first=desc)
            for place, desc in found
        ]
        if keys:
            select.order_by(*keys, copy=False)
    select.limit(exp.Literal.number(query.limit), copy=False)
    return select.offset(exp.Literal.number(query.offset), copy=False) if query.offset else select
