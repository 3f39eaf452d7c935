"""Recordings of a real server that asks for users, replayed in their order."""

import base64
import json
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from tests.conftest import ADMIN_PASSWORD
from tests.rest_compat.deviations import SIGNED_IN_DEVIATIONS as DEVIATIONS
from tests.rest_compat.replay import RECORDINGS, SIGNED_IN, check, request_of, titled


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
        if seq == 46:
            self.placeholders["decoded_token"] = self.placeholders["owner_token"]

    async def _sign_in_without_role(self) -> None:
        self.placeholders["owner_token"] = self.placeholders["decoded_token"]
        session = {"username": "viewer", "password": "viewer-pass-1"}
        body = {"api_key": self.placeholders["api_key"], "session": session}
        answer = await self.client.post("/api/sessions", json=body)
        self.remember(answer.json()["session"]["token"])

    def remember(self, raw: str) -> None:
        """Use a new session's token from now on."""
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


@pytest.mark.parametrize("seq", SIGNED_IN, ids=titled)
async def test_answer_is_as_recorded_where_users_must_sign_in(server: Server, seq: int) -> None:
    await server.prepare(seq)
    recording = with_password(RECORDINGS[seq])
    answer = await server.client.request(**request_of(recording, server.placeholders))
    if seq in (7, 9):
        server.remember(answer.json()["session"]["token"])
    check(seq, answer, DEVIATIONS.get(seq))
