"""A model from a folder to answers: commands, processes, keys, a kill, and files that a job wrote."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.journeys.live import ISTHMUS, Live, live
from tests.semantic.places import DATA
from tests.servers import SessionServers

pytestmark = pytest.mark.long
QUESTION = {"measures": ["orders.count"], "dimensions": ["orders.status"]}


@pytest.fixture(scope="module")
def installed(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installation whose warehouse has the contract's rows."""
    warehouse = session_servers.create_database().replace("+asyncpg", "")
    folder = tmp_path_factory.mktemp("lens")
    environ = {"ISTHMUS_WAREHOUSE_URL": warehouse, "ISTHMUS_CONTINUE_WAIT_S": "1"}
    with live(
        session_servers, folder, authentication=False, ISTHMUS_LEASE_S="3", **environ
    ) as made:
        fill(warehouse, DATA / "dataset.sql")
        yield made
    session_servers.drop_database(warehouse)


def fill(url: str, file: Path) -> None:
    """Run a file in a database."""
    statements = file.read_text()

    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statements)
        await connection.close()

    asyncio.run(run())


def isthmus(made: Live, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the shell, of this installation."""
    environ = {**made.environ, "ISTHMUS_URL": made.url, "ISTHMUS_CLIENT_KEY": made.api_key}
    return subprocess.run([*ISTHMUS, *words], env=environ, capture_output=True, text=True)


def ask(made: Live, key: str, query: Any, path: str = "/v2/load") -> Any:
    """An answer, waited for."""
    while True:
        answer = httpx2.post(
            made.url + path, json={"query": query}, headers={"apikey": key}, timeout=60
        )
        if answer.json().get("error") != "Continue wait":
            return answer.json()


def test_a_model_is_checked_pushed_asked_and_pulled(installed: Live, tmp_path: Path) -> None:
    good = isthmus(installed, "model", "check", str(DATA / "model"))
    assert (good.returncode, good.stdout) == (0, "The model has no faults.\n")
    broken = tmp_path / "broken"
    (broken / "tables").mkdir(parents=True)
    (broken / "tables" / "a.yml").write_text("tables:\n  - name: a\n    colour: red\n")
    bad = isthmus(installed, "model", "check", str(broken))
    assert bad.returncode == 1 and "tables/a.yml:3: " in bad.stdout
    refused = isthmus(installed, "model", "push", str(broken))
    assert refused.returncode != 0 and "tables/a.yml:3: " in refused.stderr
    pushed = isthmus(installed, "model", "push", str(DATA / "model"), "--note", "first")
    assert (pushed.returncode, pushed.stdout) == (0, "Version 1 is served.\n")
    made = isthmus(installed, *("key", "create", "bi", "--group", "default"))
    key = made.stdout.strip()
    listed = isthmus(installed, "key", "list").stdout
    assert "bi  (semantic.read; groups default)" in listed
    rows = ask(installed, key, QUESTION)["data"]
    assert {row["orders.status"]: row["orders.count"] for row in rows} == {
        "completed": "6",
        "shipped": "2",
        "cancelled": "1",
        "processing": "1",
    }
    pulled = isthmus(installed, "model", "pull", str(tmp_path / "pulled"))
    assert pulled.returncode == 0
    for path in (DATA / "model").rglob("*.yml"):
        copy = tmp_path / "pulled" / path.relative_to(DATA / "model")
        assert copy.read_text() == path.read_text()


def test_a_slow_query_survives_the_kill_of_its_worker(installed: Live) -> None:
    key = installed.api_key
    slow = {"measures": ["slow.count"]}
    headers = {"Authorization": key}
    body = {"query": slow}
    first = httpx2.post(f"{installed.url}/v2/load", json=body, headers=headers, timeout=60)
    assert first.json() == {"error": "Continue wait"}
    killed = installed.processes["worker"]
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    installed.start("worker", "worker")
    assert ask(installed, key, slow)["data"] == [{"slow.count": "1"}]


def test_tables_that_a_job_wrote_are_a_data_source(installed: Live, tmp_path: Path) -> None:
    def graph(query: str, **variables: Any) -> Any:
        with installed.client() as client:
            body = {"query": query, "variables": variables}
            answer = client.post("/v2/graphql", json=body).json()
            assert "errors" not in answer, answer
            return answer["data"]

    source = {"warehouse": True, "schemas": ["public"]}
    found = graph(
        'mutation($c: JSON!) { syncSourceDiscover(input: {type: "postgres", connectorVersion: "v0.9.4",'
        ' config: $c, jobName: "job", waitS: 60}) { streamsConfig message } }',
        c=source,
    )["syncSourceDiscover"]
    lake = {"type": "PARQUET", "writer": {"local_path": "lake"}}
    version = {"connectorVersion": "v0.9.4"}
    job = graph(
        "mutation($i: SyncJobCreateInput!) { syncJobCreate(input: $i) { job { id } errors { message } } }",
        i={
            "name": "job",
            "source": {"name": "db", "type": "postgres", **version, "config": source},
            "destination": {"name": "lake", "type": "parquet", **version, "config": lake},
            "streamsConfig": found["streamsConfig"],
        },
    )["syncJobCreate"]["job"]["id"]
    graph("mutation($j: ID!) { syncJobStart(input: {by: {id: $j}}) { task { id } } }", j=job)
    deadline = time.monotonic() + 120
    status = "QUEUED"
    while status in ("QUEUED", "RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        found = graph("query($j: ID!) { syncJob(by: {id: $j}) { lastRunStatus } }", j=job)
        status = found["syncJob"]["lastRunStatus"]
    assert status == "SUCCEEDED"
    model = tmp_path / "model" / "tables"
    model.mkdir(parents=True)
    (model / "lake.yml").write_text(
        json.dumps(
            {
                "tables": [
                    {
                        "name": "lake_orders",
                        "sql": "select * from orders",
                        "data_source": "lake",
                        "dimensions": [
                            {"name": "status", "sql": "status", "type": "string"},
                            {"name": "placed_at", "sql": "placed_at", "type": "time"},
                        ],
                        "measures": [
                            {"name": "count", "type": "count"},
                            {"name": "shipping", "sql": "shipping", "type": "sum"},
                        ],
                    }
                ]
            }
        )
    )
    assert isthmus(installed, "model", "push", str(model.parent)).returncode == 0
    question = {
        "measures": ["lake_orders.count", "lake_orders.shipping"],
        "timeDimensions": [{"dimension": "lake_orders.placed_at", "granularity": "month"}],
        "filters": [
            {"member": "lake_orders.status", "operator": "equals", "values": ["completed"]}
        ],
    }
    deadline = time.monotonic() + 20
    answer = ask(installed, installed.api_key, question)
    while "error" in answer and time.monotonic() < deadline:
        answer = ask(installed, installed.api_key, question)
    assert answer["dbType"] == "duckdb"
    assert [
        (row["lake_orders.placed_at.month"][:7], row["lake_orders.count"]) for row in answer["data"]
    ] == [("2024-01", "2"), ("2024-02", "1"), ("2024-03", "2"), ("2024-05", "1")]
