"""Failures as Cube words them: `{"error": text}`, and never a stack."""

from typing import Any

from rest_compat.dialect import Answer, Call, Fault
from rest_compat.lens.auth import MISSING

STATUSES = {
    "BAD_USER_INPUT": 400,
    "QUERY_TOO_COMPLEX": 400,
    "PATH_TRAVERSAL": 400,
    "TIMEOUT": 400,
    "CONFLICT": 400,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
}
USER_ERROR = "USER_ERROR"
WRONG_METHOD = {"error": "This path has no such method"}


def answer(fault: Fault, _: Call) -> Answer:
    """A fault in Cube's form."""
    if fault.code == "UNAUTHENTICATED":
        return Answer(403, {"error": fault.message if fault.reason == MISSING else "Invalid token"})
    body: dict[str, Any] = {"error": fault.message}
    if fault.reason == USER_ERROR:
        body["type"] = "UserError"
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Answer(STATUSES.get(fault.code, 500), body, headers)
