"""Mage's two credentials, in every place where its clients put them."""

from dataclasses import replace

from app.access import identify
from app.core.rules import Subject
from rest_compat.dialect import Call, Credential
from rest_compat.mage.variables import bearer

COOKIE = "oauth_token"


def api_key(call: Call) -> str | None:
    """The key: query, else JSON body, else header X-API-KEY."""
    in_body = call.body.get("api_key")
    text = in_body if isinstance(in_body, str) else None
    return call.query.get("api_key") or text or call.headers.get("x-api-key")


def oauth_token(call: Call) -> tuple[str | None, bool]:
    """The session's token, raw or decoded, and whether it came as a cookie: headers go first."""
    given = call.headers.get("oauth-token") or bearer(call)
    if given:
        return given, False
    cookie = call.cookies.get(COOKIE)
    return cookie or None, bool(cookie)


def sent_token(call: Call) -> str | None:
    """The token that the caller sent."""
    return oauth_token(call)[0]


async def identify_caller(call: Call, credential: Credential, again: bool = False) -> Subject:
    """Who is calling, by memory or `again`. The key is checked first, whatever else was sent."""
    if credential == "none":
        return identify.ANONYMOUS
    if credential == "key":
        # A login must work for a client that still holds a token of an ended session.
        return await identify.by_mage(api_key(call), None, again=again)
    token, by_cookie = oauth_token(call)
    subject = await identify.by_mage(api_key(call), token, again=again)
    # With a key that stands for a user the cookie was not what let the caller in.
    by_cookie = by_cookie and subject.kind == "session"
    return replace(subject, by_cookie=True) if by_cookie else subject
