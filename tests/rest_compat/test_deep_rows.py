"""DEEP's conventions row by row: credentials, pages, forms of bodies, files, and who answers what."""

import httpx2
import pytest
import pytest_asyncio

from app.access import passwords
from app.access.tables import users
from app.content.tables import leads
from rest_compat.deep.routes import dialect
from rest_compat.deep.words import camel, snake
from tests.factories import rows
from tests.rest_compat.deep_person import PASSWORD, Person, V, person


@pytest_asyncio.fixture(scope="module")
async def project(client: httpx2.AsyncClient) -> int:
    """A private project."""
    return await rows.project()


@pytest_asyncio.fixture(scope="module")
async def alice(client: httpx2.AsyncClient, project: int) -> Person:
    """Its owner."""
    made = await person(client, "alice")
    await rows.member(project, made.user, "owner")
    return made


@pytest_asyncio.fixture(scope="module")
async def mallory(client: httpx2.AsyncClient) -> Person:
    """An outsider."""
    return await person(client, "mallory")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("created_at", "createdAt"),
        ("emm_risk_factor", "emmRiskFactor"),
        ("field_1_x", "field1X"),
        ("_private", "Private"),
        ("created_at__gte", "createdAt_Gte"),
        ("trailing_", "trailing_"),
        ("UPPER_CASE", "UPPER_CASE"),
    ],
)
def test_letter_case_going_out(ours: str, theirs: str) -> None:
    assert camel(ours) == theirs


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("createdAt", "created_at"),
        ("HTMLParser", "html_parser"),
        ("ID", "id"),
        ("field1", "field1"),
        ("field1X", "field1_x"),
        ("createdAt_Gte", "created_at__gte"),
    ],
)
def test_letter_case_coming_in(theirs: str, ours: str) -> None:
    assert snake(theirs) == ours


async def test_pages(alice: Person) -> None:
    own = await rows.project()
    await rows.member(own, alice.user, "owner")
    for _ in range(3):
        await rows.lead(own)
    path = f"/leads/?search=lead,x&project={own}"
    assert (await alice("GET", path)).json()["count"] == 0
    page = (await alice("GET", f"/leads/?offset=1&limit=1&project={own}&fields=id,title")).json()
    base = f"http://testserver{V}/leads/?fields=id%2Ctitle&limit=1"
    link, _, place = page["next"].replace("after=2.", "after=").partition("after=")
    assert link + place.partition("&")[2] == f"{base}&offset=2&project={own}"
    assert page["previous"] == f"{base}&project={own}"
    assert set(page["results"][0]) == {"id", "title"}
    beyond = (await alice("GET", f"/leads/?offset=50&limit=10&project={own}")).json()
    assert beyond["results"] == [] and beyond["next"] is None
    assert "offset=40" in beyond["previous"]
    dropped = (await alice("GET", f"/leads/?limit=1&project={own}&omit=text,url")).json()
    assert {"text", "url"}.isdisjoint(dropped["results"][0])


async def test_sessions_need_the_csrf_token(
    client: httpx2.AsyncClient, alice: Person, project: int
) -> None:
    client.cookies.clear()
    wrong = await client.post(f"{V}/login/", json={"email": alice.name, "password": "wrong"})
    assert wrong.status_code == 400
    answer = await client.post(f"{V}/login/", json={"email": alice.name, "password": PASSWORD})
    assert answer.json()["ok"] is True
    cookies = answer.headers.get_list("set-cookie")
    assert "HttpOnly" in cookies[0] and "HttpOnly" not in cookies[1]
    assert (await client.get(f"{V}/users/me/")).json()["username"] == alice.name
    body = {"title": "by session", "project": project}
    refused = await client.post(f"{V}/leads/", json=body)
    told = "CSRF Failed: CSRF token missing or incorrect."
    assert (refused.status_code, refused.json()["errors"]) == (403, {"nonFieldErrors": [told]})
    csrf = {"X-CSRFToken": client.cookies["deep-development-csrftoken"]}
    assert (await client.post(f"{V}/leads/", json=body, headers=csrf)).status_code == 201
    bad = {"Authorization": "Basic bm86bm8="}
    assert (await client.get(f"{V}/leads/", headers=bad)).status_code == 401
    assert (await client.post(f"{V}/logout/", headers=csrf)).status_code == 200
    client.cookies.clear()


