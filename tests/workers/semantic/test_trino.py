"""Trino's official client against a stub that speaks its protocol, as its documentation has it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from workers.semantic.base import QueryError
from workers.semantic.trino import TrinoEngine

COLUMNS = [
    ("city", "varchar(20)"),
    ("n", "bigint"),
    ("revenue", "decimal(10,2)"),
    ("month", "timestamp(3)"),
]
ROWS = [["Lyon", 3, "12.50", "2024-01-01 00:00:00.000"], [None, 1, None, None]]


class Stub:
    """What was asked, and what is answered: pages of rows, or an error."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled: list[str] = []
        self.error: dict[str, Any] | None = None
        self.is_endless = False


def column(name: str, type_: str) -> dict[str, Any]:
    """A column as the protocol describes it."""
    raw, _, inside = type_.partition("(")
    numbers = [int(n) for n in inside.rstrip(")").split(",") if n]
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
        if self.stub.error is not None:
            self._answer({"error": self.stub.error}, "FAILED")
        elif self.stub.is_endless:
            self._answer({"nextUri": f"{self.base}/v1/statement/q/1"}, "RUNNING")
        elif self.path.endswith("/1"):
            next_page = {"nextUri": f"{self.base}/v1/statement/q/2"}
            self._answer({**next_page, "data": ROWS[:1], **self._columns()}, "RUNNING")
        else:
            self._answer({"data": ROWS[1:], **self._columns()}, "FINISHED")

    def do_DELETE(self) -> None:
        self.stub.cancelled.append(self.path)
        self.send_response(204)
        self.end_headers()

    def _columns(self) -> dict[str, Any]:
        return {"columns": [column(*one) for one in COLUMNS]}

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


@pytest.fixture
def trino() -> Iterator[tuple[Stub, TrinoEngine]]:
    stub = Stub()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.base = f"http://trino.example:{server.server_address[1]}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "host": "trino.example",
        "port": server.server_address[1],
        "username": "ana",
        "catalog": "lake",
        "schema": "sales",
    }
    asked: list[str] = []

    async def address(host: str, port: int) -> str:
        asked.append(host)
        return "127.0.0.1"

    yield stub, TrinoEngine(settings, address)
    assert set(asked) <= {"trino.example"}
    server.shutdown()


async def test_rows_of_all_pages_are_one_answer(trino: tuple[Stub, TrinoEngine]) -> None:
    stub, engine = trino
    found = await engine.run("SELECT city FROM sales WHERE city = ?", ["Lyon"], 30)
    assert orjson.loads(found.content) == {
        "columns": ["city", "n", "revenue", "month"],
        "rows": [["Lyon", 3, "12.50", "2024-01-01T00:00:00.000"], [None, 1, None, None]],
    }
    assert any("SELECT city FROM sales WHERE city = ?" in text for text in stub.statements)
    assert any("'Lyon'" in text for text in stub.statements)
    sent = {name.lower(): value for name, value in stub.headers[-1].items()}
    assert (sent["x-trino-user"], sent["x-trino-catalog"]) == ("ana", "lake")
    assert (sent["x-trino-schema"], sent["x-trino-time-zone"]) == ("sales", "UTC")
    await engine.close()


async def test_its_errors_are_told_in_its_words(trino: tuple[Stub, TrinoEngine]) -> None:
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


async def test_what_takes_too_long_is_cancelled_there(trino: tuple[Stub, TrinoEngine]) -> None:
    stub, engine = trino
    stub.is_endless = True
    with pytest.raises(QueryError, match="timeout"):
        await engine.run("SELECT 1", [], 0.5)
    async with asyncio.timeout(10):
        while not stub.cancelled:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await engine.close()


async def test_a_server_that_is_not_there_is_said_so() -> None:
    async def nowhere(host: str, port: int) -> str:
        raise QueryError("The host's name has no address.")

    engine = TrinoEngine({"host": "nowhere.example", "port": 1, "username": "ana"}, nowhere)
    with pytest.raises(QueryError, match="cannot be reached"):
        await engine.run("SELECT 1", [], 30)
    await engine.close()
