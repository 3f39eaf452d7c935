"""What was recorded of the real thing, compiled and run here: rows, annotation, echo, errors."""

import copy
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import duckdb
import orjson
import pytest

from app.semantic.compile import (
    QueryError,
    compile_query,
    dry_run_answer,
    load_answer,
    normalise,
    result,
    sql_answer,
)
from app.semantic.model import Caller, meta
from tests.semantic.places import Recording, model, recordings
from tests.semantic.run import duck, on_duckdb, on_postgres, postgres  # noqa: F401

NOW = datetime(2026, 11, 21, 23, 40, tzinfo=UTC)
# Where we answer another thing than the recording, with what the contract says of it, and our words.
DEVIATIONS: dict[str, tuple[str, str | None]] = {
    "page-limit-too-big": (
        "9.4: 400, and the error without its class",
        "The query limit has been exceeded.",
    ),
    "t-tz-bad": ("9.4: 400, and the error without its class", "Unknown timezone: Mars/Olympus"),
    "t-granularity-on-string": (
        "3.4: before it comes to the database",
        "'orders.status' is no time dimension: its type is string",
    ),
    "t-three-part-quarter": ("3: quarter is accepted there", None),
    "e-hidden-table": (
        "5.1: a hidden member is named",
        "You requested hidden member: 'ledger__count'. Please make it visible using `public: true`."
        " Please note primaryKey fields are `public: false` by default.",
    ),
    "e-measures-not-array": ("9.4: a 400", 'Invalid query format: "measures" must be an array'),
    "get-load-bad-json": (
        "3: the reason is that of our reader of JSON",
        "Unable to decode query param as JSON, error: unexpected character, expected a string"
        " key: line 1 column 2 (char 1)",
    ),
}
# Answered before a query is read, or resting on a claim that adds a filter to each query.
OF_ACCESS = ("a-",)
LOADS = [
    one for one in recordings("/v2/load") if not one["id"].startswith(OF_ACCESS)
]  # fmt: skip
ANSWERED = [one for one in LOADS if one["response"]["status"] == 200]
REFUSED = [one for one in LOADS if one["response"]["status"] != 200 and one["id"] != "e-db-error"]


def _asked(recording: Recording) -> tuple[Any, bool]:
    """The query of a recording, and whether its client takes several results."""
    request = recording["request"]
    if request["method"] == "GET":
        return parse_qs(urlsplit(request["path"]).query)["query"][0], False
    body = request["body"]
    return body.get("query"), body.get("queryType") == "multi"


def _ids(cases: list[Recording]) -> dict[str, Any]:
    return {"argvalues": cases, "ids": [one["id"] for one in cases]}


@pytest.mark.parametrize("recording", **_ids(ANSWERED))
async def test_postgres_answers_as_recorded(
    recording: Recording,
    postgres: asyncpg.Connection,  # noqa: F811
) -> None:
    query, multi = _asked(recording)
    asked = normalise(query, multi=multi, now=NOW)
    results = []
    for normal in asked.queries:
        compiled = compile_query(model(), normal, Caller())
        rows, total = await on_postgres(postgres, compiled)
        results.append(result(asked, compiled, rows, total=total, refreshed_at=NOW))
    answer = orjson.loads(orjson.dumps(load_answer(asked, results, multi=multi)))
    _compare(answer, copy.deepcopy(recording["response"]["body"]), recording, _same)


@pytest.mark.parametrize("recording", **_ids(ANSWERED))
def test_duckdb_finds_the_rows_that_were_recorded(
    recording: Recording,
    duck: duckdb.DuckDBPyConnection,  # noqa: F811
) -> None:
    query, multi = _asked(recording)
    asked = normalise(query, multi=multi, now=NOW)
    results = []
    for normal in asked.queries:
        compiled = compile_query(model(), normal, Caller(), "duckdb")
        rows, total = on_duckdb(duck, compiled)
        results.append(result(asked, compiled, rows, total=total, refreshed_at=NOW))
    answer = orjson.loads(orjson.dumps(load_answer(asked, results, multi=multi)))
    _compare(answer, copy.deepcopy(recording["response"]["body"]), recording, _close)


@pytest.mark.parametrize("recording", **_ids(REFUSED))
def test_refusals_have_the_words_that_were_recorded(recording: Recording) -> None:
    query, multi = _asked(recording)
    words = recording["response"]["body"]["error"]
    if recording["id"] in DEVIATIONS:
        words = DEVIATIONS[recording["id"]][1]
    if words is None:
        for normal in normalise(query, multi=multi, now=NOW).queries:
            compile_query(model(), normal, Caller())
        return
    with pytest.raises(QueryError) as refused:
        for normal in normalise(query, multi=multi, now=NOW).queries:
            compile_query(model(), normal, Caller())
    assert refused.value.message == words
    if recording["id"] not in DEVIATIONS:
        assert refused.value.type == recording["response"]["body"].get("type")


