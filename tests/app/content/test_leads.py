"""Leads by GraphQL: their rules, many at once, search, files."""

from typing import Any

import httpx2
import pytest_asyncio
from sqlalchemy import delete, select

from app.access.tables import users
from app.content.tables import leads
from app.core import db
from app.core.audit import audit_log
from tests.factories import rows
from tests.factories.team import Team, make_team, member

CREATE = """mutation($i: LeadCreateInput!) { leadCreate(input: $i) {
  lead { number title clientId status priority version url publishedOn } errors { code message path } } }"""
BULK = """mutation($i: LeadBulkInput!) { leadBulk(input: $i) {
  results { index clientId lead { number title } errors { code path } } deletedIds
  errors { code path } } }"""


@pytest_asyncio.fixture(scope="module")
async def team(client: httpx2.AsyncClient) -> Team:
    """A project of three."""
    return await make_team(client)


async def made(team: Team, **lead: Any) -> Any:
    """A new lead's payload."""
    given = {"project": {"number": team.project}, "lead": {"title": rows.unique("lead"), **lead}}
    return (await team.editor(CREATE, i=given)).only


async def test_defaults_and_echo(team: Team) -> None:
    lead = (await made(team, clientId="tmp-1", publishedOn="2026-01-31"))["lead"]
    assert (lead["status"], lead["priority"], lead["version"]) == ("NOT_TAGGED", "LOW", 1)
    assert (lead["clientId"], lead["publishedOn"]) == ("tmp-1", "2026-01-31")
    (error,) = (await made(team, clientId="tmp-1"))["errors"]
    assert (error["code"], error["path"]) == ("CLIENT_ID_TAKEN", ["clientId"])


async def test_a_page_is_there_once_in_a_project(team: Team) -> None:
    page = {"sourceType": "WEBSITE", "url": "https://dup.example.org/one"}
    assert (await made(team, **page))["errors"] == []
    again = await made(team, **{**page, "url": "http://www.dup.example.org/one/?utm_source=x"})
    assert [error["code"] for error in again["errors"]] == ["DUPLICATE"]
    assert (await made(team, **{**page, "url": "https://dup.example.org/on"}))["errors"] == []
    assert (await made(team, sourceType="RSS", url=page["url"]))["errors"] == []


async def test_a_text_is_there_once_and_an_empty_one_is_none(team: Team) -> None:
    text = {"sourceType": "TEXT", "text": "the same words"}
    assert (await made(team, **text))["errors"] == []
    assert (await made(team, **text))["errors"][0]["code"] == "DUPLICATE"
    for _ in range(2):
        assert (await made(team, sourceType="TEXT", text=""))["errors"] == []


async def test_all_or_nothing(team: Team) -> None:
    gone = await rows.lead(team.project)
    items = [{"lead": {"title": "good", "clientId": "a"}}, {"lead": {"title": "", "clientId": "b"}}]
    given = {"project": {"number": team.project}, "items": items, "delete": [{"number": gone}]}
    answer = (await team.editor(BULK, i=given)).only
    assert answer["errors"] == [{"code": "TITLE_MISSING", "path": ["title"]}]
    assert [one["lead"] for one in answer["results"]] == [None, None]
    assert answer["deletedIds"] == []
    assert (await rows.values_of(leads, gone))["id"] == gone


async def test_each_for_itself(team: Team) -> None:
    there = await rows.lead(team.project)
    items = [
        {"lead": {"title": "good", "clientId": "c"}},
        {"lead": {"title": "", "clientId": "d"}},
        {"by": {"number": there}, "lead": {"title": "changed"}},
        {"by": {"number": 999_999_999}, "lead": {"title": "nobody's"}},
    ]
    given = {"project": {"number": team.project}, "items": items, "atomic": False}
    answer = (await team.editor(BULK, i=given)).only
    assert answer["errors"] == []
    assert [one["index"] for one in answer["results"]] == [0, 1, 2, 3]
    assert [one["clientId"] for one in answer["results"]] == ["c", "d", None, None]
    titles = [one["lead"] and one["lead"]["title"] for one in answer["results"]]
    assert titles == ["good", None, "changed", None]
    codes = [[error["code"] for error in one["errors"]] for one in answer["results"]]
    assert codes == [[], ["TITLE_MISSING"], [], ["NOT_FOUND"]]


