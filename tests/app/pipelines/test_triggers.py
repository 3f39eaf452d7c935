"""Triggers through the graph: attributes, switching on and off, tokens."""

import pytest

from app.core.ids import global_id
from app.pipelines.actions.triggers import MAX_TRIGGERS
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.caller import Answer

FIELDS = """id number name description type status interval timezone token variables settings tags
  sla startAt lastEnabledAt nextFireAt nextRunDate eventMatchers version runCount
  overlap catchUp catchUpWindowS"""
CREATE = f"""mutation($i: TriggerCreateInput!) {{ triggerCreate(input: $i) {{
  trigger {{ {FIELDS} pipeline {{ uuid }} }} errors {{ message code path }} }} }}"""
UPDATE = f"""mutation($i: TriggerUpdateInput!) {{ triggerUpdate(input: $i) {{
  trigger {{ {FIELDS} }} errors {{ message code path }} }} }}"""
ROTATE = """mutation($n: Int!) { triggerTokenRotate(input: {by: {number: $n}}) {
  trigger { token version } errors { message } } }"""
DELETE = """mutation($n: Int!) { triggerDelete(input: {by: {number: $n}}) {
  deletedId trigger { name } errors { message } } }"""


@pytest.fixture(scope="module")
async def pipeline(team: Team) -> str:
    """Uuid of a pipeline."""
    await rows.pipeline(team.project, "triggered")
    return "triggered"


async def create(team: Team, pipeline: str, **values: object) -> Answer:
    """Make a trigger."""
    wanted = {"pipeline": {"uuid": pipeline}, "name": rows.unique("t"), **values}
    return await team.editor(CREATE, i=wanted)


async def update(team: Team, number: int, **values: object) -> Answer:
    """Change a trigger."""
    return await team.editor(UPDATE, i={"by": {"number": number}, **values})


async def test_a_new_trigger_is_off_and_has_a_token(team: Team, pipeline: str) -> None:
    made = (await create(team, pipeline, interval="@daily")).only["trigger"]
    assert (made["type"], made["status"], made["timezone"]) == ("TIME", "INACTIVE", "UTC")
    assert len(made["token"]) == 32 and int(made["token"], 16) >= 0
    assert (made["lastEnabledAt"], made["nextFireAt"]) == (None, None)
    assert made["nextRunDate"].endswith("T00:00:00.000000Z")
    assert made["pipeline"] == {"uuid": "triggered"}


async def test_everything_given_is_kept(team: Team, pipeline: str) -> None:
    given = {
        "description": "what for",
        "type": "API",
        "variables": {"a": {"b": [1]}},
        "settings": {"timeout": 60, "skip_if_previous_running": True},
        "tags": ["x", "y"],
        "sla": 3600,
        "startAt": "2030-01-01T02:00:00+02:00",
        "timezone": "Europe/Berlin",
        "eventMatchers": [{"k": 1}],
        "overlap": "SKIP",
        "catchUp": "ALL",
        "catchUpWindowS": 3600,
    }
    made = (await create(team, pipeline, **given)).only["trigger"]
    kept = {name: made[name] for name in given}
    assert kept == {**given, "startAt": "2030-01-01T00:00:00.000000Z"}


async def test_a_trigger_queues_one_and_catches_up_with_the_latest_unless_told(
    team: Team, pipeline: str
) -> None:
    made = (await create(team, pipeline, overlap=None, catchUp=None)).only["trigger"]
    policies = (made["overlap"], made["catchUp"], made["catchUpWindowS"])
    assert policies == ("QUEUE_ONE", "LATEST", 86400)
    changed = (await update(team, made["number"], overlap="ALLOW")).only["trigger"]
    assert (changed["overlap"], changed["catchUp"]) == ("ALLOW", "LATEST")


async def test_switching_on_starts_the_schedule_and_off_stops_it(team: Team, pipeline: str) -> None:
    made = (await create(team, pipeline, interval="0 * * * *", status="ACTIVE")).only["trigger"]
    assert made["nextFireAt"] is not None and made["lastEnabledAt"] is not None
    off = (await update(team, made["number"], status="INACTIVE")).only["trigger"]
    assert (off["status"], off["nextFireAt"]) == ("INACTIVE", None)
    on = (await update(team, made["number"], status="ACTIVE")).only["trigger"]
    assert on["lastEnabledAt"] > made["lastEnabledAt"]


@pytest.mark.parametrize(
    "change",
    [{"interval": "@monthly"}, {"startAt": "2999-01-01T00:00:00Z"}, {"timezone": "Asia/Kolkata"}],
    ids=lambda change: next(iter(change)),
)
async def test_a_change_of_its_times_moves_an_active_trigger(
    team: Team, pipeline: str, change: dict[str, str]
) -> None:
    made = (await create(team, pipeline, interval="@daily", status="ACTIVE")).only["trigger"]
    moved = (await update(team, made["number"], **change)).only["trigger"]
    assert moved["nextFireAt"] != made["nextFireAt"]


