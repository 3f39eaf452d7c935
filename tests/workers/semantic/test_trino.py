"""Trino's official client against a stub that speaks its protocol, as its documentation has it."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.workers.notify.sinks import certificate
from workers.semantic.base import QueryError
from workers.semantic.trino import TrinoEngine

COLUMNS = [
    ("city", "varchar(20)"),
    ("n", "bigint"),
    ("parts", "integer"),
    ("revenue", "decimal(38,2)"),
    ("share", "double"),
    ("open", "boolean"),
    ("month", "timestamp(3)"),
    ("at", "timestamp(6) with time zone"),
    ("day", "date"),
    ("opens", "time(3)"),
    ("mark", "varbinary"),
]
LYON = [
    *("Lyon", 9007199254740993, 3, "123456789012345678901234567890.50", 0.5, True),
    *("2024-01-01 00:00:00.000", "2024-01-31 20:30:00.123456 America/New_York", "2024-02-29"),
    *("10:00:00.000", "3q0="),
]
PORTO = [
    *("Porto \u00fc", -1, 0, "-0.05", "NaN", False),
    *("2024-12-31 23:59:59.999", "2024-01-01 00:00:00.000000 +05:30", "0001-01-01"),
    *("23:59:59.500", ""),
]
NULLS = [None] * len(COLUMNS)
FINISHED = [
    {"state": "QUEUED", "nextUri": 1},
    {"state": "RUNNING", "nextUri": 2},
    {"state": "RUNNING", "nextUri": 3, "columns": COLUMNS, "data": [LYON]},
    {"state": "RUNNING", "nextUri": 4, "columns": COLUMNS},
    {"state": "RUNNING", "nextUri": 5, "columns": COLUMNS, "data": [PORTO, NULLS]},
    {"state": "FINISHED", "columns": COLUMNS},
]
"""What a coordinator answers to a statement and, page by page, to each `nextUri`."""


class Stub:
    """What was asked, and what is answered: the pages of a replay, or an error."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.read: list[str] = []
        self.cancelled: list[str] = []
        self.pages: list[dict[str, Any]] = FINISHED
        self.error: dict[str, Any] | None = None
        self.is_endless = False
        self.statuses: list[int] = []


def column(name: str, type_: str) -> dict[str, Any]:
    """A column as the protocol describes it."""
    raw, _, inside = type_.partition("(")
    inside, _, more = inside.partition(")")
    raw += more
    numbers = [int(n) for n in inside.split(",") if n]
    arguments = [{"kind": "LONG", "value": n} for n in numbers]
    return {
        "name": name,
        "type": type_,
        "typeSignature": {"rawType": raw, "arguments": arguments},
    }


class _Handler(BaseHTTPRequestHandler):
    stub: Stub
    base: str

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.stub.statements.append(text)
        self.stub.headers.append(dict(self.headers))
        self._answer({"nextUri": f"{self.base}/v1/statement/q/1"}, "QUEUED")

    def do_GET(self) -> None:
        self.stub.read.append(self.path)
        self.stub.headers.append(dict(self.headers))
        if self.stub.statuses:
            self.send_error(self.stub.statuses.pop(0))
        elif self.stub.error is not None:
            self._answer({"error": self.stub.error}, "FAILED")
        elif self.stub.is_endless:
            self._answer({"nextUri": f"{self.base}/v1/statement/q/1"}, "RUNNING")
        else:
            page = dict(self.stub.pages[int(self.path.rpartition("/")[2])])
            if "nextUri" in page:
                page["nextUri"] = f"{self.base}/v1/statement/q/{page['nextUri']}"
            if "columns" in page:
                page["columns"] = [column(*one) for one in page["columns"]]
            self._answer(page, page.pop("state"))

    def do_DELETE(self) -> None:
        self.stub.cancelled.append(self.path)
        self.send_response(204)
        self.end_headers()

    def _answer(self, more: dict[str, Any], state: str) -> None:
        body = {"id": "q", "infoUri": self.base, "stats": {"state": state}, **more}
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


Served = tuple[Stub, TrinoEngine]


@contextmanager
def serving(tls: Path | None = None, **more: Any) -> Iterator[Served]:
    """A stub, and an engine that knows it as trino.example; with a certificate's file over HTTPS."""
    stub = Stub()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    scheme = "http"
    if tls is not None:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    handler.base = f"{scheme}://trino.example:{port}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = {"host": "trino.example", "port": port, "catalog": "lake", "schema": "sales"}
    asked: list[str] = []

    async def address(host: str, port: int) -> str:
        asked.append(host)
        return "127.0.0.1"

    yield stub, TrinoEngine({**place, "username": "ana", **more}, address)
    assert set(asked) <= {"trino.example"}
    server.shutdown()


@pytest.fixture
def trino() -> Iterator[Served]:
    with serving() as made:
        yield made


