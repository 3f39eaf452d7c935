"""Filters and orderings: per-field operator objects that become SQL conditions."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

import strawberry
from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    Text,
    and_,
    any_,
    bindparam,
    false,
    func,
    not_,
    or_,
    true,
)

from app.core.errors import Invalid

UNSET = strawberry.UNSET
E = TypeVar("E", bound=enum.Enum)
MAX_LIST = 1000
MAX_CONDITIONS = 200
MAX_OPERANDS = 5000


@strawberry.input(description="Conditions on a text; all that are given must hold.")
class StringFilter:
    """Operators on text."""

    eq: str | None = strawberry.field(default=UNSET, description="Equal to.")
    in_: list[str] | None = strawberry.field(
        default=UNSET,
        name="in",
        description="One of these; an empty list matches nothing.",
    )
    contains: str | None = strawberry.field(
        default=UNSET, description="Contains this text, in any case."
    )
    starts_with: str | None = strawberry.field(default=UNSET, description="Begins with this text.")


@strawberry.input(description="Conditions on an integer; all that are given must hold.")
class IntFilter:
    """Operators on integers."""

    eq: int | None = strawberry.field(default=UNSET, description="Equal to.")
    in_: list[int] | None = strawberry.field(
        default=UNSET,
        name="in",
        description="One of these; an empty list matches nothing.",
    )
    gte: int | None = strawberry.field(default=UNSET, description="At least.")
    lt: int | None = strawberry.field(default=UNSET, description="Less than.")


@strawberry.input(description="Conditions on a point in time; all that are given must hold.")
class DateTimeFilter:
    """Operators on times."""

    gte: datetime | None = strawberry.field(default=UNSET, description="At or after.")
    gt: datetime | None = strawberry.field(default=UNSET, description="After.")
    lte: datetime | None = strawberry.field(default=UNSET, description="At or before.")
    lt: datetime | None = strawberry.field(default=UNSET, description="Before.")


@strawberry.input(description="Conditions on a day; all that are given must hold.")
class DateFilter:
    """Operators on days."""

    eq: date | None = strawberry.field(default=UNSET, description="On this day.")
    gte: date | None = strawberry.field(default=UNSET, description="On or after.")
    gt: date | None = strawberry.field(default=UNSET, description="After.")
    lte: date | None = strawberry.field(default=UNSET, description="On or before.")
    lt: date | None = strawberry.field(default=UNSET, description="Before.")


@strawberry.input(description="A condition on a yes or no.")
class BooleanFilter:
    """Operators on booleans."""

    eq: bool | None = strawberry.field(default=UNSET, description="Equal to.")


@strawberry.input(description="Conditions on a list of texts; all that are given must hold.")
class StringListFilter:
    """Operators on lists of texts."""

    has: str | None = strawberry.field(default=UNSET, description="Contains this text as an item.")
    has_any: list[str] | None = strawberry.field(
        default=UNSET, description="Contains at least one of these as an item."
    )


@strawberry.input(description="Conditions on one of a few words; all that are given must hold.")
class EnumFilter(Generic[E]):
    """Operators on enums."""

    eq: E | None = strawberry.field(default=UNSET, description="Equal to.")
    in_: list[E] | None = strawberry.field(
        default=UNSET, name="in", description="One of these; an empty list matches nothing."
    )


def conditions(where: Any, columns: Mapping[str, Any]) -> ColumnElement[bool]:
    """The SQL condition of a filter input.

    `columns` maps each field of the input to a column, or to a function that makes a condition of
    the field's value (for filters on a related row). A null operand is refused: leaving an
    operator out and asking for null are different things.
    """
    inputs, operands = _size(where)
    if inputs > MAX_CONDITIONS or operands > MAX_OPERANDS:
        raise Invalid(
            f"A filter may hold at most {MAX_CONDITIONS} conditions with {MAX_OPERANDS} operands."
        )
    return _conditions(where, columns)


def _size(value: Any) -> tuple[int, int]:
    """How many input objects a filter is made of, filters on related rows included; operands."""
    if isinstance(value, enum.Enum):
        return 0, 1
    if isinstance(value, list):
        inner = [_size(item) for item in value]
    elif hasattr(value, "__strawberry_definition__"):
        inner = [(1, 0), *(_size(v) for v in vars(value).values() if v is not UNSET)]
    else:
        return 0, 1
    return sum(inputs for inputs, _ in inner), sum(operands for _, operands in inner)


def _conditions(where: Any, columns: Mapping[str, Any]) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = []
    for name, value in vars(where).items():
        if value is UNSET:
            continue
        if value is None:
            raise Invalid(f"`{name.strip('_')}` in a filter may be left out but not be null.")
        if name == "and_":
            parts.append(and_(true(), *(_conditions(v, columns) for v in value)))
        elif name == "or_":
            parts.append(or_(false(), *(_conditions(v, columns) for v in value)))
        elif name == "not_":
            parts.append(not_(_conditions(value, columns)))
        else:
            target = columns[name]
            parts.append(target(value) if callable(target) else _operators(value, target))
    return and_(true(), *parts)


def _operators(operand: Any, column: Any) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = []
    for name, value in vars(operand).items():
        if value is UNSET:
            continue
        if value is None:
            raise Invalid(f"`{name.strip('_')}` in a filter may be left out but not be null.")
        if isinstance(value, list) and len(value) > MAX_LIST:
            raise Invalid(f"A filter's list may hold at most {MAX_LIST} items.")
        parts.append(_operator(name, _stored(value), column))
    return and_(true(), *parts)


def _stored(value: Any) -> Any:
    if isinstance(value, list) and any(isinstance(item, enum.Enum) for item in value):
        return [_stored(item) for item in value]
    return value.value if isinstance(value, enum.Enum) else value


def _bound(value: Any, type_: Any) -> BindParameter[Any]:
    """The value as a parameter of its own, untouched: texts are compared, never patterns made."""
    return bindparam(None, value, type_=type_, unique=True)


def _operator(name: str, value: Any, column: Any) -> ColumnElement[bool]:
    match name:
        case "eq":
            return column == value  # type: ignore[no-any-return]
        case "in_":
            return column == any_(_bound(value, ARRAY(column.type)))  # type: ignore[no-any-return]
        case "contains":
            return func.strpos(func.lower(column), func.lower(_bound(value, Text()))) > 0
        case "starts_with":
            return func.starts_with(column, _bound(value, Text()))
        case "has":
            return _bound(value, Text()) == any_(column)
        case "has_any":
            return column.bool_op("&&")(_bound(value, ARRAY(Text)))  # type: ignore[no-any-return]
        case "gte":
            return column >= value  # type: ignore[no-any-return]
        case "gt":
            return column > value  # type: ignore[no-any-return]
        case "lte":
            return column <= value  # type: ignore[no-any-return]
        case _:
            return column < value  # type: ignore[no-any-return]


@strawberry.enum(description="Which way a list is ordered.")
class Direction(enum.Enum):
    """Ascending or descending."""

    ASC = strawberry.enum_value("asc", description="Smallest first.")
    DESC = strawberry.enum_value("desc", description="Largest first.")


@strawberry.enum(description="Where rows without a value stand.")
class Nulls(enum.Enum):
    """Before or after the rest."""

    FIRST = strawberry.enum_value("first", description="Before all others.")
    LAST = strawberry.enum_value("last", description="After all others.")


@dataclass(frozen=True)
class Sort:
    """One key of an ordering, as SQL needs it."""

    column: ColumnElement[Any]
    descending: bool
    nulls_first: bool

    def clause(self, *, backwards: bool = False) -> ColumnElement[Any]:
        """The ORDER BY term, turned round for pages read from the end."""
        descending = self.descending != backwards
        nulls_first = self.nulls_first != backwards
        term = self.column.desc() if descending else self.column.asc()
        if not self.nullable:
            # An explicit place of nulls would keep PostgreSQL from reading a DESC index in order.
            return term
        return term.nulls_first() if nulls_first else term.nulls_last()

    @property
    def nullable(self) -> bool:
        """Whether rows without a value are possible."""
        return not isinstance(self.column, Column) or bool(self.column.nullable)

    def after(self, value: Any, *, backwards: bool = False) -> ColumnElement[bool]:
        """Rows that stand behind `value` (before it where the page is read from the end)."""
        descending = self.descending != backwards
        nulls_first = self.nulls_first != backwards
        if value is None:
            return self.column.is_not(None) if nulls_first else false()
        beyond = self.column < value if descending else self.column > value
        return beyond if nulls_first or not self.nullable else or_(beyond, self.column.is_(None))


def order_input(entity: str, columns: Mapping[str, tuple[Any, str]]) -> Any:
    """The input type `{field, direction, nulls}` of one entity.

    `columns` maps each value of its enum to (column, description). The input's class carries the
    columns as `sort_columns`.
    """
    field_enum = enum.Enum(  # type: ignore[misc]
        f"{entity}OrderField",
        {
            name: strawberry.enum_value(name.lower(), description=text)
            for name, (_, text) in columns.items()
        },
    )
    field_type = strawberry.enum(field_enum, description=f"What a list of {entity} is ordered by.")

    class Order:
        """One key of an ordering."""

    Order.__name__ = Order.__qualname__ = f"{entity}Order"
    Order.__annotations__ = {
        "field": field_type,
        "direction": Direction,
        "nulls": Nulls | None,
    }
    Order.field = strawberry.field(description="What to order by.")  # type: ignore[attr-defined]
    Order.direction = strawberry.field(  # type: ignore[attr-defined]
        default=Direction.ASC, description="Which way."
    )
    Order.nulls = strawberry.field(  # type: ignore[attr-defined]
        default=None,
        description="Where rows without a value stand; last unless said otherwise.",
    )
    made: Any = strawberry.input(Order, description=f"One key of an ordering of {entity}.")
    made.sort_columns = {name.lower(): column for name, (column, _) in columns.items()}
    return made
