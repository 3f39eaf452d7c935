"""Pipelines through the graph: create, change, rename, copy, delete."""

import asyncio

import pytest

from app.core.ids import global_id
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Caller

CREATE = """mutation($i: PipelineCreateInput!) { pipelineCreate(input: $i) {
  pipeline { id uuid name type tags variables version createdBy { username } blocks { uuid content }
    triggers { id } }
  errors { message code path } } }"""
UPDATE = """mutation($i: PipelineUpdateInput!) { pipelineUpdate(input: $i) {
  pipeline { id uuid name description tags variables settings version blocks { uuid content status }
    triggers { name status nextFireAt } }
  errors { message code path } } }"""
DELETE = """mutation($u: String!) { pipelineDelete(input: {by: {uuid: $u}}) {
  deletedId pipeline { uuid } errors { message } } }"""


async def test_the_uuid_is_made_from_the_name(team: Team) -> None:
    made = await team.editor(
        CREATE, i={"name": "Arwen-Starlight 7", "tags": ["elf"], "variables": {"a": [1, None]}}
    )
    pipeline = made.only["pipeline"]
    assert pipeline["uuid"] == "arwen_starlight_7"
    assert pipeline["name"] == "Arwen-Starlight 7"
    assert (pipeline["type"], pipeline["version"]) == ("PYTHON", 1)
    assert (pipeline["tags"], pipeline["variables"]) == (["elf"], {"a": [1, None]})
    assert pipeline["createdBy"]["username"].startswith("editor")
    assert pipeline["blocks"] == pipeline["triggers"] == []


@pytest.mark.parametrize(
    ("name", "uuid"),
    [("2 towers", "letter_2_towers"), ('a"$\tb', "ab"), ("Ünïcode", "ünïcode"), ('"$"', "_")],
)
async def test_names_become_identifiers(team: Team, name: str, uuid: str) -> None:
    assert (await team.editor(CREATE, i={"name": name})).only["pipeline"]["uuid"] == uuid


async def test_the_same_uuid_is_refused_in_a_project_and_fine_in_another(
    team: Team, owner: Caller
) -> None:
    await team.editor(CREATE, i={"name": "twice over"})
    again = await team.editor(CREATE, i={"name": "Twice-Over"})
    assert again.fault == "NAME_TAKEN"
    assert again.only["pipeline"] is None
    elsewhere = await owner(CREATE, i={"name": "twice over"})
    assert elsewhere.only["errors"] == []


async def test_of_many_that_take_one_name_at_once_one_gets_it(team: Team) -> None:
    answers = await asyncio.gather(*(team.editor(CREATE, i={"name": "race"}) for _ in range(8)))
    faults = [error["code"] for answer in answers for error in answer.only["errors"]]
    assert faults == ["NAME_TAKEN"] * 7


@pytest.mark.parametrize("name", [None, "", "   ", "x" * 256])
async def test_a_name_of_no_use_is_refused(team: Team, name: str | None) -> None:
    answer = await team.editor(CREATE, i={"name": name})
    assert answer.fault in ("NAME_MISSING", "INVALID")
    assert answer.only["errors"][0]["path"] == ["name"]


async def test_a_project_that_does_not_exist_is_not_found_even_by_an_owner(owner: Caller) -> None:
    for project in (global_id("Project", 987654), global_id("User", 1), "rubbish"):
        answer = await owner(CREATE, i={"name": "lost", "projectId": project})
        assert answer.codes == ["NOT_FOUND"]


async def test_an_update_changes_what_it_names_and_nothing_else(team: Team) -> None:
    await team.editor(CREATE, i={"name": "steady", "tags": ["a"], "variables": {"k": 1}})
    by = {"uuid": "steady"}
    answer = await team.editor(UPDATE, i={"by": by, "description": "new", "settings": {"x": 1}})
    pipeline = answer.only["pipeline"]
    assert (pipeline["description"], pipeline["settings"]) == ("new", {"x": 1})
    assert (pipeline["tags"], pipeline["variables"]) == (["a"], {"k": 1})
    assert pipeline["version"] == 2
    cleared = await team.editor(UPDATE, i={"by": by, "description": None, "tags": []})
    assert cleared.only["pipeline"]["description"] is None
    assert cleared.only["pipeline"]["tags"] == []


