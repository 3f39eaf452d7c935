"""Pages of connections: sizes and cursors that come with the request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql.execution.values import VariableValues, get_argument_values
from sqlalchemy import BigInteger, ColumnElement, DateTime, FromClause, Text, false, literal, true
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from app.graphql.compiler import sql
from app.graphql.compiler.selection import Selected, Selections
from app.graphql.compiler.standins import Path, Source, StepsAside, Values, source_of, stand_in
from app.graphql.connections import DEFAULT_PAGE, beyond, checked_page, decode_cursor, mark_of
from app.graphql.filters import Sort

if TYPE_CHECKING:
    from app.graphql.compiler.plan import Planner

CURSORS = "\0cursors"
"""Where a request's values hold those of its cursors."""


@dataclass(frozen=True)
class PageCheck:
    """A page's arguments; `__call__` refuses (Invalid) what a request may not ask for."""

    arguments: tuple[Any, ...]

    def __call__(self, values: Values, max_page: int) -> None:
        """Check `first`, `after`, `last`, `before`, `offset` as normal execution does."""
        first, after, last, before, offset = (value_of(one, values) for one in self.arguments)
        checked_page(first, after, last, before, offset, max_page)


@dataclass(frozen=True)
class Cursor:
    """A cursor that a request brings: its text, and the list that it must belong to."""

    text: Any
    mark: Callable[[Values], str]
    keys: tuple[Sort, ...]

    def open(self, values: Values) -> list[Any]:
        """Its sort values; Invalid for a cursor of another list."""
        return decode_cursor(value_of(self.text, values), self.mark(values), self.keys)


@dataclass(frozen=True)
class PagePlan:
    """Which rows a page has, in SQL."""

    size: ColumnElement[int]
    offset: ColumnElement[int] | None
    backwards: bool
    conditions: tuple[ColumnElement[bool], ...]
    started: ColumnElement[bool]
    mark: ColumnElement[str]
    keys: int

    @property
    def last_place(self) -> ColumnElement[int]:
        """The place of its last row; rows that are passed over have places, too."""
        return self.size if self.offset is None else self.size + self.offset

    def cursor(self, rows: FromClause) -> ColumnElement[str]:
        """The cursor of each of these rows."""
        return sql.cursor(self.mark, [rows.c[f"s{i}"] for i in range(self.keys)])


def value_of(given: Any, values: Values) -> Any:
    """A request's value for what was given at planning: a constant, or a stand-in."""
    source = source_of(given)
    return given if source is None else source(values)


def page_plan(
    planner: "Planner",
    selected: Selected,
    target: str,
    given: Mapping[str, Any],
    keys: Sequence[Sort],
    opened: Mapping[int, Sequence[Any]],
) -> PagePlan:
    """The page that a connection's arguments mean."""
    names = ("first", "after", "last", "before", "offset")
    planner.planned.checks.append(PageCheck(tuple(given[name] for name in names)))
    backwards = given["last"] is not None
    size = given["last"] if backwards else given["first"]
    mark = Mark(selected, target, planner.selections)
    main, other = ("before", "after") if backwards else ("after", "before")
    found: list[ColumnElement[bool]] = []
    for name, turned in ((main, backwards), (other, not backwards)):
        if given[name] is not None:
            number = len(planner.planned.cursors)
            planner.planned.cursors.append(Cursor(given[name], mark, tuple(keys)))
            nulls = opened.get(number, [False] * len(keys))
            values = [
                None if null else _like(key, number, i)
                for i, (key, null) in enumerate(zip(keys, nulls, strict=True))
            ]
            found.append(beyond(keys, values, backwards=turned))
    offset = given["offset"]
    return PagePlan(
        size=literal(DEFAULT_PAGE if size is None else size, BigInteger),
        offset=None if offset is None else literal(offset, BigInteger),
        backwards=backwards,
        conditions=tuple(found),
        started=_started(given[main], offset),
        mark=literal(stand_in("", mark), Text),
        keys=len(keys),
    )


def _started(cursor: Any, offset: Any) -> ColumnElement[bool]:
    if cursor is not None:
        return true()
    return false() if offset is None else literal(offset, BigInteger) > 0


def _like(key: Sort, number: int, position: int) -> Any:
    """A stand-in for a cursor's value, of the kind of its column."""
    source = Path((CURSORS, number, position))
    if isinstance(key.column.type, DateTime):
        return stand_in(datetime(2000, 1, 1, tzinfo=UTC), source)
    if isinstance(key.column.type, PgUUID):
        return stand_in(UUID(int=0), source)
    kind = key.column.type.python_type
    if kind is date:
        return stand_in(date(2000, 1, 1), source)
    if kind not in (int, str):
        raise StepsAside(f"a cursor over {kind.__name__}")
    return stand_in(kind(), source)


@dataclass(frozen=True)
class Mark:
    """What binds a connection's cursors to its filter and ordering, for each request."""

    selected: Selected
    target: str
    selections: Selections

    def __call__(self, values: Values) -> str:
        """The mark, as normal execution makes it."""
        definition = self.selected.definition
        assert definition is not None
        sources = self.selections.variables.sources
        real = VariableValues(sources, dict(values))
        given = get_argument_values(definition, self.selected.nodes[0], real)
        return mark_of(self.target, given)


__all__ = ["CURSORS", "Cursor", "PageCheck", "PagePlan", "Source", "page_plan", "value_of"]
