"""The SQL of members in one compiled query: references followed, masks put on, values bound."""

import re
import zlib
from collections.abc import Callable

from sqlglot import exp

from app.semantic.compile import dialects
from app.semantic.compile.dialects import Dialect
from app.semantic.model.fragments import is_call, name_in
from app.semantic.model.nouns import (
    Column,
    Dimension,
    Fragment,
    Measure,
    Model,
    Reference,
    Table,
)

OfMeasure = Callable[[Measure], exp.Expr]
# Longer names are cut by PostgreSQL.
_LONGEST = 60
# A bound value in the tree and in its text: private characters that no name and no SQL has.
_BOUND = re.compile("\ue000(\\d+)\ue001")
# What needs no parentheses wherever it stands. Many functions of sqlglot are written as operators.
_CLOSED = (
    exp.Column, exp.Literal, exp.Paren, exp.Cast, exp.Case, exp.Coalesce, exp.AggFunc,
    exp.Anonymous, exp.Subquery,
)  # fmt: skip
OfDimension = Callable[[Dimension], exp.Expr]


class Scope:
    """A model as one caller sees it in one dialect; `tables` are those that have been asked so far."""

    def __init__(
        self, model: Model, dialect: Dialect, timezone: str, masked: frozenset[str]
    ) -> None:
        self.model = model
        self.dialect = dialect
        self.timezone = timezone
        self.masked = masked
        self.tables: dict[str, None] = {}
        self._values: list[str] = []

    def bind(self, value: str) -> exp.Expr:
        """A request's value. It never becomes part of the SQL's text."""
        self._values.append(value)
        return exp.Var(this=f"\ue000{len(self._values) - 1}\ue001")

    def text(self, tree: exp.Expr) -> tuple[str, list[str]]:
        """The SQL of a tree, and its values in the order of their places in it."""
        numbers: dict[int, int] = {}
        order: list[str] = []

        def place(found: re.Match[str]) -> str:
            index = int(found[1])
            if self.dialect == "trino" or index not in numbers:
                order.append(self._values[index])
                numbers[index] = len(order)
            return "?" if self.dialect == "trino" else f"${numbers[index]}"

        return _BOUND.sub(place, tree.sql(self.dialect, comments=False, copy=False)), order

    def dimension(self, dimension: Dimension) -> exp.Expr:
        """A dimension's value, as the caller may see it."""
        plain = self._value(dimension, self.dimension)
        if dimension.mask is None or dimension.path not in self.masked:
            return plain
        return dialects.masked(self.dialect, dimension.mask.func, closed(plain))

    def unmasked(self, dimension: Dimension) -> exp.Expr:
        """A dimension's value as it is: for joins and keys, never to be shown."""
        return self._value(dimension, self.unmasked)

    def _value(self, dimension: Dimension, inner: OfDimension) -> exp.Expr:
        if dimension.sub_query:
            return column(alias(dimension.path), "value")
        return self._filled(dimension.table, dimension.sql, inner, None)

    def bucket(self, dimension: Dimension, granularity: str) -> exp.Expr:
        """The start of the bucket that a moment lies in, on the clock of the query's zone."""
        return dialects.bucket(granularity, self.local(dimension))

    def local(self, dimension: Dimension) -> exp.Expr:
        """A moment on the clock of the query's zone."""
        return dialects.local(self.dialect, self.dimension(dimension), self.timezone)

    def fragment(
        self, home: str, fragment: Fragment, of_measure: OfMeasure | None = None
    ) -> exp.Expr:
        """The SQL that an author wrote in the table `home`, with every reference in its place."""
        return self._filled(home, fragment, self.dimension, of_measure)

    def join(self, home: str, fragment: Fragment) -> exp.Expr:
        """The condition of a join: by the values as they are, masked or not."""
        return self._filled(home, fragment, self.unmasked, None)

    def _filled(
        self,
        home: str,
        fragment: Fragment,
        of_dimension: OfDimension,
        of_measure: OfMeasure | None,
    ) -> exp.Expr:
        # A root cannot be replaced; what hangs under one can.
        root = exp.Paren(this=fragment.tree.copy())
        for found in list(root.find_all(exp.Column)):
            name = name_in(found.this)
            if name is not None:
                reference = self.model.references[home, name]
                found.replace(self._of(reference, of_dimension, of_measure))
            elif fragment.bare and not found.args.get("table") and not is_call(found):
                found.set("table", _quoted(self.model.tables[home].alias))
            else:
                self._place(home, found)
        filled: exp.Expr = root.this
        return filled.pop()

    def _place(self, home: str, found: exp.Column) -> None:
        """The alias in place of a table's reference."""
        for key in ("table", "db", "catalog"):
            name = name_in(found.args.get(key))
            if name is not None:
                table = self.model.references[home, name]
                assert isinstance(table, Table)
                found.set(key, _quoted(table.alias))

    def _of(
        self,
        found: Reference,
        of_dimension: OfDimension,
        of_measure: OfMeasure | None,
    ) -> exp.Expr:
        if isinstance(found, Dimension):
            return closed(of_dimension(found))
        if isinstance(found, Column):
            return exp.column(found.name, table=_quoted(self.model.tables[found.table].alias))
        assert isinstance(found, Measure) and of_measure is not None
        return closed(of_measure(found))


def alias(path: str) -> str:
    """The name of a member's column: `orders__count`."""
    name = path.replace(".", "__")
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}_{zlib.crc32(name.encode()):08x}"


def column(table: str, name: str) -> exp.Column:
    """A column by its names, which are quoted."""
    return exp.Column(this=_quoted(name), table=_quoted(table))


def named(value: exp.Expr, name: str) -> exp.Expr:
    """A value under a quoted name."""
    return exp.Alias(this=value, alias=_quoted(name))


def derived(query: exp.Query, name: str) -> exp.Subquery:
    """A select in the place of a table."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=_quoted(name)))


def join(
    select: exp.Select, table: exp.Expr, on: exp.Expr | None, side: str | None = "LEFT"
) -> None:
    """Join a table to a select: on the left side if nothing else is said, crosswise without `on`."""
    kind = "CROSS" if on is None else None
    select.append("joins", exp.Join(this=table, on=on, side=on and side, kind=kind))


def closed(value: exp.Expr) -> exp.Expr:
    """A value that can stand anywhere: in parentheses where it needs them."""
    return value if isinstance(value, _CLOSED) else exp.Paren(this=value)


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)
