"""DEEP's API in the hands of those who mean ill, or whose program is broken: rights, sessions, odd input."""

import asyncio
import base64
import random
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.access import passwords
from app.access.tables import memberships, users
from app.content import staging
from app.core.rules import Subject
from app.graphql.compiler import cache
from app.projects.tables import projects
from app.settings import get_settings
from tests.factories import rows
from tests.rest_compat.test_deep_rows import PASSWORD, Person, V, person

FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest_asyncio.fixture(scope="module")
async def project(client: httpx2.AsyncClient) -> int:
    """One that every user may ask to join."""
    made = await rows.project()
    await rows.change(projects, made, is_private=False)
    return made


@pytest_asyncio.fixture(scope="module")
async def owner(client: httpx2.AsyncClient, project: int) -> Person:
    """Its owner."""
    return await member(client, project, "owner")


async def member(client: httpx2.AsyncClient, project: int, role: str) -> Person:
    """A new user with a role."""
    made = await person(client, role)
    await rows.member(project, made.user, role)
    return made


def sent_as(name: str, content: bytes = b"hello") -> bytes:
    """A form with one file."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return head.encode() + b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n--x--\r\n"


def any_text(length: int, size: int, first: int, last: int) -> str:
    """Words with hyphens: each is found whole and in parts."""
    odd = random.Random(5)
    words = ("".join(chr(odd.randint(first, last)) for _ in range(size)) for _ in range(length))
    return "-".join(words)


async def roles(someone: Person) -> dict[str, int]:
    """Ids of roles by DEEP's names."""
    listed = (await someone("GET", "/project-roles/")).json()["results"]
    return {one["type"]: one["id"] for one in listed}


# --- who may do what ----------------------------------------------------------------------------


async def test_an_accepted_wish_takes_no_role_away(
    client: httpx2.AsyncClient, project: int
) -> None:
    late, admin = await person(client, "late"), await member(client, project, "admin")
    wish = (await late("POST", f"/projects/{project}/join/", {"reason": "x"})).json()["id"]
    made = await rows.member(project, late.user, "owner")
    answer = await admin("POST", f"/projects/{project}/requests/{wish}/accept/", {"role": "normal"})
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    listed = (await admin("GET", f"/projects/{project}/members/")).json()["results"]
    levels = {one["member"]: one["roleDetails"]["level"] for one in listed}
    assert levels[late.user] == 1
    assert (await rows.values_of(memberships, made))["version"] == 1


async def test_nobody_gives_or_takes_a_role_stronger_than_his_own(
    client: httpx2.AsyncClient, project: int, owner: Person
) -> None:
    admin, other = await member(client, project, "admin"), await person(client, "other")
    strong = (await roles(admin))["project_owner"]
    place = f"/projects/{project}/project-memberships/"
    for body in (
        {"member": other.user, "role": strong},
        {"list": [{"member": other.user, "role": strong}]},
    ):
        answer = await admin("POST", place, body)
        assert answer.status_code == 400 and answer.json()["errors"] == {"role": "Invalid role"}
    listed = (await admin("GET", place)).json()["results"]
    own = {one["member"]: one["id"] for one in listed}
    weak = (await roles(admin))["reader"]
    taken = await admin("PATCH", f"{place}{own[owner.user]}/", {"role": weak})
    assert taken.status_code == 400
    assert (await admin("DELETE", f"{place}{own[owner.user]}/")).status_code == 403
    raised = await admin("PATCH", f"{place}{own[admin.user]}/", {"role": strong})
    assert raised.status_code == 400
    wish = (await other("POST", f"/projects/{project}/join/", {})).json()["id"]
    answer = await admin("POST", f"/projects/{project}/requests/{wish}/accept/", {"role": strong})
    assert answer.status_code == 400
    key = await rows.api_key(owner.user, scopes=["project.read", "member.write"])
    bearer = {"Authorization": f"Bearer {key.token}"}
    body = {"member": other.user, "role": (await roles(owner))["admin"]}
    few = await client.post(f"{V}{place}", json=body, headers=bearer)
    assert few.json()["errors"] == {"role": "Invalid role"}


