"""Queries in their normal form: checked, with defaults filled in, ranges and names spelt out."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from app.semantic.compile import dates, formats
from app.semantic.compile.asked import (
    Asked,
    Filter,
    Group,
    Json,
    Normal,
    QueryType,
    Test,
    TimeDimension,
)
from app.semantic.compile.errors import QueryError
from app.semantic.model.nouns import GRANULARITIES

MAX_QUERIES = 20
MAX_VALUES = 10_000
MAX_DEPTH = 20
MAX_FILTERS = 500
MAX_MEMBERS = 500
OPERATORS = (
    "equals", "notEquals", "in", "notIn", "contains", "notContains", "startsWith", "notStartsWith",
    "endsWith", "notEndsWith", "gt", "gte", "lt", "lte", "set", "notSet", "inDateRange",
    "notInDateRange", "onTheDate", "beforeDate", "beforeOrOnDate", "afterDate", "afterOrOnDate",
)  # fmt: skip
WITHOUT_VALUES = ("set", "notSet")
_KEYS = (
    "measures", "dimensions", "timeDimensions", "filters", "segments", "order", "limit", "offset",
    "total", "timezone", "ungrouped", "renewQuery", "responseFormat",
)  # fmt: skip


def normalise(query: Any, *, multi: bool = False, now: datetime | None = None) -> Asked:
    """The queries of a request's `query`, an object, a list of them, or JSON of either.

    Without `multi` only one query may come of it. `now` is the time that words mean. QueryError.
    """
    if isinstance(query, str):
        query = _decoded(query)
    if not query and not isinstance(query, dict | list):
        raise QueryError("Query param is required")
    kind, raws = _sorted(query)
    queries = tuple(_normal(raw, now or datetime.now(UTC)) for raw in raws)
    if kind == "blendingQuery":
        _check_blending(queries)
    if kind != "regularQuery" and not multi:
        raise QueryError(
            f"'{kind}' query type is not supported by the client.Please update the client."
        )
    return Asked(kind, queries)


def _decoded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise QueryError(f"Unable to decode query param as JSON, error: {error}") from error


def _sorted(query: Any) -> tuple[QueryType, list[Any]]:
    if isinstance(query, list):
        if len(query) > MAX_QUERIES:
            raise QueryError(f"Data blending of more than {MAX_QUERIES} queries is not supported")
        return "blendingQuery", query
    if not isinstance(query, dict):
        raise QueryError('Invalid query format: "value" must be of type object')
    times: Any = query.get("timeDimensions")
    listed = times if isinstance(times, list) else []
    if not any(isinstance(one, dict) and one.get("compareDateRange") for one in listed):
        return "regularQuery", [query]
    if len(times) > 1:
        raise QueryError("compareDateRange can only exist for one timeDimension")
    ranges = times[0]["compareDateRange"]
    if not isinstance(ranges, list) or len(ranges) > MAX_QUERIES:
        raise formats.invalid('"timeDimensions[0].compareDateRange" must be an array')
    left = {key: value for key, value in times[0].items() if key != "compareDateRange"}
    each = [{**query, "timeDimensions": [{**left, "dateRange": one}]} for one in ranges]
    return "compareDateRangeQuery", each


def _check_blending(queries: tuple[Normal, ...]) -> None:
    found = {
        next((one.granularity for one in query.time_dimensions if one.granularity), None)
        for query in queries
    }
    if not found or None in found:
        raise QueryError("Data blending query without granularity is not supported")
    if len(found) > 1:
        raise QueryError("Data blending query granularities must match")


def _normal(raw: Any, now: datetime) -> Normal:
    if not isinstance(raw, dict):
        raise formats.invalid('"value" must be of type object')
    for key in raw:
        if key not in _KEYS:
            raise formats.invalid(f'"{key}" is not allowed')
    query = {key: value for key, value in raw.items() if value is not None}
    timezone = formats.text(query, "timezone", "UTC")
    dates.zone(timezone)
    measures = formats.names(query, "measures", formats.NAME)
    dimensions, asked_times = _dimensions(query)
    times = (*_time_dimensions(query, timezone, now), *asked_times)
    if len(measures) + len(dimensions) + len(times) > MAX_MEMBERS:
        raise QueryError(f"A query has at most {MAX_MEMBERS} members.")
    if not measures and not dimensions and not any(one.granularity for one in times):
        raise QueryError(
            "Query should contain either measures, dimensions or timeDimensions with granularities "
            "in order to be valid"
        )
    normal = Normal(
        measures=measures,
        dimensions=dimensions,
        time_dimensions=times,
        filters=tuple(_dated(one, timezone, now) for one in _filters(query)),
        segments=formats.names(query, "segments", formats.NAME),
        order=_order(query),
        limit=formats.limit(query),
        offset=formats.count(query, "offset"),
        timezone=timezone,
        total=formats.flag(query, "total"),
        ungrouped=formats.flag(query, "ungrouped"),
        renew=formats.flag(query, "renewQuery"),
        compact=formats.one_of(query, "responseFormat", ("default", "compact")) == "compact",
        echo={},
    )
    return replace(normal, echo=_echo(normal, query))


def _echo(normal: Normal, query: Json) -> Json:
    found = {
        **query,
        "limit": normal.limit,
        "timezone": normal.timezone,
        "filters": [_said(one) for one in query.get("filters", ())],
        "dimensions": list(normal.dimensions),
        "timeDimensions": [_time(one) for one in normal.time_dimensions],
        "rowLimit": normal.limit,
    }
    if normal.order is not None:
        found["order"] = [{"id": one, "desc": desc} for one, desc in normal.order]
    return found


def _said(said: Json) -> Json:
    """A filter as it is echoed: values are texts, and a member is called so."""
    for kind in said.keys() & {"and", "or"}:
        return {kind: [_said(inner) for inner in said[kind]]}
    found = {"member" if key == "dimension" else key: value for key, value in said.items()}
    return found | ({"values": list(map(_value, said["values"]))} if said.get("values") else {})


def _time(one: TimeDimension) -> Json:
    found: Json = {"dimension": one.dimension}
    if one.granularity:
        found["granularity"] = one.granularity
    if one.range:
        found["dateRange"] = list(one.range)
    return found


def _dimensions(query: Json) -> tuple[tuple[str, ...], list[TimeDimension]]:
    """Names of dimensions, and those that are asked for as `table.member.month`."""
    plain, times = [], []
    for name in formats.names(query, "dimensions", formats.NAME_OR_TIME):
        if name.count(".") == 2:
            dimension, _, granularity = name.rpartition(".")
            times.append(TimeDimension(dimension, granularity, None))
        else:
            plain.append(name)
    return tuple(plain), times


def _time_dimensions(query: Json, timezone: str, now: datetime) -> Iterator[TimeDimension]:
    for number, one in enumerate(formats.listed(query, "timeDimensions")):
        path = f"timeDimensions[{number}]"
        if not isinstance(one, dict):
            raise formats.invalid(f'"{path}" must be of type object')
        for key in one:
            if key not in ("dimension", "granularity", "dateRange", "compareDateRange"):
                raise formats.invalid(f'"{path}.{key}" is not allowed')
        if "dimension" not in one:
            raise formats.invalid(f'"{path}.dimension" is required')
        name = formats.named(one["dimension"], f"{path}.dimension", formats.NAME)
        granularity = one.get("granularity")
        if granularity is not None and granularity not in GRANULARITIES:
            raise formats.invalid(
                f'"{path}.granularity" must be one of '
                "[quarter, day, month, year, week, hour, minute, second, null]"
            )
        said = one.get("dateRange")
        reach = _range(said, f"{path}.dateRange", timezone, now) if said else None
        yield TimeDimension(name, granularity, reach)


def _range(said: Any, path: str, timezone: str, now: datetime) -> dates.Range:
    if isinstance(said, str):
        return dates.words(said, timezone, now)
    texts = isinstance(said, list) and all(isinstance(one, str) for one in said)
    if not texts or not 1 <= len(said) <= 2:
        raise formats.invalid(f'"{path}" does not match any of the allowed types')
    return dates.widened(said[0], said[-1], timezone)


def _filters(query: Json) -> tuple[Filter, ...]:
    said = formats.listed(query, "filters")
    found = [_filter(one, f"filters[{number}]", 1) for number, one in enumerate(said)]
    kept = tuple(one for one in found if one is not None)
    every = [test for one in kept for test in _tests(one)]
    # To compile them takes time in which nobody else is served.
    if len(every) > MAX_FILTERS:
        raise QueryError(f"A query has at most {MAX_FILTERS} filters.")
    if sum(len(one.values) for one in every) > MAX_VALUES:
        raise QueryError(f"The filters of a query have at most {MAX_VALUES} values.")
    return kept


def _dated(one: Filter, timezone: str, now: datetime) -> Filter:
    """The filter with times in place of words such as `last week`."""
    if isinstance(one, Group):
        return replace(one, filters=tuple(_dated(x, timezone, now) for x in one.filters))
    if not one.operator.endswith(("Date", "DateRange")):
        return one
    return replace(one, values=dates.written(one.values, timezone, now))


def _tests(one: Filter) -> list[Test]:
    return [one] if isinstance(one, Test) else [test for x in one.filters for test in _tests(x)]


def _filter(said: Any, path: str, depth: int) -> Filter | None:
    if not isinstance(said, dict) or depth > MAX_DEPTH:
        raise formats.invalid(f'"{path}" does not match any of the allowed types')
    for kind in ("and", "or"):
        if said.keys() == {kind} and isinstance(said[kind], list):
            inner = [_filter(one, path, depth + 1) for one in said[kind]]
            kept = tuple(one for one in inner if one is not None)
            return Group(kind, kept, formats.compact(said)) if kept else None  # type: ignore[arg-type]
    return _test(said, path)


def _test(said: Json, path: str) -> Test:
    names = said.keys() & {"member", "dimension"}
    member: Any = said.get("member", said.get("dimension"))
    fits = (
        len(names) == 1
        and said.keys() <= {"member", "dimension", "operator", "values"}
        and isinstance(member, str)
        and re.match(formats.NAME, member)
        and said.get("operator") in OPERATORS
        and isinstance(said.get("values", []), list)
        and not any(isinstance(one, dict | list) for one in said.get("values") or [])
    )
    if not fits:
        raise formats.invalid(f'"{path}" does not match any of the allowed types')
    operator, values = said["operator"], said.get("values") or []
    if not values and operator not in WITHOUT_VALUES:
        raise QueryError(f"Values required for filter: {formats.compact(said)}")
    if len(values) > MAX_VALUES:
        raise QueryError(f"A filter has at most {MAX_VALUES} values: {member}")
    return Test(member, operator, tuple(map(_value, values)), formats.compact(said))


def _value(said: Any) -> str | None:
    if said is None or isinstance(said, str):
        return said
    return json.dumps(said)


def _order(query: Json) -> tuple[tuple[str, bool], ...] | None:
    said = query.get("order")
    if said is None:
        return None
    pairs = list(said.items()) if isinstance(said, dict) else said
    if not isinstance(pairs, list):
        raise formats.invalid('"order" does not match any of the allowed types')
    return tuple(_ordered(one) for one in pairs)


def _ordered(pair: Any) -> tuple[str, bool]:
    if isinstance(pair, dict) and pair.keys() == {"id", "desc"}:
        pair = (pair["id"], "desc" if pair["desc"] else "asc")
    whole = isinstance(pair, list | tuple) and len(pair) == 2
    if not whole or not isinstance(pair[0], str) or pair[1] not in ("asc", "desc"):
        raise formats.invalid('"order" does not match any of the allowed types')
    return formats.named(pair[0], f"order.{pair[0]}", formats.NAME_OR_TIME), pair[1] == "desc"
