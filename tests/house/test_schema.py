"""The schema as a contract: current, sorted, described, declared, bounded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_specified_directive,
    is_specified_scalar_type,
    lexicographic_sort_schema,
    print_schema,
)

from app.graphql import schema as assembled
from app.graphql.compiler import declare
from app.graphql.compiler.declare import ColumnField, RelationField

FILE = Path(__file__).parents[2] / "schema.graphql"
COMMITTED = build_schema(FILE.read_text())
NAMED = [
    kind
    for name, kind in COMMITTED.type_map.items()
    if not name.startswith("__") and not is_specified_scalar_type(kind)
]
Fielded = GraphQLObjectType | GraphQLInterfaceType


def test_the_file_is_what_the_program_has() -> None:
    assert FILE.read_text() == assembled.sdl(assembled.build_schema()), "run `make schema`"


def test_the_file_is_sorted() -> None:
    assert FILE.read_text() == print_schema(lexicographic_sort_schema(COMMITTED)) + "\n"


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Everything that needs a description, with the one that it has."""
    for kind in NAMED:
        yield kind.name, kind.description
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{kind.name}.{n}", v.description) for n, v in kind.values.items())
        if isinstance(kind, GraphQLInputObjectType | Fielded):
            for name, field in kind.fields.items():
                yield f"{kind.name}.{name}", field.description
        if isinstance(kind, Fielded):
            for name, field in kind.fields.items():
                for argument, given in field.args.items():
                    yield f"{kind.name}.{name}({argument}:)", given.description
    for directive in schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description


def test_everything_has_a_description() -> None:
    missing = [place for place, text in described(COMMITTED) if not (text or "").strip()]
    assert missing == []


def test_descriptions_are_sentences() -> None:
    def is_sentence(text: str) -> bool:
        return text[0].isupper() or text[0] in "`@{" or not text[0].isalpha()

    odd = [place for place, text in described(COMMITTED) if text and not is_sentence(text)]
    assert odd == []


def test_names_follow_one_pattern() -> None:
    for kind in NAMED:
        assert kind.name[0].isupper() and "_" not in kind.name
        if isinstance(kind, GraphQLEnumType):
            assert all(value.isupper() for value in kind.values), kind.name
        if isinstance(kind, GraphQLInputObjectType | Fielded):
            for name in kind.fields:
                assert name[0].islower() and "_" not in name, f"{kind.name}.{name}"


def test_mutations_take_one_input_and_answer_with_errors() -> None:
    mutation = COMMITTED.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) == ["input"], name
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType) and payload.name.endswith("Payload"), name
        assert str(payload.fields["errors"].type).endswith("Error!]!"), name
        entities = {n: f.type for n, f in payload.fields.items() if n != "errors"}
        assert not [n for n, of in entities.items() if is_non_null_type(of)], name


def test_every_scalar_of_ours_says_what_it_is() -> None:
    for kind in NAMED:
        if is_leaf_type(kind) and not isinstance(kind, GraphQLEnumType):
            assert kind.specified_by_url, kind.name  # type: ignore[union-attr]


LISTED = [
    (f"{kind.name}.{name}", field)
    for kind in NAMED
    if isinstance(kind, Fielded)
    for name, field in kind.fields.items()
    if is_list_type(get_nullable_type(field.type)) and not is_leaf_type(get_named_type(field.type))
]


@pytest.mark.parametrize("place", [place for place, _ in LISTED])
def test_a_plain_list_says_how_long_it_can_be(place: str) -> None:
    field = dict(LISTED)[place]
    owner, name = place.split(".")
    if owner.endswith("Connection") or name == "errors":
        return
    assert "at most" in (field.description or "").lower(), f"{place}: {field.description}"


def test_connections_are_bounded_by_their_arguments() -> None:
    for kind in NAMED:
        if isinstance(kind, Fielded):
            for name, field in kind.fields.items():
                if get_named_type(field.type).name.endswith("Connection"):
                    wanted = {"first", "after", "last", "before", "offset", "where", "orderBy"}
                    assert wanted <= set(field.args), f"{kind.name}.{name}"


def test_every_sql_type_has_a_policy_that_makes_a_condition() -> None:
    for name, sql in declare.types().items():
        assert callable(sql.policy), name
        assert str(sql.policy(sql.table.c)), name


def test_a_type_without_a_policy_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    bare = replace(declare.types()["User"], policy=None)  # type: ignore[arg-type]
    monkeypatch.setitem(declare._types, "User", bare)
    with pytest.raises(RuntimeError, match="User has no policy"):
        assembled.build_schema.__wrapped__()


def test_every_type_with_rows_is_declared() -> None:
    undeclared = {
        "BlockPath",
        "ConnectionTest",
        "LeadBulkResult",
        "LeadCopies",
        "PageInfo",
        "RunEvent",
        "SemanticAnswer",
        "SemanticModelFault",
        "StartedRun",
        "SyncTaskEvent",
        "StepOutput",
        *(kind.name for kind in NAMED if kind.name.endswith(("Payload", "Connection", "Edge"))),
        *(kind.name for kind in NAMED if kind.name.endswith("Error")),
        *("Query", "Mutation", "Subscription", "Node", "Timestamped"),
    }
    fielded = {kind.name for kind in NAMED if isinstance(kind, Fielded)}
    assert fielded - undeclared == set(declare.types())


def columns() -> Iterator[tuple[str, bool, Any]]:
    """Every field that is a stored column: its place, if it is non-null, and the column."""
    for name, sql in declare.types().items():
        kind = COMMITTED.type_map[name]
        assert isinstance(kind, Fielded)
        for graphql_name, python_name in sql.graphql_names.items():
            declaration = sql.fields.get(python_name)
            if isinstance(declaration, ColumnField) and declaration.column is not None:
                strict = is_non_null_type(kind.fields[graphql_name].type)
                yield f"{name}.{graphql_name}", strict, declaration.column


def test_fields_are_non_null_exactly_where_columns_are() -> None:
    found = list(columns())
    assert len(found) > 100
    assert [place for place, strict, column in found if strict is bool(column.nullable)] == []


def test_a_field_over_sql_is_declared_as_such() -> None:
    for name, sql in declare.types().items():
        for graphql_name, python_name in sql.graphql_names.items():
            if python_name != "id":
                assert python_name in sql.fields, f"{name}.{graphql_name}"


def test_relations_name_declared_types_and_one_row_relations_are_nullable() -> None:
    for name, sql in declare.types().items():
        kind = COMMITTED.type_map[name]
        assert isinstance(kind, Fielded)
        for graphql_name, python_name in sql.graphql_names.items():
            relation = sql.fields.get(python_name)
            if isinstance(relation, RelationField):
                assert relation.target in declare.types()
                assert relation.far is not None
                strict = is_non_null_type(kind.fields[graphql_name].type)
                assert strict is (relation.shape != "one"), f"{name}.{graphql_name}"


def test_no_type_has_a_field_for_a_secret() -> None:
    for name, sql in declare.types().items():
        for declaration in sql.fields.values():
            if isinstance(declaration, ColumnField) and declaration.column is not None:
                assert declaration.column.name not in (
                    "password_hash",
                    "token_hash",
                    "token",
                    "idempotency_hash",
                    "sealed",
                ), name


def test_no_union_hides_a_type() -> None:
    assert not [kind for kind in NAMED if isinstance(kind, GraphQLUnionType)]
