"""Callers of the whole application, and a project to work in."""

from dataclasses import dataclass

import httpx2
import pytest
from starlette.applications import Starlette

from app.core.ids import global_id
from tests.factories import rows
from tests.graphql.caller import Caller


@dataclass(frozen=True)
class Team:
    """A project and a caller for some of its members."""

    project: int
    owner: Caller
    editor: Caller
    viewer: Caller

    @property
    def project_id(self) -> str:
        """The project's global id."""
        return global_id("Project", self.project)


async def _member(client: httpx2.AsyncClient, project: int, role: str) -> Caller:
    user = await rows.user(role)
    await rows.member(project, user, role)
    return Caller(client, (await rows.session(user)).token)


@pytest.fixture(scope="module")
async def team(app: Starlette, client: httpx2.AsyncClient) -> Team:
    """A project of three."""
    project = await rows.project()
    callers = [await _member(client, project, role) for role in ("owner", "editor", "viewer")]
    return Team(project, *callers)


@pytest.fixture(scope="module")
def anonymous(client: httpx2.AsyncClient) -> Caller:
    """A caller without a credential."""
    return Caller(client)


@pytest.fixture(scope="module")
def owner(client: httpx2.AsyncClient, owner_token: str) -> Caller:
    """The first owner of the installation."""
    return Caller(client, owner_token)
