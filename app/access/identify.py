"""Credential -> Subject: who is calling. What the caller may do is decided in the graph."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import time
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import text
from starlette.requests import HTTPConnection

from app.access import issuers, remember
from app.access.installation import keys
from app.core import db
from app.core.errors import NotFound, Unauthenticated
from app.core.ids import token_hash
from app.core.rules import OF_GROUPS, PERMISSIONS, Subject
from app.settings import get_settings

KEY_PREFIX = "isk_"
COOKIES = ("oauth_token",)

_GRANTS = """
  (SELECT coalesce(json_object_agg(m.project_id, r.permissions), '{}'::json)
     FROM memberships m JOIN roles r ON r.id = m.role_id WHERE m.user_id = u.id) AS grants,
  coalesce(c.project_id,
           (SELECT min(m.project_id) FROM memberships m WHERE m.user_id = u.id),
           CASE WHEN u.is_owner THEN (SELECT min(p.id) FROM projects p) END) AS project"""

_SESSION = f"""
SELECT u.id, u.username, u.is_owner, u.access_version, c.id AS credential, NULL::text[] AS scopes,
  c.expires_at, (c.revoked_at IS NOT NULL OR c.expires_at <= now()) AS is_over, {_GRANTS}
FROM sessions c JOIN users u ON u.id = c.user_id WHERE u.is_active AND """

_KEY = f"""
SELECT u.id, u.username, u.is_owner, u.access_version, c.id AS credential, c.scopes, c.groups,
  c.project_id AS bound, c.expires_at, (c.revoked_at IS NOT NULL OR c.expires_at <= now()) AS is_over, {_GRANTS}
FROM api_keys c JOIN users u ON u.id = c.user_id WHERE u.is_active AND """

_BY_HASH, _BY_ID = "c.token_hash = $1", "c.id = $1"

_FIRST_OWNER = f"""
SELECT u.id, u.username, u.is_owner, u.access_version, {_GRANTS}
FROM users u LEFT JOIN LATERAL (SELECT NULL::bigint AS project_id) c ON true
WHERE u.is_owner AND u.is_active ORDER BY u.id LIMIT 1"""

_USER = f"""
SELECT u.id, u.username, u.is_owner, u.access_version, {_GRANTS}
FROM users u LEFT JOIN LATERAL (SELECT NULL::bigint AS project_id) c ON true
WHERE u.is_active AND u.id = $1"""

ANONYMOUS = Subject()


def envelope(token: str, expires: float) -> str:
    """The raw token that Mage's clients decode: a JWT around the opaque session token."""
    claims = {"expires": expires, "token": token}
    return jwt.encode(
        {"alg": "HS256", "typ": "JWT"}, claims, OctKey.import_key(keys().token_secret)
    )


def unwrap(token: str) -> str:
    """The opaque token of a JWT envelope (signature checked), or the token itself."""
    if token.count(".") != 2:
        return token
    try:
        key = OctKey.import_key(keys().token_secret)
        return str(jwt.decode(token, key, algorithms=["HS256"]).claims["token"])
    except (JoseError, KeyError, ValueError) as error:
        raise _bad_token() from error


def _bad_token() -> Unauthenticated:
    return Unauthenticated("Invalid token.", reason="invalid_oauth_token")


async def by_token(token: str) -> Subject:
    """The Subject of a session token, raw or decoded, or of an API key of either kind."""
    if len(token) > 4096:
        raise _bad_token()
    if keys().is_api_key(token):
        return await by_installation_key(token)
    if issuers.is_outside(token):
        return await issuers.by_jwt(token)
    return await _by_key(token) if token.startswith(KEY_PREFIX) else await _by_session(token)


async def _by_session(token: str) -> Subject:
    return _session_subject(await db.fetch_row(_SESSION + _BY_HASH, token_hash(unwrap(token))))


def _session_subject(row: Any) -> Subject:
    if row is None:
        raise _bad_token()
    if row["is_over"]:
        raise Unauthenticated("Expired token.", reason="expired_oauth_token")
    return _subject(row, "session", session_id=row["credential"])


