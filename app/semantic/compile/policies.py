"""What a model's policies do to a caller's query: masks on dimensions, segments that are added."""

from app.semantic.model.nouns import Model, Segment


def masked(model: Model, group: str | None) -> frozenset[str]:
    """Paths of the dimensions that callers of a user group see masked."""
    return frozenset(
        one.path
        for table in model.tables.values()
        for one in table.dimensions.values()
        if one.mask and one.mask.groups.cover(group)
    )


def segments(model: Model, group: str | None, table: str) -> list[Segment]:
    """The segments of a table that every query of the group on it has."""
    return [
        one
        for one in model.tables[table].segments.values()
        if one.groups and one.groups.cover(group)
    ]
