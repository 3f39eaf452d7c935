"""What a request asks, in its normal form."""

from dataclasses import dataclass, field
from typing import Any, Literal

from app.semantic.compile.dates import Range

Json = dict[str, Any]
QueryType = Literal["regularQuery", "compareDateRangeQuery", "blendingQuery"]


@dataclass(frozen=True)
class Test:
    """A filter on one member. `said` is what the query says, for messages."""

    member: str
    operator: str
    values: tuple[str | None, ...]
    said: str


@dataclass(frozen=True)
class Group:
    """Filters of which all (`and`) or one (`or`) must hold."""

    kind: Literal["and", "or"]
    filters: tuple["Test | Group", ...]
    said: str


Filter = Test | Group


@dataclass(frozen=True)
class TimeDimension:
    """A dimension in buckets of a granularity, or, without one, only in a range."""

    dimension: str
    granularity: str | None
    range: Range | None


@dataclass(frozen=True)
class Normal:
    """One query. `order` is None where the query says nothing of it; `echo` is how clients see it."""

    measures: tuple[str, ...]
    dimensions: tuple[str, ...]
    time_dimensions: tuple[TimeDimension, ...]
    filters: tuple[Filter, ...]
    segments: tuple[str, ...]
    order: tuple[tuple[str, bool], ...] | None
    limit: int
    offset: int | None
    timezone: str
    total: bool
    ungrouped: bool
    renew: bool
    compact: bool
    echo: Json = field(compare=False)


@dataclass(frozen=True)
class Asked:
    """What one request asks: one query, one for each compared range, or several to blend."""

    type: QueryType
    queries: tuple[Normal, ...]
