"""Callers of DEEP's API by HTTP Basic."""

import base64
from typing import Any

import httpx2

from app.access import passwords
from app.access.tables import users
from tests.factories import rows

PASSWORD = "a password of tests"
V = "/api/v1"


class Person:
    """A user of DEEP's API."""

    def __init__(self, client: httpx2.AsyncClient, user: int, name: str) -> None:
        self.client, self.user, self.name = client, user, name
        pair = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        self.headers = {"Authorization": f"Basic {pair}"}

    async def __call__(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        headers = {**self.headers, **how.pop("headers", {})}
        if body is not None:
            how["json"] = body
        return await self.client.request(method, f"{V}{path}", headers=headers, **how)


async def person(client: httpx2.AsyncClient, name: str) -> Person:
    """A new user with a password."""
    user = await rows.user(name, password_hash=await passwords.hashed(PASSWORD))
    return Person(client, user, (await rows.values_of(users, user))["username"])
