"""The door: every read and write from outside is an operation that is executed here."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import isawaitable
from typing import Any, TypeGuard, cast

import orjson
import structlog
from graphql import GraphQLError
from graphql.execution import (
    ExecutionResult,
    Executor,
    create_source_event_stream,
    execute_subscription_event,
    map_source_to_response_event,
)
from prometheus_client import Counter
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from app.core.errors import DomainError
from app.core.read_pool import NoConnection
from app.core.rules import Subject
from app.graphql.compiler import run as compiler
from app.graphql.context import Context
from app.graphql.documents import (
    Document,
    Documents,
    InvalidStoredOperation,
    StoredOperation,
    prepare,
    stored_operations,
)
from app.graphql.errors import (
    BAD_USER_INPUT,
    FORBIDDEN,
    TIMEOUT,
    TOO_COMPLEX,
    UNAUTHENTICATED,
    UNAVAILABLE,
    FormattedError,
    Refused,
    code_of,
    execution_errors,
    from_exception,
    refusals,
    timed_out,
)
from app.graphql.executor import PartsExecutor
from app.graphql.limits import GraphQLSettings, count_nodes
from app.graphql.persisted import PersistedQueries, requested_hash
from app.graphql.request import GraphQLRequest

__all__ = [
    "Document",
    "Documents",
    "Door",
    "GraphQLSettings",
    "InvalidStoredOperation",
    "Refused",
    "Result",
    "StoredOperation",
    "execute",
    "stored_operations",
    "subscribe",
]

log = structlog.get_logger("graphql")
Served = Callable[[Subject, str], Awaitable[Schema]]
"""Which schema a caller is served for a document: the one that all share, or one with more."""
MOST_SCHEMAS = 16
DEFAULTS = GraphQLSettings()
READS = Counter("isthmus_graphql_reads", "Operations by how what they read was read.", ["tier"])
COMPILED, PARTS, EXECUTED = map(READS.labels, ("compiled", "parts", "executed"))


@dataclass(frozen=True)
class Result:
    """What an operation gave: `errors` are ready for JSON, each with `extensions.code`.

    `executed` is False for an operation that was refused before it began: it has no data. `text`
    is the whole response of a compiled read; its `data` is decoded only where somebody asks.
    `has_parts` says that objects in it were read by compiled statements. Where `holds` is there, the
    same caller gets the same answer to the same request as long as it says so.
    """

    _data: dict[str, Any] | None
    errors: list[FormattedError] = field(default_factory=list)
    executed: bool = True
    text: str | None = None
    has_parts: bool = False
    holds: Callable[[], bool] | None = None

    @cached_property
    def data(self) -> dict[str, Any] | None:
        """The operation's data."""
        if self.text is None:
            return self._data
        data: dict[str, Any] = orjson.loads(self.text)["data"]
        return data

    @property
    def codes(self) -> set[str]:
        """The codes of all errors."""
        return {error["extensions"]["code"] for error in self.errors}

    @property
    def is_empty(self) -> bool:
        """Whether no root field has a value."""
        return self.data is None or all(value is None for value in self.data.values())

    def payload(self, **extensions: Any) -> dict[str, Any]:
        """The response body; without `data` if nothing was executed."""
        body: dict[str, Any] = {"errors": self.errors} if self.errors else {}
        if self.executed:
            body["data"] = self.data
        if extensions:
            body["extensions"] = extensions
        return body


async def execute(
    schema: Schema,
    document: str | Document | StoredOperation,
    variables: dict[str, Any] | None,
    operation_name: str | None,
    context: Context,
    *,
    settings: GraphQLSettings = DEFAULTS,
    timeout_s: float | None = None,
) -> Result:
    """Run one query or mutation to its end; never raises for what the operation does.

    A text is parsed and validated on the spot: pass a document of `Documents` or a stored
    operation wherever the same text comes again.
    """
    try:
        operation = choose(schema, document, operation_name, settings)
        if operation.is_subscription:
            raise Refused.because("A subscription needs a stream of answers.", BAD_USER_INPUT)
        if settings.compile and not operation.is_mutation and not operation.plans.is_hopeless:
            compiled = await _compiled(schema, operation, variables, context, settings, timeout_s)
            if compiled is not None:
                return compiled
        await context.verify()
        executor = _executor(schema, operation, variables, context, settings)
    except Refused as refused:
        return Result(None, refused.errors, executed=False)
    except Exception as error:
        return Result(None, [from_exception(error, context.request_id)], executed=False)
    seconds = settings.timeout_s if timeout_s is None else timeout_s
    try:
        async with asyncio.timeout(seconds) as clock:
            outcome = executor.execute_operation()
            if isawaitable(outcome):
                outcome = await outcome
    except TimeoutError as error:
        late = timed_out() if clock.expired() else from_exception(error, context.request_id)
        return Result(None, [late])
    except Exception as error:
        return Result(None, [from_exception(error, context.request_id)])
    _count(executor, operation)
    result = _result(outcome, context, settings)
    holds = context.holds if operation.asks_one and not result.errors else None
    return replace(result, has_parts=executor.compiled > 0, holds=holds)


