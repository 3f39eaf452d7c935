"""Random queries of the sample model, each with the same question in the oracle's words."""

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from tests.semantic.oracle import (
    DIMENSIONS,
    MEASURES,
    NUMBERS,
    RATIOS,
    ROLLING,
    SEGMENTS,
    TEXTS,
    TIMES,
    VIEW,
    Question,
)

Query = dict[str, Any]
ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Europe/Lisbon")
GRANULARITIES = ("hour", "day", "week", "month", "quarter", "year")
WORDS = ("Lyon", "Porto", "o", "A", "50%", "_", "completed", "gold", "home", "O'Hara", "", "tools")
DAYS = ("2023-12-31", "2024-01-31", "2024-02-01", "2024-02-29", "2024-03-10", "2024-05-15")
_COMPARED = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_LIKE = {"contains": "%{}%", "startsWith": "{}%", "endsWith": "%{}"}


def random_query(random: Random) -> tuple[Query, Question]:
    """A query, and what it asks."""
    if random.random() < 0.12:
        return _rolling(random)
    tables = {"events"} if random.random() < 0.1 else _some_tables(random)
    query: Query = {"measures": _some(random, [*MEASURES, *RATIOS], tables, 3)}
    query["dimensions"] = _some(random, [*DIMENSIONS], tables, 2)
    if not query["measures"] and not query["dimensions"]:
        query["measures"] = _some(random, list(MEASURES), tables, 1, least=1)
    question = Question(list(query["measures"]), list(query["dimensions"]))
    _zone(random, query, question)
    _buckets(random, query, question, tables)
    query["filters"] = [
        _filter(random, question, tables) for _ in range(random.choice((0, 0, 1, 1, 2)))
    ]
    _segments(random, query, question, tables)
    _results(random, query, question)
    if random.random() < 0.2:
        _through_view(query, question)
    return query, question


def _some_tables(random: Random) -> set[str]:
    """Tables of one neighbourhood, so that most queries have a way to join them."""
    chains = (
        {"orders"}, {"orders", "customers", "regions"}, {"orders", "order_items", "products"},
        {"orders", "order_items", "refunds"}, {"orders", "customers", "order_items"},
        {"customers", "regions"}, {"order_items", "products"}, {"customers", "products"},
        {"orders", "customers", "order_items", "products", "refunds", "regions"},
    )  # fmt: skip
    return set(random.choice(chains))


def _some(
    random: Random, members: list[str], tables: set[str], most: int, least: int = 0
) -> list[str]:
    there = [one for one in members if one.split(".")[0] in tables]
    return random.sample(there, min(len(there), random.randint(least, most)))


def _zone(random: Random, query: Query, question: Question) -> None:
    if random.random() < 0.4:
        query["timezone"] = question.zone = random.choice(ZONES)


def _buckets(random: Random, query: Query, question: Question, tables: set[str]) -> None:
    times = _some(random, list(TIMES), tables, 1)
    if not times or random.random() < 0.4:
        return
    asked: Query = {"dimension": times[0]}
    if random.random() < 0.7:
        asked["granularity"] = random.choice(GRANULARITIES)
        question.buckets.append((times[0], asked["granularity"]))
    if random.random() < 0.7 or "granularity" not in asked:
        first, last = sorted(random.sample(DAYS, 2))
        asked["dateRange"] = [first, last]
        question.where.append(_between(times[0], first, last, question.zone))
    question.needed.append(times[0])
    query["timeDimensions"] = [asked]


def _between(time: str, first: str, last: str, zone: str) -> str:
    ends = (f"TIMESTAMP '{first} 00:00:00'", f"TIMESTAMP '{last} 23:59:59.999'")
    start, end = (f"({one} AT TIME ZONE '{zone}')" for one in ends)
    return f"({TIMES[time]} BETWEEN {start} AND {end})"


def _filter(random: Random, question: Question, tables: set[str], depth: int = 0) -> Query:
    """A filter on rows; what it means goes to the question's conditions."""
    if depth < 2 and random.random() < 0.25:
        kind = random.choice(("and", "or"))
        outer, question.where = question.where, []
        inner = [_filter(random, question, tables, depth + 1) for _ in range(random.randint(1, 3))]
        outer.append(f"({f' {kind} '.join(question.where)})")
        question.where = outer
        return {kind: inner}
    kinds: list[Callable[[Random, Question, set[str]], Query | None]] = [_text, _number, _day]
    random.shuffle(kinds)
    return next(found for kind in kinds if (found := kind(random, question, tables)) is not None)


def _text(random: Random, question: Question, tables: set[str]) -> Query | None:
    names = _some(random, TEXTS, tables, 1, least=1)
    if not names:
        return None
    sql = f"({DIMENSIONS[names[0]]})"
    words: list[str | None] = list(random.sample(WORDS, random.randint(1, 2)))
    operator = random.choice(
        ("equals", "notEquals", "set", "notSet", "contains", "notContains", "startsWith",
         "notStartsWith", "endsWith", "notEndsWith")
    )  # fmt: skip
    if operator in ("equals", "notEquals") and random.random() < 0.3:
        words.append(None)
    question.needed.append(names[0])
    question.where.append(_text_sql(sql, operator, words))
    values = {} if operator in ("set", "notSet") else {"values": words}
    return {"member": names[0], "operator": operator, **values}


