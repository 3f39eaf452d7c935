"""Rows that are named now and read where an operation selects of them.

A verb answers with a reference to what it has changed. The executor completes it after the verb's
transaction has ended: with one compiled statement for all that is selected below it, or, where the
compiler steps aside, with a row that is executed field by field.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Reference:
    """The row of a declared type that has this key, as far as the caller may read it; else null."""

    type_name: str
    key: int | UUID


def row(type_name: str, key: Any) -> Any:
    """A reference, as the value of a field of that type; None where there is no key."""
    return None if key is None else Reference(type_name, key)