async def test_a_path_names_the_project_of_what_it_names(
    client: httpx2.AsyncClient, project: int, owner: Person
) -> None:
    other, someone = await rows.project(), await person(client, "someone")
    await rows.member(other, owner.user, "owner")
    theirs = await rows.member(other, someone.user, "viewer")
    wish = await rows.join_request(other, await rows.user())
    wrong, right = (f"/projects/{one}/project-memberships/{theirs}/" for one in (project, other))
    role = {"role": (await roles(owner))["member"]}
    assert (await owner("PATCH", wrong, role)).status_code == 404
    assert (await owner("DELETE", wrong)).status_code == 404
    for verb in ("accept", "reject"):
        answer = await owner("POST", f"/projects/{project}/requests/{wish}/{verb}/", {})
        assert answer.status_code == 404
    assert (await owner("PATCH", right, role)).status_code == 200
    assert (
        await owner("POST", f"/projects/{other}/requests/{wish}/reject/", {})
    ).status_code == 200


async def test_one_lead_for_many_projects_needs_the_right_in_each(
    client: httpx2.AsyncClient, project: int, owner: Person
) -> None:
    hidden, seen = await rows.project(), await rows.project()
    await rows.member(seen, owner.user, "viewer")
    lead = await rows.lead(project)
    for other in (hidden, seen, 999_999):
        body = {"title": "for both", "project": [project, other]}
        assert (await owner("POST", "/leads/", body)).status_code == 403
        copied = await owner("POST", "/lead-copy/", {"leads": [lead], "projects": [other]})
        assert copied.status_code == 403
    found = await owner("GET", f"/leads/?project={project}&search=for both")
    assert found.json()["count"] == 0


async def test_the_confidential_is_hidden_in_every_way(
    client: httpx2.AsyncClient, owner: Person, project: int
) -> None:
    reader = await member(client, project, "restricted_viewer")
    page = {"url": "https://secret.example.org/1", "sourceType": "rss", "project": project}
    file = (await owner("POST", "/files/", content=sent_as("s.txt"), headers=FORM)).json()
    group = (await owner("POST", "/lead-groups/", {"title": "g", "project": project})).json()
    shown = await owner("POST", "/leads/", {**page, "title": "open one", "leadGroup": group["id"]})
    secret = {**page, "title": "hush hush", "confidentiality": "confidential"}
    secret |= {"attachment": file["id"], "leadGroup": group["id"]}
    hidden = (await owner("POST", "/leads/", secret)).json()["id"]
    lead = (await reader("GET", f"/leads/{shown.json()['id']}/")).json()
    assert (lead["duplicateLeads"], lead["duplicateLeadsCount"]) == ([], 0)
    seen = (await reader("GET", f"/lead-groups/{group['id']}/")).json()
    assert (seen["noOfLeads"], [one["id"] for one in seen["leads"]]) == (1, [lead["id"]])
    for query in (
        f"id={hidden}",
        "search=hush",
        "confidentiality=confidential",
        "url=https://secret.example.org/1&title=hush",
    ):
        count = (await reader("GET", f"/leads/?project={project}&{query}")).json()["count"]
        assert count == (1 if query.startswith("url") else 0), query
    place = file["file"].removeprefix("http://testserver")
    for method, path in (("GET", f"/leads/{hidden}/"), ("GET", f"/files/{file['id']}/")):
        assert (await reader(method, path)).status_code == 404
    assert (await client.get(place, headers=reader.headers)).status_code == 404
    own = await rows.project()
    await rows.member(own, reader.user, "owner")
    body = {"leads": [hidden], "projects": [own]}
    copied = await reader("POST", "/lead-copy/", body)
    assert copied.json()["leadsByProjects"] == {str(own): []}
    stolen = {"title": "t", "project": own, "attachment": file["id"]}
    refused = await reader("POST", "/leads/", stolen)
    assert refused.status_code == 400 and set(refused.json()["errors"]) == {"attachment"}
    foreign = await reader(
        "POST", "/leads/", {**stolen, "attachment": None, "leadGroup": group["id"]}
    )
    assert foreign.status_code == 400 and set(foreign.json()["errors"]) == {"leadGroup"}
    mine = await reader("POST", "/lead-groups/", {"title": "x", "project": own, "leads": [hidden]})
    assert mine.status_code == 400 and set(mine.json()["errors"]) == {"leads"}


