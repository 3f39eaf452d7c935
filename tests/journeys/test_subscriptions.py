"""Runs followed live, by real clients and across reconnects."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import websockets

from tests.graphql.protocol.test_graphql_node import audit, node, node_modules  # noqa: F401
from tests.journeys.live import API_KEY, Live
from tests.journeys.pipelines import Graph

BLOCK = (
    "import time\n@custom\ndef work(*args, **kwargs):\n"
    "    for number in range(5):\n        print('line', number)\n        time.sleep(0.1)\n"
)
RUN_UPDATED = (
    "subscription($id: ID!, $after: BigInt) { runUpdated(id: $id, after: $after) "
    "{ seq kind step status run { id status } } }"
)


@pytest.fixture(scope="module")
def pipeline(live_server: Live) -> str:
    """A pipeline of two blocks that print."""
    with live_server.client() as client:
        return Graph(client).pipeline("told", {"one": (BLOCK, []), "two": (BLOCK, ["one"])})


def start(live_server: Live, pipeline: str) -> str:
    """The id of a new run."""
    with live_server.client() as client:
        return Graph(client).start(pipeline)


async def follow(url: str, query: str, **variables: Any) -> AsyncIterator[Any]:
    """Data of a subscription over graphql-transport-ws."""
    address = url.replace("http", "ws") + "/v2/graphql"
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with websockets.connect(address, subprotocols=[protocol]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"apiKey": API_KEY}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": query, "variables": variables}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "complete":
                return
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            yield message["payload"]["data"]


async def whole(url: str, query: str, **variables: Any) -> list[Any]:
    """All data of a subscription that ends."""
    async with asyncio.timeout(60):
        return [data async for data in follow(url, query, **variables)]


async def test_every_change_of_a_run_arrives_once_and_in_order(
    live_server: Live, pipeline: str
) -> None:
    run_id = await asyncio.to_thread(start, live_server, pipeline)
    events = [d["runUpdated"] for d in await whole(live_server.url, RUN_UPDATED, id=run_id)]
    assert events[0]["kind"] == "run.state"
    seqs = [int(event["seq"]) for event in events[1:]]
    assert seqs == list(range(int(events[0]["seq"]) + 1, int(events[0]["seq"]) + 1 + len(seqs)))
    assert (events[-1]["kind"], events[-1]["status"]) == ("run.finished", "succeeded")
    assert events[-1]["run"]["status"] == "SUCCEEDED"


async def test_client_that_reconnects_gets_exactly_what_it_missed(
    live_server: Live, pipeline: str
) -> None:
    run_id = await asyncio.to_thread(start, live_server, pipeline)
    first = []
    async with asyncio.timeout(60):
        async for data in follow(live_server.url, RUN_UPDATED, id=run_id, after="0"):
            first.append(int(data["runUpdated"]["seq"]))
            if len(first) == 3:
                break
    rest = await whole(live_server.url, RUN_UPDATED, id=run_id, after=str(first[-1]))
    seqs = first + [int(d["runUpdated"]["seq"]) for d in rest]
    assert seqs == list(range(1, len(seqs) + 1))
    assert rest[-1]["runUpdated"]["kind"] == "run.finished"


async def test_log_arrives_in_batches_and_ends_with_the_run(
    live_server: Live, pipeline: str
) -> None:
    run_id = await asyncio.to_thread(start, live_server, pipeline)
    query = "subscription($id: ID!) { runLogs(runId: $id) { seq step message } }"
    batches = [d["runLogs"] for d in await whole(live_server.url, query, id=run_id)]
    lines = [line for batch in batches for line in batch]
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(5)] * 2
    assert [int(line["seq"]) for line in lines] == list(range(1, 11))
    later = f'subscription {{ runLogs(runId: "{run_id}", after: "8") {{ seq }} }}'
    assert await whole(live_server.url, later) == [{"runLogs": [{"seq": "9"}, {"seq": "10"}]}]


async def test_project_stream_shows_each_run_until_its_end(
    live_server: Live, pipeline: str
) -> None:
    query = "subscription { runsUpdated { seq status run { id status } } }"
    seen: dict[str, list[str]] = {}
    async with asyncio.timeout(60):
        stream = follow(live_server.url, query)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.3)
        run_id = await asyncio.to_thread(start, live_server, pipeline)
        while True:
            event = (await waiting)["runsUpdated"]
            seen.setdefault(event["run"]["id"], []).append(event["status"])
            if event["run"]["id"] == run_id and event["status"] == "succeeded":
                break
            waiting = asyncio.ensure_future(anext(stream))
        await stream.aclose()
    assert seen[run_id][-1] == "succeeded"


async def test_unknown_run_and_missing_credential_are_refused(live_server: Live) -> None:
    query = {"query": 'subscription { runLogs(runId: "UGlwZWxpbmVSdW46eA==") { seq } }'}
    headers = {"Accept": "text/event-stream"}
    async with httpx2.AsyncClient(base_url=live_server.url, headers=headers) as client:
        refused = await client.post("/v2/graphql", json=query)
        assert "UNAUTHENTICATED" in refused.text
        refused = await client.post("/v2/graphql", json=query, headers={"X-API-Key": API_KEY})
        assert "NOT_FOUND" in refused.text


@pytest.mark.node
@pytest.mark.parametrize("way", ["ws", "sse"])
async def test_graphql_ws_and_graphql_sse_follow_a_run(
    live_server: Live,
    pipeline: str,
    way: str,
    node_modules: object,  # noqa: F811
) -> None:
    run_id = await asyncio.to_thread(start, live_server, pipeline)
    query = f'subscription {{ runUpdated(id: "{run_id}", after: "0") {{ seq kind status }} }}'
    code, output, errors = await node(
        "subscribe.mjs", way, live_server.url + "/v2/graphql", query, API_KEY
    )
    assert code == 0, errors
    events = [json.loads(line)["data"]["runUpdated"] for line in output.splitlines()]
    assert [int(event["seq"]) for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["kind"], events[-1]["kind"]) == ("run.queued", "run.finished")


@pytest.mark.node
async def test_audits_of_graphql_http_pass_on_the_real_server(
    live_server: Live,
    node_modules: object,  # noqa: F811
) -> None:
    headers = {"X-API-Key": API_KEY, "X-Requested-With": "audit"}
    report = await audit(live_server.url + "/v2/graphql", **headers)
    assert (report["must"], report["should"]) == ([], [])
