"""Relay connections: keyset pages whose cursors are bound to their ordering and filter."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry
from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    DateTime,
    PrimaryKeyConstraint,
    UniqueConstraint,
    and_,
    or_,
)
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from app.core.errors import Invalid
from app.graphql.filters import Direction, Nulls, Sort

T = TypeVar("T")
BIGINT = range(-(2**63), 2**63)
DEFAULT_PAGE = 20
MAX_SORT_KEYS = 5


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's page information."""

    has_next_page: bool = strawberry.field(description="More rows follow.")
    has_previous_page: bool = strawberry.field(description="Rows stand before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row.")


@strawberry.type(description="A row and its place in the list.")
class Edge(Generic[T]):
    """Relay's edge."""

    cursor: str = strawberry.field(description="Opaque place of the row; use in after and before.")
    node: T = strawberry.field(description="The row.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    """Relay's connection, with the nodes also as a plain list."""

    edges: list[Edge[T]] = strawberry.field(description="The rows with their cursors.")
    nodes: list[T] = strawberry.field(description="The rows.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(
        description="How many rows the whole list has; counted only when selected."
    )


@dataclass(frozen=True)
class Page:
    """What a caller asked for, checked."""

    size: int
    backwards: bool
    cursor: str | None
    other: str | None
    offset: int


def checked_page(
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    offset: int | None,
    max_page: int,
) -> Page:
    """The page that the arguments mean; Invalid where they contradict or exceed the bounds."""
    if first is not None and last is not None:
        raise Invalid("Give `first` or `last`, not both.")
    if last is not None and offset is not None:
        raise Invalid("`offset` goes with `first`.")
    if offset is not None and (offset < 0 or offset > 10_000_000):
        raise Invalid("`offset` must be between 0 and 10000000.")
    size = first if first is not None else last if last is not None else DEFAULT_PAGE
    lowest = 0 if max_page > 100 else 1
    if not lowest <= size <= max_page:
        raise Invalid(f"`{'last' if last is not None else 'first'}` must be 1 to {max_page}.")
    backwards = last is not None
    return Page(
        size=size,
        backwards=backwards,
        cursor=before if backwards else after,
        other=after if backwards else before,
        offset=offset or 0,
    )


def sorts(
    order_by: Sequence[Any] | None,
    columns: Mapping[str, Any],
    default: Sequence[tuple[Any, bool]],
    key: Sequence[Any],
) -> list[Sort]:
    """The keys of an ordering, up to one that leaves nothing to decide; else the primary key is last.

    Whatever stands behind a unique column would only keep PostgreSQL from reading its index in order.
    """
    found: list[Sort] = []
    if order_by:
        if len(order_by) > MAX_SORT_KEYS:
            raise Invalid(f"`orderBy` may have at most {MAX_SORT_KEYS} keys.")
        for item in order_by:
            found.append(
                Sort(
                    columns[item.field.value],
                    item.direction is Direction.DESC,
                    item.nulls is Nulls.FIRST,
                )
            )
    else:
        found += [Sort(column, descending, False) for column, descending in default]
    descending = found[-1].descending if found else False
    found += [Sort(column, descending, False) for column in key]
    names = [key.column for key in found]
    distinct = [one for n, one in enumerate(found) if not any(one.column is c for c in names[:n])]
    ends = (n for n, one in enumerate(distinct, 1) if is_unique(one.column))
    return distinct[: next(ends, None)]


def is_unique(column: Any) -> bool:
    """Whether no two rows have the same value of a stored column, and all have one."""
    if not isinstance(column, Column) or column.nullable:
        return False
    constraints = column.table.constraints
    alone = (c for c in constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint))
    return any(list(c.columns) == [column] for c in alone)


def fingerprint(*parts: object) -> str:
    """What binds a cursor to its list: type, ordering and filter."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


def mark_of(target: str, arguments: Mapping[str, Any]) -> str:
    """The mark of a list's cursors; `arguments` by their GraphQL names, as sent or as inputs."""
    apart = ("first", "last", "after", "before", "offset")
    binding = {n: v for n, v in arguments.items() if n not in apart and v is not None}
    return fingerprint(target, _canonical(binding))


def _canonical(value: Any) -> Any:
    """The same for an input object and for the plain values that it was made of."""
    if isinstance(value, Enum):
        return value.value
    definition = getattr(value, "__strawberry_definition__", None)
    if definition is not None:
        given = {_graphql_name(f): getattr(value, f.python_name) for f in definition.fields}
        return _canonical({n: v for n, v in given.items() if v is not strawberry.UNSET})
    if isinstance(value, Mapping):
        return tuple((name, _canonical(value[name])) for name in sorted(value))
    if isinstance(value, list | tuple):
        return tuple(_canonical(item) for item in value)
    return value.isoformat() if isinstance(value, date) else value


def _graphql_name(field: Any) -> str:
    head, *rest = field.python_name.split("_")
    named: str | None = field.graphql_name
    return named or head + "".join(part.capitalize() for part in rest)


def encode_cursor(mark: str, values: Sequence[Any]) -> str:
    """The opaque place of a row."""
    data = orjson.dumps([mark, *values], default=str)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_cursor(text: str, mark: str, keys: Sequence[Sort]) -> list[Any]:
    """The sort values of a cursor of this very list; Invalid for any other."""
    try:
        data = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError as error:
        raise Invalid("The cursor is not one of ours.", path=("after",)) from error
    if not isinstance(data, list) or len(data) != len(keys) + 1 or data[0] != mark:
        raise Invalid("The cursor belongs to a list with another ordering or filter.")
    try:
        return [_typed(value, key.column) for value, key in zip(data[1:], keys, strict=True)]
    except (ValueError, OverflowError) as error:
        raise Invalid("The cursor is not one of ours.") from error


def _typed(value: Any, column: ColumnElement[Any]) -> Any:
    if value is None:
        return None
    if isinstance(column.type, Date | DateTime | PgUUID) and not isinstance(value, str):
        raise ValueError(value)
    if isinstance(column.type, DateTime):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(UTC)
    if isinstance(column.type, Date):
        return date.fromisoformat(value)
    if isinstance(column.type, PgUUID):
        return UUID(value)
    wanted: Callable[[Any], Any] = column.type.python_type
    if not isinstance(value, wanted) or isinstance(value, bool):  # type: ignore[arg-type]
        raise ValueError(value)
    # A forged cursor may hold what PostgreSQL cannot read.
    if (isinstance(value, int) and value not in BIGINT) or (
        isinstance(value, str) and "\0" in value
    ):
        raise ValueError(value)
    return value


def beyond(keys: Sequence[Sort], values: Sequence[Any], *, backwards: bool) -> ColumnElement[bool]:
    """Rows that stand behind the given sort values."""
    choices: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for key, value in zip(keys, values, strict=True):
        choices.append(and_(*equal, key.after(value, backwards=backwards)))
        equal.append(key.column.is_(None) if value is None else key.column == value)
    return or_(*choices)