async def test_a_lead_stays_in_its_project(owner: Person, project: int) -> None:
    other = await rows.project()
    await rows.member(other, owner.user, "owner")
    lead, group = await rows.lead(project), await rows.lead_group(project)
    for place in (f"/leads/{lead}/", f"/lead-groups/{group}/"):
        for wanted in (other, 999_999):
            answer = await owner("PATCH", place, {"project": wanted, "title": "moved"})
            assert answer.status_code == 400 and set(answer.json()["errors"]) == {"project"}
        put = await owner("PUT", place, {"project": project, "title": "put"})
        assert (put.status_code, put.json()["project"]) == (200, project)


async def test_callers_from_outside_see_no_open_projects(
    client: httpx2.AsyncClient, owner: Person, project: int
) -> None:
    other = await rows.project()
    await rows.member(other, owner.user, "owner")
    await rows.organization()
    key = await rows.api_key(owner.user, project_id=other, scopes=["project.read"])
    bearer = {"Authorization": f"Bearer {key.token}"}

    async def ids(path: str) -> list[int]:
        listed = (await client.get(f"{V}{path}", headers=bearer)).json()["results"]
        return [one["id"] for one in listed]

    assert await ids("/projects/") == [other]
    assert (await client.get(f"{V}/projects/{project}/", headers=bearer)).status_code == 404
    assert await ids("/organizations/") == [] and await ids("/organization-types/") == []
    reader = await rows.api_key(owner.user, project_id=other, scopes=["lead.read"])
    bearer["Authorization"] = f"Bearer {reader.token}"
    assert await ids("/organizations/") != []


async def test_who_only_reads_sends_no_files(
    client: httpx2.AsyncClient, owner: Person, project: int
) -> None:
    reader = await member(client, project, "viewer")
    key = await rows.api_key(owner.user, scopes=["project.read", "lead.read"])
    for headers in (reader.headers, {"Authorization": f"Bearer {key.token}"}):
        form = {**headers, **FORM}
        answer = await client.post(f"{V}/files/", content=sent_as("a.txt"), headers=form)
        assert answer.status_code == 403
    bearer = {"Authorization": f"Bearer {key.token}"}
    assert (await client.post("/v2/uploads", content=b"x", headers=bearer)).status_code == 403


async def test_a_key_of_one_project_reads_no_files_of_others(
    client: httpx2.AsyncClient, owner: Person, project: int
) -> None:
    file = (await owner("POST", "/files/", content=sent_as("own.txt"), headers=FORM)).json()
    other = await rows.project()
    await rows.member(other, owner.user, "owner")
    place = file["file"].removeprefix("http://testserver")
    key = await rows.api_key(owner.user, project_id=other)
    bearer = {"Authorization": f"Bearer {key.token}"}
    assert (await client.get(place, headers=bearer)).status_code == 404
    assert (await client.get(f"/v2/files/{file['uuid']}", headers=bearer)).status_code == 404
    assert (await client.get(place, headers=owner.headers)).status_code == 200


