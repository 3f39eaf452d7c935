"""HTTP Basic: a name and a password with every request."""

import base64
import binascii
from functools import partial

from app.access import remember
from app.access.actions import prove
from app.access.identify import by_user
from app.core.errors import Invalid, Unauthenticated
from app.core.rules import Subject

WRONG = "Invalid username/password."


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
    try:
        user = await prove(Subject(address=address), login, password)
    except Invalid as fault:
        raise Unauthenticated(WRONG, reason="WRONG_BASIC") from fault
    return await by_user(user["id"])
