"""One SQL block: connect, fill in the template, run, hand the rows on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from workers.pipelines import hand_over, tables
from workers.pipelines.calls import BlockCall, Upstream
from workers.pipelines.sql import frames, profiles, targets
from workers.pipelines.sql.duck import DuckSession
from workers.pipelines.sql.errors import SqlFault, redact
from workers.pipelines.sql.names import Table, block_table, real_name
from workers.pipelines.sql.postgres import PostgresSession
from workers.pipelines.sql.templates import render

SUPPORTED = ("postgres", "duckdb")
Session = PostgresSession | DuckSession
Target = targets.PostgresTarget | targets.DuckTarget
Log = Callable[[str, str], None]


def run(call: BlockCall, variables: Mapping[str, Any], log: Log) -> Any:
    """Run an SQL block; its rows as a DataFrame, None if there are none. Failures are SqlFault."""
    try:
        session = open_session(call, target_of(call, call.configuration))
        upstream = _Upstream(call, session)
        try:
            text = render(
                call.content,
                {key: value for key, value in variables.items() if key != "logger"},
                call.secrets,
                call.env,
                upstream.table,
                upstream.value,
            )
            return _run(call, session, text, log)
        finally:
            session.close()
    except SqlFault as error:
        raise SqlFault(redact(str(error), call.secrets.values()), error.reason) from None


def target_of(call: BlockCall, configuration: Mapping[str, Any]) -> Target:
    """The database that a block's configuration means."""
    provider = str(configuration.get("data_provider") or "postgres").lower()
    if provider not in SUPPORTED:
        raise SqlFault(
            f"SQL blocks with data_provider {provider} are not supported. "
            f"Supported: {', '.join(SUPPORTED)}.",
            "unsupported",
        )
    profile = _profile(call, str(configuration.get("data_provider_profile") or "default"))
    database = _text(configuration, "data_provider_database")
    schema = _text(configuration, "data_provider_schema")
    if provider == "postgres":
        return targets.postgres_target(profile, call.warehouse_url, database, schema)
    return duckdb_target(call, profile, database, schema)


def duckdb_target(
    call: BlockCall,
    profile: Mapping[str, Any],
    database: str | None = None,
    schema: str | None = None,
) -> targets.DuckTarget:
    """The DuckDB database of a profile."""
    folder = call.database_dir or call.work_dir
    return targets.duckdb_target(profile, folder, call.work_dir, database, schema)


def open_session(call: BlockCall, target: Target) -> Session:
    """Connect."""
    hidden = tuple(call.secrets.values())
    if isinstance(target, targets.PostgresTarget):
        return PostgresSession(target, call.block_uuid, hidden)
    folders = (call.work_dir, call.database_dir or call.work_dir)
    return DuckSession(target, folders, call.memory_bytes, hidden)


def _profile(call: BlockCall, name: str) -> dict[str, Any]:
    path = call.work_dir / profiles.FILE_NAME
    if not path.exists():
        return {}
    return profiles.read_profile(path, name, call.secrets, call.env)


def _run(call: BlockCall, session: Session, text: str, log: Log) -> Any:
    limit = _limit(call.configuration)
    # One more, to know whether the limit has cut anything.
    frame = _rows(call, session, text, limit + 1 if limit else None, log)
    if limit is None or frame is None or len(frame) <= limit:
        return frame
    log("WARNING", f"The output is cut to {limit} rows, the limit of this block's configuration.")
    return frame.head(limit)


def _rows(call: BlockCall, session: Session, text: str, limit: int | None, log: Log) -> Any:
    configuration = call.configuration
    if _is_true(configuration.get("use_raw_sql")):
        return session.run_script(text, limit)
    own = Upstream(call.block_uuid, "sql", configuration)
    table = session.table(_table_name(call, own))
    policy = str(configuration.get("export_write_policy") or "append").lower()
    frame = session.save_query(text, table, policy, limit)
    log("INFO", f"The result of the query is saved in {table} ({policy}).")
    return frame


def _table_name(call: BlockCall, block: Upstream) -> str:
    named = _text(block.configuration, "data_provider_table")
    return named or block_table(call.pipeline_uuid, block.uuid)


class _Upstream:
    """The upstream blocks of a call, as tables of its session and as values."""

    def __init__(self, call: BlockCall, session: Session) -> None:
        self._call = call
        self._session = session
        self._made: dict[int, str] = {}

    def table(self, place: int) -> str:
        """The table of an upstream block: its own, or a temporary one with its output."""
        if place >= len(self._call.inputs):
            count = len(self._call.inputs)
            raise SqlFault(f"There is no df_{place + 1}: this block has {count} upstream blocks.")
        if place not in self._made:
            self._made[place] = self._own_table(place) or self._staged(place)
        return self._made[place]

    def value(self, uuid: str | None) -> Any:
        """The output of an upstream block, by default the first; a table by its name."""
        uuids = [block.uuid for block in self._call.upstream]
        if not self._call.inputs or (uuid is not None and uuid not in uuids):
            known = ", ".join(uuids) or "none"
            raise SqlFault(
                f"Block {uuid or ''} is no upstream block of this one. There are: {known}."
            )
        place = 0 if uuid is None else uuids.index(uuid)
        value = hand_over.read_input(self._call.inputs[place], self._call.storage)
        return self.table(place) if tables.is_table(value) else value

    def _own_table(self, place: int) -> str | None:
        block, given = self._block(place), self._call.inputs[place]
        if block is None or block.language != "sql" or given.is_list or given.item is not None:
            return None
        if _is_true(block.configuration.get("use_raw_sql")) and given.outputs:
            return None
        schema = self._schema_in_reach(block.configuration)
        if schema is None:
            return None
        return Table(schema, real_name(_table_name(self._call, block))).quoted

    def _schema_in_reach(self, configuration: Mapping[str, Any]) -> str | None:
        """Where the other block saves, if that is in the database of this session."""
        mine = self._session.target
        try:
            other = target_of(self._call, configuration)
        except SqlFault:
            return None
        in_reach = other != targets.DuckTarget(schema=other.schema)
        same = in_reach and replace(other, schema=mine.schema) == mine
        return other.schema if same else None

    def _staged(self, place: int) -> str:
        block = self._block(place)
        uuid = block.uuid if block else f"upstream_{place + 1}"
        value = hand_over.read_input(self._call.inputs[place], self._call.storage)
        frame = frames.input_frame(value, uuid)
        return self._session.stage(frame, block_table(self._call.pipeline_uuid, uuid))

    def _block(self, place: int) -> Upstream | None:
        known = self._call.upstream
        return known[place] if place < len(known) else None


def _text(configuration: Mapping[str, Any], key: str) -> str | None:
    value = configuration.get(key)
    return str(value).strip() or None if value is not None else None


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() in ("true", "1")


def _limit(configuration: Mapping[str, Any]) -> int | None:
    # Mage heeds `limit` only where its editor tries a block out, so that it cuts no run here.
    value = configuration.get("limit_in_pipeline_run")
    if value in (None, ""):
        return None
    try:
        limit = int(str(value))
    except ValueError:
        limit = 0
    if limit < 1:
        raise SqlFault(f"The limit of an SQL block must be a whole number above 0, not {value!r}.")
    return limit
