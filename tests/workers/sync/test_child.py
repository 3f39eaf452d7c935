"""The child process: what it asks, what it refuses, how it ends."""

import asyncio

import pytest

from tests.workers.sync.rig import Rig


def named(**config: object) -> dict[str, object]:
    given = {
        "host": "db.example",
        "port": 1,
        "database": "d",
        "username": "u",
        "password": "canary",
    }
    return {"type": "postgres", "config": {**given, **config}}


async def test_discovery(rig: Rig) -> None:
    await rig.sql.execute(
        'CREATE SCHEMA sales; CREATE TABLE sales."Order Lines" (b int, a int NOT NULL, '
        "at timestamptz, j jsonb, x text[], PRIMARY KEY (b, a)); CREATE TABLE parts (id int, at date) "
        "PARTITION BY RANGE (at); CREATE TABLE parts_1 PARTITION OF parts DEFAULT"
    )
    rig.source_config = {"schemas": []}
    catalog = (await rig.run(do="discover")).result["catalog"]
    streams = {entry["stream"]["name"]: entry["stream"] for entry in catalog["streams"]}
    assert set(streams) == {"Order Lines", "parts"}
    lines = streams["Order Lines"]
    assert lines["source_defined_primary_key"] == ["b", "a"]
    assert lines["available_cursor_fields"] == ["a", "at", "b", "j"]
    assert lines["sync_mode"] == "incremental" and lines["cursor_field"] == "a"
    assert lines["destination_database"] == "job_db:sales"
    assert lines["destination_table"] == "order_lines"
    properties = lines["type_schema"]["properties"]
    assert properties["a"] == {"type": ["integer_small"], "destination_column_name": "a"}
    assert properties["at"]["type"] == ["timestamp_micro", "null"]
    assert properties["x"]["type"] == ["array", "null"]
    assert properties["_olake_id"]["olake_column"] is True
    assert catalog["selected_streams"]["sales"][0]["stream_name"] == "Order Lines"


async def test_an_empty_source_is_an_error(rig: Rig) -> None:
    assert (await rig.run(do="discover")).error == (
        "The source has no stream that its user may read."
    )


async def test_a_named_host_is_asked_for_and_its_refusal_told(rig: Rig) -> None:
    told = await rig.child({"refused": "No."}, do="check", source=named())
    assert {"address": {"host": "db.example", "port": 1}} in told.lines
    assert told.error == "No."
    told = await rig.child({"address": "127.0.0.1"}, do="check", source=named())
    assert told.error == "The server cannot be reached, or went away."
    assert told.lines[-1]["error"]["retry"] is True
    assert "canary" not in str(told.lines) + told.stderr


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"host": "/run/postgresql"}, "The host must be a name or an address, not a path."),
        ({"host": "a hostaddr=1.2.3.4"}, "The setting host has signs that it cannot have."),
        ({"host": ""}, "The setting host is missing."),
        ({"port": "x"}, "The port must be a number from 1 to 65535."),
        (
            {"ssl": {"mode": "prefer"}},
            "The SSL mode must be one of disable, require, verify-ca, verify-full.",
        ),
        (
            {"ssl": {"mode": "verify-ca", "server_ca": "/etc/passwd"}},
            "The setting ssl.server_ca must be a PEM text.",
        ),
        (
            {"ssh_config": {"type": "ssh_key_authentication"}},
            "SSH tunnels are not supported: give an address that is reachable.",
        ),
    ],
)
async def test_settings_that_reach_too_far(rig: Rig, config: dict[str, object], error: str) -> None:
    told = await rig.run({"address": "127.0.0.1"}, do="check", source=named(**config))
    assert told.error == error


async def test_a_folder_outside_the_data_root(rig: Rig) -> None:
    for path in ("../elsewhere", "/etc"):
        away = {"type": "parquet", "config": {"writer": {"local_path": path}}}
        told = await rig.run(do="check", source=None, destination=away)
        assert told.error == "The folder must lie below the data folder."


async def test_checks_of_both_ends(rig: Rig) -> None:
    for destination in (rig.parquet, rig.postgres):
        told = await rig.child(do="check", destination=destination)
        assert told.result == {"status": "SUCCEEDED", "message": ""}
    assert await rig.sql.fetchval("SELECT to_regclass('lake._isthmus_check')") is None


async def test_it_ends_when_nobody_is_there_any_more(rig: Rig) -> None:
    child = await rig.start(do="check", source=named())
    assert child.process.stdout and child.process.stdin
    await child.process.stdout.readline()
    child.process.stdin.close()
    async with asyncio.timeout(10):
        assert await child.process.wait() == 70


async def test_unknown_connectors(rig: Rig) -> None:
    told = await rig.child(do="check", source={"type": "oracle", "config": {}})
    assert told.error == "This worker has no source of type oracle."
