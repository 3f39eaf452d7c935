"""What is kept of leads, projects, groups and passwords, and what each filter of leads means."""

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.access.tables import users
from app.content.tables import organization_types
from app.projects.tables import projects
from app.settings import Settings, get_settings
from tests.factories import rows
from tests.rest_compat.deep_person import PASSWORD, Person, V, person

SERVER = {"X-Deep-Dialect": "server"}


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
async def bob(client: httpx2.AsyncClient, project: int) -> Person:
    """A member."""
    made = await person(client, "bob")
    await rows.member(project, made.user, "editor")
    return made


@pytest_asyncio.fixture(scope="module")
async def mallory(client: httpx2.AsyncClient) -> Person:
    """An outsider."""
    return await person(client, "mallory")


async def found(who: Person, query: str) -> list[int]:
    """Ids of a list."""
    answer = await who("GET", query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["results"]]


# --- assignees -----------------------------------------------------------------------------------


async def test_all_assignees_of_a_lead_are_kept_in_order(
    alice: Person, bob: Person, mallory: Person, project: int
) -> None:
    both = [bob.user, alice.user]
    made = await alice("POST", "/leads/", {"title": "two", "project": project, "assignee": both})
    assert made.status_code == 201, made.text
    lead = made.json()
    assert lead["assignee"] == both
    assert lead["assigneeDetails"]["id"] == bob.user
    place = f"/leads/{lead['id']}/"
    server = (await alice("GET", place, headers=SERVER)).json()
    assert server["assignee"] == bob.user
    assert (await alice("PATCH", place, {"title": "still two"})).json()["assignee"] == both
    for given, kept in (([alice.user, alice.user], [alice.user]), (bob.user, [bob.user])):
        assert (await alice("PATCH", place, {"assignee": given})).json()["assignee"] == kept
    for wrong in ([bob.user, mallory.user], [999_999_999], ["a"], [None], {"id": 1}):
        refused = await alice("PATCH", place, {"assignee": wrong})
        assert (refused.status_code, set(refused.json()["errors"])) == (400, {"assignee"})
    assert (await alice("GET", place)).json()["assignee"] == [bob.user]
    assert (await alice("PATCH", place, {"assignee": []})).json()["assignee"] == []


async def test_leads_are_found_by_any_assignee(alice: Person, bob: Person) -> None:
    own = await rows.project()
    for one in (alice, bob):
        await rows.member(own, one.user, "owner")
    leads = {}
    for name, given in {
        "both": [alice.user, bob.user],
        "alice": [alice.user],
        "bob": [bob.user],
        "none": [],
    }.items():
        body = {"title": name, "project": own, "assignee": given}
        leads[name] = (await alice("POST", "/leads/", body)).json()["id"]
    asked = f"/leads/?project={own}&ordering=id&assignee="
    assert await found(alice, f"{asked}{alice.user}") == [leads["both"], leads["alice"]]
    of_two = [leads["both"], leads["alice"], leads["bob"]]
    assert await found(alice, f"{asked}{alice.user},{bob.user}") == of_two
    assert await found(alice, f"{asked}999999999") == []
    by_body = await alice("POST", "/leads/filter/", {"project": own, "assignee": [bob.user]})
    assert {one["id"] for one in by_body.json()["results"]} == {leads["both"], leads["bob"]}
    by_first = await found(alice, f"/leads/?project={own}&ordering=-assignee,id")
    assert by_first == [leads["bob"], leads["both"], leads["alice"], leads["none"]]


async def test_who_has_left_stays_with_what_was_assigned(alice: Person, project: int) -> None:
    gone = await person(alice.client, "gone")
    member = await rows.member(project, gone.user, "editor")
    body = {"title": "left", "project": project, "assignee": [gone.user, alice.user]}
    lead = (await alice("POST", "/leads/", body)).json()
    place = f"/projects/{project}/project-memberships/{member}/"
    assert (await alice("DELETE", place)).status_code == 204
    again = (await alice("GET", f"/leads/{lead['id']}/")).json()
    assert again["assignee"] == [gone.user, alice.user]
    assert again["assigneeDetails"]["displayName"] and again["assigneeDetails"]["email"] is None
    kept = await alice("PUT", f"/leads/{lead['id']}/", again)
    assert (kept.status_code, kept.json()["assignee"]) == (200, [gone.user, alice.user])


# --- organisations of projects -------------------------------------------------------------------


