"""When two urls are the same page."""

import re
from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LONGEST = 1000
"""Bytes of a key as it is: PostgreSQL's indices hold no row of more than 2704."""
_TRACKING = re.compile(r"(utm_[a-z]+|fbclid|gclid)(=|$)")


def normalised(url: str) -> str:
    """What is equal for two urls of the same page; empty for an empty one.

    Scheme, `www.`, the default port, letter case of the host, a slash at the end, the fragment and
    parameters of campaigns do not count; the order of the others does not either.
    """
    key = _key(url.strip())
    return key if len(key.encode()) <= _LONGEST else sha256(key.encode()).hexdigest()


def _key(text: str) -> str:
    try:
        parts = urlsplit(text if _SCHEME.match(text) else f"http://{text}")
        host = _host(parts)
    except ValueError:
        return text.lower()
    if not host:
        return text.lower()
    kept = sorted(one for one in parts.query.split("&") if one and not _TRACKING.match(one))
    query = f"?{'&'.join(kept)}" if kept else ""
    return f"{host}{parts.path.rstrip('/')}{query}"


def _host(parts: SplitResult) -> str:
    name = (parts.hostname or "").removeprefix("www.").rstrip(".")
    port = parts.port
    return name if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{name}:{port}"
