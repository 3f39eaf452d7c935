"""Blocks through the graph: the graph that they form, names, attached blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.pipelines.actions.blocks import MAX_BLOCKS
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Answer

CREATE = """mutation($i: BlockCreateInput!) { blockCreate(input: $i) {
  block { id uuid name type language content status position upstreamBlocks downstreamBlocks version }
  errors { message code path } } }"""
UPDATE = """mutation($i: BlockUpdateInput!) { blockUpdate(input: $i) {
  block { uuid name content status configuration upstreamBlocks downstreamBlocks callbackBlocks
    conditionalBlocks timeoutS version }
  errors { message code path } } }"""
DELETE = """mutation($p: String!, $b: String!, $f: Boolean!) {
  blockDelete(input: {by: {path: {pipeline: $p, block: $b}}, force: $f}) {
  deletedId block { uuid } errors { message code } } }"""
GRAPH = """query($u: String!) { pipeline(by: {uuid: $u}) { blocks { uuid upstreamBlocks
  downstreamBlocks callbackBlocks conditionalBlocks version } } }"""


async def graph(team: Team, uuid: str) -> dict[str, Mapping[str, Any]]:
    """The pipeline's blocks by uuid."""
    found = (await team.viewer(GRAPH, u=uuid)).only["blocks"]
    return {block["uuid"]: block for block in found}


async def chain(team: Team, *links: tuple[str, Sequence[str]]) -> str:
    """A pipeline with these blocks; returns its uuid."""
    name = rows.unique("chain")
    pipeline = await rows.pipeline(team.project, name)
    for block, upstream in links:
        await rows.block(pipeline, block, upstream)
    return name


async def update(team: Team, pipeline: str, block: str, **values: object) -> Answer:
    """Change one block."""
    path = {"pipeline": pipeline, "block": block}
    return await team.editor(UPDATE, i={"by": {"path": path}, **values})


async def create(team: Team, pipeline: str, name: str | None, **values: object) -> Answer:
    """Add one block."""
    wanted = {"pipeline": {"uuid": pipeline}, "name": name, "type": "TRANSFORMER", **values}
    return await team.editor(CREATE, i=wanted)


async def test_a_new_block_has_a_template_and_stands_last(team: Team) -> None:
    uuid = await chain(team, ("a", []))
    made = (await create(team, uuid, "Load Data", type="DATA_LOADER")).only["block"]
    assert made["uuid"] == "load_data"
    assert "@data_loader" in made["content"]
    assert (made["status"], made["language"]) == ("NOT_EXECUTED", "PYTHON")
    assert list(await graph(team, uuid)) == ["a", "load_data"]


async def test_blocks_keep_their_order_when_others_have_gone(team: Team) -> None:
    uuid = await chain(team)
    for name in ("a", "b", "c", "d"):
        await create(team, uuid, name)
    for name in ("a", "b"):
        await team.editor(DELETE, p=uuid, b=name, f=False)
    await create(team, uuid, "last")
    await create(team, uuid, "second", priority=1)
    await create(team, uuid, "first", priority=-5)
    assert list(await graph(team, uuid)) == ["first", "c", "second", "d", "last"]


async def test_the_first_block_of_a_pipeline_may_want_to_be_before_others(team: Team) -> None:
    uuid = await chain(team)
    await create(team, uuid, "only", priority=-1)
    assert list(await graph(team, uuid)) == ["only"]


async def test_given_content_is_kept_as_it_is(team: Team) -> None:
    uuid = await chain(team)
    code = "line 1\n\tline 2 — ü 🙂 \\n '\"\n"
    made = (await create(team, uuid, "a", content=code)).only["block"]
    assert (made["content"], made["status"]) == (code, "UPDATED")
    assert (await create(team, uuid, "b", content="")).only["block"]["content"] == ""