def _count(executor: PartsExecutor, operation: StoredOperation) -> None:
    if executor.compiled and not executor.executed:
        PARTS.inc()
    elif executor.executed or not operation.is_mutation:
        EXECUTED.inc()


async def _compiled(
    schema: Schema,
    operation: StoredOperation,
    variables: dict[str, Any] | None,
    context: Context,
    settings: GraphQLSettings,
    timeout_s: float | None,
) -> Result | None:
    """The answer of one statement; None where the compiler steps aside, for whatever reason."""
    coerced = operation.coerced(schema, variables or {})
    if coerced is None:
        return None
    if count_nodes(operation.pages, coerced.coerced) > settings.max_nodes:
        return None
    seconds = settings.timeout_s if timeout_s is None else timeout_s
    try:
        text, version = await compiler.read(schema, operation, coerced, context, seconds)
        if context.subject.is_remembered and version != context.subject.version:
            await context.verify()
            text, _ = await compiler.read(schema, operation, coerced, context, seconds)
    except DomainError as error:
        return Result(None, [from_exception(error, context.request_id)], executed=False)
    except compiler.StepsAside:
        return None
    except NoConnection as error:
        return Result(None, [from_exception(error, context.request_id)])
    except TimeoutError:
        return Result(None, [timed_out()])
    except Exception as error:
        if code_of(error) in (UNAVAILABLE, TIMEOUT, TOO_COMPLEX):
            return Result(None, [from_exception(error, context.request_id)])
        # Normal execution says which field is at fault, and answers the others.
        log.warning("graphql.not_compiled", request_id=context.request_id, exc_info=error)
        return None
    COMPILED.inc()
    return Result(None, text=text)


async def subscribe(
    schema: Schema,
    document: str | Document | StoredOperation,
    variables: dict[str, Any] | None,
    operation_name: str | None,
    new_context: Callable[[], Context],
    *,
    settings: GraphQLSettings = DEFAULTS,
) -> AsyncGenerator[Result, None]:
    """Run a subscription; each event is resolved with a context of its own, so nothing is stale.

    A result with `executed=False` is the last one. Close the generator to end the subscription.
    """
    context = new_context()
    try:
        operation = choose(schema, document, operation_name, settings)
        if not operation.is_subscription:
            raise Refused.because("Only a subscription can be streamed.", BAD_USER_INPUT)
        await context.verify()
        executor = _executor(schema, operation, variables, context, settings)
    except Refused as refused:
        yield Result(None, refused.errors, executed=False)
        return
    except Exception as error:
        yield Result(None, [from_exception(error, context.request_id)], executed=False)
        return

    async def one_event(event: Executor[Any]) -> ExecutionResult:
        event.context_value = new_context()
        # A long stream looks again at what its caller may do; so does what it leads to.
        event.context_value.become(context.subject)
        async with asyncio.timeout(settings.timeout_s):
            outcome = execute_subscription_event(event)
            return await outcome if isawaitable(outcome) else outcome

    try:
        async with asyncio.timeout(settings.timeout_s):
            source = create_source_event_stream(executor)
            if isawaitable(source):
                source = await source
        if isinstance(source, ExecutionResult):
            errors = execution_errors(source.errors or [], context.request_id)
            yield Result(None, errors, executed=False)
            return
        async with aclosing(map_source_to_response_event(executor, source, one_event)) as events:
            async for event in events:
                yield _result(event, context, settings)
    except Exception as error:
        yield Result(None, [from_exception(error, context.request_id)], executed=False)


