"""The demo's HTTP client, and how it speaks."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import orjson


class DemoFailed(Exception):
    """The demo could not be loaded or run; the text says at which step."""


class Caller:
    """A plain HTTP client of the documented API."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, with_key: bool = True
    ) -> Any:
        """The answer's JSON; DemoFailed for an error in it."""
        headers = {"Content-Type": "application/json"}
        if with_key:
            headers["X-API-KEY"] = self._key
        answer = self._sent(method, path, body, headers)
        if "error" in answer:
            raise DemoFailed(f"{method} {path}: {answer['error']}")
        return answer

    def question(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a question of the semantic layer, whatever it says."""
        headers = {"Content-Type": "application/json", "Authorization": self._key}
        return self._sent("POST", path, body, headers)

    def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: dict[str, str]
    ) -> Any:
        data = None if body is None else orjson.dumps(body)
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return orjson.loads(response.read())
        except (OSError, urllib.error.URLError, orjson.JSONDecodeError) as error:
            raise DemoFailed(f"{method} {path}: {error}") from error

    def graphql(self, query: str, **variables: Any) -> Any:
        """The data of an operation; DemoFailed for an error in it."""
        body = {"query": query, "variables": variables}
        answer = self.request("POST", "/v2/graphql", body)
        if "errors" in answer:
            raise DemoFailed(f"GraphQL: {answer['errors'][0]['message']}")
        return answer["data"]


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)
