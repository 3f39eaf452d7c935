"""Selection sets made from the schema."""

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

PAGE = "(first: 5)"


def everything(schema: GraphQLSchema, type_name: str, depth: int) -> str:
    """`{ … }` with all fields of a type and, `depth` levels down, all fields of what it leads to.

    The levels that a connection adds are not counted. Fields that need an argument are left out.
    """
    return _set(schema, schema.type_map[type_name], depth)


def _set(schema: GraphQLSchema, of: object, depth: int) -> str:
    assert isinstance(of, GraphQLObjectType | GraphQLInterfaceType), of
    parts = ["__typename"]
    parts += filter(None, (_field(schema, n, f, depth) for n, f in of.fields.items()))
    if isinstance(of, GraphQLInterfaceType):
        for variant in schema.get_possible_types(of):
            own = {n: f for n, f in variant.fields.items() if n not in of.fields}
            inner = filter(None, (_field(schema, n, f, depth) for n, f in own.items()))
            parts.append(f"... on {variant.name} {{ __typename {' '.join(inner)} }}")
    return "{ " + " ".join(parts) + " }"


def _field(schema: GraphQLSchema, name: str, field: GraphQLField, depth: int) -> str:
    if any(is_required_argument(argument) for argument in field.args.values()):
        return ""
    target = get_named_type(field.type)
    if is_leaf_type(target):
        return name
    if target.name.endswith("Connection"):
        if depth == 0:
            return ""
        edge = get_named_type(target.fields["nodes"].type)  # type: ignore[union-attr]
        inner = _set(schema, edge, depth - 1)
        page_info = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        return f"{name}{PAGE} {{ totalCount {page_info} nodes {inner} edges {{ cursor }} }}"
    plain = not hasattr(target, "interfaces") or not target.interfaces
    if depth == 0 and not plain:
        return ""
    return f"{name} {_set(schema, target, max(0, depth - 1))}"