class Door:
    """Lets clients' documents in: persisted texts, the cache, the introspection policy."""

    def __init__(
        self,
        schema: Schema,
        settings: GraphQLSettings,
        persisted: PersistedQueries,
        served: Served | None = None,
    ) -> None:
        if schema.extensions or schema.directives:
            # The executor is called without Strawberry's hooks, so these would silently not run.
            raise ValueError("Schema extensions and operation directives are not supported.")
        self.schema = schema
        self.settings = settings
        self.persisted = persisted
        self.documents = Documents(schema, settings)
        self._served = served
        self._others: OrderedDict[int, tuple[Schema, Documents]] = OrderedDict()

    async def documents_of(self, subject: Subject, text: str) -> Documents:
        """The documents of the schema that the caller is served; Forbidden where there is none."""
        schema = self.schema if self._served is None else await self._served(subject, text)
        if schema is self.schema:
            return self.documents
        found = self._others.get(id(schema))
        if found is None:
            found = self._others[id(schema)] = schema, Documents(schema, self.settings)
        self._others.move_to_end(id(schema))
        if len(self._others) > MOST_SCHEMAS:
            self._others.popitem(last=False)
        return found[1]

    async def open(self, request: GraphQLRequest, subject: Subject) -> StoredOperation:
        """The valid operation that a request names; raises Refused."""
        digest = requested_hash(request.extensions)
        text = await self.persisted.text(request.query, digest)
        assert text is not None
        document = (await self.documents_of(subject, text)).get(text)
        operation = document.operation(request.operation_name)
        if operation.introspects and self.settings.introspection != "open":
            if self.settings.introspection == "off":
                raise Refused.because("Introspection is off on this server.", FORBIDDEN)
            if not subject.is_known:
                raise Refused.because("Sign in to read the schema.", UNAUTHENTICATED)
        if digest is not None and request.query is not None:
            await self.persisted.save(digest, text)
        return operation


async def run(
    schema: Schema,
    operation: StoredOperation,
    variables: dict[str, Any] | None,
    new_context: Callable[[], Context],
    settings: GraphQLSettings,
) -> AsyncGenerator[Result, None]:
    """Any operation as a stream: the single result of a query or mutation, or all events."""
    if not operation.is_subscription:
        yield await execute(schema, operation, variables, None, new_context(), settings=settings)
        return
    events = subscribe(schema, operation, variables, None, new_context, settings=settings)
    async with aclosing(events):
        async for result in events:
            yield result


def choose(
    schema: Schema,
    document: str | Document | StoredOperation,
    operation_name: str | None,
    settings: GraphQLSettings,
) -> StoredOperation:
    """The operation to run; raises Refused."""
    if isinstance(document, str):
        document = prepare(schema, document, settings)
    return document.operation(operation_name) if isinstance(document, Document) else document


def _executor(
    schema: Schema,
    operation: StoredOperation,
    variables: dict[str, Any] | None,
    context: Context,
    settings: GraphQLSettings,
) -> PartsExecutor:
    executor = PartsExecutor.build(
        schema._schema,
        operation.document,
        None,
        context,
        variables,
        operation.name,
        is_awaitable=cast(Callable[[Any], TypeGuard[Awaitable[Any]]], optimized_is_awaitable),
        hide_suggestions=not settings.debug,
        max_coercion_errors=settings.max_validation_errors - 1,
    )
    if isinstance(executor, list):
        raise Refused(refusals(executor, BAD_USER_INPUT, suggestions=settings.debug))
    assert isinstance(executor, PartsExecutor)
    if settings.compile:
        executor.compile_parts(schema, operation)
    nodes = count_nodes(operation.pages, executor.variable_values.coerced)
    if nodes > settings.max_nodes:
        raise Refused.because(
            f"The operation may return {nodes} objects; at most {settings.max_nodes} are allowed."
            " Ask for smaller pages.",
            TOO_COMPLEX,
        )
    return executor


def _result(outcome: Any, context: Context, settings: GraphQLSettings) -> Result:
    errors: list[GraphQLError] = outcome.errors or []
    return Result(
        outcome.data, execution_errors(errors, context.request_id, suggestions=settings.debug)
    )
