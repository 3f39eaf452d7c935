"""The members that a query names, found in the model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any

from app.semantic.compile.asked import Filter, Normal, TimeDimension
from app.semantic.compile.errors import user_error
from app.semantic.compile.filters import members
from app.semantic.compile.joins import Route
from app.semantic.compile.scope import alias
from app.semantic.model.nouns import (
    Dimension,
    Entry,
    Field,
    M,
    Measure,
    Member,
    Model,
    Segment,
)

_MEASURES: Callable[[Entry], Mapping[str, Field[Measure]]] = attrgetter("measures")
_DIMENSIONS: Callable[[Entry], Mapping[str, Field[Dimension]]] = attrgetter("dimensions")
_SEGMENTS: Callable[[Entry], Mapping[str, Field[Segment]]] = attrgetter("segments")


@dataclass(frozen=True)
class Selection:
    """Fields of a query by the names it uses; `filtered` are those that filters name."""

    measures: dict[str, Field[Measure]]
    dimensions: dict[str, Field[Dimension]]
    times: tuple[tuple[TimeDimension, Field[Dimension]], ...]
    segments: dict[str, Field[Segment]]
    filtered: dict[str, Field[Measure] | Field[Dimension]]
    on_rows: tuple[Filter, ...]
    on_results: tuple[Filter, ...]

    @cached_property
    def buckets(self) -> dict[tuple[str, str], Dimension]:
        """Time dimensions in buckets, by their names and granularities."""
        return {
            (one.dimension, one.granularity): field.member
            for one, field in self.times
            if one.granularity
        }

    def routes(self, model: Model) -> Iterator[Route]:
        """The tables that are named, in the order of first use, each with its way if it has one."""
        fields: tuple[Field[Measure] | Field[Dimension] | Field[Segment], ...] = (
            *self.measures.values(),
            *self.dimensions.values(),
            *self.segments.values(),
            *self.filtered.values(),
            *(field for _, field in self.times),
        )
        for field in fields:
            yield field.route
            yield from ((table,) for table in model.uses[field.member.path].tables[1:])

    def grounds(self) -> Iterator[Member]:
        """The members of which dimensions and conditions on rows are made."""
        yield from (one.member for one in self.dimensions.values())
        yield from (one.member for one in self.segments.values())
        yield from (one.member for _, one in self.times)
        yield from (one for one in self._filtered() if isinstance(one, Dimension))

    def tested(self) -> tuple[Measure, ...]:
        """The measures that filters name."""
        return tuple(one for one in self._filtered() if isinstance(one, Measure))

    def _filtered(self) -> Iterator[Measure | Dimension]:
        return (one.member for one in self.filtered.values())


def selected(model: Model, query: Normal) -> Selection:
    """The selection of a query. UserError for an unknown or a hidden member."""
    measures = {name: _find(model, _MEASURES, name) for name in query.measures}
    dimensions = {name: _find(model, _DIMENSIONS, name) for name in query.dimensions}
    times = tuple((one, _find(model, _DIMENSIONS, one.dimension)) for one in query.time_dimensions)
    buckets = [field for one, field in times if one.granularity]
    shown: list[Field[Any]] = [*measures.values(), *dimensions.values(), *buckets]
    for field in shown:
        _check_visible(field)
    for one, found in times:
        _check_time(one, found)
    on_rows, on_results = _divided(model, query.filters)
    names = (name for one in query.filters for name in members(one))
    return Selection(
        measures=measures,
        dimensions=dimensions,
        times=times,
        segments={name: _find(model, _SEGMENTS, name) for name in query.segments},
        filtered={name: find(model, name) for name in names},
        on_rows=on_rows,
        on_results=on_results,
    )


def find(model: Model, path: str) -> Field[Measure] | Field[Dimension]:
    """The measure or dimension of a path. UserError."""
    entry, name = _entry(model, path)
    if name in entry.measures:
        return entry.measures[name]
    if name in entry.dimensions:
        return entry.dimensions[name]
    raise user_error(f"'{name}' not found for path '{path}'")


def _divided(
    model: Model, filters: tuple[Filter, ...]
) -> tuple[tuple[Filter, ...], tuple[Filter, ...]]:
    """Filters on rows, and those on measures, which hold for results."""
    on_rows: list[Filter] = []
    on_results: list[Filter] = []
    for one in filters:
        kinds = {isinstance(find(model, name).member, Measure) for name in members(one)}
        if len(kinds) > 1:
            raise user_error(f"You cannot use dimension and measure in same condition: {one.said}")
        (on_results if kinds == {True} else on_rows).append(one)
    return tuple(on_rows), tuple(on_results)


def _find(model: Model, kind: Callable[[Entry], Mapping[str, Field[M]]], path: str) -> Field[M]:
    entry, name = _entry(model, path)
    fields = kind(entry)
    if name not in fields:
        raise user_error(f"'{name}' not found for path '{path}'")
    return fields[name]


def _entry(model: Model, path: str) -> tuple[Entry, str]:
    table, _, name = path.partition(".")
    if table not in model.entries:
        raise user_error(f"Cube '{table}' not found for path '{path}'")
    return model.entries[table], name


def _check_visible(field: Field[Any]) -> None:
    if not field.public:
        raise user_error(
            f"You requested hidden member: '{alias(field.path)}'. Please make it visible using"
            " `public: true`. Please note primaryKey fields are `public: false` by default."
        )


def _check_time(one: TimeDimension, field: Field[Dimension]) -> None:
    if field.member.type != "time":
        raise user_error(f"'{one.dimension}' is no time dimension: its type is {field.member.type}")
