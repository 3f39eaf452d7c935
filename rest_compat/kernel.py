"""The one engine of all REST dialects: a request becomes one stored operation and an answer."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import getrandbits
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send
from strawberry import Schema

from app.access.identify import address_of, is_present
from app.core.csrf import SAFE_METHODS, csrf_refusal, own_origin
from app.core.errors import DomainError
from app.graphql.context import STORED_MAX_PAGE, Context
from app.graphql.errors import from_exception, retry_after
from app.graphql.execute import (
    GraphQLSettings,
    InvalidStoredOperation,
    Result,
    StoredOperation,
    execute,
    stored_operations,
)
from app.settings import Settings
from rest_compat.body import BodyRefused, parse_object, read_bytes
from rest_compat.dialect import Answer, Call, Dialect, Fault, Route, Sent
from rest_compat.kept import Asked, KeptAnswers, Ready

OPEN_BODY = 1024 * 1024
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOTHING: dict[str, str] = {}
NO_QUERY = QueryParams()


def mount(schema: Schema, settings: Settings, dialects: Sequence[Dialect]) -> "list[DialectRoute]":
    """Routes of the dialects; refuses to start (ValueError) where a stored operation is wrong."""
    return [DialectRoute(Bound(dialect, schema, settings)) for dialect in dialects]


class DialectRoute(BaseRoute):
    """Hands every request below a dialect's paths to it, with the path still undecoded."""

    def __init__(self, bound: "Bound") -> None:
        self.bound = bound

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request belongs to the dialect."""
        own = scope["type"] == "http" and self.bound.dialect.owns(scope["method"], scope["path"])
        return (Match.FULL if own else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """No URL is ever built from a route."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = await self.bound.answer(Request(scope, receive))
        await (answer if isinstance(answer, Ready) else response(answer))(scope, receive, send)


def response(answer: Answer) -> Response:
    """An answer as it is sent."""
    headers = {"Cache-Control": "no-store", **answer.headers}
    made: Response
    if answer.file is None:
        made = Response(answer.content, answer.status, headers, answer.media_type)
    else:
        made = FileResponse(answer.file, answer.status, headers)
    for cookie in answer.cookies:
        made.headers.append("Set-Cookie", cookie)
    return made


