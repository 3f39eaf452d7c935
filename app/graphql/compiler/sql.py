"""Pieces of SQL that make JSON: texts of the response, canonical scalars, cursors."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, GraphQLOutputType
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    String,
    Text,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.types import TypeEngine

from app.graphql.compiler.standins import StepsAside
from app.graphql.filters import Sort

MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US'
PLAIN = frozenset({"String", "Int", "Boolean", "JSON", "ID", "Cron", "Float", "Date"})
"""Scalars that PostgreSQL writes as GraphQL does."""
WHOLE = "whole object"
"""The name of a column that is an object already; no field of GraphQL can be called so."""


@lru_cache(4096)
def text(value: str) -> ColumnElement[str]:
    """A constant piece of text."""
    return literal_column("'" + value.replace("'", "''") + "'", Text)


def number(value: int) -> ColumnElement[int]:
    """A constant number that PostgreSQL plans with."""
    return literal_column(str(value), Integer)


UTC = text("UTC")
NULL = literal_column("'null'::jsonb", JSONB)
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


def scalar(
    column: ColumnElement[Any], type_: GraphQLOutputType, stored: Column[Any] | None = None
) -> ColumnElement[Any]:
    """A column as its GraphQL type is written; StepsAside for a type without a proven form.

    A value that the type does not allow fails in PostgreSQL, and normal execution words the error.
    `stored`: the table's column that it is; of an expression less is known.
    """
    if isinstance(type_, GraphQLNonNull):
        if isinstance(type_.of_type, GraphQLEnumType):
            return _word(column, type_.of_type, func.coalesce(column, text("nothing")))
        return scalar(_present(column, stored), type_.of_type, stored)
    if isinstance(type_, GraphQLEnumType):
        return _word(column, type_, column)
    if isinstance(type_, GraphQLList):
        return _list(column, type_.of_type)
    name = getattr(type_, "name", "")
    if name == "Int" and (stored is None or isinstance(stored.type, BigInteger)):
        return cast(column, Integer)
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


def _present(column: ColumnElement[Any], stored: Column[Any] | None) -> ColumnElement[Any]:
    """The column; an error where it has no value."""
    kind, value = column.type, column
    if isinstance(kind, JSON):
        # A null of JSON is none to GraphQL either.
        value = func.nullif(column, NULL, type_=kind)
    elif stored is not None and not stored.nullable:
        return column
    fault = failure("nothing", func.coalesce(cast(column, Text), text("")), kind)
    return func.coalesce(value, fault, type_=kind)


def failure(what: str, value: ColumnElement[str], type_: TypeEngine[Any]) -> ColumnElement[Any]:
    """Fails where PostgreSQL comes to it; of any type. Its `value` keeps it out of the planning."""
    told = text(what + ": ").op("||")(value)
    return cast(cast(told, Integer) if isinstance(type_, String) else told, type_)


def _word(
    column: ColumnElement[Any], type_: GraphQLEnumType, told: ColumnElement[str]
) -> ColumnElement[str]:
    names: dict[Any, Any] = {text(str(v.value)): text(name) for name, v in type_.values.items()}
    return case(names, value=column, else_=failure(f"no word of {type_.name}", told, Text()))


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


def list_of(rows: FromClause, *, as_text: bool, most: int | None = None) -> Select[Any]:
    """All rows as a JSON array; an empty one where there are none, an error where more than `most`."""
    listed: ColumnElement[Any] = func.json_agg(rows_as_json(rows))
    if most is not None:
        longer = failure("a list of", cast(func.count(), Text), JSON())
        listed = case((func.count() <= number(most), listed), else_=longer)
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
