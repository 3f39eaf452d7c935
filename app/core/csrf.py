"""Whether a browser sent a state-changing request on behalf of a foreign page."""

from collections.abc import Collection, Mapping

from starlette.requests import HTTPConnection

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
HTTP_SCHEMES = {"ws": "http", "wss": "https"}


def own_origin(conn: HTTPConnection) -> str:
    """The origin that the caller addressed, as browsers write it (`https://host[:port]`)."""
    scheme = HTTP_SCHEMES.get(conn.url.scheme, conn.url.scheme)
    host = conn.headers.get("host", "").lower().removesuffix(DEFAULT_PORTS.get(scheme, ":"))
    return f"{scheme}://{host}"


def is_known_origin(origin: str, allowed_origins: Collection[str], own: str) -> bool:
    """Whether `origin` is our own or on the list; `null` never is."""
    name = origin.strip().lower()
    if name == "null":
        return False
    return name == own or any(name == allowed.rstrip("/").lower() for allowed in allowed_origins)


def csrf_refusal(
    method: str, headers: Mapping[str, str], allowed_origins: Collection[str], own: str
) -> str | None:
    """Why a request that authenticates by cookie is refused, or None if it may pass.

    `headers` has lower-case names (or is case-insensitive). `Origin` decides where it is sent;
    without it `Sec-Fetch-Site` does; a caller that sends neither is no browser.
    """
    if method.upper() in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is not None:
        if is_known_origin(origin, allowed_origins, own):
            return None
        return "This origin may not use a session cookie here. Add it to the allowed origins."
    if headers.get("sec-fetch-site", "none").lower() not in ("same-origin", "none"):
        return "A page of another site sent this request. Send it from this server's own pages."
    return None
