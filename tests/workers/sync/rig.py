"""Syncs as a worker's child does them: real databases, a folder for files.

Most are done in the test's own process; `start` and `child` start a process as a worker does.
"""

import asyncio
import json
import os
import queue
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from workers.sync import child
from workers.sync.catalog import selected_streams

Line = dict[str, Any]
LONGEST_S = 300


async def connect(access: dict[str, Any]) -> asyncpg.Connection:
    """A connection to the database of a rig."""
    return await asyncpg.connect(
        host=access["host"],
        user=access["username"],
        password=access["password"],
        database=access["database"],
    )


@dataclass
class Told:
    """What a child has said."""

    lines: list[Line]
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        assert "result" in self.lines[-1], (self.lines[-1], self.stderr)
        result: dict[str, Any] = self.lines[-1]["result"]
        return result

    @property
    def error(self) -> str:
        assert "error" in self.lines[-1], self.lines[-1]
        return str(self.lines[-1]["error"]["message"])

    @property
    def logs(self) -> str:
        return "\n".join(line["log"]["message"] for line in self.lines if "log" in line)


class Child:
    """A running child; `told` waits for its end."""

    def __init__(self, process: asyncio.subprocess.Process, answer: Line | None) -> None:
        self.process = process
        self._answer = answer

    async def told(self) -> Told:
        try:
            async with asyncio.timeout(LONGEST_S):
                return await self._told()
        except TimeoutError:
            self.process.kill()
            raise

    async def _told(self) -> Told:
        lines = []
        assert self.process.stdout and self.process.stderr and self.process.stdin
        stderr = asyncio.ensure_future(self.process.stderr.read())
        async for raw in self.process.stdout:
            if not raw.endswith(b"\n"):
                break  # It was killed while it wrote this.
            line = json.loads(raw)
            lines.append(line)
            if "address" in line:
                assert self._answer is not None, line
                self.process.stdin.write(json.dumps(self._answer).encode() + b"\n")
        said = (await stderr).decode()
        await self.process.wait()
        self.process.stdin.close()
        return Told(lines, said)


class Here(child.Wire):
    """The two ends of a wire in one process."""

    def __init__(self, document: Line, answer: Line | None) -> None:
        self.document = document
        self.lines: list[Line] = []
        self._answer = answer
        self._answers = queue.Queue()
        self._asking = threading.Lock()

    def tell(self, line: Line) -> None:
        self.lines.append(json.loads(json.dumps(line, default=str)))
        if "address" in line:
            assert self._answer is not None, line
            self._answers.put(self._answer)


