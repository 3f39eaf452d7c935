"""Callers that were identified lately, so that most requests need not look at the tables.

Who is remembered may have lost a right since. A compiled read brings the present version of what
its caller may do; everything else verifies the caller first (`Context.verify`). So a right that is
taken away is gone with the next request, in every process.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b
from time import time

from app.core.rules import Subject

MOST = 10_000

_kept: dict[bytes, Subject] = {}


async def caller(
    credential: tuple[str | None, ...],
    look: Callable[[], Awaitable[Subject]],
    *,
    again: bool = False,
) -> Subject:
    """Who came with this credential, wherever it was sent; `look` asks the tables.

    With `again` what is remembered counts for nothing. Only those who may come in are remembered.
    """
    # A memory of tokens would be worth stealing.
    key = blake2b("\0".join([part or "" for part in credential]).encode()).digest()
    found = None if again else _kept.get(key)
    if found is not None and (found.expires_at is None or found.expires_at > time()):
        return found
    _kept.pop(key, None)
    subject = await look()
    if subject.version is not None:
        if len(_kept) >= MOST:
            del _kept[next(iter(_kept))]
        remembered = replace(subject, is_remembered=True)
        remembered.__dict__["parameters"] = subject.parameters  # once, not with every request
        _kept[key] = remembered
    return subject


def forget_all() -> None:
    """Begin anew, with another database."""
    _kept.clear()
