"""Splits a script into its statements as PostgreSQL would."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*)
    | (?P<open>/\*)
    | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$)
    | (?P<word>[^\W\d]\w*)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
_SPACE = re.compile(r"\s*")
_CONTROL = re.compile(
    r"(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """One statement without its semicolon; `start` is its offset in the script."""

    text: str
    start: int

    @property
    def controls_transaction(self) -> bool:
        """Whether it begins or ends a transaction."""
        return _CONTROL.match(self.text) is not None


def split(script: str) -> list[Statement]:
    """The statements of a script; those that are only space and comments are left out."""
    statements: list[Statement] = []
    begin = position = depth = 0
    before = ""
    while match := _TOKEN.search(script, position):
        position = _after(script, match)
        if match.lastgroup == "word":
            depth, before = _nested(match[0].upper(), before, depth), match[0].upper()
        if match.lastgroup == "end" and not depth:
            _add(statements, script, begin, match.start())
            begin = position
    _add(statements, script, begin, len(script))
    return statements


def _after(script: str, match: re.Match[str]) -> int:
    """Where reading goes on: behind the body of a dollar quote or a nested comment."""
    if match.lastgroup == "dollar":
        end = script.find(match[0], match.end())
        return len(script) if end < 0 else end + len(match[0])
    if match.lastgroup != "open":
        return match.end()
    level, position = 1, match.end()
    while level and (mark := _COMMENT_MARK.search(script, position)):
        level += 1 if mark[0] == "/*" else -1
        position = mark.end()
    return len(script) if level else position


def _nested(word: str, before: str, depth: int) -> int:
    """How deep a word leads into a function's body: BEGIN ATOMIC … END, and CASE … END in it."""
    if (word == "ATOMIC" and before == "BEGIN") or (depth and word == "CASE"):
        return depth + 1
    return depth - 1 if depth and word == "END" else depth


def _add(statements: list[Statement], script: str, begin: int, end: int) -> None:
    start = _past_comments(script, begin)
    text = script[start:end].rstrip()
    if text:
        statements.append(Statement(text, start))


def _past_comments(script: str, position: int) -> int:
    while True:
        space = _SPACE.match(script, position)
        position = space.end() if space else position
        match = _TOKEN.match(script, position)
        if match is None or match.lastgroup not in ("comment", "open"):
            return position
        position = _after(script, match)
