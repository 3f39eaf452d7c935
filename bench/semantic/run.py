"""What the semantic layer costs: compiling, kept answers, and queries that are run.

.venv/bin/python bench/semantic/run.py [--rows 4000000] [--requests 400] [--queries 40]
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import asyncpg
import psutil

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from sides import HEADERS, Side, isthmus  # noqa: E402

from app.embedded import EmbeddedServers  # noqa: E402
from app.semantic.compile import compile_query, normalise  # noqa: E402
from app.semantic.model import Caller, load  # noqa: E402

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
CREATE TABLE IF NOT EXISTS shops AS SELECT n AS id, 'city ' || n AS city, n * 1.5 AS credit
  FROM generate_series(1, 200) n;
DROP TABLE IF EXISTS sales;
CREATE TABLE sales AS SELECT n AS id, 1 + n % 200 AS shop_id, 'status ' || n % 5 AS status,
  (n % 1000) * 1.25::numeric(10,2) AS amount, timestamp '2024-01-01' + n * interval '7 s' AS sold_at
  FROM generate_series(1, {rows}) n;
ANALYZE sales;
"""
CALLER = {"Content-Type": "application/json"}
PUSH = """mutation($f: JSON!) { semanticModelCreate(input: {files: $f}) { errors { message } } }"""
KEPT = {
    "measures": ["sales.revenue", "sales.count"],
    "dimensions": ["shops.city", "sales.status"],
}
HARD = {
    "measures": ["sales.revenue", "shops.credit", "sales.count"],
    "dimensions": ["shops.city"],
    "timeDimensions": [
        {"dimension": "sales.sold_at", "granularity": "month", "dateRange": "last year"}
    ],
    "filters": [{"or": [{"member": "sales.status", "operator": "contains", "values": ["1"]}]}],
}
BY_HAND = """
SELECT shops.city, sum(sales.amount), count(sales.id)
FROM sales LEFT JOIN shops ON sales.shop_id = shops.id
WHERE sales.amount > $1::numeric GROUP BY 1 ORDER BY 2 DESC LIMIT 10000
"""


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rows", type=int, default=4_000_000)
    given.add_argument("--requests", type=int, default=400)
    given.add_argument("--queries", type=int, default=40)
    given.add_argument("--port", type=int, default=16790)
    asked = given.parse_args()
    print(f"load average {psutil.getloadavg()[0]:.2f}")
    compiling()
    with (
        tempfile.TemporaryDirectory(prefix="isthmus-bench-") as name,
        isthmus(Path(name), asked.port, Path()) as side,
    ):
        url = str(EmbeddedServers(Path(name) / "home").urls.warehouse_url).replace("+asyncpg", "")
        asyncio.run(fill(url, asked.rows))
        push(side)
        make_key(side)
        kept(side, Path(name), asked.requests, asked.port + 1)
        uncached(side, url, asked.queries)


def compiling() -> None:
    """CPU of a query from its JSON to SQL."""
    model, caller = load(MODEL), Caller("somebody")
    for name, query in (("plain", KEPT), ("split by fan-out, time, or", HARD)):
        took = []
        for number in range(220):
            began = time.process_time()
            compile_query(model, normalise(query).queries[0], caller)
            if number >= 20:
                took.append(time.process_time() - began)
        print(f"compile, {name}: {1000 * statistics.mean(took):.2f} ms CPU (target 5)")


async def fill(url: str, rows: int) -> None:
    """The warehouse's tables."""
    connection = await asyncpg.connect(url)
    await connection.execute(FILL.format(rows=rows))
    await connection.close()


def push(side: Side) -> None:
    """Have the model served."""
    body = json.dumps({"query": PUSH, "variables": {"f": MODEL}})
    connection = side.connect()
    connection.request("POST", "/v2/graphql", body, HEADERS)
    answer = json.loads(connection.getresponse().read())
    assert answer["data"]["semanticModelCreate"]["errors"] == [], answer


