"""A client with a credential that speaks to /v2/graphql."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

PATH = "/v2/graphql"


@dataclass(frozen=True)
class Answer:
    """A GraphQL response, read."""

    status: int
    body: Mapping[str, Any]
    text: str

    @property
    def codes(self) -> list[str]:
        """Codes of the top-level errors."""
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]

    @property
    def data(self) -> Any:
        """The data of an answer that must have no top-level errors."""
        assert "errors" not in self.body, self.body
        return self.body["data"]

    @property
    def only(self) -> Any:
        """The value of the only root field."""
        (value,) = self.data.values()
        return value

    @property
    def fault(self) -> str:
        """The code of the only correctable fault of the only mutation."""
        (error,) = self.only["errors"]
        return str(error["code"])


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    client: httpx2.AsyncClient
    token: str | None = None

    async def __call__(
        self, document: str, variables: Mapping[str, Any] | None = None, **more: Any
    ) -> Answer:
        """Run one operation; keywords are variables too."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        body = {"query": document, "variables": {**(variables or {}), **more}}
        response = await self.client.post(PATH, json=body, headers=headers)
        return Answer(response.status_code, response.json(), response.text)

    def with_token(self, token: str | None) -> "Caller":
        """The same client with another credential."""
        return Caller(self.client, token)
