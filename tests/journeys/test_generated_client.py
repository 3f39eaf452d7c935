"""A client generated from the OpenAPI document that an installation serves."""

import json
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.journeys.live import Live

OPTIONS = (
    *("--strict", "--target", "es2022", "--lib", "es2022,dom"),
    *("--module", "nodenext", "--moduleResolution", "nodenext"),
)


def run(folder: Path, *command: object) -> str:
    """What a command says that works."""
    given = list(map(str, command))
    done = subprocess.run(given, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.node
def test_it_creates_reads_finds_and_changes_a_lead(
    live_server_with_users: Live, node_modules: Path, tmp_path: Path
) -> None:
    server = live_server_with_users
    (tmp_path / "node_modules").symlink_to(node_modules)
    source = (node_modules.parent / "lead.mts").read_text()
    (tmp_path / "lead.mts").write_text(source)
    tools = tmp_path / "node_modules" / ".bin"
    run(tmp_path, tools / "openapi-typescript", f"{server.url}/api-docs.json", "-o", "api.d.mts")
    run(tmp_path, tools / "tsc", *OPTIONS, "lead.mts")
    sent = {"username": server.username, "password": server.password}
    token = httpx2.post(f"{server.url}/api/v1/token/", json=sent).json()["access"]

    told = json.loads(run(tmp_path, "node", "lead.mjs", server.url, token))

    made, read = told["made"], told["read"]
    assert (made["project"], made["status"], made["priority"]) == (1, "pending", 100)
    assert {name: read[name] for name in made} == made
    assert told["found"] == [made["title"]]
    assert told["status"] == "processed"
    assert told["untitled"] == 400
    assert "A source with this URL has already been added" in told["again"][0]
