"""What a statement in the binlog means for a table whose rows we keep.

Rows are logged as rows. What stands there as a statement changes definitions; a few of those take
rows away without telling which, and those must not pass unseen.
"""

import re
from collections.abc import Callable
from typing import Literal

Effect = Literal["none", "defined", "moved", "removed", "unknown"]
"""`defined`: the table may look different from here on; `moved`: another table has its name now;
`removed`: rows are gone; `unknown`: rows were changed by a statement."""

_COMMENT = re.compile(
    r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`)"""
    r"|/\*(?!!|M!).*?\*/|/\*(?:!|M!)\d*|\*/|--(?=\s|$)[^\n]*|#[^\n]*",
    re.DOTALL,
)
"""Whatever is no part of a statement; a quoted text is met first, and kept as its group."""
_AROUND = re.compile(
    r"SET\s+STATEMENT\s.*?\sFOR\s+|ANALYZE\s+(?:FORMAT\s*=\s*\w+\s+)?(?=(?:INSERT|UPDATE|DELETE|REPLACE)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""In front of a statement that is run all the same."""
_NAME = r"(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[\w$]+)"
_TABLE = rf"{_NAME}(?:\s*\.\s*{_NAME})?"
_CHANGES = re.compile(r"(INSERT|UPDATE|DELETE|REPLACE|LOAD|WITH|CALL)\b", re.IGNORECASE)
_TRUNCATE = re.compile(rf"TRUNCATE\s+(?:TABLE\s+)?({_TABLE})", re.IGNORECASE)
_DROP = re.compile(r"DROP\s+TABLES?\s+(?:IF\s+EXISTS\s+)?(.*)", re.IGNORECASE | re.DOTALL)
_DROP_DATABASE = re.compile(
    rf"(?:DROP|CREATE\s+OR\s+REPLACE)\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+EXISTS\s+)?({_NAME})",
    re.IGNORECASE,
)
_CREATE = re.compile(
    rf"CREATE\s+OR\s+REPLACE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?({_TABLE})", re.IGNORECASE
)
_RENAME = re.compile(r"RENAME\s+TABLES?\s+(.*)", re.IGNORECASE | re.DOTALL)
_ALTER = re.compile(
    rf"ALTER\s+(?:ONLINE\s+|IGNORE\s+)*TABLE\s+(?:IF\s+EXISTS\s+)?({_TABLE})(.*)",
    re.IGNORECASE | re.DOTALL,
)
_PARTS = re.compile(
    r"\b((TRUNCATE|DROP|EXCHANGE|CONVERT)\s+PARTITION|CONVERT\s+TABLE|(IMPORT|DISCARD)\s+TABLESPACE)\b",
    re.IGNORECASE,
)
_TO = re.compile(r"\bRENAME\b(?!\s+(?:COLUMN|INDEX|KEY)\b)", re.IGNORECASE)


def effect(text: str, run_in: str, schema: str, table: str) -> Effect:
    """What a statement that was run in a schema means for a table of a schema."""
    plain = _COMMENT.sub(lambda match: match[1] or " ", text).strip()
    plain = _AROUND.sub("", plain, count=1) if _AROUND.match(plain) else plain
    is_meant = _meant(run_in, schema, table)
    if match := _TRUNCATE.match(plain):
        return "removed" if is_meant(match[1]) else "none"
    if match := _DROP_DATABASE.match(plain):
        return "removed" if _bare(match[1]) == schema.lower() else "none"
    if match := _DROP.match(plain):
        return "removed" if any(map(is_meant, _tables(match[1]))) else "none"
    if match := _CREATE.match(plain):
        return "removed" if is_meant(match[1]) else "none"
    if match := _RENAME.match(plain):
        return "moved" if any(map(is_meant, _tables(match[1]))) else "none"
    if match := _ALTER.match(plain):
        return _altered(match[2], is_meant(match[1]), any(map(is_meant, _tables(match[2]))))
    if _CHANGES.match(plain) and any(map(is_meant, _tables(plain))):
        return "unknown"
    return "none"


def _altered(how: str, is_meant: bool, is_named: bool) -> Effect:
    """ALTER of the table, or of another one that names it."""
    if _PARTS.search(how) and (is_meant or is_named):
        return "removed"
    if _TO.search(how) and (is_meant or is_named):
        return "moved"
    return "defined" if is_meant else "none"


def _meant(run_in: str, schema: str, table: str) -> Callable[[str], bool]:
    def is_meant(name: str) -> bool:
        parts = [_bare(part) for part in re.findall(_NAME, name)]
        of, what = parts if len(parts) == 2 else (run_in.lower(), parts[0])
        return (of, what) == (schema.lower(), table.lower())

    return is_meant


def _tables(text: str) -> list[str]:
    return re.findall(_TABLE, text)


def _bare(name: str) -> str:
    quoted = name[0] in '`"'
    return (name[1:-1].replace(name[0] * 2, name[0]) if quoted else name).lower()
