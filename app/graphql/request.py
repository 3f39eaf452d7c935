"""The form of requests and answers: from bytes to a checked GraphQL request, and back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import getrandbits
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.graphql.errors import BAD_USER_INPUT
from app.graphql.limits import GraphQLSettings

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
HTML = "text/html"
PREFLIGHT_HEADERS = ("apollo-require-preflight", "x-apollo-operation-name", "x-requested-with")

ALWAYS = {"Cache-Control": "no-store", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
_ALWAYS = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class Incoming(Request):
    """A request whose headers are looked up by name; Starlette walks through them each time."""

    @property
    def headers(self) -> "QuickHeaders":
        """The headers."""
        if not hasattr(self, "_quick"):
            self._quick = QuickHeaders(self.scope)
        return self._quick


class QuickHeaders(Headers):
    """Headers of one request; of several with one name the first counts, as in Starlette."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._values = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(self._list)
        }

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a header."""
        return self._values.get(key.lower(), default)

    def __getitem__(self, key: str) -> str:
        return self._values[key.lower()]

    def __contains__(self, key: object) -> bool:
        return str(key).lower() in self._values


class HttpRefusal(Exception):
    """A request that is refused by its form, with its HTTP status."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class BadVariables(HttpRefusal):
    """Variables whose values no field can take."""

    def __init__(self, message: str) -> None:
        super().__init__(400, BAD_USER_INPUT, message)


@dataclass(frozen=True)
class GraphQLRequest:
    """The four parameters of GraphQL over HTTP, of the right types."""

    query: str | None
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


@dataclass(frozen=True)
class Accepted:
    """What the caller's Accept header allows."""

    json: str | None
    event_stream: bool
    prefers_events: bool
    prefers_html: bool

    @property
    def error_type(self) -> str:
        """The JSON type for a refusal: there is always one."""
        return self.json or JSON


@lru_cache(maxsize=256)
def negotiate(accept: str | None) -> Accepted:
    """Read an Accept header; the newer media type is used only where the client lists it."""
    weights: dict[str, float] = {}
    for part in (accept or "*/*").lower().split(",")[:50]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[name] = max(weight, weights.get(name, 0.0))
    anything = weights.get("*/*", 0.0)
    newer = weights.get(GRAPHQL_RESPONSE, 0.0)
    older = weights.get(JSON, weights.get("application/*", anything))
    events = weights.get(EVENT_STREAM, 0.0)
    html = weights.get(HTML, 0.0)
    chosen = GRAPHQL_RESPONSE if newer and newer >= older else JSON if older else None
    best = max(newer, older)
    listed = max(newer, weights.get(JSON, 0.0))
    return Accepted(chosen, events > 0, events > best, html > 0 and html > listed)


def request_id(conn: HTTPConnection) -> str:
    """The id under which this request is logged: the server's, the caller's, or a new one."""
    given = conn.scope.get("state", {}).get("request_id") or conn.headers.get("x-request-id", "")
    if given and isinstance(given, str) and _REQUEST_ID.match(given):
        return given
    return f"{getrandbits(128):032x}"


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    kind, *parameters = (piece.strip() for piece in content_type.lower().split(";"))
    charsets = [text[8:].strip('"') for text in parameters if text.startswith("charset=")]
    return kind == JSON and all(name in ("utf-8", "utf8") for name in charsets)