async def _by_key(token: str) -> Subject:
    return await _key_subject(await db.fetch_row(_KEY + _BY_HASH, token_hash(token)))


async def _key_subject(row: Any) -> Subject:
    if row is None or row["is_over"]:
        raise Unauthenticated("Invalid API key.", reason="invalid_api_key")
    groups = None if row["groups"] is None else tuple(row["groups"])
    subject = _subject(row, "key", key_id=row["credential"], groups=groups)
    # A key for user groups of a model that says no scopes is one to ask the model.
    scopes = row["scopes"] or (OF_GROUPS if groups is not None else ())
    if row["bound"] is None and not scopes:
        return subject
    grants = await _owners_grants() if subject.is_owner else subject.grants
    kept = frozenset(scopes or PERMISSIONS)
    grants = {p: held & kept for p, held in grants.items() if row["bound"] in (None, p)}
    return replace(subject, grants=grants, is_owner=False, is_limited=True)


async def _owners_grants() -> dict[int, frozenset[str]]:
    """What an owner of the installation may do, said project by project."""
    async with db.reading() as connection:
        projects = await connection.scalars(text("SELECT id FROM projects"))
        return {project: frozenset(PERMISSIONS) for project in projects}


def _subject(row: Any, kind: Any, **more: Any) -> Subject:
    told = orjson.loads(row["grants"])
    grants = {int(project): frozenset(held) for project, held in told.items()}
    expires = row.get("expires_at")
    return Subject(
        kind=kind,
        user_id=row["id"],
        username=row["username"],
        is_owner=row["is_owner"],
        project_id=row["project"],
        version=row["access_version"],
        grants=grants,
        expires_at=expires.timestamp() if expires else None,
        **more,
    )


async def by_user(user_id: int) -> Subject:
    """The Subject of a user who has just proved a password."""
    row = await db.fetch_row(_USER, user_id)
    if row is None:
        raise Unauthenticated("Invalid username/password.")
    return _subject(row, "session")


async def by_installation_key(given: str) -> Subject:
    """Check the installation's api_key. Without user authentication it acts as the first owner."""
    if not keys().is_api_key(given):
        raise Unauthenticated("Invalid API key.", reason="invalid_api_key")
    if get_settings().access.require_user_authentication:
        return ANONYMOUS
    row = await db.fetch_row(_FIRST_OWNER)
    if row is None:
        raise Unauthenticated("The installation has no owner.", reason="invalid_api_key")
    return _subject(row, "installation")


async def by_api_key(given: str) -> Subject:
    """A user's API key, or the installation's."""
    return await (_by_key(given) if given.startswith(KEY_PREFIX) else by_installation_key(given))


async def by_mage(api_key: str | None, token: str | None, *, again: bool = True) -> Subject:
    """Mage's two credentials: the api_key is checked first and always, then the OAuth token.

    Without `again` it may be a remembered caller.
    """
    look = partial(_by_mage, api_key, token)
    return await remember.caller(("mage", api_key, token), look, again=again)


async def _by_mage(api_key: str | None, token: str | None) -> Subject:
    if not api_key:
        raise Unauthenticated("Invalid API key.", reason="invalid_api_key")
    subject = await by_api_key(api_key)
    if subject.is_known or not token:
        return subject
    return await by_token(token)


async def by_cookie_or_bearer(
    cookie: str | None, bearer: str | None, project_id: int | None, *, again: bool = True
) -> Subject:
    """A session's cookie, else a bearer token: a bad one spoils nothing beside a good one.

    With `project_id` the caller is bound to that project (0: to its own), as by a key of it;
    NotFound for one that it has no part in. Without `again` it may be a remembered caller.
    """
    look = partial(_by_cookie_or_bearer, cookie, bearer, project_id)
    credential = ("cookie or bearer", cookie, bearer, str(project_id))
    return await remember.caller(credential, look, again=again)


