"""Every route of Mage's dialect x kinds of caller; a route without a row fails."""

import json

import httpx2
import pytest

from app.settings import get_settings
from rest_compat.mage.routes import dialect
from tests.factories import rows

# What a route does, by its method and path: read, write or run what belongs to a project; own
# (the caller's own things); open (no credential); login (the key alone); token (the trigger's).
WHAT = {
    "GET /api/pipelines": "read",
    "POST /api/pipelines": "write",
    "GET /api/pipelines/{uuid}": "read",
    "PUT /api/pipelines/{uuid}": "write",
    "DELETE /api/pipelines/{uuid}": "write",
    "GET /api/pipelines/{uuid}/blocks": "read",
    "POST /api/pipelines/{uuid}/blocks": "write",
    "GET /api/pipelines/{uuid}/blocks/{block_uuid}": "read",
    "PUT /api/pipelines/{uuid}/blocks/{block_uuid}": "write",
    "DELETE /api/pipelines/{uuid}/blocks/{block_uuid}": "write",
    "GET /api/blocks/{path}": "read",
    "GET /api/pipelines/{uuid}/variables": "read",
    "POST /api/pipelines/{uuid}/variables": "write",
    "DELETE /api/pipelines/{uuid}/variables/{name}": "write",
    "GET /api/pipelines/{uuid}/logs": "read",
    "GET /api/pipelines/{uuid}/pipeline_runs": "read",
    "GET /api/pipelines/{uuid}/pipeline_schedules": "read",
    "POST /api/pipelines/{uuid}/pipeline_schedules": "write",
    "GET /api/tags": "read",
    "GET /api/pipeline_schedules": "read",
    "POST /api/pipeline_schedules": "write",
    "GET /api/pipeline_schedules/{id}": "read",
    "PUT /api/pipeline_schedules/{id}": "write",
    "DELETE /api/pipeline_schedules/{id}": "write",
    "GET /api/pipeline_schedules/{id}/pipeline_runs": "read",
    "POST /api/pipeline_schedules/{id}/pipeline_runs": "run",
    "POST /api/pipeline_schedules/{id}/pipeline_runs/{token}": "token",
    "POST /api/pipeline_schedules/{id}/api_trigger": "token",
    "GET /api/pipeline_runs": "read",
    "GET /api/pipeline_runs/{id}": "read",
    "PUT /api/pipeline_runs/{id}": "run",
    "DELETE /api/pipeline_runs/{id}": "run",
    "GET /api/pipeline_runs/{id}/block_runs": "read",
    "GET /api/pipeline_runs/{id}/blocks": "read",
    "GET /api/pipeline_runs/{id}/logs": "read",
    "GET /api/block_runs": "read",
    "GET /api/block_runs/{id}": "read",
    "GET /api/block_runs/{id}/outputs": "read",
    "GET /api/block_runs/{id}/logs": "read",
    "GET /api/pipelines/{uuid}/backfills": "read",
    "POST /api/pipelines/{uuid}/backfills": "write",
    "GET /api/backfills": "read",
    "GET /api/backfills/{id}": "read",
    "PUT /api/backfills/{id}": "write",
    "DELETE /api/backfills/{id}": "write",
    "POST /api/sessions": "login",
    "PUT /api/sessions/{any}": "own",
    "GET /api/oauth_access_tokens": "own",
    "GET /api/users": "own",
    "POST /api/users": "own",
    "GET /api/users/{id}": "own",
    "PUT /api/users/{id}": "own",
    "DELETE /api/users/{id}": "own",
    "GET /api/roles": "own",
    "GET /api/projects": "own",
    "GET /api/status": "open",
    "GET /api/statuses": "open",
}
BODIES = {
    "POST /api/pipelines": {"pipeline": {"name": "made"}},
    "POST /api/pipelines/{uuid}/blocks": {"block": {"name": "made", "type": "custom"}},
    "POST /api/pipelines/{uuid}/pipeline_schedules": {"pipeline_schedule": {"name": "made"}},
    "POST /api/pipeline_schedules": {
        "pipeline_schedule": {"name": "made", "pipeline_uuid": "{uuid}"}
    },
    "POST /api/pipelines/{uuid}/variables": {"variable": {"name": "color", "value": "red"}},
    "PUT /api/pipeline_runs/{id}": {"pipeline_run": {"status": "cancelled"}},
    "POST /api/users": {"user": {"username": "made", "password": "long enough"}},
}
ROUTES = {f"{route.method} {route.path}" for route in dialect(get_settings()).routes}
# Routes that name no object.
OF_NOBODY = {key for key in WHAT if "{" not in key} - {"POST /api/pipeline_schedules"}
NEEDING_RIGHTS = sorted(key for key, what in WHAT.items() if what in ("read", "write", "run"))


def test_every_route_has_a_row() -> None:
    assert set(WHAT) == ROUTES


