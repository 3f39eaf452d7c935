"""DEEP's envelope of failures, its two dialects, and what every answer gets at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from app.core.errors import DomainError
from app.settings import get_settings
from rest_compat.deep.words import snake
from rest_compat.dialect import Answer, Call, Fault

STATUSES = {
    "BAD_USER_INPUT": 400,
    "GRAPHQL_VALIDATION_FAILED": 400,
    "QUERY_TOO_COMPLEX": 400,
    "PATH_TRAVERSAL": 404,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "NOT_ACCEPTABLE": 406,
    "CONFLICT": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
    "TIMEOUT": 504,
}
DENIED = "You do not have permission to perform this action."
NO_CREDENTIALS = "Authentication credentials were not provided."
UNEXPECTED = "Something unexpected has occured. Please contact an admin to fix this issue."
OWN_WORDS = ("CSRF", "FOREIGN_PAGE", "OWN_WORDS")
"""Reasons of refusals that tell the caller more than that."""
MEMBERS = {
    "name": "title",
    "userId": "member",
    "roleNumber": "role",
    "currentPassword": "oldPassword",
    "password": "newPassword",
}
"""What we call otherwise."""
OPTIONS = {
    "description": "",
    "renders": ["application/json"],
    "parses": [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ],
}


class BadInput(DomainError):
    """Input that an operation could not express: messages by member in camel case."""

    code = "BAD_USER_INPUT"

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        first = next(iter(fields.values()))[0]
        super().__init__(first, reason="FIELDS", fields=fields)


def is_server(call: Call) -> bool:
    """Whether the caller wants answers as the real server gives them, not as documented."""
    asked = call.headers.get("x-deep-dialect") or get_settings().door.deep_dialect
    return asked.lower() == "server"


def failed(status: int, code: int, errors: Mapping[str, Any], call: Call) -> Answer:
    """A failure in DEEP's envelope."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    headers = {"WWW-Authenticate": 'Basic realm="api"'} if status == 401 else {}
    shown = errors if is_server(call) else {n: _joined(n, v) for n, v in errors.items()}
    return Answer(status, {"timestamp": now, "errorCode": code, "errors": shown}, headers)


def _joined(name: str, messages: Any) -> Any:
    kept = name in ("nonFieldErrors", "internalNonFieldErrors") or not isinstance(messages, list)
    return messages if kept else " ".join(messages)


def fault(fault: Fault, call: Call) -> Answer:
    """A fault in DEEP's envelope."""
    if fault.fields:
        return failed(400, 400, {n: list(v) for n, v in fault.fields.items()}, call)
    if fault.reason == "UNKNOWN_PATH":
        return failed(404, 404, _plain("Error 404, page not found"), call)
    if _is_denied(fault, call):
        return failed(403, 403, _plain(DENIED), call)
    if fault.reason == "STRONGER_ROLE" and call.method != "DELETE":
        return failed(400, 400, {"role": ["Invalid role"]}, call)
    status = STATUSES.get(fault.code, 500)
    if status == 500:
        opaque = {**_plain(UNEXPECTED), "internalNonFieldErrors": [f"Reference: {uuid4().hex}"]}
        return failed(500, 500, opaque, call)
    answer = failed(status, _code(status, fault, call), _errors(status, fault), call)
    if fault.retry_after is None:
        return answer
    return replace(answer, headers={**answer.headers, "Retry-After": str(fault.retry_after)})


def _is_denied(fault: Fault, call: Call) -> bool:
    """What belongs to a project that is not there is refused like one of others.

    Of several leads at once the graph says the same in codes of items.
    """
    names = {"project", "projects"} & set(call.body)
    new = call.method == "POST" and bool(names) and fault.reason in ("NO_PROJECT", "NOT_FOUND")
    return new or fault.reason == "NOT_ALLOWED"


def _plain(message: str) -> dict[str, Any]:
    return {"nonFieldErrors": [message]}


def _code(status: int, fault: Fault, call: Call) -> int:
    if not is_server(call):
        return status
    if status == 401:
        return 4012 if fault.reason == "WRONG_BASIC" else 4011
    return 4001 if fault.reason == "DUPLICATE" else status


def _errors(status: int, fault: Fault) -> dict[str, Any]:
    if status == 401:
        return _plain(fault.message if fault.reason == "WRONG_BASIC" else NO_CREDENTIALS)
    if status == 403 and fault.reason not in OWN_WORDS:
        return _plain(DENIED)
    if status == 404:
        return _plain("Resource not found")
    if status == 400 and fault.path:
        return {MEMBERS.get(fault.path[0], fault.path[0]): [fault.message]}
    return _plain(fault.message)


def finish(answer: Answer, call: Call, allow: str) -> Answer:
    """Which methods the path has, the members that were asked for, and nulls as the dialect has them."""
    methods = [m for m in allow.split(", ") if m]
    if "GET" in methods:
        methods.insert(-1, "HEAD")
    headers = {**answer.headers, "Vary": "Origin, Cookie, X-Deep-Dialect"}
    if methods:
        headers["Allow"] = ", ".join(methods)
    body, status = answer.body, answer.status
    if status == 405:
        body = failed(405, 405, _plain(f'Method "{call.method}" not allowed.'), call).body
    if status == 404 and not methods:
        headers["Allow"] = "GET, HEAD, OPTIONS"
    if call.method == "OPTIONS" and methods:
        status, body = 200, {"name": call.segments[-1].replace("-", " ").title(), **OPTIONS}
    elif status < 300 and isinstance(body, dict | list):
        body = _chosen(body, call)
        body = _without_nulls(body) if is_server(call) else body
    return replace(answer, status=status, body=body, headers=headers)


def _chosen(body: Any, call: Call) -> Any:
    wanted, dropped = (_names(call, name) for name in ("fields", "omit"))
    if wanted is None and dropped is None:
        return body
    if isinstance(body, list):
        return [_chosen(one, call) for one in body]
    if isinstance(body.get("results"), list):
        return {**body, "results": [_chosen(one, call) for one in body["results"]]}
    kept = {n: v for n, v in body.items() if wanted is None or snake(n) in wanted}
    return {n: v for n, v in kept.items() if dropped is None or snake(n) not in dropped}


def _names(call: Call, parameter: str) -> set[str] | None:
    given = call.query.get(parameter)
    return None if given is None else {one for one in given.split(",") if one == one.lower()}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"count", "next", "previous", "results"}:
        return {**value, "results": _without_nulls(value["results"])}
    free = ("data", "customProjectFields")
    kept = {n: v for n, v in value.items() if v is not None}
    return {n: v if n in free else _without_nulls(v) for n, v in kept.items()}


def redirect(call: Call) -> Answer | None:
    """To the path with a slash at its end; methods with a body keep it."""
    if call.sent_path.endswith("/") or call.segments[:1] == ("private-file",):
        return None
    query = f"?{call.query}" if call.query else ""
    place = {"Location": f"{call.sent_path}/{query}"}
    return Answer(301 if call.method == "GET" else 308, None, place)
