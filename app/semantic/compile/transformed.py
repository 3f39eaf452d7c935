"""What clients of Cube are told of a query's shape: whether stored roll-ups could answer it."""

from app.semantic.compile.asked import Json, Normal, Test
from app.semantic.compile.joins import tree
from app.semantic.compile.measures import is_additive
from app.semantic.compile.selection import Selection, selected
from app.semantic.model.nouns import Measure, Model

_FINER = ("year", "quarter", "month", "day", "hour", "minute", "second")


def transformed(model: Model, query: Normal) -> Json:
    """A summary of a query: its members in order, its leaves, whether parts of it can be added up."""
    chosen = selected(model, query)
    leaves = {
        name: [_leaf(one) for one in model.leaves[field.member.path]]
        for name, field in chosen.measures.items()
    }
    additive = all(one["additive"] for found in leaves.values() for one in found)
    times = sorted([one.dimension, one.granularity or "day"] for one in query.time_dimensions)
    dimensions = sorted(query.dimensions)
    filtered = set(chosen.filtered) | {one.dimension for one in query.time_dimensions}
    within = filtered <= {*dimensions, *(one.dimension for one in query.time_dimensions)}
    multiplied = tree(model, chosen.routes(model)).multiplied
    everything = [
        one for field in chosen.measures.values() for one in model.leaves[field.member.path]
    ]
    return {
        "sortedDimensions": dimensions,
        "sortedTimeDimensions": times,
        "timeDimensions": times,
        "measures": list(query.measures),
        "leafMeasureAdditive": additive,
        "leafMeasures": list(
            dict.fromkeys(one["measure"] for found in leaves.values() for one in found)
        ),
        "measureToLeafMeasures": leaves,
        "hasNoTimeDimensionsWithoutGranularity": all(
            one.granularity for one in query.time_dimensions
        ),
        "allFiltersWithinSelectedDimensions": within,
        "isAdditive": additive,
        "granularityHierarchies": _hierarchies(),
        "hasMultipliedMeasures": any(one.table in multiplied for one in everything),
        "hasCumulativeMeasures": any(one.window for one in everything),
        "windowGranularity": None,
        "filterDimensionsSingleValueEqual": _single_values(query, chosen),
        "ownedDimensions": dimensions,
        "ownedTimeDimensionsWithRollupGranularity": times,
        "ownedTimeDimensionsAsIs": times,
        "allBackAliasMembers": {},
        "hasPostAggregate": False,
    }


def _leaf(one: Measure) -> Json:
    additive = is_additive(one) or one.type == "count_distinct_approx"
    return {"measure": one.path, "additive": additive, "type": one.type}


def _hierarchies() -> Json:
    found = {one: list(_FINER[number:]) for number, one in enumerate(_FINER)}
    # Clients have always been told of months twice here.
    found["year"].insert(2, "month")
    return found | {"week": ["week", *_FINER[3:]]}


def _single_values(query: Normal, chosen: Selection) -> Json:
    return {
        one.member: one.values[0]
        for one in query.filters
        if isinstance(one, Test)
        and one.operator == "equals"
        and len(one.values) == 1
        and one.member in chosen.filtered
    }