async def test_names_of_strangers_are_no_addresses(
    client: httpx2.AsyncClient, owner: Person, project: int
) -> None:
    stranger = await rows.user("stranger")
    await rows.change(users, stranger, username="somebody@example.org")
    group = (await owner("POST", "/user-groups/", {"title": "all of them"})).json()["id"]
    answer = await owner("POST", "/group-memberships/", {"group": group, "member": stranger})
    assert answer.json()["memberName"] == "somebody"
    assert "somebody@" not in (await owner("GET", f"/user-groups/{group}/")).text


# --- sessions -----------------------------------------------------------------------------------


async def test_no_foreign_page_signs_anybody_in(client: httpx2.AsyncClient, owner: Person) -> None:
    who = {"email": owner.name, "password": PASSWORD}
    for how in ({"json": who}, {"data": who}):
        for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await client.post(f"{V}/login/", headers=headers, **how)
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post(f"{V}/login/", headers=own, json=who)).status_code == 200
    client.cookies.clear()


async def test_the_session_of_https_ends(client: httpx2.AsyncClient, owner: Person) -> None:
    https = {"X-Forwarded-Proto": "https"}
    who = {"email": owner.name, "password": PASSWORD}
    answer = await client.post(f"{V}/login/", headers=https, json=who)
    client.cookies.clear()
    session, csrf = (one.partition(";") for one in answer.headers.get_list("set-cookie"))
    assert session[0].startswith("__Secure-") and "; Secure" in session[2] + csrf[2]
    cookies = {"Cookie": f"{session[0]}; {csrf[0]}", **https}
    assert (await client.post(f"{V}/logout/", headers=cookies)).status_code == 403
    token = {"X-CSRFToken": csrf[0].partition("=")[2]}
    gone = await client.post(f"{V}/logout/", headers={**cookies, **token})
    assert gone.status_code == 200
    (cleared,) = gone.headers.get_list("set-cookie")
    assert cleared.startswith(session[0].partition("=")[0]) and "; Secure" in cleared
    assert (await client.get(f"{V}/users/me/", headers=cookies)).status_code == 401
    client.cookies.clear()


