"""graphql-transport-ws, message by message, through a plain WebSocket client."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.server import Toy, eventually, serving
from tests.graphql.protocol.toy import SECRET, SEEN

PROTOCOL = "graphql-transport-ws"


@asynccontextmanager
async def opened(
    toy: Toy, *, init: Any = None, protocol: str | None = PROTOCOL, **options: Any
) -> AsyncIterator[ClientConnection]:
    """A socket; acknowledged already unless `init` is False."""
    subprotocols = [Subprotocol(protocol)] if protocol else None
    async with connect(toy.ws_url, subprotocols=subprotocols, proxy=None, **options) as ws:
        if init is not False:
            await send(ws, type="connection_init", payload=init or {})
            assert await receive(ws) == {"type": "connection_ack"}
        yield ws


async def send(ws: ClientConnection, **message: Any) -> None:
    """Send one message."""
    await ws.send(json.dumps(message))


async def receive(ws: ClientConnection) -> dict[str, Any]:
    """The next message, which must be a text frame."""
    async with asyncio.timeout(5):
        frame = await ws.recv()
    assert isinstance(frame, str)
    message: dict[str, Any] = json.loads(frame)
    return message


async def closing(ws: ClientConnection) -> tuple[int, str]:
    """Code and reason with which the server closes the socket."""
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(5):
            while True:
                await ws.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def subscribe(ws: ClientConnection, query: str, id: str = "1", **more: Any) -> None:
    """Start an operation."""
    await send(ws, id=id, type="subscribe", payload={"query": query, **more})


async def test_subscription_yields_each_event_and_completes(toy: Toy) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, "subscription { count(upto: 3) }")
        for number in range(3):
            message = await receive(ws)
            assert (message["id"], message["type"]) == ("1", "next")
            assert message["payload"]["data"] == {"count": number}
            assert message["payload"]["extensions"]["requestId"]
        assert await receive(ws) == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("text", ["{ hello }", "mutation { count }"])
async def test_queries_and_mutations_run_on_the_socket(toy: Toy, text: str) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, text)
        assert (await receive(ws))["payload"]["data"]
        assert (await receive(ws))["type"] == "complete"


async def test_field_errors_come_in_the_payload_with_a_code(toy: Toy) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, "{ missing }")
        payload = (await receive(ws))["payload"]
        assert payload["data"] == {"missing": None}
        assert payload["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert (await receive(ws))["type"] == "complete"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ helo }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($a: Int!) { numbers(values: [$a]) }", "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", "BAD_USER_INPUT"),
        ("{ person { " + "self_ { " * 12 + "name" + " }" * 12 + "} }", "QUERY_TOO_COMPLEX"),
        ("subscription { refused }", "NOT_FOUND"),
        ('{ hello(name: "a\\u0000") }', "BAD_USER_INPUT"),
    ],
)
async def test_refused_operation_is_an_error_message_and_the_socket_lives(
    toy: Toy, text: str, code: str
) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, text)
        message = await receive(ws)
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == code
        await subscribe(ws, "{ hello }")
        assert (await receive(ws))["payload"]["data"] == {"hello": "hello world"}


async def test_variables_that_no_field_can_take_are_an_error_message(toy: Toy) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, "query ($n: String!) { hello(name: $n) }", variables={"n": "\0"})
        assert (await receive(ws))["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_failing_stream_ends_with_a_masked_error(toy: Toy) -> None:
    async with opened(toy) as ws:
        with capture_logs() as logs:
            await subscribe(ws, "subscription { failing }")
            assert (await receive(ws))["payload"]["data"] == {"failing": 1}
            message = await receive(ws)
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert SECRET not in str(message)
        assert [entry["event"] for entry in logs] == ["graphql.failed"]


async def test_complete_of_the_client_frees_the_stream_and_the_id(toy: Toy) -> None:
    async with opened(toy) as ws:
        before = SEEN.open_streams
        await subscribe(ws, "subscription { silent }")
        await receive(ws)
        assert SEEN.open_streams == before + 1
        await send(ws, id="1", type="complete")
        await eventually(lambda: SEEN.open_streams == before)
        await subscribe(ws, "{ hello }")
        assert (await receive(ws))["payload"]["data"] == {"hello": "hello world"}


async def test_dropped_socket_frees_its_streams(toy: Toy) -> None:
    before = SEEN.open_streams
    async with opened(toy) as ws:
        for number in range(5):
            await subscribe(ws, "subscription { silent }", id=str(number))
            await receive(ws)
        assert SEEN.open_streams == before + 5
        ws.transport.abort()
    await eventually(lambda: SEEN.open_streams == before)


async def test_id_can_be_used_again_after_complete(toy: Toy) -> None:
    async with opened(toy) as ws:
        for _ in range(20):
            await subscribe(ws, "{ hello }")
            assert (await receive(ws))["type"] == "next"
            assert (await receive(ws))["type"] == "complete"


async def test_ping_is_answered_before_and_after_the_handshake(toy: Toy) -> None:
    async with opened(toy, init=False) as ws:
        await send(ws, type="ping")
        assert await receive(ws) == {"type": "pong"}
        await send(ws, type="connection_init")
        assert await receive(ws) == {"type": "connection_ack"}
        await send(ws, type="ping", payload={"a": 1})
        assert await receive(ws) == {"type": "pong", "payload": {"a": 1}}
        await send(ws, type="pong")
        await subscribe(ws, "{ hello }")
        assert (await receive(ws))["type"] == "next"


@pytest.mark.parametrize(
    "frame",
    [
        "not json",
        "[]",
        "null",
        "{}",
        '{"type": 1}',
        '{"type": "start"}',
        '{"type": "connection_ack"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ hello }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ hello }"}}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "operationName": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "extensions": 1}}',
        '{"type": "complete"}',
        '{"type": "ping", "payload": "x"}',
        "[" * 100_000,
        b"{}",
    ],
)
async def test_malformed_message_closes_with_4400(toy: Toy, frame: str | bytes) -> None:
    async with opened(toy) as ws:
        await ws.send(frame)
        assert (await closing(ws))[0] == 4400


async def test_init_payload_that_is_no_object_closes_with_4400(toy: Toy) -> None:
    async with opened(toy, init=False) as ws:
        await send(ws, type="connection_init", payload="x")
        assert (await closing(ws))[0] == 4400


async def test_message_over_the_limit_closes_with_1009(toy: Toy) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, "{ hello }", variables={"x": "a" * 1024 * 1024})
        assert (await closing(ws))[0] == 1009


async def test_operation_before_the_handshake_closes_with_4401(toy: Toy) -> None:
    async with opened(toy, init=False) as ws:
        await subscribe(ws, "{ hello }")
        assert await closing(ws) == (4401, "Unauthorized")


async def test_missing_init_closes_with_4408(toy: Toy) -> None:
    async with opened(toy, init=False) as ws:
        assert await closing(ws) == (4408, "Connection initialisation timeout")


async def test_second_init_closes_with_4429(toy: Toy) -> None:
    async with opened(toy) as ws:
        await send(ws, type="connection_init")
        assert await closing(ws) == (4429, "Too many initialisation requests")


async def test_id_in_use_closes_with_4409(toy: Toy) -> None:
    async with opened(toy) as ws:
        await subscribe(ws, "subscription { silent }")
        await receive(ws)
        await subscribe(ws, "{ hello }")
        assert await closing(ws) == (4409, "Subscriber for 1 already exists")


@pytest.mark.parametrize("protocol", [None, "graphql-ws", "soap"])
async def test_other_subprotocol_closes_with_4406(toy: Toy, protocol: str | None) -> None:
    async with opened(toy, init=False, protocol=protocol) as ws:
        assert (await closing(ws))[0] == 4406


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:8000.evil.test"])
async def test_foreign_origin_is_refused_at_the_handshake(toy: Toy, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(toy, init=False, additional_headers={"Origin": origin}):
            raise AssertionError("The handshake passed.")
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_own_and_allowed_origins_pass(toy: Toy) -> None:
    for origin in (f"http://127.0.0.1:{toy.port}", "http://localhost:8000"):
        async with opened(toy, additional_headers={"Origin": origin}) as ws:
            await subscribe(ws, "{ hello }")
            assert (await receive(ws))["type"] == "next"


async def test_caller_is_known_by_payload_header_or_cookie(toy: Toy) -> None:
    ways: list[dict[str, Any]] = [
        {"init": {"authorization": "ada"}},
        {"additional_headers": {"Authorization": "Bearer ada"}},
        {"additional_headers": {"Cookie": "session=ada"}},
    ]
    for way in ways:
        async with opened(toy, **way) as ws:
            await subscribe(ws, "{ who }")
            assert (await receive(ws))["payload"]["data"] == {"who": "ada"}


@pytest.mark.parametrize(("token", "code"), [("wrong", 4403), ("away", 1013), ("limited", 1013)])
async def test_credential_that_does_not_count_closes_the_socket(
    toy: Toy, token: str, code: int
) -> None:
    async with opened(toy, init=False) as ws:
        await send(ws, type="connection_init", payload={"authorization": token})
        got, reason = await closing(ws)
        assert got == code
        assert SECRET not in reason


async def test_revoked_credential_closes_the_socket_with_4403() -> None:
    async with (
        serving(GraphQLSettings(recheck_s=0.05)) as toy,
        opened(toy, init={"authorization": "mallory"}) as ws,
    ):
        before = SEEN.open_streams
        await subscribe(ws, "subscription { silent }")
        await receive(ws)
        SEEN.revoked.add("mallory")
        assert (await closing(ws))[0] == 4403
        await eventually(lambda: SEEN.open_streams == before)


async def test_operations_over_the_cap_are_refused_one_by_one(toy: Toy) -> None:
    async with opened(toy) as ws:
        for number in range(100):
            await subscribe(ws, "subscription { silent }", id=str(number))
            assert (await receive(ws))["type"] == "next"
        await subscribe(ws, "{ hello }", id="one too many")
        message = await receive(ws)
        assert (message["id"], message["type"]) == ("one too many", "error")
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await send(ws, id="7", type="complete")
        await subscribe(ws, "{ hello }", id="in its place")
        assert (await receive(ws))["payload"]["data"] == {"hello": "hello world"}


async def test_introspection_policy_holds_on_the_socket() -> None:
    async with serving(GraphQLSettings(introspection="authenticated")) as toy, opened(toy) as ws:
        await subscribe(ws, "{ __schema { description } }")
        assert (await receive(ws))["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_reader_that_does_not_read_is_dropped() -> None:
    async with serving(GraphQLSettings(send_timeout_s=0.5)) as toy:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", toy.port))
        options: dict[str, Any] = {"sock": sock, "max_queue": 1, "compression": None}
        async with connect(
            toy.ws_url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None, **options
        ) as ws:
            await send(ws, type="connection_init")
            await receive(ws)
            await subscribe(ws, "subscription { flood }")
            await eventually(lambda: toy.endpoint._live)
            await eventually(lambda: not toy.endpoint._live, 10)
            ws.transport.abort()
        assert (await toy.query("{ hello }"))["data"] == {"hello": "hello world"}


async def test_stopping_server_closes_sockets_with_1001() -> None:
    async with serving(GraphQLSettings()) as toy:
        client = await connect(toy.ws_url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None)
        await send(client, type="connection_init")
        await receive(client)
        await subscribe(client, "subscription { silent }")
        await receive(client)
    assert (await closing(client))[0] == 1001
