"""OLake's envelope: what has succeeded, and failures in its words with a cause."""

from collections.abc import Mapping
from typing import Any

from rest_compat.dialect import Answer, Call, Fault

WORDS = {
    400: "Bad request",
    401: "Authentication required",
    403: "Insufficient permissions",
    404: "Resource not found",
    409: "Conflict",
    413: "Payload too large",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
    504: "Timed out",
}
STATUSES = {
    "BAD_USER_INPUT": 400,
    "QUERY_TOO_COMPLEX": 400,
    "PATH_TRAVERSAL": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
    "TIMEOUT": 504,
}
OF_REASONS = {"NAME_TAKEN": 409, "CREDENTIALS_INVALID": 401}
"""Faults of inputs that have a status of their own."""
BARE = (401, 500)
"""Statuses whose usual messages add nothing for the caller."""
WRONG_METHOD = {"success": False, "message": "Bad request: this path has no such method"}


def success(message: str, data: Any) -> dict[str, Any]:
    """The body of a good answer."""
    return {"success": True, "message": message, "data": data}


def failed(status: int, cause: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """A failure in the documented words, with its cause where there is one to tell."""
    words = WORDS[status]
    told = cause.strip().rstrip(".")
    message = words if told in ("", words) else f"{words}: {told}"
    return Answer(status, {"success": False, "message": message}, headers or {})


def fault(fault: Fault, call: Call) -> Answer:
    """A fault in OLake's envelope."""
    if fault.reason == "UNKNOWN_PATH" and call.segments[:3] != ("api", "v1", "project"):
        return Answer(404, {"success": False, "message": "not found"})
    status = OF_REASONS.get(fault.reason or "") or STATUSES.get(fault.code, 500)
    if fault.reason == "CREDENTIALS_INVALID":
        return failed(401, "Invalid credentials")
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return failed(status, "" if status in BARE else fault.message, headers)