async def test_rows_of_all_pages_are_one_answer(trino: Served) -> None:
    stub, engine = trino
    found = await engine.run("SELECT city FROM sales WHERE city = ?", ["L'yon"], 30)
    assert orjson.loads(found.content) == {
        "columns": [name for name, _ in COLUMNS],
        "rows": [
            [
                *("Lyon", "9007199254740993", 3, "123456789012345678901234567890.50", 0.5, True),
                *("2024-01-01T00:00:00.000", "2024-02-01T01:30:00.123", "2024-02-29T00:00:00.000"),
                *("10:00:00", "dead"),
            ],
            [
                *("Porto \u00fc", "-1", 0, "-0.05", None, False),
                *("2024-12-31T23:59:59.999", "2023-12-31T18:30:00.000", "0001-01-01T00:00:00.000"),
                *("23:59:59.500000", ""),
            ],
            NULLS,
        ],
    }
    pages = [f"/v1/statement/q/{number}" for number in range(1, 6)]
    assert stub.read[-5:] == pages
    assert any("SELECT city FROM sales WHERE city = ?" in text for text in stub.statements)
    assert any("'L''yon'" in text for text in stub.statements)
    sent = {name.lower(): value for name, value in stub.headers[0].items()}
    assert (sent["x-trino-user"], sent["x-trino-catalog"]) == ("ana", "lake")
    assert (sent["x-trino-schema"], sent["x-trino-time-zone"]) == ("sales", "UTC")
    assert not any("authorization" in map(str.lower, one) for one in stub.headers)
    await engine.close()


async def test_no_rows_are_columns_alone(trino: Served) -> None:
    stub, engine = trino
    stub.pages = [{}, {"state": "FINISHED", "columns": COLUMNS[:1]}]
    found = await engine.run("SELECT city FROM sales", [], 30)
    assert orjson.loads(found.content) == {"columns": ["city"], "rows": []}
    await engine.close()


async def test_a_busy_coordinator_is_asked_again(trino: Served) -> None:
    stub, engine = trino
    stub.statuses = [503, 502]
    assert (await engine.run("SELECT 1", [], 30)).rows == 3
    await engine.close()


async def test_a_refusal_is_told_without_its_page(trino: Served) -> None:
    stub, engine = trino
    stub.statuses = [401]
    with pytest.raises(QueryError, match="refuses us") as refused:
        await engine.run("SELECT 1", [], 30)
    assert "<" not in str(refused.value)
    await engine.close()


async def test_a_password_goes_over_tls_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(password="canary") as (stub, engine):
        with pytest.raises(QueryError, match="over TLS only"):
            await engine.run("SELECT 1", [], 30)
        assert stub.statements == []
        await engine.close()
    own = certificate(tmp_path, "trino.example")
    with serving(own, password="canary", use_tls=True) as (stub, engine):
        with pytest.raises(QueryError, match="not to be trusted") as refused:
            await engine.run("SELECT 1", [], 30)
        assert stub.statements == [] and "canary" not in str(refused.value)
        # As if a known authority had signed it.
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(own))
        assert (await engine.run("SELECT 1", [], 30)).rows == 3
        basic = "Basic " + base64.b64encode(b"ana:canary").decode()
        assert {one["Authorization"] for one in stub.headers} == {basic}
        await engine.close()
    other = certificate(tmp_path, "other.example")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(other))
    with serving(other, use_tls=True) as (stub, engine):
        with pytest.raises(QueryError, match="not to be trusted"):
            await engine.run("SELECT 1", [], 30)
        await engine.close()


async def test_its_errors_are_told_in_its_words(trino: Served) -> None:
    stub, engine = trino
    stub.error = {
        "message": "line 1:8: Column 'zzz' cannot be resolved",
        "errorCode": 47,
        "errorName": "COLUMN_NOT_FOUND",
        "errorType": "USER_ERROR",
        "failureInfo": {"type": "x", "message": "y", "suppressed": [], "stack": []},
    }
    with pytest.raises(QueryError, match="Column 'zzz' cannot be resolved"):
        await engine.run("SELECT zzz", [], 30)
    await engine.close()


async def test_what_takes_too_long_is_cancelled_there(trino: Served) -> None:
    stub, engine = trino
    stub.is_endless = True
    with pytest.raises(QueryError, match="timeout"):
        await engine.run("SELECT 1", [], 0.5)
    async with asyncio.timeout(10):
        while not stub.cancelled:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await engine.close()


async def test_what_nobody_wants_any_more_is_cancelled_there(trino: Served) -> None:
    stub, engine = trino
    stub.is_endless = True
    asking = asyncio.create_task(engine.run("SELECT 1", [], 30))
    async with asyncio.timeout(10):
        while not stub.read:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert stub.cancelled == ["/v1/statement/q/1"]
    await engine.close()


async def test_a_server_that_is_not_there_is_said_so() -> None:
    async def nowhere(host: str, port: int) -> str:
        raise QueryError("The host's name has no address.")

    engine = TrinoEngine({"host": "nowhere.example", "port": 1, "username": "ana"}, nowhere)
    with pytest.raises(QueryError, match="cannot be reached"):
        await engine.run("SELECT 1", [], 30)
    await engine.close()
