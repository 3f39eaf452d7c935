"""Sends recorded requests to the application under test."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.rest_compat.compare import differences

FILE = Path(__file__).parent / "mage" / "recordings.json"
RECORDINGS: dict[int, dict[str, Any]] = {one["seq"]: one for one in json.loads(FILE.read_text())}


def filled(value: Any, placeholders: Mapping[str, str]) -> Any:
    """A recorded value with its placeholders replaced."""
    if isinstance(value, dict):
        return {name: filled(inner, placeholders) for name, inner in value.items()}
    if isinstance(value, str):
        for name, text in placeholders.items():
            value = value.replace("{{" + name + "}}", text)
    return value


async def send(
    client: httpx2.AsyncClient, recording: Mapping[str, Any], placeholders: Mapping[str, str]
) -> httpx2.Response:
    """The recorded request, sent again."""
    body = filled(recording["body"], placeholders)
    raw = body if isinstance(body, str) else None if body is None else json.dumps(body)
    return await client.request(
        recording["method"],
        filled(recording["path"], placeholders),
        params=filled(recording["query"], placeholders),
        headers=filled(recording["headers"], placeholders),
        content=raw,
    )


@dataclass(frozen=True)
class Deviation:
    """Why an answer is meant to differ from its recording, and what it must then be like."""

    why: str
    like: int | None = None
    error: str | None = None
    status: int = 200
    varies: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()
    more_rows: str | None = None


def check(seq: int, answer: httpx2.Response, deviation: Deviation | None) -> None:
    """Compare an answer with its recording, apart from the named deviation."""
    if deviation is None:
        deviation = Deviation("none", status=RECORDINGS[seq]["status"])
    assert answer.status_code == deviation.status, answer.text
    if deviation.error is not None:
        assert answer.json()["error"]["type"] == deviation.error
        return
    recording = RECORDINGS[deviation.like or seq]
    expected = recording["response"]
    if deviation.more_rows:
        cut = {"__cut__": "more rows"}
        expected = {**expected, deviation.more_rows: [*expected[deviation.more_rows], cut]}
    varies = [*recording["varies"], *deviation.varies]
    found = differences(expected, answer.json(), varies, nullable=deviation.nullable)
    assert not found, "\n".join(found)
