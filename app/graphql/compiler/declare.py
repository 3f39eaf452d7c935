"""What each GraphQL field is in SQL, said once, on the field itself.

`@sql_type` binds a Strawberry type to a table and to the policy that says which rows a caller may
read; `column`, `expression`, `computed`, and the relations of `app/graphql/fields.py` say what each
field is. Ordinary resolvers are made from these declarations; the compiler reads the same ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import Column, ColumnElement, Select, Table, select

from app.core.ids import global_id
from app.core.rules import Policy

DECLARATION = "isthmus.declaration"
LONGEST_LIST = 500
"""How many rows a list that is bounded by nature has at most, unless it says otherwise."""

Expression = Callable[[Any], ColumnElement[Any]]
"""Columns of one occurrence of the type's table -> a scalar SQL expression."""


@dataclass(frozen=True)
class ColumnField:
    """A stored column, or an expression over the row's columns."""

    column: Column[Any] | None = None
    expression: Expression | None = None


@dataclass(frozen=True, eq=False)
class Listing:
    """How a connection may be filtered and ordered, and how it is unless the caller says.

    `columns` maps each field of the filter to a column, or to a function that makes a condition;
    `default_order` has (column, descending) pairs.
    """

    columns: Mapping[str, Any]
    sort_columns: Mapping[str, Any]
    default_order: tuple[tuple[Any, bool], ...]


@dataclass(frozen=True)
class Scoped:
    """Conditions that arguments mean; `needs_project`: one is about the project of the call."""

    conditions: tuple[ColumnElement[bool], ...]
    needs_project: bool = False


Scope = Callable[[Mapping[str, Any]], Scoped]
"""A root field's arguments by their Python names, None where absent -> which rows."""


@dataclass(frozen=True)
class RootField:
    """A root field that pages through a type; `scope` makes conditions of its other arguments."""

    target: str
    listing: Listing
    scope: Scope | None = None


@dataclass(frozen=True)
class RootOne:
    """A root field of the one row that its arguments name, or null."""

    target: str
    named: Scope
    limit: int = 1


@dataclass(frozen=True)
class RootList:
    """A root field of a short list that is bounded by nature."""

    target: str
    named: Scope
    order: tuple[Column[Any], ...]
    limit: int


@dataclass(frozen=True)
class RelationField:
    """Rows of another type whose `remote` column equals this row's `local` column.

    Without `remote` it is the first key column of the target. A connection has a `listing`, the
    other shapes an `order`; `many` rows are usually no more than `most`.
    """

    target: str
    local: Column[Any]
    remote: Column[Any] | None = None
    order: tuple[Any, ...] = ()
    shape: str = "many"
    listing: Listing | None = None
    most: int = LONGEST_LIST

    @property
    def far(self) -> Column[Any]:
        """The target's column that this row's value is looked up in."""
        return self.remote if self.remote is not None else _types[self.target].key[0]

    @property
    def key(self) -> list[Column[Any]]:
        """What tells apart the rows that belong to one row."""
        return [column for column in _types[self.target].key if column is not self.far]


@dataclass(frozen=True)
class ComputedField:
    """A Python function over columns of the row."""

    needs: tuple[Column[Any], ...]


Declaration = ColumnField | RelationField | ComputedField


@dataclass(frozen=True, eq=False)
class SqlType:
    """The SQL side of one GraphQL type."""

    name: str
    cls: type
    table: Table
    joins: tuple[tuple[Table, ColumnElement[bool]], ...]
    key: tuple[Column[Any], ...]
    policy: Policy
    fields: Mapping[str, Declaration]
    graphql_names: Mapping[str, str]
    discriminator: Column[Any] | None = None
    variant_of: tuple[str, ...] | None = None
    facet: Table | None = None
    tally: Column[Any] | None = None

    @property
    def variants(self) -> dict[str, "SqlType"]:
        """For an interface: its types by each value of the discriminator that marks them."""
        owned = ((sql.variant_of, sql) for sql in _types.values() if sql.variant_of)
        return {value: sql for of, sql in owned if of[0] == self.name for value in of[1:]}

    def select(self, columns: Sequence[Any]) -> Select[Any]:
        """A select of `columns` from the type's tables, the policy included.

        For an interface the tables of all its variants are there too, where a row has them.
        """
        source: Any = self.table
        for table, on in self.joins:
            source = source.join(table, on)
        for variant in dict.fromkeys(self.variants.values()):
            for table, on in variant.joins:
                source = source.outerjoin(table, on)
        statement = select(*columns).select_from(source).where(self.policy(self.table.c))
        if self.discriminator is None:
            return statement
        return statement.where(self.discriminator.in_(list(self.variants)))


