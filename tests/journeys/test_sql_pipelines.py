"""Python and SQL blocks in one pipeline, made over Mage's paths and run by a real worker."""

import secrets
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.journeys.live import Live, live
from tests.journeys.pipelines import Graph
from tests.servers import SessionServers, database_name, open_folder

PASSWORD = "canary-of-the-warehouse"
LOAD = """
import pandas as pd

@data_loader
def load(*args, **kwargs):
    return pd.DataFrame({'Order ID': [1, 2, 3], 'cents': [100, None, 250]})
"""
TOTAL = (
    "SELECT count(*) AS orders, sum(cents) AS cents FROM {{ df_1 }} WHERE order_id > {{ above }}"
)
REPORT = """
from mage_ai.settings.repo import get_repo_path
from mage_ai.io.config import ConfigFileLoader
from mage_ai.io.postgres import Postgres
from os import path

@data_exporter
def report(total, *args, **kwargs):
    config = ConfigFileLoader(path.join(get_repo_path(), 'io_config.yaml'), 'default')
    with Postgres.with_config(config) as loader:
        saved = loader.load('SELECT cents FROM sales.shop_total')
    return {'orders': int(total['orders'][0]), 'saved': saved['cents'].tolist()}
"""


@pytest.fixture(scope="module")
def installation(session_servers: SessionServers) -> Iterator[Live]:
    """An installation with a warehouse of its own, as `dev` has one."""
    role = f"warehouse_{secrets.token_hex(4)}"
    database = session_servers.create_database()
    session_servers.superuser(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    session_servers.superuser(f"ALTER DATABASE {database_name(database)} OWNER TO {role}")
    url = f"postgresql+asyncpg://{role}:{PASSWORD}@/{database_name(database)}"
    url += f"?{database.partition('?')[2]}"
    with (
        open_folder() as folder,
        live(session_servers, folder, authentication=False, ISTHMUS_WAREHOUSE_URL=url) as made,
    ):
        yield made
    session_servers.drop_database(database)
    session_servers.superuser(f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def client(installation: Live) -> Iterator[httpx2.Client]:
    """A caller with the api_key."""
    with installation.client() as made:
        yield made


def create(client: httpx2.Client, pipeline: str, *blocks: dict[str, Any]) -> str:
    """A pipeline of these blocks, as Mage's clients make it; its uuid."""
    body = {"pipeline": {"name": pipeline, "type": "python"}}
    uuid = str(client.post("/api/pipelines", json=body).json()["pipeline"]["uuid"])
    for block in blocks:
        answer = client.post(f"/api/pipelines/{uuid}/blocks", json={"block": block}).json()
        assert "error" not in answer, answer
    return uuid


def test_rows_go_from_python_through_sql_to_python(
    installation: Live, client: httpx2.Client
) -> None:
    uuid = create(
        client,
        "shop",
        {"name": "load", "type": "data_loader", "language": "python", "content": LOAD},
        {
            "name": "total",
            "type": "transformer",
            "language": "sql",
            "content": TOTAL,
            "upstream_blocks": ["load"],
            "configuration": {
                "data_provider": "postgres",
                "data_provider_schema": "sales",
                "export_write_policy": "replace",
            },
        },
        {
            "name": "twice",
            "type": "transformer",
            "language": "sql",
            "content": "SELECT 2 * orders AS n FROM {{ df_1 }}",
            "upstream_blocks": ["total"],
            "configuration": {"data_provider": "duckdb"},
        },
        {
            "name": "report",
            "type": "data_exporter",
            "language": "python",
            "content": REPORT,
            "upstream_blocks": ["total"],
        },
    )
    graph = Graph(client)
    run = graph.ended(graph.start(uuid, {"above": 1}))
    assert run["status"] == "SUCCEEDED", run
    samples = {name: s["outputs"][0]["sample"] for name, s in run["steps"].items()}
    assert samples["total"]["columns"] == ["orders", "cents"]
    assert samples["twice"]["rows"] == [[4]]
    assert samples["report"]["rows"] == [[2, [250.0]]]
    told = [node["message"] for node in run["logs"]["nodes"] if node["step"] == "total"]
    assert told == ["The result of the query is saved in sales.shop_total (replace)."]


def test_failure_tells_the_databases_message_and_no_credential(
    installation: Live, client: httpx2.Client
) -> None:
    block = {"name": "wrong", "type": "data_loader", "language": "sql", "content": "SELECT nope"}
    graph = Graph(client)
    run = graph.ended(graph.start(create(client, "wrong", block)))
    assert run["status"] == "FAILED"
    step = run["steps"]["wrong"]
    assert step["error"] == 'column "nope" does not exist (42703), in line 1, column 8: SELECT nope'
    assert step["traceback"] is None
    assert PASSWORD not in repr(run) + installation.log.read_text()
