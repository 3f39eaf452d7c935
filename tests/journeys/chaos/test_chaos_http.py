"""Triggers over Mage's REST path while everything that can die dies: each is run once to its end."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import httpx2
import pytest

from app.core.crypto import KeyRing
from app.embedded import EmbeddedServers
from tests.journeys.chaos.faults import all_faults
from tests.journeys.chaos.harness import (
    Cluster,
    Databases,
    Process,
    durable_servers,
    open_cluster,
    storm,
    until,
)

API_KEY = "chaos-api-key"
ISTHMUS = (sys.executable, "-m", "app.cli")
WORKER = (sys.executable, "-m", "workers")
NOTE = (
    "import pathlib, time\n@custom\ndef {name}(*args, **kwargs):\n"
    "    with (pathlib.Path(kwargs['notes']) / kwargs['run_id']).open('a') as notes:\n"
    "        notes.write('{name} began\\n')\n        notes.flush()\n"
    "        time.sleep(kwargs['seconds'])\n        notes.write('{name} ended\\n')\n"
)
BLOCKS = ("one", "two", "three")


class HttpCaller:
    """The API as a process, and a client that repeats a call until it is answered."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._client = httpx2.AsyncClient(base_url=self.url, timeout=20)
        self._process: Process | None = None
        self.path = ""
        self.notes = ""
        self.answers: dict[int, int] = {}

    def start(self, **environ: str) -> None:
        """Start it, or start it again."""
        command = [*ISTHMUS, "serve", "--port", str(self._port)]
        self._process = self._cluster.start(command, **environ)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process:
            self._process.kill()

    @property
    def returncode(self) -> int | None:
        """How the API's process ended, or None."""
        return self._process.returncode if self._process else None

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    async def ready(self) -> None:
        """Wait until it answers."""

        async def answers() -> bool:
            try:
                return (await self._client.get("/readyz")).status_code == 200
            except httpx2.HTTPError:
                return False

        await until(answers, 60, "the API is ready")

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call that must succeed."""
        answer = await self._client.request(method, path, json=body, headers={"X-API-KEY": API_KEY})
        found = answer.json()
        assert "error" not in found, found
        return found

    async def attempt(self, number: int) -> httpx2.Response | None:
        """One trigger call; None where the connection broke."""
        body = {"pipeline_run": {"variables": {"notes": self.notes, "seconds": 0.2}}}
        try:
            return await self._client.post(
                self.path, json=body, headers={"Idempotency-Key": f"storm-{number}"}
            )
        except httpx2.HTTPError:
            return None

    async def trigger(self, number: int) -> UUID | None:
        """Ask for a run with a key of its own, again and again until it is accepted."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = await self.attempt(number)
            if answer is not None and answer.status_code == 200:
                run = answer.json()
                assert "error" not in run, run
                self.answers[number] = run["pipeline_run"]["id"]
                return UUID(int=run["pipeline_run"]["id"])
            if answer is not None:
                assert answer.status_code == 503, (answer.status_code, answer.text)
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json()["error"]["code"] == 503
            await asyncio.sleep(0.2)
        return None


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[EmbeddedServers, Databases]]:
    """PostgreSQL and Valkey that survive crashes."""
    with durable_servers() as made:
        yield made


@pytest.fixture
async def cluster(
    servers: tuple[EmbeddedServers, Databases], tmp_path: Path
) -> AsyncIterator[Cluster]:
    """A bootstrapped installation without processes yet; workers are the real ones."""
    environ = {
        "ISTHMUS_SECRET_KEYS": KeyRing.generate(),
        "ISTHMUS_API_KEY": API_KEY,
        "ISTHMUS_ADMIN_PASSWORD": "chaos-password",
        "REQUIRE_USER_AUTHENTICATION": "false",
    }
    async with open_cluster(*servers, tmp_path, worker=WORKER, environ=environ) as made:
        await asyncio.to_thread(subprocess.run, [*ISTHMUS, "migrate"], env=made.environ, check=True)
        yield made


@pytest.fixture
async def caller(cluster: Cluster, tmp_path: Path) -> AsyncIterator[HttpCaller]:
    """The API with a pipeline of three blocks and an API trigger."""
    made = HttpCaller(cluster)
    made.start()
    await made.ready()
    notes = tmp_path / "notes"
    notes.mkdir()
    made.notes = str(notes)
    await made.call("POST", "/api/pipelines", {"pipeline": {"name": "storm"}})
    for position, name in enumerate(BLOCKS):
        block = {
            "name": name,
            "type": "custom",
            "content": NOTE.replace("{name}", name),
            "upstream_blocks": list(BLOCKS[:position][-1:]),
        }
        await made.call("POST", "/api/pipelines/storm/blocks", {"block": block})
    schedule = {"name": "call", "schedule_type": "api", "status": "active"}
    path = "/api/pipelines/storm/pipeline_schedules"
    found = await made.call("POST", path, {"pipeline_schedule": schedule})
    trigger = found["pipeline_schedule"]
    made.path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"
    yield made
    await made.close()


