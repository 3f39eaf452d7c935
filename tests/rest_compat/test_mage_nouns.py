"""Variables, users, projects, tags, single block runs, blocks of any pipeline, and lists' orders."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core import db
from app.core.rules import SYSTEM
from tests.rest_compat.conftest import Call


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The key alone suffices."""
    return False


@pytest.fixture(scope="module")
async def trigger(call: Call) -> dict[str, Any]:
    """A trigger of a pipeline with two blocks, beside a pipeline with none."""
    await call("POST", "/api/pipelines", {"pipeline": {"name": "flow", "tags": ["gold"]}})
    await call("POST", "/api/pipelines", {"pipeline": {"name": "empty", "tags": ["lead"]}})
    for name in ("one", "two"):
        block = {"name": name, "type": "data_loader", "content": f"# {name}"}
        await call("POST", "/api/pipelines/flow/blocks", {"block": block})
    schedule = {"name": "called", "schedule_type": "api", "pipeline_uuid": "flow"}
    made = await call("POST", "/api/pipeline_schedules", {"pipeline_schedule": schedule})
    return dict(made.json()["pipeline_schedule"])


async def start(call: Call, trigger: dict[str, Any]) -> dict[str, Any]:
    """Start a run."""
    path = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs"
    return dict((await call("POST", path, {"pipeline_run": {}})).json()["pipeline_run"])


async def alter(statement: str, **values: Any) -> None:
    """Change rows behind the program's back."""
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text(statement), values)


async def told(answer: httpx2.Response) -> str:
    """The words of a refusal."""
    assert answer.status_code == 200
    return str(answer.json()["error"]["message"])


async def test_variables_are_set_and_taken_away_one_by_one(
    call: Call, trigger: dict[str, Any]
) -> None:
    path = "/api/pipelines/flow/variables"
    for name, value in (("color", "red"), ("sizes", [1, {"a": None}]), ("color", "blue")):
        made = (await call("POST", path, {"variable": {"name": name, "value": value}})).json()
        assert (made["variable"]["name"], made["variable"]["value"]) == (name, value)
        assert made["metadata"] is None
    (row,) = (await call("GET", path, global_only="true")).json()["variables"]
    held = {variable["uuid"]: variable["value"] for variable in row["variables"]}
    assert held == {"color": "blue", "sizes": [1, {"a": None}]}
    gone = (await call("DELETE", f"{path}/color")).json()["variable"]
    assert (gone["name"], gone["value"]) == ("color", None)
    missing = await call("DELETE", f"{path}/color")
    assert await told(missing) == "Variable color does not exist in pipeline flow."
    nameless = await call("POST", path, {"variable": {"value": 1}})
    assert "needs a name" in await told(nameless)
    assert (await call("DELETE", f"{path}/sizes")).json()["variable"]["name"] == "sizes"


async def test_trigger_can_be_made_at_the_top(call: Call, trigger: dict[str, Any]) -> None:
    assert (trigger["pipeline_uuid"], trigger["status"]) == ("flow", "inactive")
    path = "/api/pipeline_schedules"
    missing = await call("POST", path, {"pipeline_schedule": {"name": "x"}})
    assert "pipeline_uuid is required" in await told(missing)
    schedule = {"name": "x", "pipeline_uuid": "nope"}
    unknown = await call("POST", path, {"pipeline_schedule": schedule})
    assert await told(unknown) == "Pipeline nope does not exist."


async def test_block_is_found_by_type_and_uuid(call: Call, trigger: dict[str, Any]) -> None:
    for name in ("one", "one.py"):
        found = (await call("GET", f"/api/blocks/data_loader%2F{name}")).json()["block"]
        assert (found["uuid"], found["content"], found["outputs"]) == ("one", "# one", [])
    bare = await call("GET", "/api/blocks/one")
    assert await told(bare) == "The url path should be in block_type/block_uuid format."
    assert bare.json()["error"]["code"] == 400
    missing = await call("GET", "/api/blocks/custom%2Fone")
    assert await told(missing) == "Block custom/one does not exist."


async def test_blocks_are_listed_by_uuid_and_in_part(call: Call, trigger: dict[str, Any]) -> None:
    path = "/api/pipelines/flow/blocks"
    named = (await call("GET", path, **{"block_uuid[]": "two,nope"})).json()
    assert [block["uuid"] for block in named["blocks"]] == ["two"]
    part = (await call("GET", path, _limit=1)).json()
    assert [block["uuid"] for block in part["blocks"]] == ["one"]
    assert part["metadata"] == {"count": 2, "next": True}


