"""Callers that were identified lately, so that most requests need not look at the tables.

Who is remembered may have lost a right since. A compiled read brings the present version of what
its caller may do; everything else verifies the caller first (`Context.verify`), for which that
version is asked for alone. So a right that is taken away is gone with the next request, in every
process.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b
from time import time

from app.core import db
from app.core.rules import Subject

MOST = 10_000

_VERSION = "SELECT access_version FROM users WHERE id = $1"

_kept: dict[bytes, tuple[Subject, Subject]] = {}
"""Each caller twice: as it was looked up, and marked as remembered."""


async def caller(
    credential: tuple[str | None, ...],
    look: Callable[[], Awaitable[Subject]],
    *,
    again: bool = False,
) -> Subject:
    """Who came with this credential, wherever it was sent; `look` asks the tables.

    With `again` what is remembered counts only while it is the present truth. Only those who may
    come in are remembered.
    """
    # A memory of tokens would be worth stealing.
    key = blake2b(repr(credential).encode()).digest()
    found = _kept.get(key)
    if found is not None:
        subject, remembered = found
        in_time = subject.expires_at is None or subject.expires_at > time()
        if in_time and not again:
            return remembered
        if in_time and await _is_present(subject):
            return subject
    _kept.pop(key, None)
    subject = await look()
    if subject.version is not None:
        if len(_kept) >= MOST:
            del _kept[next(iter(_kept))]
        remembered = replace(subject, is_remembered=True)
        remembered.__dict__["parameters"] = subject.parameters  # once, not with every request
        _kept[key] = subject, remembered
    return subject


async def _is_present(subject: Subject) -> bool:
    if subject.kind not in ("session", "key"):
        return False  # who the first owner is may change with another user
    row = await db.fetch_row(_VERSION, subject.user_id)
    return row is not None and bool(row["access_version"] == subject.version)


def forget_all() -> None:
    """Begin anew, with another database."""
    _kept.clear()