async def test_full_text_search(team: Team, client: httpx2.AsyncClient) -> None:
    found = await rows.lead(team.project, "Zebra crossing", text="stripes in the savanna")
    await rows.lead(team.project, "Zebra fish", text="stripes in the water")
    query = """query($s: String!, $n: Int!) { leads(where: {search: $s, projectNumber: {eq: $n}}) {
      totalCount nodes { number } } }"""
    for words in ("zebra savanna", '"zebra crossing"', "zebra -fish"):
        answer = (await team.viewer(query, s=words, n=team.project)).only
        assert answer == {"totalCount": 1, "nodes": [{"number": found}]}, words
    assert (await team.viewer(query, s="zebra", n=team.project)).only["totalCount"] == 2


async def test_leads_of_a_project_and_who_sees_the_confidential(
    team: Team, client: httpx2.AsyncClient
) -> None:
    project = await rows.project()
    for kind in ("unprotected", "restricted", "confidential"):
        await rows.lead(project, kind, confidentiality=kind)
    query = """query($n: Int!) { project(by: {number: $n}) {
      leads(orderBy: [{field: TITLE}]) { totalCount nodes { title } } viewerPermissions } }"""
    for role, seen in (("viewer", 3), ("restricted_viewer", 2)):
        caller = await member(client, project, role)
        answer = (await caller(query, n=project)).only
        assert answer["leads"]["totalCount"] == seen
        shown = [one["title"] for one in answer["leads"]["nodes"]]
        assert ("confidential" in shown) is (role == "viewer")
    assert (await team.viewer(query, n=project)).only is None


async def test_a_page_goes_on_while_rows_come(team: Team) -> None:
    project = await rows.project()
    await rows.member(project, int((await team.owner("{ me { number } }")).only["number"]), "owner")
    wanted = {await rows.lead(project) for _ in range(7)}
    query = """query($n: Int!, $a: String) { leads(first: 2, after: $a,
      where: {projectNumber: {eq: $n}}) { nodes { number } pageInfo { hasNextPage endCursor } } }"""
    seen: list[int] = []
    after = None
    while True:
        page = (await team.owner(query, n=project, a=after)).only
        seen += [one["number"] for one in page["nodes"]]
        await rows.lead(project)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) and wanted <= set(seen)


async def test_a_file_is_staged_becomes_an_attachment_and_is_read(
    team: Team, client: httpx2.AsyncClient
) -> None:
    owner = {"Authorization": f"Bearer {team.editor.token}"}
    sent = await client.post("/v2/uploads", content=b"hello world", headers=owner)
    assert sent.status_code == 201 and sent.json()["bytes"] == 11
    create = """mutation($u: String!, $t: String!) { attachmentCreate(input: {upload: $u, title: $t}) {
      attachment { number md5 mimeType bytes path } errors { code path } } }"""
    refused = (await team.editor(create, u=sent.json()["upload"], t="x.exe")).only["errors"]
    assert refused == [{"code": "FILE_TYPE", "path": ["file"]}]
    others = (await team.owner(create, u=sent.json()["upload"], t="a.txt")).only["errors"]
    assert others == [{"code": "INVALID", "path": ["upload"]}]
    file = (await team.editor(create, u=sent.json()["upload"], t="a.txt")).only["attachment"]
    assert file["md5"] == "5eb63bbbe01eeed093cb22bb8f5acdc3" and file["bytes"] == "11"
    viewer = {"Authorization": f"Bearer {team.viewer.token}"}
    assert (await client.get(file["path"], headers=viewer)).status_code == 404
    await made(team, attachmentNumber=file["number"], sourceType="DISK")
    answer = await client.get(file["path"], headers=viewer)
    assert (answer.status_code, answer.content) == (200, b"hello world")
    assert answer.headers["content-disposition"].startswith("attachment")
    again = await made(team, attachmentNumber=file["number"], sourceType="DISK")
    assert again["errors"][0]["code"] == "DUPLICATE"
    assert (await client.get(file["path"])).status_code == 401
    assert (await client.post("/v2/uploads", content=b"x")).status_code == 401


