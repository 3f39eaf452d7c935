"""Selects that give dimensions with some measures: over all rows, or over distinct rows of a table."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlglot import exp

from app.semantic.compile.errors import user_error
from app.semantic.compile.joins import Tree
from app.semantic.compile.measures import Leaf, leaf
from app.semantic.compile.scope import Scope, alias, closed, column, derived, join, named
from app.semantic.model.nouns import Dimension, Measure, Member

Conditions = list[exp.Expr]


@dataclass(frozen=True)
class Shown:
    """A dimension, or a bucket of one, under its column's name."""

    name: str
    value: exp.Expr


@dataclass(frozen=True)
class Frame:
    """What all selects of a query have in common: joined tables, and dimensions to group by.

    `grounds` are the members of which the dimensions and the conditions are made.
    """

    scope: Scope
    tree: Tree
    sub_queries: dict[Dimension, exp.Query]
    shown: tuple[Shown, ...]
    grounds: tuple[Member, ...]

    def narrowed(self, measures: Iterable[Measure]) -> "Frame":
        """The frame with only those joins that measures, dimensions and conditions need."""
        uses = [self.scope.model.uses[one.path] for one in (*self.grounds, *measures)]
        tables = {table for one in uses for table in one.tables}
        needed = {dimension for one in uses for dimension in one.sub_queries}
        sub_queries = {one: query for one, query in self.sub_queries.items() if one in needed}
        return replace(self, tree=self.tree.narrowed(tables), sub_queries=sub_queries)

    def select(self, conditions: Conditions) -> exp.Select:
        """A select from the joined tables that shows nothing yet."""
        made = exp.Select().from_(self._table(self.tree.root), copy=False)
        for one in self.tree.joins:
            on = self.scope.join(one.source, one.sql)
            join(made, self._table(one.target), on)
        for dimension, query in self.sub_queries.items():
            name = alias(dimension.path)
            join(made, derived(query.copy(), name), self._keyed(dimension, name))
        if conditions:
            made.where(*(closed(one.copy()) for one in conditions), copy=False)
        return made

    def _table(self, name: str) -> exp.Expr:
        table = self.scope.model.tables[name]
        self.scope.tables[name] = None
        source = table.source.copy()
        if isinstance(source, exp.Query) and not isinstance(source, exp.Table):
            return derived(source, table.alias)
        source.set("alias", exp.TableAlias(this=exp.Identifier(this=table.alias, quoted=True)))
        return source

    def _keyed(self, dimension: Dimension, name: str) -> exp.Expr:
        keys = self.scope.model.tables[dimension.table].keys
        pairs = (
            exp.EQ(this=column(name, key_name(number)), expression=closed(self.scope.unmasked(key)))
            for number, key in enumerate(keys)
        )
        return exp.and_(*pairs, copy=False)


@dataclass(frozen=True)
class Part:
    """A select that shows nothing yet, and what it can show: dimensions, and leaves by their paths."""

    select: exp.Select
    shown: list[exp.Expr]
    leaves: dict[str, exp.Expr]
    grouped: bool = True

    def showing(self, frame: Frame, columns: Iterable[exp.Expr]) -> exp.Select:
        """The select with its dimensions and these columns, grouped by the dimensions."""
        dimensions = [
            named(value.copy(), one.name)
            for value, one in zip(self.shown, frame.shown, strict=True)
        ]
        made = self.select.select(*dimensions, *columns, copy=False)
        if self.grouped and dimensions:
            numbers = [exp.Literal.number(number + 1) for number in range(len(dimensions))]
            made.group_by(*numbers, copy=False)
        return made

    def with_leaves(self, frame: Frame) -> exp.Select:
        """The select with all its leaves, each under the alias of its path."""
        columns = [named(value.copy(), alias(path)) for path, value in self.leaves.items()]
        return self.showing(frame, columns)


def key_name(number: int) -> str:
    """The name of a primary key's column inside a select."""
    return f"key_{number}"


def plain(frame: Frame, conditions: Conditions, measures: Iterable[Measure]) -> Part:
    """Leaves over all joined rows. A row that comes several times must not matter to them."""
    repeated = frame.tree.multiplied
    leaves = {one.path: leaf(frame.scope, one, one.table in repeated).of_rows() for one in measures}
    return Part(frame.select(conditions), _values(frame), leaves)


def ungrouped(frame: Frame, conditions: Conditions, measures: Iterable[Measure]) -> Part:
    """The rows themselves."""
    leaves = {one.path: leaf(frame.scope, one).of_one_row() for one in measures}
    return Part(frame.select(conditions), _values(frame), leaves, grouped=False)


def distinct(frame: Frame, conditions: Conditions, measures: Iterable[Measure]) -> Part:
    """Leaves of one table over its distinct rows, once for each value of the dimensions."""
    leaves = [leaf(frame.scope, one) for one in measures]
    rows = distinct_rows(frame, conditions, leaves)
    made = exp.Select().from_(derived(rows, "keys"), copy=False)
    shown: list[exp.Expr] = [column("keys", one.name) for one in frame.shown]
    return Part(made, shown, over_rows(leaves, "keys"))


def distinct_rows(frame: Frame, conditions: Conditions, leaves: list[Leaf]) -> exp.Select:
    """Dimensions, the primary key of the leaves' table, and their terms, each row once."""
    table = frame.scope.model.tables[leaves[0].measure.table]
    if not table.keys:
        raise user_error(
            f"'{leaves[0].measure.path}' is over rows that joins repeat: '{table.name}' needs a"
            " dimension with primary_key: true."
        )
    keys = [
        named(frame.scope.unmasked(one), key_name(number)) for number, one in enumerate(table.keys)
    ]
    dimensions = [named(one.value.copy(), one.name) for one in frame.shown]
    terms = [named(term.copy(), _term_name(*place)) for place, term in _numbered(leaves)]
    made = frame.select(conditions).select(*dimensions, *keys, *terms, copy=False)
    return made.distinct(copy=False)


def over_rows(leaves: list[Leaf], rows: str) -> dict[str, exp.Expr]:
    """The leaves over such rows, which go by a name."""
    return {
        one.measure.path: one.combine(
            [column(rows, _term_name(number, place)) for place in range(len(one.terms))]
        )
        for number, one in enumerate(leaves)
    }


def _values(frame: Frame) -> list[exp.Expr]:
    return [one.value for one in frame.shown]


def _numbered(leaves: list[Leaf]) -> Iterable[tuple[tuple[int, int], exp.Expr]]:
    for number, one in enumerate(leaves):
        for place, term in enumerate(one.terms):
            yield (number, place), term


def _term_name(leaf: int, place: int) -> str:
    return f"term_{leaf}_{place}"
