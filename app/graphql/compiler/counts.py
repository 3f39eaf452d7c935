"""Counts that read as little as they can: a kept sum, the facet of a row, or all its tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Select, cast, func, select
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from app.graphql.compiler.declare import SqlType

Where = Sequence[ColumnElement[bool]]


def count(of_type: SqlType, where: Where) -> Select[Any]:
    """How many rows `where` names and the caller may read."""
    if of_type.tally is None or of_type.facet is None:
        return counting(of_type, [func.count()], where)
    facet, kept = of_type.facet, of_type.tally.table
    same = {facet.c[name]: kept.c[name] for name in set(facet.c.keys()) & set(kept.c.keys())}
    if not _own_columns(of_type, where) <= same.keys():
        return counting(of_type, [func.count()], where)

    def kept_column(element: Any, **_: Any) -> Any:
        return same.get(element)

    moved = [replacement_traverse(one, {}, kept_column) for one in where]
    total = cast(func.coalesce(func.sum(of_type.tally), 0), BigInteger)
    return select(total).select_from(kept).where(of_type.policy(kept.c), *moved)


def counting(of_type: SqlType, columns: Sequence[Any], where: Where) -> Select[Any]:
    """A select of counts with what they are grouped by."""
    facet = of_type.facet
    if facet is None or not _own_columns(of_type, [*columns, *where]) <= set(facet.c):
        return of_type.select(columns).where(*where)
    return select(*columns).select_from(facet).where(of_type.policy(facet.c), *where)


def _own_columns(of_type: SqlType, clauses: Iterable[ColumnElement[Any]]) -> set[Column[Any]]:
    """The columns of the type's own tables that are named anywhere in the clauses."""
    tables = {of_type.table, *(table for table, _ in of_type.joins)}
    parts = (part for clause in clauses for part in iterate(clause))
    return {part for part in parts if isinstance(part, Column) and part.table in tables}
