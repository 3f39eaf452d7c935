"""What one GraphQL request carries: its caller, its loaders, its bounds."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from aiodataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from app.core.errors import TooComplex
from app.core.rules import Subject

CLIENT_MAX_PAGE = 100
STORED_MAX_PAGE = 10_000
OBJECTS_OF_ROW = 500
"""Objects that an answer may hold for each row of the largest page."""


@dataclass
class Context:
    """Made anew for every operation."""

    subject: Subject
    request_id: str = ""
    max_page: int = CLIENT_MAX_PAGE
    identify: Callable[[], Awaitable[Subject]] | None = None
    by_rest: bool = False
    """Whether a REST dialect asks, by one of its stored operations."""
    holds: Callable[[], bool] | None = None
    """Set by a root field: the same caller gets the same of it as long as this says so."""
    _loaders: dict[Hashable, DataLoader[Any, Any]] = field(default_factory=dict)
    in_parts: int = 0
    """Objects in the parts of the answer that compiled statements gave, or some more."""
    _objects: int = 0

    def loader(
        self, key: Hashable, make: Callable[[], DataLoader[Any, Any]]
    ) -> DataLoader[Any, Any]:
        """The request's loader for a relation; made at its first use."""
        found = self._loaders.get(key)
        if found is None:
            found = self._loaders[key] = make()
        return found

    @property
    def max_objects(self) -> int:
        """How many objects the answer may hold."""
        return self.max_page * OBJECTS_OF_ROW

    def hand_out(self, objects: int) -> None:
        """Count objects of the answer: lists in lists in lists multiply, whatever was loaded."""
        self._objects += objects
        if self._objects > self.max_objects:
            most = self.max_objects
            raise TooComplex(f"The answer would hold more than {most} objects. Ask for less.")

    async def verify(self) -> None:
        """See that a remembered caller may still do what it could; Unauthenticated where not."""
        if self.subject.is_remembered and self.identify is not None:
            old = self.subject
            fresh = await self.identify()
            self.become(fresh.at(address=old.address, request_id=old.request_id))

    def become(self, subject: Subject) -> None:
        """Go on as the user who has just logged in."""
        self.subject = subject
        self.forget()

    def forget(self) -> None:
        """Drop what was loaded, so that a mutation's payload reads what it wrote."""
        self._loaders.clear()


Info = StrawberryInfo[Context, Any]
