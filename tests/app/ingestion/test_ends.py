"""Sources and destinations through the graph: settings, secrets, names, deletion."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import db
from app.ingestion.secrets import opened
from app.ingestion.specs import built_in
from app.ingestion.tables import sync_sources
from tests.app.ingestion.words import (
    END,
    JOB_CREATE,
    SOURCE_CREATE,
    SOURCE_DELETE,
    SOURCE_UPDATE,
    at_once,
    destination,
    job,
    source,
)
from tests.factories import rows
from tests.factories.team import Team, make_team
from tests.graphql.caller import Answer

CANARY = "canary-of-syncs-5520"
TEST = """mutation($i: SyncSourceTestInput!) { syncSourceTest(input: $i) {
  connection { status message } run { id } errors { message code path } } }"""
DISCOVER = """mutation($i: SyncSourceDiscoverInput!) { syncSourceDiscover(input: $i) {
  streamsConfig message run { id } errors { message code path } } }"""


async def create(team: Team, **values: Any) -> Answer:
    """Make a source."""
    return await team.editor(SOURCE_CREATE, i=source(**values))


async def stored(number: int) -> Any:
    """A source's row."""
    async with db.reading() as connection:
        found = await connection.execute(select(sync_sources).where(sync_sources.c.id == number))
        return found.mappings().one()


async def test_every_named_type_answers_a_spec(team: Team) -> None:
    answer = await team.viewer(
        "{ connectors(first: 100) { nodes { kind type connectorVersion spec uiSpec abilities } } }"
    )
    found = {(c["kind"], c["type"]): c for c in answer.only["nodes"]}
    sources = {
        "postgres",
        "mysql",
        "mongodb",
        "mssql",
        "db2",
        "oracle",
        "kafka",
        "s3",
        "file",
        "trino",
    }
    destinations = {"parquet", "iceberg", "postgres"}
    assert set(found) == {("SOURCE", t) for t in sources} | {
        ("DESTINATION", t) for t in destinations
    }
    for one in found.values():
        assert one["connectorVersion"] == "v0.9.4" and one["spec"]["properties"]
        assert one["abilities"]["runs"] or "no" in one["abilities"]["why_not"]
        assert one["uiSpec"].startswith("{")


@pytest.mark.parametrize("version", ["v0.9.4", "v0.1.0", None])
async def test_an_unknown_version_has_the_newest_spec(team: Team, version: str | None) -> None:
    answer = await team.viewer(
        """query($v: String) { connector(by: {kind: SOURCE, type: "mysql", connectorVersion: $v})
        { type connectorVersion } }""",
        v=version,
    )
    assert answer.only == {"type": "mysql", "connectorVersion": "v0.9.4"}


async def test_a_secret_is_shown_as_a_handle_and_kept_sealed(team: Team) -> None:
    made = (await create(team, config={**rows.POSTGRES, "password": CANARY})).only["source"]
    handle = made["config"]["password"]
    assert handle.startswith(f"secret:source:{made['number']}:password:")
    assert made["config"] == {**rows.POSTGRES, "password": handle}
    row = await stored(made["number"])
    assert CANARY not in str(dict(row)) and opened(row, "source")["password"] == CANARY


async def test_a_handle_sent_back_stands_for_the_secret(team: Team) -> None:
    made = (await create(team, config={**rows.POSTGRES, "password": CANARY})).only["source"]
    config = {**made["config"], "host": "elsewhere"}
    change = {"by": {"number": made["number"]}, "config": config}
    changed = (await team.editor(SOURCE_UPDATE, i=change)).only["source"]
    assert changed["config"] == config
    assert opened(await stored(made["number"]), "source")["password"] == CANARY
    copied = (await create(team, config=config)).only["source"]
    assert opened(await stored(copied["number"]), "source")["password"] == CANARY


async def test_a_handle_is_no_key_to_another_project(team: Team, client: Any) -> None:
    made = (await create(team, config={**rows.POSTGRES, "password": CANARY})).only["source"]
    other = await make_team(client)
    taken = await create(other, config=made["config"])
    assert taken.codes == ["FORBIDDEN"] and CANARY not in taken.text
    own = made["config"]["password"]
    forged = own[:-1] + ("1" if own.endswith("0") else "0")
    for handle in (forged, "secret:source:x:password:1", "secret:source:1", made["name"]):
        answer = await create(team, config={**rows.POSTGRES, "password": handle})
        assert answer.codes == (["FORBIDDEN"] if handle.startswith("secret:") else [])


