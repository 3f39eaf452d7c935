"""Whether a document asks for the roots of a model, told without the model's types."""

from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)

ROOTS = frozenset({"table", "cube"})
MOST_TOKENS = 5000


def names_roots(document: str) -> bool:
    """Whether a query in it selects `table` or `cube`; False for what is no document."""
    try:
        tree = parse(document, no_location=True, max_lexical_tokens=MOST_TOKENS)
    except (GraphQLError, RecursionError):
        return False
    return not ROOTS.isdisjoint(_root_fields(tree))


def _root_fields(tree: DocumentNode) -> Iterator[str]:
    fragments = {
        one.name.value: one for one in tree.definitions if isinstance(one, FragmentDefinitionNode)
    }
    left: list[SelectionSetNode] = [
        one.selection_set
        for one in tree.definitions
        if isinstance(one, OperationDefinitionNode) and one.operation is OperationType.QUERY
    ]
    while left:
        for one in left.pop().selections:
            if isinstance(one, FieldNode):
                yield one.name.value
            elif isinstance(one, InlineFragmentNode):
                left.append(one.selection_set)
            elif isinstance(one, FragmentSpreadNode):
                found = fragments.pop(one.name.value, None)
                left += [] if found is None else [found.selection_set]
