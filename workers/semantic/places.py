"""Which engine a query's place means, from the settings that are stored of it."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import select

from app.core import db
from app.core.outgoing import NotAllowed, NotFound, Outgoing
from app.ingestion.secrets import TABLES, opened
from app.ingestion.tables import sync_jobs
from workers.pipelines.sql.errors import SqlFault
from workers.pipelines.sql.targets import PostgresTarget, warehouse_target
from workers.semantic.base import Engine, QueryError
from workers.semantic.duck import DuckEngine, DuckProcesses, no_jobs
from workers.semantic.postgres import PostgresEngine, tls
from workers.semantic.trino import TrinoEngine

MOST_ENGINES = 128
WAREHOUSE = "warehouse"
NO_WAREHOUSE = (
    "There is no built-in database here (ISTHMUS_WAREHOUSE_URL): give the table a data_source."
)


class Places:
    """Engines by their places, the one used last at the end."""

    def __init__(
        self,
        outgoing: Outgoing,
        warehouse_url: str,
        processes: DuckProcesses,
        concurrency: int,
    ) -> None:
        self._outgoing = outgoing
        self._warehouse_url = warehouse_url
        self._processes = processes
        self._concurrency = concurrency
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = asyncio.Lock()

    async def engine(self, place: str) -> Engine:
        """The engine of `warehouse`, `source:<id>:<version>` or `destination:<id>:<version>`."""
        async with self._lock:
            found = self._engines.get(place)
            if found is None:
                found = self._engines[place] = await self._made(place)
            self._engines.move_to_end(place)
            if len(self._engines) > MOST_ENGINES:
                _, oldest = self._engines.popitem(last=False)
                await oldest.close()
            return found

    async def close(self) -> None:
        """Let go of all connections and processes."""
        for engine in self._engines.values():
            await engine.close()
        await self._processes.close()

    async def _made(self, place: str) -> Engine:
        if place == WAREHOUSE:
            return self._postgres(self._warehouse(), {})
        kind, number, _ = place.split(":")
        end: Any = kind
        type_, config = await _settings(end, int(number))
        settings = config.get("writer") or config
        if settings.get("warehouse") is True:
            return self._postgres(self._warehouse(), {})
        if type_ == "postgres":
            return self._postgres(_target(settings), settings.get("ssl") or {})
        if type_ == "trino":
            return TrinoEngine(settings, self._address)
        of = partial(_jobs, int(number)) if kind == "destination" else no_jobs
        return DuckEngine(self._processes, place, kind, type_, config, self._address, of)

    def _postgres(self, target: PostgresTarget, ssl: Mapping[str, Any]) -> PostgresEngine:
        context = None if target.trusted else tls(ssl, target.host)
        return PostgresEngine(target, self._address, self._concurrency, context)

    def _warehouse(self) -> PostgresTarget:
        if not self._warehouse_url:
            raise QueryError(NO_WAREHOUSE)
        try:
            return warehouse_target(self._warehouse_url)
        except SqlFault as error:
            raise QueryError(str(error)) from None

    async def _address(self, host: str, port: int) -> str:
        try:
            found = await self._outgoing.addresses(host, port)
        except (NotAllowed, NotFound) as error:
            raise QueryError(str(error)) from None
        # One is tried, and many machines have no way to IPv6.
        return min(found, key=lambda address: ":" in address)


async def _settings(end: Any, number: int) -> tuple[str, dict[str, Any]]:
    table = TABLES[end]
    wanted = select(table).where(table.c.id == number, table.c.deleted_at.is_(None))
    async with db.reading() as connection:
        row = (await connection.execute(wanted)).mappings().first()
    if row is None:
        raise QueryError("The data source was deleted.")
    return row["type"], opened(row, end)


async def _jobs(destination: int) -> list[str]:
    """All jobs of a destination's project, the deleted ones too: their tables are still its own."""
    end = TABLES["destination"].c
    project = select(end.project_id).where(end.id == destination).scalar_subquery()
    wanted = select(sync_jobs.c.id).where(sync_jobs.c.project_id == project)
    async with db.reading() as connection:
        found = await connection.scalars(wanted)
        return [str(one) for one in found]


def _target(settings: Mapping[str, Any]) -> PostgresTarget:
    host = str(settings.get("host") or "")
    if not host or "/" in host or host.startswith("@") or "," in host:
        raise QueryError("The data source's host must be one name or address.")
    if (settings.get("ssh_config") or {}).get("type", "no_tunnel") != "no_tunnel":
        raise QueryError("SSH tunnels are not supported: give an address that is reachable.")
    return PostgresTarget(
        host=host,
        port=int(settings.get("port") or 5432),
        user=str(settings.get("username") or ""),
        password=str(settings.get("password") or ""),
        database=str(settings.get("database") or ""),
        schema=_search_path(settings),
    )


def _search_path(settings: Mapping[str, Any]) -> str:
    """The schema of a destination, or the schemas of a source; `public` where none is said."""
    named = settings.get("schemas") or [settings.get("schema") or "public"]
    quoted = ['"' + str(name).replace('"', '""') + '"' for name in named]
    return ", ".join(dict.fromkeys([*quoted, '"public"']))
