"""Documents that are parsed, bounded and validated once and then kept."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import blake2b
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    Source,
    VariableDefinitionNode,
    parse,
    print_ast,
    specified_rules,
    validate,
)
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from strawberry import Schema
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from app.graphql.compiler.cache import Plans, operation_of
from app.graphql.compiler.parts import Parts
from app.graphql.errors import (
    BAD_USER_INPUT,
    PARSE_FAILED,
    TOO_COMPLEX,
    VALIDATION_FAILED,
    FormattedError,
    Refused,
    refusals,
)
from app.graphql.limits import (
    GraphQLSettings,
    PageTree,
    check_document,
    check_strings,
    page_trees,
)

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


@dataclass(frozen=True)
class StoredOperation:
    """One named operation of a validated document, ready to be executed again and again."""

    name: str | None
    kind: OperationType
    document: DocumentNode
    pages: tuple[PageTree, ...]
    introspects: bool = False
    schema: Schema | None = field(default=None, compare=False, repr=False)
    plans: Plans = field(default_factory=Plans, compare=False, repr=False)
    parts: Parts = field(default_factory=Parts, compare=False, repr=False)
    _signatures: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def variable_definitions(self) -> Sequence[VariableDefinitionNode]:
        """The variables that it declares."""
        return operation_of(self.document, self.name).variable_definitions or ()

    @cached_property
    def asks_one(self) -> bool:
        """Whether it is a query of one root field, written as such."""
        selected = operation_of(self.document, self.name).selection_set.selections
        is_query = self.kind is OperationType.QUERY
        return is_query and len(selected) == 1 and isinstance(selected[0], FieldNode)

    @cached_property
    def _texts(self) -> set[str] | None:
        """The names of its variables, if each is a required text or id."""
        if any(print_ast(one.type) not in ("String!", "ID!") for one in self.variable_definitions):
            return None
        return {one.variable.name.value for one in self.variable_definitions}

    def coerced(self, schema: Schema, given: dict[str, Any]) -> VariableValues | None:
        """Its variables as GraphQL coerces them; None where something is wrong with them."""
        if given.keys() == self._texts == self._signatures.keys() and all(
            type(value) is str for value in given.values()
        ):
            # What coercion would come to, in a tenth of the time.
            sources = {
                name: VariableValueSource(self._signatures[name], value)
                for name, value in given.items()
            }
            return VariableValues(sources, given)
        found = get_variable_values(schema._schema, self.variable_definitions, given, max_errors=1)
        if not isinstance(found, VariableValues):
            return None
        self._signatures.update((name, one.signature) for name, one in found.sources.items())
        return found

    @property
    def is_mutation(self) -> bool:
        """Whether executing it changes something."""
        return self.kind is OperationType.MUTATION

    @property
    def is_subscription(self) -> bool:
        """Whether it yields a stream of results."""
        return self.kind is OperationType.SUBSCRIPTION


class InvalidStoredOperation(ValueError):
    """A stored document that this schema cannot run; the message names file, line and fault."""


class Document:
    """A valid document and its operations."""

    def __init__(self, schema: Schema, ast: DocumentNode, *, introspects: bool = False) -> None:
        self.operations = [
            StoredOperation(
                definition.name.value if definition.name else None,
                definition.operation,
                ast,
                page_trees(schema._schema, ast, definition),
                introspects,
                schema,
            )
            for definition in ast.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]

    def operation(self, name: str | None) -> StoredOperation:
        """The operation called `name`, or the only one; raises Refused."""
        if name is None:
            if len(self.operations) == 1:
                return self.operations[0]
            raise Refused.because(
                "The document has several operations: say in operationName which one to run.",
                BAD_USER_INPUT,
            )
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise Refused.because(f"Unknown operation named {name[:100]!r}.", BAD_USER_INPUT)


def prepare(schema: Schema, text: str, settings: GraphQLSettings) -> Document:
    """Parse, check the limits, then validate. Raises Refused with at most 20 errors."""
    if len(text) > settings.max_document:
        raise Refused.because(
            f"The document is longer than {settings.max_document} characters.",
            TOO_COMPLEX,
        )
    try:
        ast = parse(text, max_lexical_tokens=settings.max_tokens)
    except GraphQLError as error:
        code = TOO_COMPLEX if _is_a_limit(error) else PARSE_FAILED
        raise Refused(refusals([error], code, suggestions=settings.debug)) from None
    try:
        introspects = check_document(ast, settings)
        if "\\u" in text or "\0" in text:
            check_strings(ast)
    except GraphQLError as error:
        raise Refused(refusals([error], TOO_COMPLEX, suggestions=settings.debug)) from None
    errors = validate(
        schema._schema,
        ast,
        RULES,
        max_errors=settings.max_validation_errors - 1,
        hide_suggestions=not settings.debug,
    )
    if errors:
        raise Refused(refusals(errors, VALIDATION_FAILED, suggestions=settings.debug))
    return Document(schema, ast, introspects=introspects)


def _is_a_limit(error: GraphQLError) -> bool:
    return "Parsing aborted" in error.message or "nested too deeply" in error.message


class Documents:
    """A bounded memory of prepared documents, the refused ones included."""

    def __init__(self, schema: Schema, settings: GraphQLSettings) -> None:
        self.schema = schema
        self.settings = settings
        self._kept: OrderedDict[bytes, tuple[int, Document | list[FormattedError]]] = OrderedDict()
        self._text = 0

    def get(self, text: str) -> Document:
        """The prepared document of a text; raises Refused."""
        # The text itself is no key: a thousand refused megabytes would stay in memory.
        key = blake2b(text.encode()).digest()
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            if isinstance(found[1], Document):
                return found[1]
            raise Refused(found[1])
        try:
            document = prepare(self.schema, text, self.settings)
        except Refused as refused:
            self._keep(key, 0, refused.errors)
            raise
        self._keep(key, len(text), document)
        return document

    def _keep(self, key: bytes, size: int, outcome: Document | list[FormattedError]) -> None:
        self._kept[key] = (size, outcome)
        self._text += size
        while len(self._kept) > self.settings.cached_documents or (
            self._text > self.settings.cached_text
        ):
            _, (dropped, _) = self._kept.popitem(last=False)
            self._text -= dropped


@cache
def stored_operations(schema: Schema, text: str, file: str) -> dict[str, StoredOperation]:
    """The operations of one of our own documents by name, free of the limits for clients.

    Raises InvalidStoredOperation, which names the file, the line and the fault.
    """
    try:
        ast = parse(Source(text, file))
    except GraphQLError as error:
        raise InvalidStoredOperation(_fault(error, file)) from None
    errors = validate(schema._schema, ast, RULES)
    if errors:
        raise InvalidStoredOperation("\n".join(_fault(error, file) for error in errors))
    operations = Document(schema, ast).operations
    for operation in operations:
        if operation.name is None:
            raise InvalidStoredOperation(f"{file}: every stored operation needs a name.")
    return {operation.name: operation for operation in operations if operation.name}


def _fault(error: GraphQLError, file: str) -> str:
    line = error.locations[0].line if error.locations else 1
    return f"{file}:{line}: {error.message}"
