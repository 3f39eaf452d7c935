"""What an answer tells of the members in it."""

from app.semantic.compile.asked import Json
from app.semantic.compile.selection import Selection
from app.semantic.model.meta import drill, given, open_meta, type_of
from app.semantic.model.nouns import Dimension, Field, M, Measure, Model


def annotation(model: Model, chosen: Selection, masked: frozenset[str]) -> Json:
    """Titles and types of the selected members, by the keys of the answer's rows."""
    times: Json = {}
    for one, field in chosen.times:
        if one.granularity:
            told = _dimension(model, field, masked)
            times[f"{one.dimension}.{one.granularity}"] = times[one.dimension] = told
    return {
        "measures": {name: _measure(model, one) for name, one in chosen.measures.items()},
        "dimensions": {
            name: _dimension(model, one, masked) for name, one in chosen.dimensions.items()
        },
        "segments": {name: _named(one) for name, one in chosen.segments.items() if one.public},
        "timeDimensions": times,
    }


def _measure(model: Model, field: Field[Measure]) -> Json:
    told = {"type": type_of(field.member)} | given(format=field.member.format)
    return _named(field) | told | drill(model, field)


def _dimension(model: Model, field: Field[Dimension], masked: frozenset[str]) -> Json:
    told = _named(field) | {"type": field.member.type} | given(format=field.member.format)
    if not model.has_policies:
        return told
    secured = field.member.path in masked
    return told | {"meta": told.get("meta", {}) | {"secured": secured, "__secured": secured}}


def _named(field: Field[M]) -> Json:
    told = {"title": field.title, "shortTitle": field.short_title}
    meta = open_meta(field.member.meta)
    return told | given(description=field.member.description, meta=meta)