async def test_block_run_can_be_read(call: Call, trigger: dict[str, Any]) -> None:
    run = await start(call, trigger)
    listed = (await call("GET", f"/api/pipeline_runs/{run['id']}")).json()["pipeline_run"]
    one = listed["block_runs"][0]
    assert (await call("GET", f"/api/block_runs/{one['id']}")).json()["block_run"] == one
    by_pipeline = await call("GET", "/api/block_runs", pipeline_uuid="flow", _limit=1)
    assert by_pipeline.json()["block_runs"][0]["pipeline_schedule_name"] == "called"
    nobody = (await call("GET", "/api/block_runs", pipeline_uuid="empty")).json()
    assert (nobody["block_runs"], nobody["metadata"]["count"]) == ([], 0)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("blocks", ["empty", "flow"]),
        ("-blocks", ["flow", "empty"]),
        ("triggers", ["empty", "flow"]),
        ("-triggers", ["flow", "empty"]),
        ("status", ["flow", "empty"]),
        ("-status", ["empty", "flow"]),
    ],
)
async def test_pipelines_are_ordered_by_what_they_have(
    call: Call, trigger: dict[str, Any], order: str, found: list[str]
) -> None:
    listed = (await call("GET", "/api/pipelines", **{"_order_by[]": order})).json()["pipelines"]
    assert [row["uuid"] for row in listed] == found


async def test_page_of_one_pipeline_holds_all_runs_of_its_last_date(
    call: Call, trigger: dict[str, Any]
) -> None:
    first = await start(call, trigger)
    newest = await start(call, trigger)
    repeat = {"status": "retry", "pipeline_runs": [{"id": first["id"]}] * 2}
    await call("PUT", "/api/pipelines/flow", {"pipeline": repeat})

    async def numbers(path: str = "/api/pipeline_runs", **query: Any) -> tuple[list[int], Any]:
        found = (await call("GET", path, **query)).json()
        return [row["id"] for row in found["pipeline_runs"]], found["metadata"]

    retries = [newest["id"] + 2, newest["id"] + 1, first["id"]]
    grouped, facts = await numbers(pipeline_uuid="flow", _limit=2)
    assert grouped == [newest["id"], *retries]
    assert facts["next"] is (facts["count"] > 4)
    nested = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs"
    assert (await numbers(nested, _limit=2))[0] == [newest["id"], *retries]
    plain, facts = await numbers(nested, _limit=2, disable_retries_grouping="true")
    assert (plain, facts["next"]) == ([newest["id"], retries[0]], True)
    assert (await numbers(_limit=2))[0] == plain
    everything = await numbers(include_all_pipeline_schedules="true")
    assert everything == await numbers()

    # The first try failed and a later one did not: only the other date's run counts as failed.
    ended = "UPDATE runs SET status = 'failed' WHERE id = (SELECT run_id FROM pipeline_runs WHERE number = :n)"
    for number in (first["id"], newest["id"]):
        await alter(ended, n=number)
    assert (await numbers(status="last_run_failed"))[0] == [newest["id"]]
    assert set((await numbers(status="failed"))[0]) == {first["id"], newest["id"]}
    both = (await numbers(**{"status[]": "last_run_failed,cancelled"}))[0]
    assert both == [newest["id"]]


async def test_average_is_of_the_runs_that_succeeded(call: Call, trigger: dict[str, Any]) -> None:
    path = f"/api/pipeline_schedules/{trigger['id']}"
    with_average = {"_format": "with_runtime_average"}
    before = (await call("GET", path, **with_average)).json()["pipeline_schedule"]
    assert before["runtime_average"] is None
    took = (
        "UPDATE runs SET status = :s, started_at = now(), finished_at = now() + :took * "
        "interval '1 second' WHERE id = (SELECT run_id FROM pipeline_runs WHERE number = :n)"
    )
    for seconds, status in ((10, "succeeded"), (20, "succeeded"), (500, "failed")):
        run = await start(call, trigger)
        await alter(took, s=status, took=seconds, n=run["id"])
    after = (await call("GET", path, **with_average)).json()["pipeline_schedule"]
    assert after["runtime_average"] == 15
    assert "event_matchers" not in after
    plain = (await call("GET", path)).json()["pipeline_schedule"]
    assert "runtime_average" not in plain


