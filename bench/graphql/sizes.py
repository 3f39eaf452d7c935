"""Whether a page costs the same whatever the table has: 10 thousand to 1 million runs."""

import asyncio
import json
import sys
from dataclasses import replace

import asyncpg
import contenders as c
import measure
from load import Asked, one
from operations import JSON, OPERATIONS
from place import API_KEY, Place, fill, place
from report import IDLE_LOAD, Machine

SIZES = (10_000, 100_000, 1_000_000)
PAGE = """query Page($after: String, $where: PipelineRunFilter) {
  pipelineRuns(first: 20, after: $after, where: $where) {
    %s
    nodes { number status executionDate startedAt finishedAt pipelineUuid }
    pageInfo { hasNextPage endCursor }
  }
}"""
CURSOR = "%CURSOR%"
Sized = dict[str, dict[int, measure.Figures]]


def questions(where: Place) -> dict[str, Asked]:
    """The pages that are asked for. Whoever counts reads what there is: these need not be flat."""
    server = c.CONTENDERS["compiled"]
    headers = JSON | server.headers(OPERATIONS["S"], where)

    def of(count: str = "", **variables: object) -> Asked:
        body = {"query": PAGE % count, "operationName": "Page", "variables": variables}
        return Asked("POST", server.path, headers, json.dumps(body).encode())

    rest = {"X-API-KEY": API_KEY, "OAUTH-TOKEN": where.owner}
    one = {"pipelineUuid": {"eq": "pipeline_0007"}}
    return {
        "first page of 20 runs": of(),
        "page after a cursor": of(after=CURSOR),
        "page of one pipeline": of(where=one),
        "first page with totalCount": of("totalCount"),
        "`GET /api/pipeline_runs?_limit=20`, which counts": Asked(
            "GET", "/api/pipeline_runs?_limit=20", rest
        ),
    }


def measured(rounds: int, share: float, port: int) -> Sized:
    """Figures by page and size, the same database growing."""
    found: Sized = {}
    with place(SIZES[0]) as where, c.running(c.CONTENDERS["compiled"], where, port) as server:
        have = SIZES[0]
        for size in SIZES:
            if size > have:
                print(f"grows to {size} runs", file=sys.stderr, flush=True)
                asyncio.run(_grow(where, have + 1, size))
                have = size
            for title, asking in questions(where).items():
                figures = asyncio.run(_measured(where, server, asking, rounds, share))
                found.setdefault(title, {})[size] = figures
    return found


async def _grow(where: Place, first: int, last: int) -> None:
    connection = await asyncpg.connect(where.dsn)
    await fill(connection, first, last)
    await connection.close()


async def _measured(
    where: Place, server: c.Running, asking: Asked, rounds: int, share: float
) -> measure.Figures:
    figures = measure.Figures()
    if CURSOR.encode() in asking.body:
        plain = asking.body.replace(json.dumps({"after": CURSOR}).encode(), b"{}")
        first = replace(asking, body=plain)
        page = json.loads(await one(server.port, first, measure.NUMBERS))
        cursor = page["data"]["pipelineRuns"]["pageInfo"]["endCursor"].encode()
        asking = replace(asking, body=asking.body.replace(CURSOR.encode(), cursor))
    requests = max(20, round(300 * share))
    figures.size = len(await one(server.port, asking, measure.NUMBERS))
    for _ in range(rounds):
        figures.visits.append(await measure.visited(where, server, asking, requests))
    return figures


def page(where: Machine, found: Sized) -> str:
    """The page."""
    lines = ["# What a page costs as the ledger grows", "", where.text + ".", ""]
    if where.load > IDLE_LOAD:
        lines += ["**The machine was not idle: these figures are worth nothing.**", ""]
    head = [f"{size:,} runs" for size in SIZES]
    lines += [f"| server + PostgreSQL, microseconds | {' | '.join(head)} | last over first |"]
    lines += ["|---|" + "---|" * (len(SIZES) + 1)]
    for title, figures in found.items():
        cells = [f"{figures[size].server:,.0f} + {figures[size].postgres:,.0f}" for size in SIZES]
        ratio = figures[SIZES[-1]].total / figures[SIZES[0]].total
        lines.append(f"| {title} | {' | '.join(cells)} | {ratio:.2f} |")
    return "\n".join([*lines, ""])
