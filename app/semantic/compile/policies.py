"""What a model's policies do to a caller's query: masks on dimensions, segments that are added."""

from collections.abc import Iterable

from app.semantic.compile.joins import Route, Tree, tree
from app.semantic.model.nouns import Model, Segment


def masked(model: Model, group: str | None) -> frozenset[str]:
    """Paths of the dimensions that callers of a user group see masked."""
    if not model.has_policies:
        return frozenset()
    return frozenset(
        one.path
        for table in model.tables.values()
        for one in table.dimensions.values()
        if one.mask and one.mask.groups.cover(group)
    )


def with_policies(
    model: Model, routes: Iterable[Route], group: str | None, root: str | None = None
) -> tuple[Tree, list[Segment]]:
    """The tree over the named tables, and the segments that callers of a group get on all of them.

    Those may name further tables, which bring theirs.
    """
    wanted = list(routes)
    added: dict[Segment, None] = {}
    while True:
        whole = tree(model, wanted, root)
        found = [one for table in whole.tables for one in _segments(model, group, table)]
        if len(found) == len(added):
            return whole, list(added)
        added = dict.fromkeys(found)
        root = whole.root
        wanted += [(table,) for one in added for table in model.uses[one.path].tables]


def _segments(model: Model, group: str | None, table: str) -> list[Segment]:
    return [
        one
        for one in model.tables[table].segments.values()
        if one.groups and one.groups.cover(group)
    ]
