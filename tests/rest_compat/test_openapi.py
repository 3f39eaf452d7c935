"""The OpenAPI document: valid, whole, and as honest about requests as the code that reads them."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.datastructures import Headers, QueryParams

from app.core.errors import DomainError
from app.graphql.schema import build_schema
from app.server import _dialects, openapi
from app.settings import get_settings
from rest_compat.deep import groups, leads, people, projects
from rest_compat.deep.words import snaked
from rest_compat.described import taken_by
from rest_compat.dialect import Dialect
from rest_compat.kernel import load_operations
from rest_compat.openapi.bodies import example
from rest_compat.openapi.observed import IMPOSSIBLE, Observed
from rest_compat.openapi.seen import ANY, FreeObject, Seen

DIALECTS = {dialect.name: dialect for dialect in _dialects(get_settings())}
BROWSERS = {"origin", "sec-fetch-site"}
"""Headers that browsers send by themselves, of the page that asks."""
FREE = {
    "mage": {
        "api_key",
        "oauth-token",
        "_http_error_codes",
        "x-api-key",
        "authorization",
        "x-forwarded-proto",
    },
    "lens": {"authorization", "apikey"},
    "deep": {"authorization", "x-forwarded-proto", "x-deep-dialect"},
}
"""What is told of all routes together, as credential or as common parameter."""

UNREAD = {
    # Told of the same function for the path that names no pipeline.
    "/api/pipelines/{uuid}/pipeline_schedules": {"pipeline_schedule.pipeline_uuid"}
}

ASKED_FOR = {"PipelineVariableSet": "variable", "ScheduleDetail": "runtime_average"}
"""What shapes take for granted, since their own variables have asked for it."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi(get_settings())


def _inside(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _inside(one)


def test_document_is_valid(document: dict[str, Any]) -> None:
    errors = list(OpenAPIV31SpecValidator(document).iter_errors())
    assert not errors


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    refs = [v["$ref"] for v in _inside(document) if isinstance(v, dict) and "$ref" in v]
    assert len(refs) > 500
    for ref in set(refs):
        found = document
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]


