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
from rest_compat.deep.words import camel
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
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "order-unknown": ({"ordering": "Cannot order by nope. Choices are: "}, "never a 500"),
    "projects-order-unknown": ({"ordering": "Cannot order by nope. Choices are: "}, "never a 500"),
    "filter-project-bad": ({"project": "Enter a whole number."}, "never a 500"),
    "create-list-body": (
        {"nonFieldErrors": "Invalid data. Expected a dictionary, but got list."},
        "an object is needed, never a 500",
    ),
    "patch-assignee-404": (
        {"assignee": 'Invalid pk "999999" - object does not exist.'},
        "the fault is in the body",
    ),
    "projects-create-missing": (
        {"title": "This field is required."},
        "organizations may be left out",
    ),
}
"""What is 400 here: how the messages begin, and why."""
PAGE = {"next": None, "previous": None}
DECIDED: dict[str, tuple[int, Any, str]] = {
    "create-duplicate-url-substring": (
        201,
        {"title": "Dup", "url": "news.example.org/alp", "duplicateLeads": [], "versionId": 1},
        "normalised urls are compared for equality",
    ),
    "create-assignee-list": (
        201,
        {"title": "India report", "assigneeDetails": {"id": 1}, "project": 1, "versionId": 1},
        "all assignees that are given are kept",
    ),
    "no-trailing-slash-post": (308, None, "the body is kept"),
    "order-multi": (
        200,
        {**PAGE, "count": 5, "results": [{"id": n} for n in (5, 4, 1, 2, 3)]},
        "all fields count, in the order written",
    ),
    "users-order": (
        200,
        {**PAGE, "count": 3, "results": [{"id": n} for n in (1, 2, 3)]},
        "who shares no project with the caller is hidden; all fields count",
    ),
    "options": (
        200,
        {
            "renders": ["application/json"],
            "parses": [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
            ],
        },
        "without a description of the members",
    ),
    "projects-get-created": (
        200,
        {
            "id": 4,
            "data": {"testKey": {"innerKey": 1, "snake_key": 2}, "x1": 3},
            "status": "inactive",
            "memberStatus": "admin",
            "role": 3,
        },
        "keys of free JSON are left alone",
    ),
}
"""What is answered otherwise: the status, what the body holds at least, and why."""
FRAMEWORK = ("analysisFramework", "analysisFrameworkTitle")
DIFFERENCES: dict[str, tuple[str, ...]] = {
    "projects-list": tuple(f".results[].{name} is missing" for name in FRAMEWORK),
    "projects-detail-nonmember": (
        *(f".{name} is missing" for name in FRAMEWORK),
        ".numberOfUsers is too much: 1",
    ),
    "projects-create": (".numberOfUsers is too much: 1",),
    "projects-patch": (".numberOfUsers is too much: 1",),
    "projects-join": (".role is missing",),
    "projects-requests": (".results[].role is missing",),
    "projects-accept": (".role is missing",),
    "users-list": (".results[].loginAttempts is missing",),
    "users-detail": (".loginAttempts is missing",),
    "usergroup-create": (".membersCount is too much: 1", ".versionId is too much: 1"),
    "file-upload": (".createdBy is too much: 1",),
    "groups-create-session": (".noOfLeads is too much: 0",),
}
"""Just these: no analysis frameworks here, no role of a mere wish, nobody's failed logins; counts that
the server forgets, and who made a file."""
NULLABLE = {"publishedOn", "attachment", "assigneeDetails", "leadGroup", "sourceDetail", "clientId"}
"""Members of leads that the documented dialect shows without a value, too."""
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
    recorded, wanted = case["response"], wanted_status(case)
    if answer.status_code != wanted:
        return [f"status {answer.status_code}, not {wanted}: {answer.text[:300]}"]
    found = []
    for name in ("www-authenticate", "allow", "location"):
        header = recorded["headers"].get(name)
        if header is not None and answer.headers.get(name, "") != header:
            found.append(f"{name}: {answer.headers.get(name)!r}, not {header!r}")
    if case["id"] == "create-duplicate-url-substring":
        await client.delete(f"/api/v1/leads/{answer.json()['id']}/", headers=basic("alice"))
    if case["id"] in REFUSED:
        return found + refusal_differences(answer.json(), REFUSED[case["id"]][0], dialect)
    if case["id"] in DECIDED:
        least = DECIDED[case["id"]][1]
        body = answer.json() if answer.content else None
        return found + ([] if holds(body, least) else [f"{body} does not hold {least}"])
    if answer.status_code == 204:
        return [*found, "a body"] if answer.content else found
    if not answer.content:
        return [*found, f"no body with {answer.status_code}"]
    return found + body_differences(case, masked(answer.json()), dialect)


