"""From what is asked to one select: in one part, or in several that are joined by their dimensions.

A measure whose rows the joins repeat is counted over the distinct rows of its table, in a part of
its own; so is each rolling one. All parts have the same joins and conditions, hence the same values
of the dimensions, so that joining them loses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from app.semantic.compile import dialects, parts, rolling
from app.semantic.compile.errors import user_error
from app.semantic.compile.measures import check_pure, express, is_steady
from app.semantic.compile.parts import Conditions, Frame, Part
from app.semantic.compile.rolling import Unfolded
from app.semantic.compile.scope import alias, closed, column, derived, named
from app.semantic.model.nouns import Measure

OfMeasure = Callable[[Measure], exp.Expr]


@dataclass(frozen=True)
class Ask:
    """Measures under the names of their columns, and the conditions on rows and on results.

    `along` is the time dimension for rolling measures, and `in_range` its condition, which they leave
    out; `endless` says that there are buckets, but no range to unfold them over.
    """

    measures: dict[str, Measure]
    conditions: Conditions
    in_range: Conditions = field(default_factory=list)
    tested: tuple[Measure, ...] = ()
    tests: Callable[[OfMeasure], Conditions] = lambda _: []
    along: Unfolded | None = None
    endless: bool = False
    ungrouped: bool = False


def planned(frame: Frame, ask: Ask) -> exp.Select:
    """The select of all that is asked, without order and limit."""
    made = _parts(frame, ask)
    for measure in (*ask.measures.values(), *ask.tested):
        if len(made) > 1 or measure.table in frame.tree.multiplied:
            check_pure(measure, frame.scope)
    return _alone(frame, ask, made[0]) if len(made) == 1 else _joined(frame, ask, made)


def _parts(frame: Frame, ask: Ask) -> list[Part]:
    leaves = _leaves(frame, ask)
    conditions = [*ask.conditions, *ask.in_range]
    if ask.ungrouped:
        return [parts.ungrouped(frame, conditions, leaves)]
    rolled = [one for one in leaves if one.window and ask.along]
    straight = [one for one in leaves if one not in rolled]
    apart = [one for one in straight if _needs_distinct(frame, one)]
    together = [one for one in straight if one not in apart]
    made = []
    if together or not leaves:
        made.append(parts.plain(frame, conditions, together))
    for table in dict.fromkeys(one.table for one in apart):
        mine = [one for one in apart if one.table == table]
        made.append(parts.distinct(frame, conditions, mine))
    for one in rolled:
        assert ask.along is not None
        made.append(rolling.part(frame, ask.conditions, one, ask.along))
    return made


def _leaves(frame: Frame, ask: Ask) -> list[Measure]:
    model = frame.scope.model
    measures = (*ask.measures.values(), *ask.tested)
    found = dict.fromkeys(leaf for one in measures for leaf in model.leaves[one.path])
    if ask.endless and any(one.window for one in found):
        raise user_error("Time series queries without dateRange aren't supported")
    return list(found)


def _needs_distinct(frame: Frame, measure: Measure) -> bool:
    return measure.table in frame.tree.multiplied and not is_steady(measure)


def _alone(frame: Frame, ask: Ask, part: Part) -> exp.Select:
    def value(measure: Measure) -> exp.Expr:
        return express(frame.scope, measure, part.leaves)

    columns = [named(value(one), name) for name, one in ask.measures.items()]
    tests = [closed(one) for one in ask.tests(value)]
    made = part.showing(frame, columns)
    if tests:
        add = made.having if part.grouped else made.where
        add(*tests, copy=False)
    return made


def _joined(frame: Frame, ask: Ask, made: list[Part]) -> exp.Select:
    names = [f"q_{number}" for number in range(len(made))]
    leaves = {
        path: column(name, alias(path))
        for name, part in zip(names, made, strict=True)
        for path in part.leaves
    }

    def value(measure: Measure) -> exp.Expr:
        return express(frame.scope, measure, leaves)

    selects = [part.with_leaves(frame) for part in made]
    whole = exp.Select().from_(derived(selects[0], names[0]), copy=False)
    for select, name in zip(selects[1:], names[1:], strict=True):
        on = [
            dialects.same(frame.scope.dialect, column(names[0], one.name), column(name, one.name))
            for one in frame.shown
        ]
        kind = "inner" if on else "cross"
        whole.join(
            derived(select, name), on=exp.and_(*on, copy=False) if on else None, join_type=kind,
            copy=False,
        )  # fmt: skip
    shown = [named(column(names[0], one.name), one.name) for one in frame.shown]
    columns = [named(value(one), name) for name, one in ask.measures.items()]
    whole.select(*shown, *columns, copy=False)
    tests = [closed(one) for one in ask.tests(value)]
    return whole.where(*tests, copy=False) if tests else whole