async def read_json(request: Request, settings: GraphQLSettings) -> bytes:
    """The body of a POST with a JSON content type, within the limit; raises HttpRefusal."""
    if not _is_json(request.headers.get("content-type", "")):
        raise HttpRefusal(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the request as application/json in UTF-8.",
            {"Accept-Post": JSON},
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpRefusal(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the request without Content-Encoding.",
            {"Accept-Encoding": "identity"},
        )
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > settings.max_body:
        raise _too_large(settings)
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > settings.max_body:
            raise _too_large(settings)
    return bytes(body)


def _too_large(settings: GraphQLSettings) -> HttpRefusal:
    return HttpRefusal(
        413, "PAYLOAD_TOO_LARGE", f"A request may have at most {settings.max_body} bytes."
    )


def parse_body(raw: bytes, settings: GraphQLSettings) -> GraphQLRequest | list[GraphQLRequest]:
    """The request in a JSON body, or a list of them where batches are on; raises HttpRefusal."""
    value = parse_json(raw, "The body")
    if isinstance(value, list):
        if not 1 <= len(value) <= settings.max_batch:
            raise bad_request(
                f"A batch must have 1 to {settings.max_batch} operations."
                if settings.max_batch
                else "Batches are off: send one operation at a time."
            )
        return [from_object(item, raw, settings) for item in value]
    return from_object(value, raw, settings)


def from_query(parameters: Mapping[str, str], settings: GraphQLSettings) -> GraphQLRequest:
    """The request in the query string of a GET; raises HttpRefusal."""
    fields: dict[str, Any] = {name: parameters.get(name) for name in ("query", "operationName")}
    for name in ("variables", "extensions"):
        text = parameters.get(name)
        fields[name] = parse_json(text.encode(), name) if text else None
    if sum(len(text) for text in parameters.values()) > settings.max_body:
        raise HttpRefusal(413, "PAYLOAD_TOO_LARGE", "The query string is too long.")
    return from_object(fields, (parameters.get("variables") or "").encode(), settings)


def from_object(value: object, raw: bytes, settings: GraphQLSettings) -> GraphQLRequest:
    """Check the types of a request's parameters; `raw` is the JSON text they came from."""
    if not isinstance(value, dict):
        raise bad_request("The request must be a JSON object.")
    query = value.get("query")
    variables = value.get("variables")
    operation_name = value.get("operationName")
    extensions = value.get("extensions")
    for name, given, kind, word in (
        ("query", query, str, "a string"),
        ("variables", variables, dict, "an object"),
        ("operationName", operation_name, str, "a string"),
        ("extensions", extensions, dict, "an object"),
    ):
        if given is not None and not isinstance(given, kind):
            raise bad_request(f"{name} must be {word} or null.")
    if not query and "persistedQuery" not in (extensions or {}):
        raise bad_request("The request has no query.")
    if variables:
        _check_variables(variables, raw, settings)
    return GraphQLRequest(query or None, variables, operation_name or None, extensions)


def parse_json(raw: bytes, what: str) -> Any:
    """Decode JSON; raises HttpRefusal for anything else, too deep a nesting included."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_request(f"{what} is not valid JSON in UTF-8.") from None


def to_json(payload: object) -> bytes:
    """Encode a response; raises TypeError for a value that JSON cannot hold."""
    return orjson.dumps(payload, option=orjson.OPT_NON_STR_KEYS)


def answer(
    payload: object,
    request_id: str,
    *,
    status: int = 200,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON answer with the headers that all answers have."""
    response = Response(to_json(payload), status, headers)
    response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
    response.headers.update(common_headers(request_id))
    return response


class ReadyAnswer:
    """The answer of a compiled read: its text as it came, with the request's id behind it."""

    def __init__(self, text: str, request_id: str, media_type: str, tier: str | None) -> None:
        # An id is letters, digits, dots and dashes: it needs no escaping.
        self._body = f'{text[:-1]},"extensions":{{"requestId":"{request_id}"}}}}'.encode()
        self._headers = [
            (b"content-type", b"%s; charset=utf-8" % media_type.encode()),
            (b"content-length", b"%d" % len(self._body)),
            (b"x-request-id", request_id.encode()),
            *_ALWAYS,
        ]
        if tier is not None:
            self._headers.append((b"x-isthmus-tier", tier.encode()))

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self._headers}
        await send(start)
        await send({"type": "http.response.body", "body": self._body})


def common_headers(request_id: str) -> dict[str, str]:
    """Headers of every answer of the endpoint."""
    return {**ALWAYS, "X-Request-Id": request_id}


def refusal_response(refusal: HttpRefusal, request_id: str, media_type: str = JSON) -> Response:
    """A refusal as JSON with its status and code."""
    error = {"message": refusal.message, "extensions": {"code": refusal.code}}
    return answer(
        {"errors": [error], "extensions": {"requestId": request_id}},
        request_id,
        status=refusal.status,
        media_type=media_type,
        headers=refusal.headers,
    )


def bad_request(message: str) -> HttpRefusal:
    """A refusal of a malformed request."""
    return HttpRefusal(400, BAD_USER_INPUT, message)


def _check_variables(value: object, raw: bytes, settings: GraphQLSettings) -> None:
    # A look at the bytes spares most requests the walk through their values.
    deep = raw.count(b"{") + raw.count(b"[") > settings.max_variable_depth
    if not deep and b"\\u0000" not in raw:
        return
    waiting, objects = [(value, 1)], 0
    while waiting:
        item, depth = waiting.pop()
        if depth > settings.max_variable_depth:
            raise BadVariables(
                f"Variables are nested deeper than {settings.max_variable_depth} levels."
            )
        if isinstance(item, dict):
            # To make inputs of them takes the loop about 0.1 ms each.
            objects += 1
            if objects > settings.max_variable_objects:
                most = settings.max_variable_objects
                raise BadVariables(f"Variables hold more than {most} objects.")
            waiting += [(key, depth) for key in item]
            waiting += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            waiting += [(inner, depth + 1) for inner in item]
        elif isinstance(item, str) and "\0" in item:
            raise BadVariables("Variables may not contain the character NUL.")
