"""The roots `table` and `cube`: GraphQL types made from a model, put into a copy of the schema.

What is selected below them is the query: each leaf a measure or dimension, a granularity below a time a
time dimension. The static types are shared with the schema that is copied.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLFloat,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
)
from strawberry import Schema

from app.semantic.loaded import Loaded
from app.semantic.model import Dimension, Entry, Field, Measure
from app.semantic.selected import Row, ask, float_of, moment_of, text_of, time_of

GRANULARITIES = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
TIME_FIELDS = ("value", *GRANULARITIES)
_NUMBERS = {
    "equals": "Equal to.",
    "notEquals": "Not equal to, or absent.",
    "gt": "Greater than.",
    "gte": "At least.",
    "lt": "Less than.",
    "lte": "At most.",
}
_TEXTS = {
    "contains": "Contains one of these, in any case.",
    "notContains": "Contains none of these.",
    "startsWith": "Begins with one of these.",
    "notStartsWith": "Begins with none of these.",
    "endsWith": "Ends with one of these.",
    "notEndsWith": "Ends with none of these.",
}
_TIMES = {
    "beforeDate": "Before the day.",
    "beforeOrOnDate": "Not after the day's start.",
    "afterDate": "After the day's start.",
    "afterOrOnDate": "Not before the day's start.",
}
_SAME = {"equals": "Equal to.", "notEquals": "Not equal to, or absent."}
_SETS = {"in": "One of these.", "notIn": "None of these."}
_RANGES = {
    "inDateRange": "Between two times, on a day, or in a range in words such as `last month`.",
    "notInDateRange": "Not between two times.",
}


def camel(name: str) -> str:
    """`order_items` -> `OrderItems`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_") if part)


def with_roots(schema: Schema, loaded: Loaded) -> Schema:
    """The schema with the roots of a model; the given one stays as it is."""
    base = schema._schema
    assert base.query_type is not None
    types = Types(base, loaded)
    if not types.entries:
        return schema
    old = base.query_type
    roots = {"table": types.root("The"), "cube": types.root("As `table`: the")}
    query = GraphQLObjectType(
        old.name,
        {**old.fields, **roots},
        description=old.description,
        extensions=old.extensions,
    )
    made = GraphQLSchema(
        query=query,
        mutation=base.mutation_type,
        subscription=base.subscription_type,
        types=[
            one
            for name, one in base.type_map.items()
            if not name.startswith("__") and one is not old
        ],
        directives=base.directives,
        description=base.description,
        extensions=base.extensions,
    )
    # The copied one was validated when the server started, and the names of a model when it was loaded.
    made._validation_errors = []
    other = copy.copy(schema)
    other._schema = made
    return other


