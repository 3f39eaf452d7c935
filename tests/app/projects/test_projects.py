"""Projects and their members."""

import asyncio

import pytest

from app.core.ids import global_id
from tests.factories import rows
from tests.factories.team import Team, make_team, member
from tests.graphql.caller import Answer, Caller

CREATE = """mutation($i: ProjectCreateInput!) { projectCreate(input: $i) {
  project { id uuid name description viewerPermissions memberships { role { name } } }
  errors { message code path } } }"""
UPDATE = """mutation($i: ProjectUpdateInput!) { projectUpdate(input: $i) {
  project { uuid name description version } errors { message code } } }"""
DELETE = """mutation($id: ID!) { projectDelete(input: {id: $id}) {
  deletedId errors { message code } } }"""
JOIN = """mutation($i: MembershipCreateInput!) { membershipCreate(input: $i) {
  membership { id role { name } user { username } } errors { message code path } } }"""
PROMOTE = """mutation($i: MembershipUpdateInput!) { membershipUpdate(input: $i) {
  membership { role { name } version } errors { message code path } } }"""
LEAVE = """mutation($id: ID!) { membershipDelete(input: {id: $id}) {
  deletedId errors { message code } } }"""


async def join(caller: Caller, project: int, role: str, user: int | None = None) -> Answer:
    """Make a user a member."""
    who = global_id("User", user if user is not None else await rows.user())
    return await caller(
        JOIN, i={"projectId": global_id("Project", project), "userId": who, "role": role}
    )


async def own_membership(caller: Caller, project: int) -> str:
    """Id of the caller's membership."""
    me = (await caller("{ me { memberships { id project { id } } } }")).only
    wanted = {"id": global_id("Project", project)}
    return next(str(m["id"]) for m in me["memberships"] if m["project"] == wanted)


async def test_who_makes_a_project_owns_it(owner: Caller) -> None:
    made = (await owner(CREATE, i={"name": "Mount Doom", "description": "hot"})).only["project"]
    assert (made["uuid"], made["description"]) == ("mount_doom", "hot")
    assert made["memberships"] == [{"role": {"name": "owner"}}]
    assert "project.delete" in made["viewerPermissions"]
    assert (await owner(CREATE, i={"name": "mount-doom"})).fault == "NAME_TAKEN"


@pytest.mark.parametrize("name", ["", "  ", "x" * 151])
async def test_a_name_of_no_use_is_refused(owner: Caller, team: Team, name: str) -> None:
    assert (await owner(CREATE, i={"name": name})).fault == "NAME_MISSING"
    assert (await team.owner(UPDATE, i={"id": team.project_id, "name": name})).fault


async def test_an_update_keeps_the_uuid_and_heeds_the_version(team: Team) -> None:
    before = await rows.values_of(rows.projects, team.project)
    change = {"id": team.project_id, "name": "Renamed", "expectedVersion": before["version"]}
    changed = (await team.owner(UPDATE, i=change)).only["project"]
    assert (changed["name"], changed["uuid"]) == ("Renamed", before["uuid"])
    assert (await team.owner(UPDATE, i=change)).codes == ["CONFLICT"]
    assert (await team.owner(UPDATE, i={"id": team.project_id, "name": None})).fault


