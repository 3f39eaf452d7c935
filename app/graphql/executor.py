"""Normal execution, in which what references name is read by compiled statements."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.graphql.compiler import run as compiler
from app.graphql.compiler.plan import ITS_ID
from app.graphql.documents import StoredOperation
from app.graphql.errors import TIMEOUT, UNAVAILABLE, code_of
from app.graphql.references import Reference, References
from app.graphql.rows import fetch_rows

log = structlog.get_logger("graphql")
Found = dict[str, Any]
"""Values by the global ids of their references; what is missing or hidden is not there."""


@dataclass(frozen=True)
class _Complete:
    """An object as the answer has it."""

    value: Any


class PartsExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation; `compiled` and `executed` count the reads of what references name."""

    compiled = 0
    executed = 0
    _stored: StoredOperation | None = None
    _strawberry: Schema

    def compile_parts(self, schema: Schema, operation: StoredOperation) -> None:
        """Have references read by compiled statements, whose plans the operation keeps."""
        self._strawberry, self._stored = schema, operation

    def complete_object_value(self, return_type: Any, *place: Any) -> Any:
        """Complete an object, or what a reference names."""
        return self._object(super().complete_object_value, return_type, *place)

    def complete_abstract_value(self, return_type: Any, *place: Any) -> Any:
        """Complete an object of an interface, or what a reference names."""
        return self._object(super().complete_abstract_value, return_type, *place)

    def complete_list_value(self, return_type: Any, *place: Any) -> Any:
        """Complete a list, or what references name."""
        complete = super().complete_list_value
        if isinstance(place[3], References):
            return self._list(complete, return_type, *place)
        return complete(return_type, *place)

    def _object(
        self, complete: Callable[..., Any], type_: Any, nodes: Any, info: Any, *place: Any
    ) -> Any:
        value = place[1]
        if isinstance(value, _Complete):
            return value.value
        if isinstance(value, Reference):
            return self._named(complete, type_, nodes, info, *place)
        return complete(type_, nodes, info, *place)

    async def _named(
        self,
        complete: Callable[..., Any],
        type_: Any,
        nodes: Any,
        info: Any,
        path: Any,
        named: Reference,
        position: Any,
    ) -> Any:
        found = await self._read(info, named.type_name, named.key)
        if found is None or isinstance(found, _Complete):
            return found and found.value
        completed = complete(type_, nodes, info, path, found, position)
        return await completed if self.is_awaitable(completed) else completed

    async def _list(
        self,
        complete: Callable[..., Any],
        type_: Any,
        nodes: Any,
        info: Any,
        path: Any,
        named: References,
        position: Any,
    ) -> Any:
        keys: dict[str, list[Any]] = {}
        for one in named:
            if isinstance(one, Reference):
                keys.setdefault(one.type_name, []).append(one.key)
        found: Found = {}
        for name, those in keys.items():
            found |= await self._read(info, name, those)
        values = [found.get(o.global_id) if isinstance(o, Reference) else o for o in named]
        completed = complete(type_, nodes, info, path, values, position)
        return await completed if self.is_awaitable(completed) else completed

    async def _read(self, info: Any, type_name: str, key: Any) -> Any:
        """The row with a key, or for a list of keys all by their ids: complete, or to be executed."""
        if self._stored is not None:
            try:
                found = await self._compiled(self._stored, info, type_name, key)
            except compiler.StepsAside:
                pass
            except Exception as error:
                if code_of(error) in (UNAVAILABLE, TIMEOUT):
                    raise
                # Field by field it shows which one is at fault.
                request = info.context.request_id
                log.warning("graphql.not_compiled", request_id=request, exc_info=error)
            else:
                self.compiled += 1
                return found
        self.executed += 1
        rows = await fetch_rows(info, type_name, key if isinstance(key, list) else [key])
        if isinstance(key, list):
            return {row.id: row for row in rows}
        return rows[0] if rows else None

    async def _compiled(
        self, stored: StoredOperation, info: Any, type_name: str, key: Any
    ) -> _Complete | Found | None:
        most = References.MOST if isinstance(key, list) else None
        plans = stored.parts.plans(type_name, info.field_nodes, self.fragment_definitions, most)
        found = await compiler.read_part(
            self._strawberry, stored, plans, self.variable_values, key, info.context
        )
        if isinstance(found, list):
            return {one.pop(ITS_ID): _Complete(one) for one in found}
        return None if found is None else _Complete(found)
