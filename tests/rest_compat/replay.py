"""Recorded requests, sent to the application under test, and what may differ in the answers."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.rest_compat.compare import differences

FILE = Path(__file__).parent / "mage" / "recordings.json"
RECORDINGS: dict[int, dict[str, Any]] = {one["seq"]: one for one in json.loads(FILE.read_text())}
LATE = range(183, 207)
"""Recorded after all others of their server."""


def played(seq: int) -> tuple[bool, int]:
    """The order in which the recordings were made."""
    return seq in LATE or seq > 268, seq


SIGNED_IN = [seq for seq, one in RECORDINGS.items() if "AUTHENTICATION=true" in one["server"]]
KEY_ALONE = sorted(set(RECORDINGS) - set(SIGNED_IN), key=played)


def titled(seq: int) -> str:
    """A recording's number and name, as the id of its test."""
    return f"{seq}-{RECORDINGS[seq]['name']}"


def filled(value: Any, placeholders: Mapping[str, str]) -> Any:
    """A recorded value with its placeholders replaced."""
    if isinstance(value, dict):
        return {name: filled(inner, placeholders) for name, inner in value.items()}
    if isinstance(value, str):
        for name, text in placeholders.items():
            value = value.replace("{{" + name + "}}", text)
    return value


def request_of(recording: Mapping[str, Any], placeholders: Mapping[str, str]) -> dict[str, Any]:
    """The recorded request, as a client's `request` takes it."""
    body = filled(recording["body"], placeholders)
    raw = body if isinstance(body, str) else None if body is None else json.dumps(body)
    return {
        "method": recording["method"],
        "url": filled(recording["path"], placeholders),
        "params": filled(recording["query"], placeholders),
        "headers": filled(recording["headers"], placeholders),
        "content": raw,
    }


@dataclass(frozen=True)
class Deviation:
    """Why an answer is meant to differ from its recording, and how.

    Either it is like another recording (`like`), or an error of the type `error`, or an answer
    under the key `key` where an error was recorded; otherwise just the places in `differs`
    (beginnings, with `[]` for any item of a list) differ, and each of them does. With `sometimes`
    a worker that is quick enough leaves no difference.
    """

    why: str
    differs: tuple[str, ...] = ()
    like: int | None = None
    error: str | None = None
    exception: str | None = None
    key: str | None = None
    status: int = 200
    sometimes: bool = False


def check(seq: int, answer: httpx2.Response, deviation: Deviation | None) -> None:
    """Compare an answer with its recording, apart from the named deviation."""
    recording = RECORDINGS[seq if deviation is None else deviation.like or seq]
    if deviation is None:
        found = faults(recording, answer)
        assert not found, "\n".join([*found, answer.text[:1000]])
        return
    if deviation.sometimes and not faults(RECORDINGS[seq], answer):
        return
    assert faults(RECORDINGS[seq], answer), "It does not differ at all."
    assert answer.status_code == deviation.status, answer.text
    if deviation.key is not None:
        assert deviation.key in answer.json(), answer.text
    elif deviation.error is not None:
        error = answer.json()["error"]
        assert error["type"] == deviation.error, answer.text
        assert deviation.exception is None or error["exception"] == deviation.exception
    else:
        _just_there(faults(recording, answer), deviation.differs)


def _just_there(found: list[str], meant: tuple[str, ...]) -> None:
    """Every difference is in a place that is meant, and every place that is meant has one."""
    patterns = [re.compile(re.escape(m).replace(r"\[\]", r"\[\d+\]")) for m in meant]
    unmeant = [one for one in found if not any(p.match(one) for p in patterns)]
    assert not unmeant, "\n".join(unmeant)
    idle = [p.pattern for p in patterns if not any(p.match(one) for one in found)]
    assert not idle, idle


def faults(recording: Mapping[str, Any], answer: httpx2.Response) -> list[str]:
    """Every difference between an answer and a recorded one."""
    recorded = recording["response"]
    found = []
    if answer.status_code != recording["status"]:
        found.append(f"status: {recording['status']} was recorded, {answer.status_code} answered")
    if "__text__" in recorded:
        same = answer.text.strip() == recorded["__text__"].strip()
        return found if same else [*found, f"$: {answer.text[:200]}"]
    answered = answer.json()
    if "exception" in recorded.get("error", {}):
        return found + _undeclared(recorded, answered)
    return found + differences(recorded, answered, recording["varies"])


def _undeclared(recorded: Any, answered: Any) -> list[str]:
    """An error that the real server does not declare.

    Its text and the parts of the path are the same; ours says the kind of fault in `code` and
    `type`, and shows neither frames nor traceback.
    """
    error = answered.get("error")
    if error is None:
        return ["$: an error was recorded, none was answered"]
    if "exception" not in error:
        return [f"$.error: an exception was recorded, {error} was answered"]
    found = []
    if error["exception"].split() != recorded["error"]["exception"].split():
        found.append(
            f"$.error.exception: {recorded['error']['exception']!r} was recorded, "
            f"{error['exception']!r} was answered"
        )
    shown = (error["errors"], error["message"], answered["status"])
    if shown != ([], error["exception"], 200) or error["code"] not in (400, 404):
        found.append(f"$.error: {error}")
    if set(answered["url_parameters"]) != set(recorded["url_parameters"]):
        found.append(f"$.url_parameters: {answered['url_parameters']}")
    return found
