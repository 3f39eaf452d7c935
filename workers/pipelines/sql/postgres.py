"""A session on PostgreSQL for blocks: queries to frames, scripts, frames and results to tables."""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import asyncpg
import pandas as pd

from workers.pipelines.sql import frames, postgres_types
from workers.pipelines.sql.errors import SqlFault, described, redact
from workers.pipelines.sql.names import Table, quote, real_name
from workers.pipelines.sql.rules import RESULT, check_policy, check_single, drop_statement
from workers.pipelines.sql.statements import Statement, split
from workers.pipelines.sql.targets import PostgresTarget

T = TypeVar("T")
P = ParamSpec("P")
_log = logging.getLogger("postgres")
# A block that is killed cannot say so: its server looks this often whether it is still there.
_LOOK_S = 2


class PostgresSession:
    """One connection, used from synchronous code. Whatever fails is a SqlFault."""

    dialect = "postgres"

    def __init__(
        self, target: PostgresTarget, label: str = "block", hidden: Iterable[str] = ()
    ) -> None:
        self.target = target
        self._hidden = (*hidden, target.password)
        self._runner = asyncio.Runner()
        try:
            self._connection = self._run(_connect(target, label))
            self._connection.add_log_listener(self._notice)
        except BaseException:
            _outside_loops(self._runner.close)
            raise

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        with contextlib.suppress(Exception):
            _outside_loops(self._runner.run, self._connection.close(timeout=5))
        _outside_loops(self._runner.close)

    def table(self, written: str, schema: str | None = None) -> Table:
        """The table of that name in a schema, by default the connection's."""
        return Table(real_name(schema) if schema else self.target.schema, real_name(written))

    def begin(self) -> None:
        """Begin a transaction unless one is open."""
        if not self._connection.is_in_transaction():
            self._run(self._connection.execute("BEGIN"))

    def end(self, *, commit: bool) -> None:
        """Commit or roll back what is open."""
        if self._connection.is_in_transaction():
            self._run(self._connection.execute("COMMIT" if commit else "ROLLBACK"))

    def query(self, text: str, limit: int | None = None) -> pd.DataFrame:
        """The rows of one query, or the first `limit` of them."""
        frame = self._run(self._fetch(text, limit), text)
        if frame is None:
            raise SqlFault("The query returns no rows: it is a statement without a result.")
        return frame

    def execute(self, text: str) -> None:
        """Run one or several statements; their rows are dropped."""
        self._run(self._connection.execute(text), text)

    def run_script(self, text: str, limit: int | None = None) -> pd.DataFrame | None:
        """Run statements in one transaction; the rows of the last one, if it has any.

        A single statement is its own transaction (VACUUM), and a script with a BEGIN or COMMIT of
        its own is left to itself.
        """
        statements = split(text)
        if not statements:
            raise SqlFault("The block holds no SQL statement.")
        own = len(statements) == 1 or any(s.controls_transaction for s in statements)
        if not own:
            self.begin()
        result = None
        for number, statement in enumerate(statements, 1):
            label = f"statement {number} of {len(statements)}" if len(statements) > 1 else ""
            last = number == len(statements)
            result = self._statement(statement, text, label, limit, last=last)
        if not own:
            self.end(commit=True)
        return result

    def save_query(
        self, text: str, table: Table, policy: str, limit: int | None = None
    ) -> pd.DataFrame:
        """Save the rows of one query in a table; they, or the first `limit` of them, as a frame."""
        statements = split(text)
        check_single(len(statements))
        query = statements[0]
        head = f"CREATE TEMPORARY TABLE {RESULT} ON COMMIT DROP AS\n"
        self.begin()
        self._run(self._connection.execute(head + query.text), text, query.start - len(head))
        self.place(RESULT, table, policy)
        frame = self.query(f"SELECT * FROM {RESULT}", limit)
        self.end(commit=True)
        return frame

    def save_frame(self, frame: pd.DataFrame, table: Table, policy: str, **options: Any) -> None:
        """Write a frame into a table within the open transaction; options as for `place`."""
        self.begin()
        self._stage(frame, RESULT, "ON COMMIT DROP")
        self.place(RESULT, table, policy, **options)
        self._run(self._connection.execute(f"DROP TABLE pg_temp.{RESULT}"))

    def stage(self, frame: pd.DataFrame, name: str) -> str:
        """Write a frame into a temporary table of this session; its name for statements."""
        self._stage(frame, name, "")
        return f"pg_temp.{quote(name)}"

    def place(
        self,
        source: str,
        table: Table,
        policy: str,
        *,
        keep_definition: bool = False,
        cascade: bool = False,
        unique: tuple[str, ...] = (),
        on_conflict: str | None = None,
    ) -> None:
        """Move a temporary table's rows into `table`: append, replace, or fail if it is there.

        `replace` drops the table unless `keep_definition`. `unique` columns get a constraint in a
        new table, and with `on_conflict` (UPDATE or IGNORE) rows that exist are updated or kept.
        """
        self._run(self._connection.fetchval(_LOCK, str(table)))
        there = self._exists(table)
        check_policy(policy, table, there=there)
        if there and policy == "replace":
            self.execute(drop_statement(table, keep_definition=keep_definition, cascade=cascade))
            there = keep_definition
        if not there:
            self._create(source, table, unique)
        self._insert(source, table, unique, on_conflict)

    def _notice(self, _: Any, message: Any) -> None:
        _log.info(redact(str(message.message), self._hidden))

    def _statement(
        self, statement: Statement, text: str, label: str, limit: int | None, *, last: bool
    ) -> pd.DataFrame | None:
        if last:
            return self._run(self._fetch(statement.text, limit), text, statement.start, label)
        self._run(self._connection.execute(statement.text), text, statement.start, label)
        return None

    async def _fetch(self, text: str, limit: int | None) -> pd.DataFrame | None:
        prepared = await self._connection.prepare(text)
        attributes = prepared.get_attributes()
        if limit is not None and attributes and self._connection.is_in_transaction():
            records = await (await prepared.cursor()).fetch(limit)
        else:
            records = (await prepared.fetch())[:limit]
        return postgres_types.to_frame(attributes, records) if attributes else None

    def _stage(self, frame: pd.DataFrame, name: str, until: str) -> None:
        kinds = [frames.kind_of(frame.iloc[:, place]) for place in range(len(frame.columns))]
        values = [frames.values_of(frame.iloc[:, place], kind) for place, kind in enumerate(kinds)]
        names = [str(column) for column in frame.columns]
        columns = ", ".join(f"{quote(n)} {k}" for n, k in zip(names, kinds, strict=True))
        self.execute(f"CREATE TEMPORARY TABLE {quote(name)} ({columns}) {until}")
        records = zip(*values, strict=True)
        self._run(self._connection.copy_records_to_table(name, records=records, columns=names))

    def _exists(self, table: Table) -> bool:
        return bool(self._run(self._connection.fetchval(_EXISTS, table.schema, table.name)))

    def _create(self, source: str, table: Table, unique: tuple[str, ...]) -> None:
        if not self._run(self._connection.fetchval(_SCHEMA, table.schema)):
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
        rule = f", UNIQUE ({', '.join(map(quote, unique))})" if unique else ""
        self.execute(f"CREATE TABLE {table.quoted} (LIKE pg_temp.{quote(source)}{rule})")

    def _insert(
        self, source: str, table: Table, unique: tuple[str, ...], on_conflict: str | None
    ) -> None:
        columns = [r["attname"] for r in self._run(self._connection.fetch(_COLUMNS, source))]
        named = self._run(self._connection.fetch(_TYPES, table.schema, table.name))
        types = {record["attname"]: record["type"] for record in named}
        if unknown := [name for name in columns if name not in types]:
            raise SqlFault(f"Table {table} has no column {', '.join(unknown)}.")
        # Explicit casts, so that text goes into columns of other types as it would as a literal.
        given = ", ".join(f"CAST({quote(name)} AS {types[name]})" for name in columns)
        listed = ", ".join(map(quote, columns))
        conflict = _on_conflict(columns, unique, on_conflict)
        self.execute(
            f"INSERT INTO {table.quoted} ({listed}) "
            f"SELECT {given} FROM pg_temp.{quote(source)}{conflict}"
        )

    def _run(self, work: Awaitable[T], text: str = "", start: int = 0, label: str = "") -> T:
        async def awaited() -> T:
            return await work

        try:
            return _outside_loops(self._runner.run, awaited())
        except SqlFault:
            raise
        except asyncpg.PostgresError as error:
            message = described(error, text, start, label)
        except (OSError, TimeoutError) as error:
            message = f"The connection to the database is lost: {error or type(error).__name__}"
        except (asyncpg.InterfaceError, ValueError, OverflowError, TypeError) as error:
            message = f"The database's driver reports: {error}"
        raise SqlFault(redact(message, self._hidden))