async def test_a_block_is_put_at_its_place_between_others(team: Team) -> None:
    uuid = await chain(team, ("a", []), ("c", ["a"]))
    made = await create(team, uuid, "b", upstreamBlocks=["a"], downstreamBlocks=["c"], priority=0)
    assert made.only["block"]["upstreamBlocks"] == ["a"]
    found = await graph(team, uuid)
    assert next(iter(found)) == "b"
    assert found["c"]["upstreamBlocks"] == ["a", "b"]
    assert found["b"]["downstreamBlocks"] == ["c"]


async def test_unknown_and_doubled_upstream_blocks_are_dropped(team: Team) -> None:
    uuid = await chain(team, ("a", []))
    made = await create(team, uuid, "b", upstreamBlocks=["ghost", "a", "a", "b"])
    assert made.only["block"]["upstreamBlocks"] == ["a"]
    changed = await update(team, uuid, "b", upstreamBlocks=["a", "ghost", "a"])
    assert changed.only["block"]["upstreamBlocks"] == ["a"]


async def test_a_taken_name_is_refused(team: Team) -> None:
    uuid = await chain(team, ("a", []))
    assert (await create(team, uuid, "A")).fault == "NAME_TAKEN"
    assert (await create(team, uuid, None)).fault == "NAME_MISSING"


async def test_a_new_name_is_followed_by_all_that_name_the_block(team: Team) -> None:
    uuid = await chain(team, ("a", []), ("b", ["a"]), ("c", ["b", "a"]), ("d", []))
    await rows.block(int(rows.key_of(await _id(team, uuid))), "hook", ["a"], type="callback")
    before = await graph(team, uuid)
    renamed = (await update(team, uuid, "a", name="Alpha One")).only["block"]
    assert (renamed["uuid"], renamed["name"]) == ("alpha_one", "Alpha One")
    assert renamed["configuration"]["file_path"] == "transformers/alpha_one.py"
    now = await graph(team, uuid)
    assert now["b"]["upstreamBlocks"] == ["alpha_one"]
    assert now["c"]["upstreamBlocks"] == ["b", "alpha_one"]
    assert now["alpha_one"]["callbackBlocks"] == ["hook"]
    assert now["b"]["version"] == before["b"]["version"] + 1
    assert now["d"]["version"] == before["d"]["version"]
    assert (await update(team, uuid, "b", name="alpha one")).fault == "NAME_TAKEN"


async def _id(team: Team, uuid: str) -> str:
    found = await team.viewer("query($u: String!) { pipeline(by: {uuid: $u}) { id } }", u=uuid)
    return str(found.only["id"])


@pytest.mark.parametrize("upstream", [["c"], ["a"], ["b", "c"]])
async def test_a_circle_is_refused_and_nothing_changes(team: Team, upstream: list[str]) -> None:
    uuid = await chain(team, ("a", []), ("b", ["a"]), ("c", ["b"]))
    before = await graph(team, uuid)
    answer = await update(team, uuid, "a", upstreamBlocks=upstream, content="new")
    assert answer.fault == "CYCLE"
    assert " --> " in answer.only["errors"][0]["message"]
    assert await graph(team, uuid) == before


async def test_a_circle_through_downstream_blocks_is_refused(team: Team) -> None:
    uuid = await chain(team, ("a", []), ("b", ["a"]), ("c", ["b"]))
    before = await graph(team, uuid)
    assert (await update(team, uuid, "c", downstreamBlocks=["a"])).fault == "CYCLE"
    answer = await create(team, uuid, "d", upstreamBlocks=["c"], downstreamBlocks=["a"])
    assert answer.fault == "CYCLE"
    assert await graph(team, uuid) == before


async def test_downstream_blocks_are_exactly_those_that_are_named(team: Team) -> None:
    uuid = await chain(team, ("a", []), ("b", ["a"]), ("c", []))
    answer = await update(team, uuid, "a", downstreamBlocks=["c"])
    assert answer.only["block"]["downstreamBlocks"] == ["c"]
    found = await graph(team, uuid)
    assert (found["b"]["upstreamBlocks"], found["c"]["upstreamBlocks"]) == ([], ["a"])


