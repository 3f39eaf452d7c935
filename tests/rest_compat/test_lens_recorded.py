"""The recordings of Cube over the sample data, replayed over HTTP: one answer to each."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from app.core.rules import SYSTEM
from app.semantic.actions.models import push_model
from tests.app.semantic.conftest import lane, warehouse  # noqa: F401  (fixtures)
from tests.rest_compat.lens_questions import (
    JWT_KEY,
    Recording,
    ask,
    in_order,
    model_files,
    plain,
)
from tests.semantic.places import recorded
from workers.semantic.lane import Lane

BY_CLAIMS = "claims rewrote the query there; here user groups do"
DEVIATIONS = {
    "t-three-part-quarter": "the peer forgets quarter there; it is accepted here",
    "t-granularity-on-string": "found before the database is asked, in words of our own",
    "blend-single-array": "asked without `multi`, which is said first",
    "a-row-filter": BY_CLAIMS,
    "a-row-filter-in-response-query": BY_CLAIMS,
    "a-row-filter-blending": BY_CLAIMS,
    "g-type-StringFilter": "the platform has a type of this name: here it is LensStringFilter",
}
JUDGED_BY_CAUSE = ("page-limit-too-big", "e-hidden-table", "e-measures-not-array", "t-tz-bad")
"""What the peer answered with 500 though the client was at fault; words and status are ours."""
RECORDINGS = recorded()["recordings"]


@pytest.fixture(scope="module", autouse=True)
def jwt_key() -> Iterator[None]:
    """JWTs of the tests' key are let in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISTHMUS_JWT_KEY", JWT_KEY)
        yield


@pytest_asyncio.fixture(scope="module")
async def peer(jwt_key: None, app: Starlette, lane: Lane) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: F811
    """A client of the application, which serves the model."""
    await push_model(SYSTEM, 1, model_files())
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


def _cases() -> Iterator[Any]:
    """All but the deviations. Plain loads are long here: the compiler's tests have them, too."""
    for one in RECORDINGS:
        is_load = one["request"]["path"] == "/v2/load" and one["response"]["status"] == 200
        is_plain = is_load and one["category"] not in ("auth", "compare", "blending", "format")
        if one["id"] not in DEVIATIONS:
            yield pytest.param(one, id=one["id"], marks=(pytest.mark.long,) if is_plain else ())


@pytest.mark.parametrize("one", list(_cases()))
async def test_answers_are_those_of_the_peer(one: Recording, peer: httpx2.AsyncClient) -> None:
    answer = await ask(peer, one["request"])
    expected = one["response"]
    if one["id"] in JUDGED_BY_CAUSE:
        assert answer.status_code == 400 and answer.json()["error"]
        return
    if one["request"]["path"].startswith("/v2/graphql"):
        _same_graph(one, answer)
        return
    assert answer.status_code == expected["status"], answer.text
    if answer.status_code == 404:
        return
    _same_body(one, answer.json(), expected["body"])


def _same_body(one: Recording, found: Any, expected: Any) -> None:
    path = one["request"]["path"]
    if "error" in expected:
        _same_error(one, found, expected)
    elif path.startswith("/v2/load"):
        results = zip(
            found.get("results", [found]), expected.get("results", [expected]), strict=True
        )
        for ours, theirs in results:
            _same_result(ours, theirs, one.get("row_order", "any"))
        for name in ("queryType", "pivotQuery"):
            assert found.get(name) == expected.get(name)
    elif path.startswith("/v2/meta"):
        _within(found["cubes"], expected["cubes"])
        assert found["tables"] == found["cubes"]
    elif path.startswith("/v2/dry-run"):
        for name in ("queryType", "normalizedQueries", "queryOrder", "pivotQuery"):
            assert found[name] == expected[name]
    else:
        ours, theirs = found["sql"], expected["sql"]
        assert ours["sql"][1] == theirs["sql"][1]
        for name in ("order", "aliasNameToMember", "dataSource", "cacheKeyQueries"):
            assert ours[name] == theirs[name]


def _same_result(ours: Any, theirs: Any, order: str) -> None:
    rows = [plain(one["data"]) for one in (ours, theirs)]
    if isinstance(rows[0], dict):
        assert rows[0] == rows[1]
    else:
        assert in_order(rows[0], order) == in_order(rows[1], order)
    # The peer's first compared query is the object that it makes the pivot of.
    echo = {n: v for n, v in theirs["query"].items() if n != "queryType"}
    echo["dimensions"] = [n for n in echo["dimensions"] if n != "compareDateRange"]
    assert plain({n: v for n, v in ours["query"].items() if n != "queryType"}) == plain(echo)
    names = ("annotation", "dataSource", "dbType", "external", "slowQuery", "total")
    assert {n: plain(ours[n]) for n in names} == {n: plain(theirs[n]) for n in names}
    assert ours["lastRefreshTime"].endswith("Z")


def _same_error(one: Recording, found: Any, expected: Any) -> None:
    if one["id"] == "get-load-bad-json":
        assert found["error"].startswith("Unable to decode query param as JSON, error: ")
        return
    assert found["error"] == expected["error"].removeprefix("Error: ")
    assert found.get("type") == expected.get("type")


def _within(ours: Any, theirs: Any) -> None:
    """All that the peer says of the model is said here; more may be."""
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            if name != "type" or value != "cube":
                _within(ours[name], value)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for mine, its in zip(ours, theirs, strict=True):
            _within(mine, its)
    else:
        assert ours == theirs


def _same_graph(one: Recording, answer: httpx2.Response) -> None:
    found, expected = answer.json(), one["response"]["body"]
    if "errors" in expected:
        ours, theirs = ([e["message"] for e in side["errors"]] for side in (found, expected))
        assert ours == [
            message.replace('"', "'") if "field" in message else message for message in theirs
        ]
        return
    assert "errors" not in found, found
    if one["id"].startswith("g-type-"):
        ours, theirs = found["data"]["__type"], expected["data"]["__type"]
        for kind in ("fields", "inputFields"):
            names = [[f["name"] for f in (side[kind] or [])] for side in (ours, theirs)]
            assert names[0] == names[1]
        return
    ours, theirs = (plain(side["data"]) for side in (found, expected))
    for name, rows in theirs.items():
        assert in_order(ours[name], one.get("row_order", "any")) == in_order(
            rows, one.get("row_order", "any")
        )


def test_the_deviations_are_recordings() -> None:
    assert {*DEVIATIONS, *JUDGED_BY_CAUSE} <= {one["id"] for one in RECORDINGS}


def test_the_recordings_are_here() -> None:
    assert len(RECORDINGS) == 158 and Path(__file__).exists()