async def _by_cookie_or_bearer(
    cookie: str | None, bearer: str | None, project_id: int | None
) -> Subject:
    subject = None
    for token in filter(None, (cookie, bearer)):
        with suppress(Unauthenticated):
            subject = replace(await by_token(token), by_cookie=token == cookie)
            break
    if subject is None or not subject.is_known:
        raise Unauthenticated("Sign in or send an API key.")
    return subject if project_id is None else await _within(subject, project_id or None)


async def _within(subject: Subject, project_id: int | None) -> Subject:
    project = subject.call_project() if project_id is None else project_id
    grants = await _owners_grants() if subject.is_owner else subject.grants
    held = grants.get(project)
    if not held:
        raise NotFound("There is no such project.")
    return replace(
        subject, project_id=project, grants={project: held}, is_owner=False, is_limited=True
    )


async def within(subject: Subject, uuid: str) -> Subject:
    """The caller bound to the project of that uuid, as by a key of it; NotFound where it has no part."""
    subject.require_known()
    row = await db.fetch_row("SELECT id FROM projects WHERE uuid = $1", uuid)
    if row is None:
        raise NotFound("There is no such project.")
    return await _within(subject, row["id"])


async def from_request(connection: HTTPConnection, *, again: bool = True) -> Subject:
    """The caller of a GraphQL request: Authorization, X-API-Key, OAUTH-TOKEN, apikey, or cookie.

    Without `again` it may be a remembered one.
    """
    get = connection.headers.get
    # A request may have several Cookie headers, and all of them count.
    cookies = "; ".join(connection.headers.getlist("cookie"))
    headers = ("authorization", "x-api-key", "oauth-token", "apikey")
    credential = (*map(get, headers), cookies)
    if not any(credential):
        return ANONYMOUS
    return await remember.caller(credential, partial(_from_request, connection), again=again)


async def _from_request(connection: HTTPConnection) -> Subject:
    headers = connection.headers
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return await by_token(bearer.strip())
    # Clients of Cube send the token bare, those of Lens in a header of its own.
    if bare := "" if bearer.strip() else scheme or headers.get("apikey", ""):
        return await by_token(bare)
    if key := headers.get("x-api-key"):
        return await _by_mage(key, headers.get("oauth-token"))
    if token := headers.get("oauth-token"):
        return await by_token(token)
    if cookie := next((c for n in COOKIES if (c := connection.cookies.get(n))), None):
        return replace(await by_token(cookie), by_cookie=True)
    return ANONYMOUS


async def from_init_payload(connection: HTTPConnection, payload: dict[str, Any]) -> Subject:
    """The caller of a socket: `authorization` or `apiKey` of connection_init, else its headers."""
    given = payload.get("authorization") or payload.get("Authorization")
    key = payload.get("apiKey") or payload.get("X-API-Key") or payload.get("x-api-key")
    if isinstance(given, str) and given:
        token = given.split(" ", 1)[1] if given.lower().startswith("bearer ") else given
        subject = await by_token(token.strip())
    elif isinstance(key, str) and key:
        subject = await by_api_key(key)
    else:
        return await from_request(connection)
    return subject


async def renewed(subject: Subject) -> Subject:
    """The caller of an open subscription with the rights it has by now.

    Unauthenticated where its session or key has ended.
    """
    if subject.kind == "session":
        now = _session_subject(await db.fetch_row(_SESSION + _BY_ID, subject.session_id))
    elif subject.kind == "key":
        now = await _key_subject(await db.fetch_row(_KEY + _BY_ID, subject.key_id))
    else:
        if subject.expires_at is not None and subject.expires_at <= time():
            raise Unauthenticated("Expired token.", reason="expired_oauth_token")
        return subject
    return replace(
        subject,
        username=now.username,
        is_owner=now.is_owner,
        is_limited=now.is_limited,
        grants=now.grants,
        groups=now.groups,
    )


async def is_present(subject: Subject) -> bool:
    """Whether a remembered caller has this moment all the rights that it was remembered with."""
    return await remember.is_present(subject)


def address_of(connection: HTTPConnection) -> str | None:
    """The caller's network address."""
    return connection.client.host if connection.client else None
