"""Callers of the whole application, and a project to work in."""

import httpx2
import pytest
from starlette.applications import Starlette

from tests.factories.team import Team, make_team
from tests.graphql.caller import Caller


@pytest.fixture(scope="module")
async def team(app: Starlette, client: httpx2.AsyncClient) -> Team:
    """A project of three."""
    return await make_team(client)


@pytest.fixture(scope="module")
def anonymous(client: httpx2.AsyncClient) -> Caller:
    """A caller without a credential."""
    return Caller(client)


@pytest.fixture(scope="module")
def owner(client: httpx2.AsyncClient, owner_token: str) -> Caller:
    """The first owner of the installation."""
    return Caller(client, owner_token)