async def test_a_changed_password_ends_what_basic_remembers(client: httpx2.AsyncClient) -> None:
    someone = await person(client, "someone")
    assert (await someone("GET", "/users/me/")).status_code == 200
    other = await passwords.hashed("another password")
    await rows.change(users, someone.user, password_hash=other)
    assert (await someone("GET", "/users/me/")).status_code == 401


async def test_forms_of_requests(alice: Person, project: int) -> None:
    lead = {"title": "form", "project": str(project)}
    assert (await alice("POST", "/leads/", data=lead)).status_code == 201
    parts = {name: (None, value) for name, value in lead.items()}
    assert (await alice("POST", "/leads/", files=parts)).status_code == 201
    xml = {"Content-Type": "application/xml"}
    answer = await alice("POST", "/leads/", content="<a/>", headers=xml)
    assert answer.status_code == 415
    assert (await alice("GET", "/leads/", headers={"Accept": "image/png"})).status_code == 406
    assert (await alice("HEAD", "/leads/")).status_code == 200
    to = await alice.client.get(f"{V}/leads?limit=1")
    assert (to.status_code, to.headers["location"]) == (301, f"{V}/leads/?limit=1")
    both = {
        "title": "x",
        "project": project,
        "publishedOn": "2020-01-01",
        "published_on": "2021-01-01",
    }
    assert (await alice("POST", "/leads/", both)).json()["publishedOn"] == "2021-01-01"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"title": "\\ud800"}', "application/json"),
        (b'{"title": "\\u0000", "project": 1}', "application/json"),
        (b"[1]", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b"{" * 10_000, "application/json"),
        (b"title=%00", "application/x-www-form-urlencoded"),
        (b"\xff=\xfe", "application/x-www-form-urlencoded"),
        (b"nothing", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b'{"title": "x", "project": 1, "emmTriggers": [{"count": "a"}]}', "application/json"),
        (b'{"title": {}, "project": [], "assignee": "a", "authors": 1}', "application/json"),
        (b'{"title": "x", "project": 99999999999, "publishedOn": 5}', "application/json"),
    ],
)
async def test_broken_bodies_are_told(alice: Person, raw: bytes, kind: str) -> None:
    answer = await alice("POST", "/leads/", content=raw, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"timestamp", "errorCode", "errors"} and answer.json()["errors"]


