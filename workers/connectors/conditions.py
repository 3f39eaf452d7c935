"""A stream's filter as SQL of the database that reads it."""

from collections.abc import Callable, Collection

from workers.connectors.base import (
    OPERATORS,
    Condition,
    Stream,
    SyncError,
    literal,
    quote,
)


def where(
    stream: Stream,
    names: Collection[str],
    *,
    quote: Callable[[str], str] = quote,
    value: Callable[[str, str], str] = lambda column, text: literal(text),
) -> str:
    """The filter in parentheses (`value` writes a column's value), empty without one; SyncError where it names what is not there."""

    def one(condition: Condition) -> str:
        if condition.column not in names:
            raise SyncError(
                f"The filter of {stream.id} names column {condition.column}, which it lacks."
            )
        if condition.operator not in OPERATORS:
            raise SyncError(
                f"The filter of {stream.id} has the unknown operator {condition.operator}."
            )
        column = quote(condition.column)
        if condition.value is None:
            return f"{column} IS {'' if condition.operator == '=' else 'NOT '}NULL"
        return f"{column} {condition.operator.replace('!=', '<>')} {value(condition.column, condition.value)}"

    joined = (" OR " if stream.any_condition else " AND ").join(map(one, stream.conditions))
    return f"({joined})" if joined else ""
