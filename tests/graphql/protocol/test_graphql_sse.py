"""GraphQL over server-sent events: one operation, one response."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.server import Toy, eventually, serving
from tests.graphql.protocol.toy import SEEN

EVENTS = {"accept": "text/event-stream"}


async def events(toy: Toy, query: str, **headers: str) -> list[tuple[str, Any]]:
    """All events of an operation as (name, decoded data)."""
    response = await toy.client.post(toy.url, json={"query": query}, headers={**EVENTS, **headers})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return [parsed(block) for block in response.text.split("\n\n") if block]


def parsed(block: str) -> tuple[str, Any]:
    """One event."""
    lines = dict(line.split(":", 1) for line in block.splitlines())
    data = lines["data"].strip()
    return lines["event"].strip(), json.loads(data) if data else None


@asynccontextmanager
async def listening(toy: Toy, query: str, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a response that goes on."""
    async with toy.client.stream(
        "POST", toy.url, json={"query": query}, headers={**EVENTS, **headers}
    ) as response:
        yield response.aiter_lines()


async def line(lines: AsyncIterator[str]) -> str:
    """The next line that is not empty."""
    async with asyncio.timeout(5):
        async for text in lines:
            if text:
                return text
    raise AssertionError("The stream has ended.")


async def test_subscription_is_next_events_and_complete(toy: Toy) -> None:
    got = await events(toy, "subscription { count(upto: 3) }")
    assert [name for name, _ in got] == ["next", "next", "next", "complete"]
    assert [data["data"] for _, data in got[:3]] == [{"count": n} for n in range(3)]


@pytest.mark.parametrize("text", ["{ hello }", "mutation { count }"])
async def test_query_or_mutation_is_one_next_and_complete(toy: Toy, text: str) -> None:
    got = await events(toy, text)
    assert [name for name, _ in got] == ["next", "complete"]
    assert got[0][1]["data"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { refused }", "NOT_FOUND"),
        ("subscription ($n: Int!) { count(upto: $n) }", "BAD_USER_INPUT"),
    ],
)
async def test_refused_operation_is_an_event_too(toy: Toy, text: str, code: str) -> None:
    got = await events(toy, text)
    assert [name for name, _ in got] == ["next", "complete"]
    assert got[0][1]["errors"][0]["extensions"]["code"] == code
    assert "data" not in got[0][1]


async def test_failing_stream_shows_what_came_and_a_masked_error(toy: Toy) -> None:
    got = await events(toy, "subscription { failing }")
    assert [name for name, _ in got] == ["next", "next", "complete"]
    assert got[1][1]["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_malformed_request_is_refused_over_plain_http(toy: Toy) -> None:
    response = await toy.client.post(toy.url, json=[], headers=EVENTS)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/json")


async def test_caller_refused_before_the_stream_gets_plain_json(toy: Toy) -> None:
    response = await toy.post({"query": "subscription { count }"}, authorization="Bearer wrong")
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_json_is_preferred_for_a_query_that_accepts_both(toy: Toy) -> None:
    both = "text/event-stream, application/json"
    response = await toy.post({"query": "{ hello }"}, accept=both)
    assert response.headers["content-type"].startswith("application/json")
    response = await toy.post({"query": "subscription { count }"}, accept=both)
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_event_source_of_our_own_page_may_get(toy: Toy) -> None:
    address = f"{toy.url}?{urlencode({'query': 'subscription { count(upto: 1) }'})}"
    own = {**EVENTS, "sec-fetch-site": "same-origin"}
    assert "event: complete" in (await toy.client.get(address, headers=own)).text
    assert (await toy.client.get(address, headers=EVENTS)).status_code == 403


async def test_client_that_leaves_frees_the_stream(toy: Toy) -> None:
    before = SEEN.open_streams
    async with listening(toy, "subscription { silent }") as lines:
        assert await line(lines) == "event: next"
        assert SEEN.open_streams == before + 1
    await eventually(lambda: SEEN.open_streams == before)


async def test_quiet_stream_is_kept_alive_by_comments() -> None:
    async with (
        serving(GraphQLSettings(keep_alive_s=0.05)) as toy,
        listening(toy, "subscription { silent }") as lines,
    ):
        assert [await line(lines) for _ in range(4)][2:] == [":", ":"]


async def test_revoked_credential_ends_the_stream() -> None:
    async with (
        serving(GraphQLSettings(recheck_s=0.05)) as toy,
        listening(toy, "subscription { silent }", authorization="Bearer eve") as lines,
    ):
        assert await line(lines) == "event: next"
        await line(lines)
        SEEN.revoked.add("eve")
        assert await line(lines) == "event: next"
        assert "UNAUTHENTICATED" in await line(lines)
        assert await line(lines) == "event: complete"


async def test_stopping_server_completes_its_streams() -> None:
    async with (
        serving(GraphQLSettings()) as toy,
        listening(toy, "subscription { silent }") as lines,
    ):
        assert await line(lines) == "event: next"
        await line(lines)
        stop = asyncio.create_task(toy.endpoint.shutdown())
        assert await line(lines) == "event: complete"
        await stop
