"""Pieces of SQL that make JSON: texts of the response, canonical scalars, cursors."""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, GraphQLOutputType
from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    Text,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSON

from app.graphql.compiler.standins import StepsAside
from app.graphql.filters import Sort

MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US'
PLAIN = frozenset({"String", "Int", "Boolean", "JSON", "ID", "Cron", "Float"})
"""Scalars that PostgreSQL writes as GraphQL does."""
WHOLE = "whole object"
"""The name of a column that is an object already; no field of GraphQL can be called so."""


def text(value: str) -> ColumnElement[str]:
    """A constant piece of text."""
    return literal_column("'" + value.replace("'", "''") + "'", Text)


UTC = text("UTC")
LINE_END = literal_column("E'\\n'", Text)
EMPTY = literal_column("'[]'::json", JSON)


def word(value: str) -> ColumnElement[str]:
    """A constant as a value of its own, whose type PostgreSQL need not guess."""
    return cast(text(value), Text)


def joined(pieces: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """The pieces one behind the other; constants that touch become one."""
    whole: Any = None
    for piece in pieces:
        whole = piece if whole is None else whole.op("||")(piece)
    return whole  # type: ignore[no-any-return]


def as_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    """A JSON value as a piece of the response."""
    return func.coalesce(cast(value, Text), text("null"))


def object_text(parts: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[str]:
    """A JSON object as a piece of the response; its values are such pieces."""
    pieces: list[ColumnElement[Any]] = []
    for name, value in parts:
        pieces += [text(f'{"," if pieces else "{"}"{name}":'), value]
    return joined([*pieces, text("}")])


def moment(column: ColumnElement[Any]) -> ColumnElement[str]:
    """`2026-11-21T23:17:33.000000Z`, as the scalar DateTime is written."""
    return func.to_char(func.timezone(UTC, column), text(MOMENT + '"Z"'))


def scalar(column: ColumnElement[Any], type_: GraphQLOutputType) -> ColumnElement[Any]:
    """A column as its GraphQL type is written; StepsAside for a type without a proven form."""
    if isinstance(type_, GraphQLNonNull):
        return scalar(column, type_.of_type)
    if isinstance(type_, GraphQLEnumType):
        return _word(column, type_)
    if isinstance(type_, GraphQLList):
        return _list(column, type_.of_type)
    name = getattr(type_, "name", "")
    if name == "DateTime":
        return moment(column)
    if name == "BigInt":
        return cast(column, Text)
    if name not in PLAIN:
        raise StepsAside(f"the scalar {name}")
    return column


def _list(column: ColumnElement[Any], item: GraphQLOutputType) -> ColumnElement[Any]:
    name = getattr(getattr(item, "of_type", item), "name", "")
    if name in PLAIN:
        return column
    if name != "DateTime":
        raise StepsAside(f"a list of {name}")
    one = func.unnest(column).column_valued("one")
    return select(func.coalesce(func.json_agg(moment(one)), EMPTY)).scalar_subquery()


def _word(column: ColumnElement[Any], type_: GraphQLEnumType) -> ColumnElement[str]:
    words = {str(value.value): name for name, value in type_.values.items()}
    if all(name == word.upper() for word, name in words.items()):
        return func.upper(column)
    return case(words, value=column)


def global_id(type_name: str, key: ColumnElement[Any]) -> ColumnElement[str]:
    """The opaque Relay id of a row."""
    named = text(f"{type_name}:").op("||")(key)
    encoded = func.encode(func.convert_to(named, text("UTF8")), text("base64"))
    # PostgreSQL breaks lines after 76 characters, which only a text can reach.
    return func.replace(encoded, LINE_END, text("")) if isinstance(key.type, Text) else encoded


def cursor(mark: ColumnElement[str], values: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """`[mark, sort values]` as `encode_cursor` writes it."""
    pieces: list[ColumnElement[Any]] = [text('["'), mark, text('"')]
    for value in values:
        pieces += [text(","), func.coalesce(_as_json(value), text("null"))]
    encoded = func.encode(
        func.convert_to(joined([*pieces, text("]")]), text("UTF8")), text("base64")
    )
    return func.translate(encoded, literal_column("E'+/=\\n'"), text("-_"))


def _as_json(value: ColumnElement[Any]) -> ColumnElement[str]:
    if isinstance(value.type, DateTime):
        plain = func.to_char(func.timezone(UTC, value), text(MOMENT))
        short = func.replace(plain, text(".000000"), text(""))
        return joined([text('"'), short, text('+00:00"')])
    return cast(func.to_json(value), Text)


def rows_as_json(rows: FromClause) -> ColumnElement[Any]:
    """One JSON object for each row, or the row's only column WHOLE."""
    return rows.c[WHOLE] if _holds_objects(rows) else rows.table_valued()  # type: ignore[attr-defined]


def _holds_objects(rows: FromClause) -> bool:
    return WHOLE in rows.c


def list_of(rows: FromClause, *, as_text: bool) -> Select[Any]:
    """All rows as a JSON array; an empty one where there are none."""
    listed: ColumnElement[Any] = func.json_agg(rows_as_json(rows))
    if as_text:
        return select(func.coalesce(cast(listed, Text), text("[]"))).select_from(rows)
    return select(func.coalesce(listed, EMPTY)).select_from(rows)


def object_of(rows: FromClause, *, as_text: bool) -> ColumnElement[Any]:
    """The only row as a JSON object; null where there is none."""
    row = rows_as_json(rows)
    made = row if _holds_objects(rows) else func.to_json(row)
    if as_text:
        found = select(cast(made, Text)).select_from(rows).scalar_subquery()
        return func.coalesce(found, text("null"))
    return select(made).select_from(rows).scalar_subquery()


def ordered_by(rows: FromClause, keys: Sequence[Sort]) -> list[ColumnElement[Any]]:
    """ORDER BY over rows that carry the values of the keys as `s0`, `s1`, …"""
    terms: list[ColumnElement[Any]] = []
    for number, key in enumerate(keys):
        column = rows.c[f"s{number}"]
        term: Any = column.desc() if key.descending else column.asc()
        if key.nullable:
            term = term.nulls_first() if key.nulls_first else term.nulls_last()
        terms.append(term)
    return terms