def _outside_loops(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call what drives a loop of its own, in another thread if one runs in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work(*args, **options)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *args, **options).result()


async def _connect(target: PostgresTarget, label: str) -> Any:
    addresses = await asyncio.to_thread(target.addresses)
    for address in addresses:
        try:
            connection = await _connect_to(address, target, label)
        except OSError as error:
            if address == addresses[-1]:
                place = (
                    "the built-in database" if target.trusted else f"{target.host}:{target.port}"
                )
                raise SqlFault(f"Cannot connect to {place}: {_told(error)}.") from None
        else:
            await _prepare(connection, target)
            return connection
    raise SqlFault(f"The host {target.host} has no address.")


def _told(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return "TLS cannot be agreed on"
    return os.strerror(error.errno) if error.errno else "the connection was closed"


async def _connect_to(address: str, target: PostgresTarget, label: str) -> Any:
    return await asyncpg.connect(
        host=address,
        port=target.port,
        user=target.user,
        password=target.password,
        database=target.database,
        timeout=target.connect_s,
        # Named, so that no file or variable of the environment is asked for more.
        passfile="/dev/null",
        ssl=False if address.startswith("/") else "prefer",
        # Poolers between us and the server do not know prepared statements by name.
        statement_cache_size=0,
        server_settings={"application_name": f"isthmus {label}"[:60]},
    )


async def _prepare(connection: Any, target: PostgresTarget) -> None:
    path = f"{quote(target.schema)}, public" if target.schema != "public" else "public"
    await connection.execute("SELECT set_config('search_path', $1, false)", path)
    with contextlib.suppress(asyncpg.PostgresError):
        # Servers before version 14, and on other systems than Linux, do not know it.
        await connection.execute(f"SET client_connection_check_interval = '{_LOOK_S}s'")
    await postgres_types.teach(connection)


def _on_conflict(columns: list[str], unique: tuple[str, ...], method: str | None) -> str:
    if not unique or not method:
        return ""
    target = ", ".join(map(quote, unique))
    others = [quote(name) for name in columns if name not in unique]
    if str(method).upper() != "UPDATE" or not others:
        return f" ON CONFLICT ({target}) DO NOTHING"
    settings = ", ".join(f"{name} = EXCLUDED.{name}" for name in others)
    return f" ON CONFLICT ({target}) DO UPDATE SET {settings}"


# Two runs that write the same table take turns; without it both would create it.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = $1"
_EXISTS = (
    "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = $2"
)
_COLUMNS = (
    "SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "WHERE c.relnamespace = pg_my_temp_schema() AND c.relname = $1 AND attnum > 0 "
    "AND NOT attisdropped ORDER BY attnum"
)
_TYPES = (
    "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute a "
    "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = $2 AND attnum > 0 AND NOT attisdropped"
)
