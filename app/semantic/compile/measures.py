"""Measures as SQL: what a leaf takes of each row, how it aggregates, and what is made of leaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from app.semantic.compile.errors import user_error
from app.semantic.compile.scope import Scope, closed
from app.semantic.model.fragments import name_in
from app.semantic.model.keys import AGGREGATES
from app.semantic.model.nouns import Measure

Terms = list[exp.Expr]
Values = Mapping[str, exp.Expr]
# What repeated rows do not change.
_STEADY = ("count_distinct", "count_distinct_approx", "min", "max")
_AGAIN = {
    "count": exp.Sum,
    "sum": exp.Sum,
    "running_total": exp.Sum,
    "min": exp.Min,
    "max": exp.Max,
}


@dataclass(frozen=True)
class Leaf:
    """A measure that aggregates rows: its values of one row, and the aggregate over such values."""

    measure: Measure
    terms: Terms
    combine: Callable[[Terms], exp.Expr]

    def of_rows(self) -> exp.Expr:
        """The aggregate over the rows of the same select."""
        return self.combine(self.terms)

    def of_one_row(self) -> exp.Expr:
        """What a query without groups shows: a count is 1 or NULL."""
        if self.measure.type != "count" or not self.terms:
            return self.terms[0] if self.measure.type in AGGREGATES else self.of_rows()
        there = exp.Is(this=exp.Paren(this=self.terms[0]), expression=exp.Null()).not_(copy=False)
        return exp.Case().when(there, exp.Literal.number(1), copy=False)


def is_steady(measure: Measure) -> bool:
    """Whether a plain select over joins that repeat rows counts it right."""
    return measure.type in _STEADY or (measure.type == "count" and measure.sql is None)


def is_additive(measure: Measure) -> bool:
    """Whether the aggregates of parts can be aggregated again."""
    return measure.type in _AGAIN


def again(measure: Measure, value: exp.Expr) -> exp.Expr:
    """The aggregate of aggregates."""
    return _AGAIN[measure.type](this=value)


def leaf(scope: Scope, measure: Measure, repeated: bool = False) -> Leaf:
    """The leaf of a measure; `repeated` if the rows of its table can come several times."""
    if measure.type not in AGGREGATES:
        return _written(scope, measure)
    if measure.type == "count" and measure.sql is None:
        return _count(scope, measure, repeated)
    assert measure.sql is not None
    term = _filtered(scope, measure, scope.fragment(measure.table, measure.sql))
    return Leaf(measure, [term], lambda terms: _aggregate(measure.type, terms[0].copy()))


def express(scope: Scope, measure: Measure, leaves: Values) -> exp.Expr:
    """A measure over the aggregates of its leaves, which go by their paths."""
    if measure.path in leaves:
        return leaves[measure.path].copy()
    assert measure.sql is not None
    return scope.fragment(measure.table, measure.sql, lambda inner: express(scope, inner, leaves))


def is_pure(measure: Measure, scope: Scope) -> bool:
    """Whether a measure aggregates rows, or else is made of measures and of nothing beside."""
    if measure.sql is None or scope.model.leaves[measure.path] == (measure,):
        return True
    references = scope.model.references
    named = [name_in(one.this) for one in measure.sql.tree.find_all(exp.Column)]
    found = [references.get((measure.table, name)) if name else None for name in named]
    return all(isinstance(one, Measure) and is_pure(one, scope) for one in found)


def _count(scope: Scope, measure: Measure, repeated: bool) -> Leaf:
    keys = [scope.unmasked(one) for one in scope.model.tables[measure.table].keys]
    if not keys and repeated:
        raise user_error(
            f"'{measure.path}' counts rows that joins repeat: '{measure.table}' needs a dimension"
            " with primary_key: true."
        )
    if not keys and not measure.filters:
        return Leaf(measure, [], lambda _: exp.Count(this=exp.Star()))
    term = _filtered(scope, measure, _key(keys, repeated))
    return Leaf(measure, [term], lambda terms: _counted(terms[0].copy(), repeated))


def _key(keys: list[exp.Expr], repeated: bool) -> exp.Expr:
    """A value that is there for each row, and, if rows are repeated, another for each."""
    if not keys:
        return exp.Literal.number(1)
    if len(keys) == 1 or not repeated:
        return keys[0]
    there = exp.Is(this=closed(keys[0].copy()), expression=exp.Null()).not_(copy=False)
    return exp.Case().when(there, exp.Tuple(expressions=keys), copy=False)


def _filtered(scope: Scope, measure: Measure, term: exp.Expr) -> exp.Expr:
    if not measure.filters:
        return term
    conditions = [scope.fragment(measure.table, one) for one in measure.filters]
    return exp.Case().when(exp.and_(*conditions, copy=False), term, copy=False)


def _counted(term: exp.Expr, distinct: bool) -> exp.Expr:
    return exp.Count(this=exp.Distinct(expressions=[term]) if distinct else term)


def _aggregate(type: str, term: exp.Expr) -> exp.Expr:
    if type in ("count", "count_distinct", "count_distinct_approx"):
        return _counted(term, type != "count")
    plain = {
        "sum": exp.Sum,
        "running_total": exp.Sum,
        "avg": exp.Avg,
        "min": exp.Min,
        "max": exp.Max,
    }
    return plain[type](this=term)


def _written(scope: Scope, measure: Measure) -> Leaf:
    """An aggregate that the author wrote; its columns are what it takes of a row."""
    assert measure.sql is not None
    whole = exp.Paren(this=scope.fragment(measure.table, measure.sql))

    def combine(terms: Terms) -> exp.Expr:
        copy = whole.copy()
        for found, term in zip(list(copy.find_all(exp.Column)), terms, strict=True):
            found.replace(term.copy())
        return copy.this.pop()  # type: ignore[no-any-return]

    return Leaf(measure, [one.copy() for one in whole.find_all(exp.Column)], combine)
