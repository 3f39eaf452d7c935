"""The OpenAPI 3.1 document of all dialects."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from strawberry import Schema

from rest_compat.described import Parameter
from rest_compat.dialect import Dialect
from rest_compat.kernel import load_operations
from rest_compat.openapi.observed import JSON, Observed, Place, Responses, phrase
from rest_compat.openapi.seen import Seen

_FAULTS = re.compile(r"; (NotFound|Invalid|Conflict|Unauthenticated)\b[^.;]*")
"""What docstrings say of exceptions: here the statuses say it."""
ABOUT = (
    "The REST dialects of this server, as its route tables have them. Bodies are described by the"
    " types of the graph's operations behind them; `{}` stands for free JSON. The same data is"
    " offered, with more to choose from, as GraphQL at `/v2/graphql`."
)


def document(schema: Schema, dialects: Sequence[Dialect], version: str) -> dict[str, Any]:
    """The document; takes a second or two, so it is made once and kept."""
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Isthmus", "version": version, "description": ABOUT},
        "tags": [{"name": _title(d), "description": d.described.text} for d in dialects],
        "paths": {},
        "components": {"schemas": {}, "responses": {}, "parameters": {}, "securitySchemes": {}},
    }
    for dialect in dialects:
        _Part(made, dialect, schema).add()
    return made


class _Part:
    """A dialect's part of the document."""

    def __init__(self, made: dict[str, Any], dialect: Dialect, schema: Schema) -> None:
        self.paths, self.components = made["paths"], made["components"]
        self.dialect = dialect
        operations = load_operations(dialect, schema)
        self.routes = [
            Observed(dialect, r, schema._schema, operations[r.operation] if r.operation else None)
            for r in dialect.routes
        ]

    def add(self) -> None:
        """Add paths and components."""
        name, told = self.dialect.name, self.dialect.described
        for scheme, schema in told.security.items():
            self.components["securitySchemes"][scheme] = schema
        for parameter in told.common:
            self.components["parameters"][f"{name}.{parameter.name}"] = _parameter(parameter)
        failures: Responses = {}
        ordered = sorted(self.routes, key=_place)
        for (path, method), found in groupby(ordered, key=_place):
            same = list(found)
            expected = _merged(route.failures() for route in same)
            failures = _merged((failures, expected))
            item = self.paths.setdefault(path, {})
            item[method.lower()] = self._operation(same, expected)
        self._add_failures(failures)
        for path, group in groupby(self.dialect.not_offered, key=lambda n: n.path):
            withheld = {n.method.lower(): n.reason for n in group}
            self.paths.setdefault(path, {}).setdefault("x-not-offered", {}).update(withheld)

    def _operation(self, same: list[Observed], expected: Responses) -> dict[str, Any]:
        """One method of one path, with all the routes that share it."""
        last, told = same[-1], self.dialect.described
        made: dict[str, Any] = {
            "operationId": _identifier(self.dialect.name, last),
            "tags": [_title(self.dialect)],
            "summary": _summary(last),
            "description": "\n\n".join(dict.fromkeys(filter(None, map(_description, same)))),
            "parameters": [*self._of_path(last), *self._beside(same)],
            "responses": self._responses(same, expected),
        }
        if any(one.body for one in same):
            made["requestBody"] = {"content": dict(_content(same))}
        credentials = {one.route.credential for one in same}
        made["security"] = [
            need for kind in sorted(credentials) for need in told.needs.get(kind, ())
        ]
        return made

    @staticmethod
    def _of_path(route: Observed) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "path", "required": True, "schema": route.path_schema(name)}
            for name in route.names
        ]

    def _beside(self, same: list[Observed]) -> list[dict[str, Any]]:
        told = {(p.place, p.name): p for one in same for p in one.parameters}
        common = self.dialect.described.common
        names = [f"#/components/parameters/{self.dialect.name}.{p.name}" for p in common]
        return [*map(_parameter, told.values()), *({"$ref": name} for name in names)]

    def _responses(self, same: list[Observed], expected: Responses) -> dict[str, Any]:
        good = _merged(one.responses() for one in same)
        made: dict[str, Any] = {}
        for status in sorted({s for s, _ in (*good, *expected)}):
            if all(s != status for s, _ in good):
                made[str(status)] = {"$ref": f"#/components/responses/{self._name(status)}"}
                continue
            content = {
                media: {"schema": self._schema((status, media), good, expected)}
                for media in sorted({m for s, m in (*good, *expected) if s == status and m})
            }
            made[str(status)] = {"description": phrase(status)}
            if content:
                made[str(status)]["content"] = content
        return made

    def _name(self, status: int) -> str:
        return f"{self.dialect.name}.{status}"

    def _schema(self, place: Place, good: Responses, expected: Responses) -> dict[str, Any]:
        if place not in good:
            return self._failure(place)
        own = good[place].schema()
        return {"anyOf": [own, self._failure(place)]} if place in expected else own

    def _failure(self, place: Place) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{self._failure_name(place)}"}

    def _failure_name(self, place: Place) -> str:
        status, media = place
        return f"{self.dialect.name}.Failure{status}{'' if media == JSON else 'Text'}"

    def _add_failures(self, failures: Responses) -> None:
        responses = self.components["responses"]
        for place, seen in sorted(failures.items()):
            status, media = place
            self.components["schemas"][self._failure_name(place)] = seen.schema()
            shared = {"description": phrase(status), "content": {}}
            response = responses.setdefault(self._name(status), shared)
            response["content"][media] = {"schema": self._failure(place)}


def _merged(parts: Iterable[Responses]) -> Responses:
    made: Responses = {}
    for part in parts:
        for key, seen in part.items():
            made.setdefault(key, Seen()).join(seen)
    return made


def _content(same: list[Observed]) -> Iterator[tuple[str, Any]]:
    """Media types of bodies, each with its schema."""
    told = [one for one in same if one.body is not None]
    for media in dict.fromkeys(one.media for one in told):
        found = [one.body for one in told if one.media == media]
        schemas = [body for n, body in enumerate(found) if body not in found[:n]]
        yield media, {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}


def _place(one: Observed) -> tuple[str, str]:
    return one.route.path, one.route.method


def _title(dialect: Dialect) -> str:
    return dialect.described.title or dialect.name


def _parameter(one: Parameter) -> dict[str, Any]:
    made: dict[str, Any] = {"name": one.name, "in": one.place, "schema": one.schema}
    if one.is_needed:
        made["required"] = True
    return made | ({"description": one.text} if one.text else {})


def _identifier(dialect: str, one: Observed) -> str:
    words = re.findall(r"[A-Za-z0-9]+", one.route.path)
    return "_".join((dialect, one.route.method.lower(), *words))


def _summary(one: Observed) -> str:
    name = one.route.operation
    if name is None:
        return _description(one).partition(".")[0].partition(":")[0]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _description(one: Observed) -> str:
    """The words of the function that makes the answer, else of the graph's field behind it."""
    function = one.route.shape
    own = function.__doc__ or ""
    if not own and one.sampler is not None:
        return str(one.sampler.first_field().description or "")
    # A function without words of its own was made by another one, which has some.
    maker = getattr(sys.modules[function.__module__], function.__qualname__.partition(".")[0], None)
    return _FAULTS.sub("", " ".join((own or maker.__doc__ or "").split()))