async def test_users_are_made_changed_and_deleted(call: Call, client: httpx2.AsyncClient) -> None:
    roles = (await call("GET", "/api/roles")).json()["roles"]
    editor = next(role for role in roles if role["name"] == "Editor")
    user = {
        "username": "frodo",
        "email": "frodo@example.org",
        "password": "my precious",
        "password_confirmation": "my precious",
        "roles_new": [{"id": editor["id"]}],
    }
    made = (await call("POST", "/api/users", {"user": user})).json()["user"]
    assert (made["username"], made["roles_display"], made["project_access"]) == (
        "frodo",
        "Editor",
        4,
    )
    path = f"/api/users/{made['id']}"
    change = {"user": {"first_name": "Frodo", "roles_new": [1]}}
    changed = (await call("PUT", path, change)).json()["user"]
    assert (changed["first_name"], changed["roles_display"]) == ("Frodo", "Owner")
    password = {"user": {"password": "a new one", "password_confirmation": "a new one"}}
    assert (await call("PUT", path, password)).json()["user"]["id"] == made["id"]
    session = {"session": {"email": "frodo@example.org", "password": "a new one"}}
    assert "token" in (await call("POST", "/api/sessions", session)).json()["session"]
    gone = (await call("DELETE", path)).json()["user"]
    assert (gone["username"], gone["email"]) == ("frodo", "frodo@example.org")
    for method in ("GET", "PUT", "DELETE"):
        body = None if method == "GET" else {"user": {}}
        assert (await call(method, path, body)).json()["error"]["code"] == 404


@pytest.mark.parametrize(
    ("method", "path", "user", "words"),
    [
        ("POST", "/api/users", {}, "needs a username"),
        ("POST", "/api/users", {"username": "x", "password": "1"}, "5 to 1024 characters"),
        ("POST", "/api/users", {"username": "x"}, "5 to 1024 characters"),
        (
            "POST",
            "/api/users",
            {"username": "x", "password": "long enough", "password_confirmation": "other"},
            "are not the same",
        ),
        ("POST", "/api/users", {"username": "admin", "password": "long enough"}, "is taken"),
        (
            "POST",
            "/api/users",
            {"username": "x", "password": "long enough", "roles_new": [99]},
            "There is no role 99",
        ),
        ("PUT", "/api/users/1", {"roles_new": [1, 2]}, "one role"),
        ("PUT", "/api/users/1", {"roles_new": []}, "over GraphQL"),
        ("PUT", "/api/users/1", {"password": "long enough", "email": "a@b"}, "of its own"),
        ("DELETE", "/api/users/1", {}, "last owner"),
    ],
)
async def test_users_that_cannot_be_are_told(
    call: Call, method: str, path: str, user: dict[str, Any], words: str
) -> None:
    assert words in await told(await call(method, path, {"user": user}))


async def test_projects_roles_and_tags_are_listed(call: Call, trigger: dict[str, Any]) -> None:
    projects = (await call("GET", "/api/projects")).json()
    assert [p["project_uuid"] for p in projects["projects"]] == ["default"]
    tags = (await call("GET", "/api/tags", _limit=1)).json()
    assert [tag["name"] for tag in tags["tags"]] == ["gold"]
    assert tags["metadata"] == {"count": 2, "next": True}
    roles = (await call("GET", "/api/roles", _limit=2, _offset=1)).json()
    assert len(roles["roles"]) == 2


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/api/tags", "The create action is disabled for tags. Tags are words"),
        ("DELETE", "/api/roles/1", "The delete action is disabled for roles. The roles of"),
        ("POST", "/api/projects", "over GraphQL: projectCreate"),
        ("GET", "/api/sessions/1", "The detail action is disabled for sessions."),
    ],
)
async def test_what_is_not_offered_says_what_to_do_instead(
    call: Call, method: str, path: str, words: str
) -> None:
    answer = await call(method, path)
    assert answer.json()["error"]["code"] == 403
    assert words in await told(answer)
    wanted = await call(method, path, _http_error_codes="true")
    assert (wanted.status_code, wanted.json()["status"]) == (403, 403)


async def test_pipeline_that_is_read_and_sent_back_stays_as_it_is(
    call: Call, trigger: dict[str, Any]
) -> None:
    before = (await call("GET", "/api/pipelines/flow")).json()["pipeline"]
    sent = await call("PUT", "/api/pipelines/flow", {"pipeline": before})
    assert "error" not in sent.json(), sent.text
    after = (await call("GET", "/api/pipelines/flow")).json()["pipeline"]
    assert {**after, "updated_at": None} == {**before, "updated_at": None}


async def test_copy_may_have_spaces_in_its_name_and_templates_are_ignored(
    call: Call, trigger: dict[str, Any]
) -> None:
    copy = {"clone_pipeline_uuid": "flow", "name": "a flow of my own"}
    made = (await call("POST", "/api/pipelines", {"pipeline": copy})).json()["pipeline"]
    assert (made["uuid"], [b["uuid"] for b in made["blocks"]]) == (
        "a_flow_of_my_own",
        ["one", "two"],
    )
    templated = {"name": "from a template", "custom_template_uuid": "gone"}
    made = (await call("POST", "/api/pipelines", {"pipeline": templated})).json()["pipeline"]
    assert (made["uuid"], made["blocks"]) == ("from_a_template", [])
    for uuid in ("a_flow_of_my_own", "from_a_template"):
        await call("DELETE", f"/api/pipelines/{uuid}")
