"""Answers that are given again while they hold: to the same caller, for the same request."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.core.rules import Subject
from rest_compat.dialect import Answer

MOST = 1000
MOST_BYTES = 32 * 1024**2
LONGEST = 1024**2

Asked = tuple[str, tuple[str, ...], bytes, bytes]
"""What an answer depends on beside its caller: method, segments of the path, query, body."""


@dataclass(frozen=True)
class _Kept:
    subject: Subject
    answer: Answer
    holds: Callable[[], bool]
    size: int


class KeptAnswers:
    """Answers as bytes, the one used last at the end.

    A caller is one Subject in memory: whoever is looked up anew is another one, and has nothing kept.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[int, Asked], _Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, subject: Subject, asked: Asked) -> Answer | None:
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
        self, subject: Subject, asked: Asked, answer: Answer, holds: Callable[[], bool]
    ) -> None:
        """Keep an answer for a remembered caller as long as `holds` says so."""
        size = len(answer.content) + len(asked[2]) + len(asked[3])
        if not subject.is_remembered or size > LONGEST or not holds():
            return
        key = id(subject), asked
        self._drop(key)
        # With the caller itself, since another one could get its number.
        self._kept[key] = _Kept(subject, answer, holds, size)
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[int, Asked]) -> None:
        old = self._kept.pop(key, None)
        self._bytes -= 0 if old is None else old.size
