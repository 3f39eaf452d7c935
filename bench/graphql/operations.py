"""What is asked, in the words of each contender, and how answers are made comparable."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from load import Asked

FOLDER = Path(__file__).parent / "operations"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$")
WORDS = ("type", "status", "language")


@dataclass(frozen=True)
class Operation:
    """One kind of question. `warm` and `batch` are numbers of requests."""

    name: str
    title: str
    variables: dict[str, Any]
    warm: int
    batch: int
    peers: bool = True
    by_reader: bool = False
    writes: bool = False
    rest: str | None = None


OPERATIONS = {
    one.name: one
    for one in (
        Operation("S", "one pipeline, 10 scalars", {"uuid": "pipeline_0007"}, 2000, 2000),
        Operation("N", "50 pipelines x (5 blocks + last 5 runs) x 5 scalars", {}, 300, 200),
        Operation("L", "1,000 runs x 10 scalars", {}, 300, 100),
        Operation(
            "P",
            "a filtered connection with totalCount, 20 runs",
            {"pipeline": "pipeline_0007"},
            500,
            500,
        ),
        Operation("M", "a create with its payload", {}, 300, 300, writes=True),
        Operation(
            "A",
            "S for a member who is not an owner",
            {"uuid": "pipeline_0007"},
            1000,
            2000,
            peers=False,
            by_reader=True,
        ),
        Operation(
            "R", "REST list of 20", {}, 300, 300, peers=False, rest="/api/pipelines?_limit=20"
        ),
    )
}


def asked(operation: Operation, dialect: str, path: str, headers: dict[str, str]) -> Asked:
    """The request for an operation in a dialect: isthmus, graphile or limit."""
    if operation.rest and dialect == "isthmus":
        return Asked("GET", operation.rest, headers)
    if dialect == "limit":
        return _at_limit(operation, headers)
    variables = dict(operation.variables)
    if operation.writes:
        variables = {"name": "Bench made %N%", "uuid": "bench_made_%N%"}
        variables = variables if dialect == "graphile" else {"name": variables["name"]}
    file = "S" if operation.name == "A" else operation.name
    query = (FOLDER / dialect / f"{file}.graphql").read_text()
    body = {"query": query, "operationName": file, "variables": variables}
    return Asked("POST", path, JSON | headers, json.dumps(body).encode())


def _at_limit(operation: Operation, headers: dict[str, str]) -> Asked:
    if operation.writes:
        body = json.dumps({"name": "Bench made %N%"}).encode()
        return Asked("POST", "/M", JSON | headers, body)
    if operation.rest:
        return Asked("GET", "/R?_limit=20", headers)
    body = json.dumps({"variables": operation.variables}).encode()
    return Asked("POST", f"/{operation.name}", JSON | headers, body)


def comparable(body: bytes, operation: Operation) -> Any:
    """An answer without what may differ: how moments and words of enums are written."""
    answer = json.loads(body)
    if isinstance(answer, dict):
        answer.pop("extensions", None)
    plain = _plain(answer)
    return _without(plain, _OF_WRITES) if operation.writes else plain


_OF_WRITES = ("number", "uuid", "name", "createdAt", "updatedAt")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for name, item in value.items():
            # `_…` is an object in between that a contender's own schema has.
            if name.startswith("_"):
                made |= _plain(item)
            elif name in WORDS and isinstance(item, str):
                made[name] = item.lower()
            else:
                made[name] = _plain(item)
        return made
    if isinstance(value, str) and MOMENT.match(value):
        return _instant(value)
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _instant(text: str) -> str:
    body, fraction, zone = re.match(  # type: ignore[union-attr]
        r"^([^.Z+]+?)(?:\.(\d+))?(Z|[+-][\d:]+)$", text.replace(" ", "T")
    ).groups()
    assert zone in ("Z", "+00", "+00:00", "+0000"), text
    moment = datetime.fromisoformat(body).replace(tzinfo=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(fraction or '').ljust(6, '0')}"


def _without(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if isinstance(value, dict):
        return {name: _without(item, names) for name, item in value.items() if name not in names}
    return value
