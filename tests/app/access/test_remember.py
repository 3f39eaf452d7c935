"""Callers are remembered between requests, and no right outlives its end by one request."""

import asyncio
from dataclasses import replace
from time import time

import httpx2
import pytest
from sqlalchemy import text

from app.access.identify import by_api_key, by_token, is_present, renewed
from app.core import db
from app.core.errors import Unauthenticated
from app.core.ids import token_hash
from app.core.rules import Subject
from tests.factories import rows
from tests.factories.team import Team, member
from tests.graphql.caller import Caller

PROJECTS = "{ projects(first: 5) { totalCount } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename } }"
RENAME = """mutation ($id: ID!) {
  projectUpdate(input: {id: $id, name: "Renamed"}) { project { name } errors { code } }
}"""

MINE = "(SELECT user_id FROM sessions WHERE token_hash = :hash)"
ENDS = {
    "revoked": "UPDATE sessions SET revoked_at = now() WHERE token_hash = :hash",
    "expired": "UPDATE sessions SET expires_at = now() WHERE token_hash = :hash",
    "session deleted": "DELETE FROM sessions WHERE token_hash = :hash",
    "user inactive": f"UPDATE users SET is_active = false WHERE id = {MINE}",
    "user deleted": f"DELETE FROM users WHERE id = {MINE}",
}
LOSSES = {
    "membership deleted": f"DELETE FROM memberships WHERE user_id = {MINE}",
    "another role": "UPDATE memberships SET role_id = "
    f"(SELECT id FROM roles WHERE name = 'sourcer') WHERE user_id = {MINE}",
}


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements by which callers were identified."""
    seen: list[str] = []
    fetch_row = db.fetch_row

    async def counted(statement: str, *parameters: object) -> object:
        seen.append(statement)
        return await fetch_row(statement, *parameters)

    monkeypatch.setattr(db, "fetch_row", counted)
    return seen


async def somebody_else(statement: str, caller: Caller) -> None:
    """What another process, or an operator, does to the tables."""
    async with db.engine().begin() as connection:
        await connection.execute(text(statement), {"hash": token_hash(str(caller.token))})


async def test_the_second_read_asks_for_nobody(team: Team, looks: list[str]) -> None:
    assert (await team.viewer(PROJECTS)).only["totalCount"] == 1
    assert len(looks) == 1
    for _ in range(3):
        assert (await team.viewer(PROJECTS)).only["totalCount"] == 1
    assert len(looks) == 1


async def test_what_is_executed_looks_again(team: Team, looks: list[str]) -> None:
    await team.owner(PROJECTS)
    looks.clear()
    assert (await team.owner(NODE, id=team.project_id)).only == {"__typename": "Project"}
    assert (await team.owner(RENAME, id=team.project_id)).only["errors"] == []
    assert len(looks) == 2


async def test_who_comes_while_others_look_shares_the_next_look(
    client: httpx2.AsyncClient,
    team: Team,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look under way may have seen the caller before its end."""
    caller = await member(client, team.project, "owner")
    subject = await by_token(str(caller.token))
    fetch_row, seen, go_on = db.fetch_row, asyncio.Event(), asyncio.Event()
    statements = 0

    async def slow(statement: str, *parameters: object) -> object:
        nonlocal statements
        statements += 1
        row = await fetch_row(statement, *parameters)
        seen.set()
        await go_on.wait()
        return row

    monkeypatch.setattr(db, "fetch_row", slow)
    before = asyncio.create_task(is_present(subject))
    await seen.wait()
    await somebody_else(ENDS["revoked"], caller)
    after = [asyncio.create_task(is_present(subject)) for _ in range(3)]
    gone = asyncio.create_task(is_present(subject))
    await asyncio.sleep(0)
    gone.cancel()
    go_on.set()
    assert await before
    assert await asyncio.gather(*after) == [False] * 3
    assert statements == 2


