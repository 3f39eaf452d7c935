"""Sync jobs as runs: an API, a worker, its child processes, real databases."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import psutil
import pytest

from tests.journeys.live import Live, live
from tests.journeys.warehouse import warehouse
from tests.servers import SessionServers
from tests.workers.notify.sinks import http_sink

TESTED = "connection { status message } errors { message }"
STARTED = "task { id number } errors { message }"
TASK = """query($id: ID!) { node(id: $id) { ... on SyncTask {
  status error rows bytes streamProgress steps { name status error }
  logs(first: 100) { nodes { message } } } } }"""

SLOT = """query($number: Int!) { syncJob(by: {number: $number}) {
  slotRetainedBytes slotWarning slotSeenAt } }"""
DELETED = "deletedId errors { message }"
# The last row is read only when nobody holds the lock.
SLOW = (
    "CREATE TABLE slow AS SELECT i AS id, md5(i::text) || md5(i::text || 'x') AS v "
    "FROM generate_series(1, 400000) AS i",
    """CREATE FUNCTION is_read(id int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      IF id = 400000 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN true; END $$""",
    "CREATE POLICY waits ON slow USING (is_read(id))",
    "ALTER TABLE slow ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE slow FORCE ROW LEVEL SECURITY",
)
STREAMS = """query($number: Int!) { syncJob(by: {number: $number}) {
  streams(first: 1) { nodes { id state } } } }"""


class Jobs:
    """Calls of the graph, and the database that is read."""

    def __init__(self, api: httpx2.Client, variables: dict[str, str]) -> None:
        self.api = api
        self.canary = variables["WAREHOUSE_PASSWORD"]
        self.source = {
            "host": "localhost",
            "port": int(variables["WAREHOUSE_PORT"]),
            "database": variables["WAREHOUSE_DATABASE"],
            "username": variables["WAREHOUSE_USER"],
            "password": self.canary,
        }

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.source["port"],
            user=self.source["username"],
            password=self.canary,
            database=self.source["database"],
            ssl=False,
        )

    async def sql(self, *statements: str) -> None:
        con = await self.connect()
        for statement in statements:
            await con.execute(statement)
        await con.close()

    def call(self, field: str, kind: str, input: dict[str, Any], wanted: str) -> dict[str, Any]:
        query = f"mutation($input: {kind}!) {{ {field}(input: $input) {{ {wanted} }} }}"
        return dict(self.ask(query, {"input": input})[field])

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        sent = {"query": query, "variables": variables}
        answer = self.api.post("/v2/graphql", json=sent, timeout=60).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def test_source(self, **changed: Any) -> dict[str, Any]:
        given = {"type": "postgres", "connectorVersion": "v0.9.4", "waitS": 20}
        config = {**self.source, **changed}
        found = self.call(
            "syncSourceTest", "SyncSourceTestInput", {**given, "config": config}, TESTED
        )
        assert not found["errors"], found
        return dict(found["connection"])

    def job(self, name: str, destination: dict[str, Any], mode: str = "full_refresh") -> int:
        given = {"type": "postgres", "connectorVersion": "v0.9.4", "config": self.source}
        found = self.call(
            "syncSourceDiscover",
            "SyncSourceDiscoverInput",
            {**given, "jobName": name, "waitS": 20},
            "streamsConfig message errors { message }",
        )
        streams = found["streamsConfig"]
        assert streams, found
        for entry in streams["streams"]:
            entry["stream"]["sync_mode"] = mode
        made = self.call(
            "syncJobCreate",
            "SyncJobCreateInput",
            {
                "name": name,
                "source": {"name": f"{name}_source", **given},
                "destination": {
                    "name": f"{name}_to",
                    "connectorVersion": "v0.9.4",
                    **destination,
                },
                "streamsConfig": streams,
            },
            "job { number } errors { message }",
        )
        assert not made["errors"], made
        return int(made["job"]["number"])

    def logged_job(self, name: str, slot: str, *, create: bool, **settings: Any) -> int:
        """A job that is off, whose source names a slot."""
        log = {"type": "CDC", "replication_slot": slot, "publication": "p"}
        log |= {"create_missing": create, "initial_wait_time": 120}
        versioned = {"connectorVersion": "v0.9.4"}
        source = {"type": "postgres", "config": {**self.source, "update_method": log}}
        lake = {"type": "PARQUET", "writer": {"local_path": name}}
        input = {
            "name": name,
            "isActive": False,
            "source": {"name": f"{name}_source", **versioned, **source},
            "destination": {"name": f"{name}_to", **versioned, "type": "parquet", "config": lake},
            "advancedSettings": settings,
        }
        made = self.call(
            "syncJobCreate", "SyncJobCreateInput", input, "job { number } errors { message }"
        )
        assert not made["errors"], made
        return int(made["job"]["number"])

    def start(self, job: int, field: str = "syncJobStart") -> str:
        kind = field[0].upper() + field[1:] + "Input"
        started = self.call(field, kind, {"by": {"number": job}}, STARTED)
        assert not started["errors"], started
        return str(started["task"]["id"])

    def task(self, id: str) -> dict[str, Any]:
        return dict(self.ask(TASK, {"id": id})["node"])

    def stream(self, job: int) -> dict[str, Any]:
        """The first stream of a job."""
        found = self.ask(STREAMS, {"number": job})
        return dict(found["syncJob"]["streams"]["nodes"][0])

    def state(self, verb: str, id: str, **more: Any) -> None:
        kind = f"SyncStreamState{verb}Input"
        said = self.call(f"syncStreamState{verb}", kind, {"id": id, **more}, "errors { message }")
        assert not said["errors"], said

    async def until(self, look: Callable[[], Any]) -> Any:
        """The first true answer."""
        deadline = time.monotonic() + 60
        while not (found := look()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        return found

    async def ended(self, id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            task = self.task(id)
            if task["status"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return task
            assert time.monotonic() < deadline, task
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def installation(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Live, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("syncs")
    with (
        warehouse(session_servers) as variables,
        live(
            session_servers,
            folder,
            authentication=False,
            ISTHMUS_DATA_ROOT=str(folder / "data"),
            ISTHMUS_WAREHOUSE_URL=session_servers.urls.warehouse_url,
            ISTHMUS_KILL_GRACE_S="0.5",
            ISTHMUS_LEASE_S="3",
            ISTHMUS_SLOT_LOOK_S="1",
        ) as made,
    ):
        yield made, variables


@pytest.fixture
async def jobs(installation: tuple[Live, dict[str, str]]) -> Any:
    made, variables = installation
    with made.client() as api:
        jobs = Jobs(api, variables)
        await jobs.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        yield jobs


def children() -> list[psutil.Process]:
    """Sync processes of this machine that descend from this test."""
    every = psutil.Process().children(recursive=True)
    return [p for p in every if any("workers.sync.child" in word for word in p.cmdline())]


async def child() -> list[psutil.Process]:
    """The processes of a sync that has been started."""
    async with asyncio.timeout(30):
        while not (found := children()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


def manifests(installation: tuple[Live, dict[str, str]]) -> list[Path]:
    root = Path(installation[0].environ["ISTHMUS_DATA_ROOT"])
    return list(root.rglob("_manifest.json"))


def test_the_test_of_a_source_says_what_is_wrong(jobs: Jobs) -> None:
    assert jobs.test_source() == {"status": "SUCCEEDED", "message": ""}
    wrong = jobs.test_source(password="not-it")
    assert wrong["status"] == "FAILED"
    assert wrong["message"] == "The server refuses the user name or the password."
    assert jobs.test_source(port=1)["message"] == "The server cannot be reached, or went away."
    assert jobs.test_source(host="no.such.host.invalid")["message"] == (
        "The host's name has no address."
    )


async def test_a_job_fills_folders_and_the_warehouse(
    jobs: Jobs, installation: tuple[Live, dict[str, str]]
) -> None:
    await jobs.sql(
        "CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one VALUES (1, 'a'), (2, 'b')",
        "CREATE TABLE two (id int PRIMARY KEY); INSERT INTO two SELECT generate_series(1, 10)",
    )
    parquet = {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "lake"}}}
    job = jobs.job("files", parquet)
    task = await jobs.ended(jobs.start(job))
    assert task["status"] == "SUCCEEDED", task
    assert task["rows"] == "12" or task["rows"] == 12
    assert [(s["name"], s["status"]) for s in task["steps"]] == [
        ("public.one", "SUCCEEDED"),
        ("public.two", "SUCCEEDED"),
    ]
    logs = [line["message"] for line in task["logs"]["nodes"]]
    assert any(line.startswith("Total records read: 12") for line in logs)
    assert manifests(installation)
    own = {"type": "postgres", "config": {"type": "POSTGRES", "writer": {"warehouse": True}}}
    task = await jobs.ended(jobs.start(jobs.job("own", own, mode="incremental")))
    assert task["status"] == "SUCCEEDED", task
    cleared = await jobs.ended(jobs.start(job, "syncJobClearDestination"))
    assert cleared["status"] == "SUCCEEDED", cleared
    assert not manifests(installation)


async def test_a_state_that_was_set_or_reset_is_what_the_next_sync_goes_by(jobs: Jobs) -> None:
    await jobs.sql(
        "CREATE TABLE three (id int PRIMARY KEY); INSERT INTO three SELECT generate_series(1, 9)"
    )
    parquet = {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "set"}}}
    job = jobs.job("set", parquet, mode="incremental")

    async def moved() -> int:
        task = await jobs.ended(jobs.start(job))
        assert task["status"] == "SUCCEEDED", task
        return int(task["rows"])

    assert [await moved(), await moved()] == [9, 0]
    stream = jobs.stream(job)
    assert "_run" in stream["state"]
    jobs.state("Reset", stream["id"])
    assert [await moved(), await moved()] == [9, 0]
    # As somebody writes it who takes what is there and changes it; equal cursors come again.
    known = jobs.stream(job)["state"]
    jobs.state("Set", stream["id"], state={**known, "marks": ["4"], "seen": [], "oldest": None})
    assert "_run" not in jobs.stream(job)["state"]
    assert [await moved(), await moved()] == [6, 0]


async def test_a_failed_stream_is_told_without_secrets(
    jobs: Jobs, installation: tuple[Live, dict[str, str]]
) -> None:
    await jobs.sql("CREATE TABLE gone (id int)", "CREATE TABLE stays (id int)")
    parquet = {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "two"}}}
    job = jobs.job("fails", parquet)
    await jobs.sql("DROP TABLE gone")
    task = await jobs.ended(jobs.start(job))
    assert task["status"] == "FAILED"
    assert task["error"] == "There is no table public.gone, or its user may not read it."
    assert {s["name"]: s["status"] for s in task["steps"]} == {
        "public.gone": "FAILED",
        "public.stays": "SUCCEEDED",
    }
    assert jobs.canary not in str(task) + installation[0].log.read_text()


async def test_a_cancel_ends_the_process(jobs: Jobs) -> None:
    await jobs.sql("CREATE TABLE big (id int PRIMARY KEY)")
    parquet = {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "slow"}}}
    job = jobs.job("slow", parquet)
    con = await jobs.connect()
    await con.execute("BEGIN; LOCK TABLE big")
    id = jobs.start(job)
    await child()
    jobs.call("syncJobCancel", "SyncJobCancelInput", {"by": {"number": job}}, STARTED)
    assert (await jobs.ended(id))["status"] == "CANCELLED"
    assert not children()
    await con.close()


async def test_the_process_dies_with_its_worker_and_another_goes_on(
    jobs: Jobs, installation: tuple[Live, dict[str, str]]
) -> None:
    made = installation[0]
    await jobs.sql(
        "CREATE TABLE much AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 300000) i",
        "ALTER TABLE much ADD PRIMARY KEY (id)",
    )
    parquet = {"type": "parquet", "config": {"type": "PARQUET", "writer": {"local_path": "much"}}}
    id = jobs.start(jobs.job("much", parquet))
    found = await child()
    made.processes["worker"].kill()
    _, alive = psutil.wait_procs(found, timeout=5)
    assert not alive
    made.start("worker", "worker")
    task = await jobs.ended(id)
    assert task["status"] == "SUCCEEDED", task


async def test_files_are_seen_to_grow_while_they_are_written(jobs: Jobs) -> None:
    await jobs.sql(*SLOW)
    writer = {"local_path": "grows", "max_file_size_mb": 1}
    parquet = {"type": "parquet", "config": {"type": "PARQUET", "writer": writer}}
    job = jobs.job("grows", parquet)
    con = await jobs.connect()
    await con.execute("SELECT pg_advisory_lock(7)")
    id = jobs.start(job)
    seen = await jobs.until(lambda: next((t for t in [jobs.task(id)] if int(t["bytes"])), None))
    assert seen["status"] == "RUNNING"
    under_way = seen["streamProgress"]["public.slow"]
    assert under_way["status"] == "running" and under_way["bytes"] == int(seen["bytes"])
    await con.close()
    task = await jobs.ended(id)
    assert (task["status"], int(task["rows"])) == ("SUCCEEDED", 400000)
    assert int(task["bytes"]) > int(seen["bytes"])


async def test_slots_are_watched_and_go_with_their_jobs(
    jobs: Jobs, session_servers: SessionServers
) -> None:
    session_servers.superuser(f"ALTER ROLE {jobs.source['username']} REPLICATION")
    con = await jobs.connect()
    names = [f"{kind}_{jobs.source['database']}" for kind in ("made", "own")]
    for name in names:
        await con.execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
    with http_sink() as sink:
        numbers = [
            jobs.logged_job(name, name, create=create, webhook_url=sink.url())
            for name, create in zip(names, (True, False), strict=True)
        ]
        for number in numbers:
            await jobs.until(
                lambda n=number: jobs.ask(SLOT, {"number": n})["syncJob"]["slotRetainedBytes"]
            )
            gone = jobs.call(
                "syncJobDelete", "SyncJobDeleteInput", {"by": {"number": number}}, DELETED
            )
            assert not gone["errors"]
        await jobs.until(lambda: sink.posted)
        (posted,) = sink.posted
    told = posted.body
    assert (told["event"], told["job"]["name"], told["task"]) == ("slot.warning", names[1], None)
    assert f"pg_drop_replication_slot('{names[1]}')" in told["error"]
    assert told["error"] in told["text"] and jobs.canary not in str(told)
    left = "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()"
    async with asyncio.timeout(60):
        while [row[0] for row in await con.fetch(left)] != [names[1]]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await con.execute("SELECT pg_drop_replication_slot($1)", names[1])
    await con.close()
