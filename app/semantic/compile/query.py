"""One query as SQL for one caller, with everything that its answer needs."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from app.semantic.compile import filters, parts, policies
from app.semantic.compile.annotation import annotation
from app.semantic.compile.dialects import Dialect
from app.semantic.compile.errors import user_error
from app.semantic.compile.joins import Route, Tree, tree
from app.semantic.compile.normal import Json, Normal
from app.semantic.compile.parts import Conditions, Frame, Shown
from app.semantic.compile.plan import Ask, OfMeasure, check_range, planned
from app.semantic.compile.rolling import Unfolded
from app.semantic.compile.scope import Scope, alias, derived, named
from app.semantic.compile.selection import Selection, selected
from app.semantic.model.groups import group_of
from app.semantic.model.links import counted
from app.semantic.model.nouns import Caller, Dimension, Measure, Model, RefreshKey, Segment


@dataclass(frozen=True)
class OutputColumn:
    """A column of the answer: its alias in the SQL, and the keys of a row that take its value.

    `type` is that of the member: number, string, boolean, time or geo.
    """

    alias: str
    member: str
    keys: tuple[str, ...]
    type: str


@dataclass(frozen=True)
class Compiled:
    """A query's SQL with its bound values, all texts, in the order of `$1`, `$2` or of the `?`.

    `total_sql` counts all rows, with values of its own; None where the query wants no total.
    """

    sql: str
    values: list[str]
    total_sql: str | None
    total_values: list[str]
    columns: tuple[OutputColumn, ...]
    tables: tuple[str, ...]
    data_source: str
    refresh_keys: tuple[RefreshKey, ...]
    order: tuple[tuple[str, bool], ...]
    annotation: Json
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

    `ungrouped_without_keys` lets queries without groups leave out primary keys.
    """
    chosen = selected(model, normal)
    found = group_of(model, caller)
    group = found.name if found else None
    scope = Scope(model, dialect, normal.timezone, policies.masked(model, group))
    whole, added = _tree(model, chosen.routes(model), group)
    source = _data_source(model, whole)
    if normal.ungrouped and not ungrouped_without_keys:
        _check_keys(model, whole, chosen)
    built = _Query(scope, chosen, normal, whole, added, group)
    select, columns = built.select(), built.columns()
    total = _counted(select.copy()) if normal.total else None
    order = _order(normal, chosen)
    if built.rows():
        _ordered(select, order, columns)
    select.limit(normal.limit, copy=False)
    if normal.offset:
        select.offset(normal.offset, copy=False)
    sql, values = scope.text(select)
    total_sql, total_values = scope.text(total) if total else (None, [])
    hidden = _secured(model, scope, chosen, added)
    return Compiled(
        sql=sql,
        values=values,
        total_sql=total_sql,
        total_values=total_values,
        columns=columns,
        tables=whole.tables,
        data_source=source,
        refresh_keys=tuple(model.tables[name].refresh_key for name in whole.tables),
        order=order,
        annotation=annotation(model, chosen, scope.masked),
        query={**normal.echo, **hidden},
        normal=normal,
    )


