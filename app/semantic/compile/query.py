"""One query as SQL for one caller, with everything that its answer needs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp

from app.semantic.compile import conditions, filters, policies
from app.semantic.compile.annotation import annotation
from app.semantic.compile.asked import Json, Normal
from app.semantic.compile.columns import Order, OutputColumn, columns, order, page
from app.semantic.compile.dialects import Dialect
from app.semantic.compile.errors import user_error
from app.semantic.compile.joins import Tree
from app.semantic.compile.parts import Frame, Shown
from app.semantic.compile.plan import Ask, planned
from app.semantic.compile.rolling import Unfolded
from app.semantic.compile.scope import Scope, derived, named
from app.semantic.compile.selection import Selection, selected
from app.semantic.compile.sub_queries import sub_queries
from app.semantic.model.groups import group_of
from app.semantic.model.nouns import Caller, Model, RefreshKey, Segment

MOST_REMEMBERED = 500
MOST_REMEMBERED_VALUES = 100


@dataclass(frozen=True)
class Compiled:
    """A query's SQL with its bound values, all texts, in the order of `$1`, `$2` or of the `?`.

    `total_sql` counts all rows, with values of its own; None where the query wants no total.
    `tables` are all that it reads, those of sub-queries too; their `refresh_keys` all count.
    `secured` is what policies did, as `query`, the echo for clients, tells it.
    """

    sql: str
    values: list[str]
    total_sql: str | None
    total_values: list[str]
    columns: tuple[OutputColumn, ...]
    tables: tuple[str, ...]
    data_source: str
    refresh_keys: tuple[RefreshKey, ...]
    order: Order
    annotation: Json
    secured: Json
    query: Json
    normal: Normal


def compile_query(
    model: Model,
    normal: Normal,
    caller: Caller,
    dialect: Dialect = "postgres",
    *,
    ungrouped_without_keys: bool = False,
) -> Compiled:
    """The SQL of a query as this caller may ask it. Raises QueryError.

    `ungrouped_without_keys` lets queries without groups leave out primary keys. The model remembers
    what has been compiled: callers of one user group are given the same.
    """
    found = group_of(model, caller)
    group = found.name if found else None
    key = (normal, group, dialect, ungrouped_without_keys)
    compiled = model.memo.get(key)
    if compiled is None:
        compiled = _compiled(model, *key)
        if _size(normal) <= MOST_REMEMBERED_VALUES:
            if len(model.memo) >= MOST_REMEMBERED:
                model.memo.clear()
            model.memo[key] = compiled
    # Queries that are equal can be worded otherwise.
    return replace(compiled, normal=normal, query={**normal.echo, **compiled.secured})


def _compiled(
    model: Model, normal: Normal, group: str | None, dialect: Dialect, ungrouped_without_keys: bool
) -> Compiled:
    chosen = selected(model, normal)
    scope = Scope(model, dialect, normal.timezone, policies.masked(model, group))
    tree, added = policies.with_policies(model, chosen.routes(model), group)
    if normal.ungrouped and not ungrouped_without_keys:
        _check_keys(model, tree, chosen)
    grounds = (*chosen.grounds(), *added)
    measures = (*(one.member for one in chosen.measures.values()), *chosen.tested())
    inner = sub_queries(scope, group, (*grounds, *measures), chosen)
    frame = Frame(scope, tree, inner, _shown(scope, chosen), grounds)
    select = planned(frame, _ask(scope, normal, chosen, added))
    total_sql, total_values = scope.text(_counted(select.copy())) if normal.total else (None, [])
    sql, values = scope.text(page(select, normal, chosen))
    return Compiled(
        sql=sql,
        values=values,
        total_sql=total_sql,
        total_values=total_values,
        columns=columns(chosen),
        tables=tuple(scope.tables),
        data_source=_data_source(model, scope.tables),
        refresh_keys=tuple(model.tables[name].refresh_key for name in scope.tables),
        order=order(normal, chosen),
        annotation=annotation(model, chosen, scope.masked),
        secured=_secured(model, scope, chosen, added),
        query=normal.echo,
        normal=normal,
    )


def _size(normal: Normal) -> int:
    """How many values its filters have."""
    return sum(len(one.values) for outer in normal.filters for one in filters.tests(outer))


def _shown(scope: Scope, chosen: Selection) -> tuple[Shown, ...]:
    """The dimensions and buckets under the names of their columns."""
    values = [scope.dimension(field.member) for field in chosen.dimensions.values()]
    values += [scope.bucket(one, granularity) for (_, granularity), one in chosen.buckets.items()]
    names = [column.alias for column in columns(chosen)]
    return tuple(Shown(name, value) for name, value in zip(names, values, strict=False))


def _ask(scope: Scope, normal: Normal, chosen: Selection, added: list[Segment]) -> Ask:
    along = _along(chosen)
    others, own = conditions.in_ranges(scope, chosen, along)
    segments = [*(field.member for field in chosen.segments.values()), *added]

    names = [column.alias for column in columns(chosen)][-len(chosen.measures) :]
    measures = [field.member for field in chosen.measures.values()]
    return Ask(
        measures=dict(zip(names, measures, strict=False)),
        conditions=[
            *conditions.on_rows(scope, chosen),
            *conditions.of_segments(scope, segments),
            *others,
        ],
        in_range=own,
        tested=chosen.tested(),
        tests=partial(conditions.on_results, scope, chosen),
        along=along,
        endless=along is None and bool(chosen.buckets),
        ungrouped=normal.ungrouped,
    )


def _along(chosen: Selection) -> Unfolded | None:
    """The time dimension that rolling measures move along: one with a range, at best in buckets."""
    times = [(one, field.member) for one, field in chosen.times if one.range]
    times.sort(key=lambda pair: pair[0].granularity is None)
    if not times:
        return None
    one, member = times[0]
    assert one.range
    place = None
    if one.granularity:
        buckets = list(chosen.buckets)
        place = len(chosen.dimensions) + buckets.index((one.dimension, one.granularity))
    return Unfolded(member, one.granularity, one.range, place)


def _data_source(model: Model, tables: Iterable[str]) -> str:
    sources = {model.tables[name].data_source: name for name in tables}
    if len(sources) > 1:
        told = ", ".join(f"'{table}' is in {source}" for source, table in sources.items())
        raise user_error(f"A query can ask for tables of one data source only: {told}")
    return next(iter(sources))


def _check_keys(model: Model, tree: Tree, chosen: Selection) -> None:
    there = {field.member.path for field in chosen.dimensions.values()}
    keys = [key.path for name in tree.tables for key in model.tables[name].keys]
    missing = [f"'{path}'" for path in keys if path not in there]
    if missing:
        raise user_error(
            "Ungrouped query requires primary keys to be present in dimensions:"
            f" {', '.join(missing)}. Pass allowUngroupedWithoutPrimaryKey option to disable this"
            " check."
        )


def _counted(select: exp.Select) -> exp.Select:
    count = named(exp.Count(this=exp.Star()), "total")
    return exp.Select().select(count, copy=False).from_(derived(select, "counted"), copy=False)


def _secured(model: Model, scope: Scope, chosen: Selection, added: list[Segment]) -> Json:
    """What policies did to the query, as its echo tells; nothing for a model without any."""
    if not model.has_policies:
        return {}
    seen = (field.path for field in chosen.dimensions.values() if field.member.path in scope.masked)
    told = {"segments": [one.path for one in added], "dimensions": list(seen)}
    return {"meta": {"secured": told}}
