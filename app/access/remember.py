"""Callers that were identified lately, so that most requests need not look at the tables.

Who is remembered may have lost a right since. A compiled read brings the present version of what
its caller may do; everything else verifies the caller first (`Context.verify`), for which that
version is asked for alone. So a right that is taken away is gone with the next request, in every
process. Requests that come while a user's version is asked for share the next asking.
"""

import asyncio
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

_waiting: dict[int, list[asyncio.Future[int | None]]] = {}
"""By users whose version is asked for, who came after that was sent."""

_looks: set[asyncio.Task[None]] = set()


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
        in_time = _is_in_time(subject)
        if in_time and not again:
            return remembered
        if in_time and await is_present(subject):
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


async def is_present(subject: Subject) -> bool:
    """Whether what was looked up of a caller is still the truth, by a statement sent from now on."""
    if subject.kind not in ("session", "key") or not _is_in_time(subject):
        return False  # who the first owner is may change with another user
    assert subject.user_id is not None
    return await _version(subject.user_id) == subject.version


def _is_in_time(subject: Subject) -> bool:
    return subject.expires_at is None or subject.expires_at > time()


async def _version(user_id: int) -> int | None:
    waiting = _waiting.get(user_id)
    if waiting is not None:
        told: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        waiting.append(told)
        return await told
    _waiting[user_id] = []
    try:
        return await _asked(user_id)
    finally:
        _go_on(user_id)


def _go_on(user_id: int) -> None:
    """Ask for those who came while the version was asked for, if any did."""
    if waiting := _waiting.pop(user_id, None):
        _waiting[user_id] = []
        look = asyncio.get_running_loop().create_task(_look(user_id, waiting))
        _looks.add(look)
        look.add_done_callback(_looks.discard)


async def _look(user_id: int, waiting: list[asyncio.Future[int | None]]) -> None:
    try:
        version = await _asked(user_id)
    except Exception as error:
        for told in waiting:
            _tell(told, error)
    else:
        for told in waiting:
            _tell(told, version)
    finally:
        _go_on(user_id)


async def _asked(user_id: int) -> int | None:
    row = await db.fetch_row(_VERSION, user_id)
    return None if row is None else row["access_version"]


def _tell(told: asyncio.Future[int | None], what: int | Exception | None) -> None:
    if told.done():
        return  # its request has ended
    if isinstance(what, Exception):
        told.set_exception(what)
    else:
        told.set_result(what)


def forget_all() -> None:
    """Begin anew, with another database."""
    _kept.clear()
    _waiting.clear()
