"""An installation without user authentication: its api_key stands for the first owner."""

import httpx2
import pytest

ME = "{ me { username isOwner } }"


@pytest.fixture(scope="module")
def authentication() -> bool:
    """Users need not sign in."""
    return False


async def ask(client: httpx2.AsyncClient, key: str | None, query: str = ME) -> dict[str, object]:
    """Ask with an api_key."""
    headers = {} if key is None else {b"X-API-Key": key.encode()}
    response = await client.post("/v2/graphql", json={"query": query}, headers=headers)
    found: dict[str, object] = response.json()
    return found


async def test_the_installations_key_acts_as_the_first_owner(
    client: httpx2.AsyncClient, api_key: str
) -> None:
    answer = await ask(client, api_key)
    assert answer["data"] == {"me": {"username": "admin", "isOwner": True}}
    made = await ask(
        client, api_key, 'mutation { pipelineCreate(input: {name: "x"}) { pipeline { uuid } } }'
    )
    assert made["data"] == {"pipelineCreate": {"pipeline": {"uuid": "x"}}}


@pytest.mark.parametrize("key", [None, "", "wrong", "installation-ke", "isk_wrong", "é"])
async def test_without_it_nobody_is_known(client: httpx2.AsyncClient, key: str | None) -> None:
    (error,) = (await ask(client, key))["errors"]  # type: ignore[misc]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
