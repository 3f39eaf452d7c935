"""The sample model, its data, and what was recorded of the real thing over them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from app.semantic.model import Model, load

DATA = Path(__file__).parent / "data"
Recording = dict[str, Any]


def files() -> dict[str, str]:
    """The model's files, path to text."""
    folder = DATA / "model"
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*.yml"))
    }


@cache
def model() -> Model:
    """The sample model."""
    return load(files())


@cache
def recorded() -> dict[str, Any]:
    """Requests and responses, and date ranges in words with what they were resolved to."""
    found: dict[str, Any] = json.loads((DATA / "recordings.json").read_text())
    return found


def recordings(*paths: str) -> list[Recording]:
    """The recordings of some paths, as `/v2/load`."""
    return [
        one for one in recorded()["recordings"] if one["request"]["path"].split("?")[0] in paths
    ]
