"""API keys: shown once, limited by scopes and project, revoked at once."""

from datetime import UTC, datetime, timedelta

import pytest

from app.access.tables import api_keys
from app.core.ids import global_id
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Caller

CREATE = """mutation($i: ApiKeyCreateInput!) { apiKeyCreate(input: $i) {
  apiKey { id name prefix scopes expiresAt user { username } } token
  errors { message code path } } }"""
UPDATE = """mutation($i: ApiKeyUpdateInput!) { apiKeyUpdate(input: $i) {
  apiKey { name version } token errors { message code } } }"""
DELETE = """mutation($id: ID!) { apiKeyDelete(input: {id: $id}) {
  deletedId errors { message code } } }"""
ME = "{ me { username } project { viewerPermissions } }"


async def test_a_key_works_for_its_user_and_is_shown_once(team: Team) -> None:
    made = (await team.editor(CREATE, i={"name": " ci "})).only
    assert made["token"].startswith("isk_")
    assert made["apiKey"]["name"] == "ci"
    assert made["apiKey"]["prefix"] == made["token"][:8]
    user = (await team.editor.with_token(made["token"])(ME)).data
    assert user["me"] == made["apiKey"]["user"]
    assert "pipeline.write" in user["project"]["viewerPermissions"]
    listed = await team.editor("{ apiKeys { nodes { id name prefix } } }")
    assert made["apiKey"]["id"] in listed.text and made["token"] not in listed.text


async def test_a_key_has_just_its_scopes(team: Team) -> None:
    scopes = ["project.read", "pipeline.read", "project.delete"]
    token = (await team.editor(CREATE, i={"name": "reads", "scopes": scopes})).only["token"]
    found = (await team.editor.with_token(token)(ME)).data["project"]["viewerPermissions"]
    assert found == ["project.read", "pipeline.read"], "what its user lacks it has not either"


async def test_a_key_that_names_a_project_is_at_home_there(team: Team, owner: Caller) -> None:
    other = await rows.project()
    given = {"name": "bound", "projectId": global_id("Project", other)}
    assert (await team.editor(CREATE, i=given)).codes == ["NOT_FOUND"]
    token = (await owner(CREATE, i=given)).only["token"]
    bound = owner.with_token(token)
    assert (await bound("{ project { id } }")).only == {"id": global_id("Project", other)}
    assert (await bound("{ projects { totalCount } }")).only == {"totalCount": 1}


@pytest.mark.parametrize(
    "bad",
    [
        {"name": " "},
        {"name": "x" * 151},
        {"scopes": ["pipeline.everything"]},
        {"expiresAt": "2001-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_values_of_no_use_are_refused(team: Team, bad: dict[str, object]) -> None:
    answer = await team.editor(CREATE, i={"name": "key", **bad})
    assert answer.fault == "INVALID" and answer.only["token"] is None


async def test_a_project_that_does_not_exist_is_not_found_even_by_an_owner(owner: Caller) -> None:
    given = {"name": "lost", "projectId": global_id("Project", 987654)}
    assert (await owner(CREATE, i=given)).codes == ["NOT_FOUND"]


async def test_a_key_is_renamed_and_never_shown_again(team: Team) -> None:
    key = (await team.editor(CREATE, i={"name": "old"})).only["apiKey"]["id"]
    change = {"id": key, "name": "new", "expectedVersion": 1}
    renamed = (await team.editor(UPDATE, i=change)).only
    assert (renamed["apiKey"]["name"], renamed["token"]) == ("new", None)
    assert (await team.editor(UPDATE, i=change)).codes == ["CONFLICT"]
    assert (await team.editor(UPDATE, i={"id": key, "name": ""})).fault == "INVALID"


async def test_a_revoked_key_is_dead_at_once(team: Team) -> None:
    made = (await team.editor(CREATE, i={"name": "short"})).only
    holder = team.editor.with_token(made["token"])
    assert (await holder(ME)).codes == []
    assert (await team.editor(DELETE, id=made["apiKey"]["id"])).only["errors"] == []
    assert (await holder(ME)).codes == ["UNAUTHENTICATED"]


async def test_a_key_expires(team: Team) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = (await team.editor(CREATE, i={"name": "brief", "expiresAt": soon})).only
    holder = team.editor.with_token(made["token"])
    assert (await holder(ME)).codes == []
    past = datetime.now(UTC) - timedelta(seconds=1)
    await rows.change(api_keys, int(rows.key_of(made["apiKey"]["id"])), expires_at=past)
    assert (await holder(ME)).codes == ["UNAUTHENTICATED"]


async def test_no_key_makes_keys_and_a_limited_one_changes_no_account(team: Team) -> None:
    user = int(rows.key_of((await team.editor("{ me { id } }")).only["id"]))
    whole, limited = await rows.api_key(user), await rows.api_key(user, scopes=["project.read"])
    for key in (whole, limited):
        holder = team.editor.with_token(key.token)
        assert (await holder(CREATE, i={"name": "another"})).codes == ["FORBIDDEN"]
    update = 'mutation { userUpdate(input: {id: "%s", firstName: "x"}) { errors { code } } }'
    document = update % global_id("User", user)
    assert (await team.editor.with_token(whole.token)(document)).only["errors"] == []
    assert (await team.editor.with_token(limited.token)(document)).codes == ["FORBIDDEN"]


async def test_a_key_is_good_in_either_header(team: Team) -> None:
    made = (await team.editor(CREATE, i={"name": "headers"})).only
    response = await team.editor.client.post(
        "/v2/graphql", json={"query": ME}, headers={"X-API-Key": made["token"]}
    )
    assert response.json()["data"]["me"] == made["apiKey"]["user"]
