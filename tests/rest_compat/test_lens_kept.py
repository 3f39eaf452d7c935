"""Answers of /v2/load that are given again: what they take, and what ends them."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text
from starlette.applications import Starlette

from app.core import db
from app.core.ids import token_hash
from app.core.rules import SYSTEM
from app.semantic import asking
from app.semantic.actions.models import push_model
from tests.app.semantic.asked import until
from tests.app.semantic.conftest import lane, warehouse  # noqa: F401  (fixtures)
from tests.factories import rows
from tests.graphql.compiler.counting import counting
from workers.semantic.lane import Lane

MODEL = """
tables:
  - name: customers
    sql: select * from customers
    refresh_key: {every: 1 hour}
    dimensions:
      - {name: id, sql: id, type: number, primary_key: true}
      - {name: city, sql: city, type: string}
    measures:
      - {name: count, type: count}
  - name: events
    sql: select * from events
    refresh_key: {sql: select max(id) from events, every: 1 hour}
    dimensions:
      - {name: id, sql: id, type: number, primary_key: true}
    measures:
      - {name: count, type: count}
"""
GROUPS = """
user_groups:
  - name: analyst
    api_scopes: [meta, data]
    includes: [users:id:ana]
  - name: reader
    api_scopes: [meta]
    includes: [users:id:rita]
  - name: default
    api_scopes: [meta, data, graphql]
    includes: "*"
"""
COUNT = {"query": {"measures": ["customers.count"]}}
MINE = "(SELECT user_id FROM api_keys WHERE token_hash = :hash)"
ENDS = {
    "revoked": "UPDATE api_keys SET revoked_at = now() WHERE token_hash = :hash",
    "expired": "UPDATE api_keys SET expires_at = now() WHERE token_hash = :hash",
    "key deleted": "DELETE FROM api_keys WHERE token_hash = :hash",
    "key without the scope": "UPDATE api_keys SET scopes = '{project.read}' WHERE token_hash = :hash",
    "key of a group without data": "UPDATE api_keys SET groups = '{reader}' WHERE token_hash = :hash",
    "user inactive": f"UPDATE users SET is_active = false WHERE id = {MINE}",
    "user deleted": f"DELETE FROM users WHERE id = {MINE}",
    "membership deleted": f"DELETE FROM memberships WHERE user_id = {MINE}",
    "another role": "UPDATE memberships SET role_id = "
    f"(SELECT id FROM roles WHERE name = 'sourcer') WHERE user_id = {MINE}",
}
PUSH = """
import asyncio, sys
from app.core import db, events, outbox
from app.core.rules import SYSTEM
from app.semantic.actions.models import push_model
from app.settings import get_settings

async def push() -> None:
    places = get_settings().places
    db.connect(places.database_url, 2)
    outbox.connect(places.redis_url)
    await push_model(SYSTEM, 1, {"a.yml": sys.stdin.read()})
    await asyncio.gather(*events._tasks)

asyncio.run(push())
"""


@pytest_asyncio.fixture(scope="module")
async def peer(app: Starlette, lane: Lane) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: F811
    await push_model(SYSTEM, 1, {"a.yml": MODEL, "user_groups.yml": GROUPS})
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


@pytest.fixture
def long_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing but what the test does ends an answer, however slow the machine is."""
    monkeypatch.setattr(asking, "GOOD_S", 600.0)
    monkeypatch.setattr("app.semantic.load.KEPT_S", 600.0)
    monkeypatch.setattr("app.semantic.loaded.LOOK_S", 600.0)
    yield
    asking._kept._good.clear()


async def a_key(name: str | None = None) -> str:
    """A key of a viewer of the project."""
    named = {"username": name or rows.unique("viewer"), "email": None, "password_hash": "x"}
    user = (await rows.row(rows.users, **named))["id"]
    await rows.member(1, user, "viewer")
    return (await rows.api_key(user)).token


async def ask(peer: httpx2.AsyncClient, key: str, body: object = COUNT) -> httpx2.Response:
    """An answer, waited for."""
    while True:
        answer = await peer.post("/v2/load", json=body, headers={"Authorization": key})
        if "Continue wait" not in answer.text:
            return answer


async def kept(peer: httpx2.AsyncClient, key: str, body: object = COUNT) -> httpx2.Response:
    """An answer that was given again, by one statement and without an operation."""
    async with asyncio.timeout(20):
        while True:
            with counting() as counted:
                answer = await ask(peer, key, body)
            if not counted.fields:
                assert answer.status_code == 200, answer.text
                # The lane, which is in this process, has statements of its own.
                assert sum("access_version" in one for one in counted.statements) == 1
                assert not any("is_forgotten" in one for one in counted.statements)
                return answer


async def counts(peer: httpx2.AsyncClient, key: str, customers: str) -> bool:
    """Whether so many customers are counted."""
    found = (await ask(peer, key)).json()["data"]
    return bool(found == [{"customers.count": customers}])


async def somebody_else(statement: str, key: str) -> None:
    """What an operator does to the tables, behind the server's back."""
    async with db.engine().begin() as connection:
        await connection.execute(text(statement), {"hash": token_hash(key)})


