"""Servers that survive crashes, processes that are killed on purpose, and what must hold then.

Every wait here is bounded and waits for a fact, never for a time to pass.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import text

from app.core import db, outbox
from app.core.rules import SYSTEM
from app.embedded import EmbeddedServers
from app.embedded.process import die_with_parent
from app.migrations.run import upgrade
from app.runs.actions import accept
from tests.servers import SessionServers, database_name, open_folder

LEDGER_WORKER = (sys.executable, "-m", "tests.workers.ledger.worker")
LEDGER_API = (sys.executable, "-m", "tests.workers.ledger.api")
ROOT = Path(__file__).resolve().parents[3]
TERMINAL = ("succeeded", "failed", "cancelled")
LEASE_S = 3.0
FREEZE_S = LEASE_S * 1.5

EFFECTS = """
CREATE TABLE effects (
    id bigserial PRIMARY KEY, run_id uuid NOT NULL, fence bigint NOT NULL, step text,
    worker integer NOT NULL, note text, started timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended timestamptz
)
"""
T = TypeVar("T")


async def until(
    check: Callable[[], Awaitable[T]], within_s: float, what: str, every_s: float = 0.05
) -> T:
    """The first true answer of `check`; fails when none came in time."""
    deadline = time.monotonic() + within_s
    while not (answer := await check()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(every_s)
    return answer


class Process:
    """A program that the test starts, signals and watches. It dies with the test."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], log: Path, *, talks: bool
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environ),
                cwd=ROOT,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or None."""
        return self._process.poll()

    @property
    def pipes(self) -> subprocess.Popen[bytes]:
        """Its standard input and output."""
        return self._process

    def send(self, number: signal.Signals) -> None:
        """Signal it, unless it has ended."""
        if self.returncode is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, also to one that is frozen, and wait for its end."""
        self.send(signal.SIGKILL)
        self._process.wait()

    async def wait(self, within_s: float) -> int:
        """Its exit status."""

        async def ended() -> bool:
            return self.returncode is not None

        await until(ended, within_s, "the process ends")
        assert self.returncode is not None
        return self.returncode

    def close(self) -> None:
        """Kill it and close its pipes."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()


class Cluster:
    """A database, a queue, and the processes that work on them."""

    def __init__(
        self,
        servers: EmbeddedServers,
        database_url: str,
        folder: Path,
        *,
        worker: Sequence[str] = LEDGER_WORKER,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.servers = servers
        self.database_url = database_url
        self.redis_url = servers.valkey.url
        self.folder = folder
        self._worker = worker
        self.environ = {
            **{name: value for name, value in os.environ.items() if "ISTHMUS" not in name},
            "DATABASE_URL": database_url,
            "REDIS_URL": self.redis_url,
            "ISTHMUS_HOME": str(folder / "home"),
            "ISTHMUS_LEASE_S": str(LEASE_S),
            "ISTHMUS_KILL_GRACE_S": "1",
            "ISTHMUS_RECONCILE_S": "0.5",
            "TEST_ENDS": str(folder / "ends"),
            **(environ or {}),
        }
        self.ends = folder / "ends"
        self.ends.mkdir()
        self.processes: list[Process] = []
        self.workers: list[Process] = []
        self.killed: dict[int, datetime] = {}
        self.frozen: set[int] = set()

    def start(self, command: Sequence[str], **environ: str) -> Process:
        """Start a program with the cluster's settings, and some of its own."""
        return self._start(command, environ, talks=False)

    def start_talking(self, command: Sequence[str], **environ: str) -> Process:
        """The same, with its standard input and output as pipes."""
        return self._start(command, environ, talks=True)

    def _start(self, command: Sequence[str], environ: Mapping[str, str], *, talks: bool) -> Process:
        log = self.folder / f"{len(self.processes)}.log"
        process = Process(command, {**self.environ, **environ}, log, talks=talks)
        self.processes.append(process)
        return process

    def start_worker(self, **environ: str) -> Process:
        """Start one more worker."""
        process = self.start(self._worker, **environ)
        self.workers.append(process)
        return process

    async def ready_worker(self, **environ: str) -> Process:
        """Start a worker and wait until it has reported itself."""
        process = self.start_worker(**environ)

        async def reported() -> bool:
            assert process.returncode is None, process.log.read_text()
            return bool(await self.rows("SELECT 1 FROM workers WHERE pid = :pid", pid=process.pid))

        await until(reported, 30, "the worker reports itself")
        return process

    def replace_worker(self, process: Process) -> Process:
        """Kill a worker and start another in its place."""
        self.killed[process.pid] = datetime.now(UTC)
        process.kill()
        self.workers.remove(process)
        return self.start_worker()

    async def freeze_worker(self, process: Process, seconds: float) -> None:
        """Stop a worker for so long, and let it go on."""
        self.frozen.add(process.pid)
        process.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        process.send(signal.SIGCONT)

    async def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query, waiting for a database that is away."""
        deadline = time.monotonic() + 30
        while True:
            try:
                async with db.reading() as connection:
                    found = await connection.execute(text(statement), parameters)
                    return [dict(row) for row in found.mappings()]
            except Exception as error:
                if not db.is_transient(error) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def row(self, statement: str, **parameters: Any) -> dict[str, Any]:
        """The only row of a query."""
        (row,) = await self.rows(statement, **parameters)
        return row

    async def run(self, run_id: UUID) -> dict[str, Any]:
        """A run's row."""
        return await self.row("SELECT * FROM runs WHERE id = :id", id=run_id)

    async def submit(self, kind: str, params: Mapping[str, Any] | None = None, **more: Any) -> UUID:
        """Accept a run from the test's own process."""
        async with db.transaction(SYSTEM) as tx:
            accepted = await accept(tx, project_id=1, kind=kind, params=dict(params or {}), **more)
        return accepted.run_id

    async def status_is(self, run_id: UUID, status: str, within_s: float) -> dict[str, Any]:
        """Wait for a run to be in a state; returns its row."""

        async def reached() -> dict[str, Any] | None:
            run = await self.run(run_id)
            return run if run["status"] == status else None

        row = await until(reached, within_s, f"run is {status}; {await self.run(run_id)}")
        assert row is not None
        return row

    async def effect_of(self, run_id: UUID, within_s: float = 20) -> dict[str, Any]:
        """Wait for the first effect of a run: its work has begun."""

        async def found() -> list[dict[str, Any]]:
            return await self.rows(
                "SELECT * FROM effects WHERE run_id = :id ORDER BY id", id=run_id
            )

        return (await until(found, within_s, "the run has an effect"))[0]

    async def all_end(self, run_ids: Sequence[UUID], within_s: float) -> None:
        """Wait until every run is in a terminal state."""

        async def ended() -> bool:
            open_runs = await self.rows(
                "SELECT status, count(*) AS n FROM runs WHERE id = ANY(:ids)"
                " AND status NOT IN ('succeeded', 'failed', 'cancelled') GROUP BY status",
                ids=list(run_ids),
            )
            return not open_runs

        await until(ended, within_s, "all runs end", every_s=0.2)

    async def assert_each_ended_once(self, run_ids: Sequence[UUID]) -> None:
        """Every run has exactly one terminal event, the last one, and events without a gap."""
        rows = await self.rows(
            "SELECT runs.id, runs.status, runs.version, count(*) AS events, max(seq) AS last,"
            " count(*) FILTER (WHERE e.kind = 'run.finished') AS finished,"
            " (array_agg(e.kind ORDER BY seq DESC))[1] AS last_kind"
            " FROM runs JOIN run_events e ON e.run_id = runs.id WHERE runs.id = ANY(:ids)"
            " GROUP BY runs.id",
            ids=list(run_ids),
        )
        assert len(rows) == len(set(run_ids))
        for row in rows:
            assert row["finished"] == 1 and row["last_kind"] == "run.finished", row
            assert row["events"] == row["last"] == row["version"], row

    async def assert_no_overlap(self) -> None:
        """No attempt began its work before the process of the one before it was gone.

        Frozen workers are left out: nobody can stop what they had started.
        """
        rows = await self.rows(
            "SELECT a.id, a.run_id, a.worker, b.started FROM effects a JOIN effects b"
            " ON a.run_id = b.run_id AND a.fence < b.fence"
        )
        for row in rows:
            if row["worker"] not in self.frozen:
                note = self.ends / str(row["id"])
                known = note.exists()
                gone = float(note.read_text()) if known else self.killed[row["worker"]].timestamp()
                assert row["started"].timestamp() >= gone, row

    async def takeovers(self) -> list[float]:
        """Seconds from each kill of a worker to the next claim of each run that it held."""
        held = await self.rows(
            "SELECT e.id, e.worker, e.run_id FROM effects e WHERE e.worker = ANY(:killed)",
            killed=list(self.killed),
        )
        seconds = []
        for row in held:
            killed = self.killed[row["worker"]]
            claimed = await self.row(
                "SELECT min(at) AS at FROM run_events WHERE run_id = :run"
                " AND kind = 'run.running' AND at > :killed",
                run=row["run_id"],
                killed=killed,
            )
            if claimed["at"] and not (self.ends / str(row["id"])).exists():
                seconds.append((claimed["at"] - killed).total_seconds())
        return sorted(seconds)

    def restart_valkey_empty(self) -> None:
        """What a Redis without a disk is after a crash."""
        self.servers.valkey.kill()
        shutil.rmtree(self.servers.home / "valkey" / "data")
        self.servers.valkey.start()

    async def flush(self) -> None:
        """FLUSHALL, if Redis is there."""
        with suppress(RedisError, OSError):
            await outbox.redis().flushall()

    def freeze_postgres(self) -> None:
        """SIGSTOP to PostgreSQL and all its children."""
        for pid in self._postgres_pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw_postgres(self) -> None:
        """SIGCONT to the same."""
        for pid in self._postgres_pids():
            os.kill(pid, signal.SIGCONT)

    def _postgres_pids(self) -> list[int]:
        root = self.servers.postgres.pid
        children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
        return [root, *map(int, children)]

    def print_logs(self) -> None:
        """The end of each process's output; pytest shows it for a failed test."""
        for process in self.processes:
            end = process.log.read_text(errors="replace")[-4000:]
            print(f"--- {process.pid}, {process.returncode}\n{end}")

    def close(self) -> None:
        """Kill every process that the cluster started."""
        for process in self.processes:
            process.close()


