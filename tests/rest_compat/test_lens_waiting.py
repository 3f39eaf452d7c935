"""What Cube's clients see of a slow query, over HTTP: they wait, share it, leave it, and renew it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import select, update
from starlette.applications import Starlette

from app.core import db
from app.core.rules import SYSTEM
from app.semantic import asking, load
from app.semantic.actions.models import push_model
from app.semantic.tables import semantic_queries
from tests.app.semantic.asked import until
from tests.app.semantic.conftest import (
    Gate,
    gate,  # noqa: F401  (fixtures)
    hold,
    query_lane,
    warehouse,  # noqa: F401
)
from tests.factories import rows
from workers.semantic.lane import Lane

WAIT = {"error": "Continue wait"}
HELD = """
  - name: held_{number}
    sql: select 1 as id, {held}::text as word
    refresh_key: {{immutable: true}}
    measures:
      - {{name: count, type: count, sql: word}}
"""
EVENTS = """
tables:
  - name: events
    sql: select * from events
    refresh_key: {sql: select max(id) from events, every: 1 hour}
    measures:
      - {name: count, type: count}
"""
Row = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def soon(compile_reads: bool) -> Iterator[None]:
    """Callers are told early to come again, and nothing is known of an installation before this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "_kept", asking._Kept(asking.KEPT_BYTES))
        patch.setattr(load, "_shaped", load._Shaped())
        patch.setenv("ISTHMUS_CONTINUE_WAIT_S", "0.3")
        yield