async def test_a_stale_version_is_a_conflict_and_changes_nothing(team: Team) -> None:
    await team.editor(CREATE, i={"name": "contested"})
    by = {"uuid": "contested"}
    first = {"by": by, "description": "first", "expectedVersion": 1}
    second = {"by": by, "description": "second", "expectedVersion": 1, "name": "other name"}
    assert (await team.editor(UPDATE, i=first)).only["errors"] == []
    assert (await team.editor(UPDATE, i=second)).codes == ["CONFLICT"]
    now = await team.editor('{ pipeline(by: {uuid: "contested"}) { description version } }')
    assert now.only == {"description": "first", "version": 2}


async def test_of_many_updates_of_one_version_one_succeeds(team: Team) -> None:
    await team.editor(CREATE, i={"name": "hot"})
    change = {"by": {"uuid": "hot"}, "description": "mine", "expectedVersion": 1}
    answers = await asyncio.gather(*(team.editor(UPDATE, i=change) for _ in range(6)))
    assert sorted(str(a.codes) for a in answers) == ["['CONFLICT']"] * 5 + ["[]"]


async def test_a_new_name_gives_a_new_uuid_that_runs_and_triggers_follow(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "old name")
    trigger = await rows.trigger(pipeline, "t")
    run = await rows.run(pipeline, trigger_id=trigger["id"])
    answer = await team.editor(UPDATE, i={"by": {"uuid": "old_name"}, "name": "new name"})
    assert answer.only["pipeline"]["uuid"] == "new_name"
    query = """query($r: ID!) { old: pipeline(by: {uuid: "old_name"}) { id }
      pipelineRun(by: {id: $r}) { pipelineUuid pipeline { uuid } trigger { pipeline { uuid } } }
      triggers(where: {pipelineUuid: {eq: "new_name"}}) { totalCount } }"""
    data = (await team.viewer(query, r=run.global_id)).data
    assert data["old"] is None
    assert data["pipelineRun"]["pipelineUuid"] == "new_name"
    assert data["pipelineRun"]["pipeline"] == {"uuid": "new_name"}
    assert data["pipelineRun"]["trigger"]["pipeline"] == {"uuid": "new_name"}
    assert data["triggers"]["totalCount"] == 1


async def test_a_taken_name_is_refused_and_nothing_changes(team: Team) -> None:
    await rows.pipeline(team.project, "here")
    await rows.pipeline(team.project, "there")
    answer = await team.editor(UPDATE, i={"by": {"uuid": "here"}, "name": "there", "tags": ["x"]})
    assert answer.fault == "NAME_TAKEN"
    now = await team.editor('{ pipeline(by: {uuid: "here"}) { name tags } }')
    assert now.only == {"name": "here", "tags": []}


async def test_code_of_several_blocks_is_set_at_once(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "coded")
    for name in ("a", "b", "c"):
        await rows.block(pipeline, name, content="old")
    contents = [
        {"uuid": "a", "content": "new a"},
        {"uuid": "b", "content": None},
    ]
    change = {"by": {"uuid": "coded"}, "blockContents": contents}
    blocks = (await team.editor(UPDATE, i=change)).only["pipeline"]["blocks"]
    assert [block["content"] for block in blocks] == ["new a", "old", "old"]
    assert blocks[0]["status"] == "UPDATED"
    change["blockContents"] = [{"uuid": "b", "content": "x"}, {"uuid": "unknown", "content": "x"}]
    assert (await team.editor(UPDATE, i=change)).fault == "BLOCK_UNKNOWN"
    read = await team.editor('{ block(by: {path: {pipeline: "coded", block: "b"}}) { content } }')
    assert read.only["content"] == "old"


async def test_all_triggers_are_switched_at_once(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "switched")
    await rows.trigger(pipeline, "api")
    await rows.trigger(pipeline, "daily", type="time", interval="@daily")
    by = {"uuid": "switched"}
    on = await team.editor(UPDATE, i={"by": by, "triggersStatus": "ACTIVE"})
    found = {t["name"]: t for t in on.only["pipeline"]["triggers"]}
    assert {t["status"] for t in found.values()} == {"ACTIVE"}
    assert found["daily"]["nextFireAt"] is not None
    assert found["api"]["nextFireAt"] is None
    off = await team.editor(UPDATE, i={"by": by, "triggersStatus": "INACTIVE"})
    assert {t["nextFireAt"] for t in off.only["pipeline"]["triggers"]} == {None}


