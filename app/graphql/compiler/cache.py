"""Plans of one operation, by the shape of its variables; built when first needed."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    type_from_ast,
)
from graphql.execution.values import VariableValues
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from strawberry import Schema

from app.core.errors import DomainError, TooComplex
from app.core.rules import VIEWER as CALLER
from app.graphql.compiler.pages import Cursor, PageCheck
from app.graphql.compiler.patches import Patch
from app.graphql.compiler.plan import Bound, Part, Planned, Planner
from app.graphql.compiler.selection import Selections
from app.graphql.compiler.standins import (
    NeverCompiled,
    Source,
    StepsAside,
    Values,
    shape,
    source_of,
    stand_ins,
)
from app.graphql.context import Context

MAX_PLANS = 64
MAX_ALL_PLANS = 2000
"""Plans of all operations together."""
MAX_TEXT = 10_000_000
"""Characters of all their statements: with each of these a plan keeps some fifteen bytes."""
PLAN_LIMIT_S = 15.0
"""How long a request waits for its plan."""
MAX_SHAPE = 5000
"""Parts of a plan's key. A filter of as many conditions is refused, and its key need not be kept."""
MAX_LIST = 1000
MAX_OPERANDS = 5000
LONGEST_ANSWER = 64 * 2**20
"""Characters of one answer."""
VIEWER = "viewer_"
RARELY_FULL = 10
"""Lists that are bounded by nature hold a tenth of what they may, or less."""
SMALLEST_OBJECT = len('{"a":1},')
_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a statement: a constant, a fact of the viewer, or a value of the request."""

    constant: Any = None
    viewer: str | None = None
    source: Source | None = None
    process: Any = None

    def value(self, values: Values, context: Context) -> Any:
        """What PostgreSQL gets."""
        if self.viewer is not None:
            return context.subject.parameters[self.viewer]
        if self.source is None:
            return self.constant
        found = self.source(values)
        return found if self.process is None else self.process(found)


@dataclass(frozen=True)
class Plan:
    """A statement ready to be run, and what a request must pass first."""

    text: str
    parameters: tuple[Parameter, ...]
    checks: tuple[PageCheck, ...]
    cursors: tuple[Cursor, ...]
    patches: tuple[Patch, ...]
    needs_project: bool
    lists: tuple[Bound, ...]

    def bind(self, values: Values, context: Context) -> list[Any]:
        """The parameters of a request; DomainError or StepsAside where it must go another way."""
        for check in self.checks:
            check(values, context.max_page)
        if sum(one.most(values) for one in self.lists) > context.max_objects * RARELY_FULL:
            # Perhaps its lists are short. Normal execution counts what there is.
            raise StepsAside("an answer that could be too large")
        if self.needs_project:
            context.subject.call_project()
        bound = [parameter.value(values, context) for parameter in self.parameters]
        lengths = [len(one) for one in bound if type(one) is list]
        if lengths and (max(lengths) > MAX_LIST or sum(lengths) > MAX_OPERANDS):
            raise StepsAside("a long list")
        return bound


def check_size(text: str, context: Context) -> None:
    """StepsAside for an answer of perhaps too many objects; normal execution counts them exactly.

    TooComplex for one that is too long: who shapes it again needs its memory many times over.
    """
    if len(text) > LONGEST_ANSWER:
        size = LONGEST_ANSWER // 2**20
        raise TooComplex(f"The answer would have more than {size} MiB. Ask for fewer rows.")
    most = context.max_objects - context.in_parts
    if len(text) > most * SMALLEST_OBJECT and text.count("{") > most:
        raise StepsAside("an answer that is perhaps too large")


_planner = ThreadPoolExecutor(1, "plans")
"""One thread: more would not be faster, and in the common pool logins would wait behind plans."""
_all: "OrderedDict[tuple[Plans, Any], int]" = OrderedDict()
"""Every kept plan, the oldest first, and the length of its text."""
_texts = 0


class Plans:
    """The plans of one operation or a part of it. What cannot be compiled is remembered, too."""

    def __init__(self, part: Part | None = None) -> None:
        self._part = part
        self._plans: dict[Any, Plan | str] = {}
        self._types: dict[str, GraphQLInputType] | None = None
        self.is_hopeless = False
        """Whether there is no plan, whatever the variables are."""

    def find(
        self,
        schema: Schema,
        document: DocumentNode,
        name: str | None,
        variables: VariableValues,
        nulls: Mapping[int, Sequence[bool]],
    ) -> Plan:
        """The plan for variables of this shape; StepsAside where there is none."""
        key = self._key(schema, document, name, variables, nulls)
        found = self._plans.get(key)
        if found is None:
            found = self._made(key, schema, document, name, variables, nulls)
        return _plan(found)

    async def ready(self, *operation: Any) -> Plan:
        """As `find`; a plan that is not there yet is made in a thread, not on the event loop."""
        found = self._plans.get(self._key(*operation))
        if found is not None:
            return _plan(found)
        async with asyncio.timeout(PLAN_LIMIT_S):
            return await asyncio.get_running_loop().run_in_executor(_planner, self.find, *operation)

    def _key(
        self,
        schema: Schema,
        document: DocumentNode,
        name: str | None,
        variables: VariableValues,
        nulls: Mapping[int, Sequence[bool]],
    ) -> Any:
        if self._types is None:
            self._types = _types_of(schema._schema, operation_of(document, name))
        types = self._types
        return (
            tuple((n, shape(value, types[n])) for n, value in self._used(variables)),
            tuple(sorted((number, tuple(flags)) for number, flags in nulls.items())),
        )

    def _used(self, variables: VariableValues) -> list[tuple[str, Any]]:
        every = variables.coerced.items()
        if self._part is None:
            return list(every)
        return [(name, value) for name, value in every if name in self._part.variables]

    def _made(self, key: Any, *operation: Any) -> Plan | str:
        if _parts(key) > MAX_SHAPE:
            raise StepsAside("variables of too many parts")
        try:
            found: Plan | str = self._build(*operation)
        except (StepsAside, DomainError, GraphQLError) as reason:
            self.is_hopeless = isinstance(reason, NeverCompiled)
            # Not the exception itself: each time it was raised it would keep one more request.
            found = str(reason)
        self._keep(key, found)
        return found

    def _keep(self, key: Any, found: Plan | str) -> None:
        global _texts
        if len(self._plans) >= MAX_PLANS:
            self._drop(next(iter(self._plans)))
        self._plans[key] = found
        _all[self, key] = size = len(found.text) if isinstance(found, Plan) else len(found)
        _texts += size
        while len(_all) > MAX_ALL_PLANS or _texts > MAX_TEXT:
            owner, oldest = next(iter(_all))
            owner._drop(oldest)

    def _drop(self, key: Any) -> None:
        global _texts
        self._plans.pop(key, None)
        _texts -= _all.pop((self, key), 0)

    def _build(
        self,
        schema: Schema,
        document: DocumentNode,
        name: str | None,
        variables: VariableValues,
        nulls: Mapping[int, Sequence[bool]],
    ) -> Plan:
        assert self._types is not None
        twice = []
        for _ in range(2):
            stand = {
                n: stand_ins(value, self._types[n], (n,)) for n, value in self._used(variables)
            }
            selections = Selections(
                schema._schema,
                operation_of(document, name),
                _fragments(document),
                VariableValues(variables.sources, stand),
            )
            planner = Planner(schema, selections, nulls)
            part = self._part
            twice.append(_compiled(planner.plan() if part is None else planner.plan_part(part)))
        first, second = twice
        # Whatever depended on a stand-in's own value would be wrong for the next request.
        same = [one.constant for one in first.parameters] == [p.constant for p in second.parameters]
        if first.text != second.text or not same:
            raise StepsAside("a value that shapes the statement")
        return first


def _plan(found: Plan | str) -> Plan:
    if isinstance(found, str):
        raise StepsAside(found)
    return found


def _parts(key: Any) -> int:
    return 1 + sum(_parts(one) for one in key) if isinstance(key, tuple) else 1


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of a document by its name, or the only one."""
    return next(
        definition
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        and (name is None or (definition.name and definition.name.value == name))
    )


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def _types_of(
    schema: GraphQLSchema, operation: OperationDefinitionNode
) -> dict[str, GraphQLInputType]:
    found: dict[str, Any] = {
        variable.variable.name.value: type_from_ast(schema, variable.type)
        for variable in operation.variable_definitions or ()
    }
    return found


def _compiled(planned: Planned) -> Plan:
    expanded: Any = (
        planned.select.add_columns(CALLER.version())
        .compile(dialect=_DIALECT)
        .construct_expanded_state()
    )
    return Plan(
        text=expanded.statement,
        parameters=tuple(_parameter(expanded, name) for name in expanded.positiontup or ()),
        checks=tuple(planned.checks),
        cursors=tuple(planned.cursors),
        patches=tuple(planned.patches),
        needs_project=planned.needs_project,
        lists=tuple(planned.lists),
    )


def _parameter(expanded: Any, name: str) -> Parameter:
    value, process = expanded.parameters[name], expanded.processors.get(name)
    if name.startswith(VIEWER):
        return Parameter(viewer=name)
    source = source_of(value)
    if source is not None:
        return Parameter(source=source, process=process)
    return Parameter(constant=value if process is None else process(value))
