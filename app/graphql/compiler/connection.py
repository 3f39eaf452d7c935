"""The part of a statement that is a connection: its page of rows, and all that is selected of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, FromClause, Integer, Select, cast, func, select

from app.graphql.compiler import declare, sql
from app.graphql.compiler.counts import count
from app.graphql.compiler.declare import Listing
from app.graphql.compiler.pages import PagePlan, page_plan
from app.graphql.compiler.selection import Selected
from app.graphql.compiler.standins import StepsAside
from app.graphql.connections import DEFAULT_PAGE, sorts
from app.graphql.filters import conditions

if TYPE_CHECKING:
    from app.graphql.compiler.plan import Finish, Place, Planner

Parts = list[tuple[str, ColumnElement[Any]]]
"""Names in the answer, with their values."""


@dataclass
class _Rows:
    """The rows of a page; `finished` makes objects of them, by the field that they are for."""

    rows: FromClause
    needs_place: bool
    finished: dict[str, Callable[[], FromClause]] = field(default_factory=dict)


class ConnectionPart:
    """Plans one connection of an operation.

    `scope` says of which rows it is a page, `key` what tells these apart; `parent` has the row that it belongs to, if any. With
    a parent it is a JSON value in that row's object, without one a text of the response.
    """

    def __init__(
        self,
        planner: "Planner",
        selected: Selected,
        target: str,
        listing: Listing,
        given: Mapping[str, Any],
        key: Sequence[Any],
        scope: Sequence[ColumnElement[bool]],
        place: "Place",
        parent: FromClause | None = None,
    ) -> None:
        self.planner = planner
        self.type_ = _object_type(selected)
        self.fields = planner.selections.of(self.type_, selected.sets)
        self.of_type = declare.types()[target]
        self.place, self.parent = place, parent
        self.where = list(scope)
        if given["where"] is not None:
            self.where.append(conditions(given["where"], listing.columns))
        order_by, default = given["order_by"], listing.default_order
        self.keys = sorts(order_by, listing.sort_columns, default, key)
        self.page: PagePlan = page_plan(planner, selected, target, given, self.keys, planner.opened)
        self.most = given["last"] or given["first"] or DEFAULT_PAGE

    def plan(self) -> ColumnElement[Any]:
        """The connection's object."""
        with self.planner.list_of(self.most):
            rows = self._rows()
            return self._object([(one.name, self._field(one, rows)) for one in self.fields])

    def _object(self, parts: Parts) -> ColumnElement[Any]:
        if self.parent is None:
            return sql.object_text(parts)
        pairs = [piece for name, value in parts for piece in (sql.text(name), value)]
        return func.json_build_object(*pairs)

    def _field(self, one: Selected, rows: _Rows | None) -> ColumnElement[Any]:
        nested = self.parent is not None
        match one.field_name:
            case "__typename":
                return self._typename(self.type_)
            case "totalCount":
                counted = self._within(count(self.of_type, self.where)).scalar_subquery()
                found = cast(counted, Integer)
                return found if nested else sql.as_text(found)
            case "nodes" | "edges" if rows is not None:
                objects = rows.finished[one.name]()
                return sql.list_of(objects, as_text=not nested).scalar_subquery()
            case "pageInfo" if rows is not None:
                return self._page_info(one, rows.rows)
        raise StepsAside(f"the field {one.field_name} of a connection")

    def _within(self, statement: Select[Any]) -> Select[Any]:
        return statement if self.parent is None else statement.correlate(self.parent)

    def _typename(self, type_: GraphQLObjectType) -> ColumnElement[Any]:
        return sql.text(f'"{type_.name}"') if self.parent is None else sql.word(type_.name)

    # --- rows ----------------------------------------------------------------------------------

    def _rows(self) -> _Rows | None:
        raw: list[ColumnElement[Any]] = []
        finishes: list[tuple[str, Finish]] = []
        listed = [one for one in self.fields if one.field_name in ("nodes", "edges")]
        for number, one in enumerate(listed):
            columns, finish = self._listed(one, f"n{number}_")
            raw += columns
            finishes.append((one.name, finish))
        needs_place = any(one.field_name == "pageInfo" for one in self.fields)
        if not finishes and not needs_place:
            return None
        shared = needs_place or len(finishes) > 1
        made = _Rows(self._page_of(raw, needs_place=needs_place, shared=shared), needs_place)
        for name, finish in finishes:
            made.finished[name] = self._finished(made, finish)
        return made

    def _listed(self, one: Selected, prefix: str) -> tuple[list[ColumnElement[Any]], "Finish"]:
        target = self.planner.target(self.of_type.name)
        if one.field_name == "edges":
            return self._edge(target, one, prefix)
        step = (*self.place, one.name, "*")
        return self.planner.columns(self.of_type, target, one.sets, step, prefix)

    def _page_of(
        self, raw: Sequence[ColumnElement[Any]], *, needs_place: bool, shared: bool
    ) -> FromClause:
        page = self.page
        order = [key.clause(backwards=page.backwards) for key in self.keys]
        wanted = [*raw, *(key.column.label(f"s{i}") for i, key in enumerate(self.keys))]
        if needs_place:
            wanted.append(func.row_number().over(order_by=order).label("place"))
        inner = self.of_type.select(wanted).where(*self.where, *page.conditions).order_by(*order)
        inner = inner.limit(page.size + 1 if needs_place else page.size)
        if page.offset is not None:
            inner = inner.offset(page.offset)
        inner, name = self._within(inner), self.planner.name("p")
        if shared:
            return inner.cte(name, nesting=self.parent is not None)
        return inner.subquery(name)

    def _finished(self, made: _Rows, finish: "Finish") -> Callable[[], FromClause]:
        def build() -> FromClause:
            outer = select(*finish(made.rows)).select_from(made.rows)
            if made.needs_place:
                outer = outer.where(made.rows.c.place <= self.page.last_place)
            ordered = outer.order_by(*sql.ordered_by(made.rows, self.keys))
            return ordered.subquery(self.planner.name("x"))

        return build

    def _edge(
        self, target: Any, edges: Selected, prefix: str
    ) -> tuple[list[ColumnElement[Any]], "Finish"]:
        type_ = _object_type(edges)
        raw: list[ColumnElement[Any]] = []
        made: list[tuple[Selected, Finish | None]] = []
        for number, one in enumerate(self.planner.selections.of(type_, edges.sets)):
            finish = None
            if one.field_name == "node":
                step = (*self.place, edges.name, "*", one.name)
                columns, finish = self.planner.columns(
                    self.of_type, target, one.sets, step, f"{prefix}{number}_"
                )
                raw += columns
            made.append((one, finish))

        def finish_edges(rows: FromClause) -> list[ColumnElement[Any]]:
            outputs: list[ColumnElement[Any]] = []
            for one, finish in made:
                if finish is not None:
                    inner = select(*finish(rows)).correlate(rows).subquery(self.planner.name("y"))
                    outputs.append(sql.object_of(inner, as_text=False).label(one.name))
                elif one.field_name == "cursor":
                    outputs.append(self.page.cursor(rows).label(one.name))
                else:
                    outputs.append(sql.word(type_.name).label(one.name))
            return outputs

        return raw, finish_edges

    # --- where the page stands -----------------------------------------------------------------

    def _page_info(self, one: Selected, rows: FromClause) -> ColumnElement[Any]:
        type_ = _object_type(one)
        parts: Parts = []
        for own in self.planner.selections.of(type_, one.sets):
            value = self._page_info_value(own.field_name, type_, rows)
            is_text = self.parent is None
            parts.append((own.name, sql.as_text(func.to_json(value)) if is_text else value))
        return self._object(parts)

    def _page_info_value(
        self, name: str, type_: GraphQLObjectType, found: FromClause
    ) -> ColumnElement[Any]:
        page = self.page
        more = select(func.count()).select_from(found).scalar_subquery() > page.size
        match name:
            case "__typename":
                return sql.word(type_.name)
            case "hasNextPage":
                return page.started if page.backwards else more
            case "hasPreviousPage":
                return more if page.backwards else page.started
            case "startCursor" | "endCursor":
                last = (name == "endCursor") != page.backwards
                kept = select(page.cursor(found)).where(found.c.place <= page.last_place)
                place: ColumnElement[Any] = found.c.place
                ordered = kept.order_by(place.desc() if last else place.asc())
                return ordered.limit(sql.number(1)).scalar_subquery()
        raise StepsAside(f"the field {name} of pageInfo")


def _object_type(selected: Selected) -> GraphQLObjectType:
    type_ = get_named_type(selected.definition.type)  # type: ignore[union-attr]
    assert isinstance(type_, GraphQLObjectType)
    return type_