ASSIGNEES = "assignees { position userNumber userName user { number } }"


async def test_who_works_on_a_lead(team: Team) -> None:
    one, two = int((await team.editor("{ me { number } }")).only["number"]), await rows.user()
    await rows.member(team.project, two, "viewer")
    lead = (await made(team, assigneeNumbers=[two, one, two]))["lead"]["number"]
    query = f"query($n: Int!) {{ lead(by: {{number: $n}}) {{ version {ASSIGNEES} }} }}"
    shown = (await team.viewer(query, n=lead)).only["assignees"]
    assert [(a["position"], a["userNumber"], a["user"]["number"]) for a in shown] == [
        (0, two, two),
        (1, one, one),
    ]
    items = [
        {"by": {"number": lead}, "lead": {"assigneeNumbers": [one]}},
        {"lead": {"title": "assigned", "assigneeNumbers": [one, two]}},
        {"lead": {"title": "too many", "assigneeNumbers": list(range(1, 52))}},
        {"lead": {"title": "nobody", "assigneeNumbers": [999_999_999]}},
    ]
    given = {"project": {"number": team.project}, "items": items, "atomic": False}
    answer = (await team.editor(BULK, i=given)).only
    paths = [[error["path"] for error in one["errors"]] for one in answer["results"]]
    assert paths == [[], [], [["assignee"]], [["assignee"]]]
    where = f"{{projectNumber: {{eq: {team.project}}}, assignee: {{number: {{in: [{two}]}}}}}}"
    found = (await team.viewer(f"{{ leads(where: {where}) {{ nodes {{ title }} }} }}")).only
    assert [one["title"] for one in found["nodes"]] == ["assigned"]
    async with db.engine().begin() as connection:
        await connection.execute(delete(users).where(users.c.id == two))
    again = f"query($n: Int!) {{ lead(by: {{number: $n}}) {{ {ASSIGNEES} }} }}"
    left = (await team.editor(again, n=answer["results"][1]["lead"]["number"])).only["assignees"]
    assert [a["userNumber"] for a in left] == [one]


async def test_a_change_of_assignees_is_told_in_the_audit_log(team: Team) -> None:
    lead = (await made(team))["lead"]["number"]
    me = int((await team.editor("{ me { number } }")).only["number"])
    change = """mutation($n: Int!, $a: [Int!]!) { leadUpdate(input: {by: {number: $n},
      lead: {assigneeNumbers: $a}}) { lead { version } errors { code } } }"""
    assert (await team.editor(change, n=lead, a=[me])).only["lead"]["version"] == 2
    async with db.reading() as connection:
        wanted = select(audit_log).where(audit_log.c.object_id == str(lead))
        logged = (await connection.execute(wanted)).mappings().all()
    assert [(row["action"], row["fields"]) for row in logged][-1] == ("lead.update", ["assignees"])


async def test_organisations_of_a_project(team: Team) -> None:
    organization = await rows.organization(title="River Office")
    change = """mutation($n: Int!, $o: [ProjectOrganizationInput!]) { projectUpdate(input: {number: $n,
      organizations: $o}) { errors { code path }
      project { organizations { position kind kindLabel organization { title } } } } }"""
    parts = [{"number": organization, "kind": kind} for kind in ("DONOR", "LEAD_ORGANIZATION")]
    shown = (await team.owner(change, n=team.project, o=[*parts, parts[0]])).only["project"]
    told = [(one["kind"], one["kindLabel"]) for one in shown["organizations"]]
    assert told == [("DONOR", "Donor"), ("LEAD_ORGANIZATION", "Lead Organization")]
    wrong = [{"number": 999_999_999, "kind": "DONOR"}]
    errors = (await team.owner(change, n=team.project, o=wrong)).only["errors"]
    assert errors == [{"code": "INVALID", "path": ["organizations"]}]
    many = [{"number": n, "kind": "DONOR"} for n in range(1, 102)]
    assert (await team.owner(change, n=team.project, o=many)).only["errors"] == errors
    kept = (await team.owner(change, n=team.project)).only["project"]
    assert kept == shown
    assert (await team.owner(change, n=team.project, o=[])).only["project"]["organizations"] == []
