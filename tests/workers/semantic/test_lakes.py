"""Tables that jobs have written to S3, asked over /v2/load: the lane, its DuckDB, a server of S3."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import requests
from moto.moto_api import recorder
from moto.server import ThreadedMotoServer
from pyiceberg.catalog.sql import SqlCatalog
from starlette.applications import Starlette

from app.core import db
from app.core.rules import SYSTEM
from app.semantic.actions.models import push_model
from app.semantic.loaded import forget_all
from tests.app.semantic.conftest import query_lane, warehouse  # noqa: F401  (a fixture)
from tests.factories import rows
from tests.workers.sync.rest_catalog import RestCatalogServer
from tests.workers.sync.rig import Line, Rig
from workers.semantic.base import QueryError
from workers.semantic.duck import DuckEngine, DuckProcesses

KEY, SECRET, TOKEN, REGION = "canary-key-of-s3", "canary-secret", "canary-token", "eu-south-2"
CATALOGS = "key-of-the-catalogs-server"
CANARIES = (KEY, SECRET, TOKEN)
LOCAL = {"address": "127.0.0.1"}
SALES = """
CREATE TABLE sales (id int PRIMARY KEY, amount numeric(10,2), city text, at timestamp);
INSERT INTO sales SELECT i, i * 1.25, CASE WHEN i % 2 = 0 THEN 'Lyon' ELSE 'Porto' END,
  timestamp '2024-01-20' + i * interval '1 day' FROM generate_series(1, 40) i;
"""
MODEL = """
tables:
  - name: sales
    sql: select * from sales
    data_source: {source}
    refresh_key: {{every: 1 hour}}
    dimensions:
      - {{name: city, sql: city, type: string}}
      - {{name: at, sql: at, type: time}}
    measures:
      - {{name: count, type: count}}
      - {{name: amount, sql: amount, type: sum}}
"""
QUERY = {
    "measures": ["sales.count", "sales.amount"],
    "timeDimensions": [{"dimension": "sales.at", "granularity": "month"}],
    "filters": [{"member": "sales.city", "operator": "equals", "values": ["Lyon"]}],
}
NO_TIME = {"member": "sales.at", "operator": "equals", "values": ["no time"]}
AWAY = "The server cannot be reached, or went away."
LATE = "Query execution timeout after 2 s of waiting"
KINDS = [
    "parquet",
    pytest.param("iceberg", marks=pytest.mark.long),
    pytest.param("rest", marks=pytest.mark.long),
]
PLAIN = """SELECT to_char(at, 'YYYY-MM'), count(*)::text, sum(amount)::text
FROM sales WHERE city = 'Lyon' GROUP BY 1 ORDER BY 1"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of S3 that has a bucket `lake` and notes what it is asked."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://localhost:{port}"
    requests.put(f"{url}/lake", timeout=10).raise_for_status()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "_location", str(tmp_path_factory.mktemp("s3") / "asked"))
        yield url
    server.stop()


def parquet(endpoint: str, rig: Rig) -> Line:
    """A destination of Parquet files in the bucket."""
    access = {"s3_region": REGION, "s3_access_key": KEY, "s3_secret_key": SECRET}
    writer = {"s3_bucket": "lake", "s3_path": "parquet", "s3_endpoint": endpoint, **access}
    return {"type": "parquet", "config": {"type": "PARQUET", "writer": writer}}


def iceberg(endpoint: str, rig: Rig) -> Line:
    """A destination of Iceberg tables in the bucket, whose catalog is a database."""
    made = rig.iceberg
    made["config"]["writer"] |= {
        "iceberg_s3_path": "s3://lake/iceberg",
        "s3_endpoint": endpoint,
        "aws_region": REGION,
        "aws_access_key": KEY,
        "aws_secret_key": SECRET,
    }
    return made


DESTINATIONS = {"parquet": parquet, "iceberg": iceberg}


async def write(rig: Rig, destination: Line) -> None:
    """Have a job write a table to it."""
    await rig.sql.execute(SALES)
    await rig.sync(destination, await rig.streams("sales"), answer=LOCAL)