class Bound:
    """A dialect whose operations were checked against the live schema."""

    def __init__(self, dialect: Dialect, schema: Schema, settings: Settings) -> None:
        self.dialect = dialect
        self.schema = schema
        self.settings = settings
        self.operations = load_operations(dialect, schema)
        paths = {r.path for r in dialect.routes} | {n.path for n in dialect.not_offered}
        self.templates = [(path, parts_of(path, dialect.prefix)) for path in sorted(paths)]
        self.literal = {parts: path for path, parts in self.templates if "{" not in path}
        self.routes: dict[tuple[str, str], list[Route]] = {}
        for route in dialect.routes:
            self.routes.setdefault((route.path, route.method), []).append(route)
        self.allowed = {path: self._allow(path) for path in paths}
        self.kept = KeptAnswers()
        # Our own documents were written with their sizes in mind: the limit is for clients'.
        self.limits = GraphQLSettings(
            max_nodes=2**63,
            timeout_s=settings.door.operation_timeout_s,
            debug=settings.door.debug,
            compile=settings.door.compile,
        )

    async def answer(self, request: Request) -> Answer | Ready:
        """The answer to a request, whatever happens on the way."""
        rid = request_id(request)
        segments = self._segments(request)
        template, path = self.literal.get(segments), NOTHING
        if template is None:
            template, path = find(self.templates, segments)
        heads = request.method == "HEAD" and self.dialect.read is not None
        call = Call(
            method="GET" if heads else request.method,
            segments=segments,
            query=request.query_params if request.scope["query_string"] else NO_QUERY,
            headers=request.headers,
            path=path,
            request=request,
        )
        if (at_once := self.dialect.before(call)) is not None:
            return at_once
        answer = await self._tried(request, call, template, rid)
        if isinstance(answer, Ready):
            return answer
        return self.dialect.finish(answer, call, self.allowed.get(template or "", ""))

    def _segments(self, request: Request) -> tuple[str, ...]:
        segments = segments_of(request.scope, self.dialect.prefix)
        for theirs, ours in self.dialect.also.items():
            begin = parts_of(theirs, self.dialect.prefix)
            if segments[: len(begin)] == begin:
                return parts_of(ours, self.dialect.prefix) + segments[len(begin) :]
        return segments

    async def _tried(
        self, request: Request, call: Call, template: str | None, rid: str
    ) -> Answer | Ready:
        try:
            return await self._answer(request, call, template, rid)
        except BodyRefused as refused:
            return self.dialect.faults(Fault(refused.code, refused.message, "BODY"), call)
        except ClientDisconnect:
            return Answer(400)
        except Exception as error:
            return self.dialect.faults(fault_of(from_exception(error, rid)), call)

    async def _answer(
        self, request: Request, call: Call, template: str | None, rid: str
    ) -> Answer | Ready:
        refuse = self.dialect.faults
        if ".." in "/".join(call.segments).split("/"):
            return refuse(Fault("PATH_TRAVERSAL", "Invalid path."), call)
        if template is None:
            return refuse(Fault("NOT_FOUND", "There is no such path.", "UNKNOWN_PATH"), call)
        routes = self.routes.get((template, call.method), [])
        if self.dialect.read is not None:
            among = routes or [r for r in self.dialect.routes if r.path == template]
            # What is sent may be kept at once, which no right of yesterday is enough for.
            sends = call.method not in SAFE_METHODS
            known = await self.dialect.identify(call, among[0].credential, sends)
        if not routes:
            return self._without_route(template, call)
        refuse_nul(call)
        files: Mapping[str, Sent] = {}
        asked = None
        if self.dialect.read is None:
            raw = await read_bytes(request, await self._room(request, call))
            asked = (call.method, call.segments, request.scope["query_string"], raw)
            if (kept := await self._kept(call, routes, asked)) is not None:
                return kept
            body = parse_object(raw)
        else:
            body, files = await self.dialect.read(request, known)
        call = replace(call, body=body or {}, has_body=body is not None, files=files)
        try:
            return await self._served(request, call, routes, asked, rid)
        finally:
            for sent in files.values():
                await sent.forget()

    async def _served(
        self,
        request: Request,
        call: Call,
        routes: Sequence[Route],
        asked: Asked | None,
        rid: str,
    ) -> Answer:
        refuse = self.dialect.faults
        route = next(route for route in routes if route.when(call))
        subject = await self.dialect.identify(call, route.credential, False)
        operation = self.operations[route.operation] if route.operation else None
        if subject.by_cookie:
            # A GET that changes something is refused to foreign pages like any other change.
            changes = operation is not None and operation.is_mutation
            reason = csrf_refusal(
                "POST" if changes else call.method,
                call.headers,
                self.settings.access.allowed_origins,
                own_origin(request),
            )
            if reason is not None:
                return refuse(Fault("FORBIDDEN", reason, "FOREIGN_PAGE"), call)
        context = Context(
            subject=subject.at(address=address_of(request), request_id=rid),
            request_id=rid,
            max_page=STORED_MAX_PAGE,
            by_rest=True,
            identify=partial(self.dialect.identify, call, route.credential, True),
        )
        variables = route.variables(call)
        if operation is None:
            await context.verify()
            return answered(route.shape(None, call))
        result = await execute(
            self.schema,
            operation,
            variables,
            None,
            context,
            settings=self.limits,
            timeout_s=route.timeout_s,
        )
        fault = failure(result)
        if fault is not None:
            return refuse(fault, call)
        answer = answered(route.shape(result.data, call))
        if asked is not None and result.holds is not None and not subject.by_cookie:
            self.kept.keep(subject, asked, response(answer), result.holds)
        return answer

    async def _kept(self, call: Call, routes: Sequence[Route], asked: Asked) -> Ready | None:
        """The answer that its caller got a moment ago, if that holds and so do the caller's rights."""
        if not self.kept or len(routes) > 1:
            return None
        subject = await self.dialect.identify(call, routes[0].credential, False)
        found = self.kept.find(subject, asked)
        if found is None or not await is_present(subject):
            return None
        return found

    async def _room(self, request: Request, call: Call) -> int:
        """How many bytes a body may have: few, until a key outside the body has proved good."""
        length = request.headers.get("content-length", "0" if call.method == "GET" else "")
        if length.isdigit() and int(length) <= OPEN_BODY:
            return OPEN_BODY
        with suppress(DomainError):
            if (await self.dialect.identify(call, "token", True)).is_known:
                return self.settings.door.max_rest_body
        return OPEN_BODY

    def _allow(self, template: str) -> str:
        """The methods of a path, as the header says them; empty where none is served."""
        known = {r.method for r in self.dialect.routes if r.path == template}
        return ", ".join([*(m for m in METHODS if m in known), "OPTIONS"] if known else [])

    def _without_route(self, template: str, call: Call) -> Answer:
        """OPTIONS, a method that is documented but not offered, or one that the path lacks."""
        withheld = {n.method: n for n in self.dialect.not_offered if n.path == template}
        allow = {"Allow": self.allowed[template] or "OPTIONS"}
        if call.method == "OPTIONS":
            return Answer(204, None, allow)
        if call.method in withheld:
            one = withheld[call.method]
            why = "" if one.is_documented else one.reason
            return self.dialect.faults(Fault("NOT_OFFERED", why), call)
        return Answer(405, self.dialect.wrong_method, allow)