async def test_a_look_that_is_given_up_leaves_the_others_theirs(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = await by_token(str(team.owner.token))
    fetch_row, asked = db.fetch_row, asyncio.Event()

    async def waits(statement: str, *parameters: object) -> object:
        monkeypatch.setattr(db, "fetch_row", fetch_row)
        asked.set()
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr(db, "fetch_row", waits)
    first = asyncio.create_task(is_present(subject))
    await asked.wait()
    others = [asyncio.create_task(is_present(subject)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [True] * 3


async def test_a_failed_look_is_told_to_all_who_waited(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = await by_token(str(team.owner.token))
    fetch_row = db.fetch_row

    async def fails(statement: str, *parameters: object) -> object:
        raise ConnectionResetError("PostgreSQL is away.")

    monkeypatch.setattr(db, "fetch_row", fails)
    asked = (is_present(subject) for _ in range(3))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in answers] == [ConnectionResetError] * 3
    monkeypatch.setattr(db, "fetch_row", fetch_row)
    assert await is_present(subject)


@pytest.mark.parametrize("document", [PROJECTS, NODE, RENAME], ids=["read", "node", "write"])
@pytest.mark.parametrize("end", ENDS)
async def test_an_ended_credential_ends_at_once(
    client: httpx2.AsyncClient, team: Team, document: str, end: str
) -> None:
    caller = await member(client, team.project, "owner")
    assert (await caller(PROJECTS)).only["totalCount"] == 1
    await somebody_else(ENDS[end], caller)
    variables = {} if document == PROJECTS else {"id": team.project_id}
    assert (await caller(document, variables)).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_right_is_lost_at_once(
    client: httpx2.AsyncClient, team: Team, loss: str
) -> None:
    caller = await member(client, team.project, "editor")
    pipelines = "{ pipelines(first: 5) { totalCount } }"
    await team.owner(
        'mutation ($p: ID!) { pipelineCreate(input: {projectId: $p, name: "one"}) '
        "{ errors { code } } }",
        p=team.project_id,
    )
    before = (await caller(pipelines)).only["totalCount"]
    assert before > 0
    await somebody_else(LOSSES[loss], caller)
    answer = await caller(pipelines)
    assert answer.codes or answer.only["totalCount"] == 0


async def test_a_role_that_gains_a_permission_has_it_at_once(
    client: httpx2.AsyncClient, team: Team
) -> None:
    caller = await member(client, team.project, "sourcer")
    pipelines = "{ pipelines(first: 5) { totalCount } }"
    assert (await caller(pipelines)).only["totalCount"] == 0
    gain = "UPDATE roles SET permissions = permissions || '{pipeline.read}' WHERE name = 'sourcer'"
    await somebody_else(gain, caller)
    assert (await caller(pipelines)).only["totalCount"] > 0


async def test_a_second_cookie_header_is_part_of_who_asks(
    client: httpx2.AsyncClient, team: Team
) -> None:
    caller = await member(client, team.project, "viewer")
    own = ("Cookie", f"oauth_token={caller.token}")
    me = {"query": "{ me { username } }"}
    both = await client.post("/v2/graphql", json=me, headers=[("Cookie", "theme=dark"), own])
    assert both.json()["data"]["me"] is not None
    alone = await client.post("/v2/graphql", json=me, headers=[("Cookie", "theme=dark")])
    assert alone.json().get("data") is None or alone.json()["data"]["me"] is None


async def test_a_subscriptions_caller_has_the_groups_of_now_and_a_token_an_end(team: Team) -> None:
    user = await rows.user()
    key = await rows.api_key(user)
    first = await by_api_key(key.token)
    async with db.engine().begin() as connection:
        bound = text("UPDATE api_keys SET groups = ARRAY['reader'] WHERE id = :id")
        await connection.execute(bound, {"id": key.id})
    assert (first.groups, (await renewed(first)).groups) == (None, ("reader",))
    jwt = Subject(kind="jwt", user_id=user, expires_at=time() + 60)
    assert await renewed(jwt) is jwt
    with pytest.raises(Unauthenticated, match="Expired"):
        await renewed(replace(jwt, expires_at=time() - 1))
