"""The server that is measured: a model, its rows, a key, and which processes are whose."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import asyncpg
import client
import cpu
import psutil
from sides import HEADERS, Side, isthmus

from app.embedded import EmbeddedServers

MODEL = {
    "tables/sales.yml": """
tables:
  - name: sales
    sql: select * from sales
    refresh_key: {every: 1 hour}
    joins:
      - name: shops
        relationship: many_to_one
        sql: "{TABLE}.shop_id = {shops.id}"
    dimensions:
      - {name: id, sql: id, type: number, primary_key: true}
      - {name: status, sql: status, type: string}
      - {name: amount, sql: amount, type: number}
      - {name: sold_at, sql: sold_at, type: time}
    measures:
      - {name: count, type: count}
      - {name: revenue, sql: amount, type: sum}
  - name: shops
    sql: select * from shops
    dimensions:
      - {name: id, sql: id, type: number, primary_key: true}
      - {name: city, sql: city, type: string}
    measures:
      - {name: credit, sql: credit, type: sum}
"""
}
FILL = """
CREATE TABLE shops AS SELECT n AS id, 'city ' || n AS city, n * 1.5 AS credit
  FROM generate_series(1, 200) n;
CREATE TABLE sales AS SELECT n AS id, 1 + n % 200 AS shop_id, 'status ' || n % 5 AS status,
  (n % 1000) * 1.25::numeric(10,2) AS amount, timestamp '2024-01-01' + n * interval '7 s' AS sold_at
  FROM generate_series(1, {rows}) n;
"""
PUSH = "mutation($f: JSON!) { semanticModelCreate(input: {files: $f}) { errors { message } } }"
MAKE_KEY = 'mutation { apiKeyCreate(input: {name: "bench"}) { token } }'
OF_ALL = {
    # A parallel worker ends before anybody could read how much CPU it took.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
"""Settings of the database, whoever asks it."""


@dataclass(frozen=True)
class Place:
    """A running server with a model: its port, a caller's key, and the warehouse for a driver."""

    side: Side
    key: str
    warehouse: str

    @property
    def api(self) -> list[int]:
        """The process that answers."""
        return self._pids(lambda line: " serve " in f"{line} ")

    @property
    def postgres(self) -> list[int]:
        """PostgreSQL's processes."""
        return self._pids(lambda line: "postgres" in line.split(" ", 1)[0])

    @property
    def all(self) -> list[int]:
        """Everything: API, worker, PostgreSQL, Valkey, and who supervises them."""
        return cpu.tree(self.side.root.pid)

    def _pids(self, fits: Any) -> list[int]:
        return [pid for pid in self.all if fits(_command(pid))]

    def request(self, query: Any) -> bytes:
        """A question to /v2/load as it is sent."""
        headers = {"Authorization": self.key, "Content-Type": "application/json"}
        return client.wire("/v2/load", headers, json.dumps({"query": query}).encode())

    def answer(self, query: Any) -> bytes:
        """Its answer, waited for."""
        while True:
            body = client.answered(self.side.port, self.request(query))
            if b"Continue wait" not in body:
                return body


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


@contextmanager
def place(rows: int, port: int) -> Iterator[Place]:
    """`isthmus dev` in a folder of its own, with so many rows in its warehouse."""
    with (
        tempfile.TemporaryDirectory(prefix="isthmus-bench-") as name,
        isthmus(Path(name), port, Path()) as side,
    ):
        url = str(EmbeddedServers(Path(name) / "home").urls.warehouse_url).replace("+asyncpg", "")
        asyncio.run(_fill(url, rows))
        made = _graph(side, PUSH, f=MODEL)["semanticModelCreate"]
        assert made["errors"] == [], made
        yield Place(side, _graph(side, MAKE_KEY)["apiKeyCreate"]["token"], url)


async def _fill(url: str, rows: int) -> None:
    connection = await asyncpg.connect(url)
    name = await connection.fetchval("SELECT current_database()")
    for setting, value in OF_ALL.items():
        await connection.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}')
    await connection.execute(FILL.format(rows=rows))
    await connection.execute("VACUUM ANALYZE sales, shops")
    await connection.close()


def _graph(side: Side, query: str, **variables: Any) -> Any:
    connection = side.connect()
    body = json.dumps({"query": query, "variables": variables})
    connection.request("POST", "/v2/graphql", body, HEADERS)
    return json.loads(connection.getresponse().read())["data"]


@contextmanager
def bare(body: bytes, port: int) -> Iterator[int]:
    """A server that answers any request with these bytes; its process."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        script = Path(__file__).with_name("bare.py")
        process = subprocess.Popen([sys.executable, script, str(port), file.name])
        try:
            _wait(port)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        finally:
            connection.close()


def spread(where: Place, other: int) -> None:
    """The two servers to one core; PostgreSQL, the worker and this process to the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        cpu.pin([*where.all, os.getpid()], cores[1:])
        cpu.pin([*where.api, other], cores[:1])
