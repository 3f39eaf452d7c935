"""HTTP Basic: a name and a password with every request."""

import base64
import binascii
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from secrets import token_bytes

from app.access import remember
from app.access.actions import prove
from app.access.identify import by_user
from app.core import db
from app.core.errors import Invalid, Unauthenticated
from app.core.rules import Subject

WRONG = "Invalid username/password."
MOST = 10_000
_VERSION = """SELECT access_version FROM users
WHERE lower(username) = lower($1) OR lower(email) = lower($1) ORDER BY id LIMIT 1"""

_wrong: dict[bytes, int | None] = {}
"""Credentials that were wrong, and the version of their user then, None for nobody.

A program with an old password sends it with every request. That is one guess: else it would keep
everybody else out of its account.
"""
_salt = token_bytes(16)


async def by_basic(encoded: str, address: str | None, *, again: bool = True) -> Subject:
    """The user of a Basic credential. Without `again` it may be a remembered caller.

    Unauthenticated for one that is malformed or wrong, RateLimited after too many of them. A change
    of the password ends what is remembered.
    """
    try:
        login, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated(WRONG, reason="WRONG_BASIC") from error
    if not colon or "\x00" in login + password:
        raise Unauthenticated(WRONG, reason="WRONG_BASIC")
    look = partial(_by_password, login, password, address)
    return await remember.caller(("basic", login, password), look, again=again)


async def _by_password(login: str, password: str, address: str | None) -> Subject:
    named = await db.fetch_row(_VERSION, login.strip())
    version = None if named is None else named["access_version"]
    key = blake2b(repr((login, password)).encode(), key=_salt).digest()
    if _wrong.get(key, -1) == version:
        raise Unauthenticated(WRONG, reason="WRONG_BASIC")
    try:
        user = await prove(Subject(address=address), login, password)
    except Invalid as fault:
        if len(_wrong) >= MOST:
            del _wrong[next(iter(_wrong))]
        _wrong[key] = version
        raise Unauthenticated(WRONG, reason="WRONG_BASIC") from fault
    # Of the version that the password was good for: it may have been changed since.
    return replace(await by_user(user["id"]), version=user["access_version"])
