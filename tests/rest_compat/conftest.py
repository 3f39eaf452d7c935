"""What the tests of the REST dialects share."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.executed import with_and_without_compiler

pytest_generate_tests = with_and_without_compiler

Call = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture(scope="module")
def call(client: httpx2.AsyncClient, api_key: str) -> Call:
    """Send a request with the installation's key in its query."""

    async def send(
        method: str, path: str, body: Any = None, *, headers: Any = None, **query: Any
    ) -> httpx2.Response:
        parameters = {"api_key": api_key, **query}
        return await client.request(
            method, path, json=body, params=parameters, headers=headers or {}
        )

    return send