_types: dict[str, SqlType] = {}


def types() -> Mapping[str, SqlType]:
    """Every declared type by its GraphQL name."""
    return _types


def sql_of(cls: type) -> SqlType:
    """The declaration of a Strawberry type."""
    definition: Any = getattr(cls, "__strawberry_definition__")  # noqa: B009
    return _types[definition.name]


def column(stored: Column[Any], description: str, **kwargs: Any) -> Any:
    """A field that is a column."""
    return strawberry.field(
        description=description,
        metadata={DECLARATION: ColumnField(column=stored)},
        **kwargs,
    )


def expression(build: Expression, description: str, **kwargs: Any) -> Any:
    """A field that is a scalar SQL expression over the row's columns."""
    return strawberry.field(
        description=description,
        metadata={DECLARATION: ColumnField(expression=build)},
        **kwargs,
    )


def computed(*needs: Column[Any], description: str, **kwargs: Any) -> Callable[[Any], Any]:
    """A method over the named columns, which are selected with it."""

    def wrap(method: Any) -> Any:
        return strawberry.field(
            method,
            description=description,
            metadata={DECLARATION: ComputedField(needs)},
            **kwargs,
        )

    return wrap


def sql_type(
    table: Table,
    *,
    policy: Policy,
    description: str,
    name: str | None = None,
    key: Sequence[Column[Any]] | None = None,
    joins: Sequence[tuple[Table, ColumnElement[bool]]] = (),
    discriminator: Column[Any] | None = None,
    variant_of: tuple[str, ...] | None = None,
    facet: Table | None = None,
    tally: Column[Any] | None = None,
) -> Callable[[type], Any]:
    """Make a Strawberry type of a class and bind it to its table and policy.

    With a `discriminator` it is an interface: the column's value marks the type of each row, and
    each such type says `variant_of=(interface, value, ...)`. A `facet` is the one of the joined tables that
    has a row for each of the type's, and all columns that the policy asks for; the sum of a `tally`
    is how many rows the facet has with the values that stand beside it.
    """

    def wrap(cls: type) -> Any:
        make = strawberry.type if discriminator is None else strawberry.interface
        made: Any = make(cls, name=name, description=description)
        definition = made.__strawberry_definition__
        fields: dict[str, Declaration] = {}
        names: dict[str, str] = {}
        for field in definition.fields:
            declaration = field.metadata.get(DECLARATION)
            if declaration is not None:
                fields[field.python_name] = declaration
            names[camel(field.graphql_name or field.python_name)] = field.python_name
        keys = tuple(key) if key else tuple(table.primary_key.columns)
        _types[definition.name] = SqlType(
            name=definition.name,
            cls=made,
            table=table,
            joins=tuple(joins),
            key=keys,
            policy=policy,
            fields=fields,
            graphql_names=names,
            discriminator=discriminator,
            variant_of=variant_of,
            facet=facet,
            tally=tally,
        )
        return made

    return wrap


def camel(name: str) -> str:
    """`created_at` -> `createdAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def build_row(sql: SqlType, values: Mapping[str, Any]) -> Any:
    """An instance of the type that holds just the selected columns."""
    row: Any = object.__new__(sql.cls)
    row.__dict__.update(values)
    key = values.get("_key0")
    if key is not None:
        row.__dict__["id"] = strawberry.ID(global_id(sql.name, key))
    return row