class Caller(Protocol):
    """Whoever accepts triggers, and may be killed while it does."""

    def start(self) -> None:
        """Start it, or start it again."""

    def kill(self) -> None:
        """SIGKILL."""

    async def trigger(self, number: int) -> UUID | None:
        """Ask for one run; None when no answer came."""


class LineCaller:
    """A process that accepts a run for each line; stands in for the API server."""

    def __init__(self, cluster: Cluster, command: Sequence[str] = LEDGER_API) -> None:
        self._cluster = cluster
        self._command = command
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    def start(self, **environ: str) -> None:
        """Start it, or start it again."""
        self._process = self._cluster.start_talking(self._command, **environ)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process:
            self._process.kill()

    async def trigger(self, number: int) -> UUID | None:
        """Ask for one run; None when no answer came."""
        async with self._turn:
            return await asyncio.to_thread(self._ask, {"number": number})

    def _ask(self, request: dict[str, Any]) -> UUID | None:
        assert self._process is not None
        pipes = self._process.pipes
        assert pipes.stdin and pipes.stdout
        try:
            pipes.stdin.write(json.dumps(request).encode() + b"\n")
            pipes.stdin.flush()
            answer = pipes.stdout.readline()
        except (BrokenPipeError, ValueError):
            return None
        return UUID(json.loads(answer)["run_id"]) if answer.endswith(b"}\n") else None


