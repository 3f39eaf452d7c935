"""Callers of the whole application."""

import httpx2
import pytest

from tests.executed import with_and_without_compiler
from tests.graphql.caller import Caller

pytest_generate_tests = with_and_without_compiler


@pytest.fixture(scope="module")
def anonymous(client: httpx2.AsyncClient) -> Caller:
    """A caller without a credential."""
    return Caller(client)


@pytest.fixture(scope="module")
def owner(client: httpx2.AsyncClient, owner_token: str) -> Caller:
    """The first owner of the installation, who belongs to the default project."""
    return Caller(client, owner_token)
