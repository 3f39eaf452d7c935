"""What both databases ask of a block alike."""

from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.sql.names import Table

POLICIES = ("append", "replace", "fail")
# The temporary table, or view, from which rows are moved to their place.
RESULT = "isthmus_result"


def check_policy(policy: str, table: Table, *, there: bool) -> None:
    """Refuse an unknown policy, and `fail` for a table that is there."""
    if policy not in POLICIES:
        raise SqlFault(f"{policy!r} is no write policy. There are: {', '.join(POLICIES)}.")
    if there and policy == "fail":
        raise SqlFault(f"Table {table} already exists, and the write policy is fail.")


def check_single(statements: int) -> None:
    """Refuse what is not one query."""
    if statements != 1:
        raise SqlFault(
            f"These are {statements} statements. Write one query, or turn on raw SQL "
            "(use_raw_sql) to run several."
        )


def drop_statement(table: Table, *, keep_definition: bool, cascade: bool) -> str:
    """What makes room for the rows that replace those of a table."""
    if keep_definition:
        return f"DELETE FROM {table.quoted}"
    return f"DROP TABLE {table.quoted}{' CASCADE' if cascade else ''}"
