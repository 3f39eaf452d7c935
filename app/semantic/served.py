"""The schema that a caller is served: with the roots of its project's model, if that has one."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog
from strawberry import Schema

from app.core.db import is_transient
from app.core.rules import Subject
from app.semantic.asker import Asker, caller_of
from app.semantic.loaded import Loaded, current
from app.semantic.roots import with_roots

log = structlog.get_logger()

MOST = 16
_OF_ROOTS = [re.compile(rf"{word}\b") for word in ("table", "cube", "__schema", "__type")]
"""Words without which a document names nothing that a model adds. One by one they are found quickest."""


class ServedSchemas:
    """Schemas by the models whose roots they have; one that is swapped goes on for who uses it."""

    def __init__(self, base: Schema) -> None:
        self._base = base
        self._made: OrderedDict[int, Schema] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, subject: Subject, document: str) -> Schema:
        """The caller's schema. Forbidden for one that is bound to user groups without GraphQL.

        It is the static one for all documents that have no word of the roots.
        """
        if not subject.is_known or subject.project_id is None:
            return self._base
        if subject.groups is None and not any(word.search(document) for word in _OF_ROOTS):
            return self._base
        try:
            loaded = await current(subject.project_id)
        except Exception as error:
            # What a bound caller may do is in the model.
            if subject.groups is not None or not is_transient(error):
                raise
            # What is asked for may need no model; if it does, it is refused as unknown.
            return self._base
        if loaded is None:
            return self._base
        if subject.groups is not None:
            Asker(loaded, caller_of(subject)).require("graphql")
        return await self._with_roots(loaded)

    async def _with_roots(self, loaded: Loaded) -> Schema:
        found = self._made.get(loaded.id)
        if found is None:
            async with self._lock:
                found = self._made.get(loaded.id)
                if found is None:
                    found = await asyncio.to_thread(with_roots, self._base, loaded)
                    self._made[loaded.id] = found
                    if len(self._made) > MOST:
                        self._made.popitem(last=False)
        else:
            self._made.move_to_end(loaded.id)
        return found


def served(base: Schema) -> Callable[[Subject, str], Awaitable[Schema]]:
    """For the endpoint: which schema a caller is served."""
    return ServedSchemas(base).of
