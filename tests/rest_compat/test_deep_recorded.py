"""What a real server of DEEP answered, replayed in order in both dialects.

Each deviation is a row of section 1 of the contract, or a decision of ours that is named here.
"""

import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from app.access import remember
from app.settings import get_settings
from tests.rest_compat.deep_fixture import IDS, PASSWORD, RECORDED, insert_fixture, set_next

CASES = [c for c in RECORDED["cases"] if c["request"]["path"] != "/graphql"]
SIGNING = {"gql-login", "gql-logout"}
NOT_HERE = {
    "no-such-version": "one version of the API is served",
    "version-v3": "paths outside of /api/v1 are Mage's",
    "lead-options": "the browser client asks GraphQL for its choices",
    "connector-sources": "connectors belong to the humanitarian domain",
    "openapi-json": "the document is of all four dialects, and tested where it is made",
    "docs-v1": "the page that the documentation names is there",
}
DECIDED: dict[str, tuple[int, str]] = {
    "order-unknown": (400, "an unknown field is told, never a 500"),
    "projects-order-unknown": (400, "an unknown field is told, never a 500"),
    "filter-project-bad": (400, "what is no number is told, never a 500"),
    "create-list-body": (400, "an object is needed, never a 500"),
    "patch-assignee-404": (400, "the fault is in the body"),
    "projects-create-missing": (400, "organizations may be left out"),
    "create-assignee-list": (201, "all assignees that are given are kept"),
    "create-duplicate-url-substring": (201, "normalised urls are compared for equality"),
    "no-trailing-slash-post": (308, "the body is kept"),
    "order-multi": (200, "all fields count, in the order written"),
    "users-order": (200, "who shares no project with the caller is hidden; all fields count"),
    "options": (200, "without a description of the members"),
    "projects-get-created": (200, "keys of free JSON are left alone"),
    "token-obtain-missing": (400, "the fault is the login as a whole"),
}
TABLES = {
    "/leads/": "leads",
    "/projects/": "projects",
    "/files/": "attachments",
    "/lead-groups/": "lead_groups",
    "/user-groups/": "user_groups",
    "/project-memberships/": "memberships",
    "/join/": "join_requests",
}
LINKED = re.compile(r"after=[\w.-]+&")
"""What our links carry beside limit and offset."""
MASKS = (
    (re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z$"), "<datetime>"),
    (re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), "<uuid>"),
    (re.compile(r"^<base>/(media/gallery|private-file)/.*$"), "<file>"),
    (re.compile(r"^ey[\w-]+\.[\w-]+\.[\w-]+$"), "<jwt>"),
)


@pytest_asyncio.fixture(scope="module", params=["documented", "server"])
async def dialect(request: pytest.FixtureRequest, app: Starlette) -> AsyncIterator[str]:
    """Each dialect begins with the fixture's rows."""
    await insert_fixture()
    remember.forget_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_settings().access, "projects_by_anybody", True)
        yield request.param


async def test_the_recording_replays(dialect: str, client: httpx2.AsyncClient) -> None:
    client.cookies.clear()
    problems = []
    for case in sorted(RECORDED["cases"], key=lambda one: one["order"]):
        if case["id"] in SIGNING:
            await sign(client, case["id"])
        elif case in CASES and case["id"] not in NOT_HERE:
            problems += [f"{case['id']}: {p}" for p in await replayed(case, dialect, client)]
    assert not problems, "\n".join(problems)


async def sign(client: httpx2.AsyncClient, which: str) -> None:
    """Sessions begin and end by paths of REST here."""
    path = "/api/v1/login/" if which == "gql-login" else "/api/v1/logout/"
    csrf = client.cookies.get("deep-development-csrftoken")
    headers = {"X-CSRFToken": csrf} if csrf else {}
    body = {"email": "alice@example.org", "password": PASSWORD}
    answer = await client.post(path, json=body, headers=headers)
    assert answer.status_code == 200 and answer.json()["ok"] is True


async def replayed(case: dict[str, Any], dialect: str, client: httpx2.AsyncClient) -> list[str]:
    """Send the request; how the answer differs."""
    await foresee(case)
    answer = await sent(case, dialect, client)
    decided = DECIDED.get(case["id"])
    wanted = case["response"]["status"] if decided is None else decided[0]
    found = []
    if answer.status_code != wanted:
        return [f"status {answer.status_code}, not {wanted}: {answer.text[:300]}"]
    if decided is not None:
        if wanted == 201 and case["id"] == "create-duplicate-url-substring":
            number = answer.json()["id"]
            await client.delete(f"/api/v1/leads/{number}/", headers=basic("alice"))
        return []
    for name in ("www-authenticate", "allow", "location"):
        recorded = case["response"]["headers"].get(name)
        if recorded is not None and answer.headers.get(name, "") != recorded:
            found.append(f"{name}: {answer.headers.get(name)!r}, not {recorded!r}")
    if answer.status_code == 204:
        return [*found, "a body"] if answer.content else found
    if not answer.content:
        return [*found, f"no body with {answer.status_code}"]
    body, recorded = masked(answer.json()), expected(case, dialect)
    if dialect == "documented":
        body = without_nulls(body)
    if case["compare"] == "shape":
        return found + shape_differences(body, recorded)
    return found + differences(body, recorded)


async def foresee(case: dict[str, Any]) -> None:
    """Let the next row have the recorded id: numbers that failures took are missing there."""
    body = case["response"].get("body")
    if case["request"]["method"] != "POST" or case["response"]["status"] != 201:
        return
    if case["id"] == "lead-copy":
        await set_next("leads", body["leadsByProjects"]["2"][0])
        return
    table = next((t for end, t in TABLES.items() if case["request"]["path"].endswith(end)), None)
    first = body[0] if isinstance(body, list) else body
    first = first.get("results", [first])[0]
    if table is not None:
        await set_next(table, first["id"])


