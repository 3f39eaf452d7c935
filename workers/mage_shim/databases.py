"""`mage_ai.io.postgres` and `mage_ai.io.duckdb`: databases for the code of Python blocks."""

import contextlib
import logging
from decimal import Decimal
from typing import Any, ClassVar, Self, TypeVar

import pandas as pd

from workers.mage_shim.config import Settings
from workers.pipelines.calls import BlockCall
from workers.pipelines.sql import block, frames, targets
from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.sql.names import real_name, with_parameters

_log = logging.getLogger("mage_ai.io")
_SAMPLE = 100


class DatabaseError(Exception):
    """A database refused something; the message is the database's, without credentials."""


class Database:
    """One connection: statements run in a transaction until `commit`, or the end of `with`."""

    call: ClassVar[BlockCall]

    def __init__(self, settings: Any = None, **parts: Any) -> None:
        self._settings = {**_as_dict(settings), **self._named(parts)}
        self._session: block.Session | None = None

    @classmethod
    def with_config(cls, config: Any, **_: Any) -> Self:
        """A loader for the database that a configuration names."""
        return cls(config)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self._session is not None and kind is None:
            self.commit()
        self.close()

    def __del__(self) -> None:
        # As psycopg2 does: what was forgotten must not hold locks until the block ends.
        with contextlib.suppress(Exception):
            self.close()

    def open(self) -> None:
        """Connect, unless it is done."""
        if self._session is None:
            self._session = self._do(lambda: block.open_session(self.call, self._target()))

    def close(self) -> None:
        """End the connection; what was not committed is rolled back."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def load(
        self,
        query_string: str,
        limit: int | None = None,
        display_query: str | None = None,
        verbose: bool = True,
        params: Any = None,
        coerce_float: bool = True,
        **_: Any,
    ) -> pd.DataFrame:
        """The rows of a query. Exact numbers become floats, as in pandas, unless told otherwise."""
        text = with_parameters(_one(query_string), params)
        frame: pd.DataFrame = self._in_transaction(lambda s: s.query(text, limit))
        return _with_floats(frame) if coerce_float else frame

    def execute(self, query_string: str, params: Any = None, **_: Any) -> None:
        """Run statements without reading their rows."""
        text = with_parameters(query_string, params)
        self._in_transaction(lambda s: s.execute(text))

    def execute_queries(
        self,
        queries: list[str],
        query_variables: list[Any] | None = None,
        commit: bool = False,
        fetch_query_at_indexes: list[bool] | None = None,
        **_: Any,
    ) -> list[Any]:
        """Run queries in turn; the rows of those that are marked."""
        results: list[Any] = []
        for place, query in enumerate(queries):
            marks = fetch_query_at_indexes or []
            parameters = query_variables[place] if query_variables else None
            fetch = place < len(marks) and bool(marks[place])
            run = self.load if fetch else self.execute
            results.append(run(query, params=parameters or None))
        if commit:
            self.commit()
        return results

    def export(
        self,
        df: Any,
        schema_name: str | None = None,
        table_name: str | None = None,
        if_exists: Any = "replace",
        index: bool = False,
        verbose: bool = True,
        query_string: str | None = None,
        drop_table_on_replace: bool = False,
        cascade_on_drop: bool = False,
        allow_reserved_words: bool = False,
        auto_clean_name: bool = True,
        unique_conflict_method: str | None = None,
        unique_constraints: list[str] | None = None,
        **_: Any,
    ) -> None:
        """Write a frame (or dicts, or the rows of `query_string`) into a table, and commit."""
        if table_name is None:
            raise ValueError("export needs table_name.")
        policy = str(getattr(if_exists, "value", if_exists)).lower()

        def write(session: block.Session) -> None:
            table = session.table(table_name, schema_name)
            if query_string is not None:
                session.save_query(query_string, table, policy, limit=1)
                return
            frame = _frame(df, index, clean=auto_clean_name)
            session.save_frame(
                frame,
                table,
                policy,
                keep_definition=not drop_table_on_replace,
                cascade=cascade_on_drop,
                unique=tuple(map(real_name, unique_constraints or ())),
                on_conflict=unique_conflict_method,
            )

        self._in_transaction(write)
        self.commit()
        if verbose:
            _log.info("Data is written to %s (%s).", table_name, policy)

    def sample(self, schema: str, table: str, size: int = _SAMPLE, **_: Any) -> pd.DataFrame:
        """The first rows of a table."""
        quoted = self._connected().table(table, schema).quoted
        return self.load(f"SELECT * FROM {quoted}", limit=size)

    def commit(self) -> None:
        """Keep what was done since the last commit."""
        self._do(lambda: self._connected().end(commit=True))

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        self._do(lambda: self._connected().end(commit=False))

    @property
    def conn(self) -> Any:
        """Not offered: there is no psycopg2 behind this."""
        raise NotImplementedError(
            "loader.conn is not offered here. Use load, execute, export, commit and rollback."
        )

    def _target(self) -> block.Target:
        raise NotImplementedError

    def _named(self, parts: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _connected(self) -> block.Session:
        self.open()
        assert self._session is not None
        return self._session

    def _in_transaction(self, work: Any) -> Any:
        session = self._connected()

        def run() -> Any:
            session.begin()
            return work(session)

        return self._do(run)

    def _do(self, work: Any) -> Any:
        try:
            return work()
        except SqlFault as error:
            raise DatabaseError(str(error)) from None


class Postgres(Database):
    """A PostgreSQL database."""

    def _target(self) -> block.Target:
        return targets.postgres_target(self._settings, self.call.warehouse_url)

    def _named(self, parts: dict[str, Any]) -> dict[str, Any]:
        names = {"dbname": "DBNAME", "schema": "SCHEMA"}
        names |= {name: name.upper() for name in ("user", "password", "host", "port")}
        return {f"POSTGRES_{names[k]}": v for k, v in parts.items() if k in names}


class DuckDB(Database):
    """A DuckDB database."""

    def _target(self) -> block.Target:
        return block.duckdb_target(self.call, self._settings)

    def _named(self, parts: dict[str, Any]) -> dict[str, Any]:
        names = {"database": "DUCKDB_DATABASE", "schema": "DUCKDB_SCHEMA"}
        return {names[k]: v for k, v in parts.items() if k in names}


D = TypeVar("D", bound=Database)


def bound(kind: type[D], call: BlockCall) -> type[D]:
    """The class for the blocks of one call."""
    return type(kind.__name__, (kind,), {"call": call})


def _as_dict(settings: Any) -> dict[str, Any]:
    if isinstance(settings, Settings):
        return settings._all()
    return dict(settings) if settings else {}


def _one(query: str) -> str:
    return query.strip().rstrip(";")


def _frame(value: Any, index: bool, *, clean: bool) -> pd.DataFrame:
    if index and isinstance(value, pd.DataFrame):
        value = value.reset_index()
    try:
        frame = frames.input_frame(value, "df")
    except SqlFault:
        raise ValueError(f"export cannot write a value of type {type(value).__name__}.") from None
    if clean or not isinstance(value, pd.DataFrame):
        return frame
    return frame.set_axis([str(name) for name in value.columns], axis=1)


def _with_floats(frame: pd.DataFrame) -> pd.DataFrame:
    for place in range(len(frame.columns)):
        series = frame.iloc[:, place]
        first = next((item for item in series if item is not None), None)
        if series.dtype == object and isinstance(first, Decimal):
            frame.isetitem(place, series.astype("float64"))
    return frame
