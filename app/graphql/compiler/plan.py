"""One statement for one read operation, made of the declarations that the types carry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, get_named_type
from graphql.language import SelectionSetNode
from sqlalchemy import ColumnElement, FromClause, Select, case, func, literal, select
from strawberry import Schema
from strawberry.types.arguments import convert_arguments

from app.graphql.compiler import declare, sql
from app.graphql.compiler.declare import (
    ColumnField,
    ComputedField,
    Listing,
    RelationField,
    RootField,
    RootList,
    RootOne,
    SqlType,
)
from app.graphql.compiler.pages import Cursor, PageCheck, PagePlan, page_plan, value_of
from app.graphql.compiler.patches import Patch
from app.graphql.compiler.selection import Selected, Selections
from app.graphql.compiler.standins import StepsAside, Values
from app.graphql.connections import DEFAULT_PAGE, sorts
from app.graphql.filters import Sort, conditions

LONGEST_LIST = 500
"""How many rows a list that is bounded by nature has at most."""

Finish = Callable[[FromClause], list[ColumnElement[Any]]]
Place = tuple[str, ...]


@dataclass
class Planned:
    """A statement and what a request must pass before, and get done after, it."""

    select: Select[Any]
    checks: list[PageCheck] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    needs_project: bool = False
    lists: list["Bound"] = field(default_factory=list)


@dataclass
class Bound:
    """How many objects a list has at most, and the lists inside each of them."""

    size: Any
    inside: list["Bound"] = field(default_factory=list)

    def most(self, values: Values) -> int:
        """Objects in the whole of it."""
        size = value_of(self.size, values)
        return int(size) * (1 + sum(inner.most(values) for inner in self.inside))


class Planner:
    """Builds the statement of one operation."""

    def __init__(
        self, schema: Schema, selections: Selections, opened: Mapping[int, Sequence[Any]]
    ) -> None:
        self.strawberry = schema
        self.selections = selections
        self.opened = opened
        self.planned = Planned(select())
        self._numbers = count(1)
        self._lists = self.planned.lists

    @contextmanager
    def _list(self, size: Any) -> Iterator[None]:
        """While the rows of a list are planned, other lists are inside each of them."""
        bound, outside = Bound(size), self._lists
        outside.append(bound)
        self._lists = bound.inside
        try:
            yield
        finally:
            self._lists = outside

    @contextmanager
    def _patches(self, own: list[Patch]) -> Iterator[None]:
        """While a variant of an interface is planned, its patches are kept apart."""
        outside, self.planned.patches = self.planned.patches, own
        try:
            yield
        finally:
            self.planned.patches = outside

    def plan(self) -> Planned:
        """The whole operation; StepsAside where anything in it cannot be compiled."""
        query = self.selections.schema.query_type
        assert query is not None
        pieces: list[ColumnElement[Any]] = [sql.text('{"data":{')]
        for selected in self.selections.of(query, [self.selections.operation.selection_set]):
            comma = "," if len(pieces) > 1 else ""
            pieces.append(sql.text(f'{comma}"{selected.name}":'))
            if selected.definition is None:
                pieces.append(sql.text(f'"{query.name}"'))
            else:
                pieces.append(self._root(selected))
        self.planned.select = select(sql.joined([*pieces, sql.text("}}")]))
        return self.planned

    # --- root fields ---------------------------------------------------------------------------

    def _root(self, selected: Selected) -> ColumnElement[Any]:
        declared = declaration_of(selected.definition)
        given = self._given(selected)
        place = (selected.name,)
        if isinstance(declared, RootField):
            scope = self._scope(declared, given)
            return self._connection(
                selected, declared.target, declared.listing, given, scope, place
            )
        if isinstance(declared, RootOne | RootList):
            named = declared.named(given)
            self.planned.needs_project |= named.needs_project
            order = [Sort(column, False, False) for column in getattr(declared, "order", ())]
            rows = self._rows(
                declared.target, selected.sets, named.conditions, order, declared.limit, place
            )
            if isinstance(declared, RootOne):
                return sql.object_of(rows, as_text=True)
            return sql.list_of(rows, as_text=True).scalar_subquery()
        raise StepsAside(f"the root field {selected.field_name}")

    def _scope(self, declared: RootField, given: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        if declared.scope is None:
            return []
        scoped = declared.scope(given)
        self.planned.needs_project |= scoped.needs_project
        return list(scoped.conditions)

    def _given(self, selected: Selected) -> dict[str, Any]:
        """The field's arguments as its resolver gets them, absent ones as None."""
        definition = selected.definition
        assert definition is not None
        own = definition.extensions["strawberry-definition"]
        converter = self.strawberry.schema_converter
        found = convert_arguments(
            self.selections.arguments(selected),
            own.arguments,
            converter.scalar_registry,
            self.strawberry.config,
        )
        return {a.python_name: found.get(a.python_name) for a in own.arguments}

    # --- lists ---------------------------------------------------------------------------------

    def _connection(
        self,
        selected: Selected,
        target: str,
        listing: Listing,
        given: Mapping[str, Any],
        scope: Sequence[ColumnElement[bool]],
        place: Place,
        parent: FromClause | None = None,
    ) -> ColumnElement[Any]:
        type_ = get_named_type(selected.definition.type)  # type: ignore[union-attr]
        assert isinstance(type_, GraphQLObjectType)
        fields = self.selections.of(type_, selected.sets)
        where = list(scope)
        if given["where"] is not None:
            where.append(conditions(given["where"], listing.columns))
        of_type = declare.types()[target]
        keys = sorts(given["order_by"], listing.sort_columns, listing.default_order, of_type.key)
        page = page_plan(self, selected, target, given, keys, self.opened)
        parts: list[tuple[str, ColumnElement[Any]]] = []
        with self._list(given["last"] or given["first"] or DEFAULT_PAGE):
            rows = self._page_rows(fields, of_type, where, keys, page, place, parent)
            for one in fields:
                parts.append((one.name, self._connection_field(one, type_, rows, where, page)))
        if parent is None:
            return _object_text(parts)
        pairs = [piece for name, value in parts for piece in (sql.text(name), value)]
        return func.json_build_object(*pairs)

    def _connection_field(
        self,
        one: Selected,
        type_: GraphQLObjectType,
        rows: "_Page",
        where: Sequence[ColumnElement[bool]],
        page: PagePlan,
    ) -> ColumnElement[Any]:
        nested = rows.parent is not None
        match one.field_name:
            case "__typename":
                return sql.word(type_.name) if nested else sql.text(f'"{type_.name}"')
            case "totalCount":
                counted = rows.of_type.select([func.count()]).where(*where)
                if rows.parent is not None:
                    counted = counted.correlate(rows.parent)
                found = counted.scalar_subquery()
                return found if nested else _as_text(found)
            case "nodes" | "edges":
                return sql.list_of(rows.finished[one.name](), as_text=not nested).scalar_subquery()
            case "pageInfo":
                return self._page_info(one, rows, page)
        raise StepsAside(f"the field {one.field_name} of a connection")

    def _page_info(self, one: Selected, rows: "_Page", page: PagePlan) -> ColumnElement[Any]:
        type_ = get_named_type(one.definition.type)  # type: ignore[union-attr]
        assert isinstance(type_, GraphQLObjectType)
        parts: list[tuple[str, ColumnElement[Any]]] = []
        nested = rows.parent is not None
        for own in self.selections.of(type_, one.sets):
            value = _page_info_value(own.field_name, type_, rows, page)
            parts.append((own.name, value if nested else _as_text(func.to_json(value))))
        if nested:
            pairs = [piece for name, value in parts for piece in (sql.text(name), value)]
            return func.json_build_object(*pairs)
        return _object_text(parts)

    def _page_rows(
        self,
        fields: Sequence[Selected],
        of_type: SqlType,
        where: Sequence[ColumnElement[bool]],
        keys: Sequence[Sort],
        page: PagePlan,
        place: Place,
        parent: FromClause | None,
    ) -> "_Page":
        """The rows of a page, shared by everything that is selected of it."""
        made = _Page(of_type, parent)
        raw: list[ColumnElement[Any]] = []
        finishes: list[tuple[Selected, Finish]] = []
        target = self._target(of_type.name)
        for number, one in enumerate(f for f in fields if f.field_name in ("nodes", "edges")):
            if one.field_name == "nodes":
                step = (*place, one.name, "*")
                columns, finish = self._columns(of_type, target, one.sets, step, f"n{number}_")
            else:
                columns, finish = self._edge(of_type, target, one, page, place, f"n{number}_")
            raw += columns
            finishes.append((one, finish))
        infos = [f for f in fields if f.field_name == "pageInfo"]
        if not finishes and not infos:
            return made
        needs_place = bool(infos)
        order = [key.clause(backwards=page.backwards) for key in keys]
        raw += [key.column.label(f"s{i}") for i, key in enumerate(keys)]
        if needs_place:
            raw.append(func.row_number().over(order_by=order).label("place"))
        inner = of_type.select(raw).where(*where, *page.conditions).order_by(*order)
        inner = inner.limit(page.size + 1 if needs_place else page.size)
        if page.offset is not None:
            inner = inner.offset(page.offset)
        if parent is not None:
            inner = inner.correlate(parent)
        name = self._name("p")
        shared = needs_place or len(finishes) > 1
        made.rows = inner.cte(name, nesting=parent is not None) if shared else inner.subquery(name)
        made.keys = keys
        made.needs_place = needs_place
        for one, finish in finishes:
            made.finished[one.name] = self._finished(made, finish, page)
        return made

    def _finished(self, made: "_Page", finish: Finish, page: PagePlan) -> Callable[[], FromClause]:
        rows = made.rows
        assert rows is not None

        def build() -> FromClause:
            outer = select(*finish(rows)).select_from(rows)
            if made.needs_place:
                outer = outer.where(rows.c.place <= page.last_place)
            return outer.order_by(*sql.ordered_by(rows, made.keys)).subquery(self._name("x"))

        return build

    def _edge(
        self,
        of_type: SqlType,
        target: Any,
        edges: Selected,
        page: PagePlan,
        place: Place,
        prefix: str,
    ) -> tuple[list[ColumnElement[Any]], Finish]:
        type_ = get_named_type(edges.definition.type)  # type: ignore[union-attr]
        assert isinstance(type_, GraphQLObjectType)
        raw: list[ColumnElement[Any]] = []
        made: list[tuple[Selected, Finish | None]] = []
        for number, one in enumerate(self.selections.of(type_, edges.sets)):
            if one.field_name == "node":
                step = (*place, edges.name, "*", one.name)
                columns, finish = self._columns(
                    of_type, target, one.sets, step, f"{prefix}{number}_"
                )
                raw += columns
                made.append((one, finish))
            else:
                made.append((one, None))

        def finish_edges(rows: FromClause) -> list[ColumnElement[Any]]:
            outputs: list[ColumnElement[Any]] = []
            for one, finish in made:
                if finish is not None:
                    inner = select(*finish(rows)).correlate(rows).subquery(self._name("y"))
                    outputs.append(sql.object_of(inner, as_text=False).label(one.name))
                elif one.field_name == "cursor":
                    outputs.append(page.cursor(rows).label(one.name))
                else:
                    outputs.append(sql.word(type_.name).label(one.name))
            return outputs

        return raw, finish_edges

    def _rows(
        self,
        target: str,
        sets: Sequence[SelectionSetNode],
        where: Sequence[ColumnElement[bool]],
        keys: Sequence[Sort],
        limit: int | None,
        place: Place,
        parent: FromClause | None = None,
    ) -> FromClause:
        """Rows of a type as objects, in a fixed order."""
        of_type = declare.types()[target]
        star = (*place, "*") if limit != 1 else place
        raw, finish = self._columns(of_type, self._target(target), sets, star, "")
        raw += [key.column.label(f"s{i}") for i, key in enumerate(keys)]
        inner = of_type.select(raw).where(*where).order_by(*(key.clause() for key in keys))
        if limit is not None:
            inner = inner.limit(limit)
        if parent is not None:
            inner = inner.correlate(parent)
        rows = inner.subquery(self._name("p"))
        with self._list(LONGEST_LIST if limit is None else limit):
            outer = select(*finish(rows)).select_from(rows)
        return outer.order_by(*sql.ordered_by(rows, keys)).subquery(self._name("x"))

    # --- objects -------------------------------------------------------------------------------

    def _columns(
        self,
        of_type: SqlType,
        target: Any,
        sets: Sequence[SelectionSetNode],
        place: Place,
        prefix: str,
    ) -> tuple[list[ColumnElement[Any]], Finish]:
        """What a select of rows needs for an object of a type, and how these become its fields."""
        if of_type.discriminator is not None:
            return self._variants(of_type, sets, place, prefix)
        raw: dict[str, ColumnElement[Any]] = {}
        outputs: list[tuple[str, Callable[[FromClause], ColumnElement[Any]]]] = []
        for one in self.selections.of(target, sets):
            outputs.append((one.name, self._field(of_type, target, one, raw, place, prefix)))
        labelled: list[ColumnElement[Any]] = [c.label(name) for name, c in raw.items()]
        if not labelled:
            labelled.append(literal(1).label(f"{prefix}one"))
        return labelled, lambda rows: [build(rows).label(name) for name, build in outputs]

    def _variants(
        self, of_type: SqlType, sets: Sequence[SelectionSetNode], place: Place, prefix: str
    ) -> tuple[list[ColumnElement[Any]], Finish]:
        mark = f"{prefix}mark"
        assert of_type.discriminator is not None
        raw: list[ColumnElement[Any]] = [of_type.discriminator.label(mark)]
        made: list[tuple[str, Finish, list[Patch]]] = []
        for number, (value, variant) in enumerate(of_type.variants.items()):
            target, patches = self._target(variant.name), list[Patch]()
            with self._patches(patches):
                columns, finish = self._columns(variant, target, sets, place, f"{prefix}v{number}_")
            raw += columns
            made.append((value, finish, patches))

        def finish_variants(rows: FromClause) -> list[ColumnElement[Any]]:
            choices = []
            for value, finish, patches in made:
                with self._patches(patches):
                    inner = select(*finish(rows)).correlate(rows).subquery(self._name("y"))
                choices.append(
                    (rows.c[mark] == sql.text(value), sql.object_of(inner, as_text=False))
                )
            found = [patches for _, _, patches in made]
            if any(patches != found[0] for patches in found):
                # The answer does not say which variant an object is.
                raise StepsAside("computed fields of some variants")
            self.planned.patches += found[0]
            return [case(*choices).label(sql.WHOLE)]

        return raw, finish_variants

    def _field(
        self,
        of_type: SqlType,
        target: Any,
        one: Selected,
        raw: dict[str, ColumnElement[Any]],
        place: Place,
        prefix: str,
    ) -> Callable[[FromClause], ColumnElement[Any]]:
        if one.definition is None:
            return lambda _: sql.word(of_type.name)
        python_name = of_type.graphql_names.get(one.field_name)
        declared = of_type.fields.get(python_name) if python_name else None
        if declared is None and one.field_name == "id":
            key = _kept(raw, f"{prefix}k", of_type.key[0])
            return lambda rows: sql.global_id(of_type.name, rows.c[key])
        match declared:
            case ColumnField(column=stored, expression=build):
                self._refuse_arguments(one)
                value = stored if build is None else build(of_type.table.c)
                label = _kept(raw, f"{prefix}c_{python_name}", value)
                type_ = one.definition.type
                return lambda rows: sql.scalar(rows.c[label], type_)
            case RelationField():
                label = _kept(raw, f"{prefix}l_{declared.local.name}", declared.local)
                return self._relation(one, declared, label, (*place, one.name))
            case ComputedField(needs=needs):
                labels = [_kept(raw, f"{prefix}m_{n.name}", n) for n in needs]
                self.planned.patches.append(
                    Patch((*place, one.name), of_type, python_name or "", one, self.selections)
                )
                return lambda rows: func.json_build_array(*(rows.c[label] for label in labels))
        raise StepsAside(f"the field {of_type.name}.{one.field_name}")

    def _refuse_arguments(self, one: Selected) -> None:
        if one.definition is not None and one.definition.args:
            raise StepsAside(f"arguments of the field {one.field_name}")

    def _relation(
        self, one: Selected, relation: RelationField, label: str, place: Place
    ) -> Callable[[FromClause], ColumnElement[Any]]:
        def build(rows: FromClause) -> ColumnElement[Any]:
            same = relation.far == rows.c[label]
            if relation.shape == "connection":
                assert relation.listing is not None
                given = self._given(one)
                return self._connection(
                    one, relation.target, relation.listing, given, [same], place, rows
                )
            keys = [_sort_of(term) for term in relation.order]
            limit = 1 if relation.shape == "one" else None
            found = self._rows(relation.target, one.sets, [same], keys, limit, place, rows)
            if relation.shape == "one":
                return sql.object_of(found, as_text=False)
            return sql.list_of(found, as_text=False).scalar_subquery()

        return build

    def _target(self, name: str) -> Any:
        found = self.selections.schema.get_type(name)
        assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
        return found

    def _name(self, kind: str) -> str:
        # No field has a dollar sign: `json_agg(x1)` would mean a column x1 where one is asked for.
        return f"{kind}${next(self._numbers)}"


