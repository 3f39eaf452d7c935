"""CPU and time of reads: all processes of a side, over batches of requests."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection

from sides import HEADERS, Side

REQUESTS = 200
IDLE_S = 15.0


@dataclass(frozen=True)
class Read:
    """A request to repeat, and how often before anything counts."""

    path: str
    warm_up: int = 20


READS = (
    Read("/api/pipelines"),
    Read("/api/pipeline_runs?_limit=30"),
    Read("/api/pipelines/wide_07"),
)
CONNECTIONS = (1, 8)


@dataclass(frozen=True)
class Load:
    """One batch: CPU milliseconds a request, and milliseconds of waiting for answers."""

    cpu_ms: float
    p50_ms: float
    p99_ms: float
    size: int


def measure(side: Side, read: Read, batches: int) -> dict[int, Load]:
    """The median batch for each number of connections, by CPU a request, after a warm-up."""
    _batch(side, read, 1, read.warm_up)
    return {number: _middle(side, read, number, batches) for number in CONNECTIONS}


def idle_cpu(side: Side) -> float:
    """CPU seconds a second while nobody asks for anything."""
    before = side.cpu()
    time.sleep(IDLE_S)
    return (side.cpu() - before) / IDLE_S


def _middle(side: Side, read: Read, connections: int, batches: int) -> Load:
    loads = [_batch(side, read, connections, REQUESTS) for _ in range(batches)]
    return sorted(loads, key=lambda load: load.cpu_ms)[len(loads) // 2]


def _batch(side: Side, read: Read, connections: int, requests: int) -> Load:
    before = side.cpu()
    with ThreadPoolExecutor(connections) as pool:
        share = requests // connections
        parts = list(pool.map(lambda _: _repeat(side, read.path, share), range(connections)))
    cpu = side.cpu() - before
    waits = sorted(wait for waits, _ in parts for wait in waits)
    p99 = statistics.quantiles(waits, n=100)[98] if len(waits) > 1 else waits[0]
    return Load(1000 * cpu / len(waits), 1000 * statistics.median(waits), 1000 * p99, parts[0][1])


def _repeat(side: Side, path: str, times: int) -> tuple[list[float], int]:
    """Seconds of each request on one connection, and the bytes of the last answer."""
    connection = side.connect()
    waits, body = [], b""
    for _ in range(times):
        began = time.perf_counter()
        body = _answer(connection, path)
        waits.append(time.perf_counter() - began)
    connection.close()
    return waits, len(body)


def _answer(connection: HTTPConnection, path: str) -> bytes:
    connection.request("GET", path, headers=HEADERS)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200 or body.startswith(b'{"error"'):
        raise RuntimeError(f"GET {path}: {response.status} {body[:300]!r}")
    return body