async def test_callbacks_and_conditionals_are_attached_and_detached(team: Team) -> None:
    uuid = await chain(team, ("a", []), ("b", ["a"]))
    for name, kind in (("hook", "CALLBACK"), ("only_if", "CONDITIONAL")):
        await create(team, uuid, name, type=kind)
    wanted = {"callbackBlocks": ["hook"], "conditionalBlocks": ["only_if", "b"]}
    block = (await update(team, uuid, "a", **wanted)).only["block"]
    assert (block["callbackBlocks"], block["conditionalBlocks"]) == (["hook"], ["only_if"])
    assert block["downstreamBlocks"] == ["b"], "attached blocks are no part of the graph"
    block = (await update(team, uuid, "b", callbackBlocks=["hook"])).only["block"]
    assert block["callbackBlocks"] == ["hook"]
    block = (await update(team, uuid, "a", callbackBlocks=[])).only["block"]
    assert (block["callbackBlocks"], block["conditionalBlocks"]) == ([], ["only_if"])
    assert (await graph(team, uuid))["b"]["callbackBlocks"] == ["hook"]


async def test_a_block_that_others_need_is_deleted_only_by_force(team: Team) -> None:
    uuid = await chain(team, ("a", []), ("x", []), ("b", ["a", "x"]), ("c", ["x", "b"]))
    refused = await team.editor(DELETE, p=uuid, b="b", f=False)
    assert refused.fault == "HAS_DEPENDENTS"
    gone = (await team.editor(DELETE, p=uuid, b="b", f=True)).only
    assert (gone["block"], gone["errors"]) == ({"uuid": "b"}, [])
    found = await graph(team, uuid)
    assert found["c"]["upstreamBlocks"] == ["x", "a"]
    assert found["a"]["downstreamBlocks"] == ["c"]


async def test_deleting_a_block_detaches_its_callback(team: Team) -> None:
    uuid = await chain(team, ("a", []))
    await create(team, uuid, "hook", type="CALLBACK", upstreamBlocks=["a"])
    assert (await team.editor(DELETE, p=uuid, b="a", f=False)).only["errors"] == []
    assert (await graph(team, uuid))["hook"]["upstreamBlocks"] == []


async def test_a_block_that_does_not_exist_is_named(team: Team) -> None:
    uuid = await chain(team)
    answer = await team.editor(DELETE, p=uuid, b="ghost", f=False)
    assert answer.fault == "BLOCK_UNKNOWN"
    assert "ghost" in answer.only["errors"][0]["message"]


async def test_a_stale_version_is_a_conflict(team: Team) -> None:
    uuid = await chain(team, ("a", []))
    assert (await update(team, uuid, "a", content="1", expectedVersion=1)).only["errors"] == []
    assert (await update(team, uuid, "a", content="2", expectedVersion=1)).codes == ["CONFLICT"]
    assert (await update(team, uuid, "a", content="2", expectedVersion=2)).only["errors"] == []


@pytest.mark.parametrize(
    "bad", [{"timeoutS": 0}, {"configuration": [1]}, {"retryConfig": "x"}, {"name": " "}]
)
async def test_values_of_no_use_are_refused(team: Team, bad: dict[str, object]) -> None:
    uuid = await chain(team, ("a", []))
    assert (await update(team, uuid, "a", **bad)).fault in ("INVALID", "NAME_MISSING")


async def test_a_pipeline_has_a_bounded_number_of_blocks(team: Team) -> None:
    name = rows.unique("full")
    pipeline = await rows.pipeline(team.project, name)
    for number in range(MAX_BLOCKS):
        await rows.block(pipeline, f"b{number}")
    assert (await create(team, name, "one more")).fault == "INVALID"
