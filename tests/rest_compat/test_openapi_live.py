"""schemathesis against a live server: what the document says is what is answered."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from rest_compat.lens.questions import WAIT
from tests.factories import rows
from tests.journeys.live import Live, live
from tests.servers import SessionServers

P = "/api/v1/project/olake"
NAMES = {
    "uuid": "charted",
    "block_uuid": "load",
    "name": "color",
    "path": "data_loader/load",
    "lens": "default",
}
"""What stands for the parameters of paths that are texts; all numbers are 1."""
MODEL = """
tables:
  - name: orders
    sql: select 1 as id, 'shipped' as status
    dimensions:
      - {name: id, sql: id, type: number, primary_key: true}
      - {name: status, sql: status, type: string}
    measures:
      - {name: count, type: count}
"""
"""What the document's examples of questions ask."""
TAKES_ALL_AWAY = (
    "mage_put_api_sessions_any",
    "deep_post_api_v1_logout",
    "deep_delete_api_v1_projects_id",
)
"""After these the others would only find nothing: the session's end, the project's."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def server(
    session_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("openapi")
    warehouse = session_servers.create_database().replace("+asyncpg", "")
    environ = {"ISTHMUS_DATA_ROOT": str(folder / "data"), "ISTHMUS_WAREHOUSE_URL": warehouse}
    with live(session_servers, folder, authentication=True, **environ) as made:
        yield made
    session_servers.drop_database(warehouse)


@pytest.fixture(scope="module")
def client(server: Live) -> Iterator[httpx2.Client]:
    """The first owner, known to all dialects, in a project with one of each thing."""
    sent = {"username": server.username, "password": server.password}
    token = httpx2.post(f"{server.url}/login", json=sent).json()["data"]["access_token"]
    with server.client(**{"Authorization": f"Bearer {token}", "OAUTH-TOKEN": token}) as made:
        _fill(made)
        yield made


def _fill(client: httpx2.Client) -> None:
    def post(path: str, body: Any) -> Any:
        answer = client.post(path, json=body)
        assert answer.status_code == 200 and "error" not in answer.json(), answer.text
        return answer.json()

    post("/api/pipelines", {"pipeline": {"name": "charted", "tags": ["chart"]}})
    code = "@data_loader\ndef load(*args, **kwargs):\n    print('chart')\n    return [1]\n"
    block = {"name": "load", "type": "data_loader", "content": code}
    post("/api/pipelines/charted/blocks", {"block": block})
    post("/api/pipelines/charted/variables", {"variable": {"name": "color", "value": "red"}})
    on = {"name": "by call", "schedule_type": "api", "status": "active"}
    post("/api/pipelines/charted/pipeline_schedules", {"pipeline_schedule": on})
    post("/api/pipelines/charted/backfills", {"backfill": {"name": "back"}})
    post("/api/pipeline_schedules/1/pipeline_runs", {"pipeline_run": {}})
    made = "mutation($files: JSON!) { semanticModelCreate(input: {files: $files}) { model { version } } }"
    files = {"tables/orders.yml": MODEL}
    post("/v2/graphql", {"query": made, "variables": {"files": files}})
    counted = {"measures": ["orders.count"]}
    while (answer := client.post("/v2/load", json={"query": counted}).json()) == WAIT:
        time.sleep(0.05)
    assert "data" in answer, answer
    ends = {
        "source": {
            "name": "from",
            "type": "postgres",
            "version": "v0.9.4",
            "config": rows.POSTGRES,
        },
        "destination": {
            "name": "to",
            "type": "parquet",
            "version": "v0.9.4",
            "config": rows.PARQUET,
        },
    }
    post(f"{P}/jobs", {"name": "job", "streams_config": rows.CATALOG, **ends})
    post(f"{P}/jobs/1/sync", {})
    # There is no such source, which is tried for long.
    post(f"{P}/jobs/1/cancel", {})
    _fill_deep(client)
    deadline = time.monotonic() + 60
    while not _have_ended(client):
        assert time.monotonic() < deadline, client.get("/api/pipeline_runs/1").text
        time.sleep(0.05)


def _fill_deep(client: httpx2.Client) -> None:
    """One of each thing of DEEP's, in the same project."""

    def post(path: str, **how: Any) -> Any:
        answer = client.post(f"/api/v1/{path}/", **how)
        assert answer.status_code == 201, answer.text
        return answer.json()

    for path in ("leads", "lead-groups"):
        post(path, json={"title": "charted", "project": 1})
    post("organizations", json={"title": "charted"})
    post("files", files={"file": ("charted.txt", b"charted")})
    post("user-groups", json={"title": "charted"})
    post("projects", json={"title": "another"})


def _have_ended(client: httpx2.Client) -> bool:
    run = client.get("/api/pipeline_runs/1").json()["pipeline_run"]
    (task,) = client.get(f"{P}/jobs/1/tasks").json()["data"]
    return run["status"] == "completed" and task["status"] == "Canceled"


@pytest.fixture(scope="module")
def chart(client: httpx2.Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The served document, with the names of what is there as examples."""
    document = client.get("/api-docs.json").json()
    for item in document["paths"].values():
        for method, operation in item.items():
            for one in operation["parameters"] if method[0] != "x" else ():
                if one.get("in") == "path":
                    one["example"] = NAMES.get(one["name"], 1)
    path = tmp_path_factory.mktemp("chart") / "openapi.json"
    path.write_text(json.dumps(document))
    return path


def _run(server: Live, client: httpx2.Client, chart: Path, *options: str) -> None:
    headers = ("Authorization", "OAUTH-TOKEN", "X-API-KEY")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(chart), "--url", server.url),
        *(part for h in headers for part in ("-H", f"{h}: {client.headers[h]}")),
        *("--checks", ",".join(CHECKS)),
        *(part for one in TAKES_ALL_AWAY for part in ("--exclude-operation-id", one)),
        *("--generation-database", "none", "--generation-with-security-parameters", "false"),
        *("--seed", "7", "--continue-on-failure", "--no-color", "--no-shrink"),
        *("--warnings", "off", "--suppress-health-check", "all", "--request-timeout", "30"),
        *options,
    ]
    done = subprocess.run(
        command, cwd=chart.parent, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    # Mage's dialect tells of internal errors with HTTP 200, so they are looked for where they are.
    failed = _internal_errors(server)
    assert not failed, "\n".join(failed)


def _internal_errors(server: Live) -> list[str]:
    """What failed inside the server and was masked: the ends of tracebacks."""
    lines = server.log.read_text().splitlines()
    return [line[-900:] for line in lines if "graphql.failed" in line or "Traceback" in line]


def test_every_operation_answers_as_documented(
    server: Live, client: httpx2.Client, chart: Path
) -> None:
    _run(server, client, chart, "--phases", "examples,fuzzing", "--max-examples", "3")


@pytest.mark.long
def test_every_operation_answers_as_documented_to_much_more(
    server: Live, client: httpx2.Client, chart: Path
) -> None:
    _run(server, client, chart, "--phases", "examples,coverage,fuzzing", "--max-examples", "30")
