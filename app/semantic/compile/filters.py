"""Filters as SQL conditions. Values are bound, never written into the SQL."""

from collections.abc import Callable

from sqlglot import exp

from app.semantic.compile import dates, dialects
from app.semantic.compile.asked import Filter, Test
from app.semantic.compile.errors import user_error
from app.semantic.compile.scope import Scope, closed

# The value and the type of the member that a filter names.
Typed = Callable[[str], tuple[exp.Expr, str]]
_COMPARED = {"gt": exp.GT, "gte": exp.GTE, "lt": exp.LT, "lte": exp.LTE}
_DATED = {
    "beforeDate": exp.LT,
    "beforeOrOnDate": exp.LTE,
    "afterDate": exp.GT,
    "afterOrOnDate": exp.GTE,
}
_AROUND = {"contains": ("%", "%"), "startsWith": ("", "%"), "endsWith": ("%", "")}
_ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\%_"})


def condition(scope: Scope, one: Filter, typed: Typed) -> exp.Expr:
    """The condition of a filter or of a group of them."""
    if isinstance(one, Test):
        return _test(scope, one, *typed(one.member))
    join = exp.and_ if one.kind == "and" else exp.or_
    return join(*(closed(condition(scope, inner, typed)) for inner in one.filters), copy=False)


def tests(one: Filter) -> list[Test]:
    """The tests of which a filter is made."""
    return (
        [one] if isinstance(one, Test) else [test for inner in one.filters for test in tests(inner)]
    )


def members(one: Filter) -> list[str]:
    """The members that a filter names."""
    return [test.member for test in tests(one)]


def in_range(scope: Scope, value: exp.Expr, ends: dates.Range, outside: bool = False) -> exp.Expr:
    """Whether a moment lies in a range, or outside of it."""
    first, last = (_instant(scope, one) for one in ends)
    if outside:
        before = exp.LT(this=value, expression=first)
        return exp.or_(before, exp.GT(this=value.copy(), expression=last), copy=False)
    behind = exp.GTE(this=value, expression=first)
    return exp.and_(behind, exp.LTE(this=value.copy(), expression=last), copy=False)


def _test(scope: Scope, test: Test, value: exp.Expr, type: str) -> exp.Expr:
    value, operator, texts = (
        closed(value),
        test.operator,
        [one for one in test.values if one is not None],
    )
    null = exp.Is(this=value, expression=exp.Null())
    if operator in ("set", "notSet"):
        return null.not_(copy=False) if operator == "set" else null
    if operator in ("equals", "in"):
        return _any(scope, value, type, texts, with_null=len(texts) < len(test.values))
    if operator in ("notEquals", "notIn"):
        return _none(scope, value, type, texts, with_null=len(texts) < len(test.values))
    if not texts:
        raise user_error(f"Values required for filter: {test.said}")
    if operator in _COMPARED:
        return _COMPARED[operator](this=value, expression=_operand(scope, type, texts[0]))
    if operator in _DATED:
        start = dates.start_of(texts[0], scope.timezone)
        return _DATED[operator](this=value, expression=_instant(scope, start))
    if operator.endswith(("DateRange", "Date")):
        ends = dates.widened(texts[0], texts[-1], scope.timezone)
        return in_range(scope, value, ends, outside=operator == "notInDateRange")
    return _like(scope, value, operator, texts)


def _any(scope: Scope, value: exp.Expr, type: str, texts: list[str], with_null: bool) -> exp.Expr:
    null = exp.Is(this=value.copy(), expression=exp.Null())
    if not texts:
        return null
    found = _listed(scope, value, type, texts)
    return exp.or_(found, null, copy=False) if with_null else found


def _none(scope: Scope, value: exp.Expr, type: str, texts: list[str], with_null: bool) -> exp.Expr:
    null = exp.Is(this=value.copy(), expression=exp.Null())
    if not texts:
        return null.not_(copy=False)
    found = _listed(scope, value, type, texts)
    other = (
        exp.NEQ(this=found.this, expression=found.expression)
        if isinstance(found, exp.EQ)
        else found.not_(copy=False)
    )
    return other if with_null else exp.or_(other, null, copy=False)


def _listed(scope: Scope, value: exp.Expr, type: str, texts: list[str]) -> exp.Expr:
    bound = [_operand(scope, type, one) for one in texts]
    if len(bound) == 1:
        return exp.EQ(this=value, expression=bound[0])
    return exp.In(this=value, expressions=bound)


def _like(scope: Scope, value: exp.Expr, operator: str, texts: list[str]) -> exp.Expr:
    negated = operator.startswith("not")
    name = operator.removeprefix("not")
    before, behind = _AROUND[name[0].lower() + name[1:]]
    found = [_one_like(scope, value, f"{before}{one.translate(_ESCAPED)}{behind}") for one in texts]
    if not negated:
        return exp.or_(*found, copy=False)
    none = exp.and_(*(one.not_(copy=False) for one in found), copy=False)
    return exp.or_(none, exp.Is(this=value.copy(), expression=exp.Null()), copy=False)


def _one_like(scope: Scope, value: exp.Expr, pattern: str) -> exp.Expr:
    like = exp.ILike(this=value.copy(), expression=scope.bind(pattern))
    return exp.Escape(this=like, expression=exp.Literal.string("\\"))


def _operand(scope: Scope, type: str, text: str) -> exp.Expr:
    return dialects.operand(scope.dialect, type, scope.bind(text))


def _instant(scope: Scope, moment: str) -> exp.Expr:
    return dialects.instant(scope.dialect, scope.bind(dates.in_utc(moment, scope.timezone)))
