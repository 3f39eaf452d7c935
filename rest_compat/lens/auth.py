"""Lens's credential: one token, in any of the places where its clients put it."""

from app.access import identify
from app.core.errors import Unauthenticated
from app.core.rules import Subject
from rest_compat.dialect import Call, Credential

MISSING = "MISSING"


def token(call: Call) -> str:
    """The API key or JWT: `Authorization` with a scheme or bare, else `apikey`; empty for none.

    Of two words the second is the token, whatever the first one says.
    """
    words = call.headers.get("authorization", "").split()
    return words[1] if len(words) > 1 else (words or [call.headers.get("apikey", "").strip()])[0]


async def identify_caller(call: Call, credential: Credential, again: bool = False) -> Subject:
    """Who is calling, by memory or `again`."""
    if credential == "none":
        return identify.ANONYMOUS
    given = token(call)
    if not given:
        raise Unauthenticated("Authorization header isn't set", reason=MISSING)
    return await identify.by_cookie_or_bearer(None, given, None, again=again)