async def test_a_deleted_project_takes_everything_with_it(owner: Caller) -> None:
    project = await rows.project()
    pipeline = await rows.pipeline(project)
    trigger = await rows.trigger(pipeline)
    await rows.block(pipeline, "a")
    run = await rows.run(pipeline, trigger_id=trigger["id"], steps={"a": "running"}, log=["x"])
    key = await rows.api_key(await rows.user(), project_id=project)
    assert (await owner(DELETE, id=global_id("Project", project))).only["errors"] == []
    ids = [
        global_id("Project", project),
        global_id("Pipeline", pipeline),
        global_id("Trigger", trigger["id"]),
        run.global_id,
        global_id("RunStep", run.steps["a"]),
        global_id("ApiKey", key.id),
    ]
    found = await owner("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert found.only == [None] * len(ids)
    assert (await owner(DELETE, id=ids[0])).codes == ["NOT_FOUND"]


async def test_an_admin_adds_and_removes_members_but_no_owners(team: Team) -> None:
    admin = await member(team.owner.client, team.project, "admin")
    made = (await join(admin, team.project, "viewer")).only["membership"]
    promoted = await admin(PROMOTE, i={"id": made["id"], "role": "admin"})
    assert promoted.only["membership"]["role"] == {"name": "admin"}
    assert (await join(admin, team.project, "owner")).codes == ["FORBIDDEN"]
    assert (await admin(PROMOTE, i={"id": made["id"], "role": "owner"})).codes == ["FORBIDDEN"]
    owners = await own_membership(team.owner, team.project)
    assert (await admin(LEAVE, id=owners)).codes == ["FORBIDDEN"]
    assert (await admin(PROMOTE, i={"id": owners, "role": "viewer"})).codes == ["FORBIDDEN"]
    assert (await admin(LEAVE, id=made["id"])).only["deletedId"] == made["id"]


async def test_a_new_role_counts_from_the_next_call(team: Team) -> None:
    user = await rows.user()
    caller = team.owner.with_token((await rows.session(user)).token)
    create = "mutation($n: String!) { pipelineCreate(input: {name: $n}) { errors { code } } }"
    assert (await caller(create, n="early")).codes == ["FORBIDDEN"]
    membership = (await join(team.owner, team.project, "viewer", user)).only["membership"]["id"]
    assert (await caller(create, n="early")).codes == ["FORBIDDEN"]
    await team.owner(PROMOTE, i={"id": membership, "role": "editor"})
    assert (await caller(create, n="now")).only["errors"] == []
    await team.owner(LEAVE, id=membership)
    assert (await caller('{ pipeline(by: {uuid: "now"}) { id } }')).codes == ["FORBIDDEN"]


async def test_a_member_twice_and_unknown_users_and_roles_are_refused(team: Team) -> None:
    user = await rows.user()
    assert (await join(team.owner, team.project, "viewer", user)).only["errors"] == []
    assert (await join(team.owner, team.project, "editor", user)).fault == "NAME_TAKEN"
    assert (await join(team.owner, team.project, "viewer", 987654)).fault == "INVALID"
    assert (await join(team.owner, team.project, "king")).fault == "INVALID"


async def test_of_many_who_add_one_member_at_once_one_succeeds(team: Team) -> None:
    user = await rows.user()
    answers = await asyncio.gather(
        *(join(team.owner, team.project, "viewer", user) for _ in range(5))
    )
    faults = [error["code"] for answer in answers for error in answer.only["errors"]]
    assert faults == ["NAME_TAKEN"] * 4


async def test_members_leave_by_themselves_except_the_last_owner(team: Team) -> None:
    fresh = await make_team(team.owner.client)
    assert (await fresh.viewer(LEAVE, id=await own_membership(fresh.viewer, fresh.project))).only[
        "errors"
    ] == []
    own = await own_membership(fresh.owner, fresh.project)
    assert (await fresh.owner(LEAVE, id=own)).fault == "LAST_OWNER"
    assert (await fresh.owner(PROMOTE, i={"id": own, "role": "editor"})).fault == "LAST_OWNER"
    assert (await fresh.owner(PROMOTE, i={"id": own, "role": "owner"})).only["errors"] == []
    await member(fresh.owner.client, fresh.project, "owner")
    assert (await fresh.owner(LEAVE, id=own)).only["errors"] == []


async def test_two_owners_who_remove_each_other_leave_one(team: Team) -> None:
    for _ in range(5):
        fresh = await make_team(team.owner.client)
        second = await member(team.owner.client, fresh.project, "owner")
        mine = await own_membership(fresh.owner, fresh.project)
        theirs = await own_membership(second, fresh.project)
        answers = await asyncio.gather(
            fresh.owner(LEAVE, id=theirs), second(PROMOTE, i={"id": mine, "role": "viewer"})
        )
        assert not {code for answer in answers for code in answer.codes} - {
            "NOT_FOUND",
            "FORBIDDEN",
        }
        refused = [a for a in answers if a.codes or a.only["errors"]]
        assert len(refused) == 1


async def test_the_last_project_stays(owner: Caller) -> None:
    listed = await owner("{ projects(first: 100) { nodes { id } } }")
    projects = [project["id"] for project in listed.only["nodes"]]
    answers = await asyncio.gather(*(owner(DELETE, id=project) for project in projects))
    faults = [error["code"] for answer in answers for error in answer.only["errors"]]
    assert faults == ["LAST_PROJECT"]
