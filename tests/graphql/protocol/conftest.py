"""The toy server of these tests."""

from collections.abc import AsyncIterator

import pytest

from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.server import Toy, serving


@pytest.fixture(scope="session")
async def toy() -> AsyncIterator[Toy]:
    """One server with the default limits and open introspection for all tests that only ask."""
    settings = GraphQLSettings(
        introspection="open",
        playground=True,
        allowed_origins=("http://localhost:8000",),
        init_timeout_s=1,
        timeout_s=5,
    )
    async with serving(settings) as running:
        yield running
