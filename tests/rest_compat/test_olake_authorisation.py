"""Every route of OLake's dialect x kinds of caller; a route without a row fails."""

import json
from typing import Any

import httpx2
import pytest

from app.settings import get_settings
from rest_compat.olake.routes import dialect
from tests.factories import rows

P = "/api/v1/project/{project}"
# What a route does in a project: read, write, run; own (a signed-in caller's), owner (of the
# installation), open (anybody's).
WHAT = {
    f"GET {P}/sources/spec": "read",
    f"POST {P}/sources/spec": "read",
    f"GET {P}/sources/versions": "read",
    f"POST {P}/sources/test": "write",
    f"POST {P}/sources": "write",
    f"GET {P}/sources": "read",
    f"GET {P}/sources/{{id}}": "read",
    f"PUT {P}/sources/{{id}}": "write",
    f"DELETE {P}/sources/{{id}}": "write",
    f"GET {P}/destinations/spec": "read",
    f"POST {P}/destinations/spec": "read",
    f"GET {P}/destinations/versions": "read",
    f"POST {P}/destinations/test": "write",
    f"POST {P}/destinations": "write",
    f"GET {P}/destinations": "read",
    f"GET {P}/destinations/{{id}}": "read",
    f"PUT {P}/destinations/{{id}}": "write",
    f"DELETE {P}/destinations/{{id}}": "write",
    f"GET {P}/source/streams": "write",
    f"POST {P}/source/streams": "write",
    f"POST {P}/sources/streams": "write",
    f"POST {P}/check-unique": "read",
    f"GET {P}/settings": "read",
    f"PUT {P}/settings": "write",
    f"POST {P}/jobs": "write",
    f"GET {P}/jobs": "read",
    f"GET {P}/jobs/{{id}}": "read",
    f"PUT {P}/jobs/{{id}}": "write",
    f"DELETE {P}/jobs/{{id}}": "write",
    f"POST {P}/jobs/{{id}}/sync": "run",
    f"POST {P}/jobs/{{id}}/activate": "write",
    f"GET {P}/jobs/{{id}}/cancel": "run",
    f"POST {P}/jobs/{{id}}/cancel": "run",
    f"POST {P}/jobs/{{id}}/clear-destination": "write",
    f"GET {P}/jobs/{{id}}/clear-destination": "read",
    f"POST {P}/jobs/{{id}}/stream-difference": "read",
    f"POST {P}/jobs/{{id}}/difference-streams": "read",
    f"GET {P}/jobs/{{id}}/tasks": "read",
    f"GET {P}/jobs/{{id}}/task/{{task}}/logs": "read",
    f"GET {P}/jobs/{{id}}/tasks/{{task}}/logs": "read",
    f"POST {P}/jobs/{{id}}/tasks/{{task}}/logs": "read",
    f"GET {P}/jobs/{{id}}/logs/download": "read",
    "POST /login": "open",
    "POST /signup": "open",
    "GET /auth": "own",
    "GET /auth/check": "own",
    "GET /api/v1/users": "own",
    "POST /api/v1/users": "owner",
    "PUT /api/v1/users/{id}": "owner",
    "DELETE /api/v1/users/{id}": "owner",
    "GET /api/v1/platform/releases": "own",
    "GET /api/v1/platform/opt/status": "own",
    "GET /health": "open",
    "GET /telemetry-id": "open",
}
CONNECTOR = {"type": "db2", "version": "v0.9.4"}
CONFIG = {"host": "h", "port": 1, "database": "d", "username": "u", "password": "p"}
SOURCE = {"type": "postgres", "version": "v0.9.4", "config": rows.POSTGRES}
DESTINATION = {"type": "parquet", "version": "v0.9.4", "config": rows.PARQUET}
PROBED = {**CONNECTOR, "config": {**CONFIG, "ssl": {"mode": "disable"}}}
BODIES: dict[str, Any] = {
    f"POST {P}/sources/spec": CONNECTOR,
    f"GET {P}/sources/spec": CONNECTOR,
    f"GET {P}/sources/versions": CONNECTOR,
    f"POST {P}/destinations/spec": {"type": "parquet"},
    f"GET {P}/destinations/spec": {"type": "parquet"},
    f"GET {P}/destinations/versions": {"type": "parquet"},
    f"POST {P}/sources/test": PROBED,
    f"POST {P}/sources": {"name": "made", **SOURCE},
    f"PUT {P}/sources/{{id}}": {"name": "made"},
    f"POST {P}/destinations": {"name": "made", **DESTINATION},
    f"PUT {P}/destinations/{{id}}": {"name": "made"},
    # No worker is there, which is said at once.
    f"POST {P}/destinations/test": DESTINATION,
    f"GET {P}/source/streams": PROBED,
    f"POST {P}/source/streams": PROBED,
    f"POST {P}/sources/streams": PROBED,
    f"POST {P}/check-unique": {"name": "free", "entity_type": "job"},
    f"PUT {P}/settings": {"webhook_alert_url": ""},
    f"POST {P}/jobs": {
        "name": "made",
        "source": {"name": "made", **SOURCE},
        "destination": {"name": "made", **DESTINATION},
    },
    f"PUT {P}/jobs/{{id}}": {"name": "made"},
    f"POST {P}/jobs/{{id}}/activate": {"activate": False},
    f"POST {P}/jobs/{{id}}/stream-difference": {"updated_streams_config": rows.CATALOG},
    f"POST {P}/jobs/{{id}}/difference-streams": {"updated_streams_config": rows.CATALOG},
    "POST /api/v1/users": {"username": "made", "password": "long-enough", "email": "m@example.org"},
    "PUT /api/v1/users/{id}": {"username": "made"},
}
FOR_EVERYBODY = {
    f"{method} {P}/{kind}/{what}"
    for kind in ("sources", "destinations")
    for method, what in (("GET", "spec"), ("POST", "spec"), ("GET", "versions"))
}
UNREACHABLE = {f"GET {P}/source/streams", f"POST {P}/source/streams", f"POST {P}/sources/streams"}
IN_PROJECTS = sorted(key for key, what in WHAT.items() if what in ("read", "write", "run"))


