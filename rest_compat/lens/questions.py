"""Requests as variables of the graph's operations, and its answers as Cube's."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.core.errors import Invalid
from rest_compat.dialect import Call

WAIT = {"error": "Continue wait"}


def lens(call: Call) -> dict[str, Any]:
    """The project that the path names, as `<lens>` or `<workspace>:<lens>`; none in the short paths."""
    named = call.path.get("lens")
    return {"lens": None if named is None else {"uuid": named.rpartition(":")[2]}}


def about(call: Call) -> dict[str, Any]:
    """What `/meta` shall say."""
    return {**lens(call), "extended": call.query.get("extended", "").lower() in ("true", "1")}


def question(call: Call) -> dict[str, Any]:
    """A query, or a list of them: an object, or a text that holds one."""
    given = _given(call)
    query = given.get("query")
    if isinstance(query, str) and query:
        query = _parsed(query)
    if query is None or query == "":
        raise Invalid("Query param is required")
    return {**lens(call), "query": query}


def typed_question(call: Call) -> dict[str, Any]:
    """The same, with what the client says of the answers that it knows."""
    type_ = _given(call).get("queryType")
    return {**question(call), "queryType": type_ if isinstance(type_, str) else None}


def _given(call: Call) -> Mapping[str, Any]:
    return call.query if call.method == "GET" else call.body


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"Unable to decode query param as JSON, error: {error}") from None


def answered(data: Any, _: Call) -> Any:
    """The answer, or that the client must ask again."""
    found = data["answer"]
    return WAIT if found["isWaiting"] else found["result"]