async def test_organisations_of_a_project_are_kept(alice: Person, mallory: Person) -> None:
    wire = await rows.organization(title="Relief Wire", short_name="RW")
    office = await rows.organization(title="River Office")
    given = [
        {"organization": office, "organizationType": "donor"},
        {"organization": wire, "organization_type": "lead_organization"},
        {"organization": wire, "organizationType": "donor"},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_settings().access, "projects_by_anybody", True)
        body = {"title": rows.unique("with parts"), "organizations": given}
        made = await alice("POST", "/projects/", body)
    assert made.status_code == 201, made.text
    own = made.json()
    shown = [(one["organization"], one["organizationType"]) for one in own["organizations"]]
    assert shown == [(office, "donor"), (wire, "lead_organization"), (wire, "donor")]
    first = own["organizations"][1]
    details = {"id": wire, "title": "Relief Wire", "shortName": "RW"}
    assert first["organizationTypeDisplay"] == "Lead Organization"
    assert details.items() <= first["organizationDetails"].items() and first["id"] > 0
    place = f"/projects/{own['id']}/"
    assert (await mallory("GET", place)).json()["organizations"] == own["organizations"]
    kept = await alice("PATCH", place, {"description": "as it was"})
    assert kept.json()["organizations"] == own["organizations"]
    less = {"title": own["title"], "organizations": own["organizations"][:1]}
    put = (await alice("PUT", place, less)).json()["organizations"]
    assert [(one["organization"], one["organizationType"]) for one in put] == [(office, "donor")]
    assert (await alice("PATCH", place, {"organizations": []})).json()["organizations"] == []


@pytest.mark.parametrize(
    "given",
    [
        5,
        None,
        ["a"],
        [{"organization": 999_999_999, "organizationType": "donor"}],
        [{"organization": "x", "organizationType": "donor"}],
        [{"organizationType": "donor"}],
        [{"organization": 1, "organizationType": "friend"}],
    ],
)
async def test_organisations_that_cannot_be_are_told(
    alice: Person, project: int, given: Any
) -> None:
    refused = await alice("PATCH", f"/projects/{project}/", {"organizations": given})
    assert (refused.status_code, set(refused.json()["errors"])) == (400, {"organizations"})


@pytest.mark.parametrize("member", ["regions", "userGroups", "user_groups"])
async def test_what_a_project_does_not_keep_is_refused(
    alice: Person, project: int, member: str
) -> None:
    place = f"/projects/{project}/"
    refused = await alice("PATCH", place, {member: [{"id": 1}]})
    assert refused.status_code == 400 and len(refused.json()["errors"]) == 1
    assert (await alice("PATCH", place, {member: []})).status_code == 200
    asked = {"userGroups": "user_groups"}.get(member, member)
    assert await found(alice, f"/projects/?id={project}&{asked}=1") == []
    assert (await alice("GET", f"/projects/?{asked}=x")).status_code == 400


async def test_projects_by_who_changed_them(alice: Person, bob: Person, project: int) -> None:
    await alice("PATCH", f"/projects/{project}/", {"description": "changed"})
    asked = f"/projects/?id={project}&modified_by="
    assert await found(alice, f"{asked}{alice.user}") == [project]
    assert await found(alice, f"{asked}{bob.user}") == []


# --- filters of leads ----------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module")
async def leads(client: httpx2.AsyncClient, alice: Person) -> dict[str, int]:
    """Leads of a project of their own, and that project as `project`."""
    own, kind = await rows.project(), (await rows.row(organization_types, title="NGO"))["id"]
    await rows.member(own, alice.user, "owner")
    author = await rows.organization(organization_type_id=kind)
    flood = {"emmKeyword": "flood", "emmRiskFactor": "water", "count": 2}
    fire = {"emmKeyword": "fire", "emmRiskFactor": "heat"}
    bodies: dict[str, dict[str, Any]] = {
        "flood": {"title": "Flood in the northern valley", "emmTriggers": [flood]},
        "same": {"title": "Flood in the northern valleys", "authors": [author]},
        "fire": {"title": "Fires", "emmTriggers": [flood, fire], "emmEntities": [{"name": "UN"}]},
    }
    made = {"project": own, "type": kind}
    for name, body in bodies.items():
        answer = await alice("POST", "/leads/", {**body, "project": own})
        assert answer.status_code == 201, answer.text
        made[name] = answer.json()["id"]
    far = await rows.project()
    await rows.member(far, alice.user, "owner")
    made["far"] = await rows.lead(far, bodies["flood"]["title"])
    return made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("created_at=2024-05-03%2B0000", ""),
        ("created_at={moment}", "flood"),
        ("created_at={moment}&emm_risk_factors=heat", ""),
        ("exists=entries_do_not_exist", "flood same fire"),
        ("exists=assessment_does_not_exist", "flood same fire"),
        ("exists=entries_exists", ""),
        ("exists=assessment_exists", ""),
        ("exists=entries_exists&id={flood}", ""),
        ("classified_doc_id=1", ""),
        ("classified_doc_id=1,2&id={flood}", ""),
        ("authoring_organization_types={type}", "same"),
        ("authoring_organization_types={type},999999", "same"),
        ("authoring_organization_types=999999", ""),
        ("emm_keywords=flood", "flood fire"),
        ("emm_keywords=fire,storm", "fire"),
        ("emm_risk_factors=heat", "fire"),
        ("emm_keywords=flood&emm_risk_factors=heat", "fire"),
        ("emm_entities=UN", "fire"),
        ("emm_entities=NATO", ""),
        ("similar={flood}", "flood same"),
        ("similar={fire}", "fire"),
        ("similar={far}", ""),
        ("similar=999999", ""),
    ],
)
async def test_filters(alice: Person, leads: dict[str, int], query: str, names: str) -> None:
    wanted = [leads[name] for name in names.split()]
    made = (await alice("GET", f"/leads/{leads['flood']}/")).json()["createdAt"]
    asked = query.format(**leads, moment=made)
    assert await found(alice, f"/leads/?project={leads['project']}&ordering=id&{asked}") == wanted