async def every_run(cluster: Cluster) -> dict[int, UUID]:
    """Ids of all pipeline runs by number."""
    rows = await cluster.rows("SELECT number, run_id FROM pipeline_runs")
    return {row["number"]: row["run_id"] for row in rows}


async def weather(cluster: Cluster, caller: HttpCaller, triggers: int, pause_s: float) -> None:
    """A storm over the API and two workers, and what must hold after it."""
    for _ in range(2):
        await cluster.ready_worker()
    accepted = await storm(caller, triggers, all_faults(cluster, caller), pause_s=pause_s)
    assert len(accepted) == triggers
    known = await every_run(cluster)
    # A repeated key gave the run that the unanswered call had made: none twice, none lost.
    assert set(caller.answers.values()) == set(known)
    assert len(known) == triggers
    await cluster.all_end(list(known.values()), 90)
    await cluster.assert_each_ended_once(list(known.values()))
    rows = await cluster.rows("SELECT id, status, error FROM runs")
    for row in rows:
        assert row["status"] == "succeeded" or "lost its worker" in row["error"], row
        if row["status"] == "succeeded":
            notes = (Path(caller.notes) / str(row["id"])).read_text().splitlines()
            assert {f"{name} ended" for name in BLOCKS} <= set(notes), notes
    assert caller.returncode is None
    taken = await cluster.rows("SELECT id FROM runs WHERE attempt > 1")
    done = sum(row["status"] == "succeeded" for row in rows)
    print(f"\n{triggers} triggers, {done} succeeded, {len(taken)} taken over")
    waits = [
        (row["claimed"] - row["killed"]).total_seconds()
        for pid, killed in cluster.killed.items()
        for row in await cluster.rows(
            "SELECT min(n.at) AS claimed, CAST(:killed AS timestamptz) AS killed "
            "FROM run_events n WHERE n.kind = 'run.running' AND n.at > :killed AND EXISTS "
            "(SELECT 1 FROM run_events o WHERE o.run_id = n.run_id AND o.kind = 'run.running' "
            "AND o.at < :killed AND o.data ->> 'worker' LIKE :mark) GROUP BY n.run_id",
            killed=killed,
            mark=f"%-{pid}-%",
        )
    ]
    if waits:
        print(f"takeover after a kill: median {median(waits):.1f} s, worst {max(waits):.1f} s")


async def test_every_trigger_over_http_is_run_once_to_its_end(
    cluster: Cluster, caller: HttpCaller
) -> None:
    await weather(cluster, caller, triggers=60, pause_s=0.25)


@pytest.mark.long
async def test_every_trigger_over_http_in_a_long_storm(
    cluster: Cluster, caller: HttpCaller
) -> None:
    await weather(cluster, caller, triggers=500, pause_s=0.1)


async def test_run_accepted_by_an_api_that_dies_before_its_hint_is_executed(
    cluster: Cluster, caller: HttpCaller
) -> None:
    await cluster.ready_worker()
    caller.kill()
    caller.start(ISTHMUS_DIE_BEFORE_PUSH="true")
    await caller.ready()
    assert await caller.attempt(1) is None
    known = await every_run(cluster)
    assert len(known) == 1
    await cluster.all_end(list(known.values()), 30)
    caller.start()
    await caller.ready()
    await caller.trigger(1)
    assert await every_run(cluster) == known


async def test_api_answers_503_while_postgres_is_away_and_goes_on_without_a_restart(
    cluster: Cluster, caller: HttpCaller
) -> None:
    process = cluster.processes[0]
    cluster.servers.postgres.stop()
    answer = await caller.attempt(7)
    assert answer is not None and answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == 503
    async with httpx2.AsyncClient(base_url=caller.url, timeout=20) as client:
        query = {"query": "{ me { username } }"}
        refused = await client.post("/v2/graphql", json=query, headers={"X-API-KEY": API_KEY})
        assert refused.status_code == 503
        assert refused.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
    cluster.servers.postgres.start()
    await caller.ready()
    assert await caller.trigger(7) is not None
    assert process.returncode is None


async def test_triggers_are_accepted_while_redis_is_away_and_run_after_its_return(
    cluster: Cluster, caller: HttpCaller
) -> None:
    await cluster.ready_worker()
    cluster.servers.valkey.kill()
    try:
        for number in range(3):
            assert await caller.trigger(number) is not None
        async with httpx2.AsyncClient(base_url=caller.url, timeout=20) as client:
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
            listed = await client.get("/api/pipeline_runs", headers={"X-API-KEY": API_KEY})
            assert len(listed.json()["pipeline_runs"]) == 3
    finally:
        cluster.servers.valkey.start()
    known = await every_run(cluster)
    await cluster.all_end(list(known.values()), 30)
    await cluster.assert_each_ended_once(list(known.values()))