async def served(destination: Line) -> None:
    """Make it a destination of the default project, whose model asks it from now on."""
    name = rows.unique("lake")
    kept = {"config": destination["config"], "type": destination["type"]}
    await rows.sync_end("destination", 1, name=name, **kept)
    await push_model(SYSTEM, 1, {"sales.yml": MODEL.format(source=name)})
    forget_all()


@pytest_asyncio.fixture(scope="module")
async def caller(app: Starlette, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client with a key of an owner."""
    client.headers["apikey"] = (await rows.api_key(1)).token
    return client


async def ask(
    client: httpx2.AsyncClient, path: str = "/v2/load", query: Any = QUERY
) -> httpx2.Response:
    """An answer, waited for."""
    while True:
        answer = await client.post(path, json={"query": query})
        if answer.json() != {"error": "Continue wait"}:
            return answer


async def nothing_betrayed(client: httpx2.AsyncClient, *told: str) -> None:
    """No key in what a client is told, nor in what is stored of queries and the model."""
    whole = [*told, (await ask(client, "/v2/sql")).text]
    extended = {"extended": "true"}
    whole.append((await client.get("/v2/meta", params=extended)).text)
    async with db.reading() as connection:
        for table in ("semantic_queries", "semantic_models"):
            found = await connection.exec_driver_sql(f"SELECT t::text FROM {table} t")
            whole += [row[0] for row in found]
    for one in whole:
        assert not any(canary in one for canary in CANARIES), one


@contextlib.contextmanager
def catalog_of(kind: str, store: str, rig: Rig) -> Iterator[Line]:
    """The destination of a kind; for `rest` with a server of its catalog."""
    if kind != "rest":
        yield DESTINATIONS[kind](store, rig)
        return
    rig.data_root.mkdir(parents=True, exist_ok=True)
    own = {"s3.endpoint": store, "s3.access-key-id": CATALOGS, "s3.secret-access-key": "s"}
    uri = f"sqlite:///{rig.data_root / 'catalog.db'}"
    catalog = SqlCatalog(
        "lake", uri=uri, warehouse="s3://lake/rest", **own, **{"s3.region": REGION}
    )
    server = RestCatalogServer(catalog, TOKEN)
    made = iceberg(store, rig)
    writer = {**made["config"]["writer"], "catalog_type": "rest", "iceberg_s3_path": "lake"}
    url = {"rest_catalog_url": f"http://localhost:{server.port}", "token": TOKEN}
    yield {**made, "config": {"type": "ICEBERG", "writer": {**writer, **url}}}
    server.stop()


@contextlib.contextmanager
def recorded(store: str) -> Iterator[list[Any]]:
    """The headers of the requests to the server of S3 while the block lasts."""
    found: list[Any] = []
    requests.post(f"{store}/moto-api/recorder/reset-recording", timeout=10).raise_for_status()
    requests.post(f"{store}/moto-api/recorder/start-recording", timeout=10).raise_for_status()
    yield found
    requests.post(f"{store}/moto-api/recorder/stop-recording", timeout=10).raise_for_status()
    told = requests.get(f"{store}/moto-api/recorder/download-recording", timeout=10).text
    found += [json.loads(line)["headers"] for line in told.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
async def test_tables_in_s3_are_asked_with_the_keys_of_their_destination(
    kind: str,
    caller: httpx2.AsyncClient,
    warehouse: str,  # noqa: F811
    rig: Rig,
    store: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with catalog_of(kind, store, rig) as destination:
        await write(rig, destination)
        await served(destination)
        async with query_lane(warehouse, tmp_path):
            with recorded(store) as headers:
                answer = await ask(caller)
            body = answer.json()
            assert "data" in body, body
            found = [
                (row["sales.at"][:7], row["sales.count"], row["sales.amount"])
                for row in body["data"]
            ]
            assert found == [tuple(row) for row in await rig.sql.fetch(PLAIN)]
            assert body["dbType"] == "duckdb"
            signed = [one["Authorization"] for one in headers if "Authorization" in one]
            ours = [one for one in signed if f"Credential={CATALOGS}/" not in one]
            assert ours and all(f"Credential={KEY}/" in one for one in ours)
            assert all(f"/{REGION}/s3/" in one for one in ours)
            wrong = {**QUERY, "dimensions": ["sales.city"], "filters": [NO_TIME]}
            refused = await ask(caller, query=wrong)
            assert (refused.status_code, list(refused.json())) == (400, ["error"])
            await nothing_betrayed(caller, answer.text, refused.text, *capfd.readouterr())


@pytest.mark.parametrize("kind", KINDS)
async def test_an_endpoint_that_is_not_there_is_said_so(
    kind: str,
    caller: httpx2.AsyncClient,
    warehouse: str,  # noqa: F811
    rig: Rig,
    store: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with catalog_of(kind, store, rig) as destination:
        await write(rig, destination)
        destination["config"]["writer"]["s3_endpoint"] = "http://localhost:1"
        await served(destination)
        async with query_lane(warehouse, tmp_path, query_timeout_s=20):
            answer = await ask(caller)
    assert (answer.status_code, answer.json()) == (400, {"error": AWAY}), answer.text
    await nothing_betrayed(caller, answer.text, *capfd.readouterr())


@pytest.mark.parametrize("kind", KINDS)
async def test_an_endpoint_that_is_silent_is_waited_for_no_longer_than_a_query_may_take(
    kind: str,
    caller: httpx2.AsyncClient,
    warehouse: str,  # noqa: F811
    rig: Rig,
    store: str,
    tmp_path: Path,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        catalog_of(kind, store, rig) as destination,
    ):
        await write(rig, destination)
        destination["config"]["writer"]["s3_endpoint"] = (
            f"http://localhost:{silent.getsockname()[1]}"
        )
        await served(destination)
        async with query_lane(warehouse, tmp_path, query_timeout_s=2):
            answer = await ask(caller)
    assert (answer.status_code, answer.json()) == (400, {"error": LATE}), answer.text


@pytest.mark.long
@pytest.mark.parametrize("said", [AWAY, LATE])
async def test_a_catalog_that_is_not_there_or_silent_is_said_so(
    said: str,
    caller: httpx2.AsyncClient,
    warehouse: str,  # noqa: F811
    rig: Rig,
    store: str,
    tmp_path: Path,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        catalog_of("rest", store, rig) as destination,
    ):
        port = 1 if said == AWAY else silent.getsockname()[1]
        destination["config"]["writer"]["rest_catalog_url"] = f"http://localhost:{port}"
        await served(destination)
        async with query_lane(warehouse, tmp_path, query_timeout_s=20 if port == 1 else 2):
            answer = await ask(caller)
    assert (answer.status_code, answer.json()) == (400, {"error": said}), answer.text
    await nothing_betrayed(caller, answer.text)


async def test_no_catalog_is_called_past_the_check_of_its_address(
    rig: Rig, store: str, tmp_path: Path
) -> None:
    async def never(host: str, port: int) -> str:
        asked.append((host, port))
        raise QueryError("The address is of a kind that is never called.")

    asked: list[tuple[str, int]] = []
    limits = {"memory_mb": 200, "threads": 2, "data_root": str(rig.data_root)}
    processes = DuckProcesses({**limits, "scratch": str(tmp_path / "scratch")})
    with catalog_of("rest", store, rig) as destination:
        engine = DuckEngine(processes, "p", "destination", "iceberg", destination["config"], never)
        with pytest.raises(QueryError, match="never called"):
            await engine.run("SELECT 1", [], 30)
        url = destination["config"]["writer"]["rest_catalog_url"]
        assert {f"http://{host}:{port}" for host, port in asked} == {url}
    await processes.close()


async def test_a_bucket_that_is_not_there_is_said_so(
    caller: httpx2.AsyncClient,
    warehouse: str,  # noqa: F811
    rig: Rig,
    store: str,
    tmp_path: Path,
) -> None:
    destination = parquet(store, rig)
    destination["config"]["writer"]["s3_bucket"] = "nowhere"
    await served(destination)
    async with query_lane(warehouse, tmp_path):
        answer = await ask(caller)
    assert answer.status_code == 400 and list(answer.json()) == ["error"]
    await nothing_betrayed(caller, answer.text)