def wanted_status(case: dict[str, Any]) -> int:
    """The recorded status, or ours."""
    if case["id"] in REFUSED:
        return 400
    status: int = case["response"]["status"]
    return DECIDED[case["id"]][0] if case["id"] in DECIDED else status


def refusal_differences(body: Any, starts: dict[str, str], dialect: str) -> list[str]:
    """How a failure of ours differs from what was decided."""
    found = {n: v if isinstance(v, list) else [v] for n, v in body["errors"].items()}
    lists = {n for n, v in body["errors"].items() if isinstance(v, list)}
    right = set(body) == {"timestamp", "errorCode", "errors"} and body["errorCode"] == 400
    right &= set(found) == set(starts) and all(found[n][0].startswith(t) for n, t in starts.items())
    right &= lists == (set(starts) if dialect == "server" else set(starts) & {"nonFieldErrors"})
    return [] if right else [f"{body} is not {starts}"]


def holds(ours: Any, least: Any) -> bool:
    """Whether our value has all that is in another."""
    if isinstance(ours, dict) and isinstance(least, dict):
        return all(n in ours and holds(ours[n], v) for n, v in least.items())
    if isinstance(ours, list) and isinstance(least, list):
        pairs = zip(ours, least, strict=False)
        return len(ours) == len(least) and all(holds(a, b) for a, b in pairs)
    return bool(ours == least)


def body_differences(case: dict[str, Any], body: Any, dialect: str) -> list[str]:
    """How our body differs from the recorded one, but for what was declared."""
    recorded = expected(case, dialect)
    found = []
    if dialect == "server" and without_nulls(body) != body:
        found.append("a null")
    if dialect == "documented" and "sourceRaw" in body and NULLABLE - set(body):
        found.append(f"{NULLABLE - set(body)} are missing")
    ours = without_nulls(body)
    compare = shape_differences if case["compare"] == "shape" else differences
    declared = DIFFERENCES.get(case["id"], ())
    seen = compare(ours, recorded)
    return found + sorted(set(seen) ^ set(declared))


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


def differences(ours: Any, recorded: Any, place: str = "") -> list[str]:
    """How our value differs from the recorded one."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        missing, more = set(recorded) - set(ours), set(ours) - set(recorded)
        found = [f"{place}.{n} is missing" for n in sorted(missing)]
        found += [f"{place}.{n} is too much: {ours[n]!r}" for n in sorted(more)]
        for name in sorted(set(ours) & set(recorded)):
            # Keys of free JSON are left alone; the server changes their letter case.
            one = camelled(ours[name]) if name == "data" else ours[name]
            found += differences(one, recorded[name], f"{place}.{name}")
        return found
    if isinstance(ours, list) and isinstance(recorded, list):
        if len(ours) != len(recorded):
            return [f"{place} has {len(ours)} items, not {len(recorded)}"]
        pairs = enumerate(zip(ours, recorded, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{place}[{n}]")]
    return [] if ours == recorded else [f"{place} is {ours!r}, not {recorded!r}"]


def camelled(value: Any) -> Any:
    """Free JSON as the server would show it."""
    if isinstance(value, dict):
        return {camel(name): camelled(one) for name, one in value.items()}
    return value


def shape_differences(ours: Any, recorded: Any, place: str = "") -> list[str]:
    """How the keys and types of our value differ."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        found = [f"{place}.{n} is missing" for n in sorted(set(recorded) - set(ours))]
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
