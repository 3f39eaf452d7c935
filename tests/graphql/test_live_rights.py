"""An open subscription ends when its caller may no longer follow."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx2
import pytest
from starlette.applications import Starlette

from app.access import identify
from app.access.tables import memberships, sessions
from app.core import db
from app.core.ids import global_id
from app.graphql.context import Context
from app.graphql.execute import Result, subscribe
from tests.factories import rows
from tests.factories.team import Team, make_team

RUN = """subscription($id: ID!) { runUpdated(id: $id) {
  status run { ... on PipelineRun { number trigger { token } } } } }"""
RUNS = "subscription { runsUpdated { status run { id } } }"
LOGS = "subscription($id: ID!) { runLogs(runId: $id) { message } }"
CANCEL = "mutation($id: ID!) { pipelineRunCancel(input: {by: {id: $id}}) { errors { code } } }"


@pytest.fixture(scope="module")
async def team(app: Starlette, client: httpx2.AsyncClient) -> Team:
    """A project of three."""
    return await make_team(client)


class Follower:
    """A user with a role, and the subscriptions that they open."""

    def __init__(
        self, app: Starlette, user: int, membership: int, session: rows.Credential
    ) -> None:
        self.app = app
        self.user = user
        self.membership = membership
        self.session = session

    async def follow(self, document: str, **variables: object) -> AsyncGenerator[Result, None]:
        """Open a subscription."""
        subject = await identify.by_token(self.session.token)
        schema = self.app.endpoint.door.schema
        return subscribe(schema, document, variables, None, lambda: Context(subject))


async def follower(app: Starlette, team: Team, role: str) -> Follower:
    """A new member of the team."""
    user = await rows.user()
    membership = await rows.member(team.project, user, role)
    return Follower(app, user, membership, await rows.session(user))


async def leaves(who: Follower) -> None:
    """The membership ends."""
    async with db.engine().begin() as connection:
        gone = memberships.delete().where(memberships.c.id == who.membership)
        await connection.execute(gone)


async def logs_out(who: Follower) -> None:
    """The session is revoked."""
    stored = await rows.values_of(sessions, who.session.id)
    await rows.change(sessions, who.session.id, revoked_at=stored["created_at"])


async def is_deactivated(who: Follower) -> None:
    """The account is switched off."""
    await rows.change(rows.users, who.user, is_active=False)


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (leaves, "NOT_FOUND"),
        (logs_out, "UNAUTHENTICATED"),
        (is_deactivated, "UNAUTHENTICATED"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize("document", [RUN, LOGS], ids=["run", "log"])
async def test_a_stream_ends_with_the_right_to_it(
    app: Starlette,
    team: Team,
    document: str,
    happens: Callable[[Follower], Awaitable[None]],
    code: str,
) -> None:
    run = await rows.run(await rows.pipeline(team.project), log=["first"])
    who = await follower(app, team, "viewer")
    stream = await who.follow(document, id=run.global_id)
    async with asyncio.timeout(10):
        assert not (await anext(stream)).errors
        await happens(who)
        await team.owner(CANCEL, id=run.global_id)
        refused = await anext(stream)
    assert refused.codes == {code}
    await stream.aclose()


async def test_runs_of_a_project_are_not_told_to_who_has_left_it(
    app: Starlette, team: Team
) -> None:
    who = await follower(app, team, "viewer")
    stream = await who.follow(RUNS)
    pipeline = await rows.pipeline(team.project)
    start = """mutation($id: ID!) { pipelineRunCreate(input: {of: {pipeline: {id: $id}}}) {
      run { id } } }"""
    first = asyncio.ensure_future(anext(stream))
    started = []
    async with asyncio.timeout(10):
        while not first.done():
            started.append(await team.owner(start, id=global_id("Pipeline", pipeline)))
            await asyncio.wait([first], timeout=0.1)
    assert not first.result().errors
    await leaves(who)
    more = asyncio.ensure_future(anext(stream))
    await team.owner(start, id=global_id("Pipeline", pipeline))
    await asyncio.wait([more], timeout=1)
    assert not more.done() or more.result().errors
    more.cancel()


async def test_a_lower_role_sees_less_from_the_next_event_on(app: Starlette, team: Team) -> None:
    pipeline = await rows.pipeline(team.project)
    trigger = await rows.trigger(pipeline)
    run = await rows.run(pipeline, trigger_id=trigger["id"])
    who = await follower(app, team, "editor")
    stream = await who.follow(RUN, id=run.global_id)
    async with asyncio.timeout(10):
        first = await anext(stream)
        assert first.data is not None
        assert first.data["runUpdated"]["run"]["trigger"] == {"token": trigger["token"]}
        await leaves(who)
        await rows.member(team.project, who.user, "viewer")
        await team.owner(CANCEL, id=run.global_id)
        second = await anext(stream)
    assert second.data is not None
    assert second.data["runUpdated"]["status"] == "cancelled"
    assert second.data["runUpdated"]["run"]["trigger"] == {"token": None}
    await stream.aclose()
