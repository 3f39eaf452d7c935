"""The schema that a caller is served: with the roots of its project's model, if that has one."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from graphql import FieldNode, GraphQLError, NamedTypeNode, Visitor, parse, visit
from strawberry import Schema

from app.core.db import is_transient
from app.core.rules import Subject
from app.graphql.limits import GraphQLSettings
from app.semantic.asker import PERMISSION, Asker, caller_of
from app.semantic.loaded import Loaded, current
from app.semantic.roots import with_roots

log = structlog.get_logger()

MOST = 16
ROOTS = ("table", "cube")
_OF_ROOTS = [re.compile(rf"{word}\b") for word in (*ROOTS, "__schema", "__type")]
"""Words without which a document names nothing that a model adds. One by one they are found quickest."""
_OF_MODEL = [*_OF_ROOTS, re.compile("emantic")]
_BOUNDS = GraphQLSettings()


class ServedSchemas:
    """Schemas by the models whose roots they have; one that is swapped goes on for who uses it."""

    def __init__(self, base: Schema) -> None:
        self._base = base
        self._made: OrderedDict[int, Schema] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, subject: Subject, document: str) -> Schema:
        """The caller's schema. Forbidden for one whose user group has not GraphQL: if it is bound to
        groups whatever it asks, else for what is of the model.

        It is the static one for all documents that have no word of the roots.
        """
        if not subject.is_known or subject.project_id is None:
            return self._base
        if subject.groups is None and not _has(_OF_MODEL, document):
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
        who = Asker(loaded, caller_of(subject))
        if not who.has("graphql") and not _writes(subject):
            if subject.groups is not None or _asks_a_model(document):
                who.require("graphql")
            return self._base
        sees = _has(_OF_ROOTS, document) and subject.may(PERMISSION, loaded.project_id)
        return await self._with_roots(loaded) if sees else self._base

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


def _has(words: Sequence[re.Pattern[str]], document: str) -> bool:
    return any(word.search(document) for word in words)


def _writes(subject: Subject) -> bool:
    """Whether the caller may write the model itself, and so what groups are closed to."""
    return subject.groups is None and subject.may("pipeline.write", subject.project_id)


def _asks_a_model(document: str) -> bool:
    """Whether a document has a root of a model, or anything whose name begins with `semantic`."""
    if len(document) > _BOUNDS.max_document:
        return False
    try:
        ast = parse(document, max_lexical_tokens=_BOUNDS.max_tokens)
    except GraphQLError:
        return False
    finder = _Finder()
    visit(ast, finder)
    return finder.found


class _Finder(Visitor):
    found = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.found |= node.name.value in ROOTS or node.name.value.startswith("semantic")

    def enter_named_type(self, node: NamedTypeNode, *_: Any) -> None:
        self.found |= node.name.value.startswith("Semantic")


def served(base: Schema) -> Callable[[Subject, str], Awaitable[Schema]]:
    """For the endpoint: which schema a caller is served."""
    return ServedSchemas(base).of
