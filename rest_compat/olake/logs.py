"""Tasks of a job, and pages of what they wrote."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid, NotFound
from rest_compat.dialect import Call
from rest_compat.olake.answer import success
from rest_compat.olake.values import moment, path_number, row_number
from rest_compat.olake.words import JOB_TYPES, STATES

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
MAX_CURSOR = 2**31 - 2
LEVELS = {"INFO": "info", "WARNING": "warn", "ERROR": "error", "EXCEPTION": "error"}
"""Lines of other levels are for those who look for faults in the program."""


def tasks(data: Any, _: Call) -> dict[str, Any]:
    """The tasks of a job, newest first; NotFound for a job that never was."""
    found = data["tasks"]["nodes"]
    if data["job"] is None and not found:
        raise NotFound("There is no such job.")
    return success("Tasks", [_task(task) for task in found])


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    seconds = int(task["runtimeS"] or 0)
    name = str(task["number"])
    return {
        "id": name,
        "start_time": moment(task["startedAt"] or task["createdAt"]),
        "runtime": seconds,
        "status": STATES[task["status"]],
        "file_path": name,
        "job_type": JOB_TYPES[task["jobType"]],
        "runtime_text": _duration(seconds),
    }


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def task_of(call: Call, *, by_path: bool = True) -> dict[str, Any]:
    """Job and task. `file_path` names the task where it is sent: the web UI's path always says 1."""
    named = call.body.get("file_path") or call.query.get("file_path")
    if named is None and not by_path:
        raise Invalid("file_path is needed")
    number = row_number(call.path["task"] if named is None else named)
    if number is None:
        raise NotFound("There is no such task.")
    return {"job": path_number(call), "task": number}


def page(call: Call) -> dict[str, Any]:
    """A page of lines: the newest, or those before (`older`) or from (`newer`) a cursor on."""
    limit = _integer(call, "limit", DEFAULT_LIMIT)
    cursor = cursor_of(call)
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"limit must be 1 to {MAX_LIMIT}")
    lines: dict[str, Any] = {"level": {"in": list(LEVELS)}}
    if cursor is not None:
        lines["seq"] = {"gte" if is_onward(call) else "lt": cursor}
    return {**task_of(call), "lines": lines, "limit": limit}


def is_onward(call: Call) -> bool:
    """Whether lines from a cursor on are wanted, rather than those before it or the newest."""
    return direction_of(call) == "newer" and cursor_of(call) is not None


def cursor_of(call: Call) -> int | None:
    """Where a page begins or ends; None for the newest page."""
    cursor = _integer(call, "cursor", -1)
    return None if cursor < 0 else min(cursor, MAX_CURSOR)


def direction_of(call: Call) -> str:
    """`older` or `newer`."""
    direction = call.query.get("direction") or "older"
    if direction not in ("older", "newer"):
        raise Invalid("direction must be older or newer")
    return direction


def _integer(call: Call, name: str, default: int) -> int:
    given = call.query.get(name)
    if not given:
        return default
    if not (given.isascii() and given.lstrip("-").isdigit() and len(given) < 20):
        raise Invalid(f"{name} must be an integer")
    return int(given)


def shown_line(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line as OLake writes it."""
    return {"level": LEVELS[line["level"]], "time": moment(line["at"]), "message": line["message"]}


def lines(data: Any, call: Call) -> dict[str, Any]:
    """A page of lines with the cursors of its neighbours. A cursor is a line's number."""
    task = only_task(data)
    nodes, info = task["logs"]["nodes"], task["logs"]["pageInfo"]
    end = int(task["end"]["nodes"][0]["seq"]) + 1 if task["end"]["nodes"] else 0
    cursor = cursor_of(call)
    at = end if cursor is None else min(cursor, end)
    if is_onward(call):
        more = info["hasNextPage"]
        newer = int(nodes[-1]["seq"]) + 1 if more and nodes else end
        neighbours = _neighbours(at, at > 1, newer, more)
    else:
        more = info["hasPreviousPage"]
        older = int(nodes[0]["seq"]) if more and nodes else 0
        neighbours = _neighbours(older, more, at, at < end)
    return {"logs": [shown_line(line) for line in nodes], **neighbours}


def _neighbours(older: int, more_older: bool, newer: int, more_newer: bool) -> dict[str, Any]:
    return {
        "older_cursor": older,
        "newer_cursor": newer,
        "has_more_older": more_older,
        "has_more_newer": more_newer,
    }


def log_page(data: Any, call: Call) -> dict[str, Any]:
    """A page as the web UI reads it."""
    return success("Logs", lines(data, call))


def task_logs(data: Any, call: Call) -> dict[str, Any]:
    """A page as the API is documented."""
    found = lines(data, call)
    return success("Logs", {"task_logs": found.pop("logs"), **found})


def only_task(data: Any) -> Mapping[str, Any]:
    """The task that was asked for; NotFound where there is none."""
    for task in data["tasks"]["nodes"]:
        found: Mapping[str, Any] = task
        return found
    raise NotFound("There is no such task.")