async def test_a_viewer_cannot_use_a_handle(team: Team) -> None:
    made = (await create(team)).only["source"]
    given = {"type": "postgres", "connectorVersion": "v0.9.4", "config": made["config"]}
    assert (await team.viewer(TEST, i={**given, "waitS": 0})).codes == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("type_", "config", "path"),
    [
        ("postgres", {**rows.POSTGRES, "host": None}, ["config", "host"]),
        ("postgres", {**rows.POSTGRES, "port": "x"}, ["config", "port"]),
        ("postgres", {**rows.POSTGRES, "port": 99999}, ["config", "port"]),
        ("postgres", {**rows.POSTGRES, "ssl": {"mode": "maybe"}}, ["config", "ssl", "mode"]),
        (
            "postgres",
            {**rows.POSTGRES, "ssl": {"mode": "verify-ca"}},
            ["config", "ssl", "server_ca"],
        ),
        (
            "postgres",
            {**rows.POSTGRES, "update_method": {"type": "CDC", "publication": "p"}},
            ["config", "update_method", "replication_slot"],
        ),
        (
            "postgres",
            {**rows.POSTGRES, "update_method": {"type": "Magic"}},
            ["config", "update_method", "type"],
        ),
        ("postgres", {**rows.POSTGRES, "host": "/run/postgresql"}, ["config", "host"]),
        ("postgres", {**rows.POSTGRES, "host": "@socket"}, ["config", "host"]),
        ("postgres", {**rows.POSTGRES, "host": "a,/tmp"}, ["config", "host"]),
        ("postgres", {**rows.POSTGRES, "host": "169.254.169.254"}, ["config", "host"]),
        ("postgres", {**rows.POSTGRES, "host": "::ffff:169.254.169.254"}, ["config", "host"]),
        ("postgres", {**rows.POSTGRES, "database": "x host=/tmp"}, ["config", "database"]),
        (
            "postgres",
            {**rows.POSTGRES, "jdbc_url_params": {"passfile": "/etc/passwd"}},
            ["config", "jdbc_url_params"],
        ),
        (
            "postgres",
            {**rows.POSTGRES, "jdbc_url_params": {"service": "x"}},
            ["config", "jdbc_url_params"],
        ),
        ("postgres", "text", ["config"]),
        ("mysql", {"hosts": "h", "database": "d", "username": "u"}, ["config", "password"]),
        ("mongodb", {"hosts": [], "database": "d"}, ["config", "hosts"]),
        (
            "mongodb",
            {"hosts": ["mongodb://u:p@h"], "database": "d"},
            ["config", "hosts"],
        ),
        ("s3", {"bucket_name": "b", "file_format": "xls"}, ["config", "file_format"]),
        (
            "s3",
            {"bucket_name": "b", "file_format": "csv", "endpoint": "http://169.254.169.254/"},
            ["config", "endpoint"],
        ),
        ("file", {"path": "../..", "file_format": "csv"}, ["config", "path"]),
        ("file", {"path": "/etc", "file_format": "csv"}, ["config", "path"]),
    ],
)
async def test_a_wrong_setting_is_named(
    team: Team, type_: str, config: Any, path: list[str]
) -> None:
    answer = await create(team, type=type_, config=config)
    (error,) = answer.only["errors"]
    assert (error["code"], error["path"]) == ("CONFIG_INVALID", path)
    assert error["message"].startswith(".".join(path))


async def test_no_error_repeats_a_secret(team: Team) -> None:
    for config in (
        {**rows.POSTGRES, "password": [CANARY]},
        {
            **rows.POSTGRES,
            "ssh_config": {"type": "ssh_password_authentication", "password": CANARY},
        },
        {**rows.POSTGRES, "host": f"{CANARY}/"},
    ):
        answer = await create(team, config=config)
        assert answer.fault == "CONFIG_INVALID" and CANARY not in answer.text


async def test_what_the_spec_does_not_know_is_hidden_by_its_name(team: Team) -> None:
    config = {**rows.POSTGRES, "extra": {"api_token": CANARY}, "note": "seen"}
    made = (await create(team, config=config)).only["source"]
    assert made["config"]["note"] == "seen" and CANARY not in str(made)


async def test_the_values_that_forms_write_are_right(team: Team) -> None:
    config = {
        **rows.POSTGRES,
        "port": 5432,
        "max_threads": 3,
        "retry_count": 3,
        "schemas": [],
        "ssh_config": {"type": "no_tunnel"},
        "ssl": {"mode": "disable"},
        "update_method": {"type": "Standalone"},
        "jdbc_url_params": "",
    }
    assert (await create(team, config=config)).only["errors"] == []


async def test_a_name_is_unique_until_its_bearer_is_deleted(team: Team) -> None:
    made = (await create(team, name=" twice ")).only["source"]
    assert made["name"] == "twice"
    assert (await create(team, name="twice")).fault == "NAME_TAKEN"
    free = "query($n: String!) { syncNameIsFree(entity: SOURCE, name: $n) }"
    assert (await team.viewer(free, n="twice")).only is False
    assert (await team.editor(SOURCE_DELETE, n=made["number"])).only["deletedId"] == made["id"]
    assert (await team.viewer(free, n="twice")).only is True
    assert (await create(team, name="twice")).only["errors"] == []
    gone = await team.viewer(
        "query($n: Int!) { syncSource(by: {number: $n}) { id } }", n=made["number"]
    )
    assert gone.only is None
    assert (await team.editor(SOURCE_DELETE, n=made["number"])).codes == ["NOT_FOUND"]


