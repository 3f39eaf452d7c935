"""Serves the document: a page, JSON and YAML, each at the addresses of two systems."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rest_compat.openapi.page import as_yaml, page

PLACES = ("/api-docs", "/api/v1/docs")
FORMS = {
    "/": ("html", "text/html"),
    ".json": ("json", "application/json"),
    ".yaml": ("yaml", "application/yaml"),
}
PATHS = frozenset(f"{place}{end}" for place in PLACES for end in ("", *FORMS))
ELSEWHERE = ("/redoc", "/redoc/")
"""Where DEEP has a second page of the same."""
HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ApiDocs:
    """The document in its three forms, made when it is first asked for."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document; takes a second or two."""
        return self._make()

    @cached_property
    def json(self) -> bytes:
        """As JSON."""
        return orjson.dumps(self.document)

    @cached_property
    def yaml(self) -> bytes:
        """As YAML."""
        return as_yaml(self.document).encode()

    @cached_property
    def html(self) -> bytes:
        """As a page."""
        links = {"JSON": f"{PLACES[0]}.json", "YAML": f"{PLACES[0]}.yaml"}
        return page(self.document, links).encode()

    def routes(self) -> list[Route]:
        """Every address of every form."""
        made = [
            Route(f"{place}{end}", self._served(form, media))
            for place in PLACES
            for end, (form, media) in FORMS.items()
        ]
        moved = (Route(place, _to_page) for place in ELSEWHERE)
        return [*made, *(Route(place, _with_slash) for place in PLACES), *moved]

    def _served(self, form: str, media: str) -> Any:
        async def served(_: Request) -> Response:
            content = await run_in_threadpool(getattr, self, form)
            headers = HEADERS | ({"Content-Security-Policy": CSP} if form == "html" else {})
            return Response(content, headers=headers, media_type=media)

        return served


async def _to_page(_: Request) -> Response:
    return RedirectResponse(f"{PLACES[0]}/", 308)


async def _with_slash(request: Request) -> Response:
    return RedirectResponse(f"{request.url.path}/", 308)
