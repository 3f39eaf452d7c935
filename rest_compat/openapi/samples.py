"""Typed data of a stored operation, as its selections and the graph's types say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from app.graphql.execute import StoredOperation
from rest_compat.openapi.seen import ANY, FreeList, FreeObject

SCALARS: tuple[Mapping[str, Any], ...] = (
    {
        "Int": 7,
        "Float": 1.5,
        "Boolean": True,
        "DateTime": "2026-11-21T23:17:33.000000Z",
        "BigInt": "7001",
        "Cron": "@hourly",
    },
    {
        "Int": 91_007,
        "Float": 90_061.25,
        "Boolean": False,
        "DateTime": "2025-01-02T03:04:05.678900Z",
        "BigInt": "91",
        "Cron": "@daily",
    },
)
"""Values of the graph's scalars in two worlds; others are texts, JSON is free."""
DEPTHS = (1, 2, 3)
"""Null at the root says that something is missing, which is a failure and no body."""
Parent = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True)
class Variant:
    """One way to fill an operation's data."""

    world: int = 0
    turn: int = 0
    """Which of the values of each enumeration."""
    without_values: bool = False
    without_objects: int = 0
    """From which depth on objects that may be null are; 0 for nowhere."""
    without_rows: int | None = None
    """From which depth on lists are empty; None for nowhere."""
    includes: bool = True
    """Whether what `@include` guards is there."""


def variants(turns: int) -> Iterator[Variant]:
    """Every way: full, empty, without what may be null, with each word of the enumerations."""
    for world in (0, 1):
        for turn in range(turns):
            yield Variant(world, turn)
        for includes in (True, False):
            yield Variant(world, includes=includes)
            yield Variant(world, without_values=True, includes=includes)
            for depth in DEPTHS:
                yield Variant(world, without_objects=depth, includes=includes)
        for depth in (0, *DEPTHS):
            yield Variant(world, without_rows=depth)


class Sampler:
    """Makes data of one operation. `known` gives the values of leaves, named as `Type.field`, null among them."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: StoredOperation,
        known: Mapping[str, Sequence[Any]],
    ) -> None:
        self.schema = schema
        self.known = known
        self.fragments = {
            d.name.value: d
            for d in operation.document.definitions
            if isinstance(d, FragmentDefinitionNode)
        }
        self.node = next(
            d
            for d in operation.document.definitions
            if isinstance(d, OperationDefinitionNode)
            and (d.name.value if d.name else None) == operation.name
        )
        self.turns = 1

    @property
    def root(self) -> Parent:
        """The type of the operation's root fields."""
        root = self.schema.get_root_type(self.node.operation)
        assert root is not None
        return root

    def first_field(self) -> Any:
        """The definition of its first root field."""
        return next(self._fields(self.root, self.node.selection_set, Variant()))[2]

    def data(self, variant: Variant) -> dict[str, Any]:
        """The operation's data in one variant."""
        return self._object(self.root, self.node.selection_set, variant, depth=0)

    def _object(
        self, parent: Parent, selections: SelectionSetNode, variant: Variant, depth: int
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, node, field in self._fields(parent, selections, variant):
            value = self._value(
                f"{parent.name}.{node.name.value}", field.type, node, variant, depth
            )
            merged = isinstance(made.get(key), dict) and isinstance(value, dict)
            made[key] = {**made[key], **value} if merged else value
        return made

    def _fields(
        self, parent: Parent, selections: SelectionSetNode, variant: Variant
    ) -> Iterator[tuple[str, FieldNode, Any]]:
        for node in selections.selections:
            if node.directives and not variant.includes:
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                yield key, node, parent.fields[node.name.value]
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                yield from self._fields(parent, fragment.selection_set, variant)
            else:
                yield from self._fields(parent, node.selection_set, variant)  # type: ignore[attr-defined]

    def _value(self, name: str, type_: Any, node: FieldNode, variant: Variant, depth: int) -> Any:
        if name.endswith("Payload.errors"):
            return []
        may_lack = not is_non_null_type(type_) and name not in self.known
        if may_lack and self._is_left_out(node, variant, depth):
            return None
        inner = type_.of_type if is_non_null_type(type_) else type_
        if is_list_type(inner):
            item = self._value(name, inner.of_type, node, variant, depth)
            empty = variant.without_rows is not None and variant.without_rows <= depth
            return [] if empty or item is None else [item, item]
        named = get_named_type(inner)
        if node.selection_set is None:
            return self._leaf(name, named, variant)
        return self._object(named, node.selection_set, variant, depth + 1)

    @staticmethod
    def _is_left_out(node: FieldNode, variant: Variant, depth: int) -> bool:
        if node.selection_set is None:
            return variant.without_values
        return 0 < variant.without_objects <= depth

    def _leaf(self, name: str, named: Any, variant: Variant) -> Any:
        if isinstance(named, GraphQLEnumType):
            words = list(named.values)
            self.turns = max(self.turns, len(words))
            return words[variant.turn % len(words)]
        if name in self.known:
            self.turns = max(self.turns, len(self.known[name]))
            return self.known[name][variant.turn % len(self.known[name])]
        if named.name == "JSON":
            return _free(variant.world)
        if variant.without_values and named.name in ("Int", "Float"):
            return 0 if named.name == "Int" else 0.0
        text = f"{'other' if variant.world else 'some'} {name}"
        if named.name == "Boolean":
            return (variant.turn + variant.world) % 2 == 0
        return SCALARS[variant.world].get(named.name, text)


def _free(world: int) -> FreeObject:
    """An object of free JSON with a value of free JSON."""
    made = FreeObject()
    made[ANY] = FreeList() if world else FreeObject()
    return made