def basic(who: str) -> dict[str, str]:
    """The credential of a user of the fixture."""
    pair = f"{who}@example.org:{PASSWORD}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


async def sent(case: dict[str, Any], dialect: str, client: httpx2.AsyncClient) -> httpx2.Response:
    """The answer to a recorded request."""
    request = case["request"]
    headers = {"X-Deep-Dialect": dialect, **request.get("headers", {})}
    kind, _, who = case["auth"].partition(":")
    if kind == "basic":
        headers |= basic(who)
    csrf = client.cookies.get("deep-development-csrftoken")
    if kind == "session" and request["method"] != "GET" and csrf:
        headers["x-csrftoken"] = csrf
    path = re.sub(r"\{([\w.]+)\}", lambda m: str(IDS[m.group(1)]), request["path"])
    how: dict[str, Any] = {}
    if "rawBody" in request:
        how["content"] = request["rawBody"]
    elif "multipart" in request:
        how["data"] = request["multipart"]["fields"]
        how["files"] = {"file": ("sample.txt", b"hello world", "text/plain")}
    elif "body" in request:
        how["json"] = filled(request["body"])
    kept = client.cookies if kind == "session" else None
    if kept is None:
        transport = client._transport
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as bare:
            return await bare.request(request["method"], path, headers=headers, **how)
    return await client.request(request["method"], path, headers=headers, **how)


def filled(value: Any) -> Any:
    """`#key` as the id that it stands for."""
    if isinstance(value, dict):
        return {name: filled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one) for one in value]
    return IDS[value[1:]] if isinstance(value, str) and value.startswith("#") else value


def masked(value: Any) -> Any:
    """What no two runs have in common, masked."""
    if isinstance(value, dict):
        return {name: masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    if not isinstance(value, str):
        return value
    text = LINKED.sub("", value.replace("http://testserver", "<base>"))
    return next((mask for form, mask in MASKS if form.match(text)), text)


def without_nulls(value: Any) -> Any:
    """Section 1: the documented dialect shows members that are null, the server drops them."""
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    if not isinstance(value, dict):
        return value
    keep = ("next", "previous")
    return {n: without_nulls(v) for n, v in value.items() if v is not None or n in keep}


def expected(case: dict[str, Any], dialect: str) -> Any:
    """The recorded body, by the substitutions of section 1 for the documented dialect."""
    body = masked(case["response"].get("body"))
    if isinstance(body, dict) and "errorCode" in body and dialect == "documented":
        errors = {n: v if n == "nonFieldErrors" else " ".join(v) for n, v in body["errors"].items()}
        return {**body, "errorCode": case["response"]["status"], "errors": errors}
    return _documented(body) if dialect == "documented" else body


def _documented(value: Any) -> Any:
    if isinstance(value, list):
        return [_documented(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {name: _documented(one) for name, one in value.items()}
    if "sourceRaw" not in made:
        return made
    named = made.get("sourceDetail", {}).get("title", made["sourceRaw"])
    assigned = [made["assignee"]] if "assignee" in made else []
    return {**made, "source": named, "website": "", "assignee": assigned}


FREE = {"data"}
"""Members with content of their makers, whose keys are left alone."""
EXTRA = {
    "createdBy",
    "numberOfUsers",
    "membersCount",
    "memberships",
    "noOfLeads",
    "clientId",
    "versionId",
}
"""Members that we show where the recorded server had none."""
LEFT_OUT = {"loginAttempts", "analysisFramework", "analysisFrameworkTitle", "role"}
"""Members that tell strangers too much, or belong to what is not here; `role` of a mere wish."""


def differences(ours: Any, recorded: Any, place: str = "") -> list[str]:
    """How our value differs from the recorded one."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        missing = set(recorded) - set(ours) - LEFT_OUT
        more = set(ours) - set(recorded) - EXTRA
        found = [f"{place}.{n} is missing" for n in sorted(missing)]
        found += [f"{place}.{n} is too much: {ours[n]!r}" for n in sorted(more)]
        for name in sorted((set(ours) & set(recorded)) - FREE):
            found += differences(ours[name], recorded[name], f"{place}.{name}")
        return found
    if isinstance(ours, list) and isinstance(recorded, list):
        if len(ours) != len(recorded):
            return [f"{place} has {len(ours)} items, not {len(recorded)}"]
        pairs = enumerate(zip(ours, recorded, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{place}[{n}]")]
    return [] if ours == recorded else [f"{place} is {ours!r}, not {recorded!r}"]


def shape_differences(ours: Any, recorded: Any, place: str = "") -> list[str]:
    """How the keys and types of our value differ."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        missing = set(recorded) - set(ours) - LEFT_OUT
        found = [f"{place}.{n} is missing" for n in sorted(missing)]
        for name in sorted(set(ours) & set(recorded)):
            found += shape_differences(ours[name], recorded[name], f"{place}.{name}")
        return found
    if isinstance(ours, list) and isinstance(recorded, list):
        if recorded and not ours:
            return [f"{place} is empty"]
        full = max(recorded, key=lambda one: len(json.dumps(one)), default=None)
        best = max(ours, key=lambda one: len(json.dumps(one)), default=None)
        return shape_differences(best, full, f"{place}[]") if recorded else []
    same = type(ours) is type(recorded) or None in (ours, recorded)
    return [] if same else [f"{place} is a {type(ours).__name__}"]