def answered(shaped: Any) -> Answer:
    """What a route's shape gave as an answer."""
    return shaped if isinstance(shaped, Answer) else Answer(200, shaped)


def load_operations(dialect: Dialect, schema: Schema) -> Mapping[str, StoredOperation]:
    """The dialect's stored operations by name, each valid and each used by a route."""
    operations: dict[str, StoredOperation] = {}
    for file in sorted(dialect.documents.glob("*.graphql")):
        found = stored_operations(schema, file.read_text(), f"{dialect.name}/{file.name}")
        for name in found:
            if name in operations:
                raise InvalidStoredOperation(f"{dialect.name}: two operations are called {name}.")
        operations |= found
    wanted = {route.operation for route in dialect.routes if route.operation}
    for name in sorted(wanted ^ set(operations)):
        fault = "no document defines" if name in wanted else "no route uses"
        raise InvalidStoredOperation(f"{dialect.name}: {fault} the operation {name}.")
    return operations


def segments_of(scope: Scope, prefix: str) -> tuple[str, ...]:
    """The path behind the dialect's prefix, split before it is decoded: `%2F` divides nothing."""
    raw = scope.get("raw_path")
    text = raw.decode("latin-1").partition("?")[0] if raw else scope["path"].replace("%", "%25")
    kept = text.removeprefix(prefix).strip("/").split("/")
    return tuple(unquote(part) for part in kept)


def parts_of(path: str, prefix: str) -> tuple[str, ...]:
    """The segments of a route's path behind the dialect's prefix."""
    return tuple(path.removeprefix(prefix).strip("/").split("/"))


def find(
    templates: Sequence[tuple[str, tuple[str, ...]]], segments: Sequence[str]
) -> tuple[str | None, dict[str, str]]:
    """The path that fits and its parameters; literal segments win over parameters."""
    best: tuple[str | None, dict[str, str]] = (None, {})
    for path, parts in templates:
        if len(parts) != len(segments):
            continue
        pairs = list(zip(parts, segments, strict=True))
        given = {part[1:-1]: value for part, value in pairs if part.startswith("{")}
        fits = all(part == value for part, value in pairs if not part.startswith("{"))
        if fits and all(given.values()) and (best[0] is None or len(given) < len(best[1])):
            best = (path, given)
    return best


def refuse_nul(call: Call) -> None:
    """PostgreSQL's text cannot hold the character NUL, so nothing is ever found by it."""
    texts = [*call.segments, *(text for pair in call.query.multi_items() for text in pair)]
    if any("\x00" in text for text in texts):
        raise BodyRefused("BAD_USER_INPUT", "The request contains the character NUL.")


def failure(result: Result) -> Fault | None:
    """What went wrong, if anything: an error of the operation, or of a mutation's payload."""
    if result.errors:
        return fault_of(result.errors[0])
    for payload in (result.data or {}).values():
        for error in payload.get("errors") or () if isinstance(payload, dict) else ():
            return Fault(
                "BAD_USER_INPUT", error["message"], error["code"], path=error.get("path") or ()
            )
    return None


def fault_of(error: Mapping[str, Any]) -> Fault:
    """A formatted error of the graph as a fault."""
    extensions = error["extensions"]
    return Fault(
        extensions["code"],
        error["message"],
        extensions.get("reason"),
        retry_after([dict(error)]),
        fields=extensions.get("fields") or {},
    )


def request_id(request: Request) -> str:
    """The id under which this request is logged."""
    given = request.scope.get("state", {}).get("request_id")
    return given if isinstance(given, str) else f"{getrandbits(128):032x}"