async def test_an_active_trigger_that_becomes_a_time_trigger_is_scheduled(
    team: Team, pipeline: str
) -> None:
    made = await create(team, pipeline, type="API", interval="@daily", status="ACTIVE")
    number = made.only["trigger"]["number"]
    assert made.only["trigger"]["nextFireAt"] is None
    timed = (await update(team, number, type="TIME")).only["trigger"]
    assert timed["nextFireAt"] is not None
    called = (await update(team, number, type="API")).only["trigger"]
    assert called["nextFireAt"] is None


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"interval": "every day"}, "INTERVAL_INVALID"),
        ({"interval": "61 * * * *"}, "INTERVAL_INVALID"),
        ({"interval": "0 0 30 2 *"}, "INTERVAL_INVALID"),
        ({"interval": "1," * 400 + "1 * * * *"}, "INTERVAL_INVALID"),
        ({"timezone": "Middle/Earth"}, "INVALID"),
        ({"timezone": "../../etc/passwd"}, "INVALID"),
        ({"timezone": "Europe"}, "INVALID"),
        ({"settings": {"timeout": "soon"}}, "INVALID"),
        ({"settings": {"timeout": 2**40}}, "INVALID"),
        ({"settings": {"timeout": -1}}, "INVALID"),
        ({"settings": [1]}, "INVALID"),
        ({"settings": {"timeout_status": "completed"}}, "INVALID"),
        ({"settings": {"pipeline_run_limit": 0}}, "INVALID"),
        ({"settings": {"pipeline_run_limit": "3"}}, "INVALID"),
        ({"settings": {"pipeline_run_limit": True}}, "INVALID"),
        ({"settings": {"skip_if_previous_running": "yes"}}, "INVALID"),
        ({"catchUpWindowS": 9}, "INVALID"),
        ({"catchUpWindowS": -1}, "INVALID"),
        ({"variables": "text"}, "INVALID"),
        ({"eventMatchers": {"not": "a list"}}, "INVALID"),
        ({"name": ""}, "NAME_MISSING"),
        ({"name": "x" * 300}, "INVALID"),
    ],
    ids=str,
)
async def test_values_of_no_use_are_refused(
    team: Team, pipeline: str, bad: dict[str, object], code: str
) -> None:
    answer = await create(team, pipeline, **bad)
    assert answer.fault == code
    assert answer.only["errors"][0]["path"]
    made = (await create(team, pipeline)).only["trigger"]
    assert (await update(team, made["number"], **bad)).fault == code


async def test_a_stale_version_is_a_conflict(team: Team, pipeline: str) -> None:
    made = (await create(team, pipeline)).only["trigger"]
    ok = await update(team, made["number"], name="renamed", expectedVersion=made["version"])
    assert ok.only["trigger"]["version"] == made["version"] + 1
    stale = await update(team, made["number"], name="again", expectedVersion=made["version"])
    assert stale.codes == ["CONFLICT"]


async def test_a_rotated_token_is_new_and_the_old_one_is_dead(team: Team, pipeline: str) -> None:
    made = (await create(team, pipeline, type="API")).only["trigger"]
    rotated = (await team.editor(ROTATE, n=made["number"])).only["trigger"]
    assert rotated["token"] != made["token"] and rotated["version"] == made["version"] + 1
    start = """mutation($n: Int!, $t: String!) { pipelineRunCreateByToken(
      input: {triggerNumber: $n, token: $t}) { run { number } errors { message } } }"""
    nobody = team.editor.with_token(None)
    old = await nobody(start, n=made["number"], t=made["token"])
    assert old.codes == ["UNAUTHENTICATED"]
    new = await nobody(start, n=made["number"], t=rotated["token"])
    assert new.only["run"]["number"] > 0
    by_update = await update(team, made["number"], rotateToken=True)
    assert by_update.only["trigger"]["token"] not in (made["token"], rotated["token"])


async def test_a_viewer_sees_the_trigger_without_its_token(team: Team, pipeline: str) -> None:
    made = (await create(team, pipeline)).only["trigger"]
    query = "query($n: Int!) { trigger(by: {number: $n}) { name token } }"
    assert (await team.viewer(query, n=made["number"])).only["token"] is None
    assert (await team.editor(query, n=made["number"])).only["token"] == made["token"]
    assert (await team.viewer(ROTATE, n=made["number"])).codes == ["FORBIDDEN"]


async def test_a_deleted_trigger_is_gone(team: Team, pipeline: str) -> None:
    made = (await create(team, pipeline)).only["trigger"]
    gone = (await team.editor(DELETE, n=made["number"])).only
    assert gone["deletedId"] == made["id"] == global_id("Trigger", made["number"])
    assert gone["trigger"] == {"name": made["name"]}
    assert (await team.editor(DELETE, n=made["number"])).codes == ["NOT_FOUND"]


async def test_a_pipeline_has_a_bounded_number_of_triggers(team: Team) -> None:
    full = await rows.pipeline(team.project, "full of triggers")
    for _ in range(MAX_TRIGGERS):
        await rows.trigger(full)
    assert (await create(team, "full_of_triggers")).fault == "INVALID"
