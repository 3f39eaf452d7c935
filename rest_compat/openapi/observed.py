"""What routes answer, seen by handing typed data and plausible requests to their own functions."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from itertools import product
from typing import Any

from graphql import GraphQLSchema
from starlette.datastructures import Headers, QueryParams

from app.core.errors import DomainError
from app.graphql.execute import StoredOperation
from rest_compat.described import Parameter
from rest_compat.dialect import Answer, Call, Dialect, Fault, Route, Sent
from rest_compat.kernel import answered
from rest_compat.openapi.bodies import body_schema, example
from rest_compat.openapi.samples import Sampler, Variant, variants
from rest_compat.openapi.seen import ANY, Seen

JSON = "application/json"
Place = tuple[int, str]
"""A status and a media type, which is empty for an answer without content."""
Responses = dict[Place, Seen]
CODES = (
    "BAD_USER_INPUT",
    "PAYLOAD_TOO_LARGE",
    "PATH_TRAVERSAL",
    "QUERY_TOO_COMPLEX",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "CONFLICT",
    "RATE_LIMITED",
    "UNAVAILABLE",
    "TIMEOUT",
    "INTERNAL",
)
"""Every code that the kernel, or an operation, can fail with."""
OF_ANY_ROUTE: tuple[str, ...] = CODES[:2]
IMPOSSIBLE = (LookupError, TypeError, ValueError, AttributeError)
"""What a shape may raise on data that fits the types and that no server would give."""


class Observed:
    """A route of a dialect among sampled requests and data."""

    def __init__(
        self,
        dialect: Dialect,
        route: Route,
        schema: GraphQLSchema,
        operation: StoredOperation | None,
    ) -> None:
        self.dialect = dialect
        self.route = route
        self.schema = schema
        self.operation = operation
        self.sampler = Sampler(schema, operation, dialect.described.known) if operation else None
        functions = (route.when, route.variables, route.shape)
        told = [p for f in functions for p in dialect.described.parameters_of(f)]
        body = dialect.described.body_of(route.variables)
        if body is not None and route.method != "GET":
            told = [p for p in told if p.name not in body.own and p.name not in body.attributes]
        self.parameters = list({(p.place, p.name): p for p in told}.values())
        self.body: dict[str, Any] | None = None
        self.media = body.media if body else JSON
        if body is not None and route.method != "GET":
            self.body = body_schema(body, operation, schema, dialect.described.word)

    # --- requests ------------------------------------------------------------------------------

    def call(self, world: int, given: Mapping[str, str], **how: bool) -> Call:
        """A request with these values in its query, a number for each part of its path.

        `how` says what is in its body, as `example` takes it.
        """
        whole = example(self.body, world, **how) if self.body else {}
        files = {n: Sent(f"{n}.txt", "upload") for n in self.files if n in whole}
        body = self.dialect.described.read({n: v for n, v in whole.items() if n not in files})
        path = {name: str(7001 + n + 100 * world) for n, name in enumerate(self.names)}
        inner = self.route.path.removeprefix(self.dialect.prefix).strip("/").split("/")
        return Call(
            method=self.route.method,
            segments=tuple(path[p[1:-1]] if p.startswith("{") else p for p in inner),
            query=QueryParams(dict(given)),
            headers=Headers({}),
            path=path,
            body=body,
            has_body=bool(body),
            files=files,
        )

    @property
    def files(self) -> list[str]:
        """The members of the body that are files of a form."""
        inner = (self.body or {}).get("properties", {})
        return [name for name, schema in inner.items() if schema.get("format") == "binary"]

    @property
    def names(self) -> list[str]:
        """The parameters of the path, in order."""
        return [part[1:-1] for part in self.route.path.split("/") if part.startswith("{")]

    def queries(self, world: int) -> Iterator[dict[str, str]]:
        """Nothing, everything, then each value of each parameter by itself."""
        asked = [p for p in self.parameters if p.place == "query"]
        yield {}
        yield {p.name: _texts(p, world)[0] for p in asked}
        for one in asked:
            yield from ({one.name: text} for text in _texts(one, world))

    def path_schema(self, name: str) -> Mapping[str, Any]:
        """The type of a path's parameter: as told, or a number where the variables have one."""
        if name in self.dialect.described.path:
            return self.dialect.described.path[name]
        needed = {p.name: _texts(p, 0)[0] for p in self.parameters if p.is_needed}
        for only_needed, given in product((True, False), ({}, needed)):
            call = self.call(0, given, only_needed=only_needed)
            try:
                variables = self.route.variables(call)
            except (DomainError, *IMPOSSIBLE):
                continue
            if int(call.path[name]) in _leaves(variables):
                return {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
        return {"type": "string", "minLength": 1}

    # --- answers -------------------------------------------------------------------------------

    def responses(self) -> Responses:
        """Good answers, or what the shape gives instead of one."""
        found: Responses = {}
        dialect, told = self.dialect, self.dialect.described
        if self.route.shape in told.files:
            return {(200, told.files[self.route.shape]): Seen()}
        common = {p.name: _texts(p, 0)[0] for p in told.common}
        for data, call, world in self.samples():
            try:
                answer = answered(self.route.shape(data, call))
            except (DomainError, *IMPOSSIBLE):
                continue
            _see(found, dialect.finish(answer, call, ""), world)
            if common:
                asked = replace(call, query=QueryParams(common))
                _see(found, dialect.finish(answer, asked, ""), world)
                common = {}  # What they leave out is seen by one answer.
        return found or {(200, "application/json"): Seen()}

    def samples(self) -> Iterator[tuple[Any, Call, int]]:
        """Data and a request for the shape, and their world."""
        for variant in self._variants():
            bare, full, *single = self.queries(variant.world)
            is_first = variant == Variant(variant.world)
            data = self.sampler.data(variant) if self.sampler else None
            for query in (bare, full, *(single if is_first else ())):
                yield data, self.call(variant.world, query, echo=True), variant.world
            if is_first:
                few = self.call(variant.world, bare, only_needed=True, echo=True)
                yield data, few, variant.world

    def _variants(self) -> Iterator[Variant]:
        if self.sampler is None:
            return iter((Variant(0), Variant(1)))
        self.sampler.data(Variant())
        return variants(self.sampler.turns)

    def failures(self) -> Responses:
        """Answers to everything that can go wrong on this route."""
        found: Responses = {}
        told = self.dialect.described
        common = {p.name: _texts(p, 0)[0] for p in told.common}
        for code in self._codes():
            reasons = [None, *(r for of, r in told.reasons if of == code and self._may_fail_by(of))]
            for reason, query, world in product(reasons, ({}, common), (0, 1)):
                call = replace(self.call(world, {}), query=QueryParams(query))
                words = ("some words", "other words")[world]
                fields = {ANY: [words]} if code == "BAD_USER_INPUT" else {}
                for fault in (
                    Fault(code, words, reason),
                    Fault(code, words, reason, fields=fields),
                ):
                    _see(found, self.dialect.faults(fault, call), world)
        return found

    def _codes(self) -> tuple[str, ...]:
        codes = (*OF_ANY_ROUTE, *self.dialect.described.codes)
        if self.names:
            codes += ("PATH_TRAVERSAL",)
        if self.operation is not None or self.route.credential != "none":
            codes += tuple(c for c in CODES if c not in (*OF_ANY_ROUTE, *codes))
        return codes if self._changes else tuple(c for c in codes if c != "CONFLICT")

    @property
    def _changes(self) -> bool:
        is_mutation = self.operation is not None and self.operation.is_mutation
        return is_mutation or self.route.method != "GET"

    def _may_fail_by(self, code: str) -> bool:
        """Whether reasons beside the code can be: those of inputs are about changes."""
        return self._changes or code != "BAD_USER_INPUT"


def _see(found: Responses, answer: Answer, world: int) -> None:
    media = answer.media_type or answer.headers.get("Content-Type", "")
    seen = found.setdefault((answer.status, media.partition(";")[0]), Seen())
    if not isinstance(answer.body, bytes) and answer.body is not None:
        seen.add(answer.body, world)


def phrase(status: int) -> str:
    """What a status is called."""
    return HTTPStatus(status).phrase


def _texts(parameter: Parameter, world: int) -> list[str]:
    """Values of a parameter: every word of an enumeration, one example of anything else."""
    schema = parameter.schema
    schema = schema.get("items", schema)
    if "enum" in schema:
        return [str(word) for word in schema["enum"]]
    value = example(schema, world)
    return ["true"] if isinstance(value, bool) else [str(value)]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
