"""One durable PostgreSQL and Valkey for the tests of this folder, a database for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.embedded import EmbeddedServers
from tests.journeys.chaos.harness import Cluster, Databases, durable_servers, open_cluster

Servers = tuple[EmbeddedServers, Databases]


@pytest.fixture(scope="session")
def chaos_servers() -> Iterator[Servers]:
    """Servers with fsync on."""
    with durable_servers() as servers:
        yield servers


@pytest.fixture
async def cluster(chaos_servers: Servers, tmp_path: Path) -> AsyncIterator[Cluster]:
    """An empty ledger, and no worker yet."""
    async with open_cluster(*chaos_servers, tmp_path) as cluster:
        yield cluster
