"""The nouns of a semantic model as its files say them: read once, checked, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from sqlglot import exp

GRANULARITIES = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where something is said: a file and a line, counted from 1."""

    file: str
    line: int


@dataclass(frozen=True, eq=False)
class Fragment:
    """SQL of an author, parsed once.

    A reference `{orders.count}` stands in the tree as an identifier with its braces; `names` has it
    without them. `bare` says that a column without a table is one of the author's own table.
    """

    tree: exp.Expr
    names: tuple[str, ...]
    bare: bool
    text: str
    place: Place


@dataclass(frozen=True)
class Groups:
    """Whom a policy is for, by names of user groups; `*` is everybody."""

    includes: frozenset[str]
    excludes: frozenset[str] = frozenset()

    def cover(self, group: str | None) -> bool:
        """Whether a caller of this user group is meant."""
        return bool(self.includes & {group, "*"}) and not self.excludes & {group, "*"}


@dataclass(frozen=True)
class Mask:
    """What the callers of some groups see in place of a dimension's values."""

    func: Literal["redact", "md5"]
    groups: Groups


@dataclass(frozen=True)
class Window:
    """Which buckets a rolling measure adds up, as `2 week`, `unbounded`, or None for no reach."""

    trailing: str | None
    leading: str | None
    offset: Literal["start", "end"]


@dataclass(frozen=True)
class RefreshKey:
    """When a cached answer is asked anew: every so many seconds or at a cron line, if `sql` changed."""

    every: int | None = None
    cron: str | None = None
    timezone: str = "UTC"
    sql: str | None = None
    immutable: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Dimension:
    """A value that each row of a table has."""

    table: str
    name: str
    path: str
    place: Place
    type: str
    sql: Fragment
    title: str | None = None
    description: str | None = None
    public: bool = True
    meta: Json | None = None
    format: Any = None
    primary_key: bool = False
    suggest_filter_values: bool = True
    mask: Mask | None = None
    sub_query: bool = False
    propagate_filters: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """A value of many rows. Only a count may be without SQL."""

    table: str
    name: str
    path: str
    place: Place
    type: str
    sql: Fragment | None = None
    title: str | None = None
    description: str | None = None
    public: bool = True
    meta: Json | None = None
    format: Any = None
    filters: tuple[Fragment, ...] = ()
    window: Window | None = None
    drill_members: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Segment:
    """A named condition. `groups` are those of whose queries it is part without being asked for."""

    table: str
    name: str
    path: str
    place: Place
    sql: Fragment
    title: str | None = None
    description: str | None = None
    public: bool = True
    meta: Json | None = None
    groups: Groups | None = None


Member = Dimension | Measure | Segment
M = TypeVar("M", Dimension, Measure, Segment)


@dataclass(frozen=True, eq=False)
class Join:
    """How the table `target` is joined to the declaring `source`."""

    source: str
    target: str
    relationship: str
    sql: Fragment
    place: Place


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """A table of a data source, or a select on it, with its members."""

    name: str
    place: Place
    alias: str
    source: exp.Expr
    text: str
    title: str
    description: str | None
    public: bool
    meta: Json | None
    data_source: str
    refresh_key: RefreshKey
    joins: Mapping[str, Join]
    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    segments: Mapping[str, Segment]
    pre_aggregations: tuple[Json, ...] = ()

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """All members by name."""
        return {**self.dimensions, **self.measures, **self.segments}

    @cached_property
    def keys(self) -> tuple[Dimension, ...]:
        """The dimensions that tell its rows apart."""
        return tuple(one for one in self.dimensions.values() if one.primary_key)


@dataclass(frozen=True)
class Column:
    """A column of a table that is no member: `{TABLE.column}`."""

    table: str
    name: str


Reference = Table | Dimension | Measure | Column


@dataclass(frozen=True, eq=False)
class Field(Generic[M]):
    """A member under the name that queries use: its own, or the one that a view gives it.

    `route` are the tables on the way to the member; the last one has it.
    """

    path: str
    member: M
    route: tuple[str, ...]
    title: str
    short_title: str
    public: bool
    drill_members: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """A table or a view as callers see it."""

    name: str
    kind: Literal["table", "view"]
    title: str
    description: str | None
    public: bool
    meta: Json | None
    measures: Mapping[str, Field[Measure]]
    dimensions: Mapping[str, Field[Dimension]]
    segments: Mapping[str, Field[Segment]]


@dataclass(frozen=True)
class UserGroup:
    """Callers who may do the same. `includes` and `excludes` are ids of callers, or `*`."""

    name: str
    scopes: frozenset[str]
    includes: frozenset[str]
    excludes: frozenset[str] = frozenset()
    description: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who asks: an id, and names of user groups that the credential gave."""

    user: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Uses:
    """What the SQL of a member needs: tables, its own first, and dimensions that are sub-queries."""

    tables: tuple[str, ...]
    sub_queries: tuple[Dimension, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """Everything that queries can ask for.

    `references` has what each `{name}` in the SQL of a table's members stands for, by the names of
    both. `uses` and `leaves` go by the paths of members: a leaf is a measure that aggregates rows.
    `paths` has the joins from one table to another. `memo` is what the compiler remembers of it.
    """

    tables: Mapping[str, Table]
    entries: Mapping[str, Entry]
    user_groups: tuple[UserGroup, ...]
    references: Mapping[tuple[str, str], Reference]
    uses: Mapping[str, Uses]
    leaves: Mapping[str, tuple[Measure, ...]]
    paths: Mapping[str, Mapping[str, tuple[Join, ...]]]
    has_policies: bool
    memo: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelError:
    """One fault of a model's files; `path` leads to it, as `orders.count.type`."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return where + (f"{self.path}: " if self.path else "") + self.message


class ModelErrors(Exception):
    """A model that cannot be served, with everything that is wrong in it."""

    def __init__(self, errors: list[ModelError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)
