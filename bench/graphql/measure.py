"""One visit to one contender for one operation: CPU a request, and how long answers take."""

import asyncio
import os
import statistics
from dataclasses import dataclass, field

import cpu
from contenders import Running
from load import Asked, Numbers, many, one
from operations import Operation, asked, comparable
from place import Place

CONCURRENCY = 4
SETTLE_S = 0.05


@dataclass(frozen=True)
class Visit:
    """Microseconds of CPU a request: of the server, and of PostgreSQL."""

    server: float
    postgres: float


@dataclass
class Waits:
    """Milliseconds."""

    p50: float
    p99: float


@dataclass
class Figures:
    """All visits of one contender for one operation."""

    visits: list[Visit] = field(default_factory=list)
    waits: dict[int, Waits] = field(default_factory=dict)
    size: int = 0

    @property
    def server(self) -> float:
        """The median."""
        return statistics.median(visit.server for visit in self.visits)

    @property
    def least(self) -> float:
        """The best."""
        return min(visit.server for visit in self.visits)

    @property
    def postgres(self) -> float:
        """The median of PostgreSQL's share."""
        return statistics.median(visit.postgres for visit in self.visits)

    @property
    def total(self) -> float:
        """The median of both together."""
        return statistics.median(visit.server + visit.postgres for visit in self.visits)


NUMBERS = Numbers()


def question(place: Place, server: Running, operation: Operation) -> Asked:
    """The request that this contender gets."""
    contender = server.contender
    headers = contender.headers(operation, place)
    return asked(operation, contender.dialect, contender.path, headers)


def answer(place: Place, server: Running, operation: Operation) -> tuple[object, int]:
    """A comparable answer, and its size in bytes."""
    body = asyncio.run(one(server.port, question(place, server, operation), NUMBERS))
    return comparable(body, operation), len(body)


def warm(place: Place, server: Running, operation: Operation, share: float) -> None:
    """Ask until everything is compiled that will be."""
    requests = max(CONCURRENCY, round(operation.warm * share))
    asyncio.run(
        many(server.port, question(place, server, operation), requests, CONCURRENCY, NUMBERS)
    )


def visit(place: Place, server: Running, operation: Operation, share: float) -> Visit:
    """CPU of a fixed number of requests, with nothing under way at either reading."""
    requests = max(CONCURRENCY, round(operation.batch * share))
    return asyncio.run(visited(place, server, question(place, server, operation), requests))


async def visited(place: Place, server: Running, asking: Asked, requests: int) -> Visit:
    """CPU of so many requests of one kind."""
    await many(server.port, asking, CONCURRENCY, CONCURRENCY, NUMBERS)
    await asyncio.sleep(SETTLE_S)
    before = cpu.spent(server.processes()), cpu.spent(place.backends())
    await many(server.port, asking, requests, CONCURRENCY, NUMBERS)
    await asyncio.sleep(SETTLE_S)
    after = cpu.spent(server.processes()), cpu.spent(place.backends())
    own, postgres = (cpu.between(b, a) / requests for b, a in zip(before, after, strict=True))
    return Visit(own, postgres)


def waits(
    place: Place, server: Running, operation: Operation, connections: int, share: float
) -> Waits:
    """How long answers take with so many connections."""
    requests = max(100, round(operation.batch * share))
    asking = question(place, server, operation)
    found = asyncio.run(many(server.port, asking, requests, connections, NUMBERS))
    cuts = statistics.quantiles(found, n=100)
    return Waits(1000 * cuts[49], 1000 * cuts[98])


def spread(place: Place, servers: list[Running]) -> None:
    """The servers to one core, PostgreSQL and this process to the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return
    for server in servers:
        cpu.pin(server.processes(), cores[:1])
    cpu.pin([os.getpid(), *cpu.tree(place.postmaster)], cores[1:])
