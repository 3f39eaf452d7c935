"""Normal execution, in which a reference to a row is completed by one compiled statement."""

from collections.abc import Callable
from typing import Any

import structlog
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.graphql.compiler import run as compiler
from app.graphql.documents import StoredOperation
from app.graphql.errors import TIMEOUT, UNAVAILABLE, code_of
from app.graphql.references import Reference
from app.graphql.rows import fetch_row

log = structlog.get_logger("graphql")


class PartsExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation; `compiled` and `executed` count the references it has completed."""

    compiled = 0
    executed = 0
    _stored: StoredOperation | None = None
    _strawberry: Schema

    def compile_parts(self, schema: Schema, operation: StoredOperation) -> None:
        """Have references read by compiled statements, whose plans the operation keeps."""
        self._strawberry, self._stored = schema, operation

    def complete_object_value(self, return_type: Any, *field: Any) -> Any:
        """Complete an object, or what a reference names."""
        complete = super().complete_object_value
        if isinstance(field[3], Reference):
            return self._complete_reference(complete, return_type, *field)
        return complete(return_type, *field)

    def complete_abstract_value(self, return_type: Any, *field: Any) -> Any:
        """Complete an object of an interface, or what a reference names."""
        complete = super().complete_abstract_value
        if isinstance(field[3], Reference):
            return self._complete_reference(complete, return_type, *field)
        return complete(return_type, *field)

    async def _complete_reference(
        self,
        complete: Callable[..., Any],
        return_type: Any,
        details: Any,
        info: Any,
        path: Any,
        reference: Reference,
        position: Any,
    ) -> Any:
        if self._stored is not None:
            try:
                found = await self._read(self._stored, info, reference)
            except compiler.StepsAside:
                pass
            except Exception as error:
                if code_of(error) in (UNAVAILABLE, TIMEOUT):
                    raise
                # Field by field it shows which one is at fault.
                log.warning(
                    "graphql.not_compiled", request_id=info.context.request_id, exc_info=error
                )
            else:
                self.compiled += 1
                return found
        self.executed += 1
        row = await fetch_row(info, reference)
        if row is None:
            return None
        completed = complete(return_type, details, info, path, row, position)
        return await completed if self.is_awaitable(completed) else completed

    async def _read(self, stored: StoredOperation, info: Any, reference: Reference) -> Any:
        plans = stored.parts.plans(reference.type_name, info.field_nodes, self.fragment_definitions)
        return await compiler.read_object(
            self._strawberry, stored, plans, self.variable_values, reference.key, info.context
        )
