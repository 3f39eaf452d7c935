"""Parts of operations: an object of a row whose key is known only while the rest is executed."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    VariableNode,
    Visitor,
    visit,
)

from app.graphql.compiler.cache import Plans
from app.graphql.compiler.plan import Part

MAX_PARTS = 64


class Parts:
    """The plans of one operation's parts, by the fields that select them and the type of the row."""

    def __init__(self) -> None:
        self._plans: dict[Any, Plans] = {}

    def plans(
        self,
        target: str,
        nodes: Sequence[FieldNode],
        fragments: Mapping[str, FragmentDefinitionNode],
        most: int | None = None,
    ) -> Plans:
        """The plans of a row's object, or of `most`, for the places that select of it."""
        # The document that the nodes belong to lives as long as this does.
        key = (target, most, *map(id, nodes))
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= MAX_PARTS:
                self._plans.pop(next(iter(self._plans)))
            sets = tuple(node.selection_set for node in nodes if node.selection_set)
            part = Part(target, sets, _variables(sets, fragments), most)
            found = self._plans[key] = Plans(part)
        return found


def _variables(
    sets: Sequence[Any], fragments: Mapping[str, FragmentDefinitionNode]
) -> frozenset[str]:
    """The variables that are used in selection sets and the fragments that they spread."""
    finder = _Finder()
    waiting = list(sets)
    while waiting:
        visit(waiting.pop(), finder)
        new, finder.spreads = finder.spreads - finder.seen, set()
        finder.seen |= new
        waiting += [fragments[name] for name in new]
    return frozenset(finder.variables)


class _Finder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self.spreads: set[str] = set()
        self.seen: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.spreads.add(node.name.value)
