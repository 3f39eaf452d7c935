"""How much one operation may ask for, found in one pass without ever expanding a fragment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)

from app.graphql.errors import BAD_USER_INPUT, TOO_COMPLEX, VALIDATION_FAILED

DEFAULT_PAGE = 20
# What an introspection list holds on average; `types` is counted.
INTROSPECTION_SIZES = {
    "fields": 8,
    "inputFields": 8,
    "enumValues": 8,
    "directives": 8,
    "possibleTypes": 4,
    "args": 2,
    "interfaces": 2,
}


@dataclass(frozen=True)
class GraphQLSettings:
    """Bounds and switches of the endpoint; times in seconds, sizes in bytes unless named."""

    max_body: int = 1024 * 1024
    max_document: int = 128 * 1024
    max_tokens: int = 5000
    max_depth: int = 12
    max_introspection_depth: int = 16
    max_nesting: int = 40
    max_aliases: int = 30
    max_root_fields: int = 10
    max_fields: int = 1000
    max_operations: int = 50
    max_fragments: int = 100
    max_spreads: int = 300
    max_repetitions: int = 25
    max_directives: int = 100
    max_directives_per_place: int = 20
    max_nodes: int = 50_000
    max_variable_depth: int = 64
    max_variable_objects: int = 10_000
    max_validation_errors: int = 20
    cached_documents: int = 1000
    cached_text: int = 1024 * 1024
    timeout_s: float = 15
    introspection: Literal["open", "authenticated", "off"] = "authenticated"
    playground: bool = False
    debug: bool = False
    compile: bool = True
    max_batch: int = 0
    allowed_origins: tuple[str, ...] = ()
    persisted_ttl_s: int = 24 * 3600
    persisted_count: int = 10_000
    persisted_text: int = 16 * 1024
    init_timeout_s: float = 10
    max_socket_operations: int = 100
    send_timeout_s: float = 20
    recheck_s: float = 15
    keep_alive_s: float = 12


class Shape(NamedTuple):
    """What lies below a selection set; `nesting` also counts inline fragments and spreads."""

    depth: int = 0
    introspection_depth: int = 0
    nesting: int = 0
    fields: int = 0


class _Measure:
    """Measures the selection sets of one document, each fragment once."""

    def __init__(self, document: DocumentNode) -> None:
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self.shapes: dict[str, Shape | None] = {}
        self.aliases = 0
        self.directives = 0
        self.most_directives = 0
        self.spreads = 0
        self.most_repetitions = 0
        self.introspects = False

    def count_directives(self, node: Any) -> None:
        here = len(node.directives or ())
        self.directives += here
        self.most_directives = max(self.most_directives, here)

    def selections(self, selection_set: SelectionSetNode) -> Shape:
        depth = introspection = nesting = fields = 0
        repetitions: Counter[str] = Counter()
        for node in selection_set.selections:
            self.count_directives(node)
            if isinstance(node, FieldNode):
                below = self.selections(node.selection_set) if node.selection_set else Shape()
                self.aliases += node.alias is not None
                repetitions[(node.alias or node.name).value] += 1
                fields += 1 + below.fields
                nesting = max(nesting, 1 + below.nesting)
                if node.name.value in ("__schema", "__type"):
                    self.introspects = True
                    introspection = max(introspection, 1 + below.depth, below.introspection_depth)
                    continue
                depth = max(depth, 1 + below.depth)
                introspection = max(introspection, below.introspection_depth)
                continue
            if isinstance(node, InlineFragmentNode):
                below = self.selections(node.selection_set)
            else:
                assert isinstance(node, FragmentSpreadNode)
                self.spreads += 1
                below = self.fragment(node)
            depth = max(depth, below.depth)
            introspection = max(introspection, below.introspection_depth)
            nesting = max(nesting, 1 + below.nesting)
            fields += below.fields
        self.most_repetitions = max(self.most_repetitions, *repetitions.values(), 0)
        return Shape(depth, introspection, nesting, fields)

    def fragment(self, spread: FragmentSpreadNode) -> Shape:
        name = spread.name.value
        if name in self.shapes:
            shape = self.shapes[name]
            if shape is None:
                raise GraphQLError(
                    f"Cannot spread fragment '{name}' within itself.",
                    spread,
                    extensions={"code": VALIDATION_FAILED},
                )
            return shape
        definition = self.fragments.get(name)
        if definition is None:
            return Shape()  # validation names the unknown fragment
        self.shapes[name] = None
        self.count_directives(definition)
        shape = self.shapes[name] = self.selections(definition.selection_set)
        return shape

    def root_keys(self, selection_set: SelectionSetNode) -> int:
        """Number of distinct response names at the root."""
        keys: set[str] = set()
        seen: set[str] = set()
        waiting = [selection_set]
        while waiting:
            for node in waiting.pop().selections:
                if isinstance(node, FieldNode):
                    keys.add(node.alias.value if node.alias else node.name.value)
                elif isinstance(node, InlineFragmentNode):
                    waiting.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    definition = self.fragments.get(node.name.value)
                    if definition is not None:
                        waiting.append(definition.selection_set)
        return len(keys)


def check_document(document: DocumentNode, settings: GraphQLSettings) -> bool:
    """Raise GraphQLError if a parsed document exceeds a limit; True if it reads the schema.

    Linear in the length of the text: call it before validation, whose rules are not.
    """
    measure = _Measure(document)
    try:
        _check(measure, document, settings)
    except RecursionError:
        raise _too_complex("Fragments are chained too deeply.") from None
    return measure.introspects


def _check(measure: _Measure, document: DocumentNode, settings: GraphQLSettings) -> None:
    fields = operations = 0
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations += 1
            measure.count_directives(definition)
            for variable in definition.variable_definitions or ():
                measure.count_directives(variable)
            shape = measure.selections(definition.selection_set)
            fields += shape.fields
            roots = measure.root_keys(definition.selection_set)
            depth = settings.max_depth
        elif isinstance(definition, FragmentDefinitionNode):
            name = definition.name
            shape = measure.fragment(FragmentSpreadNode(name=name, loc=name.loc))
            roots = 0
            depth = settings.max_depth
            if definition.type_condition.name.value.startswith("__"):
                depth = settings.max_introspection_depth
        else:
            continue  # validation refuses definitions of types
        for found, limit, what in (
            (shape.depth, depth, "levels of fields"),
            (
                shape.introspection_depth,
                settings.max_introspection_depth,
                "introspection levels",
            ),
            (shape.nesting, settings.max_nesting, "nested selections"),
            (
                max(fields, shape.fields),
                settings.max_fields,
                "fields, fragments included",
            ),
            (operations, settings.max_operations, "operations"),
            (len(measure.fragments), settings.max_fragments, "fragments"),
            (measure.spreads, settings.max_spreads, "fragment spreads"),
            (
                measure.most_repetitions,
                settings.max_repetitions,
                "fields of the same name in one place",
            ),
            (roots, settings.max_root_fields, "root fields"),
            (measure.aliases, settings.max_aliases, "aliases"),
            (measure.directives, settings.max_directives, "directives"),
            (
                measure.most_directives,
                settings.max_directives_per_place,
                "directives in one place",
            ),
        ):
            if found > limit:
                shown = str(found) if found < 10**9 else "very many"
                raise _too_complex(f"The document has {shown} {what}; at most {limit} are allowed.")


def check_strings(document: DocumentNode) -> None:
    """Raise GraphQLError if a string of the document holds the character NUL."""
    visit(document, _NulFinder())


class _NulFinder(Visitor):
    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if "\0" in node.value:
            raise GraphQLError(
                "Strings may not contain the character NUL.",
                node,
                extensions={"code": BAD_USER_INPUT},
            )


def _too_complex(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": TOO_COMPLEX})


class _Page(NamedTuple):
    """A number of objects: a constant, or a variable's name and what holds if it is absent."""

    first: int | str | None
    last: int | str | None
    default: int

    def size(self, variables: Mapping[str, Any]) -> int:
        sizes = []
        for source in (self.first, self.last):
            value = variables.get(source) if isinstance(source, str) else source
            if isinstance(value, list | tuple):
                sizes.append(len(value))
            elif isinstance(value, int):
                sizes.append(max(0, value))
        return max(sizes, default=self.default)