@pytest.mark.parametrize(
    "query",
    [
        "exists=perhaps",
        "classified_doc_id=x",
        "authoring_organization_types=x",
        "similar=x",
        "similar=99999999999",
    ],
)
async def test_filters_that_cannot_be_are_told(alice: Person, query: str) -> None:
    answer = await alice("GET", f"/leads/?{query}")
    assert answer.status_code == 400 and len(answer.json()["errors"]) == 1


async def test_similar_to_what_one_may_not_see(mallory: Person, leads: dict[str, int]) -> None:
    assert await found(mallory, f"/leads/?similar={leads['flood']}") == []


# --- people --------------------------------------------------------------------------------------


async def test_a_password_is_changed(client: httpx2.AsyncClient) -> None:
    someone = await person(client, "changer")
    place = "/users/me/change-password/"
    wrong = await someone("POST", place, {"oldPassword": "wrong", "newPassword": "a new one"})
    assert (wrong.status_code, set(wrong.json()["errors"])) == (400, {"oldPassword"})
    short = await someone("POST", place, {"oldPassword": PASSWORD, "newPassword": "x"})
    assert (short.status_code, set(short.json()["errors"])) == (400, {"newPassword"})
    none = await someone("POST", place, {})
    assert set(none.json()["errors"]) == {"oldPassword", "newPassword"}
    good = await someone("POST", place, {"old_password": PASSWORD, "new_password": "a new one"})
    assert good.status_code == 200, good.text
    assert (await someone("GET", "/users/me/")).status_code == 401
    login = {"email": someone.name, "password": "a new one"}
    assert (await client.post(f"{V}/login/", json=login)).status_code == 200
    client.cookies.clear()
    assert (await rows.values_of(users, someone.user))["password_hash"] != "x"


async def test_who_may_answer_a_wish_is_told_of_it(
    alice: Person, bob: Person, mallory: Person
) -> None:
    own = await rows.project()
    await rows.change(projects, own, is_private=False)
    await rows.member(own, alice.user, "admin")
    await rows.member(own, bob.user, "editor")
    wish = (await mallory("POST", f"/projects/{own}/join/", {"reason": "to help"})).json()
    place = "/users/me/notifications/"
    page = (await alice("GET", place)).json()
    assert set(page) == {"count", "next", "previous", "results"} and page["count"] == 1
    (told,) = page["results"]
    assert (told["type"], told["date"]) == ("project_join_request", wish["requestedAt"])
    assert told["details"]["id"] == wish["id"] and told["details"]["status"] == "pending"
    for other in (bob, mallory):
        assert (await other("GET", place)).json()["count"] == 0
    answered = await alice("POST", f"/projects/{own}/requests/{wish['id']}/reject/")
    (told,) = (await alice("GET", place)).json()["results"]
    assert told["date"] == answered.json()["respondedAt"]
    assert told["details"]["status"] == "rejected"


async def test_users_outside_of_a_project(alice: Person, bob: Person, project: int) -> None:
    other = await rows.project()
    await rows.member(other, alice.user, "owner")
    assert alice.user not in await found(alice, f"/users/?members_exclude_project={project}")
    outside = await found(alice, f"/users/?members_exclude_project={other}")
    assert bob.user in outside and alice.user not in outside
    hidden = await rows.project()
    await rows.member(hidden, bob.user, "owner")
    assert bob.user in await found(alice, f"/users/?members_exclude_project={hidden}")