@dataclass
class Rig:
    """A database that is source and destination, and a data root."""

    access: dict[str, Any]
    data_root: Path
    sql: asyncpg.Connection
    number: int = 0
    source_config: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Line:
        schemas = {"schemas": ["public"]}
        config = {"database": "db", "warehouse": self.access, **schemas, **self.source_config}
        return {"type": "postgres", "config": config}

    @property
    def postgres(self) -> Line:
        return {"type": "postgres", "config": {"warehouse": self.access, "schema": "lake"}}

    @property
    def parquet(self) -> Line:
        return {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "lake"}}}

    @property
    def iceberg(self) -> Line:
        catalog = {"catalog_type": "jdbc", "jdbc_url": "jdbc:sqlite:catalog.db"}
        writer = {**catalog, "iceberg_s3_path": "lake", "catalog_name": "lake"}
        return {"type": "iceberg", "config": {"type": "ICEBERG", "writer": writer}}

    def iceberg_table(self, table: str) -> Any:
        """An Iceberg table as any reader of its catalog finds it."""
        catalog = SqlCatalog("lake", uri=f"sqlite:///{self.data_root / 'catalog.db'}")
        return catalog.load_table(("job_db_public", table))

    def iceberg_rows(self, table: str, select: str = "*") -> list[tuple[Any, ...]]:
        """Rows of an Iceberg table, as pyiceberg and Arrow read them."""
        rows = self.iceberg_table(table).scan().to_arrow()
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            con.register("rows", rows)
            return con.execute(f"SELECT {select} FROM rows").fetchall()

    async def connect(self) -> asyncpg.Connection:
        """A connection beside `sql`."""
        return await connect(self.access)

    def _document(self, document: Line) -> Line:
        self.number += 1
        return {
            "source": self.source,
            "data_root": str(self.data_root),
            "run": {"id": f"run-{self.number}", "number": self.number, "fence": 1},
            "job": {"id": 7, "name": "job", "prefix": "job"},
            **document,
        }

    async def start(
        self,
        answer: Line | None = None,
        module: str = "workers.sync.child",
        environ: dict[str, str] | None = None,
        **document: Any,
    ) -> Child:
        """A child, as a worker starts it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
            env={**os.environ, **(environ or {})},
        )
        assert process.stdin
        process.stdin.write(json.dumps(self._document(document)).encode() + b"\n")
        await process.stdin.drain()
        return Child(process, answer)

    async def child(self, answer: Line | None = None, **document: Any) -> Told:
        """What a child says, once it has ended."""
        return await (await self.start(answer, **document)).told()

    async def run(self, answer: Line | None = None, **document: Any) -> Told:
        """The same in this process, which is quicker by the start of a process."""
        wire = Here(self._document(document), answer)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> None:
            child.answer(wire)
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=work, daemon=True).start()
        async with asyncio.timeout(LONGEST_S):
            await ended.wait()
        return Told(wire.lines, "")

    async def streams(
        self, *names: str, mode: str = "full_refresh", cursor: str | None = None, **selected: Any
    ) -> list[dict[str, Any]]:
        """Configured streams of the discovered catalog."""
        pairs = selected_streams((await self.run(do="discover")).result["catalog"])
        chosen = [pair for pair in pairs if pair["stream"]["name"] in names]
        assert len(chosen) == len(names)
        for pair in chosen:
            pair["stream"] = {**pair["stream"], "sync_mode": mode, "cursor_field": cursor}
            pair["selected"] = {**pair["selected"], **selected}
        return chosen

    async def sync(
        self,
        destination: Line,
        streams: list[dict[str, Any]],
        answer: Line | None = None,
        **more: Any,
    ) -> Told:
        return await self.run(answer, do="sync", destination=destination, streams=streams, **more)

    def folder(self, table: str) -> Path:
        return self.data_root / "lake" / "job_db_public" / table

    def manifest(self, table: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder(table) / "_manifest.json").read_text())
        return read

    def files(self, table: str, select: str = "*", last: str = "") -> list[tuple[Any, ...]]:
        """Rows of a Parquet table, as its readers see it."""
        named = [str(self.folder(table) / file["path"]) for file in self.manifest(table)["files"]]
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            return con.execute(
                f"SELECT {select} FROM read_parquet($files, union_by_name = true) {last}",
                {"files": named},
            ).fetchall()

    async def same(self, table: str) -> bool:
        """Whether the PostgreSQL destination has exactly the source's rows."""
        columns = ", ".join(
            f'"{row[0]}"'
            for row in await self.sql.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0",
                table,
            )
        )
        ours, theirs = f"SELECT {columns} FROM lake.{table}", f"SELECT {columns} FROM {table}"
        differing: int = await self.sql.fetchval(
            f"SELECT count(*) FROM (({ours} EXCEPT ALL {theirs}) UNION ALL "
            f"({theirs} EXCEPT ALL {ours})) AS d"
        )
        return differing == 0

    @property
    def slot(self) -> str:
        """The name of the replication slot."""
        return str(self.source_config["update_method"]["replication_slot"])

    async def confirmed(self) -> str:
        """Where the slot is."""
        where: str = await self.sql.fetchval(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1",
            self.slot,
        )
        return where

    async def drop_slot(self) -> None:
        """Drop the slot, once whoever was killed has let go of it."""
        left = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND active"
        async with asyncio.timeout(30):
            while await self.sql.fetchval(left, self.slot):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await self.sql.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            "WHERE slot_name = $1",
            self.slot,
        )

    async def living(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Rows of the PostgreSQL destination that are not deleted, in order."""
        rows = await self.sql.fetch(
            f"SELECT {columns} FROM lake.{table} WHERE _op_type <> 'd' ORDER BY 1"
        )
        return [tuple(row) for row in rows]

    def newest(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a Parquet table by the last event of each id that is no deletion, in order."""
        lsn = "split_part(_cdc_lsn, '/', {})"
        order = ", ".join(f"lpad({lsn.format(i)}, 8, '0')" for i in (1, 2))
        last = f"QUALIFY row_number() OVER (PARTITION BY _olake_id ORDER BY {order} DESC) = 1"
        return sorted(
            row[:-1] for row in self.files(table, f"{columns}, _op_type", last) if row[-1] != "d"
        )


async def progress(child: Child) -> Line:
    """The next line of a running child that tells of a stream."""
    assert child.process.stdout
    while True:
        line: Line = json.loads(await child.process.stdout.readline())
        if "stream" in line:
            return line
