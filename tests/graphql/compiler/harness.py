"""Reads the cases and binds their statements as the compiler will: from variables and viewer."""

import base64
import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, parse
from graphql.execution.values import get_variable_values

from app.core.ids import parse_global_id
from app.core.rules import Subject

CASES = Path(__file__).parent / "cases"
_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*(?:\.\w+)*)")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class Case:
    """One operation with its statement, its variables and the answers by caller."""

    name: str

    def text(self, kind: str) -> str:
        """The content of NAME.kind."""
        return (CASES / f"{self.name}.{kind}").read_text()

    @property
    def document(self) -> DocumentNode:
        """The parsed operation."""
        return parse(self.text("graphql"))

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation in the document."""
        return next(d for d in self.document.definitions if isinstance(d, OperationDefinitionNode))

    @property
    def variables(self) -> dict[str, Any]:
        """Sample variables."""
        loaded: dict[str, Any] = json.loads(self.text("variables.json"))
        return loaded

    @property
    def answers(self) -> dict[str, Any]:
        """The expected `data` by caller."""
        loaded: dict[str, Any] = json.loads(self.text("json"))
        return loaded


def case_names() -> list[str]:
    """All cases."""
    return sorted(path.stem for path in CASES.glob("*.graphql"))


def coerced(case: Case, schema: GraphQLSchema) -> dict[str, Any]:
    """The sample variables as the schema's scalars and enums read them, defaults included."""
    definitions = case.operation.variable_definitions or ()
    found = get_variable_values(schema, definitions, case.variables)
    assert not isinstance(found, list), found
    return dict(found.coerced)


@dataclass(frozen=True)
class Binding:
    """Where the parameters of a statement come from."""

    variables: Mapping[str, Any]
    subject: Subject
    viewer: Mapping[str, Any] = field(default_factory=dict)
    mark: str = ""
    after: Sequence[Any] = ()

    def value(self, name: str) -> Any:
        """The value of a parameter."""
        head, *path = name.split(".")
        if head.startswith("viewer_"):
            return {**self.subject.parameters, **self.viewer}[head]
        match head:
            case "project":
                parsed = parse_global_id(self.variables["projectId"])
                assert parsed is not None
                return int(parsed[1])
            case "call_project":
                return self.subject.project_id
            case "mark":
                return self.mark
            case "after":
                return self.after[int(path[0])]
        found: Any = self.variables[head]
        for step in path:
            found = found[int(step)] if isinstance(found, list) else found[step]
        return _bindable(found)


def _bindable(value: Any) -> Any:
    if isinstance(value, list):
        return [_bindable(item) for item in value]
    return value.value if isinstance(value, enum.Enum) else value


async def run_statement(connection: "asyncpg.Connection[Any]", sql: str, binding: Binding) -> Any:
    """Send the one statement, with parameters in their order, and read the text it returns."""
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    numbered_sql = _PARAMETER.sub(numbered, _COMMENT.sub("", sql))
    text = await connection.fetchval(numbered_sql, *(binding.value(name) for name in names))
    assert isinstance(text, str)
    return json.loads(text)


def cursor_parts(cursor: str) -> list[Any]:
    """Mark and sort values of a cursor."""
    parts: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return parts


def with_open_cursors(value: Any) -> Any:
    """The same data with each cursor as its sort values, which do not depend on the schema."""
    if isinstance(value, list):
        return [with_open_cursors(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: cursor_parts(inner)[1:]
        if name in ("cursor", "startCursor", "endCursor") and isinstance(inner, str)
        else with_open_cursors(inner)
        for name, inner in value.items()
    }
