"""Rows as resolvers read them: only the columns that were asked for, under the type's policy.

A row is an instance of the Strawberry type that holds just what was selected; no ORM entity is
ever made on a read path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
)
from graphql.language import SelectionSetNode
from sqlalchemy import ColumnElement, Select

from app.core.db import reading
from app.graphql.compiler import declare
from app.graphql.compiler.counts import count
from app.graphql.compiler.declare import (
    ColumnField,
    ComputedField,
    RelationField,
    SqlType,
)
from app.graphql.connections import (
    Connection,
    Edge,
    Page,
    PageInfo,
    beyond,
    decode_cursor,
    encode_cursor,
)
from app.graphql.context import Context, Info
from app.graphql.filters import Sort


def requested(info: Info, *path: str) -> frozenset[str]:
    """Names of the fields selected below the current field, at `path`, through all fragments."""
    return _requested(info._raw_info, *path)


def _requested(raw: GraphQLResolveInfo[Any], *path: str) -> frozenset[str]:
    sets = [n.selection_set for n in raw.field_nodes if n.selection_set]
    for step in path:
        sets = [
            n.selection_set
            for s in sets
            for n in _fields(raw, s)
            if n.name.value == step and n.selection_set
        ]
    return frozenset(n.name.value for s in sets for n in _fields(raw, s))


def _fields(raw: GraphQLResolveInfo[Any], selections: SelectionSetNode) -> list[FieldNode]:
    found: list[FieldNode] = []
    for node in selections.selections:
        if isinstance(node, FieldNode):
            found.append(node)
        elif isinstance(node, InlineFragmentNode):
            found += _fields(raw, node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            fragment = raw.fragments.get(node.name.value)
            if fragment is not None:
                found += _fields(raw, fragment.selection_set)
    return found


def select_list(sql: SqlType, names: frozenset[str], prefix: str = "") -> list[Any]:
    """Labelled columns that the named GraphQL fields need of one type, its key included."""
    wanted: dict[str, Any] = {f"_key{i}": key for i, key in enumerate(sql.key)}
    for graphql_name in sorted(names):
        python_name = sql.graphql_names.get(graphql_name)
        declaration = sql.fields.get(python_name) if python_name else None
        match declaration:
            case ColumnField(column=stored, expression=None):
                wanted[python_name] = stored  # type: ignore[index]
            case ColumnField(expression=build):
                wanted[python_name] = build(sql.table.c)  # type: ignore[index,misc]
            case RelationField(local=local):
                wanted[f"_local_{local.name}"] = local
            case ComputedField(needs=needs):
                wanted |= {f"_{n.name}": n for n in needs}
    return [value.label(prefix + name) for name, value in wanted.items()]


@dataclass(frozen=True)
class Reader:
    """How the rows of a type, or of an interface with its variants, are selected and built."""

    sql: SqlType

    def columns(self, names: frozenset[str]) -> list[Any]:
        """The select list for the named fields."""
        if self.sql.discriminator is None:
            return select_list(self.sql, names)
        listed: list[Any] = [self.sql.discriminator.label("_variant")]
        for mark, variant in self.sql.variants.items():
            listed += select_list(variant, names, prefix=f"{mark}__")
        return listed

    def build(self, values: Mapping[str, Any]) -> Any:
        """A row of the right type."""
        if self.sql.discriminator is None:
            return declare.build_row(self.sql, values)
        start = f"{values['_variant']}__"
        own = {k[len(start) :]: v for k, v in values.items() if k.startswith(start)}
        return declare.build_row(self.sql.variants[values["_variant"]], own)


def reader(name: str) -> Reader:
    """The reader of a declared type, by its GraphQL name."""
    return Reader(declare.types()[name])


async def fetch(statement: Select[Any], context: Context) -> Sequence[Mapping[str, Any]]:
    """Run one select for the caller."""
    async with reading() as connection:
        result = await connection.execute(statement, context.subject.parameters)
        return list(result.mappings())  # type: ignore[arg-type]


async def fetch_one(info: Info, name: str, where: ColumnElement[bool], *path: str) -> Any | None:
    """The one row that `where` names and the caller may read, with the fields selected at `path`."""
    read = reader(name)
    statement = read.sql.select(read.columns(requested(info, *path))).where(where)
    rows = await fetch(statement.limit(1), info.context)
    return read.build(rows[0]) if rows else None


async def fetch_rows(raw: GraphQLResolveInfo[Any], name: str, keys: Sequence[Any]) -> Sequence[Any]:
    """The rows of a type with these keys, with the fields selected below the current field."""
    read = reader(name)
    statement = read.sql.select(read.columns(_requested(raw))).where(read.sql.key[0].in_(keys))
    return [read.build(row) for row in await fetch(statement, raw.context)]


async def fetch_list(
    info: Info, name: str, order: Sequence[Any], *where: ColumnElement[bool], limit: int
) -> list[Any]:
    """A short list that is bounded by nature."""
    read = reader(name)
    statement = read.sql.select(read.columns(requested(info))).where(*where).order_by(*order)
    return [read.build(row) for row in await fetch(statement.limit(limit), info.context)]


async def fetch_page(
    info: Info,
    read: Reader,
    page: Page,
    keys: list[Sort],
    where: Sequence[ColumnElement[bool]],
    mark: str,
) -> Connection[Any]:
    """One page of a list, with its count where that was selected."""
    own = requested(info)
    connection: Connection[Any] = Connection.__new__(Connection)
    if own & {"edges", "nodes", "pageInfo"}:
        names = requested(info, "nodes") | requested(info, "edges", "node")
        statement = read.sql.select(with_sort_values(read.columns(names), keys)).where(*where)
        statement = paged(statement, page, keys, mark)
        fill(connection, read, await fetch(statement, info.context), page, keys, mark)
        if own & {"edges", "nodes"}:
            info.context.hand_out(len(connection.nodes))
    if "totalCount" in own:
        rows = await fetch(count(read.sql, where), info.context)
        connection.total_count = next(iter(rows[0].values()))
    return connection


def with_sort_values(columns: list[Any], keys: list[Sort]) -> list[Any]:
    """The columns, and what a row is sorted by, of which its cursor is made."""
    return [*columns, *(k.column.label(f"_sort{i}") for i, k in enumerate(keys))]


def paged(statement: Select[Any], page: Page, keys: list[Sort], mark: str) -> Select[Any]:
    """The select cut down to a page, and one row more; Invalid for a cursor of another list."""
    if page.cursor is not None:
        values = decode_cursor(page.cursor, mark, keys)
        statement = statement.where(beyond(keys, values, backwards=page.backwards))
    if page.other is not None:
        values = decode_cursor(page.other, mark, keys)
        statement = statement.where(beyond(keys, values, backwards=not page.backwards))
    order = [key.clause(backwards=page.backwards) for key in keys]
    return statement.order_by(*order).limit(page.size + 1).offset(page.offset or None)


def fill(
    connection: Connection[Any],
    read: Reader,
    rows: Sequence[Mapping[str, Any]],
    page: Page,
    keys: list[Sort],
    mark: str,
) -> None:
    """Make a page of the rows that `paged` has given."""
    more = len(rows) > page.size
    kept = list(rows[: page.size])
    if page.backwards:
        kept.reverse()
    connection.nodes = [read.build(row) for row in kept]
    cursors = [encode_cursor(mark, [row[f"_sort{i}"] for i in range(len(keys))]) for row in kept]
    connection.edges = [
        Edge(cursor=cursor, node=node)
        for cursor, node in zip(cursors, connection.nodes, strict=True)
    ]
    started = page.cursor is not None or page.offset > 0
    connection.page_info = PageInfo(
        has_next_page=started if page.backwards else more,
        has_previous_page=more if page.backwards else started,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