async def test_a_kept_answer_is_the_one_that_was_given(
    peer: httpx2.AsyncClient, long_kept: None
) -> None:
    key = await a_key()
    first = await ask(peer, key)
    again = await kept(peer, key)
    assert again.content == first.content and again.headers == first.headers
    assert again.json()["data"] == [{"customers.count": "6"}]


@pytest.mark.parametrize("end", ENDS)
async def test_no_right_outlives_its_end(
    peer: httpx2.AsyncClient, long_kept: None, end: str
) -> None:
    key, other = await a_key(), await a_key()
    await kept(peer, key)
    await kept(peer, other)
    await somebody_else(ENDS[end], key)
    assert (await ask(peer, key)).status_code == 403
    assert (await kept(peer, other)).status_code == 200


async def test_none_of_many_at_once_is_served_after_the_end(
    peer: httpx2.AsyncClient, long_kept: None
) -> None:
    key = await a_key()
    await kept(peer, key)
    ended = asyncio.Event()

    async def repeat() -> list[tuple[bool, int]]:
        found = []
        while not found or not found[-1][0]:
            was_ended = ended.is_set()
            found.append((was_ended, (await ask(peer, key)).status_code))
        return found

    asking_ = [asyncio.create_task(repeat()) for _ in range(8)]
    await asyncio.sleep(0.1)
    await somebody_else(ENDS["revoked"], key)
    ended.set()
    answers = [one for found in await asyncio.gather(*asking_) for one in found]
    assert {status for was_ended, status in answers if was_ended} == {403}
    assert 200 in {status for _, status in answers}


async def test_a_key_that_ends_by_itself_ends_kept_answers(
    peer: httpx2.AsyncClient, long_kept: None
) -> None:
    key = await a_key()
    await somebody_else(
        "UPDATE api_keys SET expires_at = now() + interval '3 s' WHERE token_hash = :hash", key
    )
    await kept(peer, key)

    async def has_ended() -> bool:
        return (await ask(peer, key)).status_code == 403

    await until(has_ended)


async def test_what_one_was_told_no_other_is_told(
    peer: httpx2.AsyncClient, long_kept: None
) -> None:
    await kept(peer, await a_key("ana"))
    answer = await ask(peer, await a_key("rita"))
    assert (answer.status_code, answer.json()) == (403, {"error": "API scope is missing: data"})
    assert (await ask(peer, "isk_unknown")).status_code == 403


async def test_another_query_has_another_answer(peer: httpx2.AsyncClient, long_kept: None) -> None:
    key = await a_key()
    await kept(peer, key)
    by_city = {"query": {**COUNT["query"], "dimensions": ["customers.city"]}}
    assert len((await ask(peer, key, by_city)).json()["data"]) > 1
    several = await ask(peer, key, {**COUNT, "queryType": "multi"})
    assert list(several.json()) != list((await ask(peer, key)).json())
    assert (await peer.get("/v2/load", headers={"Authorization": key})).status_code == 400


async def test_a_model_of_another_process_is_served_at_once(
    peer: httpx2.AsyncClient, long_kept: None
) -> None:
    """A hint of it comes over Redis."""
    key = await a_key()
    await kept(peer, key)
    changed = MODEL.replace("select * from customers", "select * from customers where id = 1")
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", PUSH], input=changed.encode(), check=True
    )
    await until(partial(counts, peer, key, "1"))
    await push_model(SYSTEM, 1, {"a.yml": MODEL, "user_groups.yml": GROUPS})


async def test_a_model_without_a_hint_is_served_soon(peer: httpx2.AsyncClient) -> None:
    key = await a_key()
    await until(partial(counts, peer, key, "6"))
    await somebody_else(
        "INSERT INTO semantic_models (project_id, version, files, note) SELECT project_id, "
        "version + 1, jsonb_build_object('a.yml', replace(files->>'a.yml', "
        "'select * from customers', 'select * from customers where id < 3')), '' "
        "FROM semantic_models WHERE :hash <> '' ORDER BY version DESC LIMIT 1",
        key,
    )
    await until(partial(counts, peer, key, "2"))
    await push_model(SYSTEM, 1, {"a.yml": MODEL, "user_groups.yml": GROUPS})


async def test_a_renewed_answer_is_everybodys(
    peer: httpx2.AsyncClient,
    long_kept: None,
    warehouse: str,  # noqa: F811
) -> None:
    key = await a_key()
    query = {"measures": ["events.count"]}
    before = (await kept(peer, key, {"query": query})).json()["data"]
    connection = await asyncpg.connect(warehouse)
    await connection.execute("INSERT INTO events VALUES (900, 'late', now(), 1)")
    await connection.close()
    assert (await kept(peer, key, {"query": query})).json()["data"] == before
    renew = {"query": {**query, "renewQuery": True}}
    for _ in range(2):
        with counting() as counted:
            renewed = (await ask(peer, await a_key(), renew)).json()["data"]
        assert counted.fields, "Who renews is never told what is kept."
    assert renewed != before
    assert (await ask(peer, key, {"query": query})).json()["data"] == renewed