class _Query:
    """The select of one query, and its columns."""

    def __init__(
        self,
        scope: Scope,
        chosen: Selection,
        normal: Normal,
        whole: Tree,
        added: list[Segment],
        group: str | None,
    ) -> None:
        self._scope = scope
        self._chosen = chosen
        self._normal = normal
        self._tree = whole
        self._added = added
        self._group = group

    def select(self) -> exp.Select:
        """The select without order and limit."""
        frame = Frame(self._scope, self._tree, self._sub_queries(), self._shown())
        along = self._along()
        ask = Ask(
            measures={alias(name): field.member for name, field in self._chosen.measures.items()},
            conditions=[*self._conditions(), *self._ranges(but=along)],
            in_range=self._ranges(only=along),
            tested=self._tested(),
            tests=self._tests,
            along=along,
            ungrouped=self._normal.ungrouped,
        )
        endless = along is None and any(one.granularity for one, _ in self._chosen.times)
        check_range((*ask.measures.values(), *ask.tested), frame, endless)
        return planned(frame, ask)

    def rows(self) -> bool:
        """Whether there can be more rows than one."""
        return bool(self._chosen.dimensions or self._buckets() or self._normal.ungrouped)

    def columns(self) -> tuple[OutputColumn, ...]:
        """The columns of the select, in its order."""
        dimensions = [
            OutputColumn(alias(name), name, (name,), field.member.type)
            for name, field in self._chosen.dimensions.items()
        ]
        times = [
            OutputColumn(
                alias(f"{name}_{granularity}"), name, (f"{name}.{granularity}", name), "time"
            )
            for name, granularity, _ in self._buckets()
        ]
        measures = [
            OutputColumn(alias(name), name, (name,), field.member.type)
            for name, field in self._chosen.measures.items()
        ]
        return (*dimensions, *times, *measures)

    def _buckets(self) -> list[tuple[str, str, Dimension]]:
        """Names of time dimensions with a granularity, each pair once."""
        found = {
            (one.dimension, one.granularity): field.member
            for one, field in self._chosen.times
            if one.granularity
        }
        return [(name, granularity, member) for (name, granularity), member in found.items()]

    def _shown(self) -> tuple[Shown, ...]:
        names = iter(self.columns())
        values = [self._scope.dimension(one.member) for one in self._chosen.dimensions.values()]
        values += [self._scope.bucket(one, granularity) for _, granularity, one in self._buckets()]
        return tuple(Shown(next(names).alias, value) for value in values)

    def _conditions(self) -> Conditions:
        """Filters on rows, and segments: those that are asked for and those that are added."""

        def typed(name: str) -> tuple[exp.Expr, str]:
            member = self._chosen.filtered[name].member
            assert isinstance(member, Dimension)
            return self._scope.dimension(member), member.type

        found = [filters.condition(self._scope, one, typed) for one in self._chosen.on_rows]
        segments = [field.member for field in self._chosen.segments.values()]
        return [*found, *_of_segments(self._scope, dict.fromkeys([*segments, *self._added]))]

    def _ranges(self, but: Unfolded | None = None, only: Unfolded | None = None) -> Conditions:
        found = [
            (
                field.member,
                filters.in_range(self._scope, self._scope.dimension(field.member), one.range),
            )
            for one, field in self._chosen.times
            if one.range
        ]
        if only:
            return [condition for member, condition in found if member is only.dimension]
        return [condition for member, condition in found if not but or member is not but.dimension]

    def _along(self) -> Unfolded | None:
        """The time dimension that rolling measures move along: the first with a range.

        One with a granularity goes before one without.
        """
        times = [(one, field) for one, field in self._chosen.times if one.range]
        times.sort(key=lambda pair: pair[0].granularity is None)
        if not times:
            return None
        one, field = times[0]
        place = None
        for number, (_, granularity, member) in enumerate(self._buckets()):
            if member is field.member and granularity == one.granularity:
                place = len(self._chosen.dimensions) + number
        assert one.range
        return Unfolded(field.member, one.granularity, one.range, place)

    def _tested(self) -> tuple[Measure, ...]:
        found = (field.member for field in self._chosen.filtered.values())
        return tuple(one for one in found if isinstance(one, Measure))

    def _tests(self, value: OfMeasure) -> Conditions:
        """Filters on results, over the measures as the plan has them."""

        def typed(name: str) -> tuple[exp.Expr, str]:
            member = self._chosen.filtered[name].member
            assert isinstance(member, Measure)
            return value(member), "number"

        return [filters.condition(self._scope, one, typed) for one in self._chosen.on_results]

    def _sub_queries(self) -> dict[Dimension, exp.Query]:
        uses = self._scope.model.uses
        found = (
            one
            for member in (*self._chosen.members(), *self._added)
            for one in uses[member.path].sub_queries
        )
        return {
            one: _sub_query(self._scope, one, self._group, _pushed(self._scope, self._chosen, one))
            for one in dict.fromkeys(found)
        }


