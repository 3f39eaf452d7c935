"""The requests of Mage's documented collection, replayed as a real server answered them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core import db
from app.core.rules import SYSTEM
from tests.rest_compat.replay import RECORDINGS, Deviation, check, send

COLLECTION = []
DEVIATIONS = {
    119: Deviation("the block's content is changed", varies=("content", "status")),
    150: Deviation(
        "tags of an earlier recording pass stick to the second trigger", varies=("tags",)
    ),
}

Make = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module")
def authentication() -> bool:
    """The key alone suffices."""
    return False


@pytest.fixture(scope="module")
def placeholders(api_key: str) -> dict[str, str]:
    """What the placeholders stand for; the trigger's token is known once it is made."""
    return {"api_key": api_key}


@pytest.fixture(scope="module")
def make(client: httpx2.AsyncClient, api_key: str) -> Make:
    """Create something that the recordings take for granted."""

    async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await client.post(path, json={"api_key": api_key, **body})
        assert "error" not in answer.json(), answer.text
        return next(iter(answer.json().values()))

    return post


async def blocks(make: Make, pipeline: str, *names: str) -> None:
    """Blocks in a row, each fed by the one before."""
    kinds = ("data_loader", "transformer", "data_exporter")
    for i, name in enumerate(names):
        block = {"name": name, "type": kinds[i], "upstream_blocks": list(names[i - 1 : i])}
        await make(f"/api/pipelines/{pipeline}/blocks", {"block": block})


async def start_runs(client: httpx2.AsyncClient, make: Make, token: str, api_key: str) -> None:
    """The five runs that were started between the recorded ones."""
    headers = {"X-API-KEY": api_key}
    change = {"pipeline_schedule": {"name": "api renamed"}}
    await client.put("/api/pipeline_schedules/2", json=change, headers=headers)
    path = f"/api/pipeline_schedules/2/pipeline_runs/{token}"
    variables = {"env": "staging", "schema": "public"}
    event = {"event": "ring", "count": 3}
    await client.post(path, json={"pipeline_run": {"variables": {"env": "prod"}}, **event})
    await client.post(path)
    await client.post(path, json={"pipeline_run": {}})
    await client.post(path, json={"pipeline_run": {"variables": variables}})
    nested = "/api/pipeline_schedules/1/pipeline_runs"
    await make(nested, {"pipeline_run": {"variables": {"x": 1}}})


async def end_runs() -> None:
    """What workers did on the recorded server: one run failed, the last had not begun."""
    ended = "status = 'succeeded', started_at = now(), finished_at = now()"
    run = "(SELECT run_id FROM pipeline_runs WHERE number = {})"
    failed, waiting = run.format(2), run.format(6)
    statements = (
        f"UPDATE run_steps SET {ended} WHERE run_id <> {failed}",
        f"UPDATE runs SET {ended} WHERE id <> {waiting}",
        f"UPDATE runs SET status = 'failed' WHERE id = {failed}",
        f"UPDATE run_steps SET status = 'queued' WHERE run_id = {failed} AND name = 'f_load'",
        # There a run has no block runs before it begins; here it has them from the start.
        f"DELETE FROM run_steps WHERE run_id = {waiting}",
    )
    async with db.transaction(SYSTEM) as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def prepare(
    seq: int, client: httpx2.AsyncClient, make: Make, placeholders: dict[str, str]
) -> None:
    """Bring about the state in which a recording was made."""
    schedules = "/api/pipelines/flow_one/pipeline_schedules"
    if seq == 115:
        block = {"name": "clean data", "type": "transformer", "upstream_blocks": ["load_data"]}
        await make("/api/pipelines/arwen_starlight/blocks", {"block": block})
    if seq == 137:
        await make("/api/pipelines", {"pipeline": {"name": "flow one"}})
        await blocks(make, "flow_one", "f_load", "f_clean", "f_export")
    if seq == 150:
        for more in recorded_schedules()[1:]:
            made = await make(schedules, {"pipeline_schedule": more})
            if made["id"] == 2:
                placeholders["trigger_token"] = made["token"]
    if seq == 181:
        token, key = placeholders["trigger_token"], placeholders["api_key"]
        await start_runs(client, make, token, key)
        await end_runs()


def recorded_schedules() -> list[dict[str, Any]]:
    """What the triggers of the recorded list were made of."""
    names = ("name", "description", "schedule_type", "schedule_interval", "start_time", "sla")
    names = (*names, "settings", "variables")
    rows = [row for row in RECORDINGS[150]["response"]["pipeline_schedules"] if "id" in row]
    cut = len(rows) < RECORDINGS[150]["response"]["metadata"]["count"]
    made = [{name: row[name] for name in names} for row in rows]
    return [*made, {"name": "last", "schedule_type": "event"}] if cut else made


@pytest.mark.parametrize("seq", COLLECTION, ids=lambda s: f"{s}-{RECORDINGS[s]['name']}")
async def test_answer_to_the_collection_is_as_recorded(
    seq: int, client: httpx2.AsyncClient, make: Make, placeholders: dict[str, str]
) -> None:
    await prepare(seq, client, make, placeholders)
    answer = await send(client, RECORDINGS[seq], placeholders)
    check(seq, answer, DEVIATIONS.get(seq))


async def test_content_sent_in_an_update_is_what_the_block_contains(
    client: httpx2.AsyncClient, placeholders: dict[str, str]
) -> None:
    path = "/api/pipelines/arwen_starlight/blocks/load_data"
    block = (await client.get(path, params=placeholders)).json()["block"]
    assert block["content"] == "# updated block code"
