"""What was recorded of Cube, asked of this program: requests made, answers compared."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.semantic.places import files

JWT_KEY = "a key that the operator shares with its callers"
SCOPE_SETS = (("meta",), ("data",), ("graphql",), ("graphql", "data"))
Recording = Mapping[str, Any]


def group_of(scopes: list[str]) -> str:
    """The user group of the tests that opens just these."""
    return "only_" + "_".join(scopes)


def model_files() -> dict[str, str]:
    """The contract's model, and a user group for each set of scopes that the recordings have."""
    found = files()
    groups = "".join(
        f"  - name: {group_of(list(scopes))}\n    api_scopes: [{', '.join(scopes)}]\n    includes: []\n"
        for scopes in SCOPE_SETS
    )
    head = "user_groups:\n"
    assert found["user_groups.yml"].startswith(head)
    return {**found, "user_groups.yml": head + groups + found["user_groups.yml"].removeprefix(head)}


def signed(subject: str, groups: list[str], *, lasts_s: int = 600, key: str = JWT_KEY) -> str:
    """A JWT of the operator's."""
    claims = {"sub": subject, "groups": groups, "exp": int(time.time()) + lasts_s}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key))


def headers(request: Mapping[str, Any]) -> dict[str, str]:
    """The credential of a recorded request; scopes that claims gave are those of a group here."""
    scopes = request["claims"].get("scopes")
    token = signed("bob", [group_of(scopes)] if scopes else [])
    return {
        "token": {"Authorization": token},
        "bearer": {"Authorization": f"Bearer {token}"},
        "none": {},
        "garbage": {"Authorization": "abc"},
        "badsig": {"Authorization": signed("bob", [], key="another key of as many characters")},
        "expired": {"Authorization": signed("bob", [], lasts_s=-600)},
    }[request["auth"]]


async def ask(client: httpx2.AsyncClient, request: Mapping[str, Any]) -> httpx2.Response:
    """The answer to a recorded request, asked as often as it says that it takes longer."""
    while True:
        answer = await client.request(
            request["method"], request["path"], json=request.get("body"), headers=headers(request)
        )
        if "Continue wait" not in answer.text:
            return answer


def plain(value: Any) -> Any:
    """A value by which answers are compared: numbers in texts are numbers, times are moments."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return _moment(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _moment(text: str) -> Any:
    try:
        return datetime.fromisoformat(text) if len(text) > 20 and text[-1] == "Z" else text
    except ValueError:
        return text


def in_order(rows: Any, order: str) -> Any:
    """Rows as they are compared: in order where that is fixed."""
    if order == "strict" or not isinstance(rows, list):
        return rows
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))