def _text_sql(sql: str, operator: str, words: list[str | None]) -> str:
    said = [_literal(one) for one in words if one is not None]
    if operator in ("set", "notSet"):
        return f"{sql} IS {'NOT ' if operator == 'set' else ''}NULL"
    if operator == "equals":
        null = f" OR {sql} IS NULL" if None in words else ""
        return "(" + " OR ".join(f"{sql} = {one}" for one in said) + null + ")"
    if operator == "notEquals":
        differs = " AND ".join(f"{sql} <> {one}" for one in said)
        return f"({differs})" if None in words else f"(({differs}) OR {sql} IS NULL)"
    plain = operator.removeprefix("not")
    pattern = _LIKE[plain[0].lower() + plain[1:]]
    found = " OR ".join(
        f"{sql} ILIKE {_literal(pattern.format(_escaped(one)))} ESCAPE '!'"
        for one in words
        if one is not None
    )
    return f"(NOT ({found}) OR {sql} IS NULL)" if operator.startswith("not") else f"({found})"


def _escaped(word: str) -> str:
    return "".join(f"!{char}" if char in "!%_" else char for char in word)


def _literal(word: str | None) -> str:
    return "'" + str(word).replace("'", "''") + "'"


def _number(random: Random, question: Question, tables: set[str]) -> Query | None:
    names = _some(random, NUMBERS, tables, 1, least=1)
    if not names:
        return None
    operator = random.choice(list(_COMPARED))
    value = random.choice(("0", "3", "5", "12", "75", "103", "250"))
    question.needed.append(names[0])
    question.where.append(f"({DIMENSIONS[names[0]]}) {_COMPARED[operator]} {value}")
    return {"member": names[0], "operator": operator, "values": [value]}


def _day(random: Random, question: Question, tables: set[str]) -> Query | None:
    names = _some(random, list(TIMES), tables, 1, least=1)
    if not names:
        return None
    first, last = sorted(random.sample(DAYS, 2))
    question.needed.append(names[0])
    if random.random() < 0.5:
        inside = _between(names[0], first, last, question.zone)
        negated = random.random() < 0.3
        question.where.append(f"NOT {inside}" if negated else inside)
        operator = "notInDateRange" if negated else "inDateRange"
        return {"member": names[0], "operator": operator, "values": [first, last]}
    operator, sign = random.choice(
        (("beforeDate", "<"), ("beforeOrOnDate", "<="), ("afterDate", ">"), ("afterOrOnDate", ">="))
    )
    start = f"(TIMESTAMP '{first} 00:00:00' AT TIME ZONE '{question.zone}')"
    question.where.append(f"{TIMES[names[0]]} {sign} {start}")
    return {"member": names[0], "operator": operator, "values": [first]}


def _segments(random: Random, query: Query, question: Question, tables: set[str]) -> None:
    if random.random() < 0.2:
        query["segments"] = _some(random, list(SEGMENTS), tables, 2)
        question.needed += query["segments"]
        question.where += [SEGMENTS[one] for one in query["segments"]]


def _results(random: Random, query: Query, question: Question) -> None:
    """A filter on a measure that is selected."""
    measures = query["measures"]
    if not measures or random.random() < 0.7:
        return
    name, operator = random.choice(measures), random.choice(list(_COMPARED))
    least = random.choice((0, 1, 2, 20))
    query["filters"].append({"member": name, "operator": operator, "values": [str(least)]})
    compare = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}[operator]

    def holds(values: dict[str, Any]) -> bool:
        value = values[name]
        return value is not None and bool(getattr(float(value), compare)(float(least)))

    question.having.append(holds)


def _through_view(query: Query, question: Question) -> None:
    """Ask by the names of a view what has names there."""
    if question.having:
        return
    names = {member: name for name, member in VIEW.items()}
    for key in ("measures", "dimensions"):
        query[key] = [names.get(one, one) for one in query[key]]
    question.measures, question.dimensions = list(query["measures"]), list(query["dimensions"])


def _rolling(random: Random) -> tuple[Query, Question]:
    """One rolling measure by months, with a dimension or not, with filters or not."""
    tables = random.choice(({"orders"}, {"orders", "customers"}, {"orders", "order_items"}))
    measure = random.choice(list(ROLLING))
    first, last = sorted(random.sample(("2023-12-01", "2024-01-01", "2024-03-01", "2024-06-01"), 2))
    end = {"2024-01-01": "2023-12-31", "2024-03-01": "2024-02-29", "2024-06-01": "2024-05-31"}[last]
    question = Question([measure], _some(random, [*DIMENSIONS], tables, 1))
    query: Query = {"measures": [measure], "dimensions": list(question.dimensions)}
    _zone(random, query, question)
    query["timeDimensions"] = [
        {"dimension": "orders.placed_at", "granularity": "month", "dateRange": [first, end]}
    ]
    query["filters"] = [_filter(random, question, tables)] if random.random() < 0.5 else []
    question.buckets = [("orders.placed_at", "month")]
    question.month_range = (
        datetime.fromisoformat(first),
        datetime.fromisoformat(f"{end}T23:59:59.999"),
    )
    return query, question
