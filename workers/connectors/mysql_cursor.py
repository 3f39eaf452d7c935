"""Reading a MySQL table by cursor, without a transaction that would have to hold the server.

What is read is decided beforehand: the greatest value, and which rows have it. A row that comes
with that value while the reading goes on belongs to the next sync.
"""

from collections.abc import Sequence

from workers.connectors.base import Position, Session, Stream, SyncError
from workers.connectors.mysql import Mysql, my_literal, my_number, my_quote
from workers.connectors.mysql_types import MyColumn

SEEN_ROWS = 5_000
"""So many rows at a position are remembered, to know them again."""


class MyCursor:
    """The cursor of one stream; a second one counts where the first is null."""

    def __init__(
        self, my: Mysql, session: Session, stream: Stream, table: str, columns: Sequence[MyColumn]
    ) -> None:
        self.my, self.session, self.stream, self.table = my, session, stream, table
        by_name = {column.name: column for column in columns}
        if not stream.cursor:
            raise SyncError(f"Stream {stream.id} is incremental and has no cursor column.")
        self.columns = []
        for name in (stream.cursor, stream.second_cursor):
            if name and name not in by_name:
                raise SyncError(f"The cursor {name} is no column of {stream.id}.")
            if name and not by_name[name].is_ordered:
                kind = by_name[name].type
                raise SyncError(
                    f"The cursor {name} of {stream.id} is a {kind}, which cannot be one."
                )
            if name:
                self.columns.append(by_name[name])
        whole = ", ".join(f"QUOTE({my_quote(column.name)})" for column in columns)
        self.hash = f"MD5(CONCAT_WS(',', {whole}))"

    def now(self) -> Position:
        """The position behind all rows that are there."""
        marks = [self._greatest(i) for i in range(len(self.columns))]
        rows = self.my.rows(
            f"SELECT {self.hash} FROM {self.table} WHERE {self._edge(marks)} LIMIT {SEEN_ROWS + 1}"
        )
        if len(rows) > SEEN_ROWS:
            text = (
                f"More than {SEEN_ROWS} rows of {self.stream.id} are at the position that was "
                "reached: the next sync reads them again."
            )
            self.session.log("warning", text)
            rows = []
        return {"marks": marks, "seen": [row[0] for row in rows]}

    def between(self, old: Position | None, new: Position) -> str:
        """SQL: whether a row lies behind one position and not behind the other."""
        upper = [
            f"{self._rows(i)} AND {my_quote(c.name)} < {self._value(i, m)}"
            for i, (c, m) in enumerate(zip(self.columns, new["marks"], strict=True))
            if m is not None
        ]
        upper.append(self._edge(new["marks"]) + self._known(new["seen"], "IN"))
        if old is None:
            upper.append(" AND ".join(f"{my_quote(c.name)} IS NULL" for c in self.columns))
            return _any(upper)
        lower = [
            f"{self._rows(i)} AND {my_quote(c.name)} "
            + ("IS NOT NULL" if m is None else f"> {self._value(i, m)}")
            for i, (c, m) in enumerate(zip(self.columns, old["marks"], strict=True))
        ]
        lower.append(self._edge(old["marks"]) + self._known(old["seen"], "NOT IN"))
        return f"{_any(upper)} AND {_any(lower)}"

    def _known(self, seen: Sequence[str], operator: str) -> str:
        listed = ", ".join(f"'{mark}'" for mark in seen)
        return f" AND {self.hash} {operator} ({listed})" if seen else ""

    def _edge(self, marks: Sequence[str | None]) -> str:
        equal = [
            f"{self._rows(i)} AND {my_quote(self.columns[i].name)} = {self._value(i, mark)}"
            for i, mark in enumerate(marks)
            if mark is not None
        ]
        return _any(equal) if equal else "FALSE"

    def _rows(self, index: int) -> str:
        return "TRUE" if index == 0 else f"{my_quote(self.columns[0].name)} IS NULL"

    def _value(self, index: int, mark: str) -> str:
        return my_number(mark) if self.columns[index].is_number else my_literal(mark)

    def _greatest(self, index: int) -> str | None:
        name = my_quote(self.columns[index].name)
        rows = self.my.rows(
            f"SELECT CAST({name} AS CHAR) FROM {self.table} WHERE {name} IS NOT NULL "
            f"AND {self._rows(index)} ORDER BY {name} DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else None


def _any(conditions: Sequence[str]) -> str:
    return "(" + " OR ".join(f"({condition})" for condition in conditions) + ")"
