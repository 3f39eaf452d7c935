"""From a REST request to the variables of its stored operation: what all of them share."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from rest_compat.dialect import Call
from rest_compat.mage.page import path_number

WORDS = {"type", "language", "status", "schedule_type"}
"""Attributes whose values are enumerations: Mage writes them small."""
OBJECTS = {
    "variables",
    "settings",
    "configuration",
    "concurrency_config",
    "retry_config",
    "notification_config",
    "executor_config",
}
"""Attributes that the graph takes as any JSON and that the documents show as objects."""


def nothing(_: Call) -> dict[str, Any]:
    """For an operation without variables."""
    return {}


def by_uuid(call: Call) -> dict[str, Any]:
    """The pipeline in the path."""
    return {"uuid": call.path["uuid"]}


def by_number(call: Call) -> dict[str, Any]:
    """The row in the path."""
    return {"number": path_number(call)}


def attributes(call: Call, wrapper: str) -> Mapping[str, Any]:
    """The object under the wrapper key; an empty one where it is missing."""
    return an_object(call.body.get(wrapper), wrapper) or {}


def an_object(value: Any, name: str) -> Mapping[str, Any] | None:
    """A JSON object or null; Invalid for anything else."""
    if value is not None and not isinstance(value, Mapping):
        raise Invalid(f"{name} must be an object.")
    return value


def picked(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The attributes that were sent, under the graph's names; unknown ones are left behind."""
    found = {}
    for name, graph_name in names.items():
        if name in given:
            value = an_object(given[name], name) if name in OBJECTS else given[name]
            found[graph_name] = value.upper() if name in WORDS and isinstance(value, str) else value
    return found


def bearer(call: Call) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def objects(value: Any, name: str) -> list[Mapping[str, Any]]:
    """A list of JSON objects; Invalid for anything else, an empty one for null."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise Invalid(f"{name} must be a list of objects.")
    return value
