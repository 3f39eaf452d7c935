"""Stand-ins for values that come with each request, so that one statement serves all of them.

A plan is built with stand-ins in place of the scalars in an operation's variables. They are texts,
numbers and moments like any other, so filters and orderings take them as they are; where one
arrives in the statement as a bound parameter, its `source` says where the value will come from. What
shapes a statement (which operators were given, booleans, words of enums, nulls) is no stand-in but a
part of the plan's key.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
)

Values = Mapping[str, Any]
Source = Callable[[Values], Any]


class StepsAside(Exception):
    """The compiler does not know how to do this; normal execution does."""


class NeverCompiled(StepsAside):
    """Something that no variables can change keeps the operation from being compiled."""


class _StandIn:
    source: Source
    whole: Source | None = None
    """Of the only item of a list that stands in for a list: where that comes from."""


class _Text(_StandIn, str):
    pass


class _Number(_StandIn, int):
    pass


class _Real(_StandIn, float):
    pass


class _Moment(_StandIn, datetime):
    pass


class _Day(_StandIn, date):
    pass


class _Uuid(_StandIn, UUID):
    __slots__ = ("source",)


@dataclass(frozen=True)
class Path:
    """A value within the operation's variables."""

    steps: tuple[str | int, ...]

    def __call__(self, values: Values) -> Any:
        """The value of a request."""
        found: Any = values
        for step in self.steps:
            found = found[step]
        return found


@dataclass(frozen=True)
class Derived:
    """What a function makes of a value; it may raise for a value that it cannot take."""

    source: Source
    function: Callable[[Any], Any]

    def __call__(self, values: Values) -> Any:
        """The value of a request."""
        return self.function(self.source(values))


def stand_in(value: Any, source: Source) -> Any:
    """A stand-in of the value's kind; StepsAside where it has none."""
    if isinstance(value, str):
        made: Any = _Text(f"\x01{secrets.token_hex(8)}\x01")
    elif isinstance(value, bool):
        return value
    elif isinstance(value, int):
        made = _Number(secrets.randbelow(2**30) + 2**30)
    elif isinstance(value, float):
        made = _Real(secrets.randbelow(2**30) + 0.5)
    elif isinstance(value, datetime):
        start = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=secrets.randbelow(2**30))
        made = _Moment.fromtimestamp(start.timestamp(), UTC)
    elif isinstance(value, date):
        made = _Day.fromordinal(730_120 + secrets.randbelow(2**20))
    elif isinstance(value, UUID):
        made = _Uuid(uuid4().hex)
        object.__setattr__(made, "source", source)
        return made
    elif isinstance(value, list):
        # Lists are copied on their way, their items are not.
        item = stand_in(value[0] if value else "", _one_item)
        item.whole = source
        return [item]
    else:
        raise StepsAside(f"a value of type {type(value).__name__}")
    made.source = source
    return made


def _one_item(_: Values) -> Any:
    raise StepsAside("one item of a list")


def source_of(value: Any) -> Source | None:
    """Where a stand-in's value comes from; None for a value that is itself."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], _StandIn):
        return value[0].whole
    return value.source if isinstance(value, _StandIn) else None


def derive(function: Callable[[Any], Any], value: Any, like: Any) -> Any:
    """`function(value)`; for a stand-in one like `like`, whose value the function will make."""
    source = source_of(value)
    return function(value) if source is None else stand_in(like, Derived(source, function))


def shape(value: Any, type_: GraphQLInputType) -> Any:
    """The part of a plan's key that a coerced value makes."""
    if value is None or isinstance(value, bool | Enum):
        return value
    if isinstance(type_, GraphQLNonNull):
        return shape(value, type_.of_type)
    if isinstance(type_, GraphQLInputObjectType):
        return tuple((name, shape(one, type_.fields[name].type)) for name, one in value.items())
    if isinstance(type_, GraphQLList):
        if _is_plain(value, type_):
            return list
        return tuple(shape(one, type_.of_type) for one in value)
    return type(value)


def stand_ins(value: Any, type_: GraphQLInputType, path: tuple[str | int, ...]) -> Any:
    """A coerced value with stand-ins for its scalars."""
    if value is None or isinstance(value, bool | Enum):
        return value
    if isinstance(type_, GraphQLNonNull):
        return stand_ins(value, type_.of_type, path)
    if isinstance(type_, GraphQLInputObjectType):
        fields = type_.fields
        return {n: stand_ins(one, fields[n].type, (*path, n)) for n, one in value.items()}
    if isinstance(type_, GraphQLList) and not _is_plain(value, type_):
        return [stand_ins(one, type_.of_type, (*path, i)) for i, one in enumerate(value)]
    return stand_in(value, Path(path))


def _is_plain(value: list[Any], type_: GraphQLList[Any]) -> bool:
    """Whether it is a list of texts or numbers, which is one parameter however long it is."""
    item = type_.of_type.of_type if isinstance(type_.of_type, GraphQLNonNull) else type_.of_type
    if not isinstance(item, GraphQLScalarType):
        return False
    return all(isinstance(one, str | int) and not isinstance(one, bool) for one in value)