@dataclass
class Types:
    """The types of one model. `entries` are the tables and views that have something to select."""

    base: GraphQLSchema
    loaded: Loaded
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._order = GraphQLEnumType(
            self._named("OrderBy"),
            {
                "asc": GraphQLEnumValue("asc", description="Smallest first."),
                "desc": GraphQLEnumValue("desc", description="Largest first."),
            },
            description="Which way to order.",
        )
        self._filters = {
            "number": self._filter("FloatFilter", GraphQLFloat, _NUMBERS, _SETS, "a number"),
            "string": self._filter(
                "StringFilter", GraphQLString, _SAME, {**_SETS, **_TEXTS}, "a text"
            ),
            "time": self._filter(
                "DateTimeFilter", GraphQLString, _TIMES, {**_SAME, **_SETS, **_RANGES}, "a time"
            ),
        }
        self._time = self._time_dimension()
        every = self.loaded.model.entries.values()
        self.entries = [one for one in every if one.public and _public(one)]
        self._where = {one.name: self._where_of(one) for one in self.entries}
        self._orders = {one.name: self._order_of(one) for one in self.entries}
        self._members = {one.name: self._members_of(one) for one in self.entries}

    def root(self, begins: str) -> GraphQLField:
        """One of the two roots."""
        loaded = self.loaded

        async def resolve(_: Any, info: Any, **arguments: Any) -> Any:
            return await ask(info, loaded, arguments)

        arguments: dict[str, tuple[Any, str]] = {
            "limit": (GraphQLInt, "How many rows at most; 10000 where left out."),
            "offset": (GraphQLInt, "How many rows to pass over."),
            "timezone": (GraphQLString, "The zone of granularities and days; UTC where left out."),
            "renewQuery": (GraphQLBoolean, "Look now whether the data has changed."),
            "ungrouped": (GraphQLBoolean, "The rows themselves, without aggregation."),
            "where": (self._root_where, "Which rows."),
            "orderBy": (self._root_order, "In which order."),
        }
        return GraphQLField(
            GraphQLNonNull(GraphQLList(GraphQLNonNull(self._result))),
            args={
                name: GraphQLArgument(type_, description=text)
                for name, (type_, text) in arguments.items()
            },
            resolve=resolve,
            description=f"{begins} rows of the semantic model that the selection asks for; at most 50000.",
        )

    def _named(self, name: str) -> str:
        """The name, or where the platform or another table has a type of this name another one."""
        if name in self.base.type_map:
            name = f"Lens{name}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    @cached_property
    def _result(self) -> GraphQLObjectType:
        return GraphQLObjectType(
            self._named("Result"),
            {one.name: self._table(one) for one in self.entries},
            description="One row: an object for each table that is asked for.",
        )

    def _table(self, entry: Entry) -> GraphQLField:
        arguments = {
            "where": GraphQLArgument(self._where[entry.name], description="Which rows."),
            "orderBy": GraphQLArgument(self._orders[entry.name], description="In which order."),
        }
        return GraphQLField(
            GraphQLNonNull(self._members[entry.name]),
            args=arguments,
            resolve=lambda row, _, **__: row,
            description=entry.description or entry.title,
        )

    def _members_of(self, entry: Entry) -> GraphQLObjectType:
        return GraphQLObjectType(
            self._named(f"{camel(entry.name)}Members"),
            {name: self._member(field) for name, field in _public(entry).items()},
            description=f"Measures and dimensions of {entry.title}.",
        )

    def _member(self, field: Field[Any]) -> GraphQLField:
        kind = _kind(field)
        types: Mapping[str, tuple[Any, Callable[..., Any]]] = {
            "number": (GraphQLFloat, float_of),
            "time": (self._time, time_of),
            "string": (GraphQLString, text_of),
        }
        type_, read = types[kind]
        text = field.member.description or field.title
        return GraphQLField(
            type_,
            resolve=_reading(read, field.path),
            description=text,
            extensions={"is_measure": isinstance(field.member, Measure)},
        )

    def _time_dimension(self) -> GraphQLObjectType:
        moment: Any = self.base.type_map["DateTime"]
        fields = {
            name: GraphQLField(
                GraphQLNonNull(moment),
                resolve=_moment(name),
                description="The time itself." if name == "value" else f"Start of its {name}.",
            )
            for name in TIME_FIELDS
        }
        text = "A time: itself, or the start of the period that it is in, in the query's zone."
        return GraphQLObjectType(self._named("TimeDimension"), fields, description=text)

    def _filter(
        self,
        name: str,
        of: Any,
        single: Mapping[str, str],
        many: Mapping[str, str],
        what: str,
    ) -> GraphQLInputObjectType:
        fields = {n: GraphQLInputField(of, description=text) for n, text in single.items()}
        fields |= {n: GraphQLInputField(GraphQLList(of), description=t) for n, t in many.items()}
        fields["set"] = GraphQLInputField(GraphQLBoolean, description="Whether there is a value.")
        text = f"Conditions on {what}; all that are given must hold."
        return GraphQLInputObjectType(self._named(name), fields, description=text)

    def _where_of(self, entry: Entry) -> GraphQLInputObjectType:
        members = {
            name: GraphQLInputField(self._filters[_kind(field)], description=field.title)
            for name, field in _public(entry).items()
        }
        name = self._named(f"{camel(entry.name)}WhereInput")
        return _composed(name, members, f"Which rows of {entry.title}.")

    def _order_of(self, entry: Entry) -> GraphQLInputObjectType:
        fields = {
            name: GraphQLInputField(self._order, description=field.title)
            for name, field in _public(entry).items()
        }
        name = self._named(f"{camel(entry.name)}OrderByInput")
        return GraphQLInputObjectType(name, fields, description=f"How {entry.title} is ordered.")

    @cached_property
    def _root_where(self) -> GraphQLInputObjectType:
        tables = {
            one.name: GraphQLInputField(self._where[one.name], description=one.title)
            for one in self.entries
        }
        return _composed(self._named("RootWhereInput"), tables, "Which rows, by table.")

    @cached_property
    def _root_order(self) -> GraphQLInputObjectType:
        tables = {
            one.name: GraphQLInputField(self._orders[one.name], description=one.title)
            for one in self.entries
        }
        name = self._named("RootOrderByInput")
        return GraphQLInputObjectType(name, tables, description="In which order, by table.")


def _composed(
    name: str, fields: Mapping[str, GraphQLInputField], text: str
) -> GraphQLInputObjectType:
    """An input with AND and OR of itself."""

    def thunk() -> dict[str, GraphQLInputField]:
        several = GraphQLList(GraphQLNonNull(made))
        return {
            "AND": GraphQLInputField(several, description="All of these."),
            "OR": GraphQLInputField(several, description="At least one of these."),
            # A member that is called so cannot be filtered by.
            **{name: field for name, field in fields.items() if name not in ("AND", "OR")},
        }

    made = GraphQLInputObjectType(name, thunk, description=text)
    return made


def _public(entry: Entry) -> dict[str, Field[Any]]:
    """Public measures, then dimensions, by their names in the entry."""
    fields: dict[str, Field[Any]] = {**entry.measures, **entry.dimensions}
    return {name: one for name, one in fields.items() if one.public}


def _kind(field: Field[Measure] | Field[Dimension]) -> str:
    """number, time, or string for everything else."""
    member = field.member
    if isinstance(member, Measure):
        if member.type in ("string", "boolean"):
            return "string"
        return "time" if member.type == "time" else "number"
    return member.type if member.type in ("number", "time") else "string"


def _reading(read: Callable[[Row, str], Any], path: str) -> Callable[..., Any]:
    return lambda row, _: read(row, path)


def _moment(name: str) -> Callable[..., Any]:
    return lambda place, _: moment_of(place, name)
