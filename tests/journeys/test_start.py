"""Starting, migrating and running commands, as an operator does."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import httpx2

from app.core.crypto import KeyRing
from app.embedded import EmbeddedServers
from tests.journeys.live import ISTHMUS, Live, live
from tests.servers import SessionServers, open_folder


def isthmus(made: Live, *arguments: str, typed: str = "") -> str:
    """Output of one command; fails the test where the command fails."""
    done = subprocess.run(
        [*ISTHMUS, *arguments],
        env=dict(made.environ),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def migrate_four_times(environ: Mapping[str, str]) -> None:
    """Four processes at once."""
    running = [
        subprocess.Popen([*ISTHMUS, "migrate"], env=dict(environ), stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()


async def test_four_processes_that_migrate_an_empty_database_at_once_do_it_once(
    session_servers: SessionServers, live_server: Live
) -> None:
    url = session_servers.create_database()
    environ = {**live_server.environ, "DATABASE_URL": url}
    await asyncio.to_thread(migrate_four_times, environ)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        counts = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM projects) AS "
            "projects, (SELECT count(*) FROM roles) AS roles, (SELECT count(*) FROM "
            "alembic_version) AS versions"
        )
        assert dict(counts) == {"users": 1, "projects": 1, "roles": 6, "versions": 1}
    finally:
        await connection.close()
    session_servers.drop_database(url)


def test_key_from_the_command_line_opens_the_graph_until_it_is_revoked(live_server: Live) -> None:
    key = isthmus(live_server, "key", "create", "ci")
    query = {"query": "{ me { username } }"}
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=live_server.url, headers=headers) as client:
        assert client.post("/v2/graphql", json=query).json()["data"]["me"]["username"] == "admin"
        listed = isthmus(live_server, "key", "list").splitlines()
        assert live_server.api_key in listed[0]
        number = next(line.split()[0] for line in listed if " ci " in line)
        isthmus(live_server, "key", "revoke", number)
        refused = client.post("/v2/graphql", json=query).json()
        assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_user_from_the_command_line_can_sign_in(live_server_with_users: Live) -> None:
    made = live_server_with_users
    isthmus(made, "user", "add", "ada", "--role", "viewer", typed="first-word\n")
    isthmus(made, "user", "password", "ada", typed="second-word\n")
    for word, right in (("first-word", False), ("second-word", True)):
        session = {"email": "ada", "password": word}
        body = {"api_key": made.api_key, "session": session}
        answer = httpx2.post(f"{made.url}/api/sessions", json=body, timeout=20).json()
        assert ("session" in answer) is right


def test_unknown_user_is_one_clear_line(live_server: Live) -> None:
    done = subprocess.run(
        [*ISTHMUS, "key", "create", "x", "--user", "nobody"],
        env=dict(live_server.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "isthmus: There is no user nobody."


def test_server_without_secret_keys_refuses_to_start(live_server: Live) -> None:
    environ = {k: v for k, v in live_server.environ.items() if k != "ISTHMUS_SECRET_KEYS"}
    for command in ("serve", "migrate"):
        done = subprocess.run(
            [*ISTHMUS, command],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "ISTHMUS_SECRET_KEYS is not set" in done.stderr


def test_health_and_readiness_say_what_is_there(live_server: Live) -> None:
    assert httpx2.get(f"{live_server.url}/healthz").json()["status"] == "ok"
    ready = httpx2.get(f"{live_server.url}/readyz").json()
    assert (ready["status"], ready["postgres"], ready["redis"]) == ("ok", "ok", "ok")
    assert ready["workers"] >= 1


def test_tokens_in_paths_and_queries_are_not_logged(
    session_servers: SessionServers, tmp_path: Path
) -> None:
    with live(session_servers, tmp_path, authentication=False) as made:
        canary = "canary0123456789abcdef0123456789"
        httpx2.post(f"{made.url}/api/pipeline_schedules/1/pipeline_runs/{canary}")
        httpx2.get(f"{made.url}/api/pipelines?api_key={made.api_key}")
        log = made.log.read_text()
    assert "/api/pipeline_schedules/1/pipeline_runs/***" in log
    assert canary not in log
    assert made.api_key not in log
    assert made.password not in log


def test_commands_find_the_database_of_a_running_dev_by_its_home() -> None:
    with open_folder() as folder, EmbeddedServers(folder / "home", durable=False) as servers:
        environ = {
            "PATH": os.environ["PATH"],
            "ISTHMUS_HOME": str(folder / "home"),
            "ISTHMUS_SECRET_KEYS": KeyRing.generate(),
        }
        address = {"DATABASE_URL": servers.urls.database_url, "REDIS_URL": servers.urls.redis_url}
        for command, more in ((["migrate"], address), (["key", "list"], {})):
            done = subprocess.run(
                [*ISTHMUS, *command],
                env={**environ, **more},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("api_key of this installation: ")
