"""Sends recorded requests to the application under test."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

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
