"""A project and callers for some of its members."""

from dataclasses import dataclass

import httpx2

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


async def member(client: httpx2.AsyncClient, project: int, role: str) -> Caller:
    """A new user with a session and a role in the project."""
    user = await rows.user(role)
    await rows.member(project, user, role)
    return Caller(client, (await rows.session(user)).token)


async def make_team(client: httpx2.AsyncClient) -> Team:
    """A project of three."""
    project = await rows.project()
    callers = [await member(client, project, role) for role in ("owner", "editor", "viewer")]
    return Team(project, *callers)
