"""From which table a query starts, which joins it takes, and whose rows they repeat."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from app.semantic.compile.errors import user_error
from app.semantic.model.nouns import Join, Model

Route = tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """The tables of a query: the root, and the joins from it in the order in which they are made."""

    root: str
    joins: tuple[Join, ...]

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """All of them, the root first."""
        return (self.root, *(join.target for join in self.joins))

    @cached_property
    def multiplied(self) -> frozenset[str]:
        """Tables whose rows the joins can repeat: some way from them leads to many."""
        return frozenset(name for name in self.tables if self._leads_to_many(name))

    def narrowed(self, tables: Iterable[str]) -> "Tree":
        """The tree with only the joins that lead to some of its tables."""
        wanted, kept = set(tables), list[Join]()
        for join in reversed(self.joins):
            if join.target in wanted:
                wanted.add(join.source)
                kept.insert(0, join)
        return Tree(self.root, tuple(kept))

    def _leads_to_many(self, start: str) -> bool:
        ahead: list[tuple[str, Join | None]] = [(start, None)]
        for name, came_by in ahead:
            for join in self.joins:
                if join is came_by or name not in (join.source, join.target):
                    continue
                forwards = join.source == name
                if join.relationship == ("one_to_many" if forwards else "many_to_one"):
                    return True
                ahead.append((join.target if forwards else join.source, join))
        return False


def tree(model: Model, routes: Iterable[Route], root: str | None = None) -> Tree:
    """The tree with the fewest joins over the tables that are named, in the order of first use.

    A route of several tables is taken as it stands. UserError where no table reaches all.
    """
    wanted = tuple(dict.fromkeys(routes))
    starts = [root] if root else list(dict.fromkeys(route[0] for route in wanted))
    found = [one for start in starts if (one := _from(model, start, wanted)) is not None]
    if not found:
        names = dict.fromkeys(route[-1] for route in wanted)
        raise user_error(f"Can't find join path to join {', '.join(f'{one!r}' for one in names)}")
    return min(found, key=lambda one: len(one.joins))


def _from(model: Model, root: str, wanted: tuple[Route, ...]) -> Tree | None:
    joins: dict[str, Join] = {}
    for route in wanted:
        path = _path(model, root, route)
        if path is None:
            return None
        for join in path:
            if join.target != root:
                joins.setdefault(join.target, join)
    return Tree(root, tuple(_in_order(root, joins)))


def _path(model: Model, root: str, route: Route) -> tuple[Join, ...] | None:
    start = model.paths[root].get(route[0])
    if start is None:
        return None
    steps = pairwise(route)
    return (*start, *(model.tables[source].joins[target] for source, target in steps))


def _in_order(root: str, joins: Mapping[str, Join]) -> Iterable[Join]:
    """The joins, each behind the one that brings its source."""
    there, left = {root}, list(joins.values())
    while left:
        ready = [join for join in left if join.source in there]
        yield from ready
        there |= {join.target for join in ready}
        left = [join for join in left if join not in ready]
