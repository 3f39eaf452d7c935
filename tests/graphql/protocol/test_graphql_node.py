"""What clients of the JavaScript world see: the audits of graphql-http, graphql-ws, graphql-sse."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.graphql.protocol.server import Toy

NODE = Path(__file__).parent / "node"

pytestmark = pytest.mark.node


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of the lock file, installed once."""
    if not (NODE / "node_modules" / "graphql-http").is_dir():
        npm = shutil.which("npm")
        assert npm, "npm is needed: install Node.js 20 or newer."
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=300)
    return NODE


async def node(script: str, *arguments: str) -> tuple[int, str, str]:
    """Run a script of this folder: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        "node", NODE / script, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def audit(url: str, **headers: str) -> dict[str, Any]:
    """Run graphql-http's server audits against any URL; the failures by level."""
    _, output, errors = await node("audit.mjs", url, *(f"{k}: {v}" for k, v in headers.items()))
    assert output, errors
    report: dict[str, Any] = json.loads(output)
    return report


async def test_audits_of_graphql_http_find_no_must_and_no_should(
    node_modules: Path, toy: Toy
) -> None:
    report = await audit(toy.url)
    assert (report["must"], report["should"]) == ([], [])
    assert report["total"] >= 60
    # The three that are left ask for GET without a sign that no foreign page sent it.
    assert [line.split()[0] for line in report["may"]] == ["5A70", "D6D5", "6A70"]


async def test_audits_pass_whole_with_the_header_that_get_needs(
    node_modules: Path, toy: Toy
) -> None:
    report = await audit(toy.url, **{"X-Requested-With": "audit"})
    assert (report["must"], report["should"], report["may"]) == ([], [], [])


@pytest.mark.parametrize("way", ["ws", "sse"])
async def test_real_client_follows_a_subscription(node_modules: Path, toy: Toy, way: str) -> None:
    code, output, errors = await node("subscribe.mjs", way, toy.url, "subscription { count }")
    assert code == 0, errors
    events = [json.loads(line)["data"] for line in output.splitlines()]
    assert events == [{"count": 0}, {"count": 1}, {"count": 2}]


@pytest.mark.parametrize("way", ["ws", "sse"])
async def test_real_client_signs_in_and_queries(node_modules: Path, toy: Toy, way: str) -> None:
    code, output, errors = await node("subscribe.mjs", way, toy.url, "{ who }", "ada")
    assert code == 0, errors
    assert json.loads(output)["data"] == {"who": "ada"}


async def test_real_client_is_told_of_a_wrong_token(node_modules: Path, toy: Toy) -> None:
    code, _, errors = await node("subscribe.mjs", "ws", toy.url, "{ who }", "wrong")
    assert code == 1
    assert "4403" in errors


async def test_introspection_of_graphql_js_passes_the_limits(node_modules: Path, toy: Toy) -> None:
    _, text, _ = await node("introspect.mjs")
    assert "errors" not in await toy.query(text)
