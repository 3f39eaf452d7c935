"""Mage's published Postman collection, sent by newman to a running installation."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.live import Live

HERE = Path(__file__).parent
COLLECTION = json.loads((HERE / "mage_collection.json").read_text())

pytestmark = pytest.mark.node

# The published order deletes before it reads: here each request finds what it names.
ORDER = {
    "Create a pipeline": "pipeline",
    "List pipelines": "pipelines",
    "Read a pipeline": "pipeline",
    "Update a pipeline": "pipeline",
    "Create a block in a pipeline": "block",
    "Read a block in a pipeline": "block",
    "Update a block in a pipeline": "block",
    "Create a pipeline schedule for a pipeline": "pipeline_schedule",
    "List pipeline schedules": "pipeline_schedules",
    "Update a pipeline schedule": "pipeline_schedule",
    "Trigger a pipeline run via an API trigger": "pipeline_run",
    "List pipeline runs": "pipeline_runs",
    "Read a pipeline run": "pipeline_run",
    "Delete a block from a pipeline": "block",
    "Delete a pipeline": "pipeline",
}
# Path variables of requests that name what the installation itself must have.
FIXTURES = {
    "Trigger a pipeline run via an API trigger": {
        "schedule_id": "{{scheduleId}}",
        "token": "{{triggerToken}}",
    },
    "Update a pipeline schedule": {"id": "{{scheduleId}}"},
    "Read a pipeline run": {"id": "{{runId}}"},
}
REMEMBER_TOKEN = """
const raw = pm.response.json().session.token;
const claims = raw.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
pm.collectionVariables.set('oauthToken', JSON.parse(atob(claims)).token);
"""


@pytest.fixture(scope="module")
def newman(node_modules: Path) -> Path:
    """The locked newman."""
    return node_modules / ".bin" / "newman"


def flat(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The requests of a collection without its folders."""
    for inner in item["item"]:
        if "request" in inner:
            yield inner
        else:
            yield from flat(inner)


def collection(*, signed_in: bool) -> dict[str, Any]:
    """The collection in an order that works, with the session in front where users sign in."""
    by_name = {one["name"]: json.loads(json.dumps(one)) for one in flat(COLLECTION)}
    assert set(by_name) == set(ORDER)
    items = [by_name[name] for name in ORDER]
    for one in items:
        url = one["request"]["url"]
        for variable in url.get("variable", []):
            fixed = FIXTURES.get(one["name"], {})
            variable["value"] = fixed.get(variable["key"], variable["value"])
        if signed_in:
            header = {"key": "OAUTH-TOKEN", "value": "{{oauthToken}}"}
            one["request"]["header"].append(header)
    if signed_in:
        items.insert(0, session_request())
    return {**COLLECTION, "item": items}


def session_request() -> dict[str, Any]:
    """Sign in, and keep the decoded token."""
    session = {"email": "{{username}}", "password": "{{password}}"}
    return {
        "name": "Create a session",
        "event": [{"listen": "test", "script": {"exec": REMEMBER_TOKEN.splitlines()}}],
        "request": {
            "method": "POST",
            "url": "{{baseUrl}}/api/sessions",
            "header": [{"key": "Content-Type", "value": "application/json"}],
            "auth": {"type": "noauth"},
            "body": {
                "mode": "raw",
                "raw": json.dumps({"api_key": "{{apiKey}}", "session": session}),
            },
        },
    }


