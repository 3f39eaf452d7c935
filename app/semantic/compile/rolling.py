"""Measures over a window of time: each bucket of a range adds up the buckets around it."""

from dataclasses import dataclass

from sqlglot import exp

from app.semantic.compile import dates, dialects, parts
from app.semantic.compile.errors import user_error
from app.semantic.compile.measures import again, is_additive, is_steady, leaf
from app.semantic.compile.parts import Conditions, Frame, Part
from app.semantic.compile.scope import alias, column, derived, join
from app.semantic.model.nouns import Dimension, Measure, Window

MAX_BUCKETS = 50_000


@dataclass(frozen=True)
class Unfolded:
    """The time dimension that a window moves along; `place` is that of its bucket among the shown."""

    dimension: Dimension
    granularity: str | None
    range: dates.Range
    place: int | None


def part(frame: Frame, conditions: Conditions, measure: Measure, along: Unfolded) -> Part:
    """One rolling measure. `conditions` are those of the query but for the range of `along`."""
    assert measure.window is not None
    scope, window = frame.scope, measure.window
    first, last = (dialects.clock(scope.dialect, scope.bind(one)) for one in along.range)
    within = _within(window, scope.local(along.dimension), (first, last), whole=True)
    inside = [*conditions, *within]
    if along.place is None:
        return _aggregated(frame, inside, measure)
    return _along_series(frame, inside, measure, along)


def _aggregated(frame: Frame, conditions: Conditions, measure: Measure) -> Part:
    repeated = measure.table in frame.tree.multiplied and not is_steady(measure)
    make = parts.distinct if repeated else parts.plain
    return make(frame, conditions, [measure])


def _along_series(frame: Frame, conditions: Conditions, measure: Measure, along: Unfolded) -> Part:
    assert along.granularity and along.place is not None and measure.window
    first, last, count = dates.buckets(along.range, along.granularity)
    if count > MAX_BUCKETS:
        raise user_error(f"A range of more than {MAX_BUCKETS} buckets cannot be unfolded")
    if is_additive(measure):
        base = _aggregated(frame, conditions, measure).with_leaves(frame)
        value = again(measure, column("base", alias(measure.path)))
    else:
        leaves = [leaf(frame.scope, measure)]
        base = parts.distinct_rows(frame, conditions, leaves)
        value = parts.over_rows(leaves, "base")[measure.path]
    bucket = column("base", frame.shown[along.place].name)
    ends = (column("series", "date_from"), column("series", "date_to"))
    near = _within(measure.window, bucket, ends, whole=False) or [exp.true()]
    series = dialects.series(frame.scope.dialect, first, last, along.granularity)
    made = exp.Select().from_(derived(series, "series"), copy=False)
    join(made, derived(base, "base"), exp.and_(*near, copy=False))
    shown: list[exp.Expr] = [column("base", one.name) for one in frame.shown]
    shown[along.place] = column("series", "date_from")
    return Part(made, shown, {measure.path: value})


def _within(
    window: Window,
    value: exp.Expr,
    ends: tuple[exp.Expr, exp.Expr],
    whole: bool,
) -> Conditions:
    """Whether a time lies in the window around a bucket, or around a `whole` range of buckets."""
    from_start = window.offset == "start"
    found: Conditions = []
    if window.trailing != "unbounded":
        start = _moved(ends[0 if whole or from_start else 1], window.trailing, exp.Sub)
        after = exp.GTE if from_start else exp.GT
        found.append(after(this=value.copy(), expression=start))
    if window.leading != "unbounded":
        end = _moved(ends[0 if from_start and not whole else 1], window.leading, exp.Add)
        before = exp.LT if from_start else exp.LTE
        found.append(before(this=value.copy(), expression=end))
    return found


def _moved(value: exp.Expr, interval: str | None, way: type[exp.Add] | type[exp.Sub]) -> exp.Expr:
    if interval is None:
        return value.copy()
    count, unit = interval.split(" ")
    return way(this=value.copy(), expression=dialects.interval(int(count), unit.removesuffix("s")))
