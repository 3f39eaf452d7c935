"""OLake's credentials: a session cookie and a bearer token, of which the first good one counts."""

from app.access import identify
from app.core.errors import NotFound
from app.core.rules import Subject
from rest_compat.dialect import Call, Credential

COOKIE = "olake-session"
STOCK_BEARER = "Bearer authenticated"
"""What OLake's web UI sends beside its cookie, whoever has signed in."""
ALIASES = ("olake", "123")
"""What clients call the default project: the documented word, and the one in the web UI's code."""


def is_stock_ui(call: Call) -> bool:
    """Whether OLake's own web UI is calling; it takes settings as texts only."""
    return call.headers.get("authorization") == STOCK_BEARER


async def identify_caller(call: Call, credential: Credential, again: bool = False) -> Subject:
    """Who is calling, by memory or `again`; below a project's path bound to that project."""
    if credential == "none":
        return identify.ANONYMOUS
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    cookie = call.cookies.get(COOKIE)
    return await identify.by_cookie_or_bearer(cookie, bearer, project_of(call), again=again)


def project_of(call: Call) -> int | None:
    """The number of the project in the path, 0 for the caller's own; None outside of projects."""
    named = call.path.get("project")
    if named is None:
        return None
    if named in ALIASES:
        return 0
    if not (named.isascii() and named.isdigit() and len(named) < 10 and int(named)):
        raise NotFound("There is no such project.")
    return int(named)