@pytest.mark.parametrize(
    "query",
    [
        "id=a",
        "id=99999999999",
        "status=done",
        "created_at__gte=yesterday",
        "published_on=31-12-2020",
        "ordering=createdAt",
        "ordering=id,title,status,url,project,priority",
        "published_on=0001-01-01",
        "created_at__lt=9999-12-31",
    ],
)
async def test_bad_filters_are_told(alice: Person, query: str) -> None:
    answer = await alice("GET", f"/leads/?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["errorCode"] == 400


async def test_versions(alice: Person, project: int) -> None:
    lead = await rows.lead(project)
    assert (
        await alice("PATCH", f"/leads/{lead}/", {}, headers={"If-Match": '"1"'})
    ).status_code == 200
    stale = await alice("PATCH", f"/leads/{lead}/", {}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["errorCode"]) == (412, 412)


async def test_a_source_is_a_text_or_an_organisation(alice: Person, project: int) -> None:
    organization = await rows.organization(title="Relief Wire", short_name="RW")
    lead = (
        await alice("POST", "/leads/", {"title": "a", "project": project, "source": "Test source"})
    ).json()
    assert (lead["source"], lead["sourceDetail"]) == ("Test source", None)
    changed = (await alice("PATCH", f"/leads/{lead['id']}/", {"source": organization})).json()
    assert (changed["source"], changed["sourceDetail"]["id"]) == ("Relief Wire", organization)
    for given, shown in (
        (alice.user, [alice.user]),
        ([], []),
        (None, []),
        ([alice.user], [alice.user]),
    ):
        answer = await alice("PATCH", f"/leads/{lead['id']}/", {"assignee": given})
        assert answer.json()["assignee"] == shown


async def test_a_file_is_sent_and_read_by_members(
    alice: Person, mallory: Person, project: int
) -> None:
    sent = await alice("POST", "/files/", files={"file": ("a.txt", b"hello", "text/plain")})
    assert sent.status_code == 201, sent.text
    file = sent.json()
    body = {"title": "file", "project": project, "attachment": {"id": file["id"]}}
    lead = (await alice("POST", "/leads/", body)).json()
    assert lead["attachment"] == {n: file[n] for n in ("id", "title", "file", "mimeType")}
    place = file["file"].removeprefix("http://testserver")
    answer = await alice.client.get(place, headers=alice.headers)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert (await mallory.client.get(place, headers=mallory.headers)).status_code == 404
    missing = await alice("POST", "/files/", files={"title": (None, "x")})
    assert missing.json()["errors"] == {"file": "No file was submitted."}


async def test_what_outsiders_get(mallory: Person, project: int) -> None:
    lead = await rows.lead(project)
    assert (await mallory("GET", f"/leads/{lead}/")).status_code == 404
    assert (await mallory("PATCH", f"/leads/{lead}/", {"title": "x"})).status_code == 404
    assert (await mallory("DELETE", f"/leads/{lead}/")).status_code == 404
    body = {"title": "x", "project": project}
    assert (await mallory("POST", "/leads/", body)).status_code == 403
    assert (await mallory("POST", "/leads/", {**body, "project": 999_999})).status_code == 403
    assert (await mallory("GET", f"/projects/{project}/")).status_code == 404
    assert (await rows.values_of(leads, lead))["id"] == lead


ROUTES = (
    dialect.__globals__["CONTENT"] + dialect.__globals__["WORK"] + dialect.__globals__["PEOPLE"]
)
PLACES = sorted({(route.method, route.path) for route in ROUTES})


@pytest.mark.parametrize(("method", "path"), PLACES)
async def test_every_route_needs_a_caller_and_hides_what_is_not_there(
    client: httpx2.AsyncClient, mallory: Person, method: str, path: str
) -> None:
    client.cookies.clear()
    place = path.replace("{uuid}", "no-uuid").replace("{name}", "x")
    for name in ("id", "project", "member", "request"):
        place = place.replace(f"{{{name}}}", "999999")
    anonymous = await client.request(method, place)
    assert anonymous.status_code == 401, anonymous.text
    outsider = await client.request(method, place, headers=mallory.headers)
    listed = method == "GET" and "{" not in path
    wanted = (200,) if listed else (400, 403, 404)
    if path.endswith(("dry-bulk-delete/", "/filter/")):
        wanted = (200,)
    assert outsider.status_code in wanted, (outsider.status_code, outsider.text)


async def test_each_system_answers_its_own_paths(
    client: httpx2.AsyncClient, owner_token: str, alice: Person
) -> None:
    bearer = {"Authorization": f"Bearer {owner_token}"}
    olake = (await client.get(f"{V}/users", headers=bearer)).json()
    assert set(olake) == {"success", "message", "data"}
    deep = (await client.get(f"{V}/users/", headers=bearer)).json()
    assert set(deep) == {"count", "next", "previous", "results"}
    assert (await client.get(f"{V}/users")).json()["success"] is False
    assert (await client.get(f"{V}/users/")).json()["errorCode"] == 401
    assert "success" in (await client.get(f"{V}/project/1/jobs", headers=bearer)).json()
    assert (
        "pipelines"
        in (
            await client.get(
                "/api/pipelines?api_key=installation-key", headers={"OAUTH-TOKEN": owner_token}
            )
        ).json()
    )
    assert (await client.get(f"{V}/nothing/", headers=bearer)).json()["errorCode"] == 404