async def test_a_fault_that_the_database_finds_has_its_words(postgres: asyncpg.Connection) -> None:  # noqa: F811
    recording = next(one for one in LOADS if one["id"] == "e-db-error")
    compiled = compile_query(model(), normalise(_asked(recording)[0]).queries[0], Caller())
    with pytest.raises(asyncpg.PostgresError) as refused:
        await on_postgres(postgres, compiled)
    assert f"Error: {refused.value}" == recording["response"]["body"]["error"]


@pytest.mark.parametrize("recording", **_ids(recordings("/v2/dry-run")))
def test_dry_runs_tell_what_was_recorded(recording: Recording) -> None:
    if recording["response"]["status"] != 200:
        assert recording["id"] == "a-scope-dryrun-denied"
        return
    asked = normalise(_asked(recording)[0], multi=True, now=NOW)
    compiled = [compile_query(model(), one, Caller()) for one in asked.queries]
    assert dry_run_answer(model(), asked, compiled) == recording["response"]["body"]


@pytest.mark.parametrize(
    "recording", **_ids([one for one in recordings("/v2/sql") if one["response"]["status"] == 200])
)
def test_sql_is_told_with_the_keys_that_were_recorded(recording: Recording) -> None:
    asked = normalise(_asked(recording)[0], multi=True, now=NOW)
    compiled = [compile_query(model(), one, Caller()) for one in asked.queries]
    ours, theirs = sql_answer(model(), asked, compiled)["sql"], recording["response"]["body"]["sql"]
    assert ours.keys() == theirs.keys()
    # The text is our own, and we name the members that are asked for, not those behind them.
    for key in ours.keys() - {"sql", "memberNames"}:
        assert ours[key] == theirs[key], key


def test_meta_is_what_was_recorded() -> None:
    recorded = next(one for one in recordings("/v2/meta") if one["id"] == "meta-full")
    ours = meta(model(), Caller(), name="sample")
    assert ours["tables"] is ours["cubes"]
    for entry, theirs in zip(ours["cubes"], recorded["response"]["body"]["cubes"], strict=True):
        assert entry["type"] == theirs["type"].replace("cube", "table")
        for kind in ("measures", "dimensions", "segments"):
            for one in entry[kind]:
                assert one.pop("aliasName") == one["name"]
            assert entry[kind] == theirs[kind], entry["name"]
        assert entry.keys() == theirs.keys()
        assert {key: entry[key] for key in entry.keys() - {"type"}} == {
            key: theirs[key] for key in theirs.keys() - {"type"}
        }


def test_deviations_are_recordings() -> None:
    assert DEVIATIONS.keys() <= {one["id"] for one in LOADS}


def _compare(ours: Any, theirs: Any, recording: Recording, same: Any) -> None:
    if "results" in theirs:
        assert ours["queryType"] == theirs["queryType"]
        assert ours["pivotQuery"] == theirs["pivotQuery"]
        assert len(ours["results"]) == len(theirs["results"])
        for number, (one, other) in enumerate(zip(ours["results"], theirs["results"], strict=True)):
            if number == 0 and theirs["queryType"] == "compareDateRangeQuery":
                # The first result of the peer tells the query by which to pivot; see its note.
                other["query"]["dimensions"].remove("compareDateRange")
                other["query"].pop("queryType")
            _compare(one, other, recording, same)
        return
    assert ours["query"] == theirs["query"]
    assert ours["annotation"] == theirs["annotation"]
    assert ours["total"] == theirs["total"]
    assert ours.keys() == theirs.keys()
    _compare_rows(ours, theirs, recording.get("row_order", "strict"), same)


def _compare_rows(ours: Any, theirs: Any, order: str, same: Any) -> None:
    if isinstance(theirs["data"], dict):
        assert ours["data"]["members"] == theirs["data"]["members"]
        pairs = zip(ours["data"]["dataset"], theirs["data"]["dataset"], strict=True)
        assert all(same(one, other) for row in pairs for one, other in zip(*row, strict=True))
        return
    assert len(ours["data"]) == len(theirs["data"])
    if order != "strict":
        assert Counter(map(_key, ours["data"])) == Counter(map(_key, theirs["data"]))
        if order == "any":
            return
        ordered = [one["id"] for one in theirs["query"].get("order", [])] or _default_order(theirs)
        ours["data"] = [{key: row[key] for key in ordered} for row in ours["data"]]
        theirs["data"] = [{key: row[key] for key in ordered} for row in theirs["data"]]
    for one, other in zip(ours["data"], theirs["data"], strict=True):
        assert list(one) == list(other)
        assert all(same(one[key], other[key]) for key in other), (one, other)


def _default_order(theirs: Any) -> list[str]:
    keys = [*theirs["annotation"]["timeDimensions"], *theirs["query"].get("measures", ())]
    return keys[:1]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((key, _number(value)) for key, value in row.items())


def _number(value: Any) -> Any:
    try:
        return value if isinstance(value, bool) else round(float(value), 9)
    except (TypeError, ValueError):
        return value


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


def _close(one: Any, other: Any) -> bool:
    if one is None or other is None or isinstance(other, bool):
        return one is other
    return bool(_number(one) == pytest.approx(_number(other)))
