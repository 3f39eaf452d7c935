"""The SQL that authors write: parsed once, with its references `{name}` as marked identifiers."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from app.semantic.model.nouns import Fragment, Place

MAX_SQL = 64 * 1024
# `\{` is a brace, not a reference.
_REFERENCE = re.compile(r"(?<!\\)\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)\s*\}")
_BRACE = re.compile(r"\\([{}])")
# Words that SQL reads as calls although they look like columns.
_CALLS = (
    "current_catalog", "current_role", "current_schema", "current_user", "localtime",
    "localtimestamp", "session_user", "user",
)  # fmt: skip


class NotSql(Exception):
    """A text that is not the SQL which is wanted in its place; the message says why."""


def name_in(identifier: object) -> str | None:
    """The name that a marked identifier refers to; None for any other."""
    if not isinstance(identifier, exp.Identifier) or not identifier.this.startswith("{"):
        return None
    return str(identifier.this)[1:-1]


def expression(text: str, dialect: str, place: Place) -> Fragment:
    """The fragment of one SQL expression. Raises NotSql."""
    marked = _REFERENCE.sub(lambda found: f'"{{{found[1]}}}"', text)
    tree = _only_projection(_BRACE.sub(r"\1", marked), dialect)
    names = _REFERENCE.findall(text)
    if len(names) != len([one for one in tree.find_all(exp.Identifier) if name_in(one)]):
        raise NotSql("a reference in braces stands inside quotes or a comment")
    nested = tree.find(exp.Query, exp.Lambda)
    return Fragment(tree, tuple(dict.fromkeys(names)), nested is None, text, place)


def source(text: str, dialect: str) -> exp.Expr:
    """What rows come from: a table for `select * from t`, else the select. Raises NotSql."""
    query = _statement(text, dialect)
    if not isinstance(query, exp.Query):
        raise NotSql("it is not a select")
    return _plain_table(query) or query


def table(text: str, dialect: str) -> exp.Expr:
    """A table's name, with its schema if it is written. Raises NotSql."""
    found = _statement(f"SELECT * FROM {text}", dialect)
    plain = _plain_table(found) if isinstance(found, exp.Query) else None
    if plain is None:
        raise NotSql("it is not the name of a table")
    return plain


def is_call(column: exp.Column) -> bool:
    """Whether a bare column is one of SQL's words, as `current_user`."""
    return column.name.lower() in _CALLS and not column.this.quoted


def _only_projection(text: str, dialect: str) -> exp.Expr:
    query = _statement(f"SELECT {text}\n", dialect)
    parts = {key for key, value in query.args.items() if value and key != "kind"}
    if not isinstance(query, exp.Select) or parts != {"expressions"}:
        raise NotSql("it is not an expression")
    if len(query.expressions) != 1 or isinstance(query.expressions[0], exp.Alias):
        raise NotSql("it is not one expression")
    found: exp.Expr = query.expressions[0]
    found.pop()
    return found


def _statement(text: str, dialect: str) -> exp.Expr:
    if len(text) > MAX_SQL:
        raise NotSql(f"it has more than {MAX_SQL} characters")
    try:
        found = sqlglot.parse(text, dialect=dialect)
    except SqlglotError as error:
        raise NotSql(_reason(error)) from error
    except RecursionError as error:
        raise NotSql("it is nested too deeply") from error
    if len(found) != 1 or found[0] is None:
        raise NotSql("it is not one statement")
    if found[0].find(exp.Parameter, exp.Placeholder):
        raise NotSql("it has a parameter; nobody would bind it")
    return _light(found[0])


def _light(tree: exp.Expr) -> exp.Expr:
    """The tree without places in the text, types and comments, which each copy would carry on."""
    for node in tree.walk():
        node._meta = None
        node.type = None
        node.comments = None
    return tree


def _reason(error: SqlglotError) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error).splitlines()[0]
    first = details[0]
    near = (first.get("highlight") or "").strip()
    return f"{first['description']}" + (f" Near {near!r}." if near else "")


def _plain_table(query: exp.Query) -> exp.Table | None:
    """The table of `select * from t` without anything else."""
    parts = {key: value for key, value in query.args.items() if value and key != "kind"}
    origin = parts.pop("from", None) or parts.pop("from_", None)
    shown = parts.pop("expressions", None)
    if parts or origin is None or not isinstance(origin.this, exp.Table):
        return None
    if (
        not shown
        or len(shown) != 1
        or type(shown[0]) is not exp.Star
        or any(shown[0].args.values())
    ):
        return None
    plain = {key for key, value in origin.this.args.items() if value} <= {"this", "db", "catalog"}
    return origin.this if plain else None