def test_every_route_has_a_row() -> None:
    routes = {f"{route.method} {route.path}" for route in dialect(get_settings()).routes}
    assert set(WHAT) == routes


class World:
    """A project with one of each thing, and tokens of people in and out of it."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.project = 0
        self.numbers: dict[str, int] = {}
        self.tokens = {"wrong": "no-such-token"}

    async def send(self, key: str, caller: str) -> httpx2.Response:
        method, path = key.split()
        headers = {}
        if caller != "nobody":
            headers["Authorization"] = f"Bearer {self.tokens[caller]}"
        kind = next((k for k in self.numbers if f"/{k}/{{id}}" in path), "users")
        address = path.format(
            project=self.project, id=self.numbers[kind], task=self.numbers["task"]
        )
        if "download" in path:
            address += f"?file_path={self.numbers['task']}"
        content = json.dumps(BODIES[key]) if key in BODIES else ""
        return await self.client.request(method, address, headers=headers, content=content)


@pytest.fixture
async def world(client: httpx2.AsyncClient) -> World:
    """Made anew for each test, since some callers change or delete things."""
    made = World(client)
    made.project, other = await rows.project(), await rows.project()
    for role, where in (("editor", made.project), ("viewer", made.project), ("owner", other)):
        user = await rows.user(role)
        await rows.member(where, user, role)
        name = "stranger" if where == other else role
        made.tokens[name] = (await rows.session(user)).token
    job = await rows.sync_job(made.project)
    await rows.sync_task(job, "succeeded")
    path = f"/api/v1/project/{made.project}/jobs/{job}/tasks"
    headers = {"Authorization": f"Bearer {made.tokens['viewer']}"}
    (task,) = (await client.get(path, headers=headers)).json()["data"]
    made.numbers = {
        "sources": await rows.sync_end("source", made.project),
        "destinations": await rows.sync_end("destination", made.project),
        "jobs": job,
        "task": int(task["id"]),
        "users": 1,
    }
    return made


@pytest.mark.parametrize("key", IN_PROJECTS)
async def test_only_who_may_gets_through(world: World, key: str) -> None:
    for caller in ("nobody", "wrong"):
        answer = await world.send(key, caller)
        assert answer.status_code == 401, answer.text
        assert answer.json() == {"success": False, "message": "Authentication required"}
    answer = await world.send(key, "stranger")
    assert answer.status_code == 404, answer.text
    seen = await world.send(key, "viewer")
    assert seen.status_code == (200 if WHAT[key] == "read" else 403), seen.text
    done = await world.send(key, "editor")
    assert done.status_code == (500 if key in UNREACHABLE else 200), done.text


@pytest.mark.parametrize("key", sorted(k for k, w in WHAT.items() if w in ("own", "owner")))
async def test_accounts(world: World, key: str) -> None:
    assert (await world.send(key, "nobody")).status_code == 401
    assert (await world.send(key, "wrong")).status_code == 401
    answer = await world.send(key, "editor")
    # Of others nothing is said, not even that they are there.
    assert answer.status_code in ((200,) if WHAT[key] == "own" else (403, 404)), answer.text


async def test_viewers_never_see_addresses_of_webhooks(world: World) -> None:
    settings = {"webhook_alert_url": "https://hooks.example.org/canary"}
    job = {"advanced_settings": {"webhook_url": "https://hooks.example.org/canary", "a": 1}}
    headers = {"Authorization": f"Bearer {world.tokens['editor']}"}
    base = f"/api/v1/project/{world.project}"
    for path, body in (
        (f"{base}/settings", settings),
        (f"{base}/jobs/{world.numbers['jobs']}", job),
    ):
        assert (await world.client.put(path, json=body, headers=headers)).status_code == 200
        assert "canary" in (await world.client.get(path, headers=headers)).text
    for key in sorted(k for k, what in WHAT.items() if what == "read"):
        assert "canary" not in (await world.send(key, "viewer")).text, key
