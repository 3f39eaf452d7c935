"""Recordings of a real server that asks for users, replayed in their order."""

from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from tests.conftest import ADMIN_PASSWORD
from tests.rest_compat.compare import differences
from tests.rest_compat.replay import RECORDINGS, send

SIGNED_IN = [seq for seq, one in RECORDINGS.items() if one["authentication"]]

# Where the answer is meant to differ, and what it must then be like.
KEY_TAKEN_FROM_BODY = {
    22: (20, "the key in the body of a GET counts"),
    28: (26, "the key in the query of a POST counts"),
    29: (75, "the key in the body of a PUT counts"),
    32: (119, "the key in the body of a PUT counts, and the content is applied"),
    34: (180, "the key in the body of a PUT counts"),
}
OLD_EXAMPLE = ("status", "has_callback", "created_at")
"""Null in the real server's example pipeline only; everything made since has them."""


class Server:
    """The application under test, and what the placeholders stand for."""

    def __init__(self, client: httpx2.AsyncClient, api_key: str) -> None:
        self.client = client
        self.placeholders = {"api_key": api_key}

    async def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create something that the recordings take for granted."""
        headers = {
            "X-API-KEY": self.placeholders["api_key"],
            "OAUTH-TOKEN": self.placeholders["decoded_token"],
        }
        answer = await self.client.post(path, json=body, headers=headers)
        assert "error" not in answer.json(), answer.text
        return next(iter(answer.json().values()))

    async def prepare(self, seq: int) -> None:
        """Bring about the state in which a recording was made."""
        if seq == 14:
            await self.make("/api/pipelines", {"pipeline": {"name": "example_pipeline"}})
            blocks = "/api/pipelines/example_pipeline/blocks"
            before: list[str] = []
            for name, kind in (
                ("load_titanic", "data_loader"),
                ("fill_in_missing_values", "transformer"),
                ("export_titanic_clean", "data_exporter"),
            ):
                block = {"name": name, "type": kind, "upstream_blocks": before}
                await self.make(blocks, {"block": block})
                before = [name]
        if seq == 34:
            made = await self.make(
                "/api/pipelines/secured_one/pipeline_schedules",
                {"pipeline_schedule": {"name": "daily run", "schedule_type": "api"}},
            )
            assert made["id"] == 1
            self.placeholders["trigger_token"] = made["token"]
        if seq == 44:
            await self._sign_in_without_role()

    async def _sign_in_without_role(self) -> None:
        query = (
            'mutation { userCreate(input: {username: "viewer", password: "viewer-pass-1"}) '
            "{ errors { message } } }"
        )
        headers = {"Authorization": f"Bearer {self.placeholders['decoded_token']}"}
        made = await self.client.post("/v2/graphql", json={"query": query}, headers=headers)
        assert made.json()["data"]["userCreate"]["errors"] == []
        self.placeholders["owner_token"] = self.placeholders["decoded_token"]
        session = {"username": "viewer", "password": "viewer-pass-1"}
        body = {"api_key": self.placeholders["api_key"], "session": session}
        answer = await self.client.post("/api/sessions", json=body)
        self.remember(answer.json()["session"]["token"])

    def remember(self, raw: str) -> None:
        """Use a new session's token from now on."""
        import base64
        import json

        claims = raw.split(".")[1]
        decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        assert set(decoded) == {"expires", "token"}
        assert isinstance(decoded["expires"], float)
        self.placeholders |= {"raw_token": raw, "decoded_token": decoded["token"]}


@pytest.fixture(scope="module")
def server(app: Starlette, client: httpx2.AsyncClient, api_key: str) -> Server:
    """One server for the whole sequence."""
    return Server(client, api_key)


def with_password(recording: dict[str, Any]) -> dict[str, Any]:
    """The recording with the password of this installation's first owner."""
    session = (recording["body"] or {}).get("session")
    if isinstance(session, dict) and session.get("password") == "admin":
        body = {**recording["body"], "session": {**session, "password": ADMIN_PASSWORD}}
        return {**recording, "body": body}
    return recording


@pytest.mark.parametrize("seq", SIGNED_IN, ids=lambda s: f"{s}-{RECORDINGS[s]['name']}")
async def test_answer_is_as_recorded_where_users_must_sign_in(server: Server, seq: int) -> None:
    await server.prepare(seq)
    recording = RECORDINGS[seq]
    if seq == 46:
        server.placeholders["decoded_token"] = server.placeholders.pop("owner_token")
    answer = await send(server.client, with_password(recording), server.placeholders)
    if seq in (7, 9):
        server.remember(answer.json()["session"]["token"])
    expected, varies = recording["response"], [*recording["varies"], "uuid", "name", "id"]
    if seq in KEY_TAKEN_FROM_BODY:
        other, why = KEY_TAKEN_FROM_BODY[seq]
        assert recording["status"] == 401, why
        assert answer.status_code == 200, why
        expected, varies = RECORDINGS[other]["response"], [*varies, *RECORDINGS[other]["varies"]]
        varies += ["content", "status", "schedule_type", "schedule_interval", "pipeline_uuid"]
        varies += ["last_enabled_at"]
    elif seq == 24:
        # A wrong cookie is an undeclared failure there, and told like a wrong header here.
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_oauth_token"
        return
    elif seq == 39:
        # Reading a user fails there; here it is the user.
        assert answer.json()["user"]["username"] == "admin"
        return
    elif seq == 42:
        # Making a user fails there; here the answer says that the call is not offered.
        assert answer.json()["error"]["type"] == "unauthorized_access"
        return
    else:
        assert answer.status_code == recording["status"]
    if seq == 40:
        # Only hashes of tokens are stored, so none can be shown.
        assert [row["token"] for row in answer.json()["oauth_access_tokens"]] == [None, None]
    if seq == 41:
        # There are more roles than Mage has: those it has come first, as it has them.
        names = [row["name"] for row in answer.json()["roles"]]
        assert {"Owner", "Admin", "Editor", "Viewer"} <= set(names)
        expected = {**expected, "roles": expected["roles"][:1]}
        trimmed = {**answer.json(), "roles": answer.json()["roles"][:1]}
        found = differences(expected, trimmed, [*varies, "count"])
        assert found == []
        return
    if seq in (14, 16, 18, 20, 22):
        varies += ["all_upstream_blocks_executed"]
    if seq == 22:
        expected = {**expected}
    if seq == 180:
        varies += ["schedule_type"]
    nullable = [*OLD_EXAMPLE, "next_pipeline_run_date", "schedule_interval"]
    nullable += ["token"] if seq == 40 else []
    assert differences(expected, answer.json(), varies, nullable=nullable) == []
