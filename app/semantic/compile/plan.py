"""From what is asked to one select: in one part, or in several that are joined by their dimensions.

A measure whose rows the joins repeat is counted over the distinct rows of its table, in a part of
its own; so is each rolling one. A part leaves out joins that neither its measures nor the dimensions
and conditions need: a LEFT JOIN takes no row away. So all parts have the same values of the
dimensions, and joining them loses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from app.semantic.compile import dialects, parts, rolling
from app.semantic.compile.errors import user_error
from app.semantic.compile.measures import express, is_pure, is_steady
from app.semantic.compile.parts import Conditions, Frame, Part
from app.semantic.compile.rolling import Unfolded
from app.semantic.compile.scope import alias, closed, column, derived, join, named
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

    @property
    def asked(self) -> tuple[Measure, ...]:
        """All measures whose values are wanted."""
        return (*self.measures.values(), *self.tested)


def planned(frame: Frame, ask: Ask) -> exp.Select:
    """The select of all that is asked, without order and limit."""
    leaves = _leaves(frame, ask)
    conditions = [*ask.conditions, *ask.in_range]
    mixed = [one for one in ask.asked if not is_pure(one, frame.scope)]
    if ask.ungrouped:
        made = [parts.ungrouped(frame, conditions, leaves)]
    elif mixed:
        _check_mixed(frame, ask, mixed, leaves)
        made = [parts.plain(frame, conditions, leaves)]
    else:
        made = _parts(frame, ask, conditions, leaves)
    return _alone(frame, ask, made[0]) if len(made) == 1 else _joined(frame, ask, made)


def _leaves(frame: Frame, ask: Ask) -> list[Measure]:
    model = frame.scope.model
    found = dict.fromkeys(leaf for one in ask.asked for leaf in model.leaves[one.path])
    if ask.endless and any(one.window for one in found):
        raise user_error("Time series queries without dateRange aren't supported")
    return list(found)


def _check_mixed(frame: Frame, ask: Ask, mixed: list[Measure], leaves: list[Measure]) -> None:
    """Measures of measures with columns of their own have a place only where no row repeats."""
    repeated = any(one.table in frame.tree.multiplied for one in mixed)
    if repeated or _needs_distinct(frame, leaves) or any(_rolls(one, ask) for one in leaves):
        raise user_error(
            f"'{mixed[0].path}' mixes measures with columns and cannot be asked for across these"
            " joins. Make measures of the columns and refer to them."
        )


def _parts(frame: Frame, ask: Ask, conditions: Conditions, leaves: list[Measure]) -> list[Part]:
    """The leaves of each table, over no more joins than they need; together where they can be."""
    straight = [one for one in leaves if not _rolls(one, ask)]
    together: list[list[Measure]] = [] if leaves else [[]]
    made: list[Part] = []
    for table in dict.fromkeys(one.table for one in straight):
        mine = [one for one in straight if one.table == table]
        narrow = frame.narrowed(mine)
        if _needs_distinct(narrow, mine):
            made.append(parts.distinct(narrow, conditions, mine))
        else:
            _put(frame, together, mine)
    for some in together:
        made.insert(0, parts.plain(frame.narrowed(some), conditions, some))
    for one in leaves:
        if ask.along and _rolls(one, ask):
            made.append(rolling.part(frame.narrowed([one]), ask.conditions, one, ask.along))
    return made


def _put(frame: Frame, together: list[list[Measure]], mine: list[Measure]) -> None:
    """Leaves beside others whose joins do not repeat their rows, nor theirs those of the others."""
    for some in together:
        if not _needs_distinct(frame.narrowed([*some, *mine]), [*some, *mine]):
            some += mine
            return
    together.append(mine)


def _needs_distinct(frame: Frame, measures: list[Measure]) -> bool:
    repeated = frame.tree.multiplied
    return any(one.table in repeated and not is_steady(one) for one in measures)


def _rolls(measure: Measure, ask: Ask) -> bool:
    return measure.window is not None and ask.along is not None


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
        join(whole, derived(select, name), exp.and_(*on, copy=False) if on else None, side=None)
    shown = [named(column(names[0], one.name), one.name) for one in frame.shown]
    columns = [named(value(one), name) for name, one in ask.measures.items()]
    whole.select(*shown, *columns, copy=False)
    tests = [closed(one) for one in ask.tests(value)]
    return whole.where(*tests, copy=False) if tests else whole
