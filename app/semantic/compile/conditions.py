"""The conditions of a query, as SQL over the values that its caller may see."""

from collections.abc import Iterable

from sqlglot import exp

from app.semantic.compile import filters
from app.semantic.compile.parts import Conditions
from app.semantic.compile.plan import OfMeasure
from app.semantic.compile.rolling import Unfolded
from app.semantic.compile.scope import Scope, closed
from app.semantic.compile.selection import Selection
from app.semantic.model.meta import type_of
from app.semantic.model.nouns import Dimension, Measure, Segment


def on_rows(scope: Scope, chosen: Selection) -> Conditions:
    """The filters on dimensions."""
    typed = _of_dimensions(scope, chosen)
    return [filters.condition(scope, one, typed) for one in chosen.on_rows]


def on_results(scope: Scope, chosen: Selection, value: OfMeasure) -> Conditions:
    """The filters on measures, over their values in a plan."""

    def typed(name: str) -> tuple[exp.Expr, str]:
        member = chosen.filtered[name].member
        assert isinstance(member, Measure)
        return value(member), type_of(member)

    return [filters.condition(scope, one, typed) for one in chosen.on_results]


def of_segments(scope: Scope, segments: Iterable[Segment]) -> Conditions:
    """The conditions that segments name."""
    return [scope.fragment(one.table, one.sql) for one in dict.fromkeys(segments)]


def in_ranges(
    scope: Scope, chosen: Selection, along: Unfolded | None
) -> tuple[Conditions, Conditions]:
    """The ranges of time dimensions: of all others, and of the one that rolling measures leave out."""
    others: Conditions = []
    own: Conditions = []
    for one, field in chosen.times:
        if one.range:
            value = closed(scope.dimension(field.member))
            condition = filters.in_range(scope, value, one.range)
            (own if along and field.member is along.dimension else others).append(condition)
    return others, own


def shared(scope: Scope, chosen: Selection, dimension: Dimension) -> Conditions:
    """The filters on rows that a sub-query takes over: those that its own table can judge."""
    if not dimension.propagate_filters:
        return []
    typed = _of_dimensions(scope, chosen)
    return [
        filters.condition(scope, one, typed)
        for one in chosen.on_rows
        if all(_is_own(scope, chosen, dimension, name) for name in filters.members(one))
    ]


def _is_own(scope: Scope, chosen: Selection, dimension: Dimension, name: str) -> bool:
    uses = scope.model.uses[chosen.filtered[name].member.path]
    return uses.tables == (dimension.table,) and not uses.sub_queries


def _of_dimensions(scope: Scope, chosen: Selection) -> filters.Typed:
    def typed(name: str) -> tuple[exp.Expr, str]:
        member = chosen.filtered[name].member
        assert isinstance(member, Dimension)
        return scope.dimension(member), member.type

    return typed
