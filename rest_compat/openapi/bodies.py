"""Schemas of requests: fields of the graph's inputs under a dialect's names, and examples."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLSchema,
    get_named_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    type_from_ast,
)

from app.graphql.execute import StoredOperation
from rest_compat.described import Body, JsonSchema
from rest_compat.openapi.seen import ANY, FreeObject

TYPES = {
    "Int": "integer",
    "Float": "number",
    "Boolean": "boolean",
    "String": "string",
    "ID": "string",
    "DateTime": "string",
    "Cron": "string",
}
"""Scalars with one form in JSON; what others hold is not said."""
MOMENTS = ["2026-11-21T23:17:33Z", "2025-01-02T03:04:05Z"]
Word = Callable[[str], str]


def body_schema(
    body: Body, operation: StoredOperation | None, schema: GraphQLSchema, word: Word
) -> dict[str, Any]:
    """The schema of a request's body."""
    properties: dict[str, JsonSchema] = {}
    for name, field in body.attributes.items():
        properties[name] = _of_field(field, operation, schema, word)
    properties |= body.own
    made: dict[str, Any] = {"type": "object", "properties": properties}
    if body.needed:
        made["required"] = list(body.needed)
    if body.wrapper is None:
        return made
    return {"type": "object", "properties": {body.wrapper: made}}


def _of_field(
    name: str, operation: StoredOperation | None, schema: GraphQLSchema, word: Word
) -> dict[str, Any]:
    """The variable of this name, or the field of it in an input type of the variables."""
    for one in operation.variable_definitions if operation else ():
        type_ = type_from_ast(schema, one.type)
        if one.variable.name.value == name:
            return _of_type(type_, word)
        named = get_named_type(type_)
        if is_input_object_type(named) and name in named.fields:
            field = named.fields[name]
            return {**_of_type(field.type, word), "description": field.description or ""}
    raise LookupError(f"No variable of {operation and operation.name} has the field {name}.")


def _of_type(type_: Any, word: Word) -> dict[str, Any]:
    if is_non_null_type(type_):
        return _of_present(type_.of_type, word)
    made = _of_present(type_, word)
    if "type" in made:
        made["type"] = [made["type"], "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made


def _of_present(type_: Any, word: Word) -> dict[str, Any]:
    if is_list_type(type_):
        return {"type": "array", "items": _of_type(type_.of_type, word)}
    if isinstance(type_, GraphQLEnumType):
        return {"type": "string", "enum": [word(value) for value in type_.values]}
    made = {"type": TYPES[type_.name]} if type_.name in TYPES else {}
    return made | ({"examples": MOMENTS} if type_.name == "DateTime" else {})


def example(
    schema: Mapping[str, Any], world: int = 0, *, only_needed: bool = False, echo: bool = False
) -> Any:
    """A value that a schema of ours allows; texts and numbers differ between the worlds.

    `echo` makes free JSON of whatever may have several types, for bodies that are sent back.
    """
    if "enum" in schema or "examples" in schema:
        known = schema.get("examples") or schema["enum"]
        return known[world % len(known)]
    kinds = schema.get("type", "object")
    if echo and not (isinstance(kinds, str) and "type" in schema):
        return FreeObject()
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        inner = schema.get("properties", {})
        wanted = {**dict.fromkeys(schema.get("required", ())), **({} if only_needed else inner)}
        made = {k: example(inner[k], world, only_needed=only_needed, echo=echo) for k in wanted}
        return {**made, ANY: None} if echo else made
    if kind == "array":
        return [example(schema.get("items", {}), world, echo=echo)]
    scalars = {"integer": (8, 92), "number": (2.5, 3.5), "boolean": (True, False)}
    return scalars.get(kind, ("something", "anything"))[world]