def _sub_query(
    scope: Scope, dimension: Dimension, group: str | None, conditions: Conditions
) -> exp.Query:
    """The measure that a dimension counts, by the primary key of its table."""
    model, measure = scope.model, counted(dimension)
    leaves = model.leaves[dimension.path]
    routes = [(dimension.table,)]
    routes += [(table,) for leaf in leaves for table in model.uses[leaf.path].tables]
    whole, added = _tree(model, routes, group, root=dimension.table)
    keys = model.tables[dimension.table].keys
    shown = tuple(
        Shown(parts.key_name(number), scope.unmasked(key)) for number, key in enumerate(keys)
    )
    inner = {
        one: _sub_query(scope, one, group, [])
        for leaf in leaves
        for one in model.uses[leaf.path].sub_queries
    }
    conditions = [*conditions, *_of_segments(scope, added)]
    ask = Ask(measures={"value": measure}, conditions=conditions, in_range=[])
    return planned(Frame(scope, whole, inner, shown), ask)


def _pushed(scope: Scope, chosen: Selection, dimension: Dimension) -> Conditions:
    """Filters on rows that a sub-query shares with the query that it is part of."""
    if not dimension.propagate_filters:
        return []

    def typed(name: str) -> tuple[exp.Expr, str]:
        member = chosen.filtered[name].member
        assert isinstance(member, Dimension)
        return scope.dimension(member), member.type

    return [
        filters.condition(scope, one, typed)
        for one in chosen.on_rows
        if all(_is_own(scope, chosen, dimension, name) for name in filters.members(one))
    ]


def _is_own(scope: Scope, chosen: Selection, dimension: Dimension, name: str) -> bool:
    """Whether the table of a sub-query alone can tell if a filter on this member holds."""
    member = chosen.filtered[name].member
    uses = scope.model.uses[member.path]
    return uses.tables == (dimension.table,) and not uses.sub_queries


def _tree(
    model: Model, routes: Iterable[Route], group: str | None, root: str | None = None
) -> tuple[Tree, list[Segment]]:
    """The tree over these tables, and the segments that policies add: they may bring tables too."""
    wanted, added = list(routes), dict[Segment, None]()
    while True:
        whole = tree(model, wanted, root)
        found = [one for table in whole.tables for one in policies.segments(model, group, table)]
        if len(found) == len(added):
            return whole, list(added)
        added = dict.fromkeys(found)
        root = whole.root
        wanted += [(table,) for one in added for table in model.uses[one.path].tables]


def _of_segments(scope: Scope, segments: Iterable[Segment]) -> Conditions:
    return [scope.fragment(one.table, one.sql) for one in segments]


def _data_source(model: Model, whole: Tree) -> str:
    sources = {model.tables[name].data_source: name for name in whole.tables}
    if len(sources) > 1:
        told = ", ".join(f"'{table}' is in {source}" for source, table in sources.items())
        raise user_error(f"A query can ask for tables of one data source only: {told}")
    return next(iter(sources))


def _check_keys(model: Model, whole: Tree, chosen: Selection) -> None:
    there = {field.member.path for field in chosen.dimensions.values()}
    keys = [key.path for name in whole.tables for key in model.tables[name].keys]
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


def _order(normal: Normal, chosen: Selection) -> tuple[tuple[str, bool], ...]:
    """What the rows are ordered by, with whether it descends."""
    if normal.order is not None:
        return normal.order
    buckets = [one.dimension for one, _ in chosen.times if one.granularity]
    if buckets:
        return ((buckets[0], False),)
    if chosen.measures:
        return ((next(iter(chosen.measures)), True),)
    return ((next(iter(chosen.dimensions)), False),)


def _ordered(
    select: exp.Select, order: tuple[tuple[str, bool], ...], columns: tuple[OutputColumn, ...]
) -> None:
    """Order by columns that are selected; NULLs come last, and first in descending order."""
    places: dict[str, int] = {}
    for number, one in enumerate(columns):
        for key in one.keys:
            places.setdefault(key, number + 1)
    found = dict.fromkeys((places[name], desc) for name, desc in order if name in places)
    keys = [
        exp.Ordered(this=exp.Literal.number(place), desc=desc, nulls_first=desc)
        for place, desc in found
    ]
    if keys:
        select.order_by(*keys, copy=False)


def _secured(model: Model, scope: Scope, chosen: Selection, added: list[Segment]) -> Json:
    """What policies did to the query, as its echo tells; nothing for a model without any."""
    if not model.has_policies:
        return {}
    seen = (field.path for field in chosen.dimensions.values() if field.member.path in scope.masked)
    told = {"segments": [one.path for one in added], "dimensions": list(seen)}
    return {"meta": {"secured": told}}
