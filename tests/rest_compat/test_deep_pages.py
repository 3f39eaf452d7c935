"""Links of DEEP's lists: every row once, though others come."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.projects.tables import join_requests
from tests.factories import rows
from tests.rest_compat.deep_person import Person, V, person

Adds = Callable[[int], Awaitable[Any]]


@pytest_asyncio.fixture(scope="module")
async def alice(client: httpx2.AsyncClient) -> Person:
    """A user."""
    return await person(client, "alice")


async def pages(who: Person, url: str, body: Any = None) -> AsyncIterator[list[int]]:
    """Ids of each page that the links lead to."""
    link: str | None = f"{V}{url}"
    method = "GET" if body is None else "POST"
    while link is not None:
        answer = await who.client.request(method, link, headers=who.headers, json=body)
        assert answer.status_code == 200, answer.text
        yield [one["id"] for one in answer.json()["results"]]
        link = answer.json()["next"]


async def walk(who: Person, url: str, adds: Adds, body: Any = None) -> list[int]:
    """Ids of all pages, while rows come before and behind."""
    seen: list[int] = []
    added = 0
    async for found in pages(who, url, body):
        seen += found
        for _ in range(2):
            if added < 8:
                await adds(added)
                added += 1
    assert len(seen) == len(set(seen))
    return seen


ORDERS = [
    "",
    "modified_at",
    "-modified_at",
    "title",
    "-title",
    "priority",
    "-priority,title",
    "-id",
]
PRIORITIES = ("low", "medium", "high")


@pytest.mark.parametrize("order", [*ORDERS, "assignee", "published_on"])
async def test_each_lead_is_there_once_while_others_come(alice: Person, order: str) -> None:
    project = await rows.project()
    await rows.member(project, alice.user, "owner")

    async def add(number: int) -> int:
        title = f"{'amz'[number % 3]} {rows.unique('lead')}"
        return await rows.lead(project, title, priority=PRIORITIES[number % 3])

    there = {await add(number) for number in range(7)}
    url = f"/leads/?limit=2&project={project}" + (f"&ordering={order}" if order else "")
    assert there <= set(await walk(alice, url, add))


async def test_a_search_by_body_goes_on_in_the_same_way(alice: Person) -> None:
    project = await rows.project()
    await rows.member(project, alice.user, "owner")
    there = {await rows.lead(project) for _ in range(5)}

    async def add(_: int) -> int:
        return await rows.lead(project)

    body = {"project": [project], "ordering": "-created_at"}
    assert there <= set(await walk(alice, "/leads/filter/?limit=2", add, body))


@pytest.mark.parametrize("order", ["", "modified_at", "-modified_at", "title", "-title", "status"])
async def test_each_project_is_there_once_while_others_come(alice: Person, order: str) -> None:
    async def add(number: int) -> int:
        name = f"{'amz'[number % 3]} {rows.unique('project')}"
        made = await rows.project(name=name)
        await rows.member(made, alice.user, "owner")
        return made

    there = {await add(number) for number in range(5)}
    url = "/projects/member-of/?limit=2" + (f"&ordering={order}" if order else "")
    assert there <= set(await walk(alice, url, add))


async def test_a_list_without_a_page_in_the_graph_goes_on_behind_its_row(alice: Person) -> None:
    project = await rows.project()
    await rows.member(project, alice.user, "owner")
    there = {(await wish(project)) for _ in range(5)}

    async def add(_: int) -> int:
        return await wish(project)

    assert there <= set(await walk(alice, f"/projects/{project}/requests/?limit=2", add))


async def wish(project: int) -> int:
    """Somebody who wishes to join."""
    made = {"project_id": project, "user_id": await rows.user(), "reason": "x"}
    return int((await rows.row(join_requests, **made))["id"])


async def test_plain_limit_and_offset_count_from_the_start(alice: Person) -> None:
    project = await rows.project()
    await rows.member(project, alice.user, "owner")
    there = [await rows.lead(project) for _ in range(5)]
    url = f"/leads/?ordering=id&limit=2&project={project}"
    link = (await alice("GET", url)).json()["next"].removeprefix(f"http://testserver{V}")
    assert await ids(alice, link) == there[2:4]
    assert await ids(alice, link.replace("offset=2", "offset=3")) == there[3:5]
    assert await ids(alice, f"{url}&offset=1") == there[1:3]
    assert await ids(alice, f"{url}&offset=1&after=1.") == there[1:3]
    last = (await alice("GET", f"{url}&offset=4")).json()
    assert last["next"] is None and last["previous"].endswith(
        f"&offset=2&ordering=id&project={project}"
    )
    for wrong in ("2.nonsense", "2.%00", f"2.{'A' * 3000}"):
        refused = await alice("GET", f"{url}&offset=2&after={wrong}")
        assert refused.status_code == 400, wrong
    other = await alice("GET", link.replace("ordering=id", "ordering=title"))
    assert (other.status_code, other.json()["errorCode"]) == (400, 400)


async def test_a_page_behind_a_cursor_is_one_statement_too(
    alice: Person, compile_reads: bool
) -> None:
    project = await rows.project()
    await rows.member(project, alice.user, "owner")
    there = [await rows.lead(project) for _ in range(3)]
    url = f"/leads/?ordering=id&limit=1&project={project}"
    link = (await alice("GET", url)).json()["next"].removeprefix(f"http://testserver{V}")
    before = await reads(alice)
    assert await ids(alice, link) == there[1:2]
    assert [a - b for a, b in zip(await reads(alice), before, strict=True)] == [
        compile_reads,
        not compile_reads,
    ]


async def reads(who: Person) -> tuple[float, float]:
    """How many reads the server has answered by one statement, and field by field."""
    lines = (await who.client.get("/metrics")).text.splitlines()
    told = dict.fromkeys(("compiled", "executed"), 0.0)
    for tier in told:
        name = f'isthmus_graphql_reads_total{{tier="{tier}"}} '
        told[tier] = sum(float(one.removeprefix(name)) for one in lines if one.startswith(name))
    return told["compiled"], told["executed"]


async def ids(who: Person, path: str) -> list[int]:
    """Ids of a page."""
    return [one["id"] for one in (await who("GET", path)).json()["results"]]