def prepare(client: httpx2.Client) -> dict[str, str]:
    """A pipeline with an API trigger that has run, as the collection takes for granted."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(path, json=body).json()
        assert "error" not in answer, answer
        return dict(next(iter(answer.values())))

    made("/api/pipelines", {"pipeline": {"name": "ready"}})
    content = "@custom\ndef work(*args, **kwargs):\n    return kwargs['schema']\n"
    block = {"name": "work", "type": "custom", "content": content}
    made("/api/pipelines/ready/blocks", {"block": block})
    schedule = {"name": "called", "schedule_type": "api"}
    trigger = made("/api/pipelines/ready/pipeline_schedules", {"pipeline_schedule": schedule})
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"
    run = made(path, {"pipeline_run": {"variables": {"schema": "first"}}})
    return {
        "scheduleId": str(trigger["id"]),
        "triggerToken": trigger["token"],
        "runId": str(run["id"]),
    }


def send(
    newman: Path, folder: Path, sent: dict[str, Any], variables: dict[str, str]
) -> dict[str, tuple[int, Any]]:
    """Run a collection: status and JSON body of each answer, by the request's name."""
    (folder / "collection.json").write_text(json.dumps(sent))
    report = folder / "report.json"
    given = [part for pair in variables.items() for part in ("--env-var", "=".join(pair))]
    shown = ("--reporters", "cli,json", "--reporter-json-export", report)
    done = subprocess.run(
        [newman, "run", folder / "collection.json", "--timeout", "120000", *shown, *given],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    found = {}
    for one in json.loads(report.read_text())["run"]["executions"]:
        body = bytes(one["response"]["stream"]["data"])
        found[one["item"]["name"]] = (one["response"]["code"], json.loads(body))
    return found


def check(answers: dict[str, tuple[int, Any]]) -> None:
    """Every answer is 200, without an error, under the documented key; the code was changed."""
    for name, key in ORDER.items():
        status, body = answers[name]
        assert status == 200, (name, body)
        assert "error" not in body, (name, body)
        assert key in body, (name, body)
    assert answers["Create a pipeline"][1]["pipeline"]["uuid"] == "arwen_starlight"
    template = answers["Read a block in a pipeline"][1]["block"]["content"]
    updated = answers["Update a block in a pipeline"][1]["block"]["content"]
    assert "@data_loader" in template
    assert updated == "# updated block code"
    # The last schedule update switched the API trigger on; the new run has what was sent.
    assert answers["Update a pipeline schedule"][1]["pipeline_schedule"]["status"] == "active"
    run = answers["Trigger a pipeline run via an API trigger"][1]["pipeline_run"]
    assert run["variables"]["schema"] == "public"
    assert run["status"] == "initial"


def test_collection_passes_with_the_key_alone(
    newman: Path, live_server: Live, tmp_path: Path
) -> None:
    with live_server.client() as client:
        variables = {
            "baseUrl": live_server.url,
            "apiKey": live_server.api_key,
            **prepare(client),
        }
        answers = send(newman, tmp_path, collection(signed_in=False), variables)
        assert len(answers) == 15
        check(answers)
        number = answers["Trigger a pipeline run via an API trigger"][1]["pipeline_run"]["id"]
        assert finished(client, number) == "completed"


def finished(client: httpx2.Client, number: int) -> str:
    """The status of a run once it has ended, within half a minute."""
    deadline = time.monotonic() + 30
    status = "initial"
    while status in ("initial", "running") and time.monotonic() < deadline:
        time.sleep(0.05)
        status = client.get(f"/api/pipeline_runs/{number}").json()["pipeline_run"]["status"]
    return status


def test_collection_passes_with_key_and_token(
    newman: Path, live_server_with_users: Live, tmp_path: Path
) -> None:
    live = live_server_with_users
    login = {"username": live.username, "password": live.password}
    with live.client() as client:
        raw = client.post("/api/sessions", json={"session": login}).json()["session"]["token"]
        claims = json.loads(base64.urlsafe_b64decode(raw.split(".")[1] + "=="))
        client.headers["OAUTH-TOKEN"] = claims["token"]
        variables = {
            "baseUrl": live.url,
            "apiKey": live.api_key,
            **login,
            **prepare(client),
        }
        answers = send(newman, tmp_path, collection(signed_in=True), variables)
        assert len(answers) == 16
        status, body = answers["Create a session"]
        assert (status, body["session"]["user"]["username"]) == (200, live.username)
        check(answers)
        number = answers["Trigger a pipeline run via an API trigger"][1]["pipeline_run"]["id"]
        assert finished(client, number) == "completed"
