"""Failures as Mage words them: HTTP 200 with an `error` object, apart from the listed statuses."""

import re
from collections.abc import Mapping
from typing import Any

from rest_compat.dialect import Answer, Call, Fault

TOKEN_FAULTS = {
    "invalid_api_key": "Invalid API key.",
    "invalid_oauth_token": "Invalid OAuth token.",
    "expired_oauth_token": "Expired OAuth token.",
}
NO_ACCESS = (
    "You don\u2019t have access to this project. Please ask an admin or owner for permissions."
)
OWN_STATUS = {
    "RATE_LIMITED": (429, "too_many_requests"),
    "UNAVAILABLE": (503, "unavailable"),
    "TIMEOUT": (504, "timeout"),
    "CONFLICT": (409, "conflict"),
    "PAYLOAD_TOO_LARGE": (413, "payload_too_large"),
}
"""Faults that Mage's server does not know, with the HTTP status that says what to do."""
KNOWN_TEXTS = {"INTERVAL_INVALID": "Cron expression is invalid."}
"""Faults for which callers know the words of Mage's server."""
RUNS_OF_SCHEDULE = "pipeline_runs"
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")
_COERCION = re.compile(r"Variable '\$(\w+)' has invalid value(?: at \.?([^:]*))?: (.*)", re.DOTALL)
_MISSING = re.compile(r"Expected value of type '[^']*' to include required field '(\w+)'")


def answer(fault: Fault, call: Call) -> Answer:
    """A fault in Mage's envelope."""
    if fault.code == "PATH_TRAVERSAL":
        return Answer(400, "Error: Invalid path (path traversal detected)")
    if fault.code in OWN_STATUS:
        return _own(fault)
    if fault.code == "UNAUTHENTICATED":
        return _unauthenticated(fault, call)
    if fault.code == "FORBIDDEN":
        if fault.reason == "FOREIGN_PAGE":
            return Answer(403, _declared(403, "unauthorized_access", fault.message, 403))
        return _told(call, 403, "unauthorized_access", NO_ACCESS)
    if fault.code == "NOT_OFFERED":
        message = f"The {action(call)} action is disabled for {resource(call)}. {fault.message}"
        message = message.rstrip()
        return _told(call, 403, "unauthorized_access", message)
    if fault.code == "NOT_FOUND":
        return _not_found(fault, call)
    if fault.code in ("BAD_USER_INPUT", "QUERY_TOO_COMPLEX"):
        return _invalid(fault, call)
    return _exception(call, 500, "internal_error", fault.message)


def resource(call: Call) -> str:
    """The resource that the request is about: the child's name where there is one."""
    return call.segments[2] if len(call.segments) > 2 else call.segments[0]


def action(call: Call) -> str:
    """Mage's word for what is asked."""
    if call.method != "GET":
        return {"POST": "create", "PUT": "update", "DELETE": "delete"}.get(call.method, "list")
    return "list" if len(call.segments) % 2 else "detail"


def by_trigger_token(call: Call) -> bool:
    """Whether the request is one of the two that a trigger's token opens."""
    last = call.segments[2:3]
    child = last == ("api_trigger",) or (last == (RUNS_OF_SCHEDULE,) and len(call.segments) == 4)
    return call.segments[0] == "pipeline_schedules" and child


def url_parameters(call: Call) -> dict[str, str]:
    """The parts of the path."""
    if by_trigger_token(call):
        names = ("pipeline_schedule_id", "token")
        return dict(zip(names, (call.segments[1], *call.segments[3:4]), strict=False))
    return dict(zip(("resource", "pk", "child", "child_pk"), call.segments, strict=False))


def _declared(code: int, kind: str, message: str, status: int) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": kind}, "status": status}


def _told(
    call: Call, code: int, kind: str, message: str, errors: Mapping[str, Any] | None = None
) -> Answer:
    """A declared error. `_http_error_codes=true` asks for its code as HTTP status."""
    as_status = call.query.get("_http_error_codes", "").lower() == "true"
    status = code if as_status else 200
    body = _declared(code, kind, message, status)
    if errors is not None:
        body["error"]["errors"] = errors
    return Answer(status, body)


def _exception(call: Call, code: int, kind: str, message: str) -> Answer:
    """An error that Mage's server does not declare: its text is `exception`, without any stack."""
    error = {
        "code": code,
        "errors": [],
        "exception": message,
        "message": message,
        "type": kind,
    }
    return Answer(200, {"error": error, "status": 200, "url_parameters": url_parameters(call)})


def _own(fault: Fault) -> Answer:
    status, kind = OWN_STATUS[fault.code]
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Answer(status, _declared(status, kind, fault.message, status), headers)


def _unauthenticated(fault: Fault, call: Call) -> Answer:
    if fault.reason in TOKEN_FAULTS:
        wanted = call.query.get("_http_error_codes", "").lower() == "true"
        message = TOKEN_FAULTS[fault.reason]
        return Answer(401, _declared(401, fault.reason, message, 401 if wanted else 200))
    if fault.reason == "trigger_token":
        return _exception(call, 400, "record_invalid", fault.message)
    message = f"Private access for {action(call)} only, invalid scope."
    return _told(call, 403, "unauthorized_access", message)


def _not_found(fault: Fault, call: Call) -> Answer:
    if fault.reason == "BLOCK_UNKNOWN":
        return _told(call, 400, "record_invalid", fault.message)
    if by_trigger_token(call):
        text = "{'code': 404, 'message': 'Record not found.', 'type': 'record_not_found'}"
        return _exception(call, 404, "record_not_found", text)
    creates = call.method == "POST" and len(call.segments) == 1
    if (call.segments[0] == "pipelines" or creates) and fault.reason != "UNKNOWN_PATH":
        return _exception(call, 404, "record_not_found", fault.message)
    return _told(call, 404, "record_not_found", "Record not found.")


def _invalid(fault: Fault, call: Call) -> Answer:
    if fault.reason in ("CREDENTIALS_MISSING", "CREDENTIALS_INVALID"):
        return _told(call, 404, "record_not_found", fault.message)
    if fault.reason == "BLOCK_UNKNOWN":
        return _told(call, 400, "record_invalid", fault.message)
    if fault.reason == "NAME_MISSING" and resource(call) == "pipeline_schedules":
        detail = {"error": "name cannot be empty.", "metadata": {"key": "name", "value": None}}
        return _told(call, 200, "record_invalid", "Record is invalid.", detail)
    message = KNOWN_TEXTS.get(fault.reason or "") or plain(fault.message)
    return _exception(call, 400, "record_invalid", message)


def plain(message: str) -> str:
    """A message about a variable of ours as one about the attribute that was sent."""
    found = _COERCION.match(message)
    if found is None:
        return message
    variable, place, text = found.groups()
    missing = _MISSING.match(text)
    steps = [place or ("" if variable == "input" else variable), missing[1] if missing else ""]
    attribute = _CAPITAL.sub(r"_\1", ".".join(filter(None, steps))).lower()
    if missing:
        return f"{attribute} is required."
    return f"{attribute}: {text}" if attribute else text
