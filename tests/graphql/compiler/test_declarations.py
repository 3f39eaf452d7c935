"""The cases against the declarations: what a compiler needs to know must be declared."""

import enum
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLNonNull,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    visit,
)
from sqlalchemy import Column
from strawberry import Schema

from app.graphql.compiler import declare
from app.graphql.compiler.declare import ColumnField, RelationField, RootField, SqlType
from app.graphql.schema import build_schema
from tests.graphql.compiler.harness import Case, case_names

PRESENT = case_names()

ONE_ROW_ROOTS = {"pipeline", "pipelineRun"}
"""Root fields of one row are resolvers over a named condition (`pipeline_named`, `run_named`)."""

NOT_IN_SQL = {
    "Project.viewerPermissions": "the caller's permissions, known without a query",
    "RunStep.outputs": "stored as one JSON value with keys of its own",
    "Trigger.nextRunDate": "the next time of a cron line",
}
"""Fields that Python computes: an operation with one of them is not compiled whole."""


@pytest.fixture(scope="module")
def schema() -> Schema:
    """The schema, without databases."""
    return build_schema()


def _used(case: Case, schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """(type, field) of every field that a case selects."""
    info = TypeInfo(schema)
    found: list[tuple[str, str]] = []

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent = info.get_parent_type()
            assert parent is not None
            found.append((parent.name, node.name.value))

    visit(case.document, TypeInfoVisitor(info, Fields()))
    yield from found


def _declared(sql: SqlType, name: str) -> object:
    return sql.fields.get(sql.graphql_names.get(name, ""))


@pytest.mark.parametrize("name", PRESENT)
def test_every_field_of_a_case_is_a_column_an_expression_or_a_relation(
    name: str, schema: Schema
) -> None:
    used = list(_used(Case(name), schema._schema))
    assert used
    for parent, field in used:
        sql = declare.types().get(parent)
        if sql is None or field in ("__typename", "id"):
            continue
        declaration = _declared(sql, field)
        assert isinstance(declaration, ColumnField | RelationField), f"{parent}.{field}"


@pytest.mark.parametrize("name", PRESENT)
def test_every_root_field_of_a_case_is_declared_or_named(name: str, schema: Schema) -> None:
    query: Any = schema._schema.query_type
    for parent, field in _used(Case(name), schema._schema):
        if parent != "Query" or field in ONE_ROW_ROOTS:
            continue
        definition = query.fields[field].extensions["strawberry-definition"]
        declaration = definition.metadata.get(declare.DECLARATION)
        assert isinstance(declaration, RootField), field
        assert declaration.target in declare.types()
        assert declaration.listing.sort_columns
        assert declaration.listing.default_order


def test_the_fields_that_python_computes_are_the_known_ones(schema: Schema) -> None:
    computed = {
        f"{sql.name}.{field}"
        for sql in declare.types().values()
        for field in sql.graphql_names
        if field != "id" and not isinstance(_declared(sql, field), ColumnField | RelationField)
    }
    assert computed == set(NOT_IN_SQL)


def test_every_relation_leads_to_a_declared_type_and_says_its_order(schema: Schema) -> None:
    for sql in declare.types().values():
        for name, declaration in sql.fields.items():
            if not isinstance(declaration, RelationField):
                continue
            where = f"{sql.name}.{name}"
            assert declaration.target in declare.types(), where
            assert declaration.far.table is not None, where
            if declaration.shape == "connection":
                assert declaration.listing is not None and declaration.listing.default_order, where
            elif declaration.shape == "many":
                assert declaration.order, where


def test_a_field_that_cannot_be_null_is_a_column_that_cannot_be_null(schema: Schema) -> None:
    for sql in declare.types().values():
        graphql_type: Any = schema._schema.type_map[sql.name]
        for name, python_name in sql.graphql_names.items():
            declaration = sql.fields.get(python_name)
            if not isinstance(declaration, ColumnField) or declaration.column is None:
                continue
            if isinstance(graphql_type.fields[name].type, GraphQLNonNull):
                assert not declaration.column.nullable, f"{sql.name}.{name}"


def test_every_enum_word_of_a_column_is_the_upper_case_of_its_stored_text(schema: Schema) -> None:
    seen = 0
    for sql in declare.types().values():
        graphql_type: Any = schema._schema.type_map[sql.name]
        for name, python_name in sql.graphql_names.items():
            declaration = sql.fields.get(python_name)
            if not isinstance(declaration, ColumnField) or not isinstance(
                declaration.column, Column
            ):
                continue
            named: Any = get_named_type(graphql_type.fields[name].type)
            for word, value in getattr(named, "values", {}).items():
                stored = value.value.value if isinstance(value.value, enum.Enum) else value.value
                assert word == str(stored).upper(), f"{sql.name}.{name}"
                seen += 1
    assert seen
