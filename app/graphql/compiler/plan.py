"""One statement for one read operation, made of the declarations that the types carry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType
from graphql.language import FieldNode, NameNode, SelectionSetNode
from sqlalchemy import ARRAY, ColumnElement, FromClause, Select, any_, case, func, literal, select
from strawberry import Schema
from strawberry.types.arguments import convert_arguments

from app.graphql.compiler import declare, sql
from app.graphql.compiler.connection import ConnectionPart
from app.graphql.compiler.declare import (
    ColumnField,
    ComputedField,
    RelationField,
    RootField,
    RootList,
    RootOne,
    SqlType,
)
from app.graphql.compiler.pages import Cursor, PageCheck, value_of
from app.graphql.compiler.patches import Patch
from app.graphql.compiler.selection import Selected, Selections
from app.graphql.compiler.standins import NeverCompiled, Path, StepsAside, Values, stand_in
from app.graphql.filters import Sort

Finish = Callable[[FromClause], list[ColumnElement[Any]]]
Place = tuple[str, ...]
KEY = "\0key"
"""Where a request's values hold the key of the row that a part is about."""
ITS_ID = "its id"
"""The name of the id that each of many objects has on top; no field of GraphQL can be called so."""
_ITS_ID = SelectionSetNode(
    selections=(FieldNode(alias=NameNode(value=ITS_ID), name=NameNode(value="id")),)
)


@dataclass
class Planned:
    """A statement and what a request must pass before, and get done after, it."""

    select: Select[Any]
    checks: list[PageCheck] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    needs_project: bool = False
    lists: list["Bound"] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """What an operation selects of one row, or of at most as many as `most` says.

    `target` is the rows' type; `variables` are those that stand in the selections.
    """

    target: str
    sets: tuple[SelectionSetNode, ...]
    variables: frozenset[str]
    most: int | None = None


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
    def list_of(self, size: Any) -> Iterator[None]:
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

    def plan_part(self, part: Part) -> Planned:
        """The object of the row with the key that comes as `KEY`, or null; for many a list."""
        column = declare.types()[part.target].key[0]
        like = UUID(int=0) if column.type.python_type is UUID else column.type.python_type()
        if part.most is None:
            named = column == stand_in(like, Path((KEY,)))
            rows = self._rows(part.target, part.sets, [named], (), 1, ())
            self.planned.select = select(sql.object_of(rows, as_text=True))
        else:
            named = column == any_(literal(stand_in([like], Path((KEY,))), ARRAY(column.type)))
            sets = (*part.sets, _ITS_ID)
            rows = self._rows(part.target, sets, [named], (), part.most, ())
            self.planned.select = select(sql.list_of(rows, as_text=True).scalar_subquery())
        return self.planned

    # --- root fields ---------------------------------------------------------------------------

    def _root(self, selected: Selected) -> ColumnElement[Any]:
        declared = declaration_of(selected.definition)
        if not isinstance(declared, RootField | RootOne | RootList):
            raise NeverCompiled(f"the root field {selected.field_name}")
        given = self._given(selected)
        place = (selected.name,)
        if isinstance(declared, RootField):
            scope = self._scope(declared, given)
            target, listing = declared.target, declared.listing
            key = declare.types()[target].key
            return ConnectionPart(self, selected, target, listing, given, key, scope, place).plan()
        named = declared.named(given)
        self.planned.needs_project |= named.needs_project
        order = [Sort(column, False, False) for column in getattr(declared, "order", ())]
        rows = self._rows(
            declared.target, selected.sets, named.conditions, order, declared.limit, place
        )
        if isinstance(declared, RootOne):
            return sql.object_of(rows, as_text=True)
        return sql.list_of(rows, as_text=True).scalar_subquery()

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

    def _rows(
        self,
        target: str,
        sets: Sequence[SelectionSetNode],
        where: Sequence[ColumnElement[bool]],
        keys: Sequence[Sort],
        limit: int,
        place: Place,
        parent: FromClause | None = None,
    ) -> FromClause:
        """Rows of a type as objects, in a fixed order."""
        of_type = declare.types()[target]
        star = (*place, "*") if limit != 1 else place
        raw, finish = self.columns(of_type, self.target(target), sets, star, "")
        raw += [key.column.label(f"s{i}") for i, key in enumerate(keys)]
        inner = of_type.select(raw).where(*where).order_by(*(key.clause() for key in keys))
        inner = inner.limit(sql.number(limit))
        if parent is not None:
            inner = inner.correlate(parent)
        rows = inner.subquery(self.name("p"))
        with self.list_of(limit):
            outer = select(*finish(rows)).select_from(rows)
        return outer.order_by(*sql.ordered_by(rows, keys)).subquery(self.name("x"))

    # --- objects -------------------------------------------------------------------------------

    def columns(
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
            target, patches = self.target(variant.name), list[Patch]()
            with self._patches(patches):
                columns, finish = self.columns(variant, target, sets, place, f"{prefix}v{number}_")
            raw += columns
            made.append((value, finish, patches))

        def finish_variants(rows: FromClause) -> list[ColumnElement[Any]]:
            choices = []
            for value, finish, patches in made:
                with self._patches(patches):
                    inner = select(*finish(rows)).correlate(rows).subquery(self.name("y"))
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
                return lambda rows: sql.scalar(rows.c[label], type_, stored)
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
                given, target, listing = self._given(one), relation.target, relation.listing
                key, scope = relation.key, [same]
                return ConnectionPart(
                    self, one, target, listing, given, key, scope, place, rows
                ).plan()
            keys = [_sort_of(term) for term in relation.order]
            # One row more than there may be, to know of it.
            limit = 1 if relation.shape == "one" else relation.most + 1
            found = self._rows(relation.target, one.sets, [same], keys, limit, place, rows)
            if relation.shape == "one":
                return sql.object_of(found, as_text=False)
            return sql.list_of(found, as_text=False, most=relation.most).scalar_subquery()

        return build

    def target(self, name: str) -> Any:
        """The GraphQL type of rows."""
        found = self.selections.schema.get_type(name)
        assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
        return found

    def name(self, kind: str) -> str:
        """A name in the statement that nothing else has."""
        # No field has a dollar sign: `json_agg(x1)` would mean a column x1 where one is asked for.
        return f"{kind}${next(self._numbers)}"


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
