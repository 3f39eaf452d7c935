"""Automatic persisted queries with a real Valkey, and without it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from redis.asyncio import Redis

from app.embedded.valkey import Valkey
from app.graphql.limits import GraphQLSettings
from tests.graphql.protocol.server import Toy, serving
from tests.servers import open_folder

NEWER = "application/graphql-response+json"


def extension(text: str) -> dict[str, Any]:
    """The extension that names a text."""
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}


def code(body: dict[str, Any]) -> str:
    """The code of the first error."""
    return str(body["errors"][0]["extensions"]["code"])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for Valkey."""
    with open_folder() as folder:
        yield folder


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    """A Valkey of its own, since a test stops it."""
    (folder / "logs").mkdir()
    server = Valkey(folder, durable=False)
    server.start()
    yield server
    server.stop()


async def known(toy: Toy, text: str) -> bool:
    """Whether the server runs a text by its hash alone."""
    return "data" in (await toy.post({"extensions": extension(text)})).json()


async def test_unknown_hash_says_so_in_the_words_that_clients_know(toy: Toy) -> None:
    for accept, status in (("application/json", 200), (NEWER, 400)):
        body = {"query": None, "extensions": extension("{ hello } # never sent")}
        response = await toy.post(body, accept=accept)
        assert response.status_code == status
        error = response.json()["errors"][0]
        assert error["message"] == "PersistedQueryNotFound"
        assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


async def test_text_once_sent_runs_by_its_hash_over_post_and_get(toy: Toy) -> None:
    text = "query ($n: String!) { hello(name: $n) } # kept"
    sent = await toy.post({"query": text, "variables": {"n": "ada"}, "extensions": extension(text)})
    assert sent.json()["data"] == {"hello": "hello ada"}
    again = await toy.post({"variables": {"n": "bob"}, "extensions": extension(text)})
    assert again.json()["data"] == {"hello": "hello bob"}
    parameters = {
        "variables": '{"n": "eve"}',
        "extensions": orjson.dumps(extension(text)).decode(),
    }
    got = await toy.client.get(
        f"{toy.url}?{urlencode(parameters)}", headers={"apollo-require-preflight": "true"}
    )
    assert got.json()["data"] == {"hello": "hello eve"}


async def test_hash_of_another_text_is_400_and_keeps_nothing(toy: Toy) -> None:
    body = {"query": "{ hello }", "extensions": extension("{ person { name } } # other")}
    response = await toy.post(body)
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")
    assert not await known(toy, "{ person { name } } # other")


@pytest.mark.parametrize(
    "value",
    [
        {"version": 2, "sha256Hash": "0" * 64},
        {"version": 1},
        {"version": 1, "sha256Hash": 5},
        {"version": 1, "sha256Hash": "0" * 63},
        {"version": 1, "sha256Hash": "../" + "0" * 61},
        [],
    ],
)
async def test_malformed_extension_is_400(toy: Toy, value: Any) -> None:
    response = await toy.post({"query": "{ hello }", "extensions": {"persistedQuery": value}})
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize("text", ["{ helo }", "{", "{ hello " + "hello " * 6000 + "}"])
async def test_refused_document_is_not_kept(toy: Toy, text: str) -> None:
    await toy.post({"query": text, "extensions": extension(text)})
    response = await toy.post({"extensions": extension(text)})
    assert code(response.json()) == "PERSISTED_QUERY_NOT_FOUND"


async def test_texts_are_shared_through_valkey_bounded_and_checked(valkey: Valkey) -> None:
    redis = Redis.from_url(valkey.url)
    settings = GraphQLSettings(persisted_count=3, persisted_text=200)
    async with serving(settings, redis) as one, serving(settings, redis) as other:
        texts = [f"{{ hello }} # {number}" for number in range(5)]
        for text in texts:
            await one.post({"query": text, "extensions": extension(text)})
        assert [await known(other, text) for text in texts] == [False, False, True, True, True]
        assert len(await redis.keys("isthmus:apq:*")) == 3
        assert all([0 < await redis.ttl(key) <= 86400 for key in await redis.keys("*")])
        long = "{ hello } #" + "x" * 200
        await one.post({"query": long, "extensions": extension(long)})
        assert not await known(other, long)
        digest = extension("{ hello } # planted")["persistedQuery"]["sha256Hash"]
        await redis.set(f"isthmus:apq:{digest}", "mutation { count }")
        assert not await known(other, "{ hello } # planted")
    await redis.aclose()


async def test_texts_are_kept_in_memory_while_valkey_is_away(valkey: Valkey) -> None:
    redis = Redis.from_url(valkey.url)
    async with serving(GraphQLSettings(), redis) as toy:
        valkey.stop()
        text = "{ hello } # while it is away"
        assert not await known(toy, text)
        await toy.post({"query": text, "extensions": extension(text)})
        assert await known(toy, text)
    await redis.aclose()
