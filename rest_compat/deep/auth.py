"""DEEP's credentials: HTTP Basic, its session cookie with a CSRF token, or a bearer token."""

from secrets import compare_digest, token_urlsafe
from typing import Any

from app.access import identify
from app.access.basic import by_basic
from app.core.csrf import csrf_refusal
from app.core.errors import Forbidden, Unauthenticated
from app.core.rules import Subject
from app.settings import get_settings
from rest_compat.deep.given import members, text
from rest_compat.dialect import Answer, Call, Credential

SAFE = ("GET", "OPTIONS")
SESSION_S, CSRF_S = 14 * 24 * 3600, 364 * 24 * 3600


def is_https(call: Call) -> bool:
    """Whether the caller came by https, to us or to a proxy in front."""
    return call.is_secure or call.headers.get("x-forwarded-proto", "").lower() == "https"


def cookie_names(call: Call) -> tuple[str, str]:
    """Of the session and of the CSRF token."""
    environment = get_settings().door.deep_environment
    prefix = "__Secure-" if is_https(call) else ""
    return f"{prefix}deep-{environment}-sessionid", f"deep-{environment}-csrftoken"


async def identify_caller(call: Call, credential: Credential, again: bool = False) -> Subject:
    """Who is calling; a bad `Authorization` header fails even beside a good session."""
    if credential == "none":
        return identify.ANONYMOUS
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return await by_basic(given.strip(), call.address, again=again)
    bearer = given.strip() if scheme.lower() == "bearer" else None
    session, csrf = (call.cookies.get(name) for name in cookie_names(call))
    if bearer:
        return await identify.by_cookie_or_bearer(None, bearer, None, again=again)
    if not session:
        raise Unauthenticated("Sign in.")
    subject = await identify.by_cookie_or_bearer(session, None, None, again=again)
    sent = call.headers.get("x-csrftoken", "")
    if call.method not in SAFE and not (csrf and compare_digest(sent.encode(), csrf.encode())):
        raise Forbidden("CSRF Failed: CSRF token missing or incorrect.", reason="CSRF")
    return subject


def to_sign_in(call: Call) -> dict[str, Any]:
    """Who signs in; no page of another site may have its visitors signed in as somebody else."""
    allowed = get_settings().access.allowed_origins
    reason = csrf_refusal(call.method, call.headers, allowed, call.base.lower())
    if reason is not None:
        raise Forbidden(reason, reason="FOREIGN_PAGE")
    return credentials(call)


def credentials(call: Call) -> dict[str, Any]:
    """Who signs in, by e-mail address or username."""
    name = "email" if "email" in call.body else "username"
    needed = {name: ("login", text(blank=False)), "password": ("password", text(blank=False))}
    return members(call.body, needed, (name, "password"))


def signed_in(data: Any, call: Call) -> Answer:
    """Who has signed in, with the two cookies."""
    session, csrf = cookie_names(call)
    user = data["payload"]["user"]
    secure = "; Secure" if is_https(call) else ""
    told = f"{session}={data['payload']['token']}; Path=/; Max-Age={SESSION_S}; HttpOnly"
    token = f"{csrf}={token_urlsafe(32)}; Path=/; Max-Age={CSRF_S}; SameSite=Lax{secure}"
    cookies = (f"{told}; SameSite=Lax{secure}", token)
    result = {"id": user["id"], "displayName": user["displayName"], "email": user["email"]}
    return Answer(200, {"ok": True, "errors": None, "result": result}, cookies=cookies)


def token(data: Any, _: Call) -> dict[str, str]:
    """The same session as a bearer token for programs."""
    jwt = data["payload"]["jwt"]
    return {"access": jwt, "refresh": jwt}


def signed_out(_: Any, call: Call) -> Answer:
    """Good bye."""
    session, _csrf = cookie_names(call)
    # Browsers let nobody but the like of its setter clear a cookie with `__Secure-`.
    secure = "; Secure" if is_https(call) else ""
    gone = f'{session}=""; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}'
    return Answer(200, {"ok": True}, cookies=(gone,))