class World:
    """A project with one of each thing, and tokens of people in and out of it."""

    def __init__(self, client: httpx2.AsyncClient, api_key: str) -> None:
        self.client = client
        self.api_key = api_key
        self.values: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    async def send(self, key: str, caller: str) -> httpx2.Response:
        """Call a route as one of the callers."""
        method, path = key.split()
        headers = {}
        if caller != "nobody":
            headers["X-API-KEY"] = "wrong" if caller == "wrong key" else self.api_key
        if caller in self.tokens:
            headers["OAUTH-TOKEN"] = self.tokens[caller]
        address = path.format(**{**self.values, "id": self._number(path)})
        body = (
            json.dumps(BODIES[key]).replace("{uuid}", self.values["uuid"]) if key in BODIES else ""
        )
        return await self.client.request(method, address, headers=headers, content=body)

    def _number(self, path: str) -> str:
        for noun in ("pipeline_schedules", "block_runs", "pipeline_runs", "backfills", "users"):
            if path.startswith(f"/api/{noun}"):
                return self.values[noun]
        return "1"


@pytest.fixture
async def world(client: httpx2.AsyncClient, api_key: str) -> World:
    """Made anew for each test, since some callers change or delete things."""
    made = World(client, api_key)
    project, other = await rows.project(), await rows.project()
    for role, where in (("owner", project), ("editor", project), ("viewer", project)):
        user = await rows.user(role)
        await rows.member(where, user, role)
        made.tokens[role] = (await rows.session(user)).token
    stranger = await rows.user("stranger")
    await rows.member(other, stranger, "owner")
    made.tokens["stranger"] = (await rows.session(stranger)).token
    revoked = await rows.user("revoked")
    await rows.member(project, revoked, "owner")
    made.tokens["revoked"] = (await rows.session(revoked, is_revoked=True)).token
    headers = {"X-API-KEY": api_key, "OAUTH-TOKEN": made.tokens["owner"]}

    async def make(path: str, body: dict[str, object]) -> dict[str, dict[str, object]]:
        answer = (await client.post(path, json=body, headers=headers)).json()
        assert "error" not in answer, answer
        return dict(answer)

    name = rows.unique("secret")
    uuid = str((await make("/api/pipelines", {"pipeline": {"name": name}}))["pipeline"]["uuid"])
    block = {"block": {"name": "part", "type": "custom"}}
    await make(f"/api/pipelines/{uuid}/blocks", block)
    variable = {"variable": {"name": "taste", "value": "sweet"}}
    await make(f"/api/pipelines/{uuid}/variables", variable)
    schedule = {"pipeline_schedule": {"name": name, "schedule_type": "api"}}
    trigger = (await make(f"/api/pipelines/{uuid}/pipeline_schedules", schedule))[
        "pipeline_schedule"
    ]
    run = (await make(f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs", {}))["pipeline_run"]
    backfill = (await make(f"/api/pipelines/{uuid}/backfills", {}))["backfill"]
    listed = await client.get(f"/api/pipeline_runs/{run['id']}/block_runs", headers=headers)
    made.values = {
        "uuid": uuid,
        "block_uuid": "part",
        "path": "custom%2Fpart.py",
        "name": "taste",
        "pipeline_schedules": str(trigger["id"]),
        "pipeline_runs": str(run["id"]),
        "block_runs": str(listed.json()["block_runs"][0]["id"]),
        "backfills": str(backfill["id"]),
        "users": "1",
        "any": "1",
    }
    return made


@pytest.mark.parametrize("key", NEEDING_RIGHTS)
async def test_only_who_may_gets_through(world: World, key: str) -> None:
    for caller, code in (("nobody", 401), ("wrong key", 401), ("revoked", 401)):
        answer = await world.send(key, caller)
        assert (answer.status_code, answer.json()["error"]["code"]) == (code, code), caller
    answer = (await world.send(key, "key alone")).json()
    assert answer["error"]["code"] == 403
    seen = await world.send(key, "stranger")
    if key in OF_NOBODY:
        # A list of one's own project, or a new thing in it: no word of the other's.
        assert world.values["uuid"] not in seen.text, seen.text
    else:
        assert "error" in seen.json(), seen.text
    viewed = (await world.send(key, "viewer")).json()
    if WHAT[key] == "read":
        assert "error" not in viewed, viewed
    else:
        assert viewed["error"]["code"] == 403, viewed
    done = (await world.send(key, "editor")).json()
    assert "error" not in done, done


async def test_viewers_never_see_trigger_tokens(world: World) -> None:
    shown = await world.send("GET /api/pipeline_schedules", "editor")
    token = next(
        s["token"]
        for s in shown.json()["pipeline_schedules"]
        if str(s["id"]) == world.values["pipeline_schedules"]
    )
    assert token
    for key in sorted(k for k, what in WHAT.items() if what == "read"):
        assert token not in (await world.send(key, "viewer")).text, key


@pytest.mark.parametrize("key", sorted(k for k, what in WHAT.items() if what == "own"))
async def test_own_things_need_a_session(world: World, key: str) -> None:
    assert (await world.send(key, "nobody")).status_code == 401
    assert (await world.send(key, "key alone")).json()["error"]["code"] == 403
    assert (await world.send(key, "revoked")).status_code == 401