async def test_a_copy_has_the_blocks_and_no_triggers(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "source", variables={"k": 1}, tags=["t"])
    await rows.block(pipeline, "a", content="code of a")
    await rows.block(pipeline, "b", ["a"])
    await rows.trigger(pipeline)
    copy = (await team.editor(CREATE, i={"cloneOf": "source", "name": "the copy"})).only["pipeline"]
    assert copy["uuid"] == "the_copy"
    assert [block["uuid"] for block in copy["blocks"]] == ["a", "b"]
    assert copy["blocks"][0]["content"] == "code of a"
    assert (copy["variables"], copy["tags"], copy["triggers"]) == ({"k": 1}, ["t"], [])
    named = (await team.editor(CREATE, i={"cloneOf": "source"})).only["pipeline"]
    assert named["name"] == "source copy"
    assert (await team.editor(CREATE, i={"cloneOf": "source"})).fault == "NAME_TAKEN"
    assert (await team.editor(CREATE, i={"cloneOf": "nothing"})).codes == ["NOT_FOUND"]


async def test_a_copy_stays_in_the_project_that_is_named(team: Team, owner: Caller) -> None:
    other = await rows.project()
    await rows.pipeline(other, "theirs")
    theirs = {"cloneOf": "theirs", "projectId": global_id("Project", other)}
    assert (await team.editor(CREATE, i=theirs)).codes == ["NOT_FOUND"]
    made = (await owner(CREATE, i=theirs)).only["pipeline"]
    stored = await rows.values_of(rows.pipelines, int(rows.key_of(made["id"])))
    assert stored["project_id"] == other


async def test_a_deleted_pipeline_leaves_its_runs_readable(team: Team) -> None:
    pipeline = await rows.pipeline(team.project, "doomed")
    trigger = await rows.trigger(pipeline)
    await rows.block(pipeline, "a")
    run = await rows.run(pipeline, trigger_id=trigger["id"], steps={"a": "succeeded"}, log=["hi"])
    gone = (await team.editor(DELETE, u="doomed")).only
    assert gone["deletedId"] == global_id("Pipeline", pipeline)
    assert gone["pipeline"] == {"uuid": "doomed"}
    query = """query($r: ID!, $t: Int!) { trigger(by: {number: $t}) { id }
      pipelineRun(by: {id: $r}) { pipelineUuid triggerNumber pipeline { id } trigger { id }
        steps { name } logs { nodes { message } } } }"""
    data = (await team.viewer(query, r=run.global_id, t=trigger["id"])).data
    assert data["trigger"] is None
    assert data["pipelineRun"] == {
        "pipelineUuid": "doomed",
        "triggerNumber": trigger["id"],
        "pipeline": None,
        "trigger": None,
        "steps": [{"name": "a"}],
        "logs": {"nodes": [{"message": "hi"}]},
    }
    assert (await team.editor(DELETE, u="doomed")).codes == ["NOT_FOUND"]


def nested(depth: int) -> dict[str, object]:
    """An object in an object in an object."""
    found: dict[str, object] = {}
    for _ in range(depth):
        found = {"n": found}
    return found


@pytest.mark.parametrize(
    "bad",
    [
        {"variables": [1]},
        {"settings": "text"},
        {"concurrencyConfig": 5},
        {"retryConfig": nested(40)},
    ],
    ids=lambda bad: next(iter(bad)),
)
async def test_free_values_must_be_objects_of_sane_size(team: Team, bad: dict[str, object]) -> None:
    await team.editor(CREATE, i={"name": "bad values"})
    answer = await team.editor(UPDATE, i={"by": {"uuid": "bad_values"}, **bad})
    assert answer.fault == "INVALID"


async def test_a_number_of_more_than_64_bits_is_refused(team: Team) -> None:
    document = """mutation { pipelineCreate(input: {name: "big",
      variables: {n: 123456789012345678901234567890}}) { errors { code message } } }"""
    assert (await team.editor(document)).fault == "INVALID"


async def test_a_viewer_changes_nothing(team: Team) -> None:
    await team.editor(CREATE, i={"name": "looked at"})
    assert (await team.viewer(CREATE, i={"name": "mine"})).codes == ["FORBIDDEN"]
    change = {"by": {"uuid": "looked_at"}, "description": "x"}
    assert (await team.viewer(UPDATE, i=change)).codes == ["FORBIDDEN"]
    assert (await team.viewer(DELETE, u="looked_at")).codes == ["FORBIDDEN"]


async def test_addresses_of_notifications_are_for_those_who_may_change_them(team: Team) -> None:
    config = {"slack_config": {"webhook_url": "https://hooks.example.com/secret"}}
    await rows.pipeline(team.project, "telling", notification_config=config)
    query = "query($u: String!) { pipeline(by: {uuid: $u}) { notificationConfig } }"
    seen = [(await who(query, u="telling")).only for who in (team.editor, team.viewer)]
    assert [pipeline["notificationConfig"] for pipeline in seen] == [config, {}]
