"""JWTs that others sign: by a key that the operator shares with them, or by an OIDC issuer.

Their holders need no account. They may ask the semantic model of one project, within the user
groups that the claims `sub` and `groups` stand for, and nothing else.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import orjson
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.util import urlsafe_b64decode

from app.core import db
from app.core.errors import Unauthenticated, Unavailable
from app.core.rules import Subject
from app.settings import Access, get_settings

log = structlog.get_logger()

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
KEYS_LAST_S = 600.0
ASK_AGAIN_S = 30.0
"""Keys are looked up at most so often: anybody can make up a key's id, and an issuer can be away."""
LEEWAY_S = 30
LATEST = 2**40
PERMISSIONS = frozenset({"semantic.read"})
MAX_GROUPS = 200

_PROJECT = """SELECT id FROM projects WHERE $1 = '' OR uuid = $1 ORDER BY id LIMIT 1"""


def is_outside(token: str) -> bool:
    """Whether a token is a JWT that we have not made ourselves, where such are let in."""
    access = get_settings().access
    if token.count(".") != 2 or not (access.jwt_key or access.oidc_issuer):
        return False
    # The envelope of a session's token has these two claims and no other.
    return set(_part(token, 1)) != {"expires", "token"}


async def by_jwt(token: str) -> Subject:
    """The caller that a JWT names; Unauthenticated where it is not valid now."""
    access = get_settings().access
    claims = await _verified(token, access)
    subject, groups = claims.get("sub"), claims.get("groups", [])
    project = claims.get("project", "")
    if not _is_name(subject) or not _are_names(groups) or not (_is_name(project) or project == ""):
        raise _bad()
    row = await db.fetch_row(_PROJECT, project)
    if row is None:
        raise _bad()
    return Subject(
        kind="jwt",
        username=subject,
        project_id=row["id"],
        grants={row["id"]: PERMISSIONS},
        groups=tuple(groups),
        is_limited=True,
        expires_at=float(min(claims["exp"], LATEST)),
    )


async def _verified(token: str, access: Access) -> Mapping[str, Any]:
    symmetric = _part(token, 0).get("alg") == "HS256"
    try:
        if symmetric and access.jwt_key:
            decoded = jwt.decode(token, OctKey.import_key(access.jwt_key), algorithms=["HS256"])
            rules = jwt.JWTClaimsRegistry(leeway=LEEWAY_S, exp={"essential": True})
        elif not symmetric and access.oidc_issuer:
            keys = await _issuer.keys(access.oidc_issuer, str(_part(token, 0).get("kid", "")))
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            rules = _oidc_rules(access)
        else:
            raise _bad()
        rules.validate(decoded.claims)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _bad() from error
    return decoded.claims


def _oidc_rules(access: Access) -> jwt.JWTClaimsRegistry:
    wanted: Any = {"essential": True, "value": access.oidc_audience}
    issuer: Any = {"essential": True, "value": access.oidc_issuer}
    return jwt.JWTClaimsRegistry(leeway=LEEWAY_S, exp={"essential": True}, iss=issuer, aud=wanted)


def _are_names(groups: Any) -> bool:
    is_list = isinstance(groups, list) and len(groups) <= MAX_GROUPS
    return is_list and all(map(_is_name, groups))


def _is_name(value: Any) -> bool:
    # Neither tables nor answers can hold NUL or half a surrogate pair.
    return isinstance(value, str) and value != "" and value.isprintable()


def _part(token: str, number: int) -> Mapping[str, Any]:
    """Header (0) or claims (1), not verified; empty where they cannot be read."""
    try:
        found = orjson.loads(urlsafe_b64decode(token.split(".")[number].encode()))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _bad() -> Unauthenticated:
    return Unauthenticated("Invalid token.", reason="invalid_oauth_token")


class _Issuer:
    """The public keys of an OIDC issuer, kept for some minutes."""

    def __init__(self) -> None:
        self._url = self._tried = ""
        self._keys = KeySet([])
        self._read = self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def keys(self, url: str, kid: str) -> KeySet:
        """Its keys, read anew where they are old or have none of that id."""
        async with self._lock:
            now = time.monotonic()
            old = url != self._url or now - self._read > KEYS_LAST_S
            unknown = kid not in {key.kid or "" for key in self._keys.keys}
            if (old or unknown) and (now - self._asked > ASK_AGAIN_S or url != self._tried):
                self._asked, self._tried = now, url
                await self._refresh(url)
            if url != self._url:
                raise Unavailable("The issuer's keys cannot be read now.")
            return self._keys

    async def _refresh(self, url: str) -> None:
        try:
            async with httpx2.AsyncClient(timeout=10) as http:
                about = await http.get(f"{url.rstrip('/')}/.well-known/openid-configuration")
                answer = await http.get(about.raise_for_status().json()["jwks_uri"])
                self._keys = KeySet.import_key_set(answer.raise_for_status().json())
        except (httpx2.HTTPError, JoseError, KeyError, TypeError, ValueError) as error:
            # The old ones go on, and who waits behind this call is not made to try again.
            log.warning("issuer.keys_not_read", error=type(error).__name__)
            return
        self._url, self._read = url, time.monotonic()


_issuer = _Issuer()
