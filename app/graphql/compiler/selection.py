"""What an operation selects of one type: fields merged by response name, directives decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values

from app.graphql.compiler.standins import StepsAside

Composite = GraphQLObjectType | GraphQLInterfaceType
LONGEST_NAME = 63
"""PostgreSQL cuts longer names, and names of columns become names in the answer."""


@dataclass(frozen=True)
class Selected:
    """One field of the answer: its name there, its definition, and all places that select it."""

    name: str
    definition: GraphQLField | None
    nodes: tuple[FieldNode, ...]

    @property
    def field_name(self) -> str:
        """The field's own name."""
        return self.nodes[0].name.value

    @property
    def sets(self) -> list[SelectionSetNode]:
        """What is selected below it."""
        return [node.selection_set for node in self.nodes if node.selection_set]


@dataclass
class Selections:
    """Reads the selection sets of one operation."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    used: set[str] = field(default_factory=set)

    def of(self, parent: Composite, sets: Sequence[SelectionSetNode]) -> list[Selected]:
        """The fields of an object of type `parent`, in the order of the answer."""
        found: dict[str, list[FieldNode]] = {}
        for selection_set in sets:
            self._collect(parent, selection_set, found, set())
        if not found and parent is not self.schema.query_type:
            raise StepsAside("an object without fields")
        return [self._selected(parent, name, nodes) for name, nodes in found.items()]

    def arguments(self, selected: Selected) -> dict[str, Any]:
        """The field's arguments by their GraphQL names, with what stands in the variables."""
        assert selected.definition is not None
        return get_argument_values(selected.definition, selected.nodes[0], self.variables)

    def _selected(self, parent: Composite, name: str, nodes: list[FieldNode]) -> Selected:
        if len(name) > LONGEST_NAME:
            raise StepsAside("a name of more than 63 characters")
        own = nodes[0].name.value
        definition = None if own == "__typename" else parent.fields.get(own)
        if definition is None and own != "__typename":
            raise StepsAside("introspection")
        return Selected(name, definition, tuple(nodes))

    def _collect(
        self,
        parent: Composite,
        selection_set: SelectionSetNode,
        found: dict[str, list[FieldNode]],
        seen: set[str],
    ) -> None:
        for node in selection_set.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._fits(parent, condition.name.value):
                    self._collect(parent, node.selection_set, found, seen)
            else:
                assert isinstance(node, FragmentSpreadNode)
                name = node.name.value
                fragment = self.fragments[name]
                if name not in seen and self._fits(parent, fragment.type_condition.name.value):
                    seen.add(name)
                    self._collect(parent, fragment.selection_set, found, seen)

    def _fits(self, parent: Composite, name: str) -> bool:
        wanted = self.schema.get_type(name)
        if wanted is parent:
            return True
        abstract = isinstance(wanted, GraphQLInterfaceType)
        return abstract and self.schema.is_sub_type(wanted, parent)  # type: ignore[arg-type]

    def _included(self, node: Any) -> bool:
        if not node.directives:
            return True
        for directive in node.directives:
            if directive.name.value not in ("skip", "include") or directive.arguments is None:
                raise StepsAside(f"the directive @{directive.name.value}")
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])