def make_key(side: Side) -> None:
    """Ask as a client does: with a key of a user."""
    query = 'mutation { apiKeyCreate(input: {name: "bench"}) { token } }'
    connection = side.connect()
    connection.request("POST", "/v2/graphql", json.dumps({"query": query}), HEADERS)
    CALLER["Authorization"] = json.loads(connection.getresponse().read())["data"]["apiKeyCreate"][
        "token"
    ]


def question(connection: HTTPConnection, query: Any) -> bytes:
    """An answer of /v2/load, waited for."""
    while True:
        connection.request("POST", "/v2/load", json.dumps({"query": query}), CALLER)
        body = connection.getresponse().read()
        if b"Continue wait" not in body:
            assert b'"data"' in body, body[:500]
            return body


def kept(side: Side, folder: Path, requests: int, port: int) -> None:
    """Requests a second for a kept answer, and for the same bytes from a server that does nothing."""
    body = question(side.connect(), KEPT)
    (folder / "body").write_bytes(body)
    script = Path(__file__).with_name("bare.py")
    bare = subprocess.Popen([sys.executable, script, str(port), str(folder / "body")])
    time.sleep(3)
    try:
        for connections in (1, 8):
            ours = rate(side.port, requests, connections)
            theirs = rate(port, requests, connections)
            print(
                f"kept answer of {len(body)} bytes, {connections} connections: {ours:.0f}/s, "
                f"bare {theirs:.0f}/s, ratio {ours / theirs:.2f} (target 0.5)"
            )
    finally:
        bare.terminate()


def rate(port: int, requests: int, connections: int) -> float:
    """Requests a second over so many connections."""

    def repeat(times: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(times):
            question(connection, KEPT)

    repeat(20)
    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(repeat, [requests // connections] * connections))
    return requests / (time.perf_counter() - began)


def uncached(side: Side, url: str, queries: int) -> None:
    """CPU and time of queries that are run, beside the same SQL through the same driver."""
    connection, runner = side.connect(), asyncio.Runner()
    mine = runner.run(asyncpg.connect(url))
    sides: dict[str, list[tuple[float, float]]] = {"ours": [], "by hand": []}
    for number in range(queries + 5):
        # Each has another value, so that none is kept.
        value = str(100 + number / 100)
        tests = [{"member": "sales.amount", "operator": "gt", "values": [value]}]
        query = {"measures": ["sales.revenue", "sales.count"], "dimensions": ["shops.city"]}
        one = measured(side, lambda q={**query, "filters": tests}: question(connection, q))  # type: ignore[misc]
        other = measured(side, lambda v=value: runner.run(by_hand(mine, v)))  # type: ignore[misc]
        if number >= 5:
            sides["ours"].append(one)
            sides["by hand"].append(other)
    (cpu, wall), (hand_cpu, hand_wall) = (
        tuple(statistics.median(part) for part in zip(*found, strict=True))
        for found in sides.values()
    )
    print(
        f"uncached: {1000 * wall:.1f} ms, {1000 * cpu:.1f} ms CPU; by hand {1000 * hand_wall:.1f} ms, "
        f"{1000 * hand_cpu:.1f} ms CPU; ratio {cpu / hand_cpu:.2f} (target 1.3), "
        f"{1000 * (cpu - hand_cpu):.1f} ms more (target 10)"
    )


def measured(side: Side, work: Any) -> tuple[float, float]:
    """CPU seconds of all processes and of this one, and seconds."""
    before, own, began = side.cpu(), time.process_time(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    return side.cpu() - before + time.process_time() - own, wall


async def by_hand(connection: asyncpg.Connection, value: str) -> Any:
    """The same rows by hand-written SQL, as JSON."""
    found = await connection.fetch(BY_HAND, Decimal(value))
    return json.dumps([tuple(row) for row in found], default=str)


if __name__ == "__main__":
    main()
