"""Queries of a semantic model, from their JSON to SQL and from rows to answers. The door to it."""

from app.semantic.compile.answer import dry_run_answer, load_answer, result, sql_answer
from app.semantic.compile.asked import Asked, Normal
from app.semantic.compile.blend import extra_keys
from app.semantic.compile.columns import OutputColumn
from app.semantic.compile.dialects import DIALECTS, Dialect
from app.semantic.compile.errors import QueryError
from app.semantic.compile.normal import normalise
from app.semantic.compile.query import Compiled, compile_query
from app.semantic.compile.rows import shape_rows

__all__ = [
    "DIALECTS",
    "Asked",
    "Compiled",
    "Dialect",
    "Normal",
    "OutputColumn",
    "QueryError",
    "compile_query",
    "dry_run_answer",
    "extra_keys",
    "load_answer",
    "normalise",
    "result",
    "shape_rows",
    "sql_answer",
]
