"""Reading a PostgreSQL table by cursor: what is new, what came late, what was seen before."""

from workers.connectors.base import Position, Session, Stream, SyncError, literal, quote
from workers.connectors.postgres import Postgres

ROW = "isthmus_row"
"""What a table is called in our queries: no column has this name."""
SEEN_ROWS = 10_000
"""So many rows at a position are remembered, to know them again."""


class Cursor:
    """The cursor of one stream, inside the transaction that reads.

    A position holds the greatest value of the cursor (`marks`; a second one for rows in which it is
    null), the oldest transaction that was open (`oldest`), and hashes of the rows at its edge
    (`seen`). At the edge are rows that the next sync meets again: those written since `oldest`, or,
    where late rows are not looked for, those with the greatest cursor.
    """

    def __init__(
        self, pg: Postgres, session: Session, stream: Stream, name: str, columns: set[str]
    ) -> None:
        self.pg = pg
        self.log = session.log
        self.stream = stream
        self.name = name
        if not stream.cursor:
            raise SyncError(f"Stream {stream.id} is incremental and has no cursor column.")
        self.columns = [c for c in (stream.cursor, stream.second_cursor) if c]
        for column in self.columns:
            if column not in columns:
                raise SyncError(f"The cursor {column} is no column of {stream.id}.")

    def now(self, *, late: bool) -> Position:
        """The position behind all rows that the transaction sees."""
        oldest, following, system = self.pg.rows(
            "SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, pg_snapshot_xmax(s)::text::bigint "
            "AS following, (SELECT system_identifier::text FROM pg_control_system()) AS system "
            "FROM pg_current_snapshot() AS s"
        )[0]
        marks = [self._greatest(i) for i in range(len(self.columns))]
        position: Position = {"marks": marks, "system": system, "oldest": oldest if late else None}
        # Without an open transaction nothing visible was written since the oldest one.
        position["seen"] = [] if late and oldest == following else self._seen(position)
        return position

    def behind(self, position: Position, *, late: bool, system: str) -> str:
        """SQL: whether a row lies behind a position. Late ones cost a scan of the whole table."""
        position = self._understood(position)
        if not late or position["system"] != system:
            position["oldest"] = None
        edge, seen = self._edge(position), position["seen"]
        if seen:
            edge += f" AND md5({ROW}::text) NOT IN ({', '.join(map(literal, seen))})"
        newer = [
            f"{self._rows(i)} AND {self._newer(i, m)}" for i, m in enumerate(position["marks"])
        ]
        return " OR ".join(f"({condition})" for condition in (*newer, edge))

    def _understood(self, position: Position) -> Position:
        """A position of ours, or one that was set by hand, such as {"updated_at": "2026-01-01"}."""
        marks = position.get("marks") or [position.get(column) for column in self.columns]
        fits = isinstance(marks, list) and len(marks) == len(self.columns)
        if not fits or ("marks" not in position and not any(marks)):
            raise SyncError(
                f"The state of {self.stream.id} cannot be read. Give the value of its cursor, as in "
                f'{{"{self.columns[0]}": …}}, or reset it.'
            )
        return {
            "marks": [None if mark is None else str(mark) for mark in marks],
            "seen": [str(hash) for hash in position.get("seen") or []],
            "oldest": position.get("oldest"),
            "system": position.get("system"),
        }

    def _rows(self, index: int) -> str:
        """The rows for which a cursor counts."""
        return "true" if index == 0 else f"{quote(self.columns[0])} IS NULL"

    def _newer(self, index: int, mark: str | None) -> str:
        column = quote(self.columns[index])
        return f"{column} IS NOT NULL" if mark is None else f"{column} > {literal(mark)}"

    def _edge(self, position: Position) -> str:
        if position["oldest"] is not None:
            # Frozen rows keep an xmin of long ago, which must not count as one to come.
            oldest = position["oldest"] % 2**32
            return f"age({ROW}.xmin) BETWEEN 0 AND age('{oldest}'::xid)"
        marked = [
            f"{self._rows(i)} AND {quote(self.columns[i])} = {literal(mark)}"
            for i, mark in enumerate(position["marks"])
            if mark is not None
        ]
        return f"({' OR '.join(marked) or 'false'})"

    def _greatest(self, index: int) -> str | None:
        column = quote(self.columns[index])
        rows = self.pg.rows(
            f"SELECT {column}::text AS mark FROM {self.name} WHERE {column} IS NOT NULL "
            f"AND {self._rows(index)} ORDER BY {column} DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else None

    def _seen(self, position: Position) -> list[str]:
        rows = self.pg.rows(
            f"SELECT md5({ROW}::text) AS hash FROM {self.name} AS {ROW} "
            f"WHERE {self._edge(position)} LIMIT {SEEN_ROWS + 1}"
        )
        if len(rows) <= SEEN_ROWS:
            return [row[0] for row in rows]
        self.log(
            "warning",
            f"More than {SEEN_ROWS} rows of {self.stream.id} are at the position that was reached: "
            "the next sync reads them again.",
        )
        return []