async def test_a_password_that_changes_while_it_is_judged_is_not_remembered(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = await person(client, "quick")
    judge = passwords.matches

    async def slowly(*given: Any) -> bool:
        right = await judge(*given)
        await rows.change(users, someone.user, password_hash=await passwords.hashed("other one"))
        return right

    monkeypatch.setattr(passwords, "matches", slowly)
    await someone("GET", "/users/me/")
    monkeypatch.undo()
    assert (await someone("GET", "/users/me/")).status_code == 401


async def test_another_address_ends_what_basic_remembers(client: httpx2.AsyncClient) -> None:
    someone = await person(client, "moved")
    address = (await rows.values_of(users, someone.user))["email"]
    by_address = Person(client, someone.user, address)
    assert (await by_address("GET", "/users/me/")).status_code == 200
    await rows.change(users, someone.user, email="moved@example.net")
    assert (await by_address("GET", "/users/me/")).status_code == 401


async def test_an_old_password_keeps_nobody_out(client: httpx2.AsyncClient) -> None:
    someone, forgetful = await person(client, "renewed"), await person(client, "forgetful")
    await rows.change(users, someone.user, password_hash=await passwords.hashed("a new password"))
    for _ in range(8):
        assert (await someone("GET", "/users/me/")).status_code == 401
    who = {"email": someone.name, "password": "a new password"}
    assert (await client.post(f"{V}/login/", json=who)).status_code == 200
    client.cookies.clear()
    await rows.change(users, someone.user, password_hash=await passwords.hashed(PASSWORD))
    assert (await someone("GET", "/users/me/")).status_code == 200
    statuses = []
    for guess in range(7):
        pair = base64.b64encode(f"{forgetful.name}:{guess}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        statuses.append((await client.get(f"{V}/users/me/", headers=headers)).status_code)
    assert statuses == [401] * 5 + [429] * 2


# --- odd input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lead",
    [
        {"url": "https://example.org/" + any_text(950, 1, 0x4E00, 0x9FFF)},
        {"text": any_text(66_000, 2, 0x20000, 0x2A6D0)},
        {"text": " ".join(any_text(5, 2, 0x20000, 0x2A6D0) for _ in range(10))},
        {"text": any_text(50_000, 3, 0x4E00, 0x9FFF).replace("-", " - ")},
        {"text": "x" * 190_000},
        {"source": any_text(256, 1, 0x4E00, 0x9FFF)},
    ],
)
async def test_long_texts_in_any_script(owner: Person, project: int, lead: dict[str, str]) -> None:
    for _ in range(2):
        answer = await owner("POST", "/leads/", {"title": "long", "project": project, **lead})
        assert answer.status_code == 201, answer.text[:300]
        assert all(answer.json()[name] == value for name, value in lead.items())


async def test_a_long_page_is_there_once_too(owner: Person, project: int) -> None:
    url = "https://long.example.org/" + any_text(900, 1, 0x4E00, 0x9FFF)
    body = {"title": "long", "project": project, "sourceType": "website", "url": url}
    assert (await owner("POST", "/leads/", body)).status_code == 201
    again = await owner("POST", "/leads/", {**body, "url": url + "/"})
    assert again.status_code == 400 and "this URL" in again.text


@pytest.mark.parametrize("words", ["-" * 900, "- " * 400, "flood " + "-" * 50 + "drill"])
async def test_search_of_many_minus_signs(
    client: httpx2.AsyncClient, owner_token: str, words: str
) -> None:
    assert "errors" not in await searched(client, owner_token, words)


async def test_long_searches_are_refused(client: httpx2.AsyncClient, owner_token: str) -> None:
    for words in ("or " * 50_000, " ".join(f"w{n}" for n in range(100_000)), "x" * 1001):
        (error,) = (await searched(client, owner_token, words))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def searched(client: httpx2.AsyncClient, token: str, words: str) -> Any:
    """The answer to a full-text search."""
    query = "query($s: String!) { leads(where: {search: $s}) { totalCount } }"
    body = {"query": query, "variables": {"s": words}}
    bearer = {"Authorization": f"Bearer {token}"}
    return (await client.post("/v2/graphql", json=body, headers=bearer)).json()


@pytest.mark.parametrize("key", [None, ""])
async def test_no_key_of_the_callers_own_is_no_key(
    owner: Person, project: int, key: str | None
) -> None:
    for path, body in (
        ("/leads/", {"title": "a", "project": project}),
        ("/lead-groups/", {"title": "a", "project": project}),
        ("/organizations/", {"title": "a"}),
    ):
        for _ in range(2):
            answer = await owner("POST", path, {**body, "clientId": key})
            assert (answer.status_code, answer.json()["clientId"]) == (201, None)


@pytest.mark.parametrize(
    "query",
    [
        "id=" + "9" * 5000,
        "id=" + ",".join(map(str, range(1001))),
        "created_at__lt=0001-01-01%2B1200",
        "created_at__gt=9999-12-31T23:59:59-12:00",
        "published_on=2020-W01-1",
        "published_on__gte=20200101",
    ],
)
async def test_odd_filters_are_told(owner: Person, query: str) -> None:
    answer = await owner("GET", f"/leads/?{query}")
    assert answer.status_code == 400, answer.text[:300]
    assert all(len(told) < 100 for told in answer.json()["errors"].values())


async def test_an_unreadable_version_is_another_one(owner: Person, project: int) -> None:
    lead = await rows.lead(project)
    for given, status in (("*", 200), ('"x"', 412), ('W/"1"', 412), ("", 412)):
        answer = await owner("PATCH", f"/leads/{lead}/", {}, headers={"If-Match": given})
        assert answer.status_code == status, given


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../b.txt", "b.txt"),
        ("..\\c.txt", "c.txt"),
        ("a/", None),
        ("ü\u202e.txt", "ü\u202e.txt"),
    ],
)
async def test_names_of_files(owner: Person, name: str, shown: str | None) -> None:
    answer = await owner("POST", "/files/", content=sent_as(name), headers=FORM)
    assert answer.status_code == (400 if shown is None else 201), answer.text
    if shown is not None:
        assert answer.json()["title"] == shown
        place = answer.json()["file"].removeprefix("http://testserver")
        read = await owner.client.get(place, headers=owner.headers)
        assert (read.status_code, read.content) == (200, b"hello")


