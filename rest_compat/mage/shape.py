"""What all shapes of Mage's bodies share. Pure: nothing but the data and the request is seen."""

from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import NotFound
from rest_compat.dialect import Call

Row = Mapping[str, Any]
Shape = Callable[[Any, Call], dict[str, Any]]

REPOSITORY = "default_repo"
"""What Mage calls its folder; ours has none, and paths of the server are nobody's business."""


def single(key: str, build: Callable[[Row, Call], Any]) -> Shape:
    """`{key: ..., "metadata": null}` of a mutation's payload: the object in its only other field."""

    def shape(data: Any, call: Call) -> dict[str, Any]:
        row = next(v for k, v in data["payload"].items() if k != "errors")
        return {key: build(row, call), "metadata": None}

    return shape


def missing_pipeline(call: Call) -> NotFound:
    """The pipeline in the path does not exist."""
    return NotFound(f"Pipeline {call.path['uuid']} does not exist.")


def row_of(data: Any, name: str) -> Row:
    """The object of a database resource; NotFound where it is null."""
    row: Row | None = data[name]
    if row is None:
        raise NotFound("Record not found.")
    return row


def an_object(value: Any) -> Row:
    """A JSON value as an object; the graph lets any value in where an object is meant."""
    return value if isinstance(value, Mapping) else {}
