"""Destinations on S3, with a server that speaks it, and catalogs that are servers themselves."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.server import ThreadedMotoServer
from pyarrow.fs import S3FileSystem
from pyiceberg.catalog.sql import SqlCatalog

from tests.journeys.warehouse import warehouse
from tests.servers import SessionServers
from tests.workers.sync.rest_catalog import RestCatalogServer
from tests.workers.sync.rig import Line, Rig
from tests.workers.sync.test_changes import session
from workers.connectors import registry
from workers.connectors.base import Table

TABLE = "CREATE TABLE one (id int PRIMARY KEY, t text); INSERT INTO one VALUES (1, 'a'), (2, 'ü')"
pytestmark = pytest.mark.long
# What the worker answers when the child asks for an address.
LOCAL = {"address": "127.0.0.1"}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://localhost:{port}"
    requests.put(f"{url}/lake", timeout=10).raise_for_status()
    yield url
    server.stop()


def parquet(store: str, **more: Any) -> Line:
    access = {"s3_region": "us-east-1", "s3_access_key": "key", "s3_secret_key": "secret"}
    writer = {"s3_bucket": "lake", "s3_path": "some/path", "s3_endpoint": store, **access, **more}
    return {"type": "parquet", "config": {"type": "PARQUET", "writer": writer}}


def iceberg(store: str, rig: Rig) -> Line:
    destination = rig.iceberg
    destination["config"]["writer"] |= {
        "iceberg_s3_path": "s3://lake/warehouse",
        "s3_endpoint": store,
        "aws_region": "us-east-1",
        "aws_access_key": "key",
        "aws_secret_key": "secret",
    }
    return destination


def objects(store: str, prefix: str) -> set[str]:
    listed = requests.get(f"{store}/lake?list-type=2&prefix={prefix}", timeout=10).text
    keys = {part.split("</Key>")[0] for part in listed.split("<Key>")[1:]}
    # Arrow leaves empty objects behind that stand for folders.
    return {key for key in keys if not key.endswith("/")}


def read_json(store: str, key: str) -> Any:
    host = store.removeprefix("http://")
    files = S3FileSystem(
        endpoint_override=host, scheme="http", access_key="k", secret_key="s", region="us-east-1"
    )
    with files.open_input_stream(f"lake/{key}") as stream:
        return json.loads(stream.read())


def tidy(rig: Rig, scratch: Path, to: Line) -> None:
    """Do the upkeep of a table as in ten days."""
    with ExitStack() as stack:
        made = replace(session(rig, stack, scratch, 9), address=lambda host, port: "127.0.0.1")
        destination: Any = registry.destination(to["type"], made, to["config"])
        destination.open()
        stack.callback(destination.close)
        destination.tidy(
            Table("public.one", "job_db_public", "one", ()), datetime.now(UTC) + timedelta(days=10)
        )


async def test_parquet(rig: Rig, store: str) -> None:
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", partition_regex="/{t,'',}")
    destination = parquet(store)
    assert (await rig.run(LOCAL, do="check", destination=destination)).result
    assert objects(store, "some/") == set()
    folder = "some/path/job_db_public/one"
    for rows in (2, 3):
        told = await rig.sync(destination, streams, answer=LOCAL)
        assert told.result["rows"] == rows
        manifest = read_json(store, f"{folder}/_manifest.json")
        named = {f"{folder}/{file['path']}" for file in manifest["files"]}
        assert objects(store, folder) == {*named, f"{folder}/_manifest.json"}
        await rig.sql.execute("INSERT INTO one VALUES (3, 'a/b') ON CONFLICT DO NOTHING")
    assert {file["path"].split("/")[0] for file in manifest["files"]} == {"a", "ü", "a_b"}
    stale = {"id": "old", "number": 0, "fence": 1}
    told = await rig.sync(destination, streams, answer=LOCAL, run=stale)
    assert told.error == "A later run has written to this table; this one has lost it."
    await rig.run(LOCAL, do="clear", destination=destination, streams=streams)
    assert objects(store, "some/") == set()


async def test_iceberg(rig: Rig, store: str, tmp_path: Path) -> None:
    await rig.sql.execute(TABLE)
    streams = await rig.streams("one", mode="incremental", cursor="id")
    destination = iceberg(store, rig)
    await rig.sync(destination, streams, answer=LOCAL)
    await rig.sql.execute("UPDATE one SET t = 'b' WHERE id = 1; INSERT INTO one VALUES (3, 'c')")
    assert (await rig.sync(destination, streams, answer=LOCAL)).result["rows"] == 2
    catalog = SqlCatalog(
        "lake",
        uri=f"sqlite:///{rig.data_root / 'catalog.db'}",
        **{"s3.endpoint": store, "s3.access-key-id": "k", "s3.secret-access-key": "s"},
        **{"s3.region": "us-east-1"},
    )
    table = catalog.load_table(("job_db_public", "one"))
    assert table.location().startswith("s3://lake/warehouse/")
    rows = table.scan(selected_fields=("id", "t")).to_arrow().to_pylist()
    assert sorted((row["id"], row["t"]) for row in rows) == [(1, "b"), (2, "ü"), (3, "c")]
    await asyncio.to_thread(tidy, rig, tmp_path, destination)
    table.refresh()
    assert len(table.metadata.snapshots) == 1
    kept = {task.file.file_path.removeprefix("s3://lake/") for task in table.scan().plan_files()}
    assert {name for name in objects(store, "warehouse/") if name.endswith(".parquet")} == kept
    await rig.run(LOCAL, do="clear", destination=destination, streams=streams)
    assert objects(store, "warehouse/") == set()


@pytest.mark.parametrize("kind", ["parquet", "iceberg"])
async def test_endpoints_that_are_not_called(rig: Rig, store: str, kind: str) -> None:
    destination = parquet(store) if kind == "parquet" else iceberg(store, rig)
    refused = {"refused": "The address is of a kind that is never called."}
    told = await rig.run(refused, do="check", destination=destination)
    assert told.error == refused["refused"]
    asked = [line["address"] for line in told.lines if "address" in line]
    assert asked and all(f"http://{a['host']}:{a['port']}" == store for a in asked)


async def test_buckets_that_are_not_there(rig: Rig, store: str) -> None:
    told = await rig.run(LOCAL, do="check", destination=parquet(store, s3_bucket="nowhere"))
    assert told.error == "There is no such S3 bucket."
    told = await rig.run(LOCAL, do="check", destination=parquet(store, s3_bucket="../x"))
    assert told.error == "The S3 bucket must be the name of a bucket, nothing else."


async def test_rest_catalog(rig: Rig) -> None:
    await rig.sql.execute(TABLE)
    rig.data_root.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{rig.data_root / 'catalog.db'}"
    catalog = SqlCatalog("lake", uri=uri, warehouse=f"file://{rig.data_root / 'lake'}")
    server = RestCatalogServer(catalog, "token")
    writer = {
        "catalog_type": "rest",
        "rest_catalog_url": f"http://localhost:{server.port}",
        "iceberg_s3_path": "lake",
        "token": "token",
    }
    destination = {"type": "iceberg", "config": {"type": "ICEBERG", "writer": writer}}
    streams = await rig.streams("one", mode="incremental", cursor="id")
    try:
        assert (await rig.run(LOCAL, do="check", destination=destination)).result
        await rig.sync(destination, streams, answer=LOCAL)
        await rig.sql.execute("ALTER TABLE one ADD n int; UPDATE one SET n = 7")
        assert (
            await rig.sync(
                destination,
                await rig.streams("one", mode="incremental", cursor="id"),
                answer=LOCAL,
            )
        ).result["rows"] == 2
        assert sorted(rig.iceberg_rows("one", "id, t, n")) == [(1, "a", 7), (2, "ü", 7)]
        await rig.run(LOCAL, do="clear", destination=destination, streams=streams)
        assert catalog.list_tables("job_db_public") == []
        writer["token"] = "wrong"
        told = await rig.run(LOCAL, do="check", destination=destination)
        assert told.error == "The Iceberg catalog refuses the credentials."
    finally:
        server.stop()
    told = await rig.run(LOCAL, do="check", destination=destination)
    assert told.error == "The server cannot be reached, or went away."


@pytest.fixture(scope="module")
def catalog_database(session_servers: SessionServers) -> Iterator[dict[str, str]]:
    with warehouse(session_servers) as given:
        yield given


async def test_a_catalog_in_postgresql(rig: Rig, catalog_database: dict[str, str]) -> None:
    """It is asked for through an address that was checked, and refuses a wrong password."""
    await rig.sql.execute(TABLE)
    given, host = catalog_database, "catalog.example.com"
    port, database = given["WAREHOUSE_PORT"], given["WAREHOUSE_DATABASE"]
    destination = rig.iceberg
    writer = destination["config"]["writer"]
    writer |= {
        "jdbc_url": f"jdbc:postgresql://{host}:{port}/{database}",
        "jdbc_username": given["WAREHOUSE_USER"],
        "jdbc_password": given["WAREHOUSE_PASSWORD"],
    }
    told = await rig.run({"refused": "No."}, do="check", destination=destination)
    assert told.error == "No."
    told = await rig.run(LOCAL, do="check", destination=destination)
    assert told.result["status"] == "SUCCEEDED"
    assert {"address": {"host": host, "port": int(port)}} in told.lines
    streams = await rig.streams("one", mode="incremental", cursor="id")
    for change, rows in (("SELECT 1", 2), ("UPDATE one SET t = 'b'", 2), ("SELECT 1", 0)):
        await rig.sql.execute(change)
        assert (await rig.sync(destination, streams, answer=LOCAL)).result["rows"] == rows
    login = f"{given['WAREHOUSE_USER']}:{given['WAREHOUSE_PASSWORD']}"
    catalog = SqlCatalog("lake", uri=f"postgresql+pg8000://{login}@127.0.0.1:{port}/{database}")
    table = await asyncio.to_thread(catalog.load_table, ("job_db_public", "one"))
    found = table.scan().to_arrow().to_pylist()
    assert sorted((row["id"], row["t"]) for row in found) == [(1, "b"), (2, "b")]
    await rig.run(LOCAL, do="clear", destination=destination, streams=streams)
    assert catalog.list_tables("job_db_public") == []
    catalog.engine.dispose()
    wrong = {**writer, "jdbc_password": "wrong"}
    told = await rig.run(LOCAL, do="check", destination=_with(destination, wrong))
    assert told.error == "The catalog's database refuses the user name or the password."
    away = {**writer, "jdbc_url": f"jdbc:postgresql://{host}:1/{database}"}
    told = await rig.run(LOCAL, do="check", destination=_with(destination, away))
    assert told.error == "The catalog's database cannot be used now, or went away."


def _with(destination: Line, writer: Line) -> Line:
    return {**destination, "config": {**destination["config"], "writer": writer}}