async def test_members_of_groups(alice: Person, bob: Person, mallory: Person) -> None:
    group = (await alice("POST", "/user-groups/", {"title": "Cartographers"})).json()
    body = {"group": group["id"], "member": bob.user, "role": "normal"}
    joined = (await alice("POST", "/group-memberships/", body)).json()
    asked = f"/group-memberships/?group={group['id']}"
    page = (await bob("GET", asked)).json()
    assert [one["member"] for one in page["results"]] == [alice.user, bob.user]
    assert page["count"] == 2 and page["results"][1] == joined
    assert await found(bob, f"{asked}&member={bob.user}") == [joined["id"]]
    assert await found(mallory, asked) == []
    place = f"/group-memberships/{joined['id']}/"
    assert (await bob("GET", place)).json() == joined
    assert (await mallory("GET", place)).status_code == 404
    assert (await bob("PATCH", place, {"role": "admin"})).status_code == 403
    assert (await mallory("PATCH", place, {"role": "admin"})).status_code == 404
    assert (await alice("PATCH", place, {})).json()["role"] == "normal"
    assert (await alice("PUT", place, {"role": "admin"})).json()["role"] == "admin"
    assert set((await alice("PUT", place, {})).json()["errors"]) == {"role"}
    assert set((await alice("PATCH", place, {"role": "x"})).json()["errors"]) == {"role"}
    assert (await alice("PATCH", place, {"role": "normal"})).status_code == 200
    own = f"/group-memberships/{page['results'][0]['id']}/"
    assert (await alice("PATCH", own, {"role": "normal"})).status_code == 400
    assert (await alice("DELETE", place)).status_code == 204


# --- roles, versions, the dialect of the installation --------------------------------------------

ALL = ["view", "create", "modify", "delete"]
ROLES = {
    "project_owner": (1, ALL, ALL, ["modify", "delete"], ["create"]),
    "admin": (100, ALL, ALL, ["modify"], ["create"]),
    "member": (200, ALL, ALL, [], ["create"]),
    "unknown": (300, ALL, [], [], []),
    "reader": (400, ["view"], ["view"], [], ["create"]),
    "reader_non_confidential": (
        800,
        ["view_only_unprotected"],
        ["view_only_unprotected"],
        [],
        ["create_only_unprotected"],
    ),
}


async def test_roles_are_those_of_deep(alice: Person, project: int) -> None:
    listed = (await alice("GET", "/project-roles/")).json()["results"]
    names = ("level", "leadPermissions", "entryPermissions", "setupPermissions")
    told = {r["type"]: (*(r[n] for n in names), r["exportPermissions"]) for r in listed}
    assert told == ROLES
    assert [r["type"] for r in listed if r["isCreatorRole"]] == ["project_owner"]
    assert [r["type"] for r in listed if r["isDefaultRole"]] == ["member"]
    own = (await alice("GET", f"/projects/{project}/")).json()["role"]
    assert own == next(r["id"] for r in listed if r["type"] == "project_owner")


async def test_another_version_answers_the_same_with_its_own_links(
    alice: Person, project: int
) -> None:
    for _ in range(2):
        await rows.lead(project)
    url = f"/leads/?project={project}&limit=1"
    one = (await alice("GET", url)).json()
    two = (await alice.client.get(f"/api/v2{url}", headers=alice.headers)).json()
    assert two["results"] == one["results"]
    assert two["next"] == one["next"].replace("/api/v1/", "/api/v2/")
    to = await alice.client.get("/api/v2/leads?limit=1")
    assert (to.status_code, to.headers["location"]) == (301, "/api/v2/leads/?limit=1")
    nothing = await alice.client.get("/api/v2/nothing/", headers=alice.headers)
    assert (nothing.status_code, nothing.json()["errorCode"]) == (404, 404)


async def test_an_installation_may_speak_the_servers_dialect(alice: Person, project: int) -> None:
    lead = await rows.lead(project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_settings().door, "deep_dialect", "server")
        shown = (await alice("GET", f"/leads/{lead}/")).json()
        assert {"website", "assignee", "publishedOn"}.isdisjoint(shown)
        refused = (await alice("POST", "/leads/", {"project": project})).json()
        assert refused["errors"] == {"title": ["This field is required."]}
        told = (await alice.client.get(f"{V}/leads/")).json()
        assert told["errorCode"] == 4011
        documented = {"X-Deep-Dialect": "documented"}
        shown = (await alice("GET", f"/leads/{lead}/", headers=documented)).json()
        assert (shown["website"], shown["assignee"], shown["publishedOn"]) == ("", [], None)
    shown = (await alice("GET", f"/leads/{lead}/")).json()
    assert shown["assignee"] == []


def test_the_dialect_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().door.deep_dialect == "documented"
    monkeypatch.setenv("ISTHMUS_DEEP_DIALECT", "server")
    assert Settings().door.deep_dialect == "server"
    monkeypatch.setenv("ISTHMUS_DEEP_DIALECT", "klingon")
    with pytest.raises(ValueError, match="documented"):
        Settings()
