"""What a REST dialect is: routes, credentials and faults as data, and the request they see."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from app.access.identify import address_of
from app.core.rules import Subject
from rest_compat.described import Described

Credential = Literal["token", "key", "none"]
"""What a route asks of its caller: a signed-in user, the installation's key, or nothing."""


async def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Sent:
    """A file that came with a request and is staged: its name, and what names it to the graph.

    `forget` removes it unless it was kept.
    """

    name: str
    upload: str
    forget: Callable[[], Awaitable[None]] = _nothing


NOWHERE = Request({"type": "http", "path": "", "query_string": b"", "headers": []})
"""The request of a call that nobody sent."""


@dataclass(frozen=True)
class Call:
    """One REST request: the path in decoded segments, parameters by name, a JSON object as body."""

    method: str
    segments: tuple[str, ...]
    query: QueryParams = field(default_factory=QueryParams)
    headers: Headers = field(default_factory=Headers)
    path: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    has_body: bool = False
    files: Mapping[str, "Sent"] = field(default_factory=dict)
    request: Request = NOWHERE
    """Read for the rest only where it is asked for: most calls never ask."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """The caller's cookies."""
        return self.request.cookies

    @property
    def address(self) -> str | None:
        """The caller's network address."""
        return address_of(self.request)

    @property
    def is_secure(self) -> bool:
        """Whether it came over TLS."""
        return self.request.url.scheme == "https"

    @property
    def base(self) -> str:
        """Scheme and host that the caller addressed."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}"

    @property
    def sent_path(self) -> str:
        """The path as it was sent."""
        return quote(self.request.url.path, safe="/:@!$&'()*+,;=~-._")


@dataclass(frozen=True)
class Fault:
    """A failure as the graph names it: `extensions.code`, the reason within it, words, a wait."""

    code: str
    message: str
    reason: str | None = None
    retry_after: int | None = None
    path: Sequence[str] = ()
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of input that the operation could not express: messages by member."""


@dataclass(frozen=True)
class Answer:
    """A response: a JSON value, a text, bytes whose type the headers say, or nothing."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    """The body lies in this file."""
    cookies: Sequence[str] = ()

    @property
    def media_type(self) -> str | None:
        """Of the content, if there is any."""
        if self.body is None or isinstance(self.body, bytes):
            return None
        return "text/plain; charset=utf-8" if isinstance(self.body, str) else "application/json"

    @cached_property
    def content(self) -> bytes:
        """The body's bytes."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else orjson.dumps(self.body)


def always(_: Call) -> bool:
    """For the only, or the last, route of a path and method."""
    return True


@dataclass(frozen=True)
class Route:
    """One method of one path, the stored operation behind it, and the two translations.

    `variables` may raise a DomainError for input that the operation could not express, `shape` one
    for data that says that something is missing; it gives the body of a 200, or an Answer. Of
    several routes for the same method and path the first whose `when` holds is taken. `timeout_s`
    is for operations that wait longer than others.
    """

    method: str
    path: str
    operation: str | None
    variables: Callable[[Call], dict[str, Any]]
    shape: Callable[[Any, Call], Any]
    credential: Credential = "token"
    when: Callable[[Call], bool] = always
    timeout_s: float | None = None


@dataclass(frozen=True)
class NotOffered:
    """A documented method of a path that is not served, and why.

    `is_documented`: its refusal is documented as well, so callers are told just that.
    """

    method: str
    path: str
    reason: str
    is_documented: bool = False


@dataclass(frozen=True)
class Dialect:
    """A REST surface: which requests are its own and how they become operations.

    `owns` is asked with method and path, `identify` takes a remembered caller unless it is asked to
    look again. `wrong_method` is the body of answers with status 405, `described` what its
    documentation says beyond what follows from the routes.
    """

    name: str
    prefix: str
    documents: Path
    routes: Sequence[Route]
    not_offered: Sequence[NotOffered]
    owns: Callable[[str, str], bool]
    identify: Callable[[Call, Credential, bool], Awaitable[Subject]]
    faults: Callable[[Fault, Call], Answer]
    wrong_method: Any = None
    also: Mapping[str, str] = field(default_factory=dict)
    """Other beginnings of paths that mean the same: theirs -> that of the routes."""
    described: Described = field(default_factory=Described)
    read: "Reader | None" = None
    """Reads bodies, for a dialect that takes more than JSON. Its callers are known before their
    methods and bodies are looked at, and HEAD is answered as GET."""
    before: Callable[[Call], Answer | None] = lambda _: None
    """An answer to a request whoever sends it, such as a redirect."""
    finish: Callable[[Answer, Call, str], Answer] = lambda answer, _, __: answer
    """Last touches; is told which methods the path has."""


Reader = Callable[[Request, Subject], Awaitable[tuple[dict[str, Any] | None, Mapping[str, Sent]]]]
