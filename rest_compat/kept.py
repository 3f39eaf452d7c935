"""Answers that are given again while they hold: to the same caller, for the same request."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.rules import Subject

MOST = 1000
MOST_BYTES = 32 * 1024**2
LONGEST = 1024**2

Asked = tuple[str, tuple[str, ...], bytes, bytes]
"""What an answer depends on beside its caller: method, segments of the path, query, body."""


class Ready:
    """A response that was sent before, to be sent as it is."""

    def __init__(self, response: Response) -> None:
        self.size = len(response.body)
        start = {"type": "http.response.start", "status": response.status_code}
        self._start = {**start, "headers": response.raw_headers}
        self._body = {"type": "http.response.body", "body": response.body}

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send it."""
        # Copies, since middleware on the way adds its headers to them.
        await send({**self._start})
        await send({**self._body})


@dataclass(frozen=True)
class _Kept:
    subject: Subject
    answer: Ready
    holds: Callable[[], bool]
    size: int


class KeptAnswers:
    """Answers, the one used last at the end.

    A caller is one Subject in memory: whoever is looked up anew is another one, and has nothing kept.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[int, Asked], _Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, subject: Subject, asked: Asked) -> Ready | None:
        """The answer that this caller would get now, as far as it is known."""
        key = id(subject), asked
        found = self._kept.get(key)
        if found is None:
            return None
        if not found.holds():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found.answer

    def keep(
        self, subject: Subject, asked: Asked, response: Response, holds: Callable[[], bool]
    ) -> None:
        """Keep a response for a remembered caller as long as `holds` says so."""
        answer = Ready(response)
        size = answer.size + len(asked[2]) + len(asked[3])
        if (
            subject.kind not in ("session", "key")
            or not subject.is_remembered
            or size > LONGEST
            or not holds()
        ):
            return
        key = id(subject), asked
        self._drop(key)
        # With the caller itself, since another one could get its number.
        self._kept[key] = _Kept(subject, answer, holds, size)
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes or self._has_old():
            self._drop(next(iter(self._kept)))

    def _has_old(self) -> bool:
        """Whether what was used longest ago holds no more: it would keep a model and its rows alive."""
        return bool(self._kept) and not next(iter(self._kept.values())).holds()

    def _drop(self, key: tuple[int, Asked]) -> None:
        old = self._kept.pop(key, None)
        self._bytes -= 0 if old is None else old.size
