"""What the references in the SQL of members stand for, and what follows from them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sqlglot import exp

from app.semantic.model.fragments import name_in
from app.semantic.model.keys import AGGREGATES
from app.semantic.model.nouns import (
    Column,
    Dimension,
    Fragment,
    Join,
    Measure,
    Member,
    Reference,
    Segment,
    Table,
    Uses,
)
from app.semantic.model.routes import Paths
from app.semantic.model.texts import Faults

References = dict[tuple[str, str], Reference]
_OWN = ("TABLE", "CUBE")


class Links:
    """Resolved references of all tables. What cannot be resolved goes to `faults`."""

    def __init__(self, tables: Mapping[str, Table], paths: Paths, faults: Faults) -> None:
        self._tables = tables
        self._paths = paths
        self._faults = faults
        self._open: list[str] = []
        self.references: References = {}
        self.uses: dict[str, Uses] = {}
        self.leaves: dict[str, tuple[Measure, ...]] = {}

    def resolve(self) -> None:
        """Follow every reference. Without faults, `uses` and `leaves` are complete after it."""
        for table in self._tables.values():
            for join in table.joins.values():
                self._refer(table, join.sql, f"{table.name}.{join.target}")
                self._check_join(join)
            self._check_roll_ups(table)
            for member in table.members.values():
                for fragment in _fragments(member):
                    self._refer(table, fragment, member.path)
                if isinstance(member, Measure):
                    self._drill(member)
        if self._faults.found:
            return
        for table in self._tables.values():
            for member in table.members.values():
                self._use(member)
                if isinstance(member, Dimension) and member.sub_query:
                    self._count_for_each_row(member)
                elif isinstance(member, Measure):
                    self.leaves[member.path] = self._leaves(member)
        for table in self._tables.values():
            for dimension in table.dimensions.values():
                if dimension.sub_query:
                    self._check_nesting((dimension,))

    def _check_nesting(self, outer: tuple[Dimension, ...]) -> None:
        """A sub-query that needs itself, over others or at once, would have no end."""
        for leaf in self.leaves.get(outer[-1].path, ()):
            for inner in self._use(leaf).sub_queries:
                if inner is outer[0]:
                    words = f"its sub_query needs itself, by {leaf.path}"
                    self._faults.add(outer[0].place, outer[0].path, words)
                elif inner not in outer:
                    self._check_nesting((*outer, inner))

    def _check_join(self, join: Join) -> None:
        """The condition of a join is by values of its two tables, row by row."""
        for name in join.sql.names:
            found = self.references.get((join.source, name))
            if isinstance(found, Measure) or (isinstance(found, Dimension) and found.sub_query):
                words = f"{{{name}}} is counted over many rows and cannot join"
                self._faults.add(join.place, f"{join.source}.{join.target}", words)
            elif found and _table_of(found) not in (join.source, join.target):
                words = f"{{{name}}} is of neither of the two tables"
                self._faults.add(join.place, f"{join.source}.{join.target}", words)

    def _refer(self, home: Table, fragment: Fragment, path: str) -> None:
        for name in fragment.names:
            found = _resolve(self._tables, home, name)
            if found is None:
                words = f"{{{name}}} is neither a table nor a member"
                self._faults.add(fragment.place, path, words)
            else:
                self.references[home.name, name] = found
        for column in fragment.tree.find_all(exp.Column):
            self._placed(home, column, fragment, path)

    def _check_roll_ups(self, table: Table) -> None:
        """The members that `pre_aggregations` name are there."""
        for one in table.pre_aggregations:
            listed = [*one.get("measures", ()), *one.get("dimensions", ())]
            for name in filter(None, [*listed, one.get("time_dimension")]):
                if not isinstance(_resolve(self._tables, table, name), Dimension | Measure):
                    path = f"{table.name}.pre_aggregations.{one.get('name')}"
                    self._faults.add(table.place, path, f"no member {name}")

    def _drill(self, measure: Measure) -> None:
        for path in measure.drill_members:
            table, _, name = path.partition(".")
            if table not in self._tables or _member(self._tables[table], name) is None:
                self._faults.add(
                    measure.place, f"{measure.path}.drill_members", f"no member {path}"
                )

    def _placed(self, home: Table, column: exp.Column, fragment: Fragment, path: str) -> None:
        """A table's name must stand before a column, a member's name alone."""
        for key, part in column.args.items():
            name = name_in(part)
            found = self.references.get((home.name, name)) if name else None
            if found is None:
                continue
            alone = key == "this" and not column.args.get("table")
            if isinstance(found, Table) and key == "this":
                words = f"{{{name}}} is a table; write {{{name}}}.column"
                self._faults.add(fragment.place, path, words)
            elif not isinstance(found, Table) and not alone:
                self._faults.add(fragment.place, path, f"{{{name}}} is no table")

    def _use(self, member: Member) -> Uses:
        if member.path in self.uses:
            return self.uses[member.path]
        if member.path in self._open:
            words = f"it refers to itself: {' -> '.join([*self._open, member.path])}"
            self._faults.add(member.place, member.path, words)
            return Uses((member.table,))
        self._open.append(member.path)
        self.uses[member.path] = self._uses_of(member)
        self._open.pop()
        return self.uses[member.path]

    def _uses_of(self, member: Member) -> Uses:
        if isinstance(member, Dimension) and member.sub_query:
            return Uses((member.table,), (member,))
        tables: dict[str, None] = {member.table: None}
        sub_queries: dict[Dimension, None] = {}
        for found in self._referred(member):
            if isinstance(found, Dimension | Measure):
                self._allowed(member, found)
                inner = self._use(found)
                tables |= dict.fromkeys(inner.tables)
                sub_queries |= dict.fromkeys(inner.sub_queries)
            else:
                tables[_table_of(found)] = None
        return Uses(tuple(tables), tuple(sub_queries))

    def _referred(self, member: Member) -> Iterator[Reference]:
        for fragment in _fragments(member):
            for name in fragment.names:
                yield self.references[member.table, name]

    def _allowed(self, member: Member, found: Dimension | Measure) -> None:
        if isinstance(found, Dimension):
            return
        if not isinstance(member, Measure):
            words = f"{{{found.path}}} is a measure; a dimension needs sub_query: true to count one"
            self._faults.add(member.place, member.path, words)
        elif member.type in AGGREGATES:
            words = (
                f"{{{found.path}}} is a measure, and a measure of type {member.type} counts rows"
            )
            self._faults.add(member.place, member.path, words)

    def _leaves(self, measure: Measure) -> tuple[Measure, ...]:
        found: dict[Measure, None] = {}
        for one in self._referred(measure):
            if isinstance(one, Measure) and one.path not in self._open:
                self._open.append(one.path)
                found |= dict.fromkeys(self._leaves(one))
                self._open.pop()
        return tuple(found) or (measure,)

    def _count_for_each_row(self, dimension: Dimension) -> None:
        """A sub-query's SQL is that of a measure, which goes by the dimension's path."""
        measure = counted(dimension)
        self.leaves[dimension.path] = self._leaves(measure)
        if self.leaves[dimension.path] == (measure,):
            words = 'a sub_query counts a measure: write sql: "{other_table.measure}"'
            self._faults.add(dimension.place, dimension.path, words)
        reached = self._paths[dimension.table]
        for leaf in self.leaves[dimension.path]:
            if leaf.table not in reached:
                words = f"no joins lead from {dimension.table} to {leaf.table}"
                self._faults.add(dimension.place, dimension.path, words)
        if not self._tables[dimension.table].keys:
            words = "its table needs a dimension with primary_key: true"
            self._faults.add(dimension.place, dimension.path, words)


def counted(dimension: Dimension) -> Measure:
    """The measure that a dimension with `sub_query` shows for each row."""
    return Measure(
        table=dimension.table,
        name=dimension.name,
        path=dimension.path,
        place=dimension.place,
        type="number",
        sql=replace(dimension.sql),
    )


def _fragments(member: Member) -> tuple[Fragment, ...]:
    filters = member.filters if isinstance(member, Measure) else ()
    return (member.sql, *filters) if member.sql else filters


def _resolve(tables: Mapping[str, Table], home: Table, name: str) -> Reference | None:
    first, _, rest = name.partition(".")
    if not rest:
        return home if first in _OWN else _member(home, first) or tables.get(first)
    table = home if first in _OWN else tables.get(first)
    if table is None:
        return None
    return _member(table, rest) or (Column(table.name, rest) if table is home else None)


def _table_of(reference: Reference) -> str:
    return reference.name if isinstance(reference, Table) else reference.table


def _member(table: Table, name: str) -> Dimension | Measure | None:
    found = table.members.get(name)
    return None if isinstance(found, Segment) else found