async def test_of_twenty_at_once_one_gets_the_name(team: Team) -> None:
    wanted = source(name="raced")
    answers = await at_once(team.editor, SOURCE_CREATE, 20, i=wanted)
    faults = [a.fault for a in answers if a.only["errors"]]
    assert faults == ["NAME_TAKEN"] * 19
    async with db.reading() as connection:
        named = select(func.count()).where(sync_sources.c.name == "raced")
        assert await connection.scalar(named) == 1


async def test_an_unknown_type_is_named_with_the_known(team: Team) -> None:
    answer = await create(team, type="papyrus")
    (error,) = answer.only["errors"]
    assert error["code"] == "TYPE_UNKNOWN" and "mongodb, " in error["message"]


async def test_what_a_job_uses_stays(team: Team) -> None:
    made = (await team.editor(JOB_CREATE, i=job(name="user"))).only["job"]
    answer = await team.editor(SOURCE_DELETE, n=made["source"]["number"])
    assert answer.codes == ["CONFLICT"] and "user" in answer.text


async def test_new_settings_cancel_the_syncs_of_its_jobs_and_a_new_name_does_not(
    team: Team,
) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number)
    ends = await rows.values_of(rows.sync_jobs, number)
    by = {"by": {"number": ends["source_id"]}}
    await team.editor(SOURCE_UPDATE, i={**by, "name": rows.unique("renamed")})
    assert (await rows.values_of(rows.runs, task))["status"] == "queued"
    await team.editor(SOURCE_UPDATE, i={**by, "config": {**rows.POSTGRES, "host": "new"}})
    assert (await rows.values_of(rows.runs, task))["status"] == "cancelled"


async def test_new_settings_do_not_cancel_a_clearing(team: Team) -> None:
    number = await rows.sync_job(team.project)
    task = await rows.sync_task(number, job_type="clear")
    ends = await rows.values_of(rows.sync_jobs, number)
    change = {"by": {"number": ends["source_id"]}, "config": {**rows.POSTGRES, "host": "new"}}
    assert (await team.editor(SOURCE_UPDATE, i=change)).only["errors"] == []
    assert (await rows.values_of(rows.runs, task))["status"] == "queued"


async def test_a_test_without_a_worker_says_so(team: Team) -> None:
    given = {n: v for n, v in source().items() if n != "name"}
    answer = (await team.editor(TEST, i=given)).only
    assert answer["connection"]["status"] == "FAILED"
    assert "No worker" in answer["connection"]["message"] and answer["run"] is not None
    run = await rows.values_of(rows.runs, rows.run_key(answer["run"]["id"]))
    assert (run["status"], run["reason"]) == ("cancelled", "no_worker")
    assert run["params"] == {"end": "source", "type": "postgres"}
    found = (await team.editor(DISCOVER, i=given)).only
    assert found["streamsConfig"] is None and "No worker" in found["message"]


async def test_a_test_of_what_no_engine_can_says_why(team: Team) -> None:
    config = {"bootstrap_servers": "k:9092", "protocol": {"security_protocol": "PLAINTEXT"}}
    given = {"type": "kafka", "connectorVersion": "v0.9.4", "config": config}
    answer = (await team.editor(TEST, i=given)).only
    why = next(c["abilities"]["why_not"] for c in built_in() if c["type"] == "kafka")
    assert answer["connection"] == {"status": "FAILED", "message": why} and answer["run"] is None


async def test_destinations_are_told_from_sources(team: Team) -> None:
    document = f"""mutation($i: SyncDestinationCreateInput!) {{ syncDestinationCreate(input: $i) {{
      destination {{ {END} }} errors {{ message code path }} }} }}"""
    given = destination(
        type="iceberg",
        config={
            "type": "ICEBERG",
            "writer": {
                "catalog_type": "rest",
                "iceberg_s3_path": "s3://lake/warehouse",
                "rest_catalog_url": "http://catalog:8181",
                "token": CANARY,
            },
        },
    )
    made = (await team.editor(document, i=given)).only["destination"]
    handle = made["config"]["writer"]["token"]
    assert handle.startswith(f"secret:destination:{made['number']}:writer.token:")
    given["name"] = rows.unique("destination")
    del given["config"]["writer"]["rest_catalog_url"]
    (error,) = (await team.editor(document, i=given)).only["errors"]
    assert error["path"] == ["config", "writer", "rest_catalog_url"]


async def test_a_catalog_in_a_file_needs_no_user(team: Team) -> None:
    document = """mutation($i: SyncDestinationCreateInput!) { syncDestinationCreate(input: $i) {
      destination { number } errors { path } } }"""
    writer = {"catalog_type": "jdbc", "iceberg_s3_path": "lake"}
    missing: dict[str, str | None] = {
        "jdbc:sqlite:catalog.db": None,
        "jdbc:postgresql://catalog:5432/lake": "jdbc_username",
        "": "jdbc_url",
    }
    for url, name in missing.items():
        with_url = {**writer, "jdbc_url": url} if url else writer
        given = destination(type="iceberg", config={"type": "ICEBERG", "writer": with_url})
        errors = (await team.editor(document, i=given)).only["errors"]
        paths = [error["path"] for error in errors or []]
        assert paths == ([["config", "writer", name]] if name else [])
