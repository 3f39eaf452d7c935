"""Serves the built bundle and the start page; knows nothing of the graph."""

import gzip
import re
from functools import lru_cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, Router

HERE = Path(__file__).parent
DIST = HERE / "dist"
PLAYGROUND_PATH = "/v2/graphql"

NOT_BUILT = (
    "The playground is not built: run `make ui` (it needs Node 20 or newer), then reload this page."
)

# The build writes flat names such as `react-C-O_KnA_.js`; anything else cannot be an asset.
ASSET_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(?P<kind>js|css|svg)")
# Not from `mimetypes`, whose answers depend on the machine's own tables.
MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
SMALLEST_WORTH_COMPRESSING = 1024

_COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_ENCLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# GraphiQL's menus and dialogs insert style elements of their own, and its style sheet underlines
# errors with inline images. 'self' covers the socket of subscriptions (same host and port).
PLAYGROUND_CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; object-src 'none'; {_ENCLOSED}"
)
INDEX_CSP = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; {_ENCLOSED}"


def _page(html: str, csp: str, status: int = 200) -> Response:
    headers = _COMMON_HEADERS | {"Content-Security-Policy": csp, "Cache-Control": "no-cache"}
    return HTMLResponse(html, status, headers)


async def playground_response(request: Request, dist: Path = DIST) -> Response:
    """The playground's page; where the bundle is not built, one sentence that says how (503)."""
    try:
        html = await run_in_threadpool((dist / "playground.html").read_text, "utf-8")
    except FileNotFoundError:
        response: Response = PlainTextResponse(
            NOT_BUILT, 503, _COMMON_HEADERS | {"Cache-Control": "no-store"}
        )
    else:
        response = _page(html, PLAYGROUND_CSP)
    # The same address gives JSON to a client that asks for it.
    response.headers["Vary"] = "Accept"
    return response


def index_response(playground: bool = True) -> Response:
    """The start page: what this server is, with a link to the playground where it is served."""
    link = f'<a href="{PLAYGROUND_PATH}">{PLAYGROUND_PATH}</a>'
    door = (
        f"{link} in a browser is the playground; clients send <code>POST</code> there"
        if playground
        else f"<code>POST {PLAYGROUND_PATH}</code> (the playground is switched off)"
    )
    return _page(_index_html().replace("<!-- playground -->", door), INDEX_CSP)


def assets_app(dist: Path = DIST) -> Router:
    """ASGI app to mount at `/assets`: hashed files, cached for ever, compressed where accepted."""
    folder = dist / "assets"

    async def asset(request: Request) -> Response:
        name: str = request.path_params["name"]
        match = ASSET_NAME.fullmatch(name)
        if match is None:
            return _not_found()
        packed = _accepts_gzip(request.headers.get("accept-encoding", ""))
        try:
            body, encoding = await run_in_threadpool(_read, folder / name, packed)
        except FileNotFoundError:
            return _not_found()
        headers = _COMMON_HEADERS | {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
        }
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(body, headers=headers, media_type=MEDIA_TYPES[match["kind"]])

    return Router([Route("/{name:path}", asset)])


def _not_found() -> Response:
    headers = _COMMON_HEADERS | {"Cache-Control": "no-store"}
    return PlainTextResponse("There is no such asset.", 404, headers)


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.strip() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


# A name holds the hash of its content, so what was read once stays right. The bundle has about
# ten files; compressing here keeps a second copy of each out of the source tree.
@lru_cache(maxsize=128)
def _read(path: Path, packed: bool) -> tuple[bytes, str]:
    content = path.read_bytes()
    if packed and len(content) >= SMALLEST_WORTH_COMPRESSING:
        return gzip.compress(content, mtime=0), "gzip"
    return content, ""


@lru_cache(maxsize=1)
def _index_html() -> str:
    return (HERE / "index.html").read_text("utf-8")