@dataclass
class _Page:
    of_type: SqlType
    parent: FromClause | None
    rows: FromClause | None = None
    keys: Sequence[Sort] = ()
    needs_place: bool = False
    finished: dict[str, Callable[[], FromClause]] = field(default_factory=dict)


def declaration_of(definition: GraphQLField | None) -> Any:
    """What a field of the schema is declared to be; None where it is not."""
    own = None if definition is None else definition.extensions.get("strawberry-definition")
    return None if own is None else own.metadata.get(declare.DECLARATION)


def _kept(raw: dict[str, ColumnElement[Any]], label: str, value: Any) -> str:
    raw.setdefault(label, value)
    return label


def _sort_of(term: Any) -> Sort:
    descending = getattr(getattr(term, "modifier", None), "__name__", "") == "desc_op"
    return Sort(getattr(term, "element", term) if descending else term, descending, False)


def _object_text(parts: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[str]:
    pieces: list[ColumnElement[Any]] = []
    for name, value in parts:
        pieces += [sql.text(f'{"," if pieces else "{"}"{name}":'), value]
    return sql.joined([*pieces, sql.text("}")])


def _as_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    from sqlalchemy import Text, cast

    return func.coalesce(cast(value, Text), sql.text("null"))


def _page_info_value(
    name: str, type_: GraphQLObjectType, rows: _Page, page: PagePlan
) -> ColumnElement[Any]:
    assert rows.rows is not None
    found = rows.rows
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
            return kept.order_by(place.desc() if last else place.asc()).limit(1).scalar_subquery()
    raise StepsAside(f"the field {name} of pageInfo")