@pytest_asyncio.fixture(scope="module")
async def peer(soon: None, app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application, whose model has tables that wait at gates."""
    held = [HELD.format(number=number, held=hold(number)) for number in range(1, 10)]
    await push_model(SYSTEM, 1, {"a.yml": EVENTS + "".join(held).lstrip("\n")})
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as made:
        made.headers["apikey"] = (await rows.api_key(1)).token
        yield made


@pytest_asyncio.fixture
async def lane(
    peer: httpx2.AsyncClient,
    warehouse: str,  # noqa: F811
    tmp_path: Path,
) -> AsyncIterator[Lane]:
    """One query at a time, and one that nobody asked for in a second is an orphan."""
    async with query_lane(warehouse, tmp_path, query_concurrency=1, query_orphan_s=1) as made:
        yield made


async def call(peer: httpx2.AsyncClient, number: int, **headers: str) -> Any:
    """One call for a held table."""
    body = {"query": {"measures": [f"held_{number}.count"]}}
    answer = await peer.post("/v2/load", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def waited(peer: httpx2.AsyncClient, number: int, **headers: str) -> tuple[int, Any]:
    """As Cube's clients do it: how often they were told to come again, and the rows."""
    times = 0
    while (body := await call(peer, number, **headers)) == WAIT:
        times += 1
    return times, body["data"]


async def stored(number: int) -> list[Row]:
    """What is kept of the queries of a held table."""
    async with db.reading() as connection:
        wanted = select(semantic_queries).where(semantic_queries.c.sql.icontains(hold(number)))
        return [dict(row) for row in (await connection.execute(wanted)).mappings()]


async def in_state(number: int, state: str) -> None:
    """Return once the only query of a held table is in a state."""

    async def holds() -> bool:
        return [row["state"] for row in await stored(number)] == [state]

    await until(holds)


async def test_one_caller_waits_until_the_rows_are_there(
    peer: httpx2.AsyncClient,
    lane: Lane,
    gate: Gate,  # noqa: F811
) -> None:
    await gate.close(1)
    assert [await call(peer, 1) for _ in range(3)] == [WAIT] * 3
    await gate.open(1)
    assert (await waited(peer, 1))[1] == [{"held_1.count": "1"}]
    assert [row["run"] for row in await stored(1)] == [1]


async def test_three_identical_callers_are_one_query_of_the_database(
    peer: httpx2.AsyncClient,
    lane: Lane,
    gate: Gate,  # noqa: F811
) -> None:
    """Whoever they are: the three have keys of their own."""
    await gate.close(2)
    keys = [(await rows.api_key(1)).token for _ in range(3)]
    asking = [asyncio.create_task(waited(peer, 2, apikey=key)) for key in keys]
    await in_state(2, "running")
    seen = []
    for _ in range(5):
        seen.append(await gate.running(2))
        await asyncio.sleep(0.1)
    await gate.open(2)
    found = await asyncio.gather(*asking)
    assert max(seen) == 1
    assert all(times > 0 and data == [{"held_2.count": "1"}] for times, data in found)
    assert [row["run"] for row in await stored(2)] == [1]


async def test_of_two_different_queries_one_queues(
    peer: httpx2.AsyncClient,
    lane: Lane,
    gate: Gate,  # noqa: F811
) -> None:
    await gate.close(3)
    first = asyncio.create_task(waited(peer, 3))
    await in_state(3, "running")
    second = asyncio.create_task(waited(peer, 4))
    await in_state(4, "queued")
    await asyncio.sleep(0.5)
    assert await gate.running(4) == 0 and not second.done()
    await gate.open(3)
    assert (await first)[1] == [{"held_3.count": "1"}]
    assert (await second)[1] == [{"held_4.count": "1"}]


async def test_a_query_whose_client_has_gone_before_it_began_never_runs(
    peer: httpx2.AsyncClient,
    lane: Lane,
    gate: Gate,  # noqa: F811
) -> None:
    await gate.close(5)
    first = asyncio.create_task(waited(peer, 5))
    await in_state(5, "running")
    assert await call(peer, 6) == WAIT
    await asyncio.sleep(1.5)
    third = asyncio.create_task(waited(peer, 7))
    await in_state(7, "queued")
    await gate.open(5)
    assert [data for _, data in await asyncio.gather(first, third)] == [
        [{"held_5.count": "1"}],
        [{"held_7.count": "1"}],
    ]
    (orphan,) = await stored(6)
    assert (orphan["state"], orphan["started_at"], orphan["run"]) == ("queued", None, 1)


async def test_a_query_whose_client_has_gone_later_ends_and_serves_the_repeat(
    peer: httpx2.AsyncClient,
    lane: Lane,
    gate: Gate,  # noqa: F811
) -> None:
    await gate.close(8)
    gone = asyncio.create_task(waited(peer, 8))
    await in_state(8, "running")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.sleep(1.5)
    assert await gate.running(8) == 1
    await gate.open(8)
    await in_state(8, "done")
    assert (await waited(peer, 8)) == (0, [{"held_8.count": "1"}])
    assert [row["run"] for row in await stored(8)] == [1]


async def test_who_asks_to_renew_gets_what_is_there_now(
    peer: httpx2.AsyncClient,
    lane: Lane,
    gate: Gate,  # noqa: F811
) -> None:
    async def by_rest(**more: Any) -> int:
        body = {"query": {"measures": ["events.count"], **more}}
        while (answer := (await peer.post("/v2/load", json=body)).json()) == WAIT:
            pass
        return int(answer["data"][0]["events.count"])

    async def by_graph(arguments: str = "") -> int:
        body = {"query": f"{{ table{arguments} {{ events {{ count }} }} }}"}
        while "errors" in (answer := (await peer.post("/v2/graphql", json=body)).json()):
            assert answer["errors"][0]["message"] == "Continue wait", answer
        return int(answer["data"]["table"][0]["events"]["count"])

    before = await by_rest()
    assert await by_graph() == before
    for renewed in (by_rest, by_graph):
        late = "INSERT INTO events SELECT max(id) + 1, 'late', now(), 1 FROM events"
        await gate._connection.execute(late)
        assert await by_rest() == await by_graph() == before
        before += 1
        # As if it were half a minute later: who was told to come again gets the answer of that run.
        async with db.transaction(SYSTEM) as tx:
            await tx.execute(update(semantic_queries).values(was_waited=False))
        more: Any = {"renewQuery": True}
        found = (
            await by_rest(**more) if renewed is by_rest else await by_graph("(renewQuery: true)")
        )
        assert found == before
        assert await by_rest() == await by_graph() == before