async def test_a_title_with_slashes_leads_to_its_file(owner: Person) -> None:
    form = {"title": "../../a.txt"}
    files = {"file": ("x.txt", b"hello", "text/plain")}
    made = (await owner("POST", "/files/", data=form, files=files)).json()
    place = made["file"].removeprefix("http://testserver")
    assert (await owner.client.get(place, headers=owner.headers)).content == b"hello"


async def test_a_refused_file_leaves_nothing_in_the_way(owner: Person) -> None:
    folder = Path(get_settings().places.storage_dir) / "staged" / str(owner.user)
    assert (
        await owner("POST", "/files/", content=sent_as("a\x00.txt"), headers=FORM)
    ).status_code == 400
    for _ in range(staging.MOST_STAGED + 5):
        refused = await owner("POST", "/files/", content=sent_as("x.exe"), headers=FORM)
        assert refused.status_code == 400 and "file" in refused.json()["errors"]
    assert len(list(folder.iterdir())) <= staging.MOST_STAGED
    answer = await owner("POST", "/files/", content=sent_as("good.txt"), headers=FORM)
    assert answer.status_code == 201


async def test_one_upload_becomes_one_attachment(client: httpx2.AsyncClient, owner: Person) -> None:
    staged = await staging.stage(
        Subject(kind="session", user_id=owner.user, is_owner=True), _bytes()
    )
    token = (await rows.session(owner.user)).token
    create = """mutation($u: String!, $c: String) { attachmentCreate(
      input: {upload: $u, title: "a.txt", clientId: $c}) { attachment { number } errors { code } } }"""

    async def made(key: str | None) -> Any:
        body = {"query": create, "variables": {"u": staged.upload, "c": key}}
        bearer = {"Authorization": f"Bearer {token}"}
        answer = await client.post("/v2/graphql", json=body, headers=bearer)
        return answer.json()["data"]["attachmentCreate"]

    await rows.attachment(owner.user, client_id="taken")
    assert (await made("taken"))["errors"] == [{"code": "CLIENT_ID_TAKEN"}]
    answers = await asyncio.gather(*(made(None) for _ in range(5)))
    assert len([one for one in answers if one["attachment"]]) == 1
    assert len([one for one in answers if one["errors"] == [{"code": "INVALID"}]]) == 4


async def _bytes() -> Any:
    yield b"once"


async def test_who_is_not_known_sends_no_files(client: httpx2.AsyncClient) -> None:
    big = sent_as("a.txt", b"x" * 2 * 1024 * 1024)
    answer = await client.post(f"{V}/login/", content=big, headers=FORM)
    assert answer.status_code == 413


async def test_an_answer_has_a_length(
    owner: Person, project: int, compile_reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await rows.lead(project, text="long " * 1000)
    monkeypatch.setattr(cache, "LONGEST_ANSWER", 10_000)
    refused = await owner("GET", f"/leads/?project={project}&text={'long ' * 1000}")
    # The text of a compiled read is counted; what is executed has the limit of objects only.
    assert refused.status_code == (400 if compile_reads else 200)
    assert ("Ask for fewer" in refused.text) is compile_reads
    answer = await owner("GET", f"/leads/?project={project}&limit=1&text={'long ' * 1000}")
    assert answer.status_code == 200