@pytest.mark.parametrize("name", DIALECTS)
def test_every_route_is_there(document: dict[str, Any], name: str) -> None:
    dialect = DIALECTS[name]
    for route in dialect.routes:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"] and operation["description"], route
        in_path = [p["name"] for p in operation["parameters"] if p.get("in") == "path"]
        assert in_path == [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        assert bool(operation["security"]) == (route.credential != "none"), route
    for one in dialect.not_offered:
        item = document["paths"][one.path]
        assert item["x-not-offered"][one.method.lower()] == one.reason


def test_nothing_else_is_there(document: dict[str, Any]) -> None:
    told = {(p, m.upper()) for p, item in document["paths"].items() for m in item if m[0] != "x"}
    assert told == {(r.path, r.method) for d in DIALECTS.values() for r in d.routes}


def test_no_operation_id_is_used_twice(document: dict[str, Any]) -> None:
    ids = [
        v["operationId"] for v in _inside(document) if isinstance(v, dict) and "operationId" in v
    ]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", DIALECTS)
def test_of_every_route_a_good_answer_is_seen(name: str) -> None:
    """What is not said is free JSON, or bytes; it is never what no sample came to."""
    for one in _observed(DIALECTS[name]):
        found = {place: seen for place, seen in one.responses().items() if place[0] < 300}
        for (status, media), seen in found.items():
            known = seen.types or seen.is_free or media in ("", "application/gzip", "*/*")
            assert known, (one.route.method, one.route.path, status)


@pytest.mark.parametrize("name", DIALECTS)
def test_no_shape_breaks_on_data_that_fits_the_types(name: str) -> None:
    """Nulls, no rows, zeros and every word: what breaks on them would be an internal error."""
    for one in _observed(DIALECTS[name]):
        for data, call, _ in one.samples():
            if None in ((data or {}).get("payload") or {}).values():
                continue  # A payload lacks its object only where it has errors.
            try:
                one.route.shape(data, call)
            except DomainError:
                pass
            except KeyError as error:
                assert error.args[0] == ASKED_FOR.get(one.route.operation or ""), one.route


def test_nothing_of_the_samples_is_left(document: dict[str, Any]) -> None:
    texts = [v for v in _inside(document) if isinstance(v, str)]
    assert not [text for text in texts if ANY in text]
    words = [v for v in _inside(document) if isinstance(v, dict) and "enum" in v]
    for one in words:
        assert not [
            w for w in one["enum"] if isinstance(w, str) and w.startswith(("some ", "7001"))
        ]


def test_deep_is_told_in_the_dialect_of_the_setting(document: dict[str, Any]) -> None:
    def lead(of: dict[str, Any]) -> Any:
        told = of["paths"]["/api/v1/leads/{id}/"]["get"]["responses"]["200"]
        return told["content"]["application/json"]["schema"]["properties"]

    environ = {**os.environ, "ISTHMUS_DEEP_DIALECT": "server"}
    told = subprocess.run(
        [sys.executable, "-m", "app.cli", "openapi"], env=environ, capture_output=True, check=True
    )
    of_server = lead(json.loads(told.stdout))
    assert lead(document)["assignee"] == {"type": "array", "items": {"type": "integer"}}
    assert of_server["assignee"] == {"type": "integer"}
    assert "website" in lead(document) and "website" not in of_server


@pytest.mark.parametrize(
    ("first", "second", "schema"),
    [
        ({"a": "x", "b": 1}, {"a": "y"}, {"a": "string", "b": "integer"}),
        ({"a": None}, {"a": 1.5}, {"a": ["null", "number"]}),
        ({"a": 1}, {"a": 1.5}, {"a": "number"}),
        ({"a": FreeObject()}, {"a": "x"}, {"a": None}),
    ],
)
def test_types_are_those_of_all_values(first: Any, second: Any, schema: Any) -> None:
    seen = Seen()
    seen.add(first, 0)
    seen.add(second, 1)
    made = seen.schema()
    assert {k: v.get("type") for k, v in made["properties"].items()} == schema
    assert made["required"] == sorted(first.keys() & second.keys())


def test_words_are_told_only_where_no_data_is_in_them() -> None:
    seen = Seen()
    for world in (0, 1):
        seen.add({"state": "on", "took": f"{world + 1}s"}, world)
    assert seen.schema()["properties"] == {
        "state": {"type": "string", "enum": ["on"]},
        "took": {"type": "string"},
    }


# --- what requests hold ------------------------------------------------------------------------


class Read(dict[str, Any]):
    """A mapping that writes down what it is asked for."""

    def __init__(self, given: Mapping[str, Any], asked: set[str], within: str = "") -> None:
        super().__init__({k: self._watched(v, asked, f"{within}{k}.") for k, v in given.items()})
        self.asked, self.within = asked, within

    @staticmethod
    def _watched(value: Any, asked: set[str], within: str) -> Any:
        # Only the object under a wrapper: values further in are the graph's.
        is_wrapper = isinstance(value, dict) and within.count(".") == 1
        return Read(value, asked, within) if is_wrapper else value

    def __contains__(self, key: object) -> bool:
        self.asked.add(f"{self.within}{key}")
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(f"{self.within}{key}")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(f"{self.within}{key}")
        return super().get(key, default)


class ReadQuery(QueryParams):
    """Query parameters that write down what they are asked for."""

    asked: set[str]

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def getlist(self, key: str) -> list[Any]:
        self.asked.add(key)
        return super().getlist(key)


class ReadHeaders(Headers):
    """Headers that write down what they are asked for."""

    asked: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


class Asked:
    """What the functions of one method and path ask a request for."""

    def __init__(self) -> None:
        self.query: set[str] = set()
        self.headers: set[str] = set()
        self.body: set[str] = set()

    def watch(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function with a request whose parts are watched."""
        *data, call = arguments
        query, headers = ReadQuery(call.query), ReadHeaders(call.headers)
        query.asked, headers.asked = self.query, self.headers
        body = Read({k: v for k, v in call.body.items() if k != ANY}, self.body)
        try:
            files = Read(call.files, self.body)
            function(*data, replace(call, query=query, headers=headers, body=body, files=files))
        except (DomainError, *IMPOSSIBLE):
            pass


def _observed(dialect: Dialect) -> Iterator[Observed]:
    schema = build_schema()
    operations = load_operations(dialect, schema)
    for route in dialect.routes:
        operation = operations[route.operation] if route.operation else None
        yield Observed(dialect, route, schema._schema, operation)


@pytest.mark.parametrize("name", DIALECTS)
def test_what_is_told_of_requests_is_what_is_read(name: str) -> None:
    places: dict[tuple[str, str], list[Observed]] = defaultdict(list)
    for one in _observed(DIALECTS[name]):
        places[one.route.method, one.route.path].append(one)
    free = FREE.get(name, {"authorization", "x-forwarded-proto"}) | BROWSERS
    for place, same in places.items():
        asked, told = Asked(), Asked()
        bodies = [body for one in same for body in _bodies(one)]
        for one in same:
            _watch(one, asked, bodies)
            _tell(one, told)
        if place[0] == "GET":
            asked.body = told.body
        # A body may hold what a query may: one of them is told.
        asked.query -= told.body
        assert asked.query - free == told.query, place
        assert asked.headers - free == told.headers, place
        assert asked.body - {"api_key"} == told.body - UNREAD.get(place[1], set()), place


def _bodies(one: Observed) -> Iterator[dict[str, Any]]:
    """The body with everything or what is needed, with and without each attribute by itself."""
    schema = one.body or {}
    yield {}
    for world in (0, 1):
        full = example(schema, world)
        yield full
        yield example(schema, world, only_needed=True)
        for name, inner in schema.get("properties", {}).items():
            yield {name: example(inner, world)}
            for key, attribute in inner.get("properties", {}).items():
                yield {name: {key: example(attribute, world)}}
                yield {**full, name: {k: v for k, v in full[name].items() if k != key}}


def _watch(one: Observed, asked: Asked, bodies: list[dict[str, Any]]) -> None:
    for body in bodies:
        for query in one.queries(0):
            sent = one.dialect.described.read(body)
            call = replace(one.call(0, query), body=sent, has_body=bool(body))
            asked.watch(one.route.when, call)
            asked.watch(one.route.variables, call)
    for data, call, _ in one.samples():
        asked.watch(one.route.shape, data, call)


def _tell(one: Observed, told: Asked) -> None:
    told.query |= {p.name for p in one.parameters if p.place == "query"}
    told.headers |= {p.name.lower() for p in one.parameters if p.place == "header"}
    schemas = (one.body or {}).get("properties", {})
    inner = {name: dict.fromkeys(schema.get("properties", ())) for name, schema in schemas.items()}
    for name, members in one.dialect.described.read(inner).items():
        told.body |= {name, *(f"{name}.{member}" for member in members)}


# --- what DEEP's checks say of themselves --------------------------------------------------------

CHECKS = (leads.NEW, groups.GROUP, groups.ORGANIZATION, people.GROUP, projects.NEW, projects.MEMBER)
FILTERS = (
    leads.FILTERS,
    groups.GROUP_FILTERS,
    groups.ORGANIZATION_FILTERS,
    people.FILTERS,
    projects.FILTERS,
)


def test_a_check_takes_what_it_says_that_it_takes() -> None:
    for known in CHECKS:
        for name, (_, check) in known.items():
            for world in (0, 1):
                given = snaked({name: example(taken_by(check), world)})
                check(given[name])


def test_a_filter_takes_what_it_says_that_it_takes() -> None:
    for known in FILTERS:
        for make in known.values():
            schema = taken_by(make)
            assert schema["type"] in ("string", "boolean")
            for given in schema.get("examples") or [str(example(schema, 0))]:
                make(given)
