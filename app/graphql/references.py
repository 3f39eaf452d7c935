"""Rows that are named now and read where an operation selects of them.

A verb answers with a reference to what it has changed. The executor completes it after the verb's
transaction has ended: with one compiled statement for all that is selected below it, or, where the
compiler steps aside, with a row that is executed field by field.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.ids import global_id


@dataclass(frozen=True)
class Reference:
    """The row of a declared type that has this key, as far as the caller may read it; else null."""

    type_name: str
    key: int | UUID

    @property
    def global_id(self) -> str:
        """The row's id in the graph."""
        return global_id(self.type_name, self.key)


class References(list[Any]):
    """A list of references, nulls and errors, at most `MOST`: those of a type are read at once."""

    MOST = 100


def row(type_name: str, key: Any) -> Any:
    """A reference, as the value of a field of that type; None where there is no key."""
    return None if key is None else Reference(type_name, key)