Fault = Callable[[], Awaitable[None]]


async def storm(
    caller: Caller, triggers: int, faults: Sequence[Fault], *, pause_s: float
) -> list[UUID]:
    """Trigger runs one after the other while the faults happen in turn; returns the accepted."""
    accepted: list[UUID] = []

    async def call() -> None:
        for number in range(triggers):
            run_id = await caller.trigger(number)
            if run_id is not None:
                accepted.append(run_id)
            await asyncio.sleep(pause_s)

    calling = asyncio.create_task(call())
    for fault in faults:
        await fault()
        await asyncio.sleep(pause_s * 4)
    await calling
    return accepted


def create_schema(database_url: str) -> None:
    """Create all tables and the project that the tests use, in a process of its own."""
    code = "from tests.journeys.chaos.harness import _create; _create(__import__('sys').argv[1])"
    subprocess.run([sys.executable, "-c", code, database_url], cwd=ROOT, check=True)


def _create(database_url: str) -> None:
    async def create() -> None:
        engine = db.connect(database_url)
        await upgrade()
        async with engine.begin() as connection:
            await connection.execute(text(EFFECTS))
            await connection.execute(
                text("INSERT INTO projects (uuid, name) VALUES ('one', 'One'), ('two', 'Two')")
            )
        await db.disconnect()

    asyncio.run(create())


class Databases:
    """Copies of a database with all tables."""

    def __init__(self, servers: SessionServers) -> None:
        self._servers = servers
        template = servers.create_database()
        create_schema(template)
        self._template = database_name(template)

    @asynccontextmanager
    async def connected(self, redis_url: str) -> AsyncIterator[str]:
        """A new database that this process is connected to, with the queue.

        It goes with its server: to drop it takes longer than to make it.
        """
        url = self._servers.create_database(self._template)
        db.connect(url)
        outbox.connect(redis_url)
        await outbox.redis().flushall()
        try:
            yield url
        finally:
            await outbox.disconnect()
            await db.disconnect()


@contextmanager
def durable_servers() -> Iterator[tuple[EmbeddedServers, Databases]]:
    """PostgreSQL with fsync and Valkey with its log, and databases on them."""
    with open_folder() as folder, EmbeddedServers(folder / "home", durable=True) as servers:
        yield servers, Databases(SessionServers(servers))


@asynccontextmanager
async def open_cluster(
    servers: EmbeddedServers, databases: Databases, folder: Path, **more: Any
) -> AsyncIterator[Cluster]:
    """A cluster on a new database; whatever the test did to the servers, they live afterwards."""
    async with databases.connected(servers.valkey.url) as url:
        cluster = Cluster(servers, url, folder, **more)
        try:
            yield cluster
        finally:
            cluster.close()
            cluster.print_logs()
            for server in (servers.postgres, servers.valkey):
                if not server.running:
                    server.start()
