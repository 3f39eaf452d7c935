"""Queries in their normal form, and what is said of those that have none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.semantic.compile import QueryError, normalise
from app.semantic.compile.dates import in_utc, words
from tests.semantic.places import recorded

COUNT = {"measures": ["orders.count"]}
TIME = {"dimension": "orders.placed_at", "granularity": "month"}
REFUSED: dict[str, tuple[Any, str]] = {
    "no query": (None, "Query param is required"),
    "empty text": ("", "Unable to decode query param as JSON, error: "),
    "half a character": ('{"measures":["\\ud800"]}', "Unable to decode query param as JSON"),
    "unknown key": ({**COUNT, "bogus": 1}, 'Invalid query format: "bogus" is not allowed'),
    "no list": ({"measures": "orders.count"}, 'Invalid query format: "measures" must be an array'),
    "no name": (
        {"measures": ["orders"]},
        'Invalid query format: "measures[0]" with value "orders" fails to match the required pattern:',
    ),
    "no text": ({"measures": [1]}, 'Invalid query format: "measures[0]" must be a string'),
    "nothing": ({}, "Query should contain either measures, dimensions or timeDimensions with"),
    "limit": ({**COUNT, "limit": 50_001}, "The query limit has been exceeded."),
    "negative": ({**COUNT, "limit": -1}, '"limit" must be greater than or equal to 0'),
    "offset": ({**COUNT, "offset": "x"}, 'Invalid query format: "offset" must be a number'),
    "flag": ({**COUNT, "total": 1}, 'Invalid query format: "total" must be a boolean'),
    "format": ({**COUNT, "responseFormat": "x"}, '"responseFormat" must be one of [default, compact]'),
    "order": ({**COUNT, "order": {"orders.count": "up"}}, '"order" does not match any of the'),
    "zone": ({**COUNT, "timezone": "../etc"}, "Unknown timezone: ../etc"),
    "time": ({**COUNT, "timeDimensions": [{}]}, '"timeDimensions[0].dimension" is required'),
    "time's key": ({**COUNT, "timeDimensions": [{**TIME, "x": 1}]}, '"timeDimensions[0].x" is not'),
    "half a row": ({**COUNT, "limit": 1.5}, '"limit" must be an integer'),
    "a limit in words": ({**COUNT, "limit": "ten"}, '"limit" must be a number'),
    "a strange digit": ({**COUNT, "offset": "\u00b2"}, '"offset" must be a number'),
    "too far": ({**COUNT, "offset": 2**70}, '"offset" must be less than or equal to'),
    "dimension": (
        {"dimensions": ["orders"]},
        'Invalid query format: "dimensions[0]" with value "orders" fails to match the required'
        r" pattern: /^[a-zA-Z0-9_]+\.[a-zA-Z0-9_]+(\.(second|minute|hour|day|week|month|year))?$/",
    ),
    "range": (
        {**COUNT, "timeDimensions": [{**TIME, "dateRange": ["a", "b", "c"]}]},
        '"timeDimensions[0].dateRange" does not match any of the allowed types',
    ),
    "day": (
        {**COUNT, "timeDimensions": [{**TIME, "dateRange": ["2024-02-30"]}]},
        "Can't parse date: '2024-02-30'",
    ),
    "filter": ({**COUNT, "filters": [1]}, '"filters[0]" does not match any of the allowed types'),
    "filter's name": (
        {**COUNT, "filters": [{"member": "x", "operator": "set"}]},
        '"filters[0]" does not match any of the allowed types',
    ),
    "operator": (
        {**COUNT, "filters": [{"member": "a.b", "operator": "like", "values": ["x"]}]},
        '"filters[0]" does not match any of the allowed types',
    ),
    "no values": (
        {**COUNT, "filters": [{"member": "a.b", "operator": "equals", "values": []}]},
        'Values required for filter: {"member":"a.b","operator":"equals","values":[]}',
    ),
    "two compared": (
        {**COUNT, "timeDimensions": [{**TIME, "compareDateRange": [["2024-01-01"]]}, TIME]},
        "compareDateRange can only exist for one timeDimension",
    ),
    "granularities": (
        [{**COUNT, "timeDimensions": [TIME]}, {**COUNT, "timeDimensions": [{**TIME, "granularity": "day"}]}],
        "Data blending query granularities must match",
    ),
    "blended": (
        [{**COUNT, "timeDimensions": [TIME]}],
        "'blendingQuery' query type is not supported by the client.Please update the client.",
    ),
    "too many": ([COUNT] * 21, "Data blending of more than 20 queries is not supported"),
}  # fmt: skip


@pytest.mark.parametrize(("query", "said"), REFUSED.values(), ids=REFUSED)
def test_a_query_without_a_normal_form_is_refused(query: Any, said: str) -> None:
    with pytest.raises(QueryError) as refused:
        normalise(query)
    assert said in refused.value.message


def test_deep_filters_are_refused_and_not_followed() -> None:
    nested: Any = {"member": "a.b", "operator": "set"}
    for _ in range(1000):
        nested = {"and": [nested]}
    with pytest.raises(QueryError, match="does not match any"):
        normalise({**COUNT, "filters": [nested]})
    with pytest.raises(QueryError, match="Unable to decode"):
        normalise("[" * 100_000)


def test_the_echo_has_defaults_and_spells_everything_out() -> None:
    query = {
        "measures": ["orders.count"],
        "dimensions": ["orders.status", "orders.placed_at.quarter"],
        "timeDimensions": [{"dimension": "orders.placed_at", "dateRange": ["2024-01-31"]}],
        "filters": [
            {"dimension": "orders.id", "operator": "equals", "values": [1, 1.5, True, None, "x"]},
            {"or": []},
            {"and": [{"member": "orders.note", "operator": "set", "values": ["unused"]}]},
        ],
        "order": {"orders.status": "desc"},
        "offset": 5,
    }
    assert normalise(query).queries[0].echo == {
        "measures": ["orders.count"],
        "dimensions": ["orders.status"],
        "timeDimensions": [
            {
                "dimension": "orders.placed_at",
                "dateRange": ["2024-01-31T00:00:00.000", "2024-01-31T23:59:59.999"],
            },
            {"dimension": "orders.placed_at", "granularity": "quarter"},
        ],
        "filters": [
            {
                "member": "orders.id",
                "operator": "equals",
                "values": ["1", "1.5", "true", None, "x"],
            },
            {"or": []},
            {"and": [{"member": "orders.note", "operator": "set", "values": ["unused"]}]},
        ],
        "order": [{"id": "orders.status", "desc": True}],
        "offset": 5,
        "limit": 10000,
        "rowLimit": 10000,
        "timezone": "UTC",
    }


def test_a_query_can_come_as_text() -> None:
    assert normalise(json.dumps(COUNT)) == normalise(COUNT)


def test_compared_ranges_become_a_query_each() -> None:
    compared = {"dimension": "orders.placed_at", "compareDateRange": ["last month", ["2024-01-01", "2024-01-02"]]}  # fmt: skip
    asked = normalise(
        {**COUNT, "timeDimensions": [compared]}, multi=True, now=datetime(2024, 3, 15, tzinfo=UTC)
    )
    assert asked.type == "compareDateRangeQuery"
    assert [one.time_dimensions[0].range for one in asked.queries] == [
        ("2024-02-01T00:00:00.000", "2024-02-29T23:59:59.999"),
        ("2024-01-01T00:00:00.000", "2024-01-02T23:59:59.999"),
    ]


@pytest.mark.parametrize(
    "one", recorded()["relative_date_ranges"], ids=lambda one: f"{one['dateRange']} {one['timezone']}"
)  # fmt: skip
def test_words_mean_the_ranges_that_were_recorded(one: dict[str, Any]) -> None:
    now = datetime.fromisoformat(one["now"])
    if one["status"] != 200:
        with pytest.raises(QueryError) as refused:
            words(one["dateRange"], one["timezone"], now)
        assert refused.value.message == one["resolved"]
        return
    assert list(words(one["dateRange"], one["timezone"], now)) == one["resolved"]


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("this week", "2024-03-25T00:00:00.000", "2024-03-31T23:59:59.999"),
        ("last 1 month", "2024-02-01T00:00:00.000", "2024-02-29T23:59:59.999"),
        ("next 2 quarters", "2024-04-01T00:00:00.000", "2024-09-30T23:59:59.999"),
        ("last 2 years", "2022-01-01T00:00:00.000", "2023-12-31T23:59:59.999"),
        ("from 3 months ago to yesterday", "2023-12-31T00:00:00.000", "2024-03-30T23:59:59.999"),
        ("from 90 minutes ago to now", "2024-03-31T11:00:00.000", "2024-03-31T12:30:59.999"),
        ("from 10 seconds ago to now", "2024-03-31T12:30:05.000", "2024-03-31T12:30:15.999"),
        ("Mar 5, 2024", "2024-03-05T00:00:00.000", "2024-03-05T23:59:59.999"),
        ("5 March 2024", "2024-03-05T00:00:00.000", "2024-03-05T23:59:59.999"),
    ],
)
def test_words_of_other_kinds(said: str, first: str, last: str) -> None:
    assert words(said, "UTC", datetime(2024, 3, 31, 12, 30, 15, tzinfo=UTC)) == (first, last)


@pytest.mark.parametrize(
    "said", ["", "soon", "last 9999 years", "32 March 2024", "from now to soon", "2024-13-01"]
)
def test_words_without_a_meaning_are_refused(said: str) -> None:
    with pytest.raises(QueryError, match="Can't parse date"):
        words(said, "UTC", datetime(2024, 3, 31, tzinfo=UTC))


def test_days_at_the_ends_of_time_are_refused_where_a_zone_lies_beyond() -> None:
    with pytest.raises(QueryError, match="Can't parse date: '9999-12-31T"):
        in_utc("9999-12-31T23:59:59.999", "America/New_York")
    assert in_utc("9999-12-31T23:59:59.999", "UTC") == "9999-12-31T23:59:59.999Z"


def test_clocks_of_zones_are_followed_over_their_changes() -> None:
    assert in_utc("2024-03-10T01:59:00.000", "America/New_York") == "2024-03-10T06:59:00.000Z"
    assert in_utc("2024-03-10T03:01:00.000", "America/New_York") == "2024-03-10T07:01:00.000Z"
    assert in_utc("2024-11-03T23:59:59.999", "America/New_York") == "2024-11-04T04:59:59.999Z"


CLOCK = datetime(2024, 5, 15, 23, 30, tzinfo=UTC)
WEEK = ("2024-05-06T00:00:00.000", "2024-05-12T23:59:59.999")


@pytest.mark.parametrize(
    ("operator", "values", "meant"),
    [
        ("inDateRange", ["last week"], WEEK),
        ("notInDateRange", ["Last week "], WEEK),
        ("onTheDate", ["yesterday"], ("2024-05-14T00:00:00.000", "2024-05-14T23:59:59.999")),
        ("inDateRange", ["last week", "2024-05-20"], (WEEK[0], "2024-05-20")),
        ("inDateRange", ["2024-05-01", "last week"], ("2024-05-01", WEEK[1])),
        ("afterDate", ["today"], ("2024-05-15T00:00:00.000", "2024-05-15T23:59:59.999")),
        ("beforeOrOnDate", ["this month"], ("2024-05-01T00:00:00.000", "2024-05-31T23:59:59.999")),
        ("beforeDate", ["2024-05-15"], ("2024-05-15",)),
        ("inDateRange", ["2024-05-15T10:00:00"], ("2024-05-15T10:00:00",)),
        ("set", [], ()),
        ("equals", ["today"], ("today",)),
    ],
)
def test_words_in_filters_of_times(operator: str, values: list[str], meant: tuple[str]) -> None:
    test = {"member": "orders.placed_at", "operator": operator, "values": values}
    nested = {"or": [{"and": [test]}, test]}
    found = normalise({**COUNT, "filters": [test, nested]}, now=CLOCK).queries[0]
    assert found.filters[0].values == meant  # type: ignore[union-attr]
    assert found.filters[1].filters[0].filters[0].values == meant  # type: ignore[union-attr]
    # It is echoed as it was asked.
    assert found.echo["filters"][0]["values"] == values


def test_words_in_filters_are_those_of_the_querys_zone() -> None:
    test = {"member": "orders.placed_at", "operator": "onTheDate", "values": ["today"]}
    query = {**COUNT, "filters": [test], "timezone": "Asia/Tokyo"}
    (found,) = normalise(query, now=CLOCK).queries[0].filters
    assert found.values == ("2024-05-16T00:00:00.000", "2024-05-16T23:59:59.999")  # type: ignore[union-attr]


def test_words_in_filters_that_mean_nothing_are_told() -> None:
    test = {"member": "orders.placed_at", "operator": "afterDate", "values": ["some day"]}
    with pytest.raises(QueryError, match="Can't parse date: 'some day'"):
        normalise({**COUNT, "filters": [test]})
