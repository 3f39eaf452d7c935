"""The three measurements: compiling, kept answers, and queries that are run."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import asyncpg
import client
import cpu
from place import MODEL, Place, bare, spread

from app.semantic.compile import compile_query, normalise
from app.semantic.model import Caller, load

CONNECTIONS = (1, 8)
SETTLE_S = 0.05
WARM = 200
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
RUN = {"measures": ["sales.revenue", "sales.count"], "dimensions": ["shops.city"]}
BY_HAND = """
SELECT shops.city, sum(sales.amount), count(sales.id)
FROM sales LEFT JOIN shops ON sales.shop_id = shops.id
WHERE sales.amount > $1::numeric GROUP BY 1 ORDER BY 2 DESC LIMIT 10000
"""
COMPILED = {"a join and two measures": KEPT, "fan-out, time, or": HARD}


@dataclass(frozen=True)
class Visit:
    """A kept answer, asked for again and again: microseconds of CPU a request, and milliseconds."""

    rate: float
    server: float
    postgres: float
    p50: float


@dataclass(frozen=True)
class Run:
    """Queries that are run: milliseconds of CPU of all processes, and until the answer, of one."""

    cpu: float
    wall: float


@dataclass
class Kept:
    """Visits to both servers, by connections."""

    size: int = 0
    ours: dict[int, list[Visit]] = field(default_factory=dict)
    bare: dict[int, list[Visit]] = field(default_factory=dict)


@dataclass
class Uncached:
    """Visits to both ways of asking."""

    ours: list[Run] = field(default_factory=list)
    by_hand: list[Run] = field(default_factory=list)


def compiling() -> dict[str, float]:
    """Milliseconds of CPU of a query from its JSON to SQL, each with a value of its own."""
    model, caller = load(MODEL), Caller("somebody")
    found = {}
    for name, query in COMPILED.items():
        took = []
        for number in range(220):
            # What was compiled before is remembered, so none comes twice.
            test = {"member": "sales.amount", "operator": "gt", "values": [str(number)]}
            asked = {**query, "filters": [*query.get("filters", []), test]}
            began = time.process_time()
            compile_query(model, normalise(asked).queries[0], caller)
            if number >= 20:
                took.append(time.process_time() - began)
        found[name] = 1000 * statistics.median(took)
    return found


def kept(where: Place, port: int, requests: int, rounds: int) -> Kept:
    """Requests for one kept answer, and for the same bytes from a server that does nothing else."""
    body = where.answer(KEPT)
    request = where.request(KEPT)
    found = Kept(len(body))
    with bare(body, port) as other:
        sides = [(found.ours, where.side.port), (found.bare, port)]
        for _, at in sides:
            client.repeat(at, request, WARM, CONNECTIONS[-1], len(body))
        spread(where, other)
        for round_ in range(rounds):
            for visits, at in sides[:: -1 if round_ % 2 else 1]:
                pids = where.api if at == where.side.port else [other]
                for connections in CONNECTIONS:
                    one = _visit(where, pids, at, request, requests, connections, len(body))
                    visits.setdefault(connections, []).append(one)
    return found


def _visit(
    where: Place,
    pids: list[int],
    port: int,
    request: bytes,
    requests: int,
    connections: int,
    size: int,
) -> Visit:
    client.repeat(port, request, WARM, connections, size)
    time.sleep(SETTLE_S)
    before = cpu.spent(pids), cpu.spent(where.postgres)
    waits = client.repeat(port, request, requests, connections, size)
    time.sleep(SETTLE_S)
    after = cpu.spent(pids), cpu.spent(where.postgres)
    server, postgres = (cpu.between(b, a) / requests for b, a in zip(before, after, strict=True))
    p50 = 1000 * statistics.median(waits.each)
    return Visit(requests / waits.whole, server, postgres, p50)


def uncached(where: Place, queries: int, rounds: int) -> Uncached:
    """Queries with values of their own, beside the same SQL through the same driver."""
    with asyncio.Runner() as runner:
        mine = runner.run(asyncpg.connect(where.warehouse))

        def ask(value: str) -> int:
            tests = [{"member": "sales.amount", "operator": "gt", "values": [value]}]
            return len(json.loads(where.answer({**RUN, "filters": tests}))["data"])

        def by_hand(value: str) -> int:
            return len(json.loads(runner.run(_by_hand(mine, value))))

        found, number = Uncached(), 0
        for round_ in range(rounds + 1):
            values = [f"{100 + (number + n) / 100:.2f}" for n in range(queries)]
            number += queries
            assert ask("99.5") == by_hand("99.5")
            ours, other = _timed(where, ask, values), _timed(where, by_hand, values)
            if round_:  # the first warms up
                found.ours.append(ours)
                found.by_hand.append(other)
        runner.run(mine.close())
    return found


def _timed(where: Place, ask: Callable[[str], Any], values: list[str]) -> Run:
    """CPU of all processes, this one included, for each of some queries."""
    own, before = time.process_time(), cpu.spent(where.all)
    waits = []
    for value in values:
        began = time.perf_counter()
        ask(value)
        waits.append(time.perf_counter() - began)
    time.sleep(SETTLE_S)
    spent = cpu.between(before, cpu.spent(where.all)) / 1000
    total = spent + 1000 * (time.process_time() - own)
    return Run(total / len(values), 1000 * statistics.median(waits))


async def _by_hand(connection: asyncpg.Connection, value: str) -> str:
    """The same rows by hand-written SQL, as JSON."""
    found = await connection.fetch(BY_HAND, Decimal(value))
    return json.dumps([tuple(row) for row in found], default=str)
