"""Triggers by token, idempotency, and the lists of runs and pipelines with their filters."""

from typing import Any

import httpx2
import pytest

from tests.rest_compat.conftest import Call


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The key alone suffices."""
    return False


@pytest.fixture(scope="module")
async def trigger(call: Call) -> dict[str, Any]:
    """An API trigger of a pipeline of two blocks, beside a pipeline without triggers."""
    await call("POST", "/api/pipelines", {"pipeline": {"name": "flow", "tags": ["gold"]}})
    await call("POST", "/api/pipelines", {"pipeline": {"name": "idle", "type": "streaming"}})
    blocks = "/api/pipelines/flow/blocks"
    await call("POST", blocks, {"block": {"name": "one", "type": "data_loader"}})
    two = {"name": "two", "type": "transformer", "upstream_blocks": ["one", "unknown"]}
    await call("POST", blocks, {"block": two})
    hook = {"name": "hook", "type": "callback", "upstream_blocks": ["one"]}
    await call("POST", blocks, {"block": hook})
    schedule = {"name": "called", "schedule_type": "api"}
    path = "/api/pipelines/flow/pipeline_schedules"
    made = await call("POST", path, {"pipeline_schedule": schedule})
    return dict(made.json()["pipeline_schedule"])


def url_of(trigger: dict[str, Any]) -> str:
    """The address that starts a run."""
    return f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{trigger['token']}"


async def test_every_top_level_key_but_the_run_is_an_event_variable(
    client: httpx2.AsyncClient, trigger: dict[str, Any], api_key: str
) -> None:
    for body, expected in (
        (None, None),
        ({}, {}),
        ({"pipeline_run": {"variables": {"a": 1}}}, {}),
        ({"env": "staging", "event": "ring"}, {"env": "staging", "event": "ring"}),
        ({"api_key": api_key, "n": [1]}, {"n": [1]}),
    ):
        answer = await client.post(url_of(trigger), json=body)
        assert answer.json().keys() == {"pipeline_run"}
        run = answer.json()["pipeline_run"]
        assert run["event_variables"] == expected
        assert run["variables"]["execution_partition"].startswith(f"{trigger['id']}/")


async def test_call_switches_an_inactive_trigger_on(
    client: httpx2.AsyncClient, call: Call, trigger: dict[str, Any]
) -> None:
    path = f"/api/pipeline_schedules/{trigger['id']}"
    await call("PUT", path, {"pipeline_schedule": {"status": "inactive"}})
    await client.post(url_of(trigger))
    read = (await call("GET", path)).json()["pipeline_schedule"]
    assert (read["status"], read["last_enabled_at"] is None) == ("active", False)


async def test_bearer_is_as_good_as_the_path_and_a_wrong_one_is_told(
    client: httpx2.AsyncClient, trigger: dict[str, Any]
) -> None:
    path = f"/api/pipeline_schedules/{trigger['id']}/api_trigger"
    headers = {"Authorization": f"Bearer {trigger['token']}"}
    assert "pipeline_run" in (await client.post(path, headers=headers)).json()
    for wrong in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = await client.post(path, headers=wrong)
        assert answer.status_code == 200
        text = f"Invalid token for pipeline schedule ID {trigger['id']}."
        assert answer.json()["error"]["exception"] == text


async def test_token_of_another_trigger_opens_nothing(
    client: httpx2.AsyncClient, call: Call, trigger: dict[str, Any]
) -> None:
    path = "/api/pipelines/flow/pipeline_schedules"
    schedule = {"name": "timed", "schedule_type": "time", "schedule_interval": "@daily"}
    other = (await call("POST", path, {"pipeline_schedule": schedule})).json()["pipeline_schedule"]
    crossed = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs/{other['token']}"
    assert "Invalid token" in (await client.post(crossed)).json()["error"]["exception"]
    timed = await client.post(url_of(other))
    text = "This endpoint is only supported for API trigger."
    assert timed.json()["error"]["exception"] == text
    assert (await call("DELETE", f"/api/pipeline_schedules/{other['id']}")).status_code == 200


async def test_rotated_token_replaces_the_old_one(
    client: httpx2.AsyncClient, call: Call, trigger: dict[str, Any]
) -> None:
    path = "/api/pipelines/flow/pipeline_schedules"
    schedule = {"name": "rotated", "schedule_type": "api"}
    made = (await call("POST", path, {"pipeline_schedule": schedule})).json()["pipeline_schedule"]
    change = {"pipeline_schedule": {"rotate_token": True}}
    now = (await call("PUT", f"/api/pipeline_schedules/{made['id']}", change)).json()
    assert "error" in (await client.post(url_of(made))).json()
    assert "pipeline_run" in (await client.post(url_of(now["pipeline_schedule"]))).json()


async def test_idempotency_key_gives_the_same_run_for_the_same_body_only(
    client: httpx2.AsyncClient, call: Call, trigger: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"pipeline_run": {"variables": {"a": 1}}}
    first = await client.post(url_of(trigger), json=body, headers=headers)
    again = await client.post(url_of(trigger), json=body, headers=headers)
    assert again.json() == first.json()
    other = await client.post(url_of(trigger), json={"b": 2}, headers=headers)
    assert other.status_code == 409
    assert other.json()["error"]["code"] == 409
    nested = f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs"
    signed = {"Idempotency-Key": "signed"}
    runs = [(await call("POST", nested, body, headers=signed)).json() for _ in range(2)]
    assert runs[0]["pipeline_run"]["id"] == runs[1]["pipeline_run"]["id"]


async def numbers(call: Call, path: str = "/api/pipeline_runs", **query: Any) -> list[int]:
    """Ids of a list of runs."""
    return [row["id"] for row in (await call("GET", path, **query)).json()["pipeline_runs"]]


async def test_runs_are_listed_newest_first_in_pages(
    call: Call, client: httpx2.AsyncClient, trigger: dict[str, Any]
) -> None:
    for _ in range(3):
        await client.post(url_of(trigger))
    everything = await numbers(call)
    assert everything == sorted(everything, reverse=True)
    page = (await call("GET", "/api/pipeline_runs", _limit=2, _offset=1)).json()
    assert [row["id"] for row in page["pipeline_runs"]] == everything[1:3]
    assert page["metadata"] == {"count": len(everything), "next": True}
    empty = (await call("GET", "/api/pipeline_runs", _limit=0)).json()
    assert (empty["pipeline_runs"], empty["metadata"]["next"]) == ([], True)
    assert await numbers(call, **{"order_by[]": "id asc"}) == everything[::-1]


async def test_runs_are_filtered_as_documented(
    call: Call, client: httpx2.AsyncClient, trigger: dict[str, Any]
) -> None:
    await client.post(url_of(trigger))
    everything = await numbers(call)
    last = everything[0]
    await call("PUT", f"/api/pipeline_runs/{last}", {"pipeline_run": {"status": "cancelled"}})
    assert await numbers(call, status="cancelled") == [last]
    assert await numbers(call, **{"status[]": "cancelled,initial"}) == everything
    assert await numbers(call, status="sleepy") == []
    assert await numbers(call, pipeline_uuid="flow") == everything
    assert await numbers(call, **{"pipeline_uuid[]": "idle,nope"}) == []
    assert await numbers(call, **{"pipeline_tag[]": "gold"}) == everything
    assert await numbers(call, pipeline_type="streaming") == []
    assert await numbers(call, start_timestamp="4102444800") == []
    assert await numbers(call, end_timestamp="4102444800") == everything
    assert await numbers(call, backfill_id=7) == []
    assert await numbers(call, "/api/pipelines/flow/pipeline_runs") == everything
    assert await numbers(call, "/api/pipelines/idle/pipeline_runs") == []
    mine = await numbers(call, f"/api/pipeline_schedules/{trigger['id']}/pipeline_runs")
    assert set(mine) <= set(everything)
    included = {"include_pipeline_type": "true", "include_pipeline_tags": "1"}
    row = (await call("GET", "/api/pipeline_runs", _limit=1, **included)).json()["pipeline_runs"][0]
    assert (row["pipeline_type"], row["pipeline_tags"]) == ("python", ["gold"])
    page = (await call("GET", "/api/pipeline_runs", include_pipeline_uuids="true")).json()
    assert page["metadata"]["pipeline_uuids"] == ["flow", "idle"]


async def test_lists_below_something_unknown_are_not_everything(call: Call) -> None:
    for path in (
        "/api/pipeline_schedules/99999/pipeline_runs",
        "/api/pipeline_runs/99999/block_runs",
        "/api/pipeline_runs/99999/blocks",
        "/api/pipelines/nope/pipeline_runs",
        "/api/pipelines/nope/pipeline_schedules",
        "/api/pipelines/nope/blocks",
        "/api/pipelines/nope/logs",
        "/api/pipelines/nope/variables",
    ):
        assert (await call("GET", path)).json()["error"]["code"] == 404, path


async def test_block_runs_are_listed_by_run_and_alone(
    call: Call, client: httpx2.AsyncClient, trigger: dict[str, Any]
) -> None:
    number = (await client.post(url_of(trigger))).json()["pipeline_run"]["id"]
    nested = (await call("GET", f"/api/pipeline_runs/{number}/block_runs")).json()
    assert [row["block_uuid"] for row in nested["block_runs"]] == ["one", "two"]
    assert {row["pipeline_schedule_name"] for row in nested["block_runs"]} == {None}
    by_run = (
        await call("GET", "/api/block_runs", pipeline_run_id=number, order_by="id asc")
    ).json()
    assert [row["block_uuid"] for row in by_run["block_runs"]] == ["one", "two"]
    assert {row["pipeline_schedule_name"] for row in by_run["block_runs"]} == {"called"}
    alone = (await call("GET", "/api/block_runs", order_by="id desc", _limit=2)).json()
    assert [row["pipeline_run_id"] for row in alone["block_runs"]] == [number, number]
    assert alone["metadata"]["next"] is True
    blocks = (await call("GET", f"/api/pipeline_runs/{number}/blocks")).json()["blocks"]
    assert [block["uuid"] for block in blocks] == ["one", "two"]


async def test_pipelines_are_found_by_text_type_tag_and_triggers(
    call: Call, trigger: dict[str, Any]
) -> None:
    async def uuids(**query: Any) -> list[str]:
        found = (await call("GET", "/api/pipelines", **query)).json()
        assert found["metadata"]["results"] == len(found["pipelines"])
        return [row["uuid"] for row in found["pipelines"]]

    assert await uuids() == ["flow", "idle"]
    assert await uuids(**{"_order_by[]": "-name"}) == ["idle", "flow"]
    assert await uuids(search="LO") == ["flow"]
    assert await uuids(**{"type[]": "streaming,integration"}) == ["idle"]
    assert await uuids(**{"tag[]": "gold,silver"}) == ["flow"]
    with_schedules = {"include_schedules": "1"}
    assert await uuids(**with_schedules, **{"status[]": "no_schedules"}) == ["idle"]
    change = {"pipeline": {"status": "inactive"}}
    await call("PUT", "/api/pipelines/flow", change)
    assert await uuids(**with_schedules, **{"status[]": "inactive"}) == ["flow"]
    await call("PUT", "/api/pipelines/flow", {"pipeline": {"status": "active"}})
    assert await uuids(**with_schedules, **{"status[]": "active"}) == ["flow"]
    assert await uuids(**with_schedules, **{"status[]": "inactive"}) == []
    first = (await call("GET", "/api/pipelines", _limit=1)).json()["metadata"]
    assert first == {"count": 2, "results": 1, "next": True}


async def test_attached_blocks_stand_beside_the_graph(call: Call, trigger: dict[str, Any]) -> None:
    pipeline = (await call("GET", "/api/pipelines/flow")).json()["pipeline"]
    assert [block["uuid"] for block in pipeline["blocks"]] == ["one", "two"]
    assert [block["uuid"] for block in pipeline["callbacks"]] == ["hook"]
    assert pipeline["blocks"][0]["callback_blocks"] == ["hook"]
    assert pipeline["blocks"][1]["upstream_blocks"] == ["one"]


async def test_schedules_are_filtered_as_documented(call: Call, trigger: dict[str, Any]) -> None:
    async def names(path: str = "/api/pipeline_schedules", **query: Any) -> list[str]:
        found = (await call("GET", path, **query)).json()
        return [row["name"] for row in found["pipeline_schedules"]]

    path = "/api/pipelines/flow/pipeline_schedules"
    timed = {"name": "a hourly", "schedule_type": "time", "schedule_interval": "@hourly"}
    await call("POST", path, {"pipeline_schedule": timed})
    assert await names(**{"schedule_type[]": "time"}) == ["a hourly"]
    assert await names(**{"schedule_interval[]": "@hourly,@daily"}) == ["a hourly"]
    assert (await names(order_by="name"))[0] == "a hourly"
    assert (await names(path))[0] == "a hourly"
    assert (await names())[-1] == "a hourly"
    assert "a hourly" in await names(**{"status[]": "inactive"})
    assert await names(**{"status[]": "sleepy"}) == []


async def test_run_stays_readable_after_its_trigger_and_pipeline_are_gone(
    call: Call, client: httpx2.AsyncClient
) -> None:
    await call("POST", "/api/pipelines", {"pipeline": {"name": "gone"}})
    path = "/api/pipelines/gone/pipeline_schedules"
    schedule = {"name": "last", "schedule_type": "api"}
    made = (await call("POST", path, {"pipeline_schedule": schedule})).json()["pipeline_schedule"]
    number = (await client.post(url_of(made))).json()["pipeline_run"]["id"]
    await call("DELETE", "/api/pipelines/gone")
    run = (await call("GET", f"/api/pipeline_runs/{number}")).json()["pipeline_run"]
    assert (run["pipeline_uuid"], run["pipeline_schedule_id"]) == ("gone", made["id"])
    listed = (await call("GET", "/api/pipeline_runs", _limit=1)).json()["pipeline_runs"][0]
    assert (listed["pipeline_schedule_name"], listed["pipeline_schedule_token"]) == ("last", None)
    assert (await client.post(url_of(made))).json()["error"]["code"] == 404