class PageTree(NamedTuple):
    """A list in an operation with the lists inside it."""

    page: _Page
    inside: tuple["PageTree", ...]


def page_trees(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> tuple[PageTree, ...]:
    """The paged lists of a validated operation, as `count_nodes` wants them."""
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    known: dict[str, tuple[PageTree, ...]] = {}

    def below(selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> list[PageTree]:
        trees: list[PageTree] = []
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                trees += field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = schema.get_type(condition.name.value) if condition else parent
                trees += below(node.selection_set, inner)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in known:
                    fragment = fragments[name]
                    on = schema.get_type(fragment.type_condition.name.value)
                    known[name] = tuple(below(fragment.selection_set, on))
                trees += known[name]
        return trees

    def field(node: FieldNode, parent: GraphQLNamedType | None) -> Sequence[PageTree]:
        if node.selection_set is None or not isinstance(
            parent, GraphQLObjectType | GraphQLInterfaceType
        ):
            return ()
        definition = schema.get_field(parent, node.name.value)
        if definition is None:
            return ()
        inside = below(node.selection_set, get_named_type(definition.type))
        page = _page_of(schema, node, parent, definition.args)
        return inside if page is None else (PageTree(page, tuple(inside)),)

    return tuple(below(operation.selection_set, schema.get_root_type(operation.operation)))


def _page_of(
    schema: GraphQLSchema,
    node: FieldNode,
    parent: GraphQLNamedType,
    known_args: Mapping[str, GraphQLArgument],
) -> _Page | None:
    name = node.name.value
    if parent.name.startswith("__"):
        size = len(schema.type_map) if name == "types" else INTROSPECTION_SIZES.get(name)
        return None if size is None else _Page(size, None, size)
    given: dict[str, int | str] = {}
    for argument in node.arguments or ():
        value = argument.value
        if isinstance(value, VariableNode):
            given[argument.name.value] = value.name.value
        elif isinstance(value, IntValueNode):
            given[argument.name.value] = int(value.value)
        elif isinstance(value, ListValueNode):
            given[argument.name.value] = len(value.values)
    if "ids" in known_args:
        return _Page(given.get("ids"), None, 1)
    if "first" not in known_args and "last" not in known_args:
        return None
    first = known_args.get("first")
    default = first.default_value if first is not None else None
    page = default if isinstance(default, int) else DEFAULT_PAGE
    return _Page(given.get("first"), given.get("last"), page)


def count_nodes(trees: Sequence[PageTree], variables: Mapping[str, Any]) -> int:
    """Objects that an operation may return at most, by its page sizes."""
    return sum(
        tree.page.size(variables) * (1 + count_nodes(tree.inside, variables)) for tree in trees
    )
